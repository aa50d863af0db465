//! Comparing log, packs and index with each other and with what they promise. Changes nothing.
//!
//! What has nothing to do with each other is looked at side by side: the log and the index, and content in several threads.

mod contents;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde::Serialize;

use self::contents::{Contents, GivenUp, Named, named};
use crate::archive::open::read_header;
use crate::archive::rebuild::{self, PackFile};
use crate::archive::shared::Shared;
use crate::archive::{Access, Archive, Progress};
use crate::blob::pack_reader::PackReader;
use crate::disk::OpenMode;
use crate::event::Body;
use crate::evidence::tree::Frontier;
use crate::format::leaf;
use crate::format::pack::PackEntry;
use crate::format::record::RecordKind;
use crate::id::{EventSeq, PackId};
use crate::index::{CounterGroup, Index, Place, View};
use crate::log::{LogError, LogReader};
use crate::{Error, Result};

/// A log of fewer events is looked through before threads would have been started.
const THREADS_FROM: EventSeq = EventSeq(1_024);
/// Threads that read content, at the most.
const READERS_MAX: usize = 8;
/// Contents that wait for one of them.
const WAITING_MAX: usize = 1_024;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Depth {
    /// Lengths, headers, footers, and that every content has a place: no content is read.
    Quick,
    /// Every byte: all events, the tree over them, all content against both its hashes, and the index against the log.
    Deep,
}

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// True when nothing was found.
    pub ok: bool,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Events that were checked.
    pub events: u64,
    /// Packs that were checked.
    pub packs: u64,
    /// Blobs that were checked.
    pub blobs: u64,
    /// Bytes of content and of events that were read and compared.
    pub checked_bytes: u64,
    /// What is missing and was recorded as lost by a repair; no finding.
    pub known_losses: KnownLosses,
}

/// What a repair could not bring back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct KnownLosses {
    /// Events that another one stands for, or that cannot be read; those that another one stands
    /// for are not counted when looking quickly.
    pub events: u64,
    /// Contents that entries name.
    pub contents: u64,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of damage: `log`, `pack`, `blob` or `index`.
    pub kind: String,
    /// Where it is.
    pub r#where: String,
    /// What it is.
    pub detail: String,
}

impl Archive {
    /// Compares log, packs and index. Damage is a finding, not an error; an error says that the look itself failed.
    ///
    /// ```
    /// use annals::archive::{Archive, Depth};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let report = archive.verify(Depth::Deep)?;
    /// assert!(report.ok, "{:?}", report.findings);
    /// # archive.close()
    /// # }
    /// ```
    pub fn verify(&self, depth: Depth) -> Result<VerifyReport> {
        if self.handle.channels.is_some() {
            // Beside the sealer, so that no file moves while it is looked at. Archiving goes on.
            self.beside_the_sealer(move |shared, _| verify(shared, depth))
        } else {
            verify(self.shared(), depth)
        }
    }
}

fn verify(shared: &Arc<Shared>, depth: Depth) -> Result<VerifyReport> {
    let view = shared.view();
    let packs = rebuild::pack_files(&*shared.disk)?;
    let given_up = view.losses()?;
    let unreadable = view.unreadable()?;
    let of_log = |progress: Progress| {
        let mut verifier = Verifier::new(shared, progress);
        if let Err(error) = read_header(&*shared.disk, &shared.dir) {
            verifier.find("log", "FORMAT", error.message());
        }
        for line in &shared.damage {
            verifier.find("log", "journal or events", line);
        }
        verifier.segments(depth);
        if depth == Depth::Deep {
            verifier.events(view.applied(), &unreadable);
        } else {
            verifier.unreadable(&unreadable);
        }
        verifier.report
    };
    let of_content = |readers| -> Result<VerifyReport> {
        let mut verifier = Verifier::new(shared, shared.options.progress.clone());
        verifier.packs(&packs, &view, depth)?;
        verifier.entries(&view, &given_up, depth, readers)?;
        verifier.bundles(&view, &given_up, depth)?;
        Ok(verifier.report)
    };
    let of_index = || {
        let mut verifier = Verifier::new(shared, Progress::default());
        if depth == Depth::Deep {
            verifier.index(&view, &packs);
        }
        verifier.report
    };
    // What is found is told in one order, whoever found it first.
    let (log, content, index) = if depth == Depth::Deep && view.applied() >= THREADS_FROM {
        thread::scope(|scope| {
            let beside = scope.spawn(|| (of_log(Progress::default()), of_index()));
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let content = of_content(cores.min(READERS_MAX));
            let (log, index) = beside.join().unwrap_or_else(|panic| resume_unwind(panic));
            (log, content, index)
        })
    } else {
        let log = of_log(shared.options.progress.clone());
        (log, of_content(1), of_index())
    };
    let mut report = log;
    report.join(content?);
    report.join(index);
    report.ok = report.findings.is_empty();
    Ok(report)
}

