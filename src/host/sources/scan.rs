//! Lists the sources in one watch folder.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, DirEntry};
use std::io::{self};
use std::path::{Path, PathBuf};

use super::candidate::{Candidate, Scanned};
use super::file_meta::{FileMeta, file_meta};
use super::groups;
use super::parts::refused;
use crate::Error;
use crate::convert::{Takes, TreeError};
use crate::host::config::settings::{ConverterConfig, Links, Subfolders};
use crate::host::file_id::FileId;

/// Lists what a converter takes from its watch folder.
///
/// - Files: regular files directly in the folder, and in its subfolders if the converter reads
///   them. Pipes and hidden files are ignored, and links unless the converter follows them. Links
///   to folders are never followed.
/// - Folders: only those that are complete.
/// - Files with companions: each file with the companions it has.
pub(super) fn scan(
    config: &ConverterConfig,
    folder: &Path,
    converter: usize,
) -> io::Result<Scanned> {
    if let Takes::WithCompanions(companions) = &config.converter.takes {
        return groups::scan(config, companions, folder, converter);
    }
    let mut scanned = Scanned::default();
    let mut known = HashSet::new();
    let mut ahead = VecDeque::new();
    let below = list(config, folder, converter, &mut scanned)?;
    if !below.is_empty() {
        known.insert(FileId::of_target(folder)?);
        ahead.extend(below);
    }
    while let Some(folder) = ahead.pop_front() {
        // A folder that is mounted in two places is read once.
        match FileId::of_target(&folder).map(|id| known.insert(id)) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let error = Error::io("list", &folder, error);
                scanned.refused.push((folder, error));
                continue;
            }
        }
        match list(config, &folder, converter, &mut scanned) {
            Ok(below) => ahead.extend(below),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // The others are read. This one is told as something that keeps its place.
            Err(error) => {
                let error = Error::io("list", &folder, error);
                scanned.refused.push((folder, error));
            }
        }
    }
    Ok(scanned)
}

/// Lists what a converter takes directly from a folder. Returns the subfolders to read, by name.
fn list(
    config: &ConverterConfig,
    folder: &Path,
    converter: usize,
    scanned: &mut Scanned,
) -> io::Result<Vec<PathBuf>> {
    let mut below = Vec::new();
    for item in fs::read_dir(folder)? {
        // An item that cannot be read has no name to report. The folder is listed again soon.
        let item = item?;
        let name = item.file_name();
        if config.reads_folder(&name.to_string_lossy()) && is_folder(&item) {
            below.push(item.path());
            continue;
        }
        if !config.takes(&name.to_string_lossy()) {
            continue;
        }
        let path = item.path();
        let seen = match &config.complete_marker {
            None => match file_meta(&path, config.links) {
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
        if let Some(meta) = seen {
            scanned.candidates.push(Candidate {
                path,
                name,
                meta,
                companions: Vec::new(),
                main: meta,
                incomplete: None,
                converter,
            });
        }
    }
    below.sort();
    Ok(below)
}

/// Returns true for a folder, and not for a link to one.
fn is_folder(item: &DirEntry) -> bool {
    item.file_type().is_ok_and(|kind| kind.is_dir())
}

/// Returns the folders to put in order in a folder that a host works in: the folder itself, and
/// those below it if the host reads or makes subfolders. Links are not followed.
///
/// A folder that cannot be listed is left out.
pub(in crate::host) fn folders_of(root: &Path, subfolders: Subfolders) -> Vec<PathBuf> {
    let mut folders = vec![root.to_owned()];
    let mut next = 0;
    while let Some(folder) = folders.get(next).filter(|_| subfolders == Subfolders::Read) {
        next += 1;
        let items = fs::read_dir(folder).into_iter().flatten().flatten();
        let is_hidden = |item: &DirEntry| item.file_name().as_encoded_bytes().starts_with(b".");
        let below = items.filter(|item| !is_hidden(item) && is_folder(item));
        let below: Vec<PathBuf> = below.map(|item| item.path()).collect();
        folders.extend(below);
    }
    folders
}

/// Returns the metadata of a folder; `None` when it is no folder, or has no marker yet.
fn look_complete(path: &Path, marker: &str) -> Result<Option<FileMeta>, TreeError> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    // The marker is checked first, because an incomplete folder need not be listed.
    let is_complete =
        || file_meta(&path.join(marker), Links::Skip).is_ok_and(|meta| meta.is_some());
    if !is_folder || !is_complete() {
        return Ok(None);
    }
    FileMeta::inside(path).map(|(meta, _)| Some(meta))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::host::Config;
    use crate::host::sources::candidate::order;
    use crate::host::sources::file_meta::{FileMeta, open};

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("host.toml")).expect("valid")
    }

    fn candidate(path: &str, seconds: u64, converter: usize) -> Candidate {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let meta = FileMeta {
            size: 1,
            modified: time,
            changed: time,
            inside: None,
        };
        Candidate {
            path: path.into(),
            name: path.into(),
            meta,
            main: meta,
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
        // A folder with the marker's name is no marker.
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
        assert_eq!(scanned.candidates[0].meta.size, 1);
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
        let before = FileMeta::inside(dir.path()).expect("allowed").0;
        std::thread::sleep(Duration::from_millis(50));
        // Copying programs set modification times back; the time of change still shows the change.
        let path = dir.path().join("images/1.png");
        fs::write(&path, "y").expect("written");
        let file = File::options().write(true).open(&path).expect("there");
        file.set_modified(before.modified).expect("set");
        let after = FileMeta::inside(dir.path()).expect("allowed").0;
        assert!(after.is_unchanged_from(&before));
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

    /// Two converters of one folder: if one takes a companion of the other's source, that source
    /// must not be taken as if it were complete.
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
        let meta = FileMeta {
            size: 0,
            modified: now,
            changed: now + Duration::from_secs(60),
            inside: None,
        };
        assert_eq!(meta.age(now), Duration::ZERO);
    }
}
