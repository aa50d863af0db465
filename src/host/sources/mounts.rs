//! What is mounted: whether anything was mounted since, and whether a folder's file system tells of
//! every change in it.

use std::path::Path;

/// Notices that something was mounted or unmounted. No event of a folder says so.
pub(super) struct Mounts {
    #[cfg(target_os = "linux")]
    list: Option<std::fs::File>,
}

#[cfg(target_os = "linux")]
impl Mounts {
    pub(super) fn of_system() -> Self {
        let list = std::fs::File::open("/proc/self/mountinfo").ok();
        Self { list }
    }

    /// Returns true when something was mounted or unmounted since the last call, or if that cannot
    /// be known.
    ///
    /// The kernel marks the list as readable by priority when it changes. No file system is
    /// touched.
    pub(super) fn have_changed(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some(list) = &self.list else {
            return true;
        };
        let mut list = [PollFd::new(list, PollFlags::PRI)];
        let now = Timespec::default();
        poll(&mut list, Some(&now)).is_err() || list[0].revents().contains(PollFlags::PRI)
    }
}

#[cfg(not(target_os = "linux"))]
impl Mounts {
    pub(super) fn of_system() -> Self {
        Self {}
    }

    #[expect(clippy::unused_self, reason = "it is known on other systems")]
    pub(super) fn have_changed(&self) -> bool {
        false
    }
}

/// Returns true if the system tells of every change in `folder`: it lies on a disk of this machine.
///
/// Other machines change what a network share holds, and nobody tells this one.
#[cfg(target_os = "linux")]
pub(super) fn tells_all_changes(folder: &Path) -> bool {
    /// The numbers of file systems on disks of this machine, from `statfs(2)`.
    const LOCAL: [u64; 16] = [
        0xef53,      // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683e, // Btrfs
        0x2fc1_2fc1, // ZFS
        0xca45_1a4e, // bcachefs
        0xf2f5_2010, // F2FS
        0x3153_464a, // JFS
        0x3434,      // NILFS
        0x5265_4973, // ReiserFS
        0x2405_1905, // UBIFS
        0x0102_1994, // tmpfs
        0x8584_58f6, // ramfs
        0x794c_7630, // overlayfs
        0x4d44,      // FAT
        0x2011_bab0, // exFAT
        0x7366_746e, // NTFS
    ];
    let found = rustix::fs::statfs(folder);
    #[allow(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the field's type differs between architectures; the numbers have 32 bits"
    )]
    let number = found.map(|found| found.f_type as u64 & 0xffff_ffff);
    number.is_ok_and(|number| LOCAL.contains(&number))
}

/// Returns false: which folders are shares of other machines is known on Linux only.
#[cfg(not(target_os = "linux"))]
pub(super) fn tells_all_changes(_: &Path) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A folder of processes changes without events, as a network share does.
    #[test]
    fn only_file_systems_of_this_machine_tell_all_changes() {
        assert!(!tells_all_changes(Path::new("/proc/self")));
        assert!(!tells_all_changes(Path::new("/no/such/folder")));
    }

    #[test]
    fn without_a_mount_nothing_changes() {
        let mounts = Mounts::of_system();
        let is_known = mounts.list.is_some();
        // Others may mount something just now, but not all the time.
        let changed = (0..100).filter(|_| mounts.have_changed()).count();
        assert!(!is_known || changed < 100, "{changed}");
    }
}
