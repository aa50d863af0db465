//! Brings an index up to the log: folds in the few events it lacks at an opening, or all of them
//! into an empty index.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, bounded, unbounded};

use crate::archive::files::event_line::decode;
use crate::archive::files::pack_error::read_error;
use crate::archive::files::pack_files::{PackFile, PackFiles};
use crate::archive::opening::disclosed::{Disclosed, Due};
use crate::archive::options::Progress;
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::manifest::Manifest;
use crate::archive::state::placing::{pack_row, place_blobs};
use crate::blob::pack_reader::{PackReadError, PackReader, blobs};
use crate::disk::Disk;
use crate::event::Event;
use crate::format::pack::{PackEntry, PackError, PackHeader, PackOffset, PackOrigin, PackPart};
use crate::format::record::RecordKind;
use crate::id::{BlobId, EventSeq, PackId};
use crate::index::{CHECKPOINT_EVENTS, Index, Overlay, Place, View};
use crate::log::{LogFiles, LogReader};
use crate::{Error, ErrorKind, Result};

/// The most events that an opening leaves in memory instead of writing them to the index. A small
/// store opens without a write.
const LAG_EVENTS_MAX: u64 = 4_096;
/// The index is written when this many entries changed.
const CHANGED_ENTRIES_MAX: usize = 65_536;
/// The index is also written when the changes take about this much memory. A whole span of ordinary
/// entries should fit beside what is kept back: a span written in parts costs twice.
const WEIGHT_MAX: usize = 112 << 20;
/// An index that is made from nothing keeps back this much of the changes for one large write.
const KEPT_BACK_BYTES: usize = 64 << 20;
/// Events decoded ahead of the fold, in batches.
const BATCH_EVENTS: usize = 1_024;
const BATCHES_AHEAD: usize = 4;

/// An index which, together with its overlay, says what the log says.
pub(in crate::archive) struct CaughtUp {
    pub(in crate::archive) index: Index,
    pub(in crate::archive) active: Overlay,
    pub(in crate::archive) next_pack: PackId,
}

/// Which events must be in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum Whole {
    /// Every event. An event whose bytes cannot be read is an error.
    Every,
    /// The events that can be read. The log is known to be damaged, and the rest is shown.
    Readable,
}

/// What an index is brought up to.
pub(in crate::archive) struct CatchUp<'a> {
    pub(in crate::archive) disk: &'a Arc<dyn Disk>,
    pub(in crate::archive) progress: &'a Progress,
    pub(in crate::archive) log: &'a Arc<LogFiles>,
    /// The pack files that count. Damaged ones are left out, and their content is reported missing.
    pub(in crate::archive) packs: &'a PackFiles,
    /// The blobs in the journal.
    pub(in crate::archive) journal: &'a JournalBlobs,
    /// The last event that is folded in.
    pub(in crate::archive) last: EventSeq,
    pub(in crate::archive) whole: Whole,
}

/// Folds into `index` the events it lacks. An index that is missing, damaged or ahead of the log is
/// made again by `make`.
pub(in crate::archive) fn catch_up(
    from: &CatchUp<'_>,
    index: Option<Index>,
    make: impl Fn() -> Result<Index>,
) -> Result<CaughtUp> {
    let &CatchUp {
        disk, packs, last, ..
    } = from;
    let usable = match index {
        Some(index) if index.applied()? <= last => Some(index),
        _ => None,
    };
    let (index, anew) = match usable {
        Some(index) => (index, false),
        None => (make()?, true),
    };
    let mut catching = Catching {
        below: index.view(Vec::new())?,
        active: index.view(Vec::new())?.overlay(),
        index,
        disk,
        due: BTreeMap::new(),
        anew,
        half_made: false,
    };
    if anew {
        catching.active.begin_alone();
    }
    catching.forget_missing(packs)?;
    catching.place_unknown(packs)?;
    let applied = catching.active.applied();
    assert!(applied <= last, "BUG: the index is ahead of the log");
    let lag = last.0 - applied.0;
    if lag > 0 {
        catching.fold(from, applied.next())?;
    }
    // A seal that was cut off left packs of events that are still in the journal. They count when
    // this opening removes nothing.
    catching.place_due(EventSeq(u64::MAX), packs)?;
    if lag > LAG_EVENTS_MAX || catching.half_made {
        catching.write_all()?;
    }
    let highest = packs.keys().next_back().map_or(0, |pack| pack.0);
    let known = catching.below.packs()?;
    let highest = known
        .iter()
        .map(|pack| pack.id.0)
        .max()
        .unwrap_or(0)
        .max(highest)
        .max(catching.active_view().highest_pack().0);
    Ok(CaughtUp {
        index: catching.index,
        active: catching.active,
        next_pack: PackId(highest + 1),
    })
}

