//! What lies in a watch folder, and whether it has stopped changing.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::config::ConverterConfig;
use super::units;
use crate::convert::{Companions, Item, Listing, Takes, Tarball, Tree, TreeError, file_of};
use crate::id::BlobId;
use crate::{Error, ErrorKind};

/// What can be seen of a file without reading it, or of all that is in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    /// When anything about it last changed. Unlike `modified`, no copying program sets it back.
    changed: SystemTime,
    /// What is in the folder, where it is one.
    inside: Option<BlobId>,
}

impl Look {
    pub(super) fn of(metadata: &Metadata) -> io::Result<Self> {
        let modified = metadata.modified()?;
        Ok(Self {
            size: metadata.len(),
            modified,
            changed: changed(metadata).unwrap_or(modified).max(modified),
            inside: None,
        })
    }

    /// Looks at all that is in a folder.
    pub(super) fn inside(folder: &Path) -> Result<(Self, Tree), TreeError> {
        Self::of_tree(|see| Tree::of(folder, see))
    }

    /// Looks at files and folders of these names in a folder, and at all that is in them.
    pub(super) fn among(folder: &Path, names: &[OsString]) -> Result<(Self, Tree), TreeError> {
        let names = names.iter().map(OsString::as_os_str);
        Self::of_tree(|see| Tree::among(folder, names, see))
    }

    fn of_tree(
        list: impl FnOnce(&mut dyn FnMut(&Metadata)) -> Result<Tree, TreeError>,
    ) -> Result<(Self, Tree), TreeError> {
        let mut last = SystemTime::UNIX_EPOCH;
        let tree = list(&mut |metadata| {
            if let Ok(look) = Self::of(metadata) {
                last = last.max(look.changed);
            }
        })?;
        let look = Self {
            size: tree.size(),
            modified: tree.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            changed: last,
            inside: Some(tree.digest()),
        };
        Ok((look, tree))
    }

    /// True of a file without content.
    pub(super) fn is_empty_file(&self) -> bool {
        self.size == 0 && !self.has_parts()
    }

    /// True of a folder, and of a file with companions.
    pub(super) fn has_parts(&self) -> bool {
        self.inside.is_some()
    }

    /// True when it is of what is still there, whatever a backup did to its time of change.
    pub(super) fn is_of_the_same(&self, other: &Self) -> bool {
        (self.size, self.modified, self.inside) == (other.size, other.modified, other.inside)
    }

    /// How long the file has certainly been as it is; nothing when its times lie in the future.
    pub(super) fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.changed).unwrap_or_default()
    }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanos = u32::try_from(metadata.ctime_nsec()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

// Windows keeps the time of change to itself; copies there show their size and time only at their end.
#[cfg(not(unix))]
fn changed(_metadata: &Metadata) -> Option<SystemTime> {
    None
}

/// A file somebody may want converted.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) name: OsString,
    pub(super) look: Look,
    /// What can be seen of the file alone, or of the folder.
    pub(super) main: Look,
    /// The names beside it that belong to it.
    pub(super) companions: Vec<OsString>,
    /// Why it is not to be taken yet, however long it stays as it is.
    pub(super) incomplete: Option<String>,
    /// Place of its converter in the configuration.
    pub(super) converter: usize,
}

impl Candidate {
    /// The paths of what belongs to it.
    pub(super) fn companion_paths(&self) -> impl Iterator<Item = PathBuf> {
        self.companions
            .iter()
            .map(|name| self.path.with_file_name(name))
    }
}

/// Whether a file is taken while a program has it open for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Writers {
    /// Not before it is closed.
    WaitFor,
    /// It is taken when it has settled.
    Ignore,
}

/// Whether a link is taken for what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Links {
    /// It is passed over.
    Skip,
    /// It is.
    Follow,
}

/// What a converter takes, and how it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    File(Links),
    Folder,
    WithCompanions(Companions),
}

/// The files and folders that a source is made of.
pub(super) struct Parts<'a> {
    /// What their paths are relative to.
    pub(super) root: &'a Path,
    pub(super) tree: Tree,
    /// The main file, where they are one with its companions.
    pub(super) main: Option<&'a OsStr>,
}

