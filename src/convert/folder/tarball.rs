//! Streams a tree as a tar file, without holding it in memory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::MAIN_FILE;
use super::tree::{Item, Kind, Tree, since_epoch};

const BLOCK_BYTES: u64 = 512;

/// Streams the tar file of a tree.
///
/// `Open` returns the content of a file in the tree. That content must be as long as the tree says.
///
/// Owners, modes and folder times are fixed values, because they differ between two copies of one
/// tree.
pub(crate) struct Tarball<'a, Open> {
    rest: std::slice::Iter<'a, Item>,
    open: Open,
    headers: tar::Builder<Vec<u8>>,
    /// Bytes of `headers` that have been read.
    given: usize,
    content: Option<Content>,
    is_ended: bool,
}

struct Content {
    from: Box<dyn Read>,
    /// Bytes still to come of the current file and of the padding of its last block.
    left: u64,
    filling: u64,
    is_at_its_end: bool,
}

impl<'a, Open: FnMut(&Item) -> io::Result<Box<dyn Read>>> Tarball<'a, Open> {
    pub(crate) fn new(tree: &'a Tree, open: Open) -> Self {
        Self {
            rest: tree.items.iter(),
            open,
            headers: tar::Builder::new(Vec::new()),
            given: 0,
            content: None,
            is_ended: false,
        }
    }

    /// Streams the tar file of a main file and its companions. A comment at its beginning names the
    /// main file.
    pub(crate) fn with_main(tree: &'a Tree, main: &OsStr, open: Open) -> io::Result<Self> {
        let mut tarball = Self::new(tree, open);
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XGlobalHeader);
        header.set_path("pax_global_header")?;
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let comment = comment(main);
        header.set_size(comment.len() as u64);
        header.set_cksum();
        tarball.headers.append(&header, &comment[..])?;
        Ok(tarball)
    }

    /// Moves on to the next item. Returns false when there is none.
    fn advance(&mut self) -> io::Result<bool> {
        self.headers.get_mut().clear();
        self.given = 0;
        let Some(item) = self.rest.next() else {
            if self.is_ended {
                return Ok(false);
            }
            self.is_ended = true;
            // Two empty blocks end a tar file.
            self.headers.get_mut().resize(1024, 0);
            return Ok(true);
        };
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        match item.kind {
            Kind::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
            }
            Kind::File { size, modified } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(0o644);
                header.set_size(size);
                let (seconds, nanos) = since_epoch(modified);
                header.set_mtime(u64::try_from(seconds).unwrap_or(0));
                if nanos != 0 || seconds < 0 {
                    let time = written(seconds, nanos);
                    self.headers
                        .append_pax_extensions([("mtime", time.as_bytes())])?;
                }
                self.content = Some(Content {
                    from: (self.open)(item)?,
                    left: size,
                    filling: size.next_multiple_of(BLOCK_BYTES) - size,
                    is_at_its_end: false,
                });
            }
        }
        // Only the header is written here; the content is streamed after it.
        self.headers
            .append_data(&mut header, &item.path, io::empty())?;
        Ok(true)
    }
}

impl<Open: FnMut(&Item) -> io::Result<Box<dyn Read>>> Read for Tarball<'_, Open> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let waiting = &self.headers.get_ref()[self.given..];
            if !waiting.is_empty() {
                let read = waiting.len().min(buffer.len());
                buffer[..read].copy_from_slice(&waiting[..read]);
                self.given += read;
                return Ok(read);
            }
            if let Some(content) = &mut self.content {
                let read = content.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
                self.content = None;
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at_most = |left: u64| usize::try_from(left).unwrap_or(usize::MAX);
        if self.left > 0 {
            let room = buffer.len().min(at_most(self.left));
            let read = self.from.read(&mut buffer[..room])?;
            if read == 0 {
                return Err(io::Error::other("a file in it became shorter"));
            }
            self.left -= read as u64;
            return Ok(read);
        }
        if !self.is_at_its_end {
            if self.from.read(&mut [0])? > 0 {
                return Err(io::Error::other("a file in it became longer"));
            }
            self.is_at_its_end = true;
        }
        let read = buffer.len().min(at_most(self.filling));
        buffer[..read].fill(0);
        self.filling -= read as u64;
        Ok(read)
    }
}

/// Opens a file of the tree that lies in `root`. Does not block if a pipe has replaced the file.
pub(crate) fn file_of(root: &Path, item: &Item) -> io::Result<Box<dyn Read>> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        options.custom_flags(flags.bits().cast_signed());
    }
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", item.path.display()))
    };
    let file = options.open(root.join(&item.path)).map_err(named)?;
    if !file.metadata().map_err(named)?.is_file() {
        return Err(named(io::Error::other("it is no regular file any more")));
    }
    Ok(Box::new(file))
}