/// Places of the manifests and their inner nodes that the index does not know yet.
type Nodes = HashMap<BlobId, (PackId, PackEntry)>;

fn no_manifest(entry: &PackEntry) -> Result<Manifest> {
    Err(Error::new(
        ErrorKind::Damaged,
        format!("manifest {} is missing", entry.id),
    ))
}

/// The header and the entries of a pack.
struct Contents {
    header: PackHeader,
    entries: Vec<PackEntry>,
    dictionary_bytes: u64,
}

struct Catching<'a> {
    index: Index,
    below: View,
    active: Overlay,
    disk: &'a Arc<dyn Disk>,
    /// Packs to be placed, by the last event they were sealed with. They wait until that event is
    /// folded in.
    due: Due,
    /// The index began empty.
    anew: bool,
    /// The index is only usable after [`Catching::write_all`].
    half_made: bool,
}

impl Catching<'_> {
    fn active_view(&self) -> View {
        self.below.under(self.active.clone())
    }

    /// Forgets packs whose files are gone.
    ///
    /// The index knows a pack exactly when its file is there. So it says the same wherever a
    /// compaction was cut off.
    fn forget_missing(&mut self, packs: &BTreeMap<PackId, PackFile>) -> Result<()> {
        let known = self.below.packs()?.into_iter().map(|pack| pack.id);
        let missing: BTreeSet<PackId> = known.filter(|id| !packs.contains_key(id)).collect();
        Ok(self.active.drop_packs(&missing, &self.below)?)
    }

    /// Places the blobs of packs that were published after the index was last written.
    ///
    /// Packs of events that are still to be folded in wait until those are: then the row of a blob
    /// is written once.
    ///
    /// A pack that cannot be read is left out and tried again at the next opening. Nothing is
    /// compacted meanwhile: its content has no place, and its manifests may be all that keeps their
    /// chunks alive.
    fn place_unknown(&mut self, packs: &BTreeMap<PackId, PackFile>) -> Result<()> {
        let known: BTreeSet<PackId> = self.below.packs()?.iter().map(|pack| pack.id).collect();
        let unknown: Vec<_> = packs.iter().filter(|(id, _)| !known.contains(id)).collect();
        let applied = self.active.applied();
        // Content first: a manifest's inner nodes may lie in any pack, since compaction moves them.
        let mut nodes = HashMap::new();
        let mut readable = Vec::new();
        for (id, file) in unknown {
            let Ok(Contents {
                header,
                entries,
                dictionary_bytes,
            }) = self.contents(file)
            else {
                continue;
            };
            let (content, manifests): (Vec<_>, Vec<_>) = entries
                .into_iter()
                .partition(|entry| entry.kind == RecordKind::Content);
            let later = header.origin == PackOrigin::Sealed && header.last_seq > applied;
            if later && manifests.is_empty() {
                self.due.entry(header.last_seq).or_default().push(*id);
                continue;
            }
            nodes.extend(manifests.iter().map(|entry| (entry.id, (*id, *entry))));
            place_blobs(&mut self.active, &self.below, *id, &content, no_manifest)?;
            let blobs = content.len() + manifests.len();
            let row = pack_row(*id, &file.class, file.bytes, blobs, dictionary_bytes);
            readable.push((row, manifests));
            if self.active.weight() > WEIGHT_MAX {
                self.write()?;
            }
        }
        for (row, mut entries) in readable {
            let mut manifests = HashMap::new();
            let read =
                entries
                    .iter()
                    .try_for_each(|entry| match self.manifest(packs, &nodes, entry) {
                        Ok(manifest) => {
                            manifests.insert(entry.id, manifest);
                            Ok(())
                        }
                        Err(error) if error.kind() == ErrorKind::Damaged => Ok(()),
                        Err(error) => Err(error),
                    });
            if read.is_err() {
                continue;
            }
            entries.retain(|entry| manifests.contains_key(&entry.id));
            // The row of the pack comes last. With it the pack is known, and not opened here again.
            place_blobs(&mut self.active, &self.below, row.id, &entries, |entry| {
                manifests
                    .remove(&entry.id)
                    .map_or_else(|| no_manifest(entry), Ok)
            })?;
            self.active.add_pack(&row, &self.below)?;
            if self.active.weight() > WEIGHT_MAX {
                self.write()?;
            }
        }
        Ok(())
    }

    /// Reads the header and the entries of a pack. A pack that lost its end still has its records;
    /// `verify` reports the damage.
    fn contents(&self, file: &PackFile) -> Result<Contents, PackReadError> {
        let reader = PackReader::open(&**self.disk, &file.path)?;
        // A pack of another store is reported as missing content. Taken in, it would be all dead,
        // and compacted away.
        if reader.header().store != self.index.store() {
            return Err(PackReadError::from(PackError::Contradiction {
                part: PackPart::Header,
                what: "it is another store's",
            }));
        }
        let listed = reader.listed().or_else(|_| reader.salvage())?;
        let dictionaries = listed
            .iter()
            .filter(|entry| entry.kind == RecordKind::Dictionary);
        Ok(Contents {
            header: reader.header().clone(),
            dictionary_bytes: dictionaries.map(|entry| u64::from(entry.len)).sum(),
            entries: blobs(listed),
        })
    }

    /// Places the packs that waited for the events up to `seq`.
    fn place_due(&mut self, seq: EventSeq, packs: &BTreeMap<PackId, PackFile>) -> Result<()> {
        while let Some(due) = self.due.first_entry() {
            if *due.key() > seq {
                break;
            }
            for id in due.remove() {
                let file = &packs[&id];
                let Ok(Contents {
                    entries,
                    dictionary_bytes,
                    ..
                }) = self.contents(file)
                else {
                    continue;
                };
                place_blobs(&mut self.active, &self.below, id, &entries, no_manifest)?;
                let row = pack_row(id, &file.class, file.bytes, entries.len(), dictionary_bytes);
                self.active.add_pack(&row, &self.below)?;
            }
        }
        Ok(())
    }

    fn manifest(
        &self,
        packs: &BTreeMap<PackId, PackFile>,
        nodes: &Nodes,
        root: &PackEntry,
    ) -> Result<Manifest> {
        let root = self.node(packs, nodes, &root.id)?;
        Manifest::read(&root, |id| self.node(packs, nodes, id))
    }

    /// Reads a node of a manifest: from a pack that is not placed yet, or from where it was placed
    /// before.
    fn node(
        &self,
        packs: &BTreeMap<PackId, PackFile>,
        nodes: &Nodes,
        id: &BlobId,
    ) -> Result<Vec<u8>> {
        let missing = || Error::new(ErrorKind::Damaged, format!("blob {id} is missing"));
        let (pack, offset, len) = if let Some((pack, entry)) = nodes.get(id) {
            (*pack, entry.offset, entry.len)
        } else {
            let row = self.active_view().blob(id)?;
            let place = match row.and_then(|row| row.place) {
                Some(place) => place,
                None => self.place_in_due(packs, id).ok_or_else(missing)?,
            };
            (place.pack, PackOffset(place.offset), place.len)
        };
        let file = packs.get(&pack).ok_or_else(missing)?;
        let plain = PackReader::open(&**self.disk, &file.path)
            .and_then(|reader| reader.read_plain(offset, len, id))
            .map_err(|error| read_error(&file.path, error))?;
        Ok(plain.bytes)
    }

    /// Finds a blob in the packs that are still to be placed.
    fn place_in_due(&self, packs: &BTreeMap<PackId, PackFile>, id: &BlobId) -> Option<Place> {
        self.due.values().flatten().find_map(|pack| {
            let Contents { entries, .. } = self.contents(packs.get(pack)?).ok()?;
            let entry = entries.iter().find(|entry| entry.id == *id)?;
            Some(Place {
                pack: *pack,
                offset: entry.offset.0,
                len: entry.len,
            })
        })
    }

    fn fold(&mut self, from: &CatchUp<'_>, first: EventSeq) -> Result<()> {
        let &CatchUp {
            log,
            packs,
            last,
            whole,
            ..
        } = from;
        let total = last.0 + 1 - first.0;
        let mut disclosed = Disclosed::new(from.disk, log, from.journal, packs);
        thread::scope(|scope| {
            let (ahead, batches) = bounded(BATCHES_AHEAD);
            // Folded events go back to the thread that made them: dropping them here would slow the
            // fold down.
            let (spent, folded) = unbounded::<Vec<Decoded>>();
            scope.spawn(move || {
                decode_ahead(log, first..=last, whole, |batch| {
                    folded.try_iter().for_each(drop);
                    ahead.send(batch).is_ok()
                });
            });
            let mut done = 0;
            for batch in receive(&batches) {
                let mut batch = batch?;
                for decoded in &mut batch {
                    let seq = match decoded {
                        Decoded::Event(event) => {
                            if !event.sealed.is_empty() {
                                self.reveal(event, &mut disclosed);
                            }
                            self.active.apply(event, &self.below)?;
                            event.seq
                        }
                        Decoded::Unreadable(seq) => {
                            self.active.pass_over(*seq)?;
                            *seq
                        }
                    };
                    self.place_due(seq, packs)?;
                    done += 1;
                    let whole_span = seq.next().0.is_multiple_of(CHECKPOINT_EVENTS);
                    if (whole_span && total > LAG_EVENTS_MAX)
                        || self.active.changed_entries() >= CHANGED_ENTRIES_MAX
                        || self.active.weight() >= WEIGHT_MAX
                    {
                        self.write()?;
                    }
                }
                // Once all is decoded, the other thread has ended.
                let _ = spent.send(batch);
                from.progress
                    .report(done, total, "folding the log into the index");
            }
            Ok(())
        })
    }

    fn reveal(&mut self, event: &mut Event, disclosed: &mut Disclosed<'_>) {
        let Self {
            active, below, due, ..
        } = self;
        // Where an index cannot be read, the fold meets the same error.
        disclosed.reveal(event, due, |id| active.place_of(id, below).ok().flatten());
    }

    /// Writes changes to make room for more. An index that is made from nothing keeps back what is
    /// best written all at once.
    fn write(&mut self) -> Result<()> {
        if !self.anew {
            return self.write_all();
        }
        self.half_made = true;
        let (below, active) = self
            .index
            .commit_half_made(&mut self.active, KEPT_BACK_BYTES)?;
        self.below = below;
        self.active = active;
        Ok(())
    }

    fn write_all(&mut self) -> Result<()> {
        self.index.commit(&self.active)?;
        self.half_made = false;
        self.below = self.index.view(Vec::new())?;
        self.active = self.below.overlay();
        Ok(())
    }
}

