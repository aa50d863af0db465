//! Clearing a converted folder away: exactly what was archived of it, and nothing that appeared since.
//!
//! A folder is removed in steps that may each be the last one before a crash. It is read and compared; a list of its files with their
//! hashes is made durable in a hidden folder beside it; the folder is moved in there, which no station notices half done; then what
//! is on the list, and still is what the list says, is removed. What is found there when a host starts is ended in the same way.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::intake::{Look, refused};
use super::post_process::{
    Fingerprint, NAMES_MAX, PARTIAL, Partial, changed, distinct, hash, hidden, is_hidden,
    make_folder, no_name_left, sync_folder,
};
use super::zip;
use crate::convert::{Item, Kind, Tarball, Tree, file_of, unpack};
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// The end of the name of a folder in which another one is being removed.
const REMOVING: &str = "removing";
/// What is in such a folder.
const LIST: &str = "list";
const FOLDER: &str = "folder";

/// A converted folder that is to be cleared away.
#[derive(Clone, Copy)]
pub(super) struct Folder<'a> {
    pub(super) path: &'a Path,
    pub(super) seen: &'a Fingerprint,
    /// It goes first: what is left when something is in the way is no complete folder any more.
    pub(super) marker: &'a str,
}

impl Folder<'_> {
    /// Moves it into a folder, made if missing, under its own name or a distinct one. Never replaces anything.
    pub(super) fn move_into(self, target: &Path) -> Result<PathBuf> {
        self.seen.check(self.path)?;
        make_folder(target)?;
        let name = self.path.file_name().unwrap_or_default();
        for number in 1..=NAMES_MAX {
            let to = target.join(distinct(name, number));
            match rename_free(self.path, &to) {
                Ok(()) => {
                    sync_folder(target)?;
                    self.path.parent().map_or(Ok(()), sync_folder)?;
                    return Ok(to);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // Another file system: a copy does it.
                Err(_) => return self.copy_into(target),
            }
        }
        Err(no_name_left(name, target))
    }

    fn copy_into(self, target: &Path) -> Result<PathBuf> {
        let tree = self.tree()?;
        let copy = PartialFolder::new(target)?;
        let mut content = Tarball::new(&tree, |item| file_of(self.path, item));
        unpack(&mut content, &copy.path).map_err(|error| {
            let message = format!("cannot copy {}: {error}", self.path.display());
            Error::new(ErrorKind::Io, message).caused_by(error)
        })?;
        copy.settle(&tree, self.path)?;
        // By the tree of the source: not every file system keeps times as exactly.
        let back = hash(Tarball::new(&tree, |item| file_of(&copy.path, item)))
            .map_err(|error| Error::io("read back", &copy.path, error))?;
        if back != self.seen.content {
            return Err(changed(self.path));
        }
        let name = self.path.file_name().unwrap_or_default();
        let to = copy.publish(name, target)?;
        self.remove()?;
        Ok(to)
    }

    /// Replaces it by a zip file in a folder.
    pub(super) fn zip_into(self, target: &Path) -> Result<PathBuf> {
        self.seen.check(self.path)?;
        make_folder(target)?;
        let tree = self.tree()?;
        let failed = |error| Error::io("zip", self.path, error);
        let mut partial = Partial::new(target)?;
        let mut contents_at = HashMap::new();
        let mut zip = zip::Writer::new(&mut partial.file);
        for item in &tree.items {
            let name = item.path.to_string_lossy();
            match item.kind {
                Kind::Folder => zip.add_folder(&name, self.seen.look.modified),
                Kind::File { modified, .. } => file_of(self.path, item)
                    .and_then(|content| zip.add(content, &name, modified))
                    .map(|at| {
                        contents_at.insert(item.path.as_path(), at);
                    }),
            }
            .map_err(failed)?;
        }
        zip.finish().map_err(failed)?;
        partial.file.sync_all().map_err(failed)?;
        let member = |zip: &File, item: &Item| -> io::Result<Box<dyn Read>> {
            let at = contents_at.get(item.path.as_path()).copied();
            Ok(Box::new(zip::content(
                zip.try_clone()?,
                at.unwrap_or_default(),
            )?))
        };
        let back = |zip: File| hash(Tarball::new(&tree, |item| member(&zip, item)));
        partial.verify(back, self.seen)?;
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".zip");
        let to = partial.publish(&name, target)?;
        self.remove()?;
        Ok(to)
    }

    /// Removes exactly what was read of it, and nothing if anything else is there.
    pub(super) fn remove(self) -> Result<()> {
        let tree = self.tree()?;
        let hashes = Rc::new(RefCell::new(Vec::new()));
        let content = hash(Tarball::new(&tree, |item| {
            Ok(Box::new(Noted {
                content: file_of(self.path, item)?,
                hasher: blake3::Hasher::new(),
                hashes: Rc::clone(&hashes),
            }))
        }))
        .map_err(|error| Error::io("read", self.path, error))?;
        if content != self.seen.content {
            return Err(changed(self.path));
        }
        let hashes = hashes.take();
        let files = tree.files().map(|item| item.path.clone()).zip(hashes);
        let list = List {
            name: self.path.file_name().unwrap_or_default().to_owned(),
            marker: self.marker.to_owned(),
            files: files.collect(),
        };
        let parent = self.path.parent().unwrap_or(Path::new("."));
        let aside = hidden(parent, REMOVING)?;
        set_aside(self.path, &aside, &list)?;
        end_removal(&aside)
    }

    /// What is in it, if that is what was read.
    fn tree(self) -> Result<Tree> {
        let (look, tree) = Look::inside(self.path).map_err(|error| refused(self.path, error))?;
        if look.is_of_the_same(&self.seen.look) {
            Ok(tree)
        } else {
            Err(changed(self.path))
        }
    }
}

