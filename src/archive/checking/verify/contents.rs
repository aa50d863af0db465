//! Checks contents: that each is there and, in a deep look, that its bytes have the hashes that its
//! event states.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use super::report::{Depth, VerifyReport};
use crate::Result;
use crate::archive::state::store::Store;
use crate::blob::digests::Digests;
use crate::entry::Entry;
use crate::format::record::RecordKind;
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq, Sha256};
use crate::index::View;

/// The most contents that are remembered as checked, because several facts name them.
const SHARED_MAX: usize = 1 << 16;

/// Content that is known to be lost, and since when.
pub(super) type GivenUp = BTreeMap<BlobId, EventSeq>;

/// A content that an entry names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) entry: EntryId,
    /// Its number among the contents of that entry.
    pub(super) nth: usize,
    pub(super) blob: BlobId,
    pub(super) sha256: Sha256,
}

/// Checks contents, one after the other.
pub(super) struct Contents<'a> {
    store: &'a Store,
    view: &'a View,
    given_up: &'a GivenUp,
    depth: Depth,
    /// Results for content that several facts name.
    known: HashMap<(BlobId, Sha256), Option<String>>,
    pub(super) counts: VerifyReport,
    /// Contents that are missing or damaged, and why.
    pub(super) missing: Vec<(Named, String)>,
    /// The error that stopped the check.
    pub(super) failed: Option<crate::Error>,
}

impl<'a> Contents<'a> {
    pub(super) fn new(
        store: &'a Store,
        view: &'a View,
        given_up: &'a GivenUp,
        depth: Depth,
    ) -> Self {
        Self {
            store,
            view,
            given_up,
            depth,
            known: HashMap::new(),
            counts: VerifyReport::new(),
            missing: Vec::new(),
            failed: None,
        }
    }

    /// Adds the results of another check.
    pub(super) fn join(&mut self, other: Self) {
        self.counts.join(other.counts);
        self.missing.extend(other.missing);
        self.failed = self.failed.take().or(other.failed);
    }

