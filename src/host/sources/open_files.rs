//! Finds the files that programs of this machine have open for writing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::candidate::Candidate;

/// The files in watch folders that were open for writing at one moment.
#[derive(Debug, Default)]
pub(in crate::host) struct OpenFiles {
    paths: BTreeSet<PathBuf>,
}

impl OpenFiles {
    /// Returns the files below `folders` that are open for writing. Each folder is given by its
    /// configured path and its path without links.
    ///
    /// Only Linux provides this, and only for processes that this one may inspect: those of its own
    /// account, or all for root. Programs on other machines that write over a share are not seen,
    /// nor processes in a container that see the file under another path.
    pub(in crate::host) fn below(folders: &[(PathBuf, PathBuf)]) -> Self {
        let named = |path: &Path| {
            let inside = folders
                .iter()
                .find_map(|(folder, real)| Some(folder.join(path.strip_prefix(real).ok()?)));
            inside.filter(|_| !folders.is_empty())
        };
        Self {
            paths: system::open_for_writing(named),
        }
    }

    /// Returns true when a source, something in it, or a companion is open.
    pub(in crate::host) fn holds(&self, candidate: &Candidate) -> bool {
        self.is_in(&candidate.path) || candidate.companion_paths().any(|path| self.is_in(&path))
    }

    /// Returns true when `path` or something in it is open. In sorted order, the content of a
    /// folder comes right after it.
    fn is_in(&self, path: &Path) -> bool {
        let mut following = self.paths.range(path.to_owned()..);
        following.next().is_some_and(|open| open.starts_with(path))
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Searches the open files of all processes. `named` returns the configured path of a relevant
    /// file.
    ///
    /// Reading a link of `/proc` needs no access to the file's file system, so a share that hangs
    /// does not block this.
    pub(super) fn open_for_writing(named: impl Fn(&Path) -> Option<PathBuf>) -> BTreeSet<PathBuf> {
        let own = std::process::id().to_string();
        let mut open = BTreeSet::new();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = process.file_name();
            let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
            if !is_process || name.as_encoded_bytes() == own.as_bytes() {
                continue;
            }
            // A process that has ended, or belongs to another account, shows no files.
            let files = fs::read_dir(process.path().join("fd"));
            for file in files.into_iter().flatten().flatten() {
                let target = fs::read_link(file.path()).ok();
                if let Some(path) = target.and_then(|path| named(&path))
                    && is_for_writing(&process.path(), &file.file_name())
                {
                    open.insert(path);
                }
            }
        }
        open
    }

    /// Returns true when one of a process's open files is open for writing.
    fn is_for_writing(process: &Path, number: &std::ffi::OsStr) -> bool {
        let info = fs::read_to_string(process.join("fdinfo").join(number)).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        // The access mode is in the last two bits: 0 reads, 1 writes, 2 does both.
        flags.is_some_and(|flags| flags & 3 != 0)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    /// Returns nothing, because other systems do not list open files.
    pub(super) fn open_for_writing(_named: impl Fn(&Path) -> Option<PathBuf>) -> BTreeSet<PathBuf> {
        BTreeSet::new()
    }
}
