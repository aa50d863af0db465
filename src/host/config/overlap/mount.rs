//! Finds the path of a folder on its file system.
//!
//! A folder that is mounted in several places has a different chain of parent folders in each.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A path on a file system.
#[derive(Debug)]
pub(super) struct OnDevice {
    device: String,
    path: PathBuf,
}

impl OnDevice {
    pub(super) fn is_in_or_at(&self, other: &Self) -> bool {
        self.device == other.device && self.path.starts_with(&other.path)
    }
}

#[derive(Debug)]
struct Mount {
    device: String,
    /// The folder of the file system that is mounted.
    root: PathBuf,
    at: PathBuf,
}

/// The mounts of this machine; empty where the system does not list them.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Mount>);

impl Table {
    pub(super) fn read() -> Self {
        let read = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        Self::parse(&read)
    }

    fn parse(bytes: &[u8]) -> Self {
        let mount = |line: &[u8]| {
            // The fields are: number, parent's number, device, root, mount point, ...
            let mut fields = line.split(|byte| *byte == b' ').skip(2);
            Some(Mount {
                device: String::from_utf8(fields.next()?.to_owned()).ok()?,
                root: path(fields.next()?)?,
                at: path(fields.next()?)?,
            })
        };
        Self(
            bytes
                .split(|byte| *byte == b'\n')
                .filter_map(mount)
                .collect(),
        )
    }

    /// Returns the path of a folder on its file system.
    pub(super) fn place(&self, real: &Path, missing: &Path) -> Option<OnDevice> {
        // Of two mounts in one place the later one is visible.
        let mount = self
            .0
            .iter()
            .filter(|mount| real.starts_with(&mount.at))
            .max_by_key(|mount| mount.at.components().count())?;
        let inside = real.strip_prefix(&mount.at).ok()?;
        Some(OnDevice {
            device: mount.device.clone(),
            path: mount.root.join(inside).join(missing),
        })
    }
}

/// Decodes a path of the mount table, where some characters are a backslash and three octal digits.
fn path(written: &[u8]) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let escaped = digits
            .and_then(|digits| str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    os_string(&bytes)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere paths are Unicode")]
fn os_string(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> Option<PathBuf> {
    Some(PathBuf::from(OsStr::new(str::from_utf8(bytes).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_mounted_twice_is_one_place_on_its_file_system() {
        let table = Table::parse(
            b"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
              21 20 8:2 / /data rw shared:1 - xfs /dev/sdb rw\n\
              22 20 8:2 /in/old\\040ones /mnt/done rw - xfs /dev/sdb rw\n\n",
        );
        let place = |path: &str| table.place(Path::new(path), Path::new("")).expect("there");
        let done = place("/mnt/done/2026");
        assert_eq!(done.path, Path::new("/in/old ones/2026"));
        assert!(done.is_in_or_at(&place("/data/in")));
        assert!(!done.is_in_or_at(&place("/mnt")));
        assert!(!place("/in/old ones").is_in_or_at(&place("/data/in")));
        let missing = table
            .place(Path::new("/data/in"), Path::new("x"))
            .expect("there");
        assert!(missing.is_in_or_at(&place("/data")));
        assert!(
            Table::default()
                .place(Path::new("/"), Path::new(""))
                .is_none()
        );
    }
}