/// Compares the index with the log; says what is wrong with it, if anything.
pub(super) fn check_index(shared: &Arc<Shared>) -> Result<Option<String>> {
    let view = shared.view();
    let packs = rebuild::pack_files(&*shared.disk)?;
    let mut verifier = Verifier::new(shared, Progress::default());
    verifier.index(&view, &packs);
    let finding = verifier.report.findings.pop();
    Ok(finding.map(|finding| finding.detail))
}

impl VerifyReport {
    pub(super) const fn new() -> Self {
        Self {
            ok: true,
            findings: Vec::new(),
            events: 0,
            packs: 0,
            blobs: 0,
            checked_bytes: 0,
            known_losses: KnownLosses {
                events: 0,
                contents: 0,
            },
        }
    }

    /// Adds what was found elsewhere.
    fn join(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.events += other.events;
        self.packs += other.packs;
        self.blobs += other.blobs;
        self.checked_bytes += other.checked_bytes;
        self.known_losses.events += other.known_losses.events;
        self.known_losses.contents += other.known_losses.contents;
    }
}

/// Events that cannot be read, with the repair that says so.
type Unreadable = BTreeMap<EventSeq, Option<EventSeq>>;

struct Verifier<'a> {
    shared: &'a Arc<Shared>,
    progress: Progress,
    report: VerifyReport,
}

impl<'a> Verifier<'a> {
    const fn new(shared: &'a Arc<Shared>, progress: Progress) -> Self {
        Self {
            shared,
            progress,
            report: VerifyReport::new(),
        }
    }

    fn find(&mut self, kind: &str, place: impl ToString, detail: impl ToString) {
        self.report.findings.push(Finding {
            kind: kind.to_owned(),
            r#where: place.to_string(),
            detail: detail.to_string(),
        });
    }

    /// Every segment's footer, and that the tree of each goes on where the one before ended.
    fn segments(&mut self, depth: Depth) {
        let mut frontier = Some(Frontier::new());
        let segments = self.shared.files.segments();
        let total = segments.len() as u64;
        for (done, segment) in segments.into_iter().enumerate() {
            self.progress.report(done as u64, total, "checking events");
            let place = segment.path().display().to_string();
            let footer = match segment.footer() {
                Ok(footer) => footer,
                Err(error) => {
                    self.find("log", place, error);
                    frontier = None;
                    continue;
                }
            };
            if footer.tree_size != segment.last_seq().0 {
                let detail = format!(
                    "its tree has {} leaves at event {}",
                    footer.tree_size,
                    segment.last_seq()
                );
                self.find("log", &place, detail);
            }
            if depth == Depth::Quick {
                self.report.events += segment.last_seq().0 + 1 - segment.first_seq().0;
                continue;
            }
            let mut stands = false;
            for block in &footer.blocks {
                match segment.block(block) {
                    Ok(plain) => {
                        self.report.checked_bytes += plain.len() as u64;
                        let leaves = plain[..plain.len() - 1].split(|byte| *byte == b'\n');
                        for leaf in leaves {
                            stands |= is_lost(leaf);
                            if let Some(tree) = &mut frontier {
                                tree.push(leaf);
                            }
                        }
                    }
                    Err(error) => {
                        self.find("log", &place, error);
                        frontier = None;
                    }
                }
            }
            match &mut frontier {
                Some(tree) => {
                    if tree.root() != footer.tree_root || tree.size() != footer.tree_size {
                        // Of a segment that a repair made, the tree is the one over the leaves as they were.
                        if !stands {
                            self.find(
                                "log",
                                &place,
                                "its events are not the ones its tree was made over",
                            );
                        }
                        frontier = segment.frontier().ok();
                    }
                }
                // After damage the tree is taken up again from what this segment says of it.
                None => frontier = segment.frontier().ok(),
            }
        }
    }