/// Moves a folder to where it is removed, after a list of what was in it.
fn set_aside(folder: &Path, aside: &Path, list: &List) -> Result<()> {
    fs::create_dir(aside).map_err(|error| Error::io("create", aside, error))?;
    let listed = aside.join(LIST);
    let written = File::create_new(&listed)
        .and_then(|mut file| {
            file.write_all(&list.written())?;
            file.sync_all()
        })
        .map_err(|error| Error::io("write", &listed, error))
        .and_then(|()| sync_folder(aside))
        .and_then(|()| aside.parent().map_or(Ok(()), sync_folder))
        .and_then(|()| {
            fs::rename(folder, aside.join(FOLDER))
                .map_err(|error| Error::io("remove", folder, error))
        });
    if written.is_err() {
        // Nothing was moved: at worst a hidden folder stays for the next host to remove.
        let _ = fs::remove_file(&listed);
        let _ = fs::remove_dir(aside);
        return written;
    }
    sync_folder(aside)?;
    aside.parent().map_or(Ok(()), sync_folder)
}

/// Ends what a host that was killed had begun to remove in `watched`. Answers what could not be ended.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn end_removals(watched: &Path) -> io::Result<Vec<Error>> {
    let mut troubles = Vec::new();
    for item in fs::read_dir(watched)? {
        let item = item?;
        if is_hidden(&item.file_name(), REMOVING) && item.file_type()?.is_dir() {
            troubles.extend(end_removal(&item.path()).err());
        }
    }
    Ok(troubles)
}

/// Removes what is on the list of a folder that was set aside. If anything else is there, the folder goes back to where it was.
fn end_removal(aside: &Path) -> Result<()> {
    let folder = aside.join(FOLDER);
    if fs::symlink_metadata(&folder).is_ok() {
        let listed = aside.join(LIST);
        let list = fs::read(&listed)
            .and_then(|bytes| List::read(&bytes))
            .map_err(|error| Error::io("read", &listed, error))?;
        if let Err(error) = list.remove_from(&folder) {
            let back = put_back(&folder, aside, &list)?;
            return Err(match error.kind() {
                ErrorKind::Changed => changed(&back),
                _ => error,
            });
        }
    }
    remove_aside(aside)
}

