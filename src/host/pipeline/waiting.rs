//! The files that wait for one stage: by their folder, or by their converter.
//!
//! The most urgent file is next: by the converter's priority, then the oldest. Converters of equal
//! priority take turns, so that a backlog of one does not hold up the others.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::id::EntryId;

/// The position of a file in a queue. The smallest comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::host) struct QueuePosition {
    pub(in crate::host) priority: u8,
    /// Where it stands among the files of its serial; `None` where their order is free.
    pub(in crate::host) in_order: Option<SerialPlace>,
    pub(in crate::host) modified: SystemTime,
    pub(in crate::host) path: PathBuf,
    /// The watch folder of the file.
    pub(in crate::host) folder: Arc<Path>,
    /// The name of its converter.
    pub(in crate::host) converter: Arc<str>,
    /// How long one step on it may take before its folder counts as silent.
    pub(in crate::host) patience: Duration,
}

/// The place of a file that is converted in the order of archiving among those of its serial.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::host) struct SerialPlace {
    pub(in crate::host) entry: EntryId,
    /// The serial as far as it is known; `None` may be any.
    pub(in crate::host) serial: Option<Arc<str>>,
    /// The last step that had begun when the file was queued. What is still being archived since
    /// before may turn out to come first.
    pub(super) queued_after: u64,
}

impl SerialPlace {
    /// Returns true when two files of a converter must not be converted at the same time.
    pub(super) fn excludes(&self, other: Option<&str>) -> bool {
        match (self.serial.as_deref(), other) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }
}

/// Number of waiting files that are looked at for one that may be converted.
const LOOK_AHEAD_MAX: usize = 1024;

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
    ///
    /// A file whose order matters is passed over while an earlier one of its serial waits, and
    /// while `is_free` says that another one is at work.
    pub(super) fn pop_first(
        &mut self,
        may: impl Fn(&str) -> bool,
        is_free: impl Fn(&QueuePosition) -> bool,
    ) -> Option<(QueuePosition, Job)> {
        let heads = self.waiting.iter().filter(|(converter, _)| may(converter));
        let heads = heads.filter_map(|(converter, jobs)| {
            let position = first_in_order(jobs, &is_free)?;
            let last_turn = self.last_turns.get(converter).copied().unwrap_or_default();
            Some(((position.priority, last_turn, position), converter))
        });
        let ((_, _, position), converter) = heads.min_by(|(one, _), (other, _)| one.cmp(other))?;
        let (position, converter) = (position.clone(), Arc::clone(converter));
        let jobs = self.waiting.get_mut(&converter)?;
        let (position, (_, job)) = jobs.remove_entry(&position)?;
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

    /// Returns true when the order of some waiting file matters.
    pub(super) fn is_ordered(&self) -> bool {
        let mut firsts = self.waiting.values().filter_map(BTreeMap::first_key_value);
        firsts.any(|(position, _)| position.in_order.is_some())
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

/// Returns the first job that may be taken: the most urgent one, unless their order matters.
fn first_in_order<'j, Job>(
    jobs: &'j Jobs<Job>,
    is_free: &impl Fn(&QueuePosition) -> bool,
) -> Option<&'j QueuePosition> {
    let mut earlier: HashSet<&str> = HashSet::new();
    for position in jobs.keys().take(LOOK_AHEAD_MAX) {
        let Some(place) = &position.in_order else {
            return Some(position);
        };
        let waits = match &place.serial {
            Some(serial) => earlier.contains(&**serial),
            None => !earlier.is_empty(),
        };
        if !waits && is_free(position) {
            return Some(position);
        }
        // A serial that is not known may be that of any later file.
        earlier.insert(place.serial.as_deref()?);
    }
    None
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
            in_order: None,
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
        while let Some((position, ())) = waiting.pop_first(|_| true, |_| true) {
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

    /// A retest must not be converted before the test, whatever the times of the files say.
    #[test]
    fn files_of_one_serial_keep_the_order_of_archiving() {
        let mut waiting = ByConverter::default();
        let serials = [Some("a"), Some("a"), Some("b"), None, Some("c")];
        for (entry, serial) in (1_u64..).zip(serials) {
            let in_order = SerialPlace {
                entry: EntryId(entry),
                serial: serial.map(Into::into),
                queued_after: 0,
            };
            let place = QueuePosition {
                in_order: Some(in_order),
                ..position("T", 5, 100 - entry)
            };
            waiting.insert(place, entry);
        }
        let pop = |waiting: &mut ByConverter<u64>, running: &[&str]| {
            let is_free = |position: &QueuePosition| {
                let place = position.in_order.as_ref().expect("ordered");
                !running.iter().any(|serial| place.excludes(Some(serial)))
            };
            waiting.pop_first(|_| true, is_free).map(|(_, entry)| entry)
        };
        assert_eq!(pop(&mut waiting, &[]), Some(1));
        assert_eq!(pop(&mut waiting, &["a"]), Some(3), "b does not wait for a");
        assert_eq!(
            pop(&mut waiting, &["a", "b"]),
            None,
            "the fourth may be either"
        );
        assert_eq!(pop(&mut waiting, &["b"]), Some(2));
        assert_eq!(pop(&mut waiting, &["a"]), None);
        assert_eq!(pop(&mut waiting, &[]), Some(4));
        assert_eq!(pop(&mut waiting, &[]), Some(5));
    }

    #[test]
    fn a_converter_at_its_limit_holds_up_no_other() {
        let mut waiting = ByConverter::default();
        waiting.insert(position("full", 1, 0), ());
        waiting.insert(position("free", 9, 9), ());
        let mut pop = || waiting.pop_first(|converter| converter != "full", |_| true);
        assert_eq!(&*pop().expect("one").0.converter, "free");
        assert!(pop().is_none());
        assert_eq!(waiting.remove(Path::new("full")), [PathBuf::from("full/0")]);
        assert!(waiting.is_empty());
    }
}