    /// Reads every event up to `last`, and every live one against its frame.
    fn events(&mut self, last: EventSeq, unreadable: &Unreadable) {
        let mut reader = LogReader::new(Arc::clone(&self.shared.files), EventSeq(1), last);
        while let Some(leaf) = reader.next_leaf() {
            match leaf {
                Ok((seq, line)) => {
                    self.report.events += 1;
                    self.report.known_losses.events += u64::from(is_lost(&line));
                    if let Err(error) = rebuild::decode(seq, &line) {
                        self.unreadable_event(seq, error.message(), unreadable);
                    }
                }
                Err(LogError::Missing { seq }) => {
                    self.find("log", format!("event {seq}"), "it is missing");
                }
                Err(error) => self.find("log", "events", error),
            }
        }
    }

    /// The events that the index knows to be unreadable.
    fn unreadable(&mut self, unreadable: &Unreadable) {
        for seq in unreadable.keys() {
            let mut reader = LogReader::new(Arc::clone(&self.shared.files), *seq, *seq);
            let why = match reader.next_leaf() {
                Some(Ok((_, line))) => rebuild::decode(*seq, &line).err(),
                Some(Err(error)) => Some(error.into()),
                None => None,
            };
            let why = why
                .as_ref()
                .map_or("the index cannot read it", Error::message);
            self.unreadable_event(*seq, why, unreadable);
        }
    }

    /// What a repair has said of an event is known; else it is found.
    fn unreadable_event(&mut self, seq: EventSeq, why: &str, unreadable: &Unreadable) {
        if unreadable.get(&seq).is_some_and(Option::is_some) {
            self.report.known_losses.events += 1;
        } else {
            self.find("log", format!("event {seq}"), why);
        }
    }

