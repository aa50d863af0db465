//! Removes a folder: exactly what was archived of it, and nothing that appeared since.
//!
//! The folder is set aside and compared. A list of its files with their hashes is made durable in a
//! private folder, which only the host's own account can enter, and the source is moved in there.
//! Then each file that is on the list and still matches it is removed. If the host is killed
//! meanwhile, list and folder remain, and the next host finishes the removal in this way.
//!
//! A main file and its companions, which are gathered in a folder before, are removed like a
//! folder.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use super::aside::{self, Aside, Compare, Files, PrivateFolder};
use super::dir::{Dir, Kind, is_plain};
use super::group_names::{self, GROUP};
use super::name::{give_free_name, os_string};
use crate::host::file_id::FileId;
use crate::host::sources::fingerprint::hash;
use crate::host::sources::source::{Source, changed};
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// The names of list and source inside the private folder of a removal.
pub(super) const LIST: &str = "list";
pub(super) const FOLDER: &str = "folder";

/// Maximum bytes of a list.
const LIST_BYTES_MAX: u64 = 512 << 20;
/// Maximum depth of nested folders; a source has fewer.
const DEPTH_MAX: usize = 40;

/// Removes a folder.
pub(super) fn remove(source: Source<'_>) -> Result<()> {
    aside::with(source, Compare::Content, |aside, files| {
        let holder = condemn(aside, source, files)?;
        let finished = finish(&aside.watched, &holder.dir);
        holder.remove(&aside.watched);
        finished?;
        aside.sync_watched()
    })
}

/// Moves a folder into a private folder for its removal, and returns where that is.
pub(super) fn condemn(
    aside: &Aside<'_>,
    source: Source<'_>,
    files: Files,
) -> Result<PrivateFolder> {
    let list = List {
        name: source.name().to_owned(),
        marker: source.marker.map(OsString::from),
        files: files.into_iter().collect(),
    };
    let (dir, name) = aside.place();
    let condemned = Condemned {
        dir,
        name,
        becomes: FOLDER,
    };
    condemned.condemn(&aside.watched, &list)
}

/// Moves a main file and its companions, which are in a folder called [`GROUP`], into a private
/// folder for their removal, and returns where that is.
///
/// The main file goes first, because it names the others.
pub(super) fn condemn_group(
    source: Source<'_>,
    (watched, dir): (&Dir, &Dir),
    files: Files,
) -> Result<PrivateFolder> {
    let list = List {
        name: source.name().to_owned(),
        marker: Some(source.name().to_owned()),
        files: files.into_iter().collect(),
    };
    let condemned = Condemned {
        dir,
        name: OsStr::new(GROUP),
        becomes: GROUP,
    };
    condemned.condemn(watched, &list)
}

/// A compared folder that is to be removed: where it is, and its name in its holder.
struct Condemned<'a> {
    dir: &'a Dir,
    name: &'a OsStr,
    becomes: &'static str,
}

impl Condemned<'_> {
    fn condemn(&self, watched: &Dir, list: &List) -> Result<PrivateFolder> {
        let holder = PrivateFolder::make(watched)?;
        let moved = self.move_in(watched, &holder, list);
        moved.inspect_err(|_| {
            // The source was not moved. At worst a hidden folder stays for the next host to remove.
            let _ = holder.dir.remove_file(OsStr::new(LIST));
            holder.remove(watched);
        })?;
        Ok(holder)
    }

    /// Writes the list of the folder's content, then moves the folder into its holder.
    fn move_in(&self, watched: &Dir, holder: &PrivateFolder, list: &List) -> Result<()> {
        let listed = holder.dir.at(OsStr::new(LIST));
        let write = || -> io::Result<()> {
            let mut file = holder.dir.create(OsStr::new(LIST))?;
            file.write_all(&list.written())?;
            file.sync_all()?;
            holder.dir.sync()
        };
        write().map_err(|error| Error::io("write", &listed, error))?;
        let becomes = OsStr::new(self.becomes);
        let moved = self.dir.rename_free(self.name, &holder.dir, becomes);
        moved.map_err(|error| Error::io("remove", watched.at(&list.name), error))?;
        // Before the first file is removed, the folder must durably be here and not under its own
        // name.
        let synced = holder
            .dir
            .make_durable()
            .and_then(|()| watched.make_durable());
        synced.inspect_err(|_| {
            let _ = holder.dir.rename_free(becomes, self.dir, self.name);
        })
    }
}

