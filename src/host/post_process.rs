//! Clearing a converted file away without ever losing it.
//!
//! Every step that removes a file first checks that it is still the file that was converted: same size, same time,
//! same content. Whatever takes its place is synced and read back before. What remains is the moment between that
//! check and the removal, in which a program that still has the file open could write to it; no system closes it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::intake::{Links, Look, Shape, look, open, parts, refused};
use super::zip;
use crate::convert::PostAction;
use crate::entry::Outcome;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// Names tried for a file whose own name is taken.
pub(super) const NAMES_MAX: u32 = 10_000;

/// A file or folder as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) look: Look,
    /// The file's content, or as a tar file that of a folder, or of a file and its companions.
    pub(super) content: BlobId,
    pub(super) shape: Shape,
}

impl Fingerprint {
    /// Reads a file or folder; `None` when it is gone, something else, or changed meanwhile.
    pub(super) fn of(path: &Path, shape: &Shape) -> Result<Option<Self>> {
        let parts = || match parts(path, shape) {
            Ok(parts) => Ok(Some(parts)),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(refused(path, error)),
        };
        let Some(before) = parts()? else {
            return Ok(None);
        };
        let seen = match &before {
            None => {
                let links = match shape {
                    Shape::File(links) => *links,
                    Shape::Folder | Shape::WithCompanions(_) => Links::Skip,
                };
                Self::of_file(path, links).map_err(|error| Error::io("read", path, error))?
            }
            Some((look, parts)) => {
                let content = parts.tarball().and_then(hash);
                Some((*look, content))
            }
        };
        let Some((look, content)) = seen else {
            return Ok(None);
        };
        let after = parts()?.map(|parts| parts.map(|(look, _)| look));
        if after != Some(before.map(|(look, _)| look)) {
            return Ok(None);
        }
        let content = content.map_err(|error| Error::io("read", path, error))?;
        Ok(Some(Self {
            look,
            content,
            shape: shape.clone(),
        }))
    }

    fn of_file(path: &Path, links: Links) -> io::Result<Option<(Look, io::Result<BlobId>)>> {
        let Some(before) = look(path, links)? else {
            return Ok(None);
        };
        let content = match open(path).and_then(hash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            content => content,
        };
        let after = look(path, links)?;
        Ok((after == Some(before)).then_some((before, content)))
    }

    /// Refuses what is no longer what was read. Its time of change is no matter: a backup sets it.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let now = Self::of(path, &self.shape)?;
        let same = now
            .is_some_and(|now| now.content == self.content && now.look.is_of_the_same(&self.look));
        if same { Ok(()) } else { Err(changed(path)) }
    }
}

pub(super) fn changed(path: &Path) -> Error {
    Error::new(
        ErrorKind::Changed,
        format!(
            "{} changed while it was converted; it was left",
            path.display()
        ),
    )
}

pub(super) fn hash(mut content: impl Read) -> io::Result<BlobId> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut content, &mut hasher)?;
    Ok(BlobId::from_bytes(*hasher.finalize().as_bytes()))
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposed {
    /// It stays where it is.
    Kept,
    /// It was removed, and no archive holds it.
    Deleted,
    /// It was removed; the archive holds it.
    Archived,
    /// It is now here.
    Moved(PathBuf),
    /// It is now inside this zip file.
    Zipped(PathBuf),
}

/// Where the source is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Safety {
    /// In the archive, acknowledged.
    Archived,
    /// Nowhere else, and that is what the configuration says.
    NotWanted,
    /// Nowhere else, against what the configuration says.
    ArchiveFailed,
}

/// What is to become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It stays, to be tried again.
    Retry,
    /// It stays, and is done with.
    Stay,
    /// Off to the error folder.
    ToError,
    Post(PostAction),
}

impl Disposition {
    /// True when the file does not stay where it is.
    pub(super) fn clears(self) -> bool {
        match self {
            Self::Retry | Self::Stay | Self::Post(PostAction::Keep) => false,
            Self::ToError | Self::Post(_) => true,
        }
    }
}

/// What a disposition depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) outcome: Outcome,
    pub(super) safety: Safety,
    pub(super) configured: PostAction,
    /// What the converter asked for.
    pub(super) requested: Option<PostAction>,
    pub(super) may_retry: bool,
    pub(super) has_done_folder: bool,
    pub(super) has_error_folder: bool,
}