/// Returns the record of an extended header that names a main file.
///
/// The record is its own length (which counts itself), then keyword and value.
fn comment(main: &OsStr) -> Vec<u8> {
    let mut record = b" comment=".to_vec();
    record.extend(MAIN_FILE.as_bytes());
    record.extend(main.as_encoded_bytes());
    record.push(b'\n');
    let digits = |length: usize| length.to_string().len();
    let mut length = record.len() + digits(record.len());
    length = record.len() + digits(length);
    [length.to_string().into_bytes(), record].concat()
}

/// Formats seconds as the decimal number of an extended header.
fn written(seconds: i64, nanos: u32) -> String {
    if seconds >= 0 {
        return format!("{seconds}.{nanos:09}");
    }
    // Before 1970 the sign applies to the whole number, fraction included.
    match nanos {
        0 => format!("{seconds}"),
        _ => format!(
            "-{}.{:09}",
            (seconds + 1).unsigned_abs(),
            1_000_000_000 - nanos
        ),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn bytes(root: &Path) -> Vec<u8> {
        let tree = Tree::of(root, |_| {}).expect("allowed");
        let mut bytes = Vec::new();
        Tarball::new(&tree, |item| file_of(root, item))
            .read_to_end(&mut bytes)
            .expect("read");
        bytes
    }

    fn fill(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("made");
            fs::write(&path, name.repeat(100)).expect("written");
            let file = File::options().write(true).open(&path).expect("there");
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_600_000_000_250);
            file.set_modified(time).expect("set");
        }
    }

    #[test]
    fn the_same_tree_is_the_same_bytes_whatever_it_is_called_and_in_whatever_order_it_was_made() {
        let dir = tempfile::tempdir().expect("folder");
        let long = format!("{}/{}", "l".repeat(90), "n".repeat(90));
        let names = ["a", "a-b", "a.d/x", "COMPLETE.marker", &long];
        let mut other = names;
        other.reverse();
        fill(&dir.path().join("one"), &names);
        fill(&dir.path().join("two"), &other);
        use std::os::unix::fs::PermissionsExt;
        let closed = fs::Permissions::from_mode(0o400);
        fs::set_permissions(dir.path().join("two/a"), closed).expect("set");
        let made = bytes(&dir.path().join("one"));
        assert_eq!(made, bytes(&dir.path().join("two")));
        // Content keys are hashes of these bytes, so the bytes must never change between versions.
        fs::remove_dir_all(dir.path().join("one").join("l".repeat(90))).expect("removed");
        assert_eq!(
            blake3::hash(&bytes(&dir.path().join("one")))
                .to_hex()
                .as_str(),
            "6e12b03dd51098a01c40d5dc0ab8aaf136a703c32cd2bf01c819a516d75ec191"
        );
    }

    #[test]
    fn another_program_finds_every_file_with_its_time() {
        let dir = tempfile::tempdir().expect("folder");
        let root = dir.path().join("unit");
        let long = format!("{}/{}", "l".repeat(90), "n".repeat(90));
        fill(&root, &["log.txt", "images/front.png", &long]);
        fs::create_dir(root.join("empty")).expect("made");
        fs::write(dir.path().join("unit.tar"), bytes(&root)).expect("written");
        let out = dir.path().join("out");
        fs::create_dir(&out).expect("made");
        let status = Command::new("tar")
            .args(["-xf", "../unit.tar"])
            .current_dir(&out)
            .status();
        let Ok(status) = status else { return };
        assert!(status.success());
        assert_eq!(
            Tree::of(&out, |_| {}).expect("allowed"),
            Tree::of(&root, |_| {}).expect("allowed")
        );
        let read = |root: &Path| fs::read(root.join("images/front.png")).expect("there");
        assert_eq!(read(&out), read(&root));
    }

    #[test]
    fn a_file_that_is_not_as_long_as_it_was_is_an_error() {
        let dir = tempfile::tempdir().expect("folder");
        fill(dir.path(), &["a"]);
        let tree = Tree::of(dir.path(), |_| {}).expect("allowed");
        for content in ["short", &"long".repeat(1000)] {
            fs::write(dir.path().join("a"), content).expect("written");
            let mut tarball = Tarball::new(&tree, |item| file_of(dir.path(), item));
            assert!(io::copy(&mut tarball, &mut io::sink()).is_err());
        }
    }

    #[test]
    fn a_time_before_1970_is_written_as_its_distance() {
        assert_eq!(written(-2, 500_000_000), "-1.500000000");
        assert_eq!(written(-2, 0), "-2");
        assert_eq!(written(2, 5), "2.000000005");
    }
}
