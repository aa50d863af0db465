//! A small log and its bundles, on a simulated disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::sim::SimDisk;
use crate::disk::{DirEntry, Disk, DiskFile, DiskLock, OpenMode};
use crate::entry::{Meta, Outcome, Retention, Unit};
use crate::event::{
    Actor, ActorKind, Archived, BlobRef, Body, ClockReading, Converted, EntryRanges, Event,
    HoldPlaced, HoldReleased, PurgedEntries, Reported, Sealed, Source, StoreCreated,
};
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::key::{SecretKey, Signer};
use crate::evidence::note::{KeyName, VerifierKey};
use crate::evidence::tree::Frontier;
use crate::export::{
    Bundled, Counted, Derived, Disclose, NewBundle, Tally, Trust, Verified, What, WithContents,
    verify_on, write_on,
};
use crate::format::leaf;
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq, Sha256, StoreId};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

pub(super) const STORE: StoreId = StoreId::from_bytes([0x5a; 16]);

/// A log that grows in memory, with its contents and its key.
#[derive(Clone)]
pub(super) struct Plant {
    pub(super) lines: Vec<String>,
    pub(super) contents: BTreeMap<Sha256, Vec<u8>>,
    pub(super) seed: u8,
    /// Forms that are no evidence.
    pub(super) derived: Vec<Derived>,
}

impl Plant {
    /// A new log of one event.
    pub(super) fn new() -> Self {
        let mut plant = Self {
            lines: Vec::new(),
            contents: BTreeMap::new(),
            seed: 7,
            derived: Vec::new(),
        };
        plant.record(Body::StoreCreated(StoreCreated {
            store: STORE,
            format: 1,
            program: "0.1.0".into(),
        }));
        plant
    }

    /// A log in which everything happened once: entries 2, 3 and 4, two attempts over 2, a
    /// submission, a hold that came and went, and a purge of 3.
    pub(super) fn busy() -> Self {
        let mut plant = Self::new();
        let first = plant.archive("SN1.csv", b"serial,SN1\n");
        let second = plant.archive("=SN2<b>.csv", b"serial,SN2\n");
        let _third = plant.archive("SN3.csv", b"serial,SN3\n");
        plant.convert(first, 1, b"{\"sn\":1}");
        plant.convert(first, 2, b"{\"sn\":\"SN1\"}");
        plant.record(Body::Reported(Reported {
            entry: first,
            attempt: AttemptNo(2),
            report: 0,
            report_id: "R-1".into(),
            endpoint: None,
            key: None,
        }));
        plant.hold("recall", &[first]);
        plant.record(Body::HoldReleased(HoldReleased {
            name: "recall".into(),
            reason: "settled".into(),
        }));
        plant.purge(&[second]);
        plant
    }

    pub(super) fn key(&self) -> SecretKey {
        SecretKey::from_seed(KeyName::of_store(&STORE), &[self.seed; 32])
    }

    pub(super) fn vkey(&self) -> VerifierKey {
        self.key().vkey().clone()
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::in_keys([self.vkey()])
    }

    pub(super) fn record(&mut self, body: Body) -> EventSeq {
        self.record_sealed(body, Vec::new())
    }

    pub(super) fn record_sealed(&mut self, body: Body, sealed: Vec<Sealed>) -> EventSeq {
        let seq = EventSeq(self.lines.len() as u64 + 1);
        let minutes = i64::try_from(seq.0).expect("a short log");
        let event = Event {
            seq,
            time: Timestamp::from_micros(1_772_355_600_000_000 + minutes * 60_000_000),
            actor: Actor::new(ActorKind::User, "kari"),
            clock: ClockReading {
                boot: "b1".into(),
                mono_ms: seq.0 * 60_000,
            },
            body,
            sealed,
        };
        self.lines
            .push(leaf::encode(&STORE, &event).expect("a sound event"));
        seq
    }

    pub(super) fn content(&mut self, bytes: &[u8]) -> BlobRef {
        let sha256 = Sha256::of(bytes);
        self.contents.insert(sha256, bytes.to_vec());
        BlobRef {
            blake3: BlobId::of(bytes),
            sha256,
            size: bytes.len() as u64,
        }
    }

