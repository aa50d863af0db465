//! Lists every file and folder below a folder. Links and devices are refused.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{DEPTH_MAX, ITEMS_MAX};
use crate::id::BlobId;

/// Everything below a folder, sorted by the bytes of the paths. A folder so comes before its
/// content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree {
    pub(crate) items: Vec<Item>,
}

/// A file or folder in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// The path relative to the root, with `/` between parts.
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File { size: u64, modified: SystemTime },
}

/// Why a folder cannot be archived as a source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("{} in it is {what}; a folder that is archived may hold only files and folders", path.display())]
    Forbidden { path: PathBuf, what: &'static str },
    #[error("it holds more than {ITEMS_MAX} files and folders")]
    TooMany,
    #[error("{} in it lies deeper than {DEPTH_MAX} folders", path.display())]
    TooDeep { path: PathBuf },
    #[error("{} in it cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

impl TreeError {
    /// Returns true when an item disappeared while the tree was listed.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl Tree {
    /// Lists everything below `root`. Calls `see` with the metadata of `root` and then of each
    /// item.
    pub(crate) fn of(root: &Path, mut see: impl FnMut(&Metadata)) -> Result<Self, TreeError> {
        let own = fs::symlink_metadata(root).map_err(|error| unreadable(Path::new("."), error))?;
        see(&own);
        let mut walk = Walk::new(root, see);
        walk.list(Path::new(""), 0)?;
        walk.finish()
    }

    /// Lists these names in `root`, and everything below them. Calls `see` with the metadata of
    /// each item.
    pub(crate) fn among<'n>(
        root: &Path,
        names: impl IntoIterator<Item = &'n OsStr>,
        see: impl FnMut(&Metadata),
    ) -> Result<Self, TreeError> {
        let mut walk = Walk::new(root, see);
        for name in names {
            walk.add(name.to_owned(), 0)?;
        }
        walk.finish()
    }

    /// Returns the files of the tree.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Item> {
        let is_file = |item: &&Item| matches!(item.kind, Kind::File { .. });
        self.items.iter().filter(is_file)
    }

    /// Returns the total size of all files in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.items.iter().map(Item::size).sum()
    }

    /// Returns the latest modification time among the files.
    pub(crate) fn modified(&self) -> Option<SystemTime> {
        self.items
            .iter()
            .filter_map(|item| match item.kind {
                Kind::File { modified, .. } => Some(modified),
                Kind::Folder => None,
            })
            .max()
    }

    /// Hashes what is known of the tree without reading a file: paths, kinds, sizes, times.
    pub(crate) fn digest(&self) -> BlobId {
        let mut hasher = blake3::Hasher::new_derive_key("annals 2026-11 look of a folder v1");
        for item in &self.items {
            let path = item.path.as_os_str().as_encoded_bytes();
            hasher.update(&(path.len() as u64).to_le_bytes());
            hasher.update(path);
            if let Kind::File { size, modified } = item.kind {
                let (seconds, nanos) = since_epoch(modified);
                hasher.update(b"f");
                hasher.update(&size.to_le_bytes());
                hasher.update(&seconds.to_le_bytes());
                hasher.update(&nanos.to_le_bytes());
            } else {
                hasher.update(b"d");
            }
        }
        BlobId::from_bytes(*hasher.finalize().as_bytes())
    }
}

impl Item {
    pub(crate) fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            Kind::Folder => 0,
        }
    }
}

/// Collects the items of a tree, folder by folder.
struct Walk<'a, See> {
    root: &'a Path,
    see: See,
    tree: Tree,
    /// Folders still to be listed, each with its depth.
    folders: Vec<(OsString, usize)>,
}

impl<'a, See: FnMut(&Metadata)> Walk<'a, See> {
    fn new(root: &'a Path, see: See) -> Self {
        Self {
            root,
            see,
            tree: Tree::default(),
            folders: Vec::new(),
        }
    }

    /// Adds the direct content of a folder.
    fn list(&mut self, folder: &Path, depth: usize) -> Result<(), TreeError> {
        let listed =
            fs::read_dir(self.root.join(folder)).map_err(|error| unreadable(folder, error))?;
        for found in listed {
            let name = found
                .map_err(|error| unreadable(folder, error))?
                .file_name();
            let mut path = folder.as_os_str().to_owned();
            if !path.is_empty() {
                path.push("/");
            }
            path.push(name);
            self.add(path, depth)?;
        }
        Ok(())
    }

