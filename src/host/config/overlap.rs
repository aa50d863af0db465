//! Refuses folders that overlap. Folders are compared by identity, not by name, so links and mounts
//! are seen through.
//!
//! A watch folder must hold nothing but sources. Everything else in it would be taken for a source,
//! archived and cleared away: the store, the configuration, a converter, or files cleared away
//! before.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{fs, io};

use super::settings::{Config, ConfigErrors, ConverterConfig, Origin, Problem, Subfolders};
use crate::convert::Takes;
use crate::host::file_id::FileId;
use crate::host::panics::lock;
use crate::{Error, ErrorKind, Result};

mod mount;

/// The name of the shared store, which belongs to no single converter.
const THE_STORE: &str = "the store";

/// The purpose of a folder or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Watch,
    Store,
    /// A folder that finished sources go to: the done or the error folder.
    Outlet,
    /// A file that the host or a converter needs.
    Needed,
}

/// A folder or file that the configuration names.
struct Named {
    role: Role,
    /// Its name in the configuration, for messages.
    label: String,
    /// The position of its value in the configuration.
    section: String,
    key: &'static str,
    path: PathBuf,
    /// The kind of source that its converter takes.
    takes: Takes,
    /// Whether its converter reads the subfolders too.
    subfolders: Subfolders,
}

/// The relation of one folder to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Same,
    /// The first lies in the second.
    Inside,
    /// The second lies in the first.
    Around,
}

impl Config {
    /// Refuses folders that overlap on this machine.
    ///
    /// `store` is the store that is open, or would be. It may differ from the one in the
    /// configuration.
    ///
    /// # Errors
    /// `Invalid`, with each pair and both of their names.
    pub fn check_folders(&self, store: Option<&Path>) -> Result<()> {
        let problems = self.overlaps(store, None);
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::from(ConfigErrors {
            path: self.path.clone(),
            problems,
        }))
    }

    /// Returns the pairs that overlap: all of them, or those of one folder.
    fn overlaps(&self, store: Option<&Path>, of: Option<&Path>) -> Vec<Problem> {
        let named = self.named(store);
        let mounts = mount::Table::read();
        // A path that cannot be read overlaps with nothing. The error is reported when the path is
        // used.
        let locations: Vec<_> = named
            .iter()
            .map(|named| Location::of(&named.path, &mounts).ok())
            .collect();
        let mut problems = Vec::new();
        for (at, (one, location)) in named.iter().zip(&locations).enumerate() {
            for (other, other_location) in named[..at].iter().zip(&locations) {
                let concerned = of.is_none_or(|path| one.path == path || other.path == path);
                let (Some(location), Some(other_location)) = (location, other_location) else {
                    continue;
                };
                if let (true, Some(relation)) = (concerned, location.relation(other_location))
                    && let Some(message) = refusal(one, other, relation)
                {
                    let place = |named| Some((named, self.line_of(named)?));
                    let place = place(one).or_else(|| place(other));
                    let of_key = place.filter(|(named, _)| !named.key.is_empty());
                    problems.push(Problem {
                        line: place.map_or(1, |(_, line)| line),
                        message,
                        section: of_key.map(|(named, _)| named.section.clone()),
                        key: of_key.map(|(named, _)| named.key.to_owned()),
                    });
                }
            }
        }
        problems
    }

    /// Lists everything to compare.
    ///
    /// Watch folders come first and stores second, so that a message begins with the folder to
    /// change.
    fn named(&self, store: Option<&Path>) -> Vec<Named> {
        let mut all = Vec::new();
        let converters = &self.converters;
        let mut add = |role, key, folder: fn(&ConverterConfig) -> Option<&PathBuf>| {
            for config in converters {
                if let Some(folder) = folder(config) {
                    all.push(Named::of(config, role, key, folder));
                }
            }
        };
        add(Role::Watch, "watch_folder", |one| one.watch_folder.as_ref());
        add(Role::Store, "archive_folder", |one| {
            one.archive.folder.as_ref()
        });
        add(Role::Outlet, "done_folder", |one| one.done_folder.as_ref());
        add(Role::Outlet, "error_folder", |one| {
            one.error_folder.as_ref()
        });
        let stores = store.into_iter().chain(self.store.as_deref());
        let stores = stores.map(|path| Named {
            role: Role::Store,
            label: THE_STORE.to_owned(),
            section: "store".to_owned(),
            key: "path",
            path: path.to_owned(),
            takes: Takes::Files,
            subfolders: Subfolders::Skip,
        });
        all.extend(stores);
        all.push(Named {
            role: Role::Needed,
            label: "the configuration".to_owned(),
            section: "host".to_owned(),
            key: "",
            path: self.dir.join(self.path.file_name().unwrap_or_default()),
            takes: Takes::Files,
            subfolders: Subfolders::Skip,
        });
        for config in converters {
            let converter = &config.converter;
            let bundle = converter.bundle.iter().map(|file| ("bundle", file));
            let command = converter.command.iter().map(|word| ("command", word));
            for (key, file) in bundle.chain(command) {
                let path = converter.dir.join(file);
                if !file.is_empty() && path.is_file() {
                    all.push(Named::of(config, Role::Needed, key, &path));
                }
            }
        }
        all.sort_by_key(|named| named.role);
        all
    }

    fn line_of(&self, named: &Named) -> Option<usize> {
        let is_it = |setting: &&super::settings::Setting| {
            setting.section == named.section && setting.key == named.key
        };
        match self.settings().iter().find(is_it)?.origin {
            Origin::BuiltIn => None,
            Origin::Defaults(line) | Origin::Line(line) => Some(line),
        }
    }
}

