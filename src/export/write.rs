//! Writes a bundle: into a name beside it first, which is renamed when all of it is durable.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::disk::{Disk, FsDisk, PublishError, publish};
use crate::event::{BlobRef, Event, Sealed};
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::note::VerifierKey;
use crate::evidence::tlog_proof::TlogProof;
use crate::evidence::tree::{Frontier, leaf_hash};
use crate::export::bag::{self, BagInfo, Digests};
use crate::export::derived::{self, Derived, Origin};
use crate::export::disclosed::DisclosedLine;
use crate::export::facts::{Facts, Names, file_name};
use crate::export::lines::{Place, event_of};
use crate::export::output::{Output, Written};
use crate::export::proofs::Nodes;
use crate::export::report::{Context, write_report};
use crate::export::scope::Exported;
use crate::export::tally::Counted;
use crate::id::{EventSeq, Sha256};
use crate::{Error, ErrorKind, Result};

/// What a bundle is written from.
pub struct NewBundle<'a> {
    /// What the [`Tally`](crate::export::Tally) counted.
    pub counted: &'a Counted,
    /// The checkpoint over the log up to the `exported` event, signed.
    pub checkpoint: &'a SignedCheckpoint,
    /// The keys of the store, for information.
    pub vkeys: &'a [VerifierKey],
    /// Forms for other programs, which are no evidence.
    pub derived: &'a [Derived],
    /// Writes the plaintext of a content.
    pub read: &'a ReadContent<'a>,
    /// Returns the personal values of an event, for a bundle with them. `None` makes a bundle that
    /// has only their digests.
    pub disclose: Option<&'a Disclose<'a>>,
    /// Is told now and then how many of how many events are written.
    pub progress: &'a dyn Fn(u64, u64),
}

/// Writes the plaintext of a content to a stream.
pub type ReadContent<'a> = dyn Fn(&BlobRef, &mut dyn Write) -> Result<()> + 'a;

/// Returns the disclosures of an event that are there, each with its place in the leaf.
pub type Disclose<'a> = dyn Fn(&Event) -> Result<Vec<(Sealed, Vec<u8>)>> + 'a;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bundled {
    /// Lines of the log.
    pub events: u64,
    /// Contents.
    pub contents: u64,
    /// Files in the bundle's `data`.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How many events pass between two reports of progress.
const PROGRESS_EVENTS: u64 = 4_096;

/// Writes a bundle to the folder `dir`, which must not exist yet. `events` are all lines of the log
/// from event 1 to the `exported` event.
///
/// When it returns `Ok`, the bundle is durable. When it fails, there is no folder of that name.
pub fn write(
    dir: impl AsRef<Path>,
    new: &NewBundle<'_>,
    events: impl IntoIterator<Item = Result<(EventSeq, Vec<u8>)>>,
) -> Result<Bundled> {
    let dir = dir.as_ref();
    let name = dir.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        let told = format!("{} cannot be the name of a bundle", dir.display());
        Error::new(ErrorKind::Invalid, told)
    })?;
    let parent = match dir.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    write_on(&FsDisk::new(parent), name, new, events)
}

/// Like [`write()`], into the folder `name` of any disk.
pub fn write_on(
    disk: &dyn Disk,
    name: &str,
    new: &NewBundle<'_>,
    events: impl IntoIterator<Item = Result<(EventSeq, Vec<u8>)>>,
) -> Result<Bundled> {
    let partial = format!("{name}.partial");
    let there = disk.list(Path::new(""));
    let there = there.map_err(|error| Error::io("list the folder of", name, error))?;
    if there.iter().any(|entry| entry.name == name) {
        return Err(exists(name));
    }
    if there.iter().any(|entry| entry.name == partial) && has_files(disk, Path::new(&partial)) {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{partial} exists: another export runs, or one was cut off"),
        )
        .hint("remove it if no export is running"));
    }
    let mut files = Files {
        disk,
        dir: PathBuf::from(&partial),
        digests: Digests::new(),
        payload: 0,
        made: Vec::new(),
    };
    let written = fill(&mut files, new, events.into_iter()).and_then(|bundled| {
        let published = publish(disk, &files.dir, Path::new(name));
        published.map_err(|error| match error {
            PublishError::Rename(error) => Error::io("rename", &files.dir, error),
            PublishError::SyncDir(error) => Error::io("sync the folder of", name, error),
        })?;
        Ok(bundled)
    });
    if written.is_err() {
        files.remove();
    }
    written
}

