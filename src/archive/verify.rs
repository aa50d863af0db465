//! Comparing log, packs and index with each other and with what they promise. Changes nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::Result;
use crate::archive::open::read_header;
use crate::archive::rebuild::{self, PackFile};
use crate::archive::shared::Shared;
use crate::archive::{Access, Archive};
use crate::blob::digests::Digests;
use crate::blob::pack_reader::PackReader;
use crate::disk::OpenMode;
use crate::entry::Entry;
use crate::event::Body;
use crate::evidence::tree::Frontier;
use crate::format::leaf;
use crate::format::record::RecordKind;
use crate::id::{BlobId, EventSeq, PackId, Sha256};
use crate::index::{Index, View};
use crate::log::{LogError, LogReader};

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Lengths, headers, footers, and that every content has a place: no content is read.
    Quick,
    /// Every byte: all events, the tree over them, all content against both its hashes, and the index against the log.
    Deep,
}

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
pub struct KnownLosses {
    /// Events that another one stands for; not counted when looking quickly.
    pub events: u64,
    /// Contents that entries name.
    pub contents: u64,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    let mut verifier = Verifier::new(shared, view.losses()?);
    if let Err(error) = read_header(&*shared.disk, &shared.dir) {
        verifier.find("log", "FORMAT", error.message());
    }
    for line in &shared.damage {
        verifier.find("log", "journal or events", line);
    }
    verifier.segments(depth);
    if depth == Depth::Deep {
        verifier.events(view.applied());
    }
    let packs = rebuild::pack_files(&*shared.disk)?;
    verifier.packs(&packs, &view, depth)?;
    verifier.entries(&view, depth)?;
    if depth == Depth::Deep {
        verifier.index(&view, &packs);
    }
    let mut report = verifier.report;
    report.ok = report.findings.is_empty();
    Ok(report)
}

/// Compares the index with the log; says what is wrong with it, if anything.
pub(super) fn check_index(shared: &Arc<Shared>) -> Result<Option<String>> {
    let view = shared.view();
    let packs = rebuild::pack_files(&*shared.disk)?;
    let mut verifier = Verifier::new(shared, BTreeMap::new());
    verifier.index(&view, &packs);
    let finding = verifier.report.findings.pop();
    Ok(finding.map(|finding| finding.detail))
}

struct Verifier<'a> {
    shared: &'a Arc<Shared>,
    /// Content that is known to be lost.
    given_up: BTreeMap<BlobId, EventSeq>,
    report: VerifyReport,
}