fn put_back(folder: &Path, aside: &Path, list: &List) -> Result<PathBuf> {
    let parent = aside.parent().unwrap_or(Path::new("."));
    for number in 1..=NAMES_MAX {
        let to = parent.join(distinct(&list.name, number));
        match rename_free(folder, &to) {
            Ok(()) => {
                sync_folder(parent)?;
                remove_aside(aside)?;
                return Ok(to);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("put back", &to, error)),
        }
    }
    Err(no_name_left(&list.name, parent))
}

fn remove_aside(aside: &Path) -> Result<()> {
    match fs::remove_file(aside.join(LIST)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io("remove", aside.join(LIST), error));
        }
        _ => {}
    }
    fs::remove_dir(aside).map_err(|error| Error::io("remove", aside, error))?;
    aside.parent().map_or(Ok(()), sync_folder)
}

/// What may be removed of a folder.
#[derive(Debug, PartialEq, Eq)]
struct List {
    /// What the folder was called.
    name: OsString,
    marker: String,
    files: HashMap<PathBuf, BlobId>,
}

impl List {
    /// Removes the files of the list from `folder`, and the folders in it. Nothing is removed while anything else is there: it is
    /// `Changed`.
    fn remove_from(&self, folder: &Path) -> Result<()> {
        let tree = Tree::of(folder, |_| {}).map_err(|error| refused(folder, error))?;
        for item in tree.files() {
            let path = folder.join(&item.path);
            let now = file_of(folder, item)
                .and_then(hash)
                .map_err(|error| Error::io("read", &path, error))?;
            if self.files.get(&item.path) != Some(&now) {
                return Err(changed(&path));
            }
        }
        let removed = |path: &Path, removed: io::Result<()>| {
            removed.map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty => changed(path),
                _ => Error::io("remove", path, error),
            })
        };
        let marker = tree
            .files()
            .filter(|item| item.path == Path::new(&self.marker));
        let rest = tree
            .files()
            .filter(|item| item.path != Path::new(&self.marker));
        for item in marker.chain(rest) {
            let path = folder.join(&item.path);
            removed(&path, fs::remove_file(&path))?;
        }
        // What is in a folder comes after it.
        for item in tree.items.iter().rev() {
            if item.kind == Kind::Folder {
                let path = folder.join(&item.path);
                removed(&path, fs::remove_dir(&path))?;
            }
        }
        removed(folder, fs::remove_dir(folder))
    }

    /// Name and marker, then hash and path of each file, each text with a zero byte after it, which none of them can have.
    fn written(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut text = |text: &[u8]| {
            bytes.extend(text);
            bytes.push(0);
        };
        text(self.name.as_encoded_bytes());
        text(self.marker.as_bytes());
        for (path, hash) in &self.files {
            text(hash.to_string().as_bytes());
            text(path.as_os_str().as_encoded_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is no list of files");
        let mut texts = bytes
            .strip_suffix(&[0])
            .ok_or_else(damaged)?
            .split(|byte| *byte == 0);
        let mut text = || texts.next();
        let name = text().and_then(os_string).ok_or_else(damaged)?;
        let marker = text().and_then(|text| String::from_utf8(text.to_owned()).ok());
        let mut files = HashMap::new();
        while let Some(hash) = text() {
            let hash = str::from_utf8(hash).ok().and_then(|text| text.parse().ok());
            let path = text().and_then(os_string);
            let (Some(hash), Some(path)) = (hash, path) else {
                return Err(damaged());
            };
            files.insert(PathBuf::from(path), hash);
        }
        Ok(Self {
            name,
            marker: marker.ok_or_else(damaged)?,
            files,
        })
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere names are Unicode")]
fn os_string(bytes: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes.to_owned()))
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> Option<OsString> {
    String::from_utf8(bytes.to_owned()).ok().map(OsString::from)
}

/// A file that is read for a tar file, and hashed by itself on the way.
struct Noted {
    content: Box<dyn Read>,
    hasher: blake3::Hasher,
    hashes: Rc<RefCell<Vec<BlobId>>>,
}

impl Read for Noted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        if read == 0 {
            let hash = BlobId::from_bytes(*self.hasher.finalize().as_bytes());
            self.hashes.borrow_mut().push(hash);
        }
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Refuses at its end what is not the content it was to be.
pub(super) struct Expected<Content> {
    content: Content,
    hasher: blake3::Hasher,
    blob: BlobId,
}

impl<Content> Expected<Content> {
    pub(super) fn new(content: Content, blob: BlobId) -> Self {
        Self {
            content,
            hasher: blake3::Hasher::new(),
            blob,
        }
    }
}

impl<Content: Read> Read for Expected<Content> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() {
            let found = BlobId::from_bytes(*self.hasher.finalize().as_bytes());
            if found != self.blob {
                return Err(io::Error::other("it changed while it was read"));
            }
        }
        Ok(read)
    }
}