fn exists(name: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("{name} exists already"))
        .hint("name a folder that does not exist; a bundle is never changed")
}

/// Returns whether a folder has files, at any depth. One that cannot be read may have.
fn has_files(disk: &dyn Disk, dir: &Path) -> bool {
    disk.list(dir).map_or(true, |entries| {
        entries
            .iter()
            .any(|entry| !entry.is_dir || has_files(disk, &dir.join(&entry.name)))
    })
}

/// The files of a bundle that is being written.
struct Files<'a> {
    disk: &'a dyn Disk,
    dir: PathBuf,
    digests: Digests,
    /// Bytes of the files in `data`.
    payload: u64,
    made: Vec<PathBuf>,
}

impl Files<'_> {
    fn folder(&self, name: &str) -> Result<()> {
        let path = self.dir.join(name);
        let made = self.disk.make_dir(&path);
        made.map_err(|error| Error::io("make", &path, error))
    }

    fn create(&mut self, name: &str) -> Result<Output> {
        let path = self.dir.join(name);
        let file = Output::create(self.disk, &path);
        let file = file.map_err(|error| Error::io("create", &path, error))?;
        self.made.push(path);
        Ok(file)
    }

    fn finish(&mut self, name: &str, file: Output) -> Result<Written> {
        let ended = file.finish();
        let written = ended.map_err(|error| Error::io("write", self.dir.join(name), error))?;
        self.digests.insert(name.to_owned(), written.sha256);
        if name.starts_with("data/") {
            self.payload += written.bytes;
        }
        Ok(written)
    }

    /// Writes a whole file.
    fn put(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut Output) -> io::Result<()>,
    ) -> Result<()> {
        let mut file = self.create(name)?;
        let put = content(&mut file);
        put.map_err(|error| Error::io("write", self.dir.join(name), error))?;
        self.finish(name, file).map(drop)
    }

    fn put_text(&mut self, name: &str, text: &str) -> Result<()> {
        self.put(name, |file| file.write_all(text.as_bytes()))
    }

    /// Removes what was made. What stays looks like no bundle: its name is not the one asked for.
    fn remove(&self) {
        for path in self.made.iter().rev() {
            // The error that led here is the one to report.
            let _ = self.disk.remove(path);
        }
    }
}

fn fill(
    files: &mut Files<'_>,
    new: &NewBundle<'_>,
    events: impl Iterator<Item = Result<(EventSeq, Vec<u8>)>>,
) -> Result<Bundled> {
    let counted = new.counted;
    files.folder("")?;
    files.folder("data")?;
    if counted.chosen.is_some() {
        files.folder(bag::PROOFS)?;
    }
    if counted.exported.contents.is_some() {
        files.folder(bag::BLOBS)?;
    }
    let streamed = stream(files, new, events)?;
    files.put_text(bag::CHECKPOINT, &new.checkpoint.to_string())?;
    let vkeys: String = new.vkeys.iter().map(|key| format!("{key}\n")).collect();
    files.put_text(bag::VKEYS, &vkeys)?;
    proofs(files, new, &streamed)?;
    for blob in &counted.contents {
        content(files, new, blob)?;
    }
    let checkpoint = new.checkpoint.checkpoint();
    let dir = files.dir.clone();
    let report = Context {
        dir: &dir,
        facts: &streamed.facts,
        exported: &counted.exported,
        last: &streamed.last,
        origin: checkpoint.origin.as_str(),
        root: checkpoint.root,
    };
    let disk = files.disk;
    let (mut table, mut page) = (
        files.create(bag::REPORT_CSV)?,
        files.create(bag::REPORT_HTML)?,
    );
    let written = write_report(&report, disk, &mut table, &mut page);
    written.map_err(|error| Error::io("write", dir.join(bag::REPORT_HTML), error))?;
    files.finish(bag::REPORT_CSV, table)?;
    files.finish(bag::REPORT_HTML, page)?;
    let payload = (files.payload, files.digests.len() as u64);
    let manifest = bag::manifest(&files.digests);
    files.digests.clear();
    derived_forms(files, new, checkpoint.origin.as_str(), &streamed.facts)?;
    tag_files(
        files,
        &manifest,
        checkpoint,
        &streamed.last,
        &counted.exported,
        payload,
    )?;
    sync_folders(files, new)?;
    Ok(Bundled {
        events: streamed.lines,
        contents: counted.contents.len() as u64,
        files: payload.1,
        bytes: payload.0,
    })
}