    pub(super) fn look(&mut self, named: Named) -> ControlFlow<()> {
        match self.content(&named.blob, &named.sha256) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(why)) => {
                self.missing.push((named, why));
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Returns what is wrong with a content, unless a repair recorded it.
    pub(super) fn content(&mut self, blob: &BlobId, sha256: &Sha256) -> Result<Option<String>> {
        let wrong = self.wrong(blob, sha256)?;
        if wrong.is_some() && self.is_given_up(blob) {
            self.counts.known_losses.contents += 1;
            return Ok(None);
        }
        Ok(wrong)
    }

    /// Returns true when a repair recorded this content, or a part of it, as lost, and it still is.
    fn is_given_up(&self, blob: &BlobId) -> bool {
        let nowhere = |id: &BlobId| {
            self.given_up.contains_key(id)
                && !self.store.journal.contains(id)
                && self
                    .view
                    .blob(id)
                    .is_ok_and(|row| row.is_none_or(|row| row.place.is_none()))
        };
        let parts = || {
            self.view
                .children(blob)
                .is_ok_and(|parts| parts.iter().any(nowhere))
        };
        !self.given_up.is_empty() && (nowhere(blob) || parts())
    }

    fn wrong(&mut self, blob: &BlobId, sha256: &Sha256) -> Result<Option<String>> {
        let row = self.view.blob(blob)?;
        let placed = row.is_some_and(|row| row.place.is_some());
        if self.depth == Depth::Quick {
            self.counts.blobs += 1;
            if self.store.journal.contains(blob) {
                return Ok(None);
            }
            if !placed {
                return Ok(Some("it is nowhere in the store".to_owned()));
            }
            for part in self.view.children(blob)?.iter() {
                if self.view.blob(part)?.is_none_or(|row| row.place.is_none()) {
                    return Ok(Some(format!("its chunk {part} is nowhere in the store")));
                }
            }
            return Ok(None);
        }
        let key = (*blob, *sha256);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let found = match self.read_through(blob, sha256) {
            Ok(checked) => {
                if !placed {
                    self.counts.blobs += 1;
                    self.counts.checked_bytes += checked;
                }
                None
            }
            Err(why) => Some(why),
        };
        let is_shared = row.is_some_and(|row| row.named > 1);
        if is_shared && self.known.len() < SHARED_MAX {
            self.known.insert(key, found.clone());
        }
        Ok(found)
    }

    /// Reads all of a content and compares it with both its hashes. Returns its length, or what is
    /// wrong with it.
    fn read_through(&self, blob: &BlobId, sha256: &Sha256) -> Result<u64, String> {
        let nowhere = || "it is nowhere in the store".to_owned();
        let plain = self.store.contents.plain(blob);
        let plain = plain.map_err(|error| error.message().to_owned())?;
        let plain = plain.ok_or_else(nowhere)?;
        let (size, found) = if plain.kind == RecordKind::Content {
            // A read by name compares the BLAKE3 hash.
            (plain.bytes.len() as u64, Sha256::of(&plain.bytes))
        } else {
            // Chunk by chunk: a content may be larger than memory.
            let mut digests = Digests::new();
            let size = self.chunks(&plain.bytes, &mut digests);
            let size = size.map_err(|error| error.message().to_owned())?;
            let digests = digests.finish();
            if digests.blake3 != *blob {
                return Err("its bytes do not have this hash".to_owned());
            }
            (size, digests.sha256)
        };
        if found != *sha256 {
            return Err("its bytes do not have the SHA-256 its event states".to_owned());
        }
        Ok(size)
    }

    fn chunks(&self, root: &[u8], digests: &mut Digests) -> Result<u64> {
        let manifest = self.store.contents.manifest(root)?;
        let mut left = manifest.size;
        for part in &manifest.parts {
            // Inner nodes of the manifest come after the chunks.
            if left == 0 {
                break;
            }
            let plain = self.store.contents.plain(part)?.ok_or_else(|| {
                crate::Error::new(
                    crate::ErrorKind::Damaged,
                    format!("chunk {part} is missing"),
                )
            })?;
            left = left.checked_sub(plain.bytes.len() as u64).ok_or_else(|| {
                crate::Error::new(
                    crate::ErrorKind::Damaged,
                    format!("chunk {part} goes beyond the length its manifest states"),
                )
            })?;
            digests.update(&plain.bytes);
        }
        Ok(manifest.size)
    }
}

/// Returns the contents that an entry names, in the order of its events, whether or not a purge
/// took them.
pub(super) fn named(entry: &Entry) -> impl Iterator<Item = Named> + '_ {
    all_of(entry).map(|(named, _)| named)
}

/// Returns whether an entry needs its content: it is not purged, or its purge can be undone.
pub(super) fn is_needed(entry: &Entry) -> bool {
    entry.purged_at.is_none() || entry.final_at.is_some()
}

/// Returns the contents that an entry still needs, of those that it names.
pub(super) fn needed(entry: &Entry) -> impl Iterator<Item = Named> + '_ {
    let may_be_read = is_needed(entry);
    let left = all_of(entry).filter(move |(_, attempt)| match attempt {
        None => may_be_read && !entry.facts_only && entry.source_purge().is_none(),
        Some(attempt) => may_be_read && entry.reports_purge(*attempt).is_none(),
    });
    left.map(|(named, _)| named)
}

/// Returns the contents that an entry names, each with the attempt that made it.
fn all_of(entry: &Entry) -> impl Iterator<Item = (Named, Option<AttemptNo>)> + '_ {
    let reports = entry.attempts.iter().flat_map(|attempt| {
        let made = attempt.attempt;
        let reports = attempt.reports.iter();
        reports.map(move |report| (report.blake3, report.sha256, Some(made)))
    });
    let contents = std::iter::once((entry.blake3, entry.sha256, None)).chain(reports);
    contents.enumerate().map(|(nth, (blob, sha256, attempt))| {
        let named = Named {
            entry: entry.id,
            nth,
            blob,
            sha256,
        };
        (named, attempt)
    })
}