/// A copy being made under a hidden name; removed again unless it is published.
pub(super) struct PartialFolder {
    pub(super) path: PathBuf,
}

impl PartialFolder {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let path = hidden(folder, PARTIAL)?;
        fs::create_dir(&path).map_err(|error| Error::io("create", &path, error))?;
        Ok(Self { path })
    }

    /// Gives its folders the permissions they have in `source`, and syncs all of it.
    pub(super) fn settle(&self, tree: &Tree, source: &Path) -> Result<()> {
        for item in tree.items.iter().rev() {
            let path = self.path.join(&item.path);
            match item.kind {
                Kind::File { .. } => File::open(&path)
                    .and_then(|file| file.sync_all())
                    .map_err(|error| Error::io("sync", &path, error))?,
                Kind::Folder => {
                    open_up(&path, &source.join(&item.path));
                    sync_folder(&path)?;
                }
            }
        }
        open_up(&self.path, source);
        sync_folder(&self.path)
    }

    /// Gives it `name` in `folder`, or a distinct one. On `Ok` the name is durable.
    fn publish(self, name: &std::ffi::OsStr, folder: &Path) -> Result<PathBuf> {
        for number in 1..=NAMES_MAX {
            let target = folder.join(distinct(name, number));
            match rename_free(&self.path, &target) {
                Ok(()) => {
                    sync_folder(folder)?;
                    return Ok(target);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &target, error)),
            }
        }
        Err(no_name_left(name, folder))
    }
}