    fn packs(
        &mut self,
        files: &BTreeMap<PackId, PackFile>,
        view: &View,
        depth: Depth,
    ) -> Result<()> {
        for row in view.packs()? {
            if !files.contains_key(&row.id) && row.live_blobs > 0 {
                self.find("pack", format!("pack {}", row.id), "its file is missing");
            }
        }
        let total = files.len() as u64;
        for (done, (id, file)) in files.iter().enumerate() {
            self.progress.report(done as u64, total, "checking packs");
            self.report.packs += 1;
            let place = file.path.display().to_string();
            let opened = PackReader::open(&*self.shared.disk, &file.path)
                .and_then(|pack| pack.listed().map(|listed| (pack, listed)));
            let (pack, listed) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    self.find("pack", place, error);
                    continue;
                }
            };
            if pack.header().pack != *id || pack.header().store != self.shared.store {
                self.find("pack", &place, "it is another pack, or another store's");
            }
            if depth == Depth::Quick {
                continue;
            }
            for entry in listed {
                // Both copies of a dictionary are looked at: with one damaged, everything can still be read.
                let kind = match entry.kind {
                    RecordKind::Dictionary => "pack",
                    RecordKind::Content | RecordKind::Manifest => {
                        self.report.blobs += 1;
                        "blob"
                    }
                };
                if self.is_read_by_name(view, *id, &entry)? {
                    self.report.checked_bytes += u64::from(entry.raw_len);
                    continue;
                }
                match pack.read_plain(entry.offset, entry.len, &entry.id) {
                    Ok(plain) => self.report.checked_bytes += plain.bytes.len() as u64,
                    Err(error) => self.find(kind, &place, error),
                }
            }
        }
        Ok(())
    }

    /// True when this record is where the content is read from that entries and bundles name: there it is held against both
    /// hashes, and once is enough.
    fn is_read_by_name(&self, view: &View, pack: PackId, entry: &PackEntry) -> Result<bool> {
        if entry.kind != RecordKind::Content || self.shared.inline(&entry.id).is_some() {
            return Ok(false);
        }
        Ok(view.blob(&entry.id)?.is_some_and(|row| {
            let here = |place: Place| place.pack == pack && place.offset == entry.offset.0;
            row.refs > 0 && row.place.is_some_and(here)
        }))
    }

    /// Every entry that is not purged has all its content; when looking deep, with the digest its event states.
    fn entries(
        &mut self,
        view: &View,
        given_up: &GivenUp,
        depth: Depth,
        readers: usize,
    ) -> Result<()> {
        let alive = |group: &CounterGroup| if group.purged { 0 } else { group.entries };
        let total = view.stats()?.groups.iter().map(alive).sum();
        let mut done = 0;
        let mut walk = |look: &mut dyn FnMut(Named) -> ControlFlow<()>| {
            view.walk_oldest(|entry| {
                self.progress.report(done, total, "checking content");
                done += 1;
                named(&entry).try_for_each(&mut *look)
            })
        };
        let mut contents = Contents::new(self.shared, view, given_up, depth);
        if readers > 1 {
            let several = thread::scope(|scope| {
                let (feeds, threads): (Vec<_>, Vec<_>) = (0..readers)
                    .map(|_| {
                        let (feed, told) = crossbeam_channel::bounded::<Named>(WAITING_MAX);
                        let mut contents = Contents::new(self.shared, view, given_up, depth);
                        let read = move || {
                            let _ = told.into_iter().try_for_each(|named| contents.look(named));
                            contents
                        };
                        (feed, scope.spawn(read))
                    })
                    .unzip();
                // The same content always goes to the same thread, which remembers it.
                let walked = walk(&mut |named| {
                    let turn = usize::from(named.blob.as_bytes()[0]) % feeds.len();
                    match feeds[turn].send(named) {
                        Ok(()) => ControlFlow::Continue(()),
                        // It met an error of its own, which is told below.
                        Err(_) => ControlFlow::Break(()),
                    }
                });
                drop(feeds);
                let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
                let contents: Vec<_> = joined
                    .map(|joined| joined.unwrap_or_else(|panic| resume_unwind(panic)))
                    .collect();
                walked.map(|()| contents)
            })?;
            for part in several {
                contents.join(part);
            }
        } else {
            walk(&mut |named| contents.look(named))?;
        }
        contents
            .missing
            .sort_by_key(|(named, _)| (named.entry, named.nth));
        for (named, why) in contents.missing {
            self.find(
                "blob",
                format!("entry {}", named.entry),
                format!("content {}: {why}", named.blob),
            );
        }
        self.report.join(contents.counts);
        contents.failed.map_or(Ok(()), Err)
    }

    /// Every file of every converter is there, so that it can be run again.
    fn bundles(&mut self, view: &View, given_up: &GivenUp, depth: Depth) -> Result<()> {
        let mut contents = Contents::new(self.shared, view, given_up, depth);
        for converter in view.converters()? {
            for file in &converter.bundle {
                let blob = &file.blob.blake3;
                if let Some(why) = contents.content(blob, &file.blob.sha256)? {
                    self.find(
                        "blob",
                        format!("converter {}", converter.converter_id),
                        format!("{}, content {blob}: {why}", file.name),
                    );
                }
            }
        }
        self.report.join(contents.counts);
        Ok(())
    }

    /// Folds the log into another index and compares the two.
    fn index(&mut self, view: &View, packs: &BTreeMap<PackId, PackFile>) {
        let shared = self.shared;
        let path = shared.tmp_path("verify");
        let made = rebuild::catch_up(
            &shared.disk,
            &shared.options,
            &shared.files,
            packs,
            None,
            view.applied(),
            rebuild::Whole::Every,
            || match shared.options.access {
                // Nothing on disk is changed, and the disk may be read-only.
                Access::ReadOnly => Ok(Index::in_memory(shared.store)?),
                Access::ReadWrite => {
                    let file = shared
                        .disk
                        .open(&path, OpenMode::CreateNew)
                        .map_err(|error| crate::Error::io("create", &path, error))?;
                    Ok(Index::create(
                        file,
                        shared.store,
                        shared.options.index_cache_bytes,
                    )?)
                }
            },
        );
        let compared = made.and_then(|made| {
            let fresh = made.index.view(Vec::new())?.under(made.active);
            Ok((dump(&fresh)?, dump(view)?))
        });
        // A leftover is cleared away at the next open.
        if shared.options.access == Access::ReadWrite {
            let _ = shared.disk.remove(Path::new(&path));
        }
        match compared {
            Ok((fresh, live)) if fresh == live => {}
            Ok((fresh, live)) => {
                let detail = format!(
                    "it does not say what the log says ({} lines against {}); 'annals rebuild' makes it anew",
                    live.0, fresh.0
                );
                self.find("index", "index.redb", detail);
            }
            Err(error) => self.find("index", "index.redb", error.message()),
        }
    }
}