impl<'a> Verifier<'a> {
    fn new(shared: &'a Arc<Shared>, given_up: BTreeMap<BlobId, EventSeq>) -> Self {
        Self {
            shared,
            given_up,
            report: VerifyReport {
                ok: true,
                findings: Vec::new(),
                events: 0,
                packs: 0,
                blobs: 0,
                checked_bytes: 0,
                known_losses: KnownLosses::default(),
            },
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
            let progress = &self.shared.options.progress;
            progress.report(done as u64, total, "checking events");
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
    fn events(&mut self, last: EventSeq) {
        let mut reader = LogReader::new(Arc::clone(&self.shared.files), EventSeq(1), last);
        while let Some(leaf) = reader.next_leaf() {
            match leaf {
                Ok((seq, line)) => {
                    self.report.events += 1;
                    self.report.known_losses.events += u64::from(is_lost(&line));
                    if let Err(error) = rebuild::decode(seq, &line) {
                        self.find("log", format!("event {seq}"), error.message());
                    }
                }
                Err(LogError::Missing { seq }) => {
                    self.find("log", format!("event {seq}"), "it is missing");
                }
                Err(error) => self.find("log", "events", error),
            }
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
            let progress = &self.shared.options.progress;
            progress.report(done as u64, total, "checking packs");
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
                match pack.read_plain(entry.offset, entry.len, &entry.id) {
                    Ok(plain) => self.report.checked_bytes += plain.bytes.len() as u64,
                    Err(error) => self.find(kind, &place, error),
                }
            }
        }
        Ok(())
    }

    /// Every entry that is not purged has all its content; when looking deep, with the digest its event states.
    fn entries(&mut self, view: &View, depth: Depth) -> Result<()> {
        let mut missing = Vec::new();
        let mut failed = None;
        view.walk_oldest(|entry| {
            for (blob, sha256) in named(&entry) {
                match self.content(view, &blob, &sha256, depth) {
                    Ok(None) => {}
                    Ok(Some(_)) if self.is_given_up(view, &blob) => {
                        self.report.known_losses.contents += 1;
                    }
                    Ok(Some(why)) => missing.push((entry.id, blob, why)),
                    Err(error) => {
                        failed = Some(error);
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        for (id, blob, why) in missing {
            self.find(
                "blob",
                format!("entry {id}"),
                format!("content {blob}: {why}"),
            );
        }
        failed.map_or(Ok(()), Err)
    }

    /// True when a repair recorded that this content, or a part of it, is lost, and it still is.
    fn is_given_up(&self, view: &View, blob: &BlobId) -> bool {
        let nowhere = |id: &BlobId| {
            self.given_up.contains_key(id)
                && self.shared.inline(id).is_none()
                && view
                    .blob(id)
                    .is_ok_and(|row| row.is_none_or(|row| row.place.is_none()))
        };
        let parts = || {
            view.children(blob)
                .is_ok_and(|parts| parts.iter().any(nowhere))
        };
        !self.given_up.is_empty() && (nowhere(blob) || parts())
    }

    /// What is wrong with a content, if anything.
    fn content(
        &mut self,
        view: &View,
        blob: &BlobId,
        sha256: &Sha256,
        depth: Depth,
    ) -> Result<Option<String>> {
        let placed = view.blob(blob)?.is_some_and(|row| row.place.is_some());
        if depth == Depth::Quick {
            self.report.blobs += 1;
            if self.shared.inline(blob).is_some() {
                return Ok(None);
            }
            if !placed {
                return Ok(Some("it is nowhere in the store".to_owned()));
            }
            for part in view.children(blob)?.iter() {
                if view.blob(part)?.is_none_or(|row| row.place.is_none()) {
                    return Ok(Some(format!("its chunk {part} is nowhere in the store")));
                }
            }
            return Ok(None);
        }
        // One piece after the other: a content may be larger than memory.
        let mut digests = Digests::new();
        let checked = match self.shared.plain(blob) {
            Ok(None) => return Ok(Some("it is nowhere in the store".to_owned())),
            Ok(Some(plain)) if plain.kind == RecordKind::Content => {
                digests.update(&plain.bytes);
                plain.bytes.len() as u64
            }
            Ok(Some(plain)) => match self.chunks(&plain.bytes, &mut digests) {
                Ok(size) => size,
                Err(error) => return Ok(Some(error.message().to_owned())),
            },
            Err(error) => return Ok(Some(error.message().to_owned())),
        };
        if !placed {
            self.report.blobs += 1;
            self.report.checked_bytes += checked;
        }
        let found = digests.finish();
        if found.blake3 != *blob {
            return Ok(Some("its bytes do not have this hash".to_owned()));
        }
        if found.sha256 != *sha256 {
            return Ok(Some(
                "its bytes do not have the SHA-256 its event states".to_owned(),
            ));
        }
        Ok(None)
    }

    fn chunks(&self, root: &[u8], digests: &mut Digests) -> Result<u64> {
        let manifest = self.shared.manifest(root)?;
        let mut left = manifest.size;
        for part in &manifest.parts {
            // Inner nodes of the manifest stand behind the chunks.
            if left == 0 {
                break;
            }
            let plain = self.shared.plain(part)?.ok_or_else(|| {
                crate::Error::new(
                    crate::ErrorKind::Damaged,
                    format!("chunk {part} is missing"),
                )
            })?;
            left = left.saturating_sub(plain.bytes.len() as u64);
            digests.update(&plain.bytes);
        }
        Ok(manifest.size)
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
fn is_lost(leaf: &[u8]) -> bool {
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

fn named(entry: &Entry) -> impl Iterator<Item = (BlobId, Sha256)> + '_ {
    let reports = entry.attempts.iter().flat_map(|attempt| &attempt.reports);
    std::iter::once((entry.blake3, entry.sha256))
        .chain(reports.map(|report| (report.blake3, report.sha256)))
}
