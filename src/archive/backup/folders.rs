//! Tells whether one folder lies in another, whatever they are called.

use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, Result};

/// Refuses two folders of which one is the other or lies in it.
///
/// Folders that links or mounts lead to are compared by what they are, not by their names.
pub(super) fn refuse_nested(a: &Path, b: &Path, a_is: &str, b_is: &str) -> Result<()> {
    // Full paths, because another process may show this message, in another folder.
    let full = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let refused = |inner: &Path, inner_is: &str, outer: &Path, outer_is: &str| {
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "{inner_is} {} lies in {outer_is} {}: neither may be in the other",
                full(inner).display(),
                full(outer).display()
            ),
        )
        .hint("name a folder apart from it, best on another disk"))
    };
    if lies_within(a, b)? {
        return refused(a, a_is, b, b_is);
    }
    if lies_within(b, a)? {
        return refused(b, b_is, a, a_is);
    }
    Ok(())
}

fn lies_within(inner: &Path, outer: &Path) -> Result<bool> {
    // A missing folder contains nothing.
    let Ok(outer) = outer.canonicalize() else {
        return Ok(false);
    };
    let outer_is = identity(&outer);
    Ok(nearest(inner)?
        .ancestors()
        .any(|folder| folder == outer || (outer_is.is_some() && identity(folder) == outer_is)))
}

/// Returns the folder, or the nearest one above it that exists, with links resolved.
fn nearest(path: &Path) -> Result<PathBuf> {
    let full = std::path::absolute(path).map_err(|error| Error::io("find", path, error))?;
    for folder in full.ancestors() {
        match folder.canonicalize() {
            Ok(found) => return Ok(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("find", folder, error)),
        }
    }
    Ok(full)
}

#[cfg(unix)]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(folder).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(_folder: &Path) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_folders__are_refused_by_any_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = dir.path().join("store");
        std::fs::create_dir_all(store.join("packs")).expect("made");
        let refused = |a: &Path, b: &Path| refuse_nested(a, b, "a", "b").is_err();
        assert!(refused(&store, &store));
        assert!(refused(&store.join("backup/deep"), &store));
        assert!(refused(dir.path(), &store));
        assert!(!refused(&dir.path().join("backup"), &store));
        assert!(!refused(&dir.path().join("store2"), &store));
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(&store, &link).expect("linked");
            assert!(refused(&link.join("backup"), &store));
            assert!(refused(&store.join("backup"), &link));
        }
    }
}