impl Case {
    /// Has an empty file stay: a station that writes it later must not write into the error folder, where nobody looks for sources.
    pub(super) fn of(self, seen: &Fingerprint) -> Self {
        Self {
            has_error_folder: self.has_error_folder && !seen.look.is_empty_file(),
            ..self
        }
    }

    pub(super) fn decide(self) -> Disposition {
        let aside = if self.has_error_folder {
            Disposition::ToError
        } else {
            Disposition::Stay
        };
        match self.outcome {
            Outcome::Suspended => Disposition::Retry,
            Outcome::Failed if self.may_retry => Disposition::Retry,
            Outcome::Failed | Outcome::Rejected => aside,
            Outcome::Success | Outcome::Skipped if self.safety == Safety::ArchiveFailed => aside,
            Outcome::Success | Outcome::Skipped => {
                let possible = |action: PostAction| match action {
                    PostAction::Archive => self.safety == Safety::Archived,
                    PostAction::Move | PostAction::Zip => self.has_done_folder,
                    PostAction::Delete | PostAction::Keep => true,
                };
                let action = self.requested.filter(|action| possible(*action));
                match action.unwrap_or(self.configured) {
                    action if possible(action) => Disposition::Post(action),
                    _ => Disposition::Stay,
                }
            }
        }
    }
}

/// Moves a file into a folder, made if missing, under its own name or a distinct one. Never replaces anything.
pub(super) fn move_into(source: &Path, folder: &Path, seen: &Fingerprint) -> Result<PathBuf> {
    seen.check(source)?;
    make_folder(folder)?;
    if source.is_symlink() {
        // What it leads to is wanted there, not another name of the link.
        return copy_into(source, folder, seen);
    }
    let name = source.file_name().unwrap_or_default();
    for number in 1..=NAMES_MAX {
        let target = folder.join(distinct(name, number));
        match fs::hard_link(source, &target) {
            Ok(()) => {
                sync_folder(folder)?;
                remove(source)?;
                return Ok(target);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A host that was killed here before had linked it, and not removed it yet.
                if is_the_same(source, &target) {
                    sync_folder(folder)?;
                    remove(source)?;
                    return Ok(target);
                }
            }
            // Another file system, or one without links: a copy does it.
            Err(_) => return copy_into(source, folder, seen),
        }
    }
    Err(no_name_left(name, folder))
}

/// True when both names are of one file.
#[cfg(unix)]
fn is_the_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |path: &Path| {
        fs::symlink_metadata(path)
            .map(|file| (file.dev(), file.ino()))
            .ok()
    };
    of(one).is_some_and(|one| of(other) == Some(one))
}

// Windows keeps to itself which file a name is of: a host that was killed leaves a second copy there.
#[cfg(not(unix))]
fn is_the_same(_one: &Path, _other: &Path) -> bool {
    false
}

fn copy_into(source: &Path, folder: &Path, seen: &Fingerprint) -> Result<PathBuf> {
    let name = source.file_name().unwrap_or_default();
    if let Some(target) = stand_in(name, folder, seen, hash) {
        sync_folder(folder)?;
        return give_way(source, seen, target);
    }
    let failed = |error| Error::io("copy", source, error);
    let partial = Partial::new(folder)?;
    let mut from = open(source).map_err(failed)?;
    let mut to = &partial.file;
    io::copy(&mut from, &mut to).map_err(failed)?;
    // A time that cannot be set is no reason to fail: the content is what counts.
    let _ = to.set_modified(seen.look.modified);
    to.sync_all().map_err(failed)?;
    partial.verify(hash, seen)?;
    let target = partial.publish(name, folder)?;
    give_way(source, seen, target)
}

/// Removes a source that `target` durably stands for.
fn give_way(source: &Path, seen: &Fingerprint, target: PathBuf) -> Result<PathBuf> {
    delete(source, seen)?;
    Ok(target)
}

/// What a host that was killed before it could remove the source had put in its place: of the same content and time, under a name it may
/// have given. `None` where times cannot be set: there is a second one then.
fn stand_in(
    name: &OsStr,
    folder: &Path,
    seen: &Fingerprint,
    content: impl Fn(File) -> io::Result<BlobId>,
) -> Option<PathBuf> {
    (1..=NAMES_MAX)
        .map(|number| folder.join(distinct(name, number)))
        .map_while(|target| Some((look(&target, Links::Skip).ok()??, target)))
        .filter(|(look, _)| look.modified == seen.look.modified)
        .find(|(_, target)| {
            open(target)
                .and_then(&content)
                .is_ok_and(|held| held == seen.content)
        })
        .map(|(_, target)| target)
}

