//! Tracks files that are stuck: they stay in their folder because a step fails.
//!
//! A file is tracked by its path until the failed step succeeds, the file disappears, or its folder
//! is no longer watched. The count is exact; the list of files is limited.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Error;
use crate::host::panics::lock;
use crate::time::{Clock, SystemClock, Timestamp};

/// Maximum number of files that a status lists; further ones are only counted.
const LISTED_MAX: usize = 100;
/// Problems shorter than this do not affect the health: a virus scanner or a file server may hold a
/// file for a moment.
const MOMENT: Duration = Duration::from_secs(2);

/// The step that a file cannot get past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StuckAt {
    /// It cannot be inspected, or is of a kind that cannot be taken.
    Looking,
    /// It cannot be read or archived.
    Archiving,
    /// It cannot be handed to its converter.
    Converting,
    /// The result of its conversion cannot be recorded.
    Recording,
    /// It cannot be cleared away.
    Clearing,
}

impl StuckAt {
    /// Describes what fails, for one file and for several.
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

/// A file that cannot get past a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StuckFile {
    /// The path of the file, or of the folder if folders are sources.
    pub path: String,
    /// The converter that takes it.
    pub converter: String,
    /// The step it cannot get past.
    pub at: StuckAt,
    /// The reason.
    pub reason: String,
    /// The time since which it is stuck.
    pub since: Timestamp,
}

/// The files that cannot get past a step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct StuckFiles {
    /// Number of all stuck files.
    pub count: u64,
    /// The first hundred of them by path.
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
    /// Records that a file cannot get past a step. Returns true when that is new.
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

    /// Records that a file got past a step, so that problems in this step or an earlier one are
    /// over.
    pub(in crate::host) fn passed(&self, path: &Path, step: StuckAt) {
        let mut stuck = lock(&self.0);
        if stuck.get(path).is_some_and(|known| known.file.at <= step) {
            stuck.remove(path);
        }
    }

    /// Forgets the files for which `stays` returns false.
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

    /// Returns the number of stuck files of each converter.
    pub(in crate::host) fn by_converter(&self) -> BTreeMap<String, u64> {
        let mut numbers = BTreeMap::new();
        for known in lock(&self.0).values() {
            *numbers.entry(known.file.converter.clone()).or_default() += 1;
        }
        numbers
    }

    /// Returns a sentence for each step with stuck files, naming the first file. Very recent
    /// problems are left out.
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

    /// Many stuck files must show in the health of the host, in limited space.
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

    /// A file that gets past one step and is stuck in the next must be reported exactly once.
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
