//! Clearing a main file and its companions away together: all of them, or none.
//!
//! They are first moved into a hidden folder beside them, the main file first, where no station writes to them by name. There they
//! are compared with what was read. Only then that folder gets a name that says that it is on its way out, or it is moved, in one
//! step, into the folder they are to go to. So what a killed host leaves tells the next one what to do, without a list that
//! somebody else could have written: what was not compared is put back, what was is removed, or is given its names.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::folder::{Folder, PartialFolder, rename_free};
use super::intake::{Look, Parts, companions_of, parts, refused};
use super::post_process::{
    Fingerprint, NAMES_MAX, Partial, changed, distinct, hash, hidden, is_hidden, make_folder,
    no_name_left, sync_folder,
};
use super::zip;
use crate::convert::{Item, Kind, Tarball, file_of, make_private, unpack};
use crate::{Error, ErrorKind, Result};

/// The end of the name of a folder whose content was not compared yet.
const ASIDE: &str = "aside";
/// The end of the name of a folder whose content is being removed.
const CLEARED: &str = "cleared";
/// The end of the name of a folder whose content is being given its names in the folder around it.
const PLACING: &str = "placing";

/// A source that is more than a file.
#[derive(Clone, Copy)]
pub(super) enum Whole<'a> {
    Folder(Folder<'a>),
    Group(Group<'a>),
}

impl Whole<'_> {
    /// Removes exactly what was read, and nothing if anything of it is not as it was.
    pub(super) fn remove(self) -> Result<()> {
        match self {
            Self::Folder(folder) => folder.remove(),
            Self::Group(group) => group.remove(),
        }
    }

    /// Moves all of it into a folder. Returns where it is.
    pub(super) fn move_into(self, target: &Path) -> Result<PathBuf> {
        match self {
            Self::Folder(folder) => folder.move_into(target),
            Self::Group(group) => group.move_into(target),
        }
    }

    /// Replaces all of it by one zip file in a folder. Returns where that is.
    pub(super) fn zip_into(self, target: &Path) -> Result<PathBuf> {
        match self {
            Self::Folder(folder) => folder.zip_into(target),
            Self::Group(group) => group.zip_into(target),
        }
    }
}

/// A converted main file with companions, that are to be cleared away.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    /// The main file.
    pub(super) path: &'a Path,
    pub(super) seen: &'a Fingerprint,
}

impl<'a> Group<'a> {
    /// Removes exactly what was read, and nothing if anything of it is not as it was.
    pub(super) fn remove(self) -> Result<()> {
        self.set_aside(|aside| {
            aside.remove()?;
            Ok(())
        })
    }

    /// Moves all of it into a folder, made if missing, under its names or distinct ones. Never replaces anything. Returns where the
    /// main file is.
    pub(super) fn move_into(self, target: &Path) -> Result<PathBuf> {
        make_folder(target)?;
        let placing = self.set_aside(|aside| {
            let placing = hidden(target, PLACING)?;
            // To another file system a copy has to do.
            if fs::rename(aside.path, &placing).is_err() {
                aside.copy_to(target, &placing)?;
                aside.remove()?;
            }
            sync_folder(target)?;
            sync_folder(self.folder())?;
            Ok(placing)
        })?;
        Ok(place(&placing, target, self.main())?.1)
    }

    /// Replaces all of it by one zip file in a folder.
    pub(super) fn zip_into(self, target: &Path) -> Result<PathBuf> {
        make_folder(target)?;
        self.set_aside(|aside| {
            let to = aside.zip_to(target)?;
            aside.remove()?;
            Ok(to)
        })
    }