/// Replaces a file by a zip file in a folder.
pub(super) fn zip_into(source: &Path, folder: &Path, seen: &Fingerprint) -> Result<PathBuf> {
    seen.check(source)?;
    make_folder(folder)?;
    let name = source.file_name().unwrap_or_default();
    let member = name.to_string_lossy();
    let mut zip_name = name.to_owned();
    zip_name.push(".zip");
    if let Some(target) = stand_in(&zip_name, folder, seen, |file| {
        zip::first(file, &member).and_then(hash)
    }) {
        sync_folder(folder)?;
        return give_way(source, seen, target);
    }
    let failed = |error| Error::io("zip", source, error);
    let mut partial = Partial::new(folder)?;
    let from = open(source).map_err(failed)?;
    let mut zip = zip::Writer::new(&mut partial.file);
    let content_at = zip.add(from, &member, seen.look.modified).map_err(failed)?;
    zip.finish().map_err(failed)?;
    // By its time a host that was killed before it removed the source knows what it made.
    let _ = partial.file.set_modified(seen.look.modified);
    partial.file.sync_all().map_err(failed)?;
    partial.verify(|file| zip::content(file, content_at).and_then(hash), seen)?;
    let target = partial.publish(&zip_name, folder)?;
    give_way(source, seen, target)
}

/// Removes a file, if it still is what was read.
pub(super) fn delete(source: &Path, seen: &Fingerprint) -> Result<()> {
    seen.check(source)?;
    remove(source)
}

/// Removes a file the archive has acknowledged, once `stored`, what the archive holds, has been read back and is the
/// file's content. A leftover report of the same stem in `done` goes with it.
pub(super) fn remove_archived(
    source: &Path,
    seen: &Fingerprint,
    stored: impl FnOnce(&BlobId) -> Result<Box<dyn Read>>,
    done: Option<&Path>,
) -> Result<()> {
    read_back(source, seen, stored)?;
    delete(source, seen)?;
    remove_leftover(source, done)
}

/// Reads back what the archive holds of a source, and compares it.
pub(super) fn read_back(
    source: &Path,
    seen: &Fingerprint,
    stored: impl FnOnce(&BlobId) -> Result<Box<dyn Read>>,
) -> Result<()> {
    let back = hash(stored(&seen.content)?).map_err(|error| {
        Error::new(
            ErrorKind::Damaged,
            format!("the archived {} cannot be read back", source.display()),
        )
        .hint("run `verify --deep`; the source was left where it is")
        .caused_by(error)
    })?;
    if back != seen.content {
        return Err(Error::new(
            ErrorKind::Damaged,
            format!("the archived {} reads back differently", source.display()),
        )
        .hint("run `verify --deep`; the source was left where it is"));
    }
    Ok(())
}

/// Removes a report that another program left in `done` for a source of this name.
pub(super) fn remove_leftover(source: &Path, done: Option<&Path>) -> Result<()> {
    if let (Some(done), Some(stem)) = (done, source.file_stem()) {
        let mut leftover = stem.to_owned();
        leftover.push(".json");
        let leftover = done.join(leftover);
        let is_file = look(&leftover, Links::Skip).is_ok_and(|look| look.is_some());
        if is_file && leftover != source {
            remove(&leftover)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| Error::io("remove", path, error))?;
    path.parent().map_or(Ok(()), sync_folder)
}

pub(super) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))
}

#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::io("sync", folder, error))
}

// Windows has no handle to sync a folder by; NTFS journals names itself.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix version can fail")]
pub(super) fn sync_folder(_folder: &Path) -> Result<()> {
    Ok(())
}

/// `unit.csv`, `unit (2).csv`, `unit (3).csv` ...
pub(super) fn distinct(name: &OsStr, number: u32) -> OsString {
    if number == 1 {
        return name.to_owned();
    }
    let path = Path::new(name);
    let mut out = path.file_stem().unwrap_or(name).to_owned();
    out.push(format!(" ({number})"));
    if let Some(extension) = path.extension() {
        out.push(".");
        out.push(extension);
    }
    out
}

pub(super) fn no_name_left(name: &OsStr, folder: &Path) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!(
            "{} holds {NAMES_MAX} of the name {}; the next one was left",
            folder.display(),
            name.display()
        ),
    )
    .hint("clear the folder out")
}