/// True for a leaf that stands for an event that is lost.
pub(super) fn is_lost(leaf: &[u8]) -> bool {
    // A look at the type before the line is taken apart: every event passes here.
    let head = &leaf[..leaf.len().min(256)];
    let named = head.windows(LOST_KIND.len()).any(|part| part == LOST_KIND);
    named
        && str::from_utf8(leaf)
            .ok()
            .and_then(|line| leaf::decode(line).ok())
            .is_some_and(|event| matches!(event.body, Body::Lost(_)))
}

/// The type of an event that stands for a lost one.
const LOST_KIND: &[u8] = b"annals.lost.v1";

/// How many facts a view holds, and a digest of them all.
fn dump(view: &View) -> Result<(u64, blake3::Hash)> {
    let mut lines = 0;
    let mut digest = blake3::Hasher::new();
    view.dump(|line| {
        lines += 1;
        digest.update(line.as_bytes());
        digest.update(b"\n");
    })?;
    Ok((lines, digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{NewConverter, NewEntry, Options};
    use crate::disk::sim::{Call, SimDisk};
    use crate::id::{BlobId, ConverterId};

    fn noise(seed: u8) -> Vec<u8> {
        let mut bytes = vec![0; 3_000];
        blake3::Hasher::new()
            .update(&[seed])
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    fn store(disk: &SimDisk) -> Archive {
        Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("a store")
    }

    fn put(archive: &Archive, content: &[u8]) {
        let new = NewEntry {
            converter: "ICT".to_owned(),
            ..NewEntry::default()
        };
        archive.put(new, content).expect("archived");
    }

    fn register(archive: &Archive, files: &[(&str, Vec<u8>)]) {
        let bundle = files
            .iter()
            .map(|(name, content)| ((*name).to_owned(), content.clone()))
            .collect();
        archive
            .register_converter(NewConverter {
                converter_id: ConverterId::from_bytes([7; 32]),
                name: "ICT".to_owned(),
                version: None,
                command: vec!["ict".to_owned()],
                mode: "oneshot".to_owned(),
                environment: String::new(),
                bundle,
            })
            .expect("registered");
    }

    /// Flips a bit of the stored copy of that content.
    fn damage(disk: &SimDisk, content: &[u8]) -> String {
        let packs = disk.files().into_iter().map(|(path, _)| path);
        for path in packs.filter(|path| path.starts_with("packs/")) {
            let bytes = disk.content(&path).expect("there");
            let at = bytes
                .windows(content.len())
                .position(|window| window == content);
            if let Some(at) = at {
                disk.flip_bit(&path, at as u64 * 8).expect("flipped");
                return path;
            }
        }
        panic!("it is in no pack");
    }

    /// A converter is run again years later. Of its files only the records were looked at, and never their SHA-256.
    #[test]
    fn a_damaged_file_of_a_converter_is_found_with_the_name_it_has_there() {
        let disk = SimDisk::new();
        let archive = store(&disk);
        register(&archive, &[("ict.py", noise(1)), ("limits.json", noise(2))]);
        archive.seal().expect("sealed");
        assert!(archive.verify(Depth::Deep).expect("looked").ok);
        damage(&disk, &noise(2));
        let report = archive.verify(Depth::Deep).expect("looked");
        let [finding] = &report.findings[..] else {
            panic!("{report:?}");
        };
        assert_eq!(finding.kind, "blob");
        assert!(finding.r#where.starts_with("converter "), "{finding:?}");
        assert!(finding.detail.starts_with("limits.json, "), "{finding:?}");
    }

    /// It was read once for its record and once more for each entry that names it.
    #[test]
    fn what_many_entries_name_is_read_once_and_told_of_for_each() {
        let disk = SimDisk::new();
        let archive = store(&disk);
        put(&archive, &noise(1));
        archive.seal().expect("sealed");
        let reads = || {
            let before = disk.census();
            let report = archive.verify(Depth::Deep).expect("looked");
            let now = disk.census();
            let packs = now
                .iter()
                .filter(|(call, path, _)| *call == Call::Read && path.starts_with("packs/"));
            let reads: u64 = packs
                .map(|(call, path, count)| count - before.on(call, path))
                .sum();
            (reads, report)
        };
        // Once to have the pack open.
        reads();
        let (once, _) = reads();
        for _ in 0..20 {
            put(&archive, &noise(1));
        }
        archive.seal().expect("sealed");
        let (many, report) = reads();
        assert!(report.ok && report.blobs == 1, "{report:?}");
        assert_eq!(many, once);
        let path = damage(&disk, &noise(1));
        let (_, report) = reads();
        assert_eq!(report.findings.len(), 21, "{report:?}");
        let name = path.rsplit('/').next().expect("a name");
        for finding in report.findings {
            assert!(finding.detail.contains(name), "{finding:?}");
        }
    }

    /// Threads find things when they come to them. What is told must not depend on that.
    #[test]
    fn what_several_threads_find_is_told_in_one_order_and_counted_once() {
        let disk = SimDisk::new();
        let archive = store(&disk);
        let content = |nth: u64| {
            let mut content = noise(7);
            content.extend(nth.to_le_bytes());
            content
        };
        for nth in 0..THREADS_FROM.0 {
            put(&archive, &content(nth % 600));
        }
        archive.seal().expect("sealed");
        let report = archive.verify(Depth::Deep).expect("looked");
        assert!(report.ok, "{report:?}");
        assert_eq!((report.blobs, report.packs), (600, 1));
        let damaged: Vec<u64> = (0..600).step_by(100).collect();
        let mut places = Vec::new();
        for nth in &damaged {
            let row = archive.shared().view().blob(&BlobId::of(&content(*nth)));
            places.push(
                row.expect("readable")
                    .expect("there")
                    .place
                    .expect("packed"),
            );
        }
        let pack = archive.shared().pack(places[0].pack).expect("opened").1;
        for place in places {
            let at = (place.offset + u64::from(place.len) - 1) * 8;
            disk.flip_bit(&pack, at).expect("flipped");
        }
        let first = archive.verify(Depth::Deep).expect("looked");
        // Each is named by two entries, but for those that only one came to.
        let twice = damaged.iter().filter(|nth| *nth + 600 < THREADS_FROM.0);
        assert_eq!(first.findings.len(), damaged.len() + twice.count());
        let entry = |finding: &Finding| finding.r#where.split(' ').nth(1)?.parse::<u64>().ok();
        let order: Vec<_> = first.findings.iter().map(entry).collect();
        assert!(order.is_sorted() && order[0].is_some(), "{order:?}");
        for _ in 0..5 {
            assert_eq!(archive.verify(Depth::Deep).expect("looked"), first);
        }
    }

    /// Nobody reads it by name, and it must not be taken for sound.
    #[test]
    fn what_nothing_names_any_more_is_looked_at_as_well() {
        let disk = SimDisk::new();
        let archive = store(&disk);
        for seed in 0..20 {
            put(&archive, &noise(seed));
        }
        archive.seal().expect("sealed");
        let policy = crate::retention::Policy {
            max_count: Some(19),
            ..Default::default()
        };
        let plan = archive
            .plan_purge(&policy, crate::retention::AsOf::Clock)
            .expect("a plan");
        archive.purge(&plan, "asked for").expect("purged");
        damage(&disk, &noise(0));
        let report = archive.verify(Depth::Deep).expect("looked");
        assert_eq!(report.findings.len(), 1, "{report:?}");
        assert_eq!(report.findings[0].kind, "blob");
    }
}