    fn main(self) -> &'a OsStr {
        self.path.file_name().unwrap_or_default()
    }

    fn folder(self) -> &'a Path {
        let parent = self.path.parent().filter(|path| *path != Path::new(""));
        parent.unwrap_or(Path::new("."))
    }

    /// Sets all of it aside, compares it with what was read, and acts on it. When any of that fails, it goes back.
    fn set_aside<T>(self, act: impl FnOnce(&Aside<'_>) -> Result<T>) -> Result<T> {
        let path = hidden(self.folder(), ASIDE)?;
        make_private(&path).map_err(|error| Error::io("create", &path, error))?;
        let _in_use = lock(&path);
        let acted = self.gather(&path).and_then(|parts| {
            let aside = Aside {
                group: self,
                path: &path,
                parts,
            };
            act(&aside)
        });
        acted.map_err(|error| match put_back(&path, self.folder(), self.main()) {
            Ok(()) => error,
            Err(back) => {
                let message = format!("{}; {}", error.message(), back.message());
                Error::new(error.kind(), message).caused_by(error)
            }
        })
    }

    /// Moves what was read into the folder `aside`, and compares it there.
    fn gather<'p>(self, aside: &'p Path) -> Result<Parts<'p>>
    where
        'a: 'p,
    {
        let read = |error| Error::io("read", self.path, error);
        let now = parts(self.path, &self.seen.shape).map_err(|error| refused(self.path, error))?;
        let Some((look, now)) = now else {
            return Err(changed(self.path));
        };
        if !look.is_of_the_same(&self.seen.look) {
            return Err(changed(self.path));
        }
        let names = now.names();
        for name in &names {
            let from = self.folder().join(name);
            rename_free(&from, &aside.join(name)).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => changed(self.path),
                _ => Error::io("set aside", &from, error),
            })?;
        }
        // What came meanwhile belongs to it too.
        if !companions_of(self.path, &self.seen.shape)
            .map_err(read)?
            .is_empty()
        {
            return Err(changed(self.path));
        }
        let (look, tree) = Look::among(aside, &names).map_err(|error| refused(self.path, error))?;
        let parts = Parts {
            root: aside,
            tree,
            main: Some(self.main()),
        };
        let content = parts.tarball().and_then(hash).map_err(read)?;
        if content == self.seen.content && look.is_of_the_same(&self.seen.look) {
            Ok(parts)
        } else {
            Err(changed(self.path))
        }
    }
}

/// A main file with its companions in a folder of their own, compared with what was read.
struct Aside<'a> {
    group: Group<'a>,
    path: &'a Path,
    parts: Parts<'a>,
}

impl Aside<'_> {
    /// Removes what was compared. Anything else that is there now is put back.
    fn remove(&self) -> Result<()> {
        let folder = self.group.folder();
        let cleared = hidden(folder, CLEARED)?;
        fs::rename(self.path, &cleared).map_err(|error| Error::io("remove", self.path, error))?;
        sync_folder(folder)?;
        // What is in a folder comes after it.
        let items = self.parts.tree.items.iter().rev();
        let removed = items
            .map(|item| (cleared.join(&item.path), item.kind))
            .try_for_each(|(path, kind)| match kind {
                Kind::Folder => fs::remove_dir(path),
                Kind::File { .. } => fs::remove_file(path),
            })
            .and_then(|()| fs::remove_dir(&cleared));
        match removed {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                put_back(&cleared, folder, self.group.main())?;
                Err(changed(self.group.path))
            }
            removed => {
                removed.map_err(|error| Error::io("remove", self.group.path, error))?;
                sync_folder(folder)
            }
        }
    }

    /// Copies it to another file system, into a folder `placing` that is durable on `Ok`.
    fn copy_to(&self, target: &Path, placing: &Path) -> Result<()> {
        let failed = |error| Error::io("copy", self.group.path, error);
        let copy = PartialFolder::new(target)?;
        let mut content = self.parts.tarball().map_err(failed)?;
        unpack(&mut content, &copy.path).map_err(|error| {
            let message = format!("cannot copy {}: {error}", self.group.path.display());
            Error::new(ErrorKind::Io, message).caused_by(error)
        })?;
        copy.settle(&self.parts.tree, self.path)?;
        // By the tree of the source: not every file system keeps times as exactly.
        let open = |item: &Item| file_of(&copy.path, item);
        let back = Tarball::with_main(&self.parts.tree, self.group.main(), open).and_then(hash);
        let back = back.map_err(|error| Error::io("read back", &copy.path, error))?;
        if back != self.group.seen.content {
            return Err(changed(self.group.path));
        }
        fs::rename(&copy.path, placing).map_err(failed)
    }

    /// Makes a zip file of it. Returns where that is; on `Ok` it is durable.
    fn zip_to(&self, target: &Path) -> Result<PathBuf> {
        let failed = |error| Error::io("zip", self.group.path, error);
        let mut partial = Partial::new(target)?;
        let mut zip = zip::Writer::new(&mut partial.file);
        let mut contents = std::collections::HashMap::new();
        for item in &self.parts.tree.items {
            let name = item.path.to_string_lossy();
            match item.kind {
                Kind::Folder => zip.add_folder(&name, self.group.seen.look.modified),
                Kind::File { modified, .. } => file_of(self.path, item)
                    .and_then(|content| zip.add(content, &name, modified))
                    .map(|at| {
                        contents.insert(item.path.as_path(), at);
                    }),
            }
            .map_err(failed)?;
        }
        zip.finish().map_err(failed)?;
        partial.file.sync_all().map_err(failed)?;
        let member = |zip: &File, item: &Item| -> io::Result<Box<dyn Read>> {
            let at = contents.get(item.path.as_path()).copied();
            Ok(Box::new(zip::content(
                zip.try_clone()?,
                at.unwrap_or_default(),
            )?))
        };
        let back = |zip: File| {
            let open = |item: &Item| member(&zip, item);
            Tarball::with_main(&self.parts.tree, self.group.main(), open).and_then(hash)
        };
        partial.verify(back, self.group.seen)?;
        let mut name = self.group.main().to_owned();
        name.push(".zip");
        partial.publish(&name, target)
    }
}

