//! Unpacks an archived tree into a folder, and never writes outside of it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{DEPTH_MAX, ITEMS_MAX, MAIN_FILE};
use crate::convert::scratch::make_private;

/// Maximum length in bytes of an extended header.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;

/// Why a tree could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("the source cannot be read: {0}")]
    Source(#[source] io::Error),
    #[error("the source is no folder's tar file: {0}")]
    Format(String),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Unpacks a tar file into `into`, an empty folder that nobody else writes to.
///
/// Reads `source` to its end. Refuses everything that is neither a file nor a folder, and every
/// path that is absolute, contains `..` or occurs twice. Returns the name of the main file if the
/// tar file names one.
pub(crate) fn unpack(source: &mut dyn Read, into: &Path) -> Result<Option<OsString>, UnpackError> {
    let mut source = Watched {
        source,
        failed: None,
    };
    let unpacked = put_back(&mut source, into);
    if let Some(error) = source.failed.take() {
        return Err(UnpackError::Source(error));
    }
    let main = unpacked?;
    // The source's checksum is verified only when its end is read.
    io::copy(&mut source, &mut io::sink()).map_err(UnpackError::Source)?;
    Ok(main)
}

/// Bytes at the beginning of a source that [`has_main_file`] needs.
pub(crate) const BEGINNING_BYTES: u64 = 1024;

/// Returns true for the beginning of the tar file of a main file with companions.
pub(crate) fn has_main_file(beginning: &[u8]) -> bool {
    let Some((block, record)) = beginning.split_first_chunk::<512>() else {
        return false;
    };
    let header = tar::Header::from_byte_slice(block);
    let is_comment = header.entry_type() == tar::EntryType::XGlobalHeader;
    // A long name may lie beyond the bytes that were read, so the beginning of its record decides.
    let keyword = [b" comment=", MAIN_FILE.as_bytes()].concat();
    let digits = record.iter().take_while(|byte| byte.is_ascii_digit());
    is_comment && record[digits.count()..].starts_with(&keyword)
}

/// Returns the main file that a record of an extended header names.
///
/// The record's length is used instead of its line feed, because a name may contain line feeds.
fn main_named(record: &[u8]) -> Option<&[u8]> {
    let digits = record.iter().position(|byte| *byte == b' ')?;
    let length: usize = str::from_utf8(&record[..digits]).ok()?.parse().ok()?;
    record
        .get(digits + 1..length)?
        .strip_prefix(b"comment=")?
        .strip_prefix(MAIN_FILE.as_bytes())?
        .strip_suffix(b"\n")
}

/// Distinguishes a source that cannot be read from a source that is no tar file.
struct Watched<'a> {
    source: &'a mut dyn Read,
    failed: Option<io::Error>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.source.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                Err(told)
            }
            read => read,
        }
    }
}

/// What an extended header says about the file after it.
#[derive(Default)]
struct Extension {
    path: Option<OsString>,
    modified: Option<SystemTime>,
}

fn put_back(source: &mut Watched<'_>, into: &Path) -> Result<Option<OsString>, UnpackError> {
    let format = |error: io::Error| UnpackError::Format(error.to_string());
    let mut archive = tar::Archive::new(source);
    let mut extension = Extension::default();
    let mut made: HashSet<PathBuf> = HashSet::new();
    let mut main: Option<OsString> = None;
    // Read raw: the tar library would load extended headers of any length into memory.
    for entry in archive.entries().map_err(format)?.raw(true) {
        let mut entry = entry.map_err(format)?;
        let kind = entry.header().entry_type();
        match kind {
            tar::EntryType::GNULongName => {
                let name = extended(&mut entry)?;
                let end = name.iter().position(|byte| *byte == 0);
                extension.path = Some(os_string(&name[..end.unwrap_or(name.len())])?);
                continue;
            }
            tar::EntryType::XHeader => {
                extension.read(&extended(&mut entry)?)?;
                continue;
            }
            tar::EntryType::XGlobalHeader => {
                let header = extended(&mut entry)?;
                if let Some(name) = main_named(&header) {
                    main = Some(os_string(name)?);
                }
                continue;
            }
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::Directory => {}
            _ => {
                return Err(UnpackError::Format(format!(
                    "{} is neither a file nor a folder",
                    String::from_utf8_lossy(&entry.path_bytes())
                )));
            }
        }
        let Extension { path, modified } = std::mem::take(&mut extension);
        let path = match path {
            Some(path) => path,
            None => os_string(&entry.path_bytes())?,
        };
        let path = inside(Path::new(&path))?;
        if path.as_os_str().is_empty() && kind.is_dir() {
            continue;
        }
        make_parents(&path, into, &mut made)?;
        if made.len() >= ITEMS_MAX {
            return Err(UnpackError::Format(format!(
                "it holds more than {ITEMS_MAX} files and folders"
            )));
        }
        let target = into.join(&path);
        if kind.is_dir() {
            if made.insert(path) {
                create(&target, make_private)?;
            }
            continue;
        }
        if !made.insert(path) {
            return Err(UnpackError::Format(format!(
                "{} comes twice",
                target.display()
            )));
        }
        let modified = modified.or_else(|| {
            let seconds = entry.header().mtime().ok()?;
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        });
        let size = entry.size();
        write_file(&mut entry, size, &target, modified)?;
    }
    match main {
        Some(name) if !is_file_in(into, &name) => Err(UnpackError::Format(format!(
            "its main file, {}, is not in it",
            name.display()
        ))),
        main => Ok(main),
    }
}