impl Named {
    fn of(config: &ConverterConfig, role: Role, key: &'static str, path: &Path) -> Self {
        let name = &config.converter.name;
        Self {
            role,
            label: format!("{key} of converter '{name}'"),
            section: format!("converter \"{name}\""),
            key,
            path: path.to_owned(),
            takes: config.converter.takes.clone(),
            subfolders: config.subfolders,
        }
    }

    /// Describes the folder by its name and its path.
    fn in_words(&self) -> String {
        format!("{} ({})", self.label, self.path.display())
    }
}

/// Returns why two folders may not overlap in this way and what to do about it; `None` if they may.
fn refusal(one: &Named, other: &Named, relation: Relation) -> Option<String> {
    use Relation::{Around, Inside, Same};
    use Role::{Needed, Outlet, Store, Watch};
    let is_one_name = one.path == other.path;
    let outer = if relation == Around { one } else { other };
    let advice = match (one.role, other.role) {
        // One store: the one that is open, and the one that the configuration names.
        (Store, Store) if one.label == other.label => return None,
        // Two converters may share a folder under one name: each file goes to one of them.
        (Watch | Store, Watch | Store) if one.role == other.role && relation == Same => {
            if is_one_name && one.label != THE_STORE && other.label != THE_STORE {
                return None;
            }
            match one.role {
                Watch => "write the same path in both places",
                _ => "leave archive_folder empty for the store, and write one path for one folder",
            }
        }
        (Watch, Watch) if takes_folders(&outer.takes) => {
            "a folder in it may be taken as a source; move one of them"
        }
        (Watch, Watch) if outer.subfolders == Subfolders::Read => {
            "its files would be taken twice; let the outer one read no subfolders, or move one"
        }
        (Watch, Watch) => return None,
        (Store, Store) => "give each store a folder of its own",
        (Outlet, Watch) => "sources would be taken again; choose a folder elsewhere",
        (Store, Watch) => {
            "a watch folder holds nothing but sources, which are cleared away; \
             choose a folder elsewhere"
        }
        (Outlet, Store) => "nothing else may write into a store; choose a folder elsewhere",
        (Needed, Watch) => {
            "a watch folder holds nothing but sources, which are cleared away; \
             move the file, or choose a folder elsewhere"
        }
        _ => return None,
    };
    let (ours, theirs) = (one.in_words(), other.in_words());
    let how = match (relation, is_one_name) {
        (Same, true) => format!("{ours} is {} as well", other.label),
        (Same, false) => format!("{ours} and {theirs} are one folder by two names"),
        (Inside, _) => format!("{ours} lies in {theirs}"),
        (Around, _) => format!("{ours} holds {theirs}"),
    };
    Some(format!("{how}: {advice}"))
}