    pub(super) fn archive(&mut self, name: &str, bytes: &[u8]) -> EntryId {
        let body = self.source(name, bytes);
        EntryId::from(self.record(body))
    }

    /// Returns the fact that a source was archived.
    pub(super) fn source(&mut self, name: &str, bytes: &[u8]) -> Body {
        let blob = self.content(bytes);
        Body::Archived(Archived {
            converter: "ICT".into(),
            converter_version: None,
            source: Source::default().name(name).path(format!("/in/{name}")),
            blob,
            stored_size: blob.size,
            duplicate: false,
            unit: Unit::default().serial(name.trim_end_matches(".csv")),
            meta: Meta::new(),
            arguments: Meta::new(),
            retention: Retention::days(90),
            key: None,
            facts_only: false,
        })
    }

    pub(super) fn convert(&mut self, entry: EntryId, attempt: u32, report: &[u8]) {
        let report = self.content(report);
        self.record(Body::Converted(Converted {
            entry,
            attempt: AttemptNo(attempt),
            outcome: Outcome::Success,
            converter: "ICT".into(),
            converter_version: Some("1.4.0".into()),
            converter_id: None,
            arguments: Meta::new(),
            duration_ms: Some(12),
            error: None,
            warnings: Vec::new(),
            sandbox: Vec::new(),
            unit: Unit::default().part("PCB-7"),
            reports: vec![report],
            submit: None,
            job: None,
            extent: None,
            suspicious: Vec::new(),
        }));
    }

    pub(super) fn hold(&mut self, name: &str, entries: &[EntryId]) {
        self.record(Body::HoldPlaced(HoldPlaced {
            name: name.into(),
            reason: "field failure".into(),
            entries: EntryRanges::of(entries.iter().copied()),
            review: None,
            future: None,
        }));
    }

    pub(super) fn purge(&mut self, entries: &[EntryId]) {
        self.record(Body::PurgedEntries(PurgedEntries {
            plan_id: "p1".into(),
            rule: "older than 90d".into(),
            class: None,
            bypassed: Vec::new(),
            part: None,
            through: None,
            reason: "retention".into(),
            entries: EntryRanges::of(entries.iter().copied()),
            count: entries.len() as u64,
            bytes_logical: 11,
            final_at: None,
        }));
    }

    /// Counts, records the `exported` event, and signs. The log has one event more then.
    pub(super) fn prepare(
        &mut self,
        what: What,
        with: WithContents,
    ) -> (Counted, SignedCheckpoint) {
        let mut tally = Tally::new(what, with);
        for (seq, line) in self.events() {
            tally.add(seq, &line).expect("in order");
        }
        let counted = tally.finish();
        self.record(Body::Exported(counted.exported.clone()));
        (counted, self.sign())
    }

    pub(super) fn sign(&self) -> SignedCheckpoint {
        let mut tree = Frontier::new();
        self.lines
            .iter()
            .for_each(|line| tree.push(line.as_bytes()));
        let checkpoint = Checkpoint::of((&KeyName::of_store(&STORE)).into(), &tree);
        SignedCheckpoint::sign(checkpoint, &[&self.key()]).expect("signed")
    }

    pub(super) fn events(&self) -> impl Iterator<Item = (EventSeq, Vec<u8>)> + '_ {
        let lines = self.lines.iter().map(|line| line.clone().into_bytes());
        (1..).map(EventSeq).zip(lines)
    }

    /// Exports to the folder `name` of `disk`.
    pub(super) fn export_to(
        &mut self,
        disk: &dyn Disk,
        name: &str,
        what: What,
        with: WithContents,
    ) -> Result<Bundled> {
        let (counted, checkpoint) = self.prepare(what, with);
        self.write_to(disk, name, &counted, &checkpoint, None)
    }

    pub(super) fn write_to(
        &self,
        disk: &dyn Disk,
        name: &str,
        counted: &Counted,
        checkpoint: &SignedCheckpoint,
        disclose: Option<&Disclose<'_>>,
    ) -> Result<Bundled> {
        let read = |blob: &BlobRef, out: &mut dyn io::Write| {
            let content = self.contents.get(&blob.sha256);
            let content = content.ok_or_else(|| Error::new(ErrorKind::Damaged, "lost"))?;
            out.write_all(content)
                .map_err(|error| Error::io("write", "content", error))
        };
        let new = NewBundle {
            counted,
            checkpoint,
            vkeys: &[self.vkey()],
            derived: &self.derived,
            read: &read,
            disclose,
            progress: &|_, _| {},
        };
        write_on(disk, name, &new, self.events().map(Ok))
    }

    /// Exports the whole log to a new disk, with personal values.
    pub(super) fn export_disclosed(&mut self, disclose: &Disclose<'_>) -> SimDisk {
        let disk = SimDisk::new();
        let (counted, checkpoint) = self.prepare(What::Whole, WithContents::No);
        self.write_to(&disk, "b", &counted, &checkpoint, Some(disclose))
            .expect("exported");
        disk
    }

    /// Exports to a new disk.
    pub(super) fn export(&mut self, what: What, with: WithContents) -> SimDisk {
        let disk = SimDisk::new();
        self.export_to(&disk, "b", what, with).expect("exported");
        disk
    }
}

