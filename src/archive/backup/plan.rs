//! Plans a run of a backup: compares, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::Serialize;

use super::source::{SourceFile, StoreFiles};
use super::target::Seen;
use crate::disk::{Disk, OpenMode};
use crate::format::catalog::{CatalogFile, TAIL_BYTES, tail_checksum};
use crate::id::{EventSeq, Sha256, StoreId};
use crate::{Error, Result};

/// What a run of a backup has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[must_use = "a plan copies nothing"]
pub struct BackupPlan {
    /// The store.
    pub store: StoreId,
    /// The last event that the backup will hold.
    pub event: EventSeq,
    /// The last event that it holds now; 0 for none.
    pub previous: EventSeq,
    /// The root of the tree over all events that it will hold.
    pub root: Sha256,
    /// Files to be copied.
    pub new: Vec<PlannedFile>,
    /// Their bytes.
    pub bytes_new: u64,
    /// Files that are in the backup already.
    pub files_there: u64,
    /// Their bytes.
    pub bytes_there: u64,
    /// Files of the backup that the store has no more.
    pub goes: Vec<PlannedFile>,
    /// Their bytes.
    pub bytes_going: u64,
    /// Files that are there already, as the list of the backup has them.
    #[serde(skip)]
    pub(super) there: Vec<CatalogFile>,
}

/// A file that a run of a backup copies or removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedFile {
    /// Its path below the store or the backup.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Why.
    pub why: Why,
}

/// Why a run of a backup copies or removes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// The backup does not have it.
    New,
    /// The backup had it, and all or part of it is missing.
    Missing,
    /// The backup has other content under this name: a repair replaced the file.
    Changed,
    /// The store does not have it any more: its content was purged, or is in other files now.
    Gone,
    /// A run that was cut off left it.
    Left,
}

/// Compares what a store holds with what its backup holds.
pub(super) fn plan(store: &dyn Disk, source: &StoreFiles, seen: &Seen) -> Result<BackupPlan> {
    let known: BTreeMap<&str, &CatalogFile> = seen
        .catalog
        .files
        .iter()
        .map(|file| (file.store_path(), file))
        .collect();
    let mut plan = BackupPlan {
        store: source.store,
        event: source.event,
        previous: seen.catalog.event,
        root: source.root,
        new: Vec::new(),
        bytes_new: 0,
        files_there: 0,
        bytes_there: 0,
        goes: Vec::new(),
        bytes_going: 0,
        there: Vec::new(),
    };
    for file in &source.files {
        let why = match known.get(file.path.as_str()) {
            None => Why::New,
            Some(known) if known.damaged => Why::Missing,
            Some(known) => match tail_of(store, file)? {
                // The file went since it was listed; the run finds that out.
                None => Why::Missing,
                Some(tail) if known.bytes != file.bytes || known.tail != tail => Why::Changed,
                Some(_) if seen.files.get(&known.path) == Some(&known.bytes) => {
                    plan.files_there += 1;
                    plan.bytes_there += known.bytes;
                    plan.there.push((*known).clone());
                    continue;
                }
                Some(_) => Why::Missing,
            },
        };
        plan.bytes_new += file.bytes;
        plan.new.push(PlannedFile {
            path: file.path.clone(),
            bytes: file.bytes,
            why,
        });
    }
    let there = plan.there.iter().map(|file| file.path.as_str());
    let new = plan.new.iter().map(|file| file.path.as_str());
    let wanted: BTreeSet<&str> = there.chain(new).collect();
    let listed: BTreeSet<&str> = known.values().map(|file| file.path.as_str()).collect();
    let goes = seen
        .files
        .iter()
        .filter(|(path, _)| !wanted.contains(path.as_str()))
        .map(|(path, bytes)| PlannedFile {
            path: path.clone(),
            bytes: *bytes,
            why: if listed.contains(path.as_str()) {
                Why::Gone
            } else {
                Why::Left
            },
        })
        .collect();
    plan.goes = goes;
    plan.bytes_going = plan.goes.iter().map(|file| file.bytes).sum();
    Ok(plan)
}

/// Returns the checksum of a file's end; `None` when the file is gone.
fn tail_of(disk: &dyn Disk, file: &SourceFile) -> Result<Option<u32>> {
    let path = Path::new(&file.path);
    let opened = match disk.open(path, OpenMode::Read) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", path, error)),
    };
    let mut tail = [0; TAIL_BYTES];
    let len = usize::try_from(file.bytes)
        .unwrap_or(TAIL_BYTES)
        .min(TAIL_BYTES);
    opened
        .read_exact_at(&mut tail[..len], file.bytes - len as u64)
        .map_err(|error| Error::io("read", path, error))?;
    Ok(Some(tail_checksum(&tail[..len])))
}