/// Returns true for the plain name of a file that lies directly in a folder.
fn is_file_in(folder: &Path, name: &OsStr) -> bool {
    let is_plain = Path::new(name).file_name() == Some(name);
    is_plain
        && folder
            .join(name)
            .symlink_metadata()
            .is_ok_and(|found| found.is_file())
}

/// Returns a path that stays inside the target folder, without its `.` parts.
fn inside(path: &Path) -> Result<PathBuf, UnpackError> {
    let refused = |why: &str| UnpackError::Format(format!("{} {why}", path.display()));
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => {
                // On Windows, `name:stream` is a second stream of another file.
                if cfg!(windows) && name.to_string_lossy().contains(':') {
                    return Err(refused("is no name of a file here"));
                }
                clean.push(name);
            }
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(refused("leads out of the folder"));
            }
        }
    }
    if clean.components().count() > DEPTH_MAX + 1 {
        return Err(refused("lies too deep"));
    }
    Ok(clean)
}

/// Creates the folders above a path.
///
/// Tar files made by other programs need not contain an item for each folder.
fn make_parents(path: &Path, into: &Path, made: &mut HashSet<PathBuf>) -> Result<(), UnpackError> {
    let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
    parents.reverse();
    for parent in parents {
        if !parent.as_os_str().is_empty() && !made.contains(parent) {
            create(&into.join(parent), make_private)?;
            made.insert(parent.to_owned());
        }
    }
    Ok(())
}

fn create<Made>(
    path: &Path,
    make: impl FnOnce(&Path) -> io::Result<Made>,
) -> Result<Made, UnpackError> {
    make(path).map_err(|source| match source.kind() {
        // The folder was empty before, so the file in the way came out of this source too.
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            UnpackError::Format(format!("{} is a file and a folder", path.display()))
        }
        _ => UnpackError::Write {
            path: path.to_owned(),
            source,
        },
    })
}

fn write_file(
    from: &mut impl Read,
    size: u64,
    target: &Path,
    modified: Option<SystemTime>,
) -> Result<(), UnpackError> {
    let mut left = size;
    let mut file = create(target, |path| File::create_new(path))?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackError::Format(error.to_string())),
        };
        file.write_all(&buffer[..read])
            .map_err(|source| UnpackError::Write {
                path: target.to_owned(),
                source,
            })?;
        left = left.saturating_sub(read as u64);
    }
    if left > 0 {
        return Err(UnpackError::Format("it breaks off".to_owned()));
    }
    if let Some(modified) = modified {
        // The content counts, so a time that cannot be set is no failure.
        let _ = file.set_modified(modified);
    }
    Ok(())
}

fn extended(entry: &mut impl Read) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    entry
        .take(EXTENSION_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| UnpackError::Format(error.to_string()))?;
    if bytes.len() as u64 > EXTENSION_BYTES_MAX {
        return Err(UnpackError::Format("a header is too long".to_owned()));
    }
    Ok(bytes)
}