/// A selection of entries.
pub(super) fn only(entries: &[u64]) -> What {
    What::Selection {
        entries: EntryRanges::of(entries.iter().copied().map(EntryId)),
        filters: [("serial".to_owned(), "SN1".to_owned())].into(),
    }
}

/// Verifies the bundle in folder `b`.
pub(super) fn look(disk: &SimDisk, trust: &Trust) -> Verified {
    verify_on(&Folder::of(disk, "b"), trust, &|_, _| {})
}

/// A folder of a disk as a disk.
pub(super) struct Folder<'a>(&'a dyn Disk, PathBuf);

impl<'a> Folder<'a> {
    pub(super) fn of(disk: &'a dyn Disk, dir: &str) -> Self {
        Self(disk, dir.into())
    }
}

impl Disk for Folder<'_> {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.0.open(&self.1.join(path), mode)
    }
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.0.make_dir(&self.1.join(path))
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.0.list(&self.1.join(dir))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(&self.1.join(from), &self.1.join(to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(&self.1.join(path))
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(&self.1.join(dir))
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        self.0.try_lock(&self.1.join(path))
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }
}

/// A medium that cannot be written, such as a disc. Whatever tries to fails.
pub(super) struct ReadOnly<'a>(pub(super) Folder<'a>);

impl Disk for ReadOnly<'_> {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        match mode {
            OpenMode::Read => self.0.open(path, mode),
            _ => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.0.list(dir)
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn try_lock(&self, _: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }
}

/// Writes the manifests again, as somebody does who wants to hide a change.
pub(super) fn reseal(disk: &SimDisk) {
    use crate::export::bag;
    let mut files = bag::Digests::new();
    for (path, _) in disk.files() {
        if let Some(inside) = path.strip_prefix("b/") {
            let content = disk.content(&path).expect("there");
            files.insert(inside.to_owned(), Sha256::of(&content));
        }
    }
    let payload: bag::Digests = files
        .iter()
        .filter(|(path, _)| path.starts_with("data/"))
        .map(|(path, sha256)| (path.clone(), *sha256))
        .collect();
    let manifest = bag::manifest(&payload);
    replace(disk, "b/manifest-sha256.txt", manifest.as_bytes());
    files.insert(bag::MANIFEST.to_owned(), Sha256::of(manifest.as_bytes()));
    files.retain(|path, _| {
        matches!(&**path, bag::BAGIT | bag::BAG_INFO | bag::MANIFEST)
            || path.starts_with("not-evidence/")
    });
    let tags = bag::manifest(&files);
    replace(disk, "b/tagmanifest-sha256.txt", tags.as_bytes());
}

/// Gives a file other bytes.
pub(super) fn replace(disk: &SimDisk, path: &str, bytes: &[u8]) {
    let _ = disk.lose(path);
    disk.plant(path, bytes).expect("planted");
}

/// Returns the lines of the bundle in folder `b`.
pub(super) fn lines_of(disk: &SimDisk) -> Vec<String> {
    let text = disk.content("b/data/events.jsonl").expect("there");
    let text = String::from_utf8(text).expect("text");
    text.lines().map(str::to_owned).collect()
}

pub(super) fn set_lines(disk: &SimDisk, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    replace(disk, "b/data/events.jsonl", text.as_bytes());
}