/// Gives what is in a hidden folder its names back, or distinct ones where others have taken them. All is well when the folder is not
/// there: what was in it went on its way.
fn put_back(aside: &Path, folder: &Path, main: &OsStr) -> Result<()> {
    if matches!(fs::symlink_metadata(aside), Err(error) if error.kind() == io::ErrorKind::NotFound)
    {
        return Ok(());
    }
    let (name, to) = place(aside, folder, main).map_err(|error| {
        let message = format!(
            "what belongs to it is still in {} and is put back at the next start of the host: {error}",
            aside.display()
        );
        Error::new(error.kind(), message).caused_by(error)
    })?;
    if to.file_name() == Some(&*name) {
        return Ok(());
    }
    let message = format!(
        "its name was taken meanwhile, so it is now {}",
        to.display()
    );
    Err(Error::new(ErrorKind::Changed, message))
}

/// Gives what is in a hidden folder its names in `target`, the main file's first, all with the same number where some are taken.
/// Returns what the first one was called, and where it is.
fn place(from: &Path, target: &Path, main: &OsStr) -> Result<(OsString, PathBuf)> {
    let list = |error| Error::io("list", from, error);
    let mut found: Vec<(OsString, bool)> = Vec::new();
    for item in fs::read_dir(from).map_err(list)? {
        let item = item.map_err(list)?;
        let is_folder = item.file_type().map_err(list)?.is_dir();
        found.push((item.file_name(), is_folder));
    }
    found.sort_by_key(|(name, is_folder)| (name != main, *is_folder, name.clone()));
    let is_free = |number: &u32| {
        let mut names = found
            .iter()
            .map(|(name, is_folder)| numbered(name, *is_folder, *number));
        !names.any(|name| fs::symlink_metadata(target.join(name)).is_ok())
    };
    let number = (1..=NAMES_MAX).find(is_free).unwrap_or(NAMES_MAX);
    let mut first = None;
    for (name, is_folder) in &found {
        let to = place_one(&from.join(name), target, name, *is_folder, number)?;
        first.get_or_insert_with(|| (name.clone(), to));
    }
    fs::remove_dir(from).map_err(|error| Error::io("remove", from, error))?;
    sync_folder(target)?;
    from.parent().map_or(Ok(()), sync_folder)?;
    Ok(first.unwrap_or_else(|| (main.to_owned(), target.join(main))))
}

fn place_one(
    from: &Path,
    target: &Path,
    name: &OsStr,
    is_folder: bool,
    number: u32,
) -> Result<PathBuf> {
    for number in number..=NAMES_MAX {
        let to = target.join(numbered(name, is_folder, number));
        match rename_free(from, &to) {
            Ok(()) => return Ok(to),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &to, error)),
        }
    }
    Err(no_name_left(name, target))
}