/// Returns true when a folder in a watch folder may be a source, or a companion of one.
fn takes_folders(takes: &Takes) -> bool {
    match takes {
        Takes::Files => false,
        Takes::Folders => true,
        Takes::WithCompanions(companions) => companions.any_folder().next().is_some(),
    }
}

/// The location of a folder or file that exists or may be created.
#[derive(Debug)]
struct Location {
    /// Its own identity and those of the folders around it, from the inside out. Parts of the path
    /// that do not exist yet are in `missing`.
    chain: Vec<FileId>,
    /// The part of the path that does not exist yet.
    missing: PathBuf,
    /// The path on its file system. It differs from other paths to the folder when the file system
    /// is mounted twice.
    on_device: Option<mount::OnDevice>,
}

impl Location {
    fn of(path: &Path, mounts: &mount::Table) -> io::Result<Self> {
        let mut there = path;
        let mut missing: Vec<OsString> = Vec::new();
        let real = loop {
            match fs::canonicalize(there) {
                Ok(real) => break real,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let (Some(name), Some(parent)) = (there.file_name(), there.parent()) else {
                        return Err(error);
                    };
                    missing.push(name.to_owned());
                    there = parent;
                }
                Err(error) => return Err(error),
            }
        };
        let missing: PathBuf = missing.iter().rev().collect();
        Ok(Self {
            chain: real
                .ancestors()
                .map(FileId::of_target)
                .collect::<io::Result<_>>()?,
            on_device: mounts.place(&real, &missing),
            missing,
        })
    }

    fn relation(&self, other: &Self) -> Option<Relation> {
        match (self.is_in_or_at(other), other.is_in_or_at(self)) {
            (true, true) => Some(Relation::Same),
            (true, false) => Some(Relation::Inside),
            (false, true) => Some(Relation::Around),
            (false, false) => None,
        }
    }

    fn is_in_or_at(&self, other: &Self) -> bool {
        let by_device = self.on_device.as_ref().zip(other.on_device.as_ref());
        if by_device.is_some_and(|(one, other)| one.is_in_or_at(other)) {
            return true;
        }
        let Some(anchor) = other.chain.first() else {
            return false;
        };
        if other.missing.as_os_str().is_empty() {
            self.chain.contains(anchor)
        } else {
            self.chain.first() == Some(anchor) && self.missing.starts_with(&other.missing)
        }
    }
}

/// Remembers which folders were checked and found not to overlap.
///
/// A folder that appears later, or replaces another one, is checked again before it is used.
#[derive(Debug, Default)]
pub(in crate::host) struct CheckedFolders {
    known: Mutex<HashMap<PathBuf, Option<FileId>>>,
}

impl CheckedFolders {
    /// Refuses a folder that overlaps with another one now.
    pub(in crate::host) fn check(
        &self,
        folder: &Path,
        config: &Config,
        store: Option<&Path>,
    ) -> Result<()> {
        let now = match FileId::of_target(folder) {
            Ok(id) => Some(id),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // The error is reported when the path is used.
            Err(_) => return Ok(()),
        };
        if lock(&self.known).get(folder) == Some(&now) {
            return Ok(());
        }
        if let Some(problem) = config.overlaps(store, Some(folder)).into_iter().next() {
            return Err(Error::new(ErrorKind::Refused, problem.message)
                .hint("nothing is taken from it or put into it until then"));
        }
        lock(&self.known).insert(folder.to_owned(), now);
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests;
