//! Names of files that are not part of the store yet.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::archive::files::folders::TMP_DIR;

/// Gives out names below `tmp/`, each once.
#[derive(Default)]
pub(in crate::archive) struct TmpNames {
    next: AtomicU64,
}

impl TmpNames {
    /// Returns a path below `tmp/` that nothing else uses.
    pub(in crate::archive) fn next(&self, what: &str) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Path::new(TMP_DIR).join(format!("{what}-{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names__differ() {
        let names = TmpNames::default();
        assert_eq!(names.next("pack"), Path::new("tmp/pack-0"));
        assert_eq!(names.next("pack"), Path::new("tmp/pack-1"));
    }
}