/// A name in a folder that no watch takes and nobody has.
pub(super) fn hidden(folder: &Path, what: &str) -> Result<PathBuf> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::io("name a file in", folder, io::Error::other(error)))?;
    let number = u64::from_le_bytes(bytes);
    Ok(folder.join(format!(".annals-{number:016x}.{what}")))
}

/// True for a name that [`hidden`] gives.
pub(super) fn is_hidden(name: &OsStr, what: &str) -> bool {
    let number = name.to_str().and_then(|name| {
        name.strip_prefix(".annals-")?
            .strip_suffix(what)?
            .strip_suffix('.')
    });
    number.is_some_and(|number| number.len() == 16 && u64::from_str_radix(number, 16).is_ok())
}

/// The end of the name of what is being made.
pub(super) const PARTIAL: &str = "partial";

/// What has not changed for so long, no host is still making.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Removes from `folder` the files and folders that hosts were making when they were killed; their sources are there, or were made
/// again. What cannot be looked at or removed is left: it harms nobody.
pub(super) fn remove_partials(folder: &Path, now: SystemTime) {
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = item.path();
        // By the time of change: what is made gets the time of its source.
        let abandoned = fs::symlink_metadata(&path).ok().filter(|metadata| {
            is_hidden(&item.file_name(), PARTIAL)
                && Look::of(metadata).is_ok_and(|look| look.age(now) > ABANDONED_AFTER)
        });
        let _ = match abandoned {
            Some(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Some(_) => fs::remove_file(path),
            None => Ok(()),
        };
    }
}

/// A file being made under a hidden name; removed again unless it is published.
pub(super) struct Partial {
    path: PathBuf,
    pub(super) file: File,
}

