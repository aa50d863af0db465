//! Copies owner, permissions and attributes from a source to its copy or zip file.
//!
//! Owner, group, permissions and user attributes (`user.*`) are kept where the system permits.
//! Permissions never get wider: where the group cannot be kept, the group's permissions are reduced
//! to those of everybody. `setuid` and similar bits are dropped. Access control lists are not
//! copied; for a file that has one, the group's permissions are reduced in this way too.

use std::fs::File;
use std::io;

/// Permission bits of the owner, the group and everybody.
#[cfg(unix)]
const PERMISSIONS: u32 = 0o777;
/// Permissions in a zip file on a system without permission bits.
#[cfg(not(unix))]
const PERMISSIONS_UNKNOWN: u32 = 0o600;

/// Owner, group and permission bits of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Permissions {
    #[cfg(unix)]
    owner: u32,
    #[cfg(unix)]
    group: u32,
    mode: u32,
}

impl Permissions {
    /// Returns the permissions of an open file or folder.
    #[cfg(unix)]
    pub(super) fn of(file: &File) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = file.metadata()?;
        let own = Self {
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode() & PERMISSIONS,
        };
        // With an access control list, the group bits no longer tell what the group may do.
        Ok(if has_access_list(file) {
            own.without_group()
        } else {
            own
        })
    }

    #[cfg(not(unix))]
    pub(super) fn of(_file: &File) -> io::Result<Self> {
        Ok(Self {
            mode: PERMISSIONS_UNKNOWN,
        })
    }

    /// Returns the permissions as a number, for a zip file.
    pub(super) fn mode(self) -> u32 {
        self.mode
    }

    /// Returns the permissions for the case that the group changes.
    ///
    /// Members of the old group then count as everybody, and anybody may be a member of the new
    /// one. So both get only what group and everybody were both allowed.
    #[cfg(unix)]
    fn without_group(self) -> Self {
        let both = (self.mode >> 3) & self.mode & 0o007;
        Self {
            mode: (self.mode & 0o700) | (both << 3) | both,
            ..self
        }
    }

    /// Returns the permissions of one file that holds the content of a folder, from those of the
    /// folder.
    ///
    /// Only who can read every file in the folder may read that file.
    #[cfg(unix)]
    pub(super) fn of_content(self) -> Self {
        // Who can enter a folder can read what is in it.
        let entered = self.mode & 0o011;
        Self {
            mode: 0o600 | (entered << 2),
            ..self
        }
    }

    #[cfg(not(unix))]
    pub(super) fn of_content(self) -> Self {
        self
    }

    /// Removes each permission that one of the files or folders inside does not give.
    #[cfg(unix)]
    pub(super) fn narrowed_by(self, inner: Self, is_folder: bool) -> Self {
        let inner = if inner.group == self.group {
            inner
        } else {
            inner.without_group()
        };
        let read = if is_folder {
            (inner.mode & 0o011) << 2
        } else {
            inner.mode & 0o044
        };
        Self {
            mode: 0o600 | (self.mode & read),
            ..self
        }
    }

    #[cfg(not(unix))]
    pub(super) fn narrowed_by(self, _inner: Self, _is_folder: bool) -> Self {
        self
    }

    /// Sets these permissions on a file or folder that only this account could open so far.
    ///
    /// What the system does not permit is left out, and never widens anything.
    #[cfg(unix)]
    pub(super) fn give(self, file: &File) {
        use rustix::fs::{Gid, Mode, Uid, fchmod, fchown};
        use std::os::unix::fs::MetadataExt;
        let Ok(now) = file.metadata() else { return };
        let (owner, group) = (Uid::from_raw(self.owner), Gid::from_raw(self.group));
        let is_kept = (now.uid(), now.gid()) == (self.owner, self.group)
            || fchown(file, Some(owner), Some(group)).is_ok()
            || now.gid() == self.group
            || fchown(file, None, Some(group)).is_ok();
        let kept = if is_kept { self } else { self.without_group() };
        let _ = fchmod(file, Mode::from_raw_mode(kept.mode as rustix::fs::RawMode));
    }

    #[cfg(not(unix))]
    pub(super) fn give(self, _file: &File) {}
}

/// Gives a copy the metadata that it keeps of its source. Content and time are set separately.
pub(super) fn keep(source: &File, copy: &File) -> io::Result<()> {
    let permissions = Permissions::of(source)?;
    copy_attributes(source, copy);
    permissions.give(copy);
    Ok(())
}

#[cfg(target_os = "linux")]
fn has_access_list(file: &File) -> bool {
    rustix::fs::fgetxattr(file, "system.posix_acl_access", &mut [0_u8; 0][..])
        .is_ok_and(|bytes| bytes > 0)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn has_access_list(_file: &File) -> bool {
    false
}

/// Copies the attributes that people and programs set. Those that cannot be copied are left out,
/// because the content counts.
#[cfg(target_os = "linux")]
fn copy_attributes(source: &File, copy: &File) {
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
    /// The system's limit for lists and values of attributes.
    const BYTES_MAX: usize = 64 << 10;
    let mut names = vec![0_u8; BYTES_MAX];
    let Ok(length) = flistxattr(source, &mut names[..]) else {
        return;
    };
    if length == 0 {
        return;
    }
    let mut value = vec![0_u8; BYTES_MAX];
    for name in names[..length].split(|byte| *byte == 0) {
        if name.starts_with(b"user.")
            && let Ok(length) = fgetxattr(source, name, &mut value[..])
        {
            let _ = fsetxattr(copy, name, &value[..length], XattrFlags::empty());
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn copy_attributes(_source: &File, _copy: &File) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn permissions(group: u32, mode: u32) -> Permissions {
        Permissions {
            owner: 1000,
            group,
            mode,
        }
    }

    /// A zip file must not be readable for anybody who could not read all that is in it.
    #[test]
    fn a_zip_of_a_folder_is_readable_for_those_only_who_can_read_all_of_it() {
        let folder = permissions(7, 0o755).of_content();
        assert_eq!(folder.mode(), 0o644);
        assert_eq!(
            folder.narrowed_by(permissions(7, 0o644), false).mode(),
            0o644
        );
        assert_eq!(
            folder.narrowed_by(permissions(7, 0o640), false).mode(),
            0o640
        );
        assert_eq!(
            folder.narrowed_by(permissions(8, 0o640), false).mode(),
            0o600
        );
        assert_eq!(
            folder.narrowed_by(permissions(7, 0o744), true).mode(),
            0o600
        );
        assert_eq!(permissions(7, 0o700).of_content().mode(), 0o600);
    }

    #[test]
    fn a_group_that_cannot_be_kept_leaves_what_everybody_may() {
        assert_eq!(permissions(7, 0o664).without_group().mode(), 0o644);
        assert_eq!(permissions(7, 0o660).without_group().mode(), 0o600);
        assert_eq!(permissions(7, 0o646).without_group().mode(), 0o644);
        assert_eq!(permissions(7, 0o604).without_group().mode(), 0o600);
        assert_eq!(permissions(7, 0o666).without_group().mode(), 0o666);
    }
}