impl Extension {
    fn read(&mut self, bytes: &[u8]) -> Result<(), UnpackError> {
        for pair in tar::PaxExtensions::new(bytes) {
            let pair = pair.map_err(|error| UnpackError::Format(error.to_string()))?;
            match pair.key_bytes() {
                b"path" => self.path = Some(os_string(pair.value_bytes())?),
                b"mtime" => self.modified = pair.value().ok().and_then(time),
                b"size" => {
                    return Err(UnpackError::Format(
                        "a file has its size in an extended header".to_owned(),
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Parses a decimal number of seconds since 1970.
fn time(text: &str) -> Option<SystemTime> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let distance = Duration::new(seconds.parse().ok()?, nanos.parse().ok()?);
    if sign < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere names are Unicode")]
fn os_string(bytes: &[u8]) -> Result<OsString, UnpackError> {
    use std::os::unix::ffi::OsStringExt;
    Ok(OsString::from_vec(bytes.to_owned()))
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> Result<OsString, UnpackError> {
    String::from_utf8(bytes.to_owned())
        .map(OsString::from)
        .map_err(|_| UnpackError::Format("a name in it is not UTF-8".to_owned()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::super::{Tarball, Tree, file_of};
    use super::*;

    /// Builds a tar file of arbitrary items, also of such as this program never writes.
    fn tar_of(items: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, content) in items {
            let mut header = tar::Header::new_old();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            let content = if kind.is_symlink() || kind.is_hard_link() {
                header.set_link_name(content).expect("short");
                ""
            } else {
                *content
            };
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(1);
            header.set_cksum();
            builder
                .append(&header, content.as_bytes())
                .expect("written");
        }
        builder.into_inner().expect("written")
    }

    fn complaint(items: &[(&str, tar::EntryType, &str)]) -> String {
        let dir = tempfile::tempdir().expect("folder");
        let into = dir.path().join("into");
        fs::create_dir(&into).expect("made");
        let error = unpack(&mut &*tar_of(items), &into).expect_err("refused");
        assert!(matches!(error, UnpackError::Format(_)), "{error}");
        assert_eq!(
            fs::read_dir(dir.path()).expect("read").count(),
            1,
            "{error}"
        );
        error.to_string()
    }

    #[test]
    fn what_was_in_a_folder_is_put_back_with_its_times() {
        let dir = tempfile::tempdir().expect("folder");
        let (root, into) = (dir.path().join("unit"), dir.path().join("into"));
        let long = format!("{}/{}", "l".repeat(120), "n".repeat(120));
        for name in ["log.txt", "images/front.png", &long] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("made");
            fs::write(&path, name.repeat(500)).expect("written");
        }
        fs::create_dir(root.join("empty")).expect("made");
        let early = SystemTime::UNIX_EPOCH - Duration::from_millis(1500);
        let file = File::options().write(true).open(root.join("log.txt"));
        file.and_then(|file| file.set_modified(early)).expect("set");
        let tree = Tree::of(&root, |_| {}).expect("allowed");
        fs::create_dir(&into).expect("made");
        unpack(&mut Tarball::new(&tree, |item| file_of(&root, item)), &into).expect("unpacked");
        assert_eq!(Tree::of(&into, |_| {}).expect("allowed"), tree);
        assert_eq!(
            fs::read(into.join(&long)).expect("there"),
            fs::read(root.join(&long)).expect("there")
        );
    }

    #[test]
    fn nothing_leaves_the_folder_and_nothing_is_written_twice() {
        use tar::EntryType as Type;
        for (items, told) in [
            (
                &[("../x", Type::Regular, "x")][..],
                "leads out of the folder",
            ),
            (&[("/tmp/x", Type::Regular, "x")], "leads out of the folder"),
            (
                &[("a/../../x", Type::Regular, "x")],
                "leads out of the folder",
            ),
            (
                &[("a", Type::Symlink, "/tmp")],
                "neither a file nor a folder",
            ),
            (
                &[("a", Type::Link, "/etc/passwd")],
                "neither a file nor a folder",
            ),
            (&[("a", Type::Fifo, "")], "neither a file nor a folder"),
            (&[("a", Type::GNUSparse, "")], "neither a file nor a folder"),
            (
                &[("a", Type::Regular, "x"), ("a", Type::Regular, "y")],
                "comes twice",
            ),
            (
                &[("a", Type::Regular, "x"), ("./a", Type::Regular, "y")],
                "comes twice",
            ),
            (
                &[("a", Type::Regular, "x"), ("a/b", Type::Regular, "y")],
                "is a file and a folder",
            ),
        ] {
            let said = complaint(items);
            assert!(said.contains(told), "{items:?}: {said}");
        }
    }

    #[test]
    fn what_others_leave_out_is_made_and_what_breaks_off_is_refused() {
        let dir = tempfile::tempdir().expect("folder");
        let whole = tar_of(&[
            ("./", tar::EntryType::Directory, ""),
            ("./a/b", tar::EntryType::Regular, "x"),
        ]);
        unpack(&mut &*whole, dir.path()).expect("unpacked");
        assert_eq!(
            fs::read_to_string(dir.path().join("a/b")).expect("there"),
            "x"
        );

        let content = "x".repeat(2000);
        let whole = tar_of(&[("c", tar::EntryType::Regular, &content)]);
        let error = unpack(&mut &whole[..1000], dir.path()).expect_err("refused");
        assert!(matches!(error, UnpackError::Format(_)), "{error}");
        let error = unpack(&mut &b"serial,SN1\n"[..], dir.path());
        assert!(matches!(error, Err(UnpackError::Format(_))), "{error:?}");
    }

    #[test]
    fn a_source_that_cannot_be_read_is_told_from_one_that_is_no_tar_file() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let dir = tempfile::tempdir().expect("folder");
        let error = unpack(&mut Broken, dir.path());
        assert!(matches!(error, Err(UnpackError::Source(_))), "{error:?}");
    }
}