/// What the lines were.
struct Streamed {
    facts: Facts,
    /// The `exported` event.
    last: Event,
    lines: u64,
    /// For a selection.
    nodes: Option<Nodes>,
}

fn stream(
    files: &mut Files<'_>,
    new: &NewBundle<'_>,
    events: impl Iterator<Item = Result<(EventSeq, Vec<u8>)>>,
) -> Result<Streamed> {
    let checkpoint = new.checkpoint.checkpoint();
    let size = checkpoint.size;
    let mut file = files.create(bag::EVENTS)?;
    let mut disclosed = match new.disclose {
        Some(disclose) => Some((disclose, files.create(bag::DISCLOSURES)?)),
        None => None,
    };
    let cannot = |error| Error::io("write", bag::EVENTS, error);
    let chosen = new.counted.chosen.as_deref();
    let mut nodes = chosen.map(|_| Nodes::default());
    let mut chosen = chosen.map(|chosen| chosen.iter().peekable());
    let (mut tree, mut facts) = (Frontier::new(), Facts::new(Names::Dropped));
    let (mut offset, mut lines) = (0, 0);
    let mut last = None;
    for next in events {
        let (seq, line) = next?;
        if seq.0 != tree.size() + 1 || seq.0 > size || line.contains(&b'\n') {
            return Err(unlike(&format!("event {seq} is out of place")));
        }
        let hash = leaf_hash(&line);
        tree.push_hash(hash);
        if let Some(nodes) = &mut nodes {
            nodes.push(hash);
        }
        let is_last = seq.0 == size;
        let is_chosen = match &mut chosen {
            None => true,
            Some(chosen) => chosen.next_if(|next| **next == seq).is_some() || is_last,
        };
        if is_chosen {
            file.write_all(&line).map_err(cannot)?;
            file.write_all(b"\n").map_err(cannot)?;
            let event = event_of(&line);
            if let Some(event) = &event {
                facts.apply(event, Place::new(offset, line.len()));
                if let Some((disclose, file)) = &mut disclosed {
                    disclosures(event, disclose(event)?, file)?;
                }
            }
            offset += line.len() as u64 + 1;
            lines += 1;
            last = event.filter(|_| is_last);
        }
        if seq.0.is_multiple_of(PROGRESS_EVENTS) || is_last {
            (new.progress)(seq.0, size);
        }
    }
    files.finish(bag::EVENTS, file)?;
    if let Some((_, file)) = disclosed {
        files.finish(bag::DISCLOSURES, file)?;
    }
    if tree.size() != size || tree.root() != checkpoint.root {
        return Err(unlike("they do not give its root"));
    }
    let is_exported = |event: &Event| Exported::of(event).as_ref() == Some(&new.counted.exported);
    let last = last.filter(is_exported);
    let last = last.ok_or_else(|| unlike("the last one is not the counted 'exported' event"))?;
    Ok(Streamed {
        facts,
        last,
        lines,
        nodes,
    })
}

/// Writes the personal values of an event, one a line.
fn disclosures(event: &Event, found: Vec<(Sealed, Vec<u8>)>, file: &mut Output) -> Result<()> {
    for (sealed, disclosure) in found {
        let Some(line) = DisclosedLine::of(event.seq, &sealed, disclosure) else {
            continue;
        };
        let written = serde_json::to_writer(&mut *file, &line)
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(b"\n"));
        written.map_err(|error| Error::io("write", bag::DISCLOSURES, error))?;
    }
    Ok(())
}

fn unlike(why: &str) -> Error {
    let told = format!("the events are not those of the checkpoint: {why}");
    Error::new(ErrorKind::Damaged, told).hint("run 'annals verify --deep' and export again")
}

