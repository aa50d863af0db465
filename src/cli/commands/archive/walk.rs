//! Finds the files to archive, in the order of their names.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;

use super::found::{Found, Outcome, is_stdin};
use crate::Error;
use crate::cli::caller::CallerEnv;

/// Finds the files to archive below the named paths.
pub(super) struct Walk {
    pub(super) key: Option<String>,
    pub(super) several: bool,
    /// The store's folder, which is never archived.
    pub(super) store: Option<PathBuf>,
    /// The caller's environment, which relative paths are resolved against.
    pub(super) from: CallerEnv,
}

impl Walk {
    pub(super) fn find(
        &self,
        paths: Vec<PathBuf>,
        to_writers: &Sender<Found>,
        to_report: &Sender<Outcome>,
        stopped: &AtomicBool,
    ) {
        // A directory is opened only when it is reached, so that memory holds only the siblings on
        // the way down.
        let mut ahead: VecDeque<(PathBuf, Named)> = paths
            .into_iter()
            .map(|path| (path, Named::ByUser))
            .collect();
        while let Some((path, named)) = ahead.pop_front() {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            let outcome = match self.look(&path, named) {
                Look::File => {
                    let key = self.key_of(&path);
                    if to_writers.send(Found { path, key }).is_err() {
                        return;
                    }
                    continue;
                }
                Look::Directory(names) => {
                    for child in names.into_iter().rev() {
                        ahead.push_front((child, Named::ByDirectory));
                    }
                    continue;
                }
                Look::Other(why) => Outcome::PassedOver(format!("{}: {why}", path.display())),
                Look::Failed(error) => Outcome::Failed(error),
            };
            if to_report.send(outcome).is_err() {
                return;
            }
        }
    }

    /// Counts the files below these paths. Names that cannot be looked at are left out: whoever
    /// archives them tells why.
    pub(super) fn count(&self, paths: Vec<PathBuf>, stopped: &AtomicBool) -> u64 {
        let mut ahead: Vec<(PathBuf, Named)> = paths
            .into_iter()
            .map(|path| (path, Named::ByUser))
            .collect();
        let mut files = 0;
        while let Some((path, named)) = ahead.pop() {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            match self.look(&path, named) {
                Look::File => files += 1,
                Look::Directory(names) => {
                    ahead.extend(names.into_iter().map(|name| (name, Named::ByDirectory)));
                }
                Look::Other(_) | Look::Failed(_) => {}
            }
        }
        files
    }

    fn look(&self, path: &Path, named: Named) -> Look {
        if named == Named::ByUser && is_stdin(path) {
            return Look::File;
        }
        let full = self.from.path(path);
        // A link named by the user is followed. A link found in a directory could lead anywhere, or
        // form a circle.
        let metadata = match named {
            Named::ByUser => fs::metadata(&full),
            Named::ByDirectory => fs::symlink_metadata(&full),
        };
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => return Look::Failed(Error::io("archive", path, error)),
        };
        if metadata.is_dir() {
            if self.store.is_some() && fs::canonicalize(&full).ok() == self.store {
                return Look::Other("this is the store itself");
            }
            return match names_in(&full) {
                Ok(names) => Look::Directory(names.iter().map(|name| path.join(name)).collect()),
                Err(error) => Look::Failed(Error::io("list", path, error)),
            };
        }
        if metadata.is_file() || named == Named::ByUser {
            // A named special file goes to the archive, which refuses it with a precise error.
            Look::File
        } else if metadata.is_symlink() {
            Look::Other("a symbolic link, not followed")
        } else {
            Look::Other("not a regular file")
        }
    }

    /// Returns the key of one file.
    ///
    /// Two files must never have equal keys, or the second would be taken for the first.
    fn key_of(&self, path: &Path) -> Option<String> {
        let key = self.key.as_ref()?;
        if !self.several {
            return Some(key.clone());
        }
        if let Some(text) = path.to_str() {
            return Some(format!("{key}/{text}"));
        }
        let mut exact = format!("{key}/#");
        for byte in path.as_os_str().as_encoded_bytes() {
            exact.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
            );
        }
        Some(exact)
    }
}

