//! The sources that a scan found, and the order in which they are taken.

use std::ffi::OsString;
use std::path::PathBuf;

use super::file_meta::FileMeta;
use crate::Error;
use crate::host::config::settings::ConverterConfig;

/// A source that was found in a watch folder.
#[derive(Debug, Clone)]
pub(in crate::host) struct Candidate {
    pub(in crate::host) path: PathBuf,
    pub(in crate::host) name: OsString,
    pub(in crate::host) meta: FileMeta,
    /// What can be seen of the file alone, or of the folder.
    pub(in crate::host) main: FileMeta,
    /// The names beside it that belong to it.
    pub(in crate::host) companions: Vec<OsString>,
    /// Why it is not to be taken yet, however long it stays as it is.
    pub(in crate::host) incomplete: Option<String>,
    /// Place of its converter in the configuration.
    pub(in crate::host) converter: usize,
}

impl Candidate {
    /// The paths of what belongs to it.
    pub(in crate::host) fn companion_paths(&self) -> impl Iterator<Item = PathBuf> {
        self.companions
            .iter()
            .map(|name| self.path.with_file_name(name))
    }
}

/// What stands in a watch folder.
#[derive(Default)]
pub(in crate::host) struct Scanned {
    pub(in crate::host) candidates: Vec<Candidate>,
    /// What cannot be looked at, what is complete and no source as it is, and why.
    pub(in crate::host) refused: Vec<(PathBuf, Error)>,
    /// What belongs to files that are not there.
    pub(in crate::host) alone: Vec<PathBuf>,
}

/// Orders by the converter's priority, then the oldest first, and keeps each file once, be it a
/// source or a companion. Returns the files that were left out because a companion of theirs is
/// another converter's.
pub(in crate::host) fn order(
    candidates: &mut Vec<Candidate>,
    converters: &[ConverterConfig],
) -> Vec<PathBuf> {
    let priority = |candidate: &Candidate| {
        let config = converters.get(candidate.converter);
        config.map_or(u8::MAX, |config| config.priority)
    };
    candidates.sort_by(|a, b| {
        (priority(a), a.converter)
            .cmp(&(priority(b), b.converter))
            .then_with(|| a.path.cmp(&b.path))
    });
    let mut taken = std::collections::HashSet::new();
    let mut robbed = Vec::new();
    candidates.retain(|candidate| {
        let companions: Vec<PathBuf> = candidate.companion_paths().collect();
        let is_free = |path: &PathBuf| !taken.contains(path);
        if !is_free(&candidate.path) {
            return false;
        }
        if !companions.iter().all(is_free) {
            robbed.push(candidate.path.clone());
            return false;
        }
        taken.insert(candidate.path.clone());
        taken.extend(companions);
        true
    });
    candidates.sort_by(|a, b| {
        (priority(a), a.meta.modified, &a.name).cmp(&(priority(b), b.meta.modified, &b.name))
    });
    robbed
}