/// `unit (2).csv` and its folder `unit (2)`, so that they still belong together.
fn numbered(name: &OsStr, is_folder: bool, number: u32) -> OsString {
    if !is_folder || number == 1 {
        return distinct(name, number);
    }
    let mut out = name.to_owned();
    out.push(format!(" ({number})"));
    out
}

/// Ends what a host that was killed had begun in a watch folder. Answers what could not be ended.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn recover(watched: &Path) -> io::Result<Vec<Error>> {
    each_left(watched, |path, name| {
        if is_hidden(name, ASIDE) {
            put_back(path, watched, OsStr::new(""))
        } else if is_hidden(name, CLEARED) {
            // Links in it are removed, not followed.
            fs::remove_dir_all(path).map_err(|error| Error::io("remove", path, error))
        } else {
            Ok(())
        }
    })
}

/// Ends what a host that was killed had begun in a done or error folder. Answers what could not be ended.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn finish_placing(target: &Path) -> io::Result<Vec<Error>> {
    each_left(target, |path, name| {
        if is_hidden(name, PLACING) {
            place(path, target, OsStr::new("")).map(|_| ())
        } else {
            Ok(())
        }
    })
}

/// Shows `end` each folder with a hidden name that a host of this account made and no host is at work on.
fn each_left(
    folder: &Path,
    mut end: impl FnMut(&Path, &OsStr) -> Result<()>,
) -> io::Result<Vec<Error>> {
    let mut troubles = Vec::new();
    for item in fs::read_dir(folder)? {
        let item = item?;
        let name = item.file_name();
        let is_left = [ASIDE, CLEARED, PLACING]
            .iter()
            .any(|what| is_hidden(&name, what));
        if !is_left || !item.metadata().is_ok_and(|found| is_ours(&found)) {
            continue;
        }
        let path = item.path();
        if let Some(_held) = lock(&path) {
            troubles.extend(end(&path, &name).err());
        }
    }
    Ok(troubles)
}

/// Holds a folder that is worked on; a killed process lets go of it. `None` when another process holds it.
#[cfg(unix)]
fn lock(path: &Path) -> Option<File> {
    let folder = File::open(path).ok()?;
    folder.try_lock().ok()?;
    Some(folder)
}

// Windows opens no folders: two hosts on one watch folder are told apart by nothing there.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix version can fail")]
fn lock(_path: &Path) -> Option<()> {
    Some(())
}

/// True for a folder that only this account could have made and filled.
#[cfg(unix)]
fn is_ours(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_closed = found.mode() & 0o022 == 0;
    found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && is_closed
}

#[cfg(not(unix))]
fn is_ours(found: &fs::Metadata) -> bool {
    found.is_dir()
}

#[cfg(all(test, unix))]
mod tests {
    //! A host was killed between the text of a unit and its folder; the text was in the done folder, the folder for ever where it was.

    use super::super::intake::Shape;
    use super::*;
    use crate::convert::{Companions, Need, Pattern};

    struct Bench {
        dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let bench = Self {
                dir: tempfile::tempdir().expect("folder"),
            };
            for folder in ["in/unit", "done"] {
                fs::create_dir_all(bench.at(folder)).expect("made");
            }
            fs::write(bench.at("in/unit.txt"), "text").expect("written");
            fs::write(bench.at("in/unit/values"), "values").expect("written");
            bench
        }

        fn at(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn seen(&self) -> Fingerprint {
            let pattern = Pattern::parse("{stem}*/", Need::Optional).expect("valid");
            let none = globset::GlobSet::default;
            let shape = Shape::WithCompanions(Companions::new(vec![pattern], none(), none()));
            let seen = Fingerprint::of(&self.at("in/unit.txt"), &shape).expect("read");
            seen.expect("there")
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let items = fs::read_dir(self.at(folder)).expect("listed");
            let name = |item: io::Result<fs::DirEntry>| {
                item.expect("item")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            };
            let mut names: Vec<String> = items.map(name).collect();
            names.sort();
            names
        }

        /// Makes a hidden folder as a killed host leaves it, with a main file in it and its folder still outside.
        fn half_way(&self, folder: &str, what: &str) -> PathBuf {
            let aside = hidden(&self.at(folder), what).expect("named");
            make_private(&aside).expect("made");
            fs::rename(self.at("in/unit.txt"), aside.join("unit.txt")).expect("moved");
            aside
        }
    }