impl Drop for PartialFolder {
    fn drop(&mut self) {
        // At worst a hidden folder is left that nobody takes for a result.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What is unpacked is private; whoever could look into the folder before is to be able to after.
fn open_up(copy: &Path, source: &Path) {
    // Who cannot change permissions has a copy all the same.
    let _ = fs::metadata(source).and_then(|source| fs::set_permissions(copy, source.permissions()));
}

/// Renames a file or folder, and replaces nothing, not even an empty folder: that is `AlreadyExists`.
#[cfg(target_os = "linux")]
pub(super) fn rename_free(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that does not know how.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename_claimed(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn rename_free(from: &Path, to: &Path) -> io::Result<()> {
    rename_claimed(from, to)
}

/// Gives a file a second name first, and takes the name of a folder with an empty one.
#[cfg(unix)]
fn rename_claimed(from: &Path, to: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(from)?.is_dir() {
        fs::hard_link(from, to)?;
        return fs::remove_file(from);
    }
    fs::create_dir(to)?;
    fs::rename(from, to).inspect_err(|_| {
        // Whoever has put something in there keeps it.
        let _ = fs::remove_dir(to);
    })
}

// Windows replaces no folder.
#[cfg(not(unix))]
fn rename_claimed(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

#[cfg(all(test, unix))]
mod tests {
    //! A station added its waveform a moment after the marker. The folder was archived without it, and removed with it.

    use super::super::intake::Shape;
    use super::*;

    const MARKER: &str = "DONE";

    struct Bench {
        dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("folder");
            fs::create_dir(dir.path().join("in")).expect("made");
            Self { dir }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn unit(&self, name: &str) -> (PathBuf, Fingerprint) {
            let path = self.at("in").join(name);
            for (file, content) in [
                ("log.txt", "passed"),
                ("images/front.png", "front"),
                (MARKER, ""),
            ] {
                let file = path.join(file);
                fs::create_dir_all(file.parent().expect("inside")).expect("made");
                fs::write(file, content).expect("written");
            }
            fs::create_dir(path.join("empty")).expect("made");
            let seen = Fingerprint::of(&path, &Shape::Folder)
                .expect("read")
                .expect("there");
            (path, seen)
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let Ok(items) = fs::read_dir(self.at(folder)) else {
                return Vec::new();
            };
            let name = |item: io::Result<fs::DirEntry>| item.expect("item").file_name();
            let mut names: Vec<_> = items
                .map(|item| name(item).to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    fn folder<'a>(path: &'a Path, seen: &'a Fingerprint) -> Folder<'a> {
        Folder {
            path,
            seen,
            marker: MARKER,
        }
    }

    fn changed_kind<T>(result: Result<T>) -> Result<(), ErrorKind> {
        result.map(|_| ()).map_err(|error| error.kind())
    }

    #[test]
    fn a_folder_that_changed_is_left_whole_by_every_action() {
        for change in [
            |path: &Path| fs::write(path.join("late.txt"), "late"),
            |path: &Path| fs::write(path.join("images/late.txt"), "late"),
            |path: &Path| fs::create_dir(path.join("images/late")),
            |path: &Path| fs::remove_file(path.join("log.txt")),
            |path: &Path| {
                let file = path.join("log.txt");
                let time = fs::metadata(&file)?.modified()?;
                fs::write(&file, "failed")?;
                File::options().write(true).open(&file)?.set_modified(time)
            },
        ] {
            let bench = Bench::new();
            let (path, seen) = bench.unit("unit");
            change(&path).expect("changed");
            let before = Look::inside(&path).expect("read").0;
            let unit = folder(&path, &seen);
            let done = bench.at("done");
            let kinds = [
                changed_kind(unit.remove()),
                changed_kind(unit.move_into(&done)),
                changed_kind(unit.zip_into(&done)),
            ];
            assert_eq!(kinds, [Err(ErrorKind::Changed); 3]);
            assert!(Look::inside(&path).expect("read").0 == before);
            assert_eq!(bench.names("in"), ["unit"]);
            assert!(bench.names("done").is_empty());
        }
    }

    #[test]
    fn what_appears_while_a_folder_is_removed_stays_and_goes_back_with_what_is_around_it() {
        let bench = Bench::new();
        let (path, seen) = bench.unit("unit");
        let aside = bench.at("in/.annals-00000000000000a0.removing");
        set_aside(&path, &aside, &list(&path, &seen)).expect("moved");
        fs::write(aside.join("folder/images/late.txt"), "late").expect("written");
        // Somebody has begun another unit under the name meanwhile.
        fs::create_dir(&path).expect("made");
        let kind = changed_kind(end_removal(&aside));
        assert_eq!(kind, Err(ErrorKind::Changed));
        assert_eq!(bench.names("in"), ["unit", "unit (2)"]);
        let late = bench.at("in/unit (2)/images/late.txt");
        assert_eq!(fs::read_to_string(late).expect("there"), "late");
        assert!(bench.at("in/unit (2)/log.txt").exists());
    }

    fn list(path: &Path, seen: &Fingerprint) -> List {
        let tree = folder(path, seen).tree().expect("unchanged");
        let hash_of = |item: &Item| hash(file_of(path, item).expect("there")).expect("read");
        List {
            name: path.file_name().expect("named").to_owned(),
            marker: MARKER.to_owned(),
            files: tree
                .files()
                .map(|item| (item.path.clone(), hash_of(item)))
                .collect(),
        }
    }

    #[test]
    fn a_removal_is_ended_from_wherever_it_was_broken_off() {
        for files_gone in 0..=3 {
            let bench = Bench::new();
            let (path, seen) = bench.unit("unit");
            let list = list(&path, &seen);
            assert_eq!(List::read(&list.written()).expect("read"), list);
            let aside = bench.at("in/.annals-00000000000000a0.removing");
            set_aside(&path, &aside, &list).expect("moved");
            for file in ["DONE", "log.txt", "images/front.png"]
                .iter()
                .take(files_gone)
            {
                fs::remove_file(aside.join(FOLDER).join(file)).expect("there");
            }
            let troubles = end_removals(&bench.at("in")).expect("listed");
            assert!(troubles.is_empty(), "{troubles:?}");
            assert!(bench.names("in").is_empty());
        }
        // Before the folder was moved, and after it was gone.
        for write in [false, true] {
            let bench = Bench::new();
            let aside = bench.at("in/.annals-00000000000000a0.removing");
            fs::create_dir(&aside).expect("made");
            if write {
                fs::write(aside.join(LIST), "half").expect("written");
            }
            let troubles = end_removals(&bench.at("in")).expect("listed");
            assert!(troubles.is_empty(), "{troubles:?}");
            assert!(bench.names("in").is_empty());
        }
    }

    #[test]
    fn a_folder_without_its_list_is_not_touched() {
        let bench = Bench::new();
        let (path, _) = bench.unit("unit");
        let aside = bench.at("in/.annals-00000000000000a0.removing");
        fs::create_dir(&aside).expect("made");
        fs::rename(&path, aside.join(FOLDER)).expect("moved");
        for list in ["", "unit\0DONE\0nohash\0log.txt\0", "unit\0DONE"] {
            fs::write(aside.join(LIST), list).expect("written");
            let troubles = end_removals(&bench.at("in")).expect("listed");
            assert_eq!(troubles.len(), 1, "{list:?}");
            assert!(aside.join(FOLDER).join("log.txt").exists());
        }
    }

    #[test]
    fn two_folders_of_one_name_are_both_kept_and_an_empty_one_is_not_replaced() {
        let bench = Bench::new();
        fs::create_dir_all(bench.at("done/unit")).expect("made");
        for _ in 0..2 {
            let (path, seen) = bench.unit("unit");
            folder(&path, &seen)
                .move_into(&bench.at("done"))
                .expect("moved");
            assert!(!path.exists());
        }
        assert_eq!(bench.names("done"), ["unit", "unit (2)", "unit (3)"]);
        assert!(bench.names("done/unit").is_empty());
        let (path, seen) = bench.unit("unit");
        let claimed = rename_claimed(&path, &bench.at("done/unit"));
        assert_eq!(
            claimed.map_err(|error| error.kind()),
            Err(io::ErrorKind::AlreadyExists)
        );
        rename_claimed(&path, &bench.at("done/unit (4)")).expect("moved");
        folder(&bench.at("done/unit (4)"), &seen)
            .remove()
            .expect("unchanged by its moves");
    }

    #[test]
    fn a_copy_to_another_file_system_is_compared_and_the_source_goes() {
        let bench = Bench::new();
        fs::create_dir_all(bench.at("done/unit")).expect("made");
        let (path, seen) = bench.unit("unit");
        let to = folder(&path, &seen)
            .copy_into(&bench.at("done"))
            .expect("copied");
        assert_eq!(to, bench.at("done/unit (2)"));
        assert!(bench.names("in").is_empty());
        assert_eq!(bench.names("done"), ["unit", "unit (2)"]);
        seen.check(&to).expect("the same with its times");
    }

    #[test]
    fn a_zip_takes_the_folders_place_and_another_program_reads_it() {
        let bench = Bench::new();
        let (path, seen) = bench.unit("unit");
        let to = folder(&path, &seen)
            .zip_into(&bench.at("done"))
            .expect("zipped");
        assert_eq!(to, bench.at("done/unit.zip"));
        assert!(bench.names("in").is_empty());
        let script = "import sys, zipfile\n\
                      z = zipfile.ZipFile(sys.argv[1])\n\
                      assert z.testzip() is None\n\
                      print(sorted(z.namelist()), z.read('images/front.png').decode())";
        let said = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(&to)
            .output();
        let Ok(said) = said else { return };
        assert_eq!(
            String::from_utf8_lossy(&said.stdout).trim(),
            "['DONE', 'empty/', 'images/', 'images/front.png', 'log.txt'] front"
        );
    }

    #[test]
    fn other_bytes_than_expected_are_an_error_at_their_end() {
        let expected = BlobId::of(b"content");
        let read =
            |bytes: &'static [u8]| io::copy(&mut Expected::new(bytes, expected), &mut io::sink());
        assert_eq!(read(b"content").expect("the same"), 7);
        assert!(read(b"contend").is_err());
    }
}