impl Parts<'_> {
    /// All of them as one tar file.
    pub(super) fn tarball(&self) -> io::Result<Box<dyn Read + '_>> {
        self.tarball_of(|item| file_of(self.root, item))
    }

    /// The same tar file of files that are opened in another way.
    pub(super) fn tarball_of<'p>(
        &'p self,
        open: impl FnMut(&Item) -> io::Result<Box<dyn Read>> + 'p,
    ) -> io::Result<Box<dyn Read + 'p>> {
        Ok(match self.main {
            Some(main) => Box::new(Tarball::with_main(&self.tree, main, open)?),
            None => Box::new(Tarball::new(&self.tree, open)),
        })
    }

    /// The names that stand directly in the root, the main file's first.
    pub(super) fn names(&self) -> Vec<OsString> {
        let tops = self.tree.items.iter().map(|item| item.path.as_os_str());
        let mut names: Vec<OsString> = tops
            .filter(|path| Path::new(path).file_name() == Some(path))
            .map(OsStr::to_owned)
            .collect();
        names.sort_by_key(|name| self.main != Some(name.as_os_str()));
        names
    }
}

/// Looks at what a source is made of. `None` for a file that has no companions.
pub(super) fn parts<'a>(
    path: &'a Path,
    shape: &Shape,
) -> Result<Option<(Look, Parts<'a>)>, TreeError> {
    match shape {
        Shape::File(_) => return Ok(None),
        Shape::Folder => {
            let (look, tree) = Look::inside(path)?;
            let parts = Parts {
                root: path,
                tree,
                main: None,
            };
            return Ok(Some((look, parts)));
        }
        Shape::WithCompanions(_) => {}
    }
    let (Some(root), Some(main)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    let mut names = companions_of(path, shape).map_err(|source| TreeError::Unreadable {
        path: PathBuf::from("."),
        source,
    })?;
    if names.is_empty() {
        return Ok(None);
    }
    names.push(main.to_owned());
    let (look, tree) = Look::among(root, &names)?;
    let parts = Parts {
        root,
        tree,
        main: Some(main),
    };
    Ok(Some((look, parts)))
}

/// The names of the companions that a source has now.
pub(super) fn companions_of(path: &Path, shape: &Shape) -> io::Result<Vec<OsString>> {
    match (shape, path.parent(), path.file_name()) {
        (Shape::WithCompanions(companions), Some(folder), Some(main)) => {
            Ok(companions.beside(main, &Listing::of(folder)?).names)
        }
        _ => Ok(Vec::new()),
    }
}

/// Looks at a file; `None` when it is no regular file, or gone.
pub(super) fn look(path: &Path, links: Links) -> io::Result<Option<Look>> {
    let metadata = match links {
        Links::Skip => fs::symlink_metadata(path),
        Links::Follow => fs::metadata(path),
    };
    match metadata {
        Ok(metadata) if metadata.is_file() => Look::of(&metadata).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a file that was looked at, without waiting at a pipe that has taken its place.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file any more"))
    }
}

/// What stands in a watch folder.
#[derive(Default)]
pub(super) struct Scanned {
    pub(super) candidates: Vec<Candidate>,
    /// What cannot be looked at, what is complete and no source as it is, and why.
    pub(super) refused: Vec<(PathBuf, Error)>,
    /// What belongs to files that are not there.
    pub(super) alone: Vec<PathBuf>,
}

/// The regular files directly in a converter's watch folder that it takes. Folders, pipes and hidden files are passed over, and links
/// unless it follows them. Where it takes folders, those that are complete, and nothing else. Where
/// files have companions, each with those it has.
pub(super) fn scan(
    config: &ConverterConfig,
    folder: &Path,
    converter: usize,
) -> io::Result<Scanned> {
    if let Takes::WithCompanions(companions) = &config.converter.takes {
        return units::scan(config, companions, folder, converter);
    }
    let mut scanned = Scanned::default();
    for item in fs::read_dir(folder)? {
        // An entry that cannot be read has no name to tell: the folder is listed again soon.
        let item = item?;
        let name = item.file_name();
        if !config.takes(&name.to_string_lossy()) {
            continue;
        }
        let path = item.path();
        let seen = match &config.complete_marker {
            None => match look(&path, config.links) {
                Ok(seen) => seen,
                Err(error) => {
                    let error = Error::io("look at", &path, error);
                    scanned.refused.push((path.clone(), error));
                    None
                }
            },
            Some(marker) => match look_complete(&path, marker) {
                Ok(seen) => seen,
                Err(error) if error.is_gone() => None,
                Err(error) => {
                    scanned.refused.push((path.clone(), refused(&path, error)));
                    None
                }
            },
        };
        if let Some(look) = seen {
            scanned.candidates.push(Candidate {
                path,
                name,
                look,
                companions: Vec::new(),
                main: look,
                incomplete: None,
                converter,
            });
        }
    }
    Ok(scanned)
}

/// Looks at a folder; `None` when it is none, or holds no marker yet.
fn look_complete(path: &Path, marker: &str) -> Result<Option<Look>, TreeError> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    // The marker is looked at first: what is not complete need not be listed.
    let is_complete = || look(&path.join(marker), Links::Skip).is_ok_and(|look| look.is_some());
    if !is_folder || !is_complete() {
        return Ok(None);
    }
    Look::inside(path).map(|(look, _)| Some(look))
}

