//! The files that wait for one stage: by their folder, or by their converter.
//!
//! The most urgent file is next: by the converter's priority, then the oldest. Converters of equal
//! priority take turns, so that a backlog of one does not hold up the others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The position of a file in a queue. The smallest comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::host) struct QueuePosition {
    pub(in crate::host) priority: u8,
    pub(in crate::host) modified: SystemTime,
    pub(in crate::host) path: PathBuf,
    /// The watch folder of the file.
    pub(in crate::host) folder: Arc<Path>,
    /// The name of its converter.
    pub(in crate::host) converter: Arc<str>,
    /// How long one step on it may take before its folder counts as silent.
    pub(in crate::host) patience: Duration,
}

type Jobs<Job> = BTreeMap<QueuePosition, (Instant, Job)>;

/// Waiting jobs of one stage, by watch folder.
pub(super) struct ByFolder<Job>(BTreeMap<Arc<Path>, Jobs<Job>>);

impl<Job> ByFolder<Job> {
    pub(super) fn insert(&mut self, position: QueuePosition, job: Job) {
        let folder = self.0.entry(Arc::clone(&position.folder)).or_default();
        folder.insert(position, (Instant::now(), job));
    }

    /// Takes the most urgent job among the folders for which `may` allows another step.
    pub(super) fn pop_first(
        &mut self,
        may: impl Fn(&Path) -> bool,
    ) -> Option<(QueuePosition, Job)> {
        let heads = self.0.iter().filter(|(folder, _)| may(folder));
        let first = heads.filter_map(|(_, jobs)| jobs.first_key_value());
        let folder = Arc::clone(&first.min_by_key(|(position, _)| *position)?.0.folder);
        let jobs = self.0.get_mut(&folder)?;
        let (position, (_, job)) = jobs.pop_first()?;
        if jobs.is_empty() {
            self.0.remove(&folder);
        }
        Some((position, job))
    }

    /// Drops the jobs of a folder and returns their paths.
    pub(super) fn remove(&mut self, folder: &Path) -> Vec<PathBuf> {
        let jobs = self.0.remove(folder).unwrap_or_default();
        jobs.into_keys().map(|position| position.path).collect()
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(|folder| &**folder)
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Returns how long the most urgent job has waited.
    pub(super) fn age(&self) -> Duration {
        age(self.0.values())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let turns = self.0.values().flat_map(BTreeMap::keys);
        turns.map(|position| position.path.as_path())
    }
}

impl<Job> Default for ByFolder<Job> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Jobs that wait for their converters, which take turns.
pub(super) struct ByConverter<Job> {
    waiting: BTreeMap<Arc<str>, Jobs<Job>>,
    /// The number of the turn that each converter had last.
    last_turns: BTreeMap<Arc<str>, u64>,
    turn: u64,
}

impl<Job> ByConverter<Job> {
    pub(super) fn insert(&mut self, position: QueuePosition, job: Job) {
        let jobs = self.waiting.entry(Arc::clone(&position.converter));
        jobs.or_default().insert(position, (Instant::now(), job));
    }

    /// Takes the next job among the converters for which `may` allows another conversion.
    ///
    /// It is the most urgent one of the converter whose last turn is the longest ago, among those
    /// with the most urgent jobs.
    pub(super) fn pop_first(&mut self, may: impl Fn(&str) -> bool) -> Option<(QueuePosition, Job)> {
        let heads = self.waiting.iter().filter(|(converter, _)| may(converter));
        let heads = heads.filter_map(|(converter, jobs)| {
            let (position, _) = jobs.first_key_value()?;
            let last_turn = self.last_turns.get(converter).copied().unwrap_or_default();
            Some(((position.priority, last_turn, position), converter))
        });
        let (_, converter) = heads.min_by(|(one, _), (other, _)| one.cmp(other))?;
        let converter = Arc::clone(converter);
        let jobs = self.waiting.get_mut(&converter)?;
        let (position, (_, job)) = jobs.pop_first()?;
        if jobs.is_empty() {
            self.waiting.remove(&converter);
        }
        self.turn += 1;
        self.last_turns.insert(converter, self.turn);
        Some((position, job))
    }

    /// Drops the jobs of a folder and returns their paths.
    pub(super) fn remove(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut dropped = Vec::new();
        for jobs in self.waiting.values_mut() {
            jobs.retain(|position, _| {
                let stays = *position.folder != *folder;
                if !stays {
                    dropped.push(position.path.clone());
                }
                stays
            });
        }
        self.waiting.retain(|_, jobs| !jobs.is_empty());
        dropped
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.values().map(BTreeMap::len).sum()
    }

    /// Returns how long the most urgent job has waited.
    pub(super) fn age(&self) -> Duration {
        age(self.waiting.values())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let turns = self.waiting.values().flat_map(BTreeMap::keys);
        turns.map(|position| position.path.as_path())
    }
}

impl<Job> Default for ByConverter<Job> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            last_turns: BTreeMap::new(),
            turn: 0,
        }
    }
}

fn age<'a, Job: 'a>(all: impl Iterator<Item = &'a Jobs<Job>>) -> Duration {
    let heads = all.filter_map(BTreeMap::first_key_value);
    let ages = heads.map(|(_, (since, _))| since.elapsed());
    ages.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(converter: &str, priority: u8, seconds: u64) -> QueuePosition {
        QueuePosition {
            priority,
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            path: format!("{converter}/{seconds}").into(),
            folder: Path::new(converter).into(),
            converter: converter.into(),
            patience: Duration::from_secs(60),
        }
    }

    /// Ten thousand old files of one line held up each new file of the others.
    #[test]
    fn converters_take_turns_whatever_the_age_of_their_files() {
        let mut waiting = ByConverter::default();
        for seconds in 0..4 {
            waiting.insert(position("old", 5, seconds), ());
        }
        for name in ["new", "newer"] {
            waiting.insert(position(name, 5, 1_000), ());
            waiting.insert(position(name, 5, 1_001), ());
        }
        waiting.insert(position("urgent", 1, 5_000), ());
        let mut order = Vec::new();
        while let Some((position, ())) = waiting.pop_first(|_| true) {
            order.push(position.converter.to_string());
        }
        let turns = ["old", "new", "newer"];
        let expected = ["urgent"]
            .into_iter()
            .chain(turns)
            .chain(turns)
            .chain(["old"; 2]);
        assert_eq!(order, expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_converter_at_its_limit_holds_up_no_other() {
        let mut waiting = ByConverter::default();
        waiting.insert(position("full", 1, 0), ());
        waiting.insert(position("free", 9, 9), ());
        let taken = waiting.pop_first(|converter| converter != "full");
        assert_eq!(&*taken.expect("one").0.converter, "free");
        assert!(waiting.pop_first(|converter| converter != "full").is_none());
        assert_eq!(waiting.remove(Path::new("full")), [PathBuf::from("full/0")]);
        assert!(waiting.is_empty());
    }
}
