//! Decides whether a store of another account may be used.
//!
//! Such a store is hostile until the user trusts it. The other account can read what is archived
//! there, and may have placed the store in a parent folder for that purpose.

use std::path::Path;

use crate::archive::Access;
use crate::{Error, ErrorKind, Result};

/// How a store was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// By a flag, a variable or a configuration.
    Named,
    /// By searching the parent folders.
    WalkingUp,
}

/// Which stores of other accounts the user trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// None. Only stores of this account are used, and a named store of another account may be
    /// read.
    OwnStores,
    /// All (`--trust`).
    All,
}

/// Refuses a store of another account unless `--trust` is set, or it is named and only read.
///
/// # Errors
/// `Refused` when the store was found in a parent folder, or is opened for writing.
pub(crate) fn check(dir: &Path, found: Found, access: Access, trust: Trust) -> Result<()> {
    let Some(owner) = other_owner(dir).filter(|_| trust == Trust::OwnStores) else {
        return Ok(());
    };
    match (found, access) {
        (Found::Named, Access::ReadOnly) => Ok(()),
        (Found::Named, Access::ReadWrite) => Err(refused(
            dir,
            &owner,
            "is only read",
            "do this as that user, or add --trust to use the store as your own",
        )),
        (Found::WalkingUp, _) => Err(refused(
            dir,
            &owner,
            "lies in a parent folder",
            "name it with --store DIR to read it, and add --trust to use it as your own",
        )),
    }
}

/// Refuses to send requests to an owner that runs as another account.
///
/// # Errors
/// `Refused` without `--trust`.
pub(crate) fn check_asking(dir: &Path, trust: Trust) -> Result<()> {
    match other_owner(dir) {
        Some(owner) if trust == Trust::OwnStores => Err(refused(
            dir,
            &owner,
            "is open in a process of theirs",
            "do this as that user, or add --trust to hand it to them",
        )),
        _ => Ok(()),
    }
}

fn refused(dir: &Path, owner: &str, why: &str, hint: &'static str) -> Error {
    let said = format!(
        "the store in {} belongs to another account ({owner}) and {why}",
        dir.display()
    );
    Error::new(ErrorKind::Refused, said).hint(hint)
}

/// Returns the account of a folder that does not belong to this process's account.
///
/// Returns `None` when the folder cannot be inspected. Opening the store then reports the error.
#[cfg(unix)]
fn other_owner(dir: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(dir).ok()?.uid();
    (owner != rustix::process::geteuid().as_raw()).then(|| format!("user {owner}"))
}

/// Returns `None`: on other systems, the permissions of the folder decide who may use it.
#[cfg(not(unix))]
fn other_owner(_: &Path) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ones_own_store_is_used_however_it_was_found() {
        let dir = tempfile::tempdir().expect("a folder");
        for found in [Found::Named, Found::WalkingUp] {
            for access in [Access::ReadOnly, Access::ReadWrite] {
                check(dir.path(), found, access, Trust::OwnStores).expect("one's own");
            }
        }
        check_asking(dir.path(), Trust::OwnStores).expect("one's own");
    }

    /// Root must not archive a private file into another user's store that lies in a parent folder.
    #[test]
    fn anothers_store_is_read_when_it_is_named_and_written_only_when_it_is_trusted() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can give a folder to another user");
            return;
        }
        let dir = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).expect("given");
        let check = |found, access, trust| {
            check(dir.path(), found, access, trust).map_err(|error| error.kind())
        };
        use Access::{ReadOnly, ReadWrite};
        use Found::{Named, WalkingUp};
        use Trust::{All, OwnStores};
        let refused = Err(ErrorKind::Refused);
        for (found, access, expected) in [
            (Named, ReadOnly, Ok(())),
            (Named, ReadWrite, refused),
            (WalkingUp, ReadOnly, refused),
            (WalkingUp, ReadWrite, refused),
        ] {
            assert_eq!(
                check(found, access, OwnStores),
                expected,
                "{found:?}, {access:?}"
            );
            assert_eq!(check(found, access, All), Ok(()));
        }
        let asked = check_asking(dir.path(), OwnStores).map_err(|error| error.kind());
        assert_eq!(asked, refused);
        check_asking(dir.path(), All).expect("trusted");
    }
}