/// Removes what is on the list of a folder.
///
/// If anything else is in the folder, it goes back to the watch folder with what is left of it.
pub(super) fn finish(watched: &Dir, holder: &Dir) -> Result<()> {
    let list_name = OsStr::new(LIST);
    let listed = holder.at(list_name);
    let remove = |name: &OsStr| {
        let removed = holder.remove_file(name);
        removed.map_err(|error| Error::io("remove", holder.at(name), error))
    };
    let is_there = |name: &str| {
        let found = holder.has(OsStr::new(name));
        found.map_err(|error| Error::io("read", holder.path(), error))
    };
    let folder_name = if is_there(FOLDER)? {
        OsStr::new(FOLDER)
    } else if is_there(GROUP)? {
        OsStr::new(GROUP)
    } else {
        return remove(list_name);
    };
    let list = read_list(holder).map_err(|error| {
        Error::io("read", &listed, error)
            .hint("look at the folder beside it, and move what is wanted of it elsewhere")
    })?;
    let removed = holder
        .open_folder(folder_name)
        .map_err(|error| Error::io("open", holder.at(folder_name), error))
        .and_then(|folder| list.remove_from(&folder))
        .and_then(|()| {
            let removed = holder.remove_folder(folder_name);
            removed.map_err(|error| not_removed(&holder.at(folder_name), error))
        });
    if let Err(error) = removed {
        let back = if folder_name == GROUP {
            group_names::place(holder, watched, Some(&list.name))?.now
        } else {
            let given = give_free_name(watched, &list.name, |name| {
                holder.rename_free(folder_name, watched, name)
            })?;
            watched.at(&given)
        };
        remove(list_name)?;
        return Err(match error.kind() {
            ErrorKind::Changed => changed(&back),
            _ => error,
        });
    }
    // A power cut must not leave a folder without its list.
    holder.make_durable()?;
    remove(list_name)
}

fn read_list(holder: &Dir) -> io::Result<List> {
    let mut bytes = Vec::new();
    let file = holder.open_file(OsStr::new(LIST))?;
    file.take(LIST_BYTES_MAX).read_to_end(&mut bytes)?;
    List::read(&bytes)
}

fn not_removed(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::DirectoryNotEmpty => changed(path),
        _ => Error::io("remove", path, error),
    }
}

/// The list of what may be removed of a folder.
#[derive(Debug, PartialEq, Eq)]
struct List {
    /// The original name of the folder.
    name: OsString,
    /// The file that is removed first.
    marker: Option<OsString>,
    files: HashMap<PathBuf, BlobId>,
}

impl List {
    /// Removes the listed files from `folder`, and the folders in it.
    ///
    /// If anything else is there, nothing is removed, and the error is `Changed`.
    fn remove_from(&self, folder: &Dir) -> Result<()> {
        let mut compared = HashMap::new();
        self.compare(folder, Path::new(""), 0, &mut compared)?;
        if let Some(marker) = &self.marker
            && let Some(id) = compared.get(Path::new(marker))
        {
            remove_file(folder, marker, *id)?;
        }
        remove_inside(folder, Path::new(""), &compared)
    }

