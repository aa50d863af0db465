//! Describes the sources that a scan found, and orders them.

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
    /// Size and times of the main file alone, or of the folder.
    pub(in crate::host) main: FileMeta,
    /// The names of its companions.
    pub(in crate::host) companions: Vec<OsString>,
    /// Why the source must not be taken yet, however long it stays unchanged.
    pub(in crate::host) incomplete: Option<String>,
    /// The index of its converter in the configuration.
    pub(in crate::host) converter: usize,
}

impl Candidate {
    /// Returns the paths of its companions.
    pub(in crate::host) fn companion_paths(&self) -> impl Iterator<Item = PathBuf> {
        self.companions
            .iter()
            .map(|name| self.path.with_file_name(name))
    }
}

/// What a scan found in a watch folder.
#[derive(Default)]
pub(in crate::host) struct Scanned {
    pub(in crate::host) candidates: Vec<Candidate>,
    /// Items that cannot be inspected, and complete items that cannot be a source, with the reason.
    pub(in crate::host) refused: Vec<(PathBuf, Error)>,
    /// Companions without their main file.
    pub(in crate::host) alone: Vec<PathBuf>,
}

/// Orders candidates by the converter's priority, then the oldest first, and removes duplicates.
///
/// Each file stays only once, be it a source or a companion. Returns the files that were left out
/// because another converter takes one of their companions.
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
