//! Creates and deletes private temporary folders, and makes file names safe.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
#[cfg(unix)]
use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, OwnedFd},
};

#[cfg(unix)]
use rustix::io::Errno;

use crate::id::{BlobId, EntryId};

/// The beginning of every folder's name; 32 hexadecimal digits follow.
const PREFIX: &str = "annals-";
/// Number of folders of one slot that are tried before a random name is used.
const SLOTS_MAX: u32 = 64;
/// Minimum age of an abandoned folder. A folder that was just created may not be locked yet.
const ABANDONED_AFTER: Duration = Duration::from_secs(600);

/// A new folder that only this account may enter (mode 0700 on Unix). Dropping it deletes the
/// folder with its content.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// The lock that marks the folder as in use; a killed process loses it. `None` where folders
    /// cannot be locked.
    _in_use: Option<File>,
}

impl Scratch {
    /// Creates a folder with a random name below `root`.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let path = unused(root)?;
        make_private(&path)?;
        let in_use = lock(&path);
        Ok(Self {
            path,
            _in_use: in_use,
        })
    }

    /// Creates the folder of a slot below `root`. Its name is the same each time, unless another
    /// process or thread is using that folder.
    pub(crate) fn of_slot(root: &Path, slot: Slot<'_>) -> io::Result<Self> {
        let Some(path) = slot.create(root, replace_abandoned)? else {
            return Self::new(root);
        };
        let in_use = lock(&path);
        Ok(Self {
            path,
            _in_use: in_use,
        })
    }

    /// Creates the folder of a slot in another temporary folder, whose lock marks both as in use.
    /// Its name is random without an entry: a worker may remember files by their paths, and other
    /// sources have the same name.
    pub(crate) fn of_slot_within(outer: &Path, slot: Slot<'_>) -> io::Result<Self> {
        let named = match slot.entry {
            Some(_) => slot.create(outer, |_| Ok(false))?,
            None => None,
        };
        let path = match named {
            Some(path) => path,
            None => {
                let path = unused(outer)?;
                make_private(&path)?;
                path
            }
        };
        Ok(Self {
            path,
            _in_use: None,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// What a temporary folder is for. Its name is computed from this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<'a> {
    /// The store of the entry, or the folder of the converter's configuration.
    pub(crate) owner: &'a str,
    /// The name of the converter.
    pub(crate) converter: &'a str,
    /// The entry that is converted. Without one, all sources of a converter share a slot.
    pub(crate) entry: Option<EntryId>,
}

impl Slot<'_> {
    /// Creates the first folder of this slot that nobody uses. `replace` is called for one that
    /// exists, and returns true if it created it again.
    ///
    /// Returns `None` when all are in use. Creating never follows a link that somebody put there.
    fn create(
        self,
        root: &Path,
        replace: impl Fn(&Path) -> io::Result<bool>,
    ) -> io::Result<Option<PathBuf>> {
        // Absolute, because converters start in another current folder than this process.
        let root = std::path::absolute(root)?;
        for number in 0..SLOTS_MAX {
            let path = root.join(self.name(number));
            match make_private(&path) {
                Ok(()) => return Ok(Some(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if replace(&path)? {
                        return Ok(Some(path));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn name(self, number: u32) -> String {
        // Accounts have folders of their own, so that none can keep another's name in use by being
        // earlier.
        #[cfg(unix)]
        let account = rustix::process::geteuid().as_raw();
        #[cfg(not(unix))]
        let account = 0;
        let Self {
            owner,
            converter,
            entry,
        } = self;
        let entry = entry.map_or(0, |entry| entry.0);
        let what = format!("annals scratch\0{account}\0{entry}\0{number}\0{owner}\0{converter}");
        let hash = BlobId::of(what.as_bytes()).to_string();
        format!("{PREFIX}{}", &hash[..32])
    }
}

/// Deletes a folder that a killed process of this account left, and creates it again. Returns false
/// if it is in use, too young, or not ours.
fn replace_abandoned(path: &Path) -> io::Result<bool> {
    let Some(_held) = claim_abandoned(path, SystemTime::now()) else {
        return Ok(false);
    };
    remove_tree(path)?;
    match make_private(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns a random name below `root`.
fn unused(root: &Path) -> io::Result<PathBuf> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let number = u128::from_le_bytes(bytes);
    // Absolute, because converters start in another current folder than this process.
    Ok(std::path::absolute(root)?.join(format!("{PREFIX}{number:032x}")))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be deleted is left to the system's cleaning of temporary files: nothing
        // refers to it.
        let _ = remove_tree(&self.path);
    }
}

/// Deletes the folders below `root` that killed processes of this account left behind.
pub(crate) fn remove_abandoned(root: &Path, now: SystemTime) {
    // A folder that cannot be listed or deleted is left to the system's cleaning of temporary
    // files.
    for item in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = item.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_ours = number
            .is_some_and(|number| number.len() == 32 && u128::from_str_radix(number, 16).is_ok());
        let path = item.path();
        if is_ours && let Some(_held) = claim_abandoned(&path, now) {
            let _ = remove_tree(&path);
        }
    }
}

/// Locks a folder that a killed process of this account left behind. `None` for any other.
fn claim_abandoned(path: &Path, now: SystemTime) -> Option<File> {
    let is_abandoned = |folder: &fs::Metadata| {
        let age = folder.modified().map(|made| now.duration_since(made));
        folder.is_dir()
            && is_of_this_account(folder)
            && matches!(age, Ok(Ok(age)) if age >= ABANDONED_AFTER)
    };
    if !is_abandoned(&fs::symlink_metadata(path).ok()?) {
        return None;
    }
    let held = lock(path)?;
    // Since it was looked at, another process may have deleted and created it again. What is locked
    // must be old, and be what lies there now.
    let locked = held.metadata().ok()?;
    let there = fs::symlink_metadata(path).ok()?;
    (is_abandoned(&locked) && is_same(&locked, &there)).then_some(held)
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_one: &fs::Metadata, _other: &fs::Metadata) -> bool {
    false
}

/// Deletes a folder with its content, whatever a converter has put there: deep nesting, links, or
/// folders without permissions.
///
/// Nested folders are moved up into the first one, and deleted from there. So at most two folders
/// are open at a time, no path grows long, and nothing recurses.
#[cfg(unix)]
fn remove_tree(path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, unlinkat};
    let top = open_folder(CWD, path)?;
    let mut moved = 0;
    loop {
        let names = some_names_in(&top)?;
        if names.is_empty() {
            return Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?);
        }
        for name in &names {
            if !unlink(&top, name)? {
                let inner = match open_folder(&top, name) {
                    Err(Errno::ACCESS) => {
                        make_usable(&top, name)?;
                        open_folder(&top, name)?
                    }
                    opened => opened?,
                };
                loop {
                    let nested = some_names_in(&inner)?;
                    if nested.is_empty() {
                        break;
                    }
                    // The folder may be readable without being writable.
                    make_usable(&top, name)?;
                    for nested in &nested {
                        if !unlink(&inner, nested)? {
                            move_up(&inner, nested, &top, &mut moved)?;
                        }
                    }
                }
                unlinkat(&top, name, AtFlags::REMOVEDIR)?;
            }
        }
    }
}

#[cfg(unix)]
fn open_folder(at: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    use rustix::fs::{Mode, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// Deletes a file or an empty folder. Returns false for a folder with content.
#[cfg(unix)]
fn unlink(at: &OwnedFd, name: &CStr) -> Result<bool, Errno> {
    use rustix::fs::{AtFlags, unlinkat};
    match unlinkat(at, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        // It is a folder; some systems return another error for that.
        Err(Errno::ISDIR | Errno::PERM) => match unlinkat(at, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::ACCESS) => Ok(false),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Lets this account read and change a folder that it has created and closed.
///
/// Does nothing for root, which needs no permission. If a link replaces the folder at this moment,
/// it can only change permissions of what belongs to this account anyway.
#[cfg(unix)]
fn make_usable(at: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    use rustix::fs::{AtFlags, Mode, chmodat};
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    chmodat(at, name, Mode::RWXU, AtFlags::empty())
}

/// Moves a folder up into `top`, under an unused name.
#[cfg(unix)]
fn move_up(from: &OwnedFd, name: &CStr, top: &OwnedFd, moved: &mut u64) -> Result<(), Errno> {
    use rustix::fs::{AtFlags, renameat, statat};
    // Moving a folder writes to it, because its `..` entry changes.
    make_usable(from, name)?;
    let free = loop {
        *moved += 1;
        let free = format!("{PREFIX}moved-{moved}");
        match statat(top, &free, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => break free,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    };
    renameat(from, name, top, &free)
}

/// Returns a limited number of the names in a folder, because there may be millions.
#[cfg(unix)]
fn some_names_in(folder: &OwnedFd) -> Result<Vec<CString>, Errno> {
    const NAMES_MAX: usize = 1_000;
    let mut names = Vec::new();
    for item in rustix::fs::Dir::read_from(folder)? {
        let name = item?.file_name().to_owned();
        if ![&b"."[..], b".."].contains(&name.as_bytes()) {
            names.push(name);
        }
        if names.len() == NAMES_MAX {
            break;
        }
    }
    Ok(names)
}

#[cfg(not(unix))]
fn remove_tree(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

/// Locks a folder. `None` when it is locked already, or cannot be locked.
fn lock(path: &Path) -> Option<File> {
    #[cfg(unix)]
    let folder = File::from(open_folder(rustix::fs::CWD, path).ok()?);
    #[cfg(not(unix))]
    let folder = File::open(path).ok()?;
    folder.try_lock().ok()?;
    Some(folder)
}

#[cfg(unix)]
fn is_of_this_account(folder: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    folder.uid() == rustix::process::geteuid().as_raw()
}

// Folders cannot be opened on this system, so none is ever locked.
#[cfg(not(unix))]
fn is_of_this_account(_folder: &fs::Metadata) -> bool {
    false
}

/// Creates one folder that must not exist yet, closed to other accounts.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Maximum bytes of a safe name; leaves room for suffixes that others append.
const NAME_BYTES_MAX: usize = 180;

/// Returns a name close to `original` that is a plain file on every system.
///
/// It is no folder, no device, and has no reserved character. The extension stays, because
/// converters use it.
pub(crate) fn safe_name(original: &str) -> String {
    let last = original.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last
        .chars()
        .map(|c| match c {
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
            c if c.is_control() => '_',
            c => c,
        })
        .collect();
    name.truncate(name.trim_end_matches(['.', ' ']).len());
    if name.is_empty() {
        return "source".to_owned();
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    if is_device(stem) {
        name.insert(0, '_');
    }
    shorten(name)
}

/// Returns true for a name that Windows opens as a device, whatever the extension.
fn is_device(stem: &str) -> bool {
    let upper = stem.to_uppercase();
    matches!(
        upper.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) || ["COM", "LPT"].iter().any(|port| {
        upper.strip_prefix(port).is_some_and(|rest| {
            let mut digits = rest.chars();
            digits
                .next()
                .is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c))
                && digits.next().is_none()
        })
    })
}

fn shorten(name: String) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let extension = match name.rfind('.') {
        Some(dot) if name.len() - dot <= 20 => &name[dot..],
        _ => "",
    };
    let mut end = NAME_BYTES_MAX - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_never_leaves_the_folder() {
        for (given, made) in [
            ("unit 42.csv", "unit 42.csv"),
            ("../../etc/passwd", "passwd"),
            ("C:\\in\\a.csv", "a.csv"),
            ("..", "source"),
            ("", "source"),
            ("a/", "source"),
            ("a:stream", "a_stream"),
            ("x\0\u{1b}[2J.csv", "x__[2J.csv"),
            ("nul.txt", "_nul.txt"),
            ("COM1", "_COM1"),
            ("common.csv", "common.csv"),
            ("name. . ", "name"),
            ("Prüfling-Ø.csv", "Prüfling-Ø.csv"),
        ] {
            assert_eq!(safe_name(given), made, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_extension() {
        let name = safe_name(&format!("{}.stdf", "ø".repeat(300)));
        assert!(name.len() <= NAME_BYTES_MAX);
        assert_eq!(Path::new(&name).extension(), Some("stdf".as_ref()));
    }

    /// A killed host leaves the sources of running conversions in the temporary folder.
    #[cfg(unix)]
    #[test]
    fn what_a_killed_process_left_is_removed() {
        let root = tempfile::tempdir().expect("folder");
        let used = Scratch::new(root.path()).expect("made");
        // The state that a killed process leaves: the folder exists, and nobody has locked it.
        let left = root.path().join(format!("{PREFIX}{:032x}", 7));
        make_private(&left).expect("made");
        fs::write(left.join("source"), "x").expect("written");
        let strange = root.path().join("annals-of-somebody-else");
        fs::create_dir(&strange).expect("made");
        let now = SystemTime::now();
        remove_abandoned(root.path(), now);
        assert!(left.exists(), "it may have been made a moment ago");
        remove_abandoned(root.path(), now + ABANDONED_AFTER * 2);
        assert!(!left.exists());
        assert!(used.path().exists() && strange.exists());
    }

    /// Converters print the path of their input. It must not differ from run to run.
    #[test]
    fn a_slot_has_the_same_folder_each_time() {
        let root = tempfile::tempdir().expect("folder");
        let slot = |entry| Slot {
            owner: "store",
            converter: "ICT",
            entry,
        };
        let path = |entry| {
            let made = Scratch::of_slot(root.path(), slot(entry)).expect("made");
            made.path().to_owned()
        };
        let first = path(Some(EntryId(7)));
        assert_eq!(first, path(Some(EntryId(7))));
        assert_ne!(first, path(Some(EntryId(8))));
        assert_ne!(first, path(None));
        let used = Scratch::of_slot(root.path(), slot(None)).expect("made");
        let beside = Scratch::of_slot(root.path(), slot(None)).expect("made");
        assert_ne!(used.path(), beside.path());
        let inner = |entry| {
            let made = Scratch::of_slot_within(used.path(), slot(entry)).expect("made");
            made.path().to_owned()
        };
        assert_eq!(inner(Some(EntryId(7))), inner(Some(EntryId(7))));
        assert_ne!(inner(None), inner(None), "a worker may remember paths");
    }

    /// The name of a slot's folder can be known in advance. Whoever makes it first, or puts a link
    /// there, must neither see nor lose a file by it.
    #[cfg(unix)]
    #[test]
    fn what_somebody_puts_into_a_slot_is_left_alone() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().expect("folder");
        let slot = Slot {
            owner: "store",
            converter: "ICT",
            entry: None,
        };
        let outside = root.path().join("outside");
        fs::create_dir(&outside).expect("made");
        fs::write(outside.join("kept"), "x").expect("written");
        let long_ago = SystemTime::now() - ABANDONED_AFTER * 2;
        File::open(&outside)
            .and_then(|f| f.set_modified(long_ago))
            .expect("set");
        symlink(&outside, root.path().join(slot.name(0))).expect("linked");
        fs::write(root.path().join(slot.name(1)), "x").expect("written");
        let made = Scratch::of_slot(root.path(), slot).expect("made");
        assert_eq!(made.path(), root.path().join(slot.name(2)));
        drop(made);
        assert!(outside.join("kept").exists());
        assert!(root.path().join(slot.name(1)).is_file());
        for number in 2..SLOTS_MAX {
            fs::write(root.path().join(slot.name(number)), "x").expect("written");
        }
        let random = Scratch::of_slot(root.path(), slot).expect("made");
        assert!(random.path().is_dir());
    }

    /// A killed process leaves its folder. The next one must get it back, but never take it from a
    /// process that is using it.
    #[cfg(unix)]
    #[test]
    fn a_slot_is_taken_over_when_its_process_is_gone() {
        let root = tempfile::tempdir().expect("folder");
        let slot = Slot {
            owner: "store",
            converter: "ICT",
            entry: None,
        };
        let first = root.path().join(slot.name(0));
        let age = |path: &Path| {
            let long_ago = SystemTime::now() - ABANDONED_AFTER * 2;
            File::open(path)
                .and_then(|f| f.set_modified(long_ago))
                .expect("set");
        };
        make_private(&first).expect("made");
        fs::write(first.join("source"), "old").expect("written");
        let beside = Scratch::of_slot(root.path(), slot).expect("made");
        assert_ne!(beside.path(), first, "it may have been made a moment ago");
        drop(beside);
        age(&first);
        let used = Scratch::of_slot(root.path(), slot).expect("made");
        assert_eq!(used.path(), first);
        assert_eq!(fs::read_dir(&first).expect("read").count(), 0);
        age(&first);
        let beside = Scratch::of_slot(root.path(), slot).expect("made");
        assert_ne!(beside.path(), first, "it is in use");
        remove_abandoned(root.path(), SystemTime::now());
        assert!(used.path().exists());
    }

    /// Deep nesting must not use up file handles (compare CVE-2021-3997), and folders without
    /// permissions must be deleted too.
    #[cfg(unix)]
    #[test]
    fn a_scratch_folder_is_removed_whatever_a_converter_made_of_it() {
        use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
        use std::os::unix::fs::{PermissionsExt, symlink};
        let root = tempfile::tempdir().expect("folder");
        let outside = root.path().join("outside");
        fs::create_dir(&outside).expect("made");
        fs::write(outside.join("kept"), "x").expect("written");
        let scratch = Scratch::new(root.path()).expect("made");
        let path = scratch.path().to_owned();
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut at = openat(CWD, &path, flags, Mode::empty()).expect("opened");
        for _ in 0..5_000 {
            mkdirat(&at, "d", Mode::RWXU).expect("made");
            at = openat(&at, "d", flags, Mode::empty()).expect("opened");
        }
        for (name, mode) in [("closed", 0o000), ("fixed", 0o500)] {
            let folder = path.join(name);
            fs::create_dir_all(folder.join("inner")).expect("made");
            fs::write(folder.join("inner/file"), "x").expect("written");
            fs::write(folder.join("file"), "x").expect("written");
            symlink(&outside, folder.join("link")).expect("linked");
            for folder in [folder.join("inner"), folder] {
                fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("set");
            }
        }
        fs::write(path.join(format!("{PREFIX}moved-1")), "x").expect("written");
        symlink(&outside, path.join("link")).expect("linked");
        drop(scratch);
        assert!(!path.exists());
        assert!(outside.join("kept").exists());
    }

    #[test]
    fn a_scratch_folder_is_gone_after_use() {
        let root = tempfile::tempdir().expect("folder");
        let scratch = Scratch::new(root.path()).expect("made");
        let path = scratch.path().to_owned();
        fs::write(path.join("x"), "y").expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        drop(scratch);
        assert!(!path.exists());
    }
}