/// Returns the paths that are to be walked, and those that another of `paths` leads to as well,
/// with how it does.
pub(super) fn named_once(
    paths: Vec<PathBuf>,
    from: &CallerEnv,
) -> (Vec<PathBuf>, Vec<(PathBuf, &'static str)>) {
    let all: HashSet<PathBuf> = paths.iter().map(|path| from.path(path)).collect();
    let mut seen = HashSet::new();
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    for path in paths {
        let full = from.path(&path);
        let is_within = full.ancestors().skip(1).any(|folder| all.contains(folder));
        if is_stdin(&path) {
            once.push(path);
        } else if is_within {
            twice.push((path, "it is in a folder that is named, too"));
        } else if !seen.insert(full) {
            twice.push((path, "it is named twice"));
        } else {
            once.push(path);
        }
    }
    (once, twice)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    ByUser,
    ByDirectory,
}

enum Look {
    File,
    Directory(Vec<PathBuf>),
    Other(&'static str),
    Failed(Error),
}

fn names_in(dir: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    fn walk(key: &str, several: bool) -> Walk {
        Walk {
            key: Some(key.into()),
            several,
            store: None,
            from: CallerEnv::of_process(),
        }
    }

    #[test]
    fn several_files_never_share_one_key() {
        assert_eq!(
            walk("k", false).key_of(Path::new("a/b.csv")).as_deref(),
            Some("k")
        );
        let several = walk("k", true);
        assert_eq!(
            several.key_of(Path::new("a/b.csv")).as_deref(),
            Some("k/a/b.csv")
        );
        assert_ne!(
            several.key_of(Path::new("a/x")),
            several.key_of(Path::new("b/x"))
        );
    }

    /// `archive z z/f1.csv --skip-known` archived f1 twice: neither was known when both began.
    #[test]
    fn what_is_named_twice_is_walked_once() {
        let named = ["z/f1.csv", "z", "./z/", "zz", "-", "y/../z/f2.csv", "zz"];
        let named = named.map(PathBuf::from).to_vec();
        let (once, twice) = named_once(named, &CallerEnv::of_process());
        // Where a link leads is not asked, so `y/..` may be another folder.
        assert_eq!(once, ["z", "zz", "-", "y/../z/f2.csv"].map(PathBuf::from));
        let (within, again) = ("it is in a folder that is named, too", "it is named twice");
        let told = [("z/f1.csv", within), ("./z/", again), ("zz", again)];
        assert_eq!(twice, told.map(|(path, why)| (PathBuf::from(path), why)));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_text_do_not_share_a_key_either() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let several = walk("k", true);
        let key = |bytes| several.key_of(Path::new(OsStr::from_bytes(bytes)));
        assert_ne!(key(b"a\xff"), key(b"a\xfe"));
    }

    #[test]
    fn a_directory_is_walked_in_order_and_only_regular_files_are_taken() {
        let dir = tempfile::tempdir().expect("temp dir");
        let root = dir.path();
        fs::create_dir_all(root.join("b/deep")).expect("dir");
        fs::create_dir(root.join("store")).expect("dir");
        for name in ["c.csv", "a.csv", "b/deep/1.csv", "b/0.csv", "store/pack"] {
            fs::write(root.join(name), name).expect("file");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root, root.join("d-loop")).expect("link");

        let walk = Walk {
            key: None,
            several: true,
            store: fs::canonicalize(root.join("store")).ok(),
            from: CallerEnv::of_process(),
        };
        let (to_writers, found) = bounded(100);
        let (to_report, outcomes) = bounded(100);
        let paths = vec![root.to_owned(), root.join("missing")];
        walk.find(paths, &to_writers, &to_report, &AtomicBool::new(false));
        drop((to_writers, to_report));
        let found: Vec<PathBuf> = found.into_iter().map(|found| found.path).collect();
        let expected = ["a.csv", "b/0.csv", "b/deep/1.csv", "c.csv"].map(|name| root.join(name));
        assert_eq!(found, expected);
        let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
        let passed_over = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::PassedOver(_)));
        assert_eq!(passed_over.count(), if cfg!(unix) { 2 } else { 1 });
        let failed = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Failed(_)));
        assert_eq!(failed.count(), 1);
    }
}