    #[test]
    fn what_was_not_compared_before_the_host_was_killed_is_put_back() {
        let bench = Bench::new();
        bench.half_way("in", ASIDE);
        assert!(recover(&bench.at("in")).expect("listed").is_empty());
        assert_eq!(bench.names("in"), ["unit", "unit.txt"]);
        // The station has written the next unit of that name meanwhile.
        bench.half_way("in", ASIDE);
        fs::write(bench.at("in/unit.txt"), "next").expect("written");
        let told = recover(&bench.at("in")).expect("listed");
        assert_eq!(told.len(), 1);
        assert!(told[0].to_string().contains("unit (2).txt"), "{}", told[0]);
        assert_eq!(bench.names("in"), ["unit", "unit (2).txt", "unit.txt"]);
    }

    #[test]
    fn what_was_compared_before_the_host_was_killed_goes_all_the_way() {
        let bench = Bench::new();
        for (folder, what) in [("in", CLEARED), ("done", PLACING)] {
            let aside = bench.half_way(folder, what);
            fs::rename(bench.at("in/unit"), aside.join("unit")).expect("moved");
            assert!(recover(&bench.at("in")).expect("listed").is_empty());
            assert!(
                finish_placing(&bench.at("done"))
                    .expect("listed")
                    .is_empty()
            );
            assert!(bench.names("in").is_empty());
            fs::create_dir(bench.at("in/unit")).expect("made");
            fs::write(bench.at("in/unit.txt"), "text").expect("written");
        }
        assert_eq!(bench.names("done"), ["unit", "unit.txt"]);
    }

    /// Somebody who may write to the watch folder planted one of these folders, to have a host give others' files new names.
    #[test]
    fn a_hidden_folder_that_others_can_write_to_is_left_alone() {
        use std::os::unix::fs::PermissionsExt;
        let bench = Bench::new();
        let aside = bench.half_way("in", CLEARED);
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o777)).expect("set");
        assert!(recover(&bench.at("in")).expect("listed").is_empty());
        assert!(aside.join("unit.txt").exists());
    }

    #[test]
    fn a_unit_of_which_anything_changed_is_left_as_it_is() {
        let changes: [fn(&Bench); 4] = [
            |bench| fs::write(bench.at("in/unit/values"), "VALUES").expect("written"),
            |bench| fs::write(bench.at("in/unit/more"), "more").expect("written"),
            |bench| fs::create_dir(bench.at("in/unit-2")).expect("made"),
            |bench| fs::remove_file(bench.at("in/unit/values")).expect("removed"),
        ];
        for change in changes {
            let bench = Bench::new();
            let (path, seen) = (bench.at("in/unit.txt"), bench.seen());
            change(&bench);
            let before = bench.names("in");
            let group = Group {
                path: &path,
                seen: &seen,
            };
            let done = bench.at("done");
            let kinds = [
                group.remove(),
                group.move_into(&done).map(|_| ()),
                group.zip_into(&done).map(|_| ()),
            ]
            .map(|done| done.map_err(|error| error.kind()));
            assert_eq!(kinds, [Err(ErrorKind::Changed); 3]);
            assert_eq!(bench.names("in"), before);
            assert!(bench.names("done").is_empty());
        }
    }

    #[test]
    fn to_another_file_system_a_verified_copy_goes() {
        let bench = Bench::new();
        let (path, seen) = (bench.at("in/unit.txt"), bench.seen());
        let group = Group {
            path: &path,
            seen: &seen,
        };
        let done = bench.at("done");
        let placing = hidden(&done, PLACING).expect("named");
        let copied = group.set_aside(|aside| {
            aside.copy_to(&done, &placing)?;
            aside.remove()
        });
        copied.expect("copied");
        place(&placing, &done, OsStr::new("unit.txt")).expect("placed");
        assert!(bench.names("in").is_empty());
        assert_eq!(bench.names("done"), ["unit", "unit.txt"]);
        let values = fs::read_to_string(bench.at("done/unit/values")).expect("there");
        assert_eq!(values, "values");
    }
}