/// A decoded line of the log.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are events, and a box for each would slow a rebuild down"
)]
enum Decoded {
    Event(Event),
    /// Its bytes are as they were recorded, and mean nothing to this version. It keeps its number,
    /// and `verify` reports it.
    Unreadable(EventSeq),
}

fn receive<T>(batches: &Receiver<T>) -> impl Iterator<Item = T> + '_ {
    std::iter::from_fn(|| batches.recv().ok())
}

fn decode_ahead(
    files: &Arc<LogFiles>,
    events: RangeInclusive<EventSeq>,
    whole: Whole,
    mut send: impl FnMut(Result<Vec<Decoded>>) -> bool,
) {
    let (mut next, last) = events.into_inner();
    let mut reader = LogReader::new(Arc::clone(files), next, last);
    let mut batch = Vec::with_capacity(BATCH_EVENTS);
    while next <= last {
        let decoded = match reader.next_leaf() {
            None => break,
            Some(Ok((seq, line))) => {
                decode(seq, &line).map_or(Decoded::Unreadable(seq), Decoded::Event)
            }
            Some(Err(_)) if whole == Whole::Readable => {
                // After an error the reader is at its end.
                let Some(begins) = files.begins_after(next) else {
                    break;
                };
                next = begins;
                reader = LogReader::new(Arc::clone(files), next, last);
                continue;
            }
            Some(Err(error)) => {
                if send(Ok(batch)) {
                    send(Err(error.into()));
                }
                return;
            }
        };
        next = next.next();
        batch.push(decoded);
        if batch.len() == BATCH_EVENTS && !send(Ok(std::mem::take(&mut batch))) {
            return;
        }
    }
    if !batch.is_empty() {
        send(Ok(batch));
    }
}