    /// Compares the files below a folder with the list, and records the identity of each file.
    fn compare(
        &self,
        dir: &Dir,
        prefix: &Path,
        depth: usize,
        compared: &mut HashMap<PathBuf, FileId>,
    ) -> Result<()> {
        for (name, kind) in items(dir)? {
            let path = prefix.join(&name);
            let failed = |error| Error::io("read", dir.at(&name), error);
            match kind {
                Kind::Folder if depth < DEPTH_MAX => {
                    let inner = dir.open_folder(&name).map_err(failed)?;
                    self.compare(&inner, &path, depth + 1, compared)?;
                }
                Kind::File => {
                    let file = dir.open_file(&name).map_err(failed)?;
                    let id = FileId::of(&file.metadata().map_err(failed)?);
                    let content = hash(file).map_err(failed)?;
                    if self.files.get(&path) != Some(&content) {
                        return Err(changed(&dir.at(&name)));
                    }
                    compared.insert(path, id);
                }
                _ => return Err(changed(&dir.at(&name))),
            }
        }
        Ok(())
    }

    /// Encodes the list: name and marker, then hash and path of each file.
    ///
    /// A zero byte ends each text, because none of them can contain one.
    fn written(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut text = |text: &[u8]| {
            bytes.extend(text);
            bytes.push(0);
        };
        text(self.name.as_encoded_bytes());
        text(
            self.marker
                .as_deref()
                .unwrap_or_default()
                .as_encoded_bytes(),
        );
        for (path, hash) in &self.files {
            text(hash.to_string().as_bytes());
            text(path.as_os_str().as_encoded_bytes());
        }
        bytes
    }

    /// Parses a list. Its names must be single components, and its paths must not lead upwards.
    fn read(bytes: &[u8]) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is no list of files");
        let mut texts = bytes
            .strip_suffix(&[0])
            .ok_or_else(damaged)?
            .split(|byte| *byte == 0);
        let mut text = || texts.next();
        let name = text().and_then(os_string).filter(|name| is_plain(name));
        let marker = text().and_then(os_string).ok_or_else(damaged)?;
        let mut files = HashMap::new();
        while let Some(hash) = text() {
            let hash = str::from_utf8(hash).ok().and_then(|text| text.parse().ok());
            let path = text().and_then(os_string).map(PathBuf::from);
            let (Some(hash), Some(path)) = (hash, path.filter(|path| leads_down(path))) else {
                return Err(damaged());
            };
            files.insert(path, hash);
        }
        Ok(Self {
            name: name.ok_or_else(damaged)?,
            marker: Some(marker).filter(|marker| !marker.is_empty()),
            files,
        })
    }
}

fn leads_down(path: &Path) -> bool {
    let mut parts = path.components();
    parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Returns the names in a folder with their kinds.
fn items(dir: &Dir) -> Result<Vec<(OsString, Kind)>> {
    let failed = |error| Error::io("list", dir.path(), error);
    let mut items = Vec::new();
    for name in dir.names().map_err(failed)? {
        if let Some(seen) = dir.look(&name).map_err(failed)? {
            items.push((name, seen.kind));
        }
    }
    Ok(items)
}

/// Removes the files that were compared, and the folders they were in.
fn remove_inside(dir: &Dir, prefix: &Path, compared: &HashMap<PathBuf, FileId>) -> Result<()> {
    for (name, kind) in items(dir)? {
        let path = prefix.join(&name);
        if kind == Kind::Folder {
            let inner = dir.open_folder(&name);
            let inner = inner.map_err(|error| Error::io("open", dir.at(&name), error))?;
            remove_inside(&inner, &path, compared)?;
            let removed = dir.remove_folder(&name);
            removed.map_err(|error| not_removed(&dir.at(&name), error))?;
        } else if let Some(id) = compared.get(&path) {
            remove_file(dir, &name, *id)?;
        }
    }
    Ok(())
}

fn remove_file(dir: &Dir, name: &OsStr, id: FileId) -> Result<()> {
    let failed = |error| Error::io("remove", dir.at(name), error);
    match dir.look(name).map_err(failed)? {
        Some(seen) if seen.id == id => dir.remove_file(name).map_err(failed),
        _ => Err(changed(&dir.at(name))),
    }
}