fn proofs(files: &mut Files<'_>, new: &NewBundle<'_>, streamed: &Streamed) -> Result<()> {
    let (Some(nodes), Some(chosen)) = (&streamed.nodes, &new.counted.chosen) else {
        return Ok(());
    };
    for seq in chosen.iter().chain([&streamed.last.seq]) {
        let index = seq.0 - 1;
        let path = usize::try_from(index).ok().and_then(|at| nodes.path(at));
        let path = path.ok_or_else(|| unlike("a selected event is missing"))?;
        let proof = TlogProof::new(index, path, new.checkpoint);
        files.put_text(&proof_name(*seq), &proof.to_string())?;
    }
    Ok(())
}

/// Returns the file with the proof of an event.
pub(super) fn proof_name(seq: EventSeq) -> String {
    format!("{}/{seq}.tlog-proof", bag::PROOFS)
}

/// Returns the file with a content.
pub(super) fn blob_name(sha256: &Sha256) -> String {
    format!("{}/{}", bag::BLOBS, file_name(sha256))
}

fn content(files: &mut Files<'_>, new: &NewBundle<'_>, blob: &BlobRef) -> Result<()> {
    let name = blob_name(&blob.sha256);
    let mut file = files.create(&name)?;
    (new.read)(blob, &mut file)?;
    let written = files.finish(&name, file)?;
    if written.sha256 != blob.sha256 || written.bytes != blob.size {
        let told = format!("the content {} is not what its event says", blob.sha256);
        return Err(Error::new(ErrorKind::Damaged, told));
    }
    Ok(())
}

/// Writes the forms that are no evidence. The manifest of tags lists them.
fn derived_forms(
    files: &mut Files<'_>,
    new: &NewBundle<'_>,
    log: &str,
    facts: &Facts,
) -> Result<()> {
    let mut forms = new.derived.to_vec();
    forms.sort_unstable();
    forms.dedup();
    if forms.is_empty() {
        return Ok(());
    }
    files.folder(derived::FOLDER)?;
    files.put_text(derived::README, derived::README_TEXT)?;
    let (disk, events) = (files.disk, files.dir.join(bag::EVENTS));
    let origin = Origin {
        disk,
        events: &events,
        log,
        facts,
    };
    for form in forms {
        let names = form.files().iter();
        let mut outputs = names
            .clone()
            .map(|name| files.create(name))
            .collect::<Result<Vec<_>>>()?;
        let written = form.write(&origin, &mut outputs);
        written.map_err(|error| Error::io("write", files.dir.join(derived::FOLDER), error))?;
        for (name, output) in names.zip(outputs) {
            files.finish(name, output)?;
        }
    }
    Ok(())
}

/// Writes the files of the bag. `bagit.txt`, without which a folder is no bag, comes last.
fn tag_files(
    files: &mut Files<'_>,
    manifest: &str,
    checkpoint: &Checkpoint,
    last: &Event,
    exported: &Exported,
    payload: (u64, u64),
) -> Result<()> {
    files.put_text(bag::MANIFEST, manifest)?;
    let info = bag::bag_info(&BagInfo {
        origin: checkpoint.origin.as_str(),
        tree_size: checkpoint.size,
        at: last.time,
        exported,
        payload,
    });
    files.put_text(bag::BAG_INFO, &info)?;
    let bagit = Sha256::of(bag::BAGIT_TEXT.as_bytes());
    files.digests.insert(bag::BAGIT.to_owned(), bagit);
    let tags = bag::manifest(&files.digests);
    files.put_text(bag::TAG_MANIFEST, &tags)?;
    files.put_text(bag::BAGIT, bag::BAGIT_TEXT)
}

fn sync_folders(files: &Files<'_>, new: &NewBundle<'_>) -> Result<()> {
    let counted = new.counted;
    let mut folders = vec!["data", ""];
    if !new.derived.is_empty() {
        folders.push(derived::FOLDER);
    }
    if counted.chosen.is_some() {
        folders.push(bag::PROOFS);
    }
    if counted.exported.contents.is_some() {
        folders.push(bag::BLOBS);
    }
    for folder in folders {
        let path = files.dir.join(folder);
        let synced = files.disk.sync_dir(&path);
        synced.map_err(|error| Error::io("sync", &path, error))?;
    }
    Ok(())
}