/// A folder that cannot be a source as it is.
pub(super) fn refused(folder: &Path, error: TreeError) -> Error {
    let kind = if error.is_gone() {
        ErrorKind::Changed
    } else {
        ErrorKind::Refused
    };
    Error::new(kind, format!("{} was left: {error}", folder.display())).caused_by(error)
}

/// Orders by the converter's priority, then the oldest first, and keeps each file once, be it a
/// source or a companion. Answers the files that were left out because a companion of theirs is
/// another converter's.
pub(super) fn order(
    candidates: &mut Vec<Candidate>,
    converters: &[ConverterConfig],
) -> Vec<PathBuf> {
    let priority = |candidate: &Candidate| {
        let config = converters.get(candidate.converter);
        config.map_or(u8::MAX, |config| config.priority)
    };
    candidates.sort_by(|a, b| {
        (priority(a), a.converter)
            .cmp(&(priority(b), b.converter))
            .then_with(|| a.path.cmp(&b.path))
    });
    let mut taken = std::collections::HashSet::new();
    let mut robbed = Vec::new();
    candidates.retain(|candidate| {
        let companions: Vec<PathBuf> = candidate.companion_paths().collect();
        let is_free = |path: &PathBuf| !taken.contains(path);
        if !is_free(&candidate.path) {
            return false;
        }
        if !companions.iter().all(is_free) {
            robbed.push(candidate.path.clone());
            return false;
        }
        taken.insert(candidate.path.clone());
        taken.extend(companions);
        true
    });
    candidates.sort_by(|a, b| {
        (priority(a), a.look.modified, &a.name).cmp(&(priority(b), b.look.modified, &b.name))
    });
    robbed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Config;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("host.toml")).expect("valid")
    }

    fn candidate(path: &str, seconds: u64, converter: usize) -> Candidate {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let look = Look {
            size: 1,
            modified: time,
            changed: time,
            inside: None,
        };
        Candidate {
            path: path.into(),
            name: path.into(),
            look,
            main: look,
            companions: Vec::new(),
            incomplete: None,
            converter,
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_settled_looking_regular_files_of_the_right_name_are_found() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |name: &str| dir.path().join(name);
        for name in ["a.csv", "B.CSV", ".hidden.csv", "c.csv.part", "d.log"] {
            fs::write(at(name), "x").expect("written");
        }
        fs::create_dir(at("folder.csv")).expect("made");
        std::os::unix::fs::symlink(at("a.csv"), at("link.csv")).expect("made");
        let fifo = std::process::Command::new("mkfifo")
            .arg(at("pipe.csv"))
            .status();
        assert!(fifo.is_ok_and(|status| status.success()));
        let config = config(
            "[[converter]]\nname = \"x\"\ncommand = [\"x\", \"{input}\"]\npatterns = [\"*.csv*\"]\n",
        );
        let scanned = scan(&config.converters[0], dir.path(), 0).expect("read");
        let mut found = scanned.candidates;
        order(&mut found, &config.converters);
        let mut names: Vec<_> = found.iter().map(|c| c.name.to_string_lossy()).collect();
        names.sort();
        assert_eq!(names, ["B.CSV", "a.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_folders_with_the_marker_are_found_where_there_is_one() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |name: &str| dir.path().join(name);
        for name in ["a", "open", ".annals-1.removing", "linked", "odd"] {
            fs::create_dir_all(at(name).join("images")).expect("made");
            fs::write(at(name).join("images/1.png"), "x").expect("written");
        }
        for name in ["a", ".annals-1.removing", "linked"] {
            fs::write(at(name).join("DONE"), "").expect("written");
        }
        // A folder of that name says nothing.
        fs::create_dir(at("odd/DONE")).expect("made");
        std::os::unix::fs::symlink("/etc/hostname", at("linked/images/2.png")).expect("made");
        std::os::unix::fs::symlink(at("a"), at("link")).expect("made");
        fs::write(at("file"), "x").expect("written");
        let config = config(
            "[[converter]]\nname = \"x\"\ncommand = [\"x\", \"{input}\"]\ncomplete_marker = \"DONE\"\n",
        );
        let scanned = scan(&config.converters[0], dir.path(), 0).expect("read");
        let names: Vec<_> = scanned.candidates.iter().map(|found| &found.name).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(scanned.candidates[0].look.size, 1);
        let [(path, error)] = &scanned.refused[..] else {
            panic!("{:?}", scanned.refused);
        };
        assert_eq!(*path, at("linked"));
        assert!(
            error.to_string().contains("images/2.png in it is a link"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_as_old_as_the_last_change_to_anything_in_it() {
        let dir = tempfile::tempdir().expect("folder");
        fs::create_dir(dir.path().join("images")).expect("made");
        fs::write(dir.path().join("images/1.png"), "x").expect("written");
        let before = Look::inside(dir.path()).expect("allowed").0;
        std::thread::sleep(Duration::from_millis(50));
        // Copying programs set times back; the time of change tells all the same.
        let path = dir.path().join("images/1.png");
        fs::write(&path, "y").expect("written");
        let file = File::options().write(true).open(&path).expect("there");
        file.set_modified(before.modified).expect("set");
        let after = Look::inside(dir.path()).expect("allowed").0;
        assert!(after.is_of_the_same(&before));
        assert!(after != before && after.changed > before.changed);
    }

    #[test]
    fn urgent_converters_come_first_then_old_files_and_each_file_once() {
        let config = config(
            "[[converter]]\nname = \"slow\"\ncommand = [\"x\", \"{input}\"]\npriority = 9\n\
             [[converter]]\nname = \"fast\"\ncommand = [\"x\", \"{input}\"]\npriority = 1\n",
        );
        let mut all = vec![
            candidate("both", 5, 0),
            candidate("old", 1, 0),
            candidate("new", 7, 1),
            candidate("both", 5, 1),
        ];
        order(&mut all, &config.converters);
        let order: Vec<_> = all
            .iter()
            .map(|c| (c.path.to_string_lossy(), c.converter))
            .collect();
        assert_eq!(
            order,
            [("both".into(), 1), ("new".into(), 1), ("old".into(), 0)]
        );
    }

    /// Two converters of one folder: one took the waveform of the other's unit, and the rest was
    /// taken as if it were all.
    #[test]
    fn a_file_whose_companion_another_converter_takes_is_left_and_named() {
        let config = config(
            "[[converter]]\nname = \"units\"\ncommand = [\"x\", \"{input}\"]\n\
             [[converter]]\nname = \"waves\"\ncommand = [\"x\", \"{input}\"]\npriority = 1\n",
        );
        let unit = Candidate {
            companions: vec!["a.wav".into()],
            ..candidate("in/a.txt", 1, 0)
        };
        let mut all = vec![
            unit,
            candidate("in/a.wav", 2, 1),
            candidate("in/b.txt", 3, 0),
        ];
        let robbed = order(&mut all, &config.converters);
        assert_eq!(robbed, [PathBuf::from("in/a.txt")]);
        let left: Vec<_> = all
            .iter()
            .map(|found| found.path.to_string_lossy())
            .collect();
        assert_eq!(left, ["in/a.wav", "in/b.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_a_files_place_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("folder");
        let pipe = dir.path().join("a.csv");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()));
        assert!(open(&pipe).is_err());
    }

    #[test]
    fn a_file_from_the_future_has_no_age() {
        let now = SystemTime::now();
        let look = Look {
            size: 0,
            modified: now,
            changed: now + Duration::from_secs(60),
            inside: None,
        };
        assert_eq!(look.age(now), Duration::ZERO);
    }
}