    fn add(&mut self, path: OsString, depth: usize) -> Result<(), TreeError> {
        if self.tree.items.len() >= ITEMS_MAX {
            return Err(TreeError::TooMany);
        }
        let metadata = fs::symlink_metadata(self.root.join(&path))
            .map_err(|error| unreadable(Path::new(&path), error))?;
        (self.see)(&metadata);
        let kind = if metadata.is_dir() {
            if depth >= DEPTH_MAX {
                return Err(TreeError::TooDeep { path: path.into() });
            }
            self.folders.push((path.clone(), depth + 1));
            Kind::Folder
        } else {
            file(&metadata).map_err(|what| TreeError::Forbidden {
                path: path.clone().into(),
                what,
            })?
        };
        self.tree.items.push(Item {
            path: path.into(),
            kind,
        });
        Ok(())
    }

    /// Lists the folders that were found and everything below them.
    fn finish(mut self) -> Result<Tree, TreeError> {
        while let Some((folder, depth)) = self.folders.pop() {
            self.list(Path::new(&folder), depth)?;
        }
        let bytes = |item: &Item| item.path.as_os_str().as_encoded_bytes().to_owned();
        self.tree.items.sort_by_cached_key(bytes);
        Ok(self.tree)
    }
}

fn unreadable(path: &Path, source: io::Error) -> TreeError {
    TreeError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn file(metadata: &Metadata) -> Result<Kind, &'static str> {
    if metadata.is_file() {
        return Ok(Kind::File {
            size: metadata.len(),
            // On a file system without times, all files get one fixed time.
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        });
    }
    Err(if metadata.is_symlink() {
        "a link"
    } else {
        "a pipe, socket or device"
    })
}

/// Returns whole seconds since 1970, negative before it, and the nanoseconds after them.
pub(super) fn since_epoch(time: SystemTime) -> (i64, u32) {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (
            i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            after.subsec_nanos(),
        ),
        Err(before) => {
            let before = before.duration();
            let seconds = 0_i64.saturating_sub_unsigned(before.as_secs());
            match before.subsec_nanos() {
                0 => (seconds, 0),
                nanos => (seconds.saturating_sub(1), 1_000_000_000 - nanos),
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn message(root: &Path) -> String {
        Tree::of(root, |_| {}).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_no_file_or_folder_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("folder");
        let inner = dir.path().join("images");
        fs::create_dir(&inner).expect("made");
        std::os::unix::fs::symlink("/etc", inner.join("etc")).expect("made");
        assert!(message(dir.path()).starts_with("images/etc in it is a link;"));
        fs::remove_file(inner.join("etc")).expect("there");
        let pipe = std::process::Command::new("mkfifo")
            .arg(inner.join("p"))
            .status();
        assert!(pipe.is_ok_and(|status| status.success()));
        assert!(message(dir.path()).starts_with("images/p in it is a pipe, socket or device;"));
    }

    #[test]
    fn a_tree_may_be_so_deep_and_not_deeper() {
        let dir = tempfile::tempdir().expect("folder");
        let mut deep = dir.path().to_owned();
        for _ in 0..DEPTH_MAX {
            deep.push("d");
        }
        fs::create_dir_all(&deep).expect("made");
        let tree = Tree::of(dir.path(), |_| {}).expect("allowed");
        assert_eq!(tree.items.len(), DEPTH_MAX);
        fs::create_dir(deep.join("d")).expect("made");
        assert!(message(dir.path()).contains("lies deeper than 32 folders"));
    }

    #[test]
    fn whatever_can_be_seen_of_a_tree_shows_in_its_digest() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |name: &str| dir.path().join(name);
        let digest = || Tree::of(dir.path(), |_| {}).expect("allowed").digest();
        fs::write(at("a"), "x").expect("written");
        let mut seen = vec![digest()];
        fs::write(at("a"), "xy").expect("written");
        seen.push(digest());
        fs::rename(at("a"), at("b")).expect("renamed");
        seen.push(digest());
        fs::create_dir(at("c")).expect("made");
        seen.push(digest());
        let file = fs::File::options().write(true).open(at("b"));
        file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH))
            .expect("set");
        seen.push(digest());
        assert_eq!(seen.last(), Some(&digest()));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn a_time_before_1970_is_told_by_the_second_before_it() {
        let time = SystemTime::UNIX_EPOCH - std::time::Duration::from_millis(1500);
        assert_eq!(since_epoch(time), (-2, 500_000_000));
    }
}
