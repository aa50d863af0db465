//! Files that are stuck: they stay in their folder because a step fails.
//!
//! Each is known by its path until the step that failed succeeds, the file goes away, or nobody
//! watches its folder any more. The number is exact; what is told of them is bounded.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Error;
use crate::host::panics::lock;
use crate::time::{Clock, SystemClock, Timestamp};

/// Files that a status lists; further ones are only counted.
const LISTED_MAX: usize = 100;
/// What is over sooner is no matter of health: a virus scanner or a file server holds a file for a
/// moment.
const MOMENT: Duration = Duration::from_secs(2);

/// The step that a file cannot get past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StuckAt {
    /// It cannot be looked at, or is nothing that can be taken.
    Looking,
    /// It cannot be read, or not archived.
    Archiving,
    /// It cannot be handed to its converter.
    Converting,
    /// What its conversion came to cannot be recorded.
    Recording,
    /// It cannot be cleared away.
    Clearing,
}

impl StuckAt {
    /// What cannot be done, for one file and for several.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Looking => ("file cannot be taken", "files cannot be taken"),
            Self::Archiving => ("file cannot be archived", "files cannot be archived"),
            Self::Converting => ("file cannot be converted", "files cannot be converted"),
            Self::Recording => (
                "conversion cannot be recorded",
                "conversions cannot be recorded",
            ),
            Self::Clearing => (
                "file cannot be cleared away",
                "files cannot be cleared away",
            ),
        }
    }
}

/// A file that cannot go its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StuckFile {
    /// The file, or folder where these are sources.
    pub path: String,
    /// The converter that takes it.
    pub converter: String,
    /// The step it cannot get past.
    pub at: StuckAt,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// The files that cannot go their way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct StuckFiles {
    /// How many there are.
    pub count: u64,
    /// The first hundred by path.
    pub files: Vec<StuckFile>,
}

/// The stuck files, by path.
#[derive(Debug, Default)]
pub(in crate::host) struct StuckTracker(Mutex<HashMap<PathBuf, Known>>);

#[derive(Debug, Clone)]
pub(in crate::host) struct Known {
    file: StuckFile,
    began: Instant,
}

impl StuckTracker {
    /// Notes that a file cannot get past a step. Returns true when that is news.
    pub(in crate::host) fn begin(
        &self,
        path: &Path,
        converter: &str,
        at: StuckAt,
        error: &Error,
    ) -> bool {
        let mut stuck = lock(&self.0);
        let reason = error.to_string();
        let known = stuck.get(path);
        let is_news =
            known.is_none_or(|known| (known.file.at, &known.file.reason) != (at, &reason));
        let since = known.map_or_else(|| SystemClock.now(), |known| known.file.since);
        let began = known.map_or_else(Instant::now, |known| known.began);
        let file = StuckFile {
            path: path.to_string_lossy().into_owned(),
            converter: converter.to_owned(),
            at,
            reason,
            since,
        };
        stuck.insert(path.to_owned(), Known { file, began });
        is_news
    }

    /// A file got past a step: what kept it there or before is over.
    pub(in crate::host) fn passed(&self, path: &Path, step: StuckAt) {
        let mut stuck = lock(&self.0);
        if stuck.get(path).is_some_and(|known| known.file.at <= step) {
            stuck.remove(path);
        }
    }

    /// Forgets the files that `stays` denies.
    pub(in crate::host) fn retain(&self, stays: impl Fn(&Path, StuckAt) -> bool) {
        lock(&self.0).retain(|path, known| stays(path, known.file.at));
    }

    pub(in crate::host) fn status(&self) -> StuckFiles {
        let stuck = lock(&self.0);
        let mut paths: Vec<&PathBuf> = stuck.keys().collect();
        let count = paths.len() as u64;
        if paths.len() > LISTED_MAX {
            paths.select_nth_unstable(LISTED_MAX);
            paths.truncate(LISTED_MAX);
        }
        paths.sort_unstable();
        let files = paths.iter().map(|path| stuck[*path].file.clone()).collect();
        StuckFiles { count, files }
    }

    /// How many files of each converter are stuck.
    pub(in crate::host) fn by_converter(&self) -> BTreeMap<String, u64> {
        let mut numbers = BTreeMap::new();
        for known in lock(&self.0).values() {
            *numbers.entry(known.file.converter.clone()).or_default() += 1;
        }
        numbers
    }

    /// A sentence for each step that files have not got past for a moment, with the first of them.
    pub(in crate::host) fn reasons(&self) -> Vec<String> {
        let stuck = lock(&self.0);
        let mut steps: BTreeMap<StuckAt, (u64, &StuckFile)> = BTreeMap::new();
        let lasting = stuck
            .values()
            .filter(|known| known.began.elapsed() >= MOMENT);
        for Known { file: known, .. } in lasting {
            let (number, first) = steps.entry(known.at).or_insert((0, known));
            *number += 1;
            if known.path < first.path {
                *first = known;
            }
        }
        let sentence = |(at, (number, first)): (StuckAt, (u64, &StuckFile))| {
            let (one, several) = at.words();
            let (path, reason) = (&first.path, &first.reason);
            match number {
                1 => format!("1 {one}: {path}: {reason}"),
                _ => format!("{number} {several}, the first is {path}: {reason}"),
            }
        };
        steps.into_iter().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// A share refused to let 300 files go; the host said that all was well.
    #[test]
    fn many_stuck_files_are_counted_exactly_and_listed_within_bounds() {
        let troubles = StuckTracker::default();
        let error = Error::new(ErrorKind::Io, "no permission");
        for number in 0..300 {
            let path = PathBuf::from(format!("in/{number:03}.csv"));
            assert!(troubles.begin(&path, "T", StuckAt::Clearing, &error));
            assert!(!troubles.begin(&path, "T", StuckAt::Clearing, &error));
        }
        let status = troubles.status();
        assert_eq!((status.count, status.files.len()), (300, LISTED_MAX));
        assert_eq!(status.files[99].path, "in/099.csv");
        assert!(troubles.reasons().is_empty(), "it may be over in a moment");
        for known in lock(&troubles.0).values_mut() {
            known.began = known
                .began
                .checked_sub(MOMENT)
                .expect("this machine runs for longer");
        }
        assert_eq!(
            troubles.reasons(),
            ["300 files cannot be cleared away, the first is in/000.csv: no permission"]
        );
        assert_eq!(troubles.by_converter()["T"], 300);
    }

    /// A file that could be read again, and then not be removed, was told of twice, or not at all.
    #[test]
    fn a_file_that_gets_past_its_step_is_stuck_no_more() {
        let troubles = StuckTracker::default();
        let (path, error) = (Path::new("a"), Error::new(ErrorKind::Io, "no"));
        troubles.begin(path, "T", StuckAt::Clearing, &error);
        troubles.passed(path, StuckAt::Archiving);
        assert_eq!(troubles.status().count, 1);
        troubles.passed(path, StuckAt::Clearing);
        assert_eq!(troubles.status(), StuckFiles::default());
        assert!(troubles.reasons().is_empty());
        troubles.begin(path, "T", StuckAt::Looking, &error);
        troubles.retain(|_, at| at != StuckAt::Looking);
        assert_eq!(troubles.status().count, 0);
    }
}