impl Partial {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let path = hidden(folder, PARTIAL)?;
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| Error::io("create", &path, error))?;
        Ok(Self { path, file })
    }

    /// Reads the file back from the beginning and compares it with what was to be written.
    pub(super) fn verify(
        &self,
        hash: impl FnOnce(File) -> io::Result<BlobId>,
        seen: &Fingerprint,
    ) -> Result<()> {
        let back = File::open(&self.path)
            .and_then(hash)
            .map_err(|error| Error::io("read back", &self.path, error))?;
        if back == seen.content {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Changed,
            format!(
                "what was written to {} is not what was read; the source was left",
                self.path.display()
            ),
        ))
    }

    /// Gives the file `name` in `folder`, or a distinct one. On `Ok` the name is durable.
    pub(super) fn publish(self, name: &OsStr, folder: &Path) -> Result<PathBuf> {
        for number in 1..=NAMES_MAX {
            let target = folder.join(distinct(name, number));
            let linked = match fs::hard_link(&self.path, &target) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    self.rename_without_links(&target)
                }
                other => other,
            };
            match linked {
                Ok(()) => {
                    // A file system without links has moved it; with links the hidden name goes on drop.
                    drop(self);
                    sync_folder(folder)?;
                    return Ok(target);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &target, error)),
            }
        }
        Err(no_name_left(name, folder))
    }

    /// For file systems without links: takes the name with an empty file first, so that nobody else's is replaced.
    fn rename_without_links(&self, target: &Path) -> io::Result<()> {
        File::create_new(target)?;
        fs::rename(&self.path, target)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // At worst a hidden file is left that nobody takes for a result.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    //! Two files of one name from two stations once left only the second in the done folder; and a source was deleted
    //! whose archived copy could not be read.

    use super::*;

    struct Bench {
        dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().expect("folder"),
            }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn source(&self, name: &str, content: &str) -> (PathBuf, Fingerprint) {
            let path = self.at(name);
            fs::write(&path, content).expect("written");
            let seen = Fingerprint::of(&path, &Shape::File(Links::Skip))
                .expect("read")
                .expect("there");
            (path, seen)
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.at(folder))
                .expect("folder")
                .map(|item| {
                    item.expect("item")
                        .file_name()
                        .to_string_lossy()
                        .into_owned()
                })
                .collect();
            names.sort();
            names
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_linked_and_not_removed_when_the_host_was_killed_is_moved_once() {
        let dir = tempfile::tempdir().expect("folder");
        let (source, done) = (dir.path().join("a.csv"), dir.path().join("done"));
        fs::write(&source, "x").expect("written");
        fs::create_dir(&done).expect("made");
        fs::hard_link(&source, done.join("a.csv")).expect("linked");
        let seen = Fingerprint::of(&source, &Shape::File(Links::Skip))
            .expect("read")
            .expect("there");
        let target = move_into(&source, &done, &seen).expect("moved");
        assert_eq!(target, done.join("a.csv"));
        assert!(!source.exists());
        assert_eq!(fs::read_dir(&done).expect("read").count(), 1);
    }

    #[test]
    fn a_file_whose_stand_in_was_there_when_the_host_was_killed_is_zipped_and_copied_once() {
        let bench = Bench::new();
        make_folder(&bench.at("done")).expect("made");
        for (name, act) in [
            ("a.csv", zip_into as fn(&_, &_, &_) -> _),
            ("b.csv", copy_into),
        ] {
            let (path, seen) = bench.source(name, "content");
            let done = bench.at("done");
            let first = act(&path, &done, &seen).expect("done");
            // The crash: what takes the file's place is there, and the file had not been removed yet.
            fs::write(&path, "content").expect("written");
            File::options()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_modified(seen.look.modified))
                .expect("set back");
            let again = Fingerprint::of(&path, &Shape::File(Links::Skip))
                .expect("read")
                .expect("there");
            assert_eq!(act(&path, &done, &again).expect("done"), first);
            assert!(!path.exists());
            // The same content later is another file.
            let (path, later) = bench.source(name, "content");
            assert_ne!(act(&path, &done, &later).expect("done"), first);
        }
        assert_eq!(
            bench.names("done"),
            ["a.csv (2).zip", "a.csv.zip", "b (2).csv", "b.csv"]
        );
    }

    /// A killed host left what it was making in the done folder, for ever.
    #[cfg(unix)]
    #[test]
    fn what_a_killed_host_was_making_goes_after_a_day_and_nothing_else_does() {
        let bench = Bench::new();
        let done = bench.at("done");
        make_folder(&done).expect("made");
        let partial = Partial::new(&done).expect("begun");
        let begun = partial.path.file_name().expect("a name").to_owned();
        // As old as its source, and yet just begun.
        partial
            .file
            .set_modified(SystemTime::now() - 9 * ABANDONED_AFTER)
            .expect("set");
        std::mem::forget(partial);
        let copy = hidden(&done, PARTIAL).expect("a name");
        fs::create_dir(&copy).expect("made");
        fs::write(copy.join("log.txt"), "x").expect("written");
        let others = [
            "a.csv",
            ".annals-list.partial",
            ".annals-0123456789abcdef.removing",
        ];
        for name in others {
            fs::write(done.join(name), "x").expect("written");
        }
        let now = SystemTime::now();
        remove_partials(&done, now + ABANDONED_AFTER / 2);
        assert!(
            bench
                .names("done")
                .contains(&begun.to_string_lossy().into_owned())
        );
        remove_partials(&done, now + 2 * ABANDONED_AFTER);
        let mut left = others.map(str::to_owned);
        left.sort();
        assert_eq!(bench.names("done"), left);
        remove_partials(&bench.at("nowhere"), now);
    }

    #[test]
    fn two_files_of_one_name_are_both_kept() {
        let bench = Bench::new();
        for content in ["unit 1", "unit 2", "unit 3"] {
            let (path, seen) = bench.source("a.csv", content);
            move_into(&path, &bench.at("done"), &seen).expect("moved");
            assert!(!path.exists());
        }
        assert_eq!(bench.names("done"), ["a (2).csv", "a (3).csv", "a.csv"]);
        let read = |name| fs::read_to_string(bench.at("done").join(name)).expect("there");
        assert_eq!(read("a.csv"), "unit 1");
        assert_eq!(read("a (3).csv"), "unit 3");
    }

    #[test]
    fn a_copy_to_another_file_system_is_verified_and_collides_with_nothing() {
        let bench = Bench::new();
        fs::create_dir(bench.at("done")).expect("made");
        fs::write(bench.at("done/a.csv"), "other").expect("written");
        let (path, seen) = bench.source("a.csv", "content");
        let target = copy_into(&path, &bench.at("done"), &seen).expect("copied");
        assert_eq!(target, bench.at("done/a (2).csv"));
        assert!(!path.exists());
        assert_eq!(bench.names("done"), ["a (2).csv", "a.csv"]);
        let copied = fs::metadata(&target)
            .and_then(|m| m.modified())
            .expect("time");
        assert_eq!(copied, seen.look.modified);
    }

    #[test]
    fn a_zip_takes_the_sources_place_under_a_distinct_name() {
        let bench = Bench::new();
        for content in ["one", "two"] {
            let (path, seen) = bench.source("a.csv", content);
            zip_into(&path, &bench.at("done"), &seen).expect("zipped");
            assert!(!path.exists());
        }
        assert_eq!(bench.names("done"), ["a.csv (2).zip", "a.csv.zip"]);
    }

    #[test]
    fn a_file_that_changed_is_left_by_every_action() {
        let bench = Bench::new();
        let (path, seen) = bench.source("a.csv", "before");
        let time = seen.look.modified;
        fs::write(&path, "behind").expect("written");
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(time))
            .expect("set back");
        let done = bench.at("done");
        let stored = |_: &BlobId| Ok(Box::new(&b"before"[..]) as Box<dyn Read>);
        let kinds = [
            move_into(&path, &done, &seen).map(|_| ()),
            copy_into_made(&path, &done, &seen),
            zip_into(&path, &done, &seen).map(|_| ()),
            delete(&path, &seen),
            remove_archived(&path, &seen, stored, None),
        ]
        .map(|result| result.map_err(|error| error.kind()));
        assert_eq!(kinds, [Err(ErrorKind::Changed); 5]);
        assert_eq!(fs::read_to_string(&path).expect("there"), "behind");
        assert!(bench.names("done").is_empty());
    }

    fn copy_into_made(source: &Path, folder: &Path, seen: &Fingerprint) -> Result<()> {
        make_folder(folder)?;
        copy_into(source, folder, seen).map(|_| ())
    }

    #[test]
    fn an_archived_source_goes_only_when_the_archive_gives_the_same_bytes_back() {
        let bench = Bench::new();
        let (path, seen) = bench.source("a.csv", "content");
        let gives = |bytes: &'static [u8]| move |_: &BlobId| Ok(Box::new(bytes) as Box<dyn Read>);
        let lost = |_: &BlobId| Err(Error::new(ErrorKind::NotFound, "no such blob"));
        let kind = |result: Result<()>| result.map_err(|error| error.kind());
        assert_eq!(
            kind(remove_archived(&path, &seen, gives(b"contend"), None)),
            Err(ErrorKind::Damaged)
        );
        assert_eq!(
            kind(remove_archived(&path, &seen, lost, None)),
            Err(ErrorKind::NotFound)
        );
        assert!(path.exists());

        fs::create_dir(bench.at("done")).expect("made");
        fs::write(bench.at("done/a.json"), "{}").expect("written");
        fs::write(bench.at("done/b.json"), "{}").expect("written");
        let done = bench.at("done");
        remove_archived(&path, &seen, gives(b"content"), Some(&done)).expect("removed");
        assert!(!path.exists());
        assert_eq!(bench.names("done"), ["b.json"]);
    }

    #[test]
    fn what_becomes_of_a_file_follows_from_how_its_conversion_ended() {
        use Disposition::{Post, Retry, Stay, ToError};
        use Outcome::{Failed, Rejected, Skipped, Success, Suspended};
        use PostAction::{Archive, Delete, Keep, Move, Zip};
        let case = |outcome, safety, configured, requested, may_retry| Case {
            outcome,
            safety,
            configured,
            requested,
            may_retry,
            has_done_folder: configured != Delete,
            has_error_folder: configured != Keep,
        };
        let (kept, unwanted, lost) = (Safety::Archived, Safety::NotWanted, Safety::ArchiveFailed);
        for (given, expected) in [
            (case(Success, kept, Archive, None, false), Post(Archive)),
            (case(Skipped, unwanted, Move, None, false), Post(Move)),
            (case(Success, unwanted, Delete, None, false), Post(Delete)),
            // The converter may ask for something else, if it is possible.
            (
                case(Success, kept, Move, Some(Archive), false),
                Post(Archive),
            ),
            (
                case(Success, unwanted, Move, Some(Archive), false),
                Post(Move),
            ),
            (
                case(Success, unwanted, Delete, Some(Zip), false),
                Post(Delete),
            ),
            // Failures are never deleted.
            (case(Failed, unwanted, Delete, Some(Delete), false), ToError),
            (case(Failed, unwanted, Delete, None, true), Retry),
            (case(Rejected, unwanted, Delete, None, true), ToError),
            (case(Failed, kept, Keep, None, false), Stay),
            (case(Suspended, kept, Archive, None, false), Retry),
            // Nor is what should be in the archive and is not.
            (case(Success, lost, Archive, None, false), ToError),
            (case(Success, lost, Delete, None, false), ToError),
            (case(Success, lost, Keep, Some(Delete), false), Stay),
        ] {
            assert_eq!(given.decide(), expected, "{given:?}");
        }
    }
}
