//! Finds what a store with repaired files still lacks, restores from the journal what it can, and
//! records the rest as lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::plan::{Patient, RepairOutcome};
use crate::archive::files::event_line::decode;
use crate::archive::files::pack_error::write_error;
use crate::archive::files::pack_files::pack_class;
use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, WriterLink};
use crate::archive::opening::open::open_locked;
use crate::archive::options::{Access, Options};
use crate::archive::state::placing::placement;
use crate::archive::state::store::Store;
use crate::archive::writing::put::NewEntry;
use crate::blob::pack_reader::StoredRecord;
use crate::blob::pack_writer::PackSeries;
use crate::disk::DiskLock;
use crate::entry::{Meta, Part, Retention};
use crate::event::{Body, EntryRanges, Lost, Repaired, RepairedFile, Source};
use crate::format::pack::{PackClass, PackOffset, PackOrigin};
use crate::format::record::{self, RecordKind};
use crate::id::{BlobId, EntryId, EventSeq, PackId};
use crate::log::{LogReader, Remains};
use crate::{Error, ErrorKind, Result};

/// The most items of each kind that one event lists: a leaf has at most 65,535 bytes.
const LISTED_MAX: usize = 200;

/// The converter of the entries that are made of found content.
const FOUND_BY: &str = "annals repair";

/// Losses that no event records.
pub(super) struct UnrecordedLosses {
    /// Content that is needed and nowhere.
    pub(super) contents: Vec<BlobId>,
    /// Numbers of events that a stand-in replaces.
    pub(super) events: Vec<(EventSeq, EventSeq)>,
    /// Numbers of events whose lines are as they were recorded and cannot be read.
    pub(super) unreadable: Vec<(EventSeq, EventSeq)>,
    /// The last of them replaces any number of events.
    end_is_lost: bool,
    /// Content in packs that no readable event names.
    nameless: BTreeMap<BlobId, PackId>,
}

/// Finds losses that no event records. Reads the whole log.
pub(super) fn unrecorded_losses(archive: &Archive) -> Result<UnrecordedLosses> {
    let store = archive.store();
    let view = store.index.view();
    let given_up = view.losses()?;
    let contents =
        view.needed_nowhere(|id| given_up.contains_key(id) || store.journal.contains(id))?;
    let mut nameless = view.unneeded()?;
    let mut lost: BTreeMap<EventSeq, Lost> = BTreeMap::new();
    let mut unreadable: BTreeSet<EventSeq> = BTreeSet::new();
    let mut purged: Vec<EntryRanges> = Vec::new();
    let mut log = LogReader::new(Arc::clone(&store.log), EventSeq(1), archive.newest());
    while let Some(leaf) = log.next_leaf() {
        let (seq, line) = leaf?;
        let Ok(event) = decode(seq, &line) else {
            unreadable.insert(seq);
            continue;
        };
        match event.body {
            Body::Lost(body) => drop(lost.insert(seq, body)),
            Body::Repaired(body) => {
                for (first, last) in body.events {
                    lost.retain(|seq, _| *seq < first || *seq > last);
                    unreadable.retain(|seq| *seq < first || *seq > last);
                }
            }
            // Facts alone name a content that was never stored for them.
            Body::Archived(body) if !body.facts_only => {
                nameless.remove(&body.blob.blake3);
            }
            Body::Converted(body) => {
                for report in &body.reports {
                    nameless.remove(&report.blake3);
                }
            }
            Body::ConverterRegistered(body) => {
                for file in &body.bundle {
                    nameless.remove(&file.blob.blake3);
                }
            }
            // Reports are named by events of their own.
            Body::PurgedEntries(body)
                if body.final_at.is_none() && matches!(body.what(), Part::Entry | Part::Source) =>
            {
                purged.push(body.entries);
            }
            Body::PurgeFinalized(body) => purged.push(body.entries),
            _ => {}
        }
    }
    let was_purged = |seq: &EventSeq| {
        let id = EntryId(seq.0);
        purged.iter().any(|entries| entries.contains(id))
    };
    if lost.keys().chain(&unreadable).all(was_purged) {
        // This content was purged, and waits for compaction.
        nameless.clear();
    }
    Ok(UnrecordedLosses {
        contents,
        end_is_lost: lost.values().any(|lost| lost.and_later),
        events: ranges(lost.into_keys()),
        unreadable: ranges(unreadable.into_iter()),
        nameless,
    })
}

fn ranges(seqs: impl Iterator<Item = EventSeq>) -> Vec<(EventSeq, EventSeq)> {
    let mut ranges: Vec<(EventSeq, EventSeq)> = Vec::new();
    for seq in seqs {
        match ranges.last_mut() {
            Some((_, last)) if last.next() == seq => *last = seq,
            _ => ranges.push((seq, seq)),
        }
    }
    ranges
}

/// Opens the repaired store, restores what the journal still has, and records the rest as lost.
pub(super) fn record_losses(
    patient: &Patient,
    lock: Arc<dyn DiskLock>,
    files: Vec<RepairedFile>,
) -> Result<RepairOutcome> {
    let options = Options {
        access: Access::ReadWrite,
        ..patient.options.clone()
    };
    let lock: Box<dyn DiskLock> = Box::new(lock);
    let archive = open_locked(
        Arc::clone(&patient.disk),
        patient.dir.clone(),
        options,
        patient.findings.store,
        Some(lock),
    )?;
    if let Some(line) = archive.damage().first() {
        return Err(Error::new(
            ErrorKind::Damaged,
            format!("the store is damaged beyond repair: {line}"),
        )
        .hint("what was replaced is kept in quarantine; bring the file back from a copy"));
    }
    let before = unrecorded_losses(&archive)?;
    if !before.unreadable.is_empty() {
        // The content of such an event is found in packs only.
        archive.seal()?;
    }
    let restored = restore_contents(&archive, before.contents)?;
    let losses = unrecorded_losses(&archive)?;
    let found = make_entries_of_found(&archive, &losses)?;
    let end_is_lost = losses.end_is_lost;
    let no_event = losses.events.is_empty() && losses.unreadable.is_empty();
    let ok = no_event && losses.contents.is_empty();
    let mut events = losses.events.clone();
    events.extend(&losses.unreadable);
    events.sort_unstable();
    let whole = Repaired {
        files: files.clone(),
        events,
        end_is_lost,
        contents: losses.contents.clone(),
        found: found.clone(),
    };
    record(&archive, &whole)?;
    archive.close_as_it_is()?;
    Ok(RepairOutcome {
        ok,
        files,
        lost_events: losses.events,
        unreadable_events: losses.unreadable,
        end_is_lost,
        lost_contents: losses.contents,
        restored_contents: restored,
        found,
    })
}

/// Restores missing content from journal files. A journal file keeps what it held before it was
/// used again, until that is overwritten. Purged content is wiped from it.
fn restore_contents(archive: &Archive, missing: Vec<BlobId>) -> Result<u64> {
    if missing.is_empty() {
        return Ok(0);
    }
    let missing: BTreeSet<BlobId> = missing.into_iter().collect();
    let store = Arc::clone(archive.store());
    archive.run_in_background(move |writer| {
        let before = missing.len();
        let left = restore_from_journal(&store, writer, missing)?;
        Ok((before - left) as u64)
    })
}

fn restore_from_journal(
    store: &Store,
    writer: &WriterLink,
    mut missing: BTreeSet<BlobId>,
) -> Result<usize> {
    let remains = Remains::survey(&*store.disk, &store.id)?;
    let mut rescued: BTreeMap<PackClass, Vec<StoredRecord>> = BTreeMap::new();
    for journal in &remains.journals {
        for live in &journal.frames {
            let Some(owned) = crate::log::read_frame(&*journal.file, live)? else {
                continue;
            };
            let Ok(frame) = owned.frame() else {
                continue;
            };
            let mut rest = frame.records;
            while let Ok((header, _)) = record::decode(rest) {
                let (one, behind) = rest.split_at(header.record_len() as usize);
                rest = behind;
                if !missing.contains(&header.id) {
                    continue;
                }
                let Ok(stored) = StoredRecord::decode(one) else {
                    continue;
                };
                let is_content = header.kind != RecordKind::Dictionary;
                if is_content && stored.plain(PackOffset(0), &header.id, None).is_ok() {
                    missing.remove(&header.id);
                    let class = pack_class(frame.header.retention, frame.header.time);
                    rescued.entry(class).or_default().push(stored);
                }
            }
        }
    }
    let mut packs = Vec::new();
    for (class, records) in rescued {
        store.packs.make_class_dir(&class)?;
        let nothing = (EventSeq(0), EventSeq(0));
        let place = || {
            store
                .packs
                .next_place(&class, PackOrigin::Compacted, nothing)
        };
        let disk = Arc::clone(&store.disk);
        let mut series = PackSeries::new(disk, store.options.pack_bytes, place);
        for record in &records {
            series.append(&record.as_record()).map_err(write_error)?;
        }
        packs.extend(series.finish().map_err(write_error)?);
    }
    if !packs.is_empty() {
        writer.change(placement(&*store.disk, &store.contents, packs)?)?;
    }
    Ok(missing.len())
}

/// Makes entries of content whose own events are lost or cannot be read. Then it can be found, held
/// and purged; without an entry, compaction would remove it.
fn make_entries_of_found(archive: &Archive, losses: &UnrecordedLosses) -> Result<EntryRanges> {
    if losses.events.is_empty() && losses.unreadable.is_empty() {
        return Ok(EntryRanges::default());
    }
    let view = archive.store().index.view();
    let mut nameless = losses.nameless.clone();
    for id in losses.nameless.keys() {
        // Parts of found content come back with it. When a part is missing, the other parts get
        // entries of their own.
        let whole = archive.read(id).and_then(|mut content| {
            io::copy(&mut content, &mut io::sink())
                .map_err(|error| Error::io("read", "found content", error))
        });
        let parts = view.children(id)?;
        match whole {
            Ok(_) => nameless.retain(|id, _| !parts.contains(id)),
            Err(_) => nameless.retain(|known, _| known != id),
        }
    }
    let mut found = Vec::new();
    for (id, pack) in &nameless {
        let class = view.pack(*pack)?.map(|pack| pack.class);
        let retention = class
            .as_deref()
            .and_then(|class| class.split('/').next()?.parse::<Retention>().ok())
            .unwrap_or_default();
        let content = archive.read(id)?;
        let new = NewEntry {
            converter: FOUND_BY.to_owned(),
            source: Source {
                name: format!("found-{}", &id.to_string()[..12]),
                ..Source::default()
            },
            meta: Meta::from_iter([("pack".to_owned(), pack.to_string())]),
            retention,
            key: Some(format!("annals repair {id}").into()),
            ..NewEntry::default()
        };
        found.push(archive.put(new, content)?.id);
    }
    Ok(EntryRanges::of(found))
}

/// Records the repair, in as many events as it takes.
fn record(archive: &Archive, whole: &Repaired) -> Result<()> {
    let lengths = [whole.files.len(), whole.events.len(), whole.contents.len()];
    let longest = lengths.into_iter().max().unwrap_or(0);
    for nth in 0..longest.div_ceil(LISTED_MAX).max(1) {
        let first = nth == 0;
        let fact = Repaired {
            files: part(&whole.files, nth),
            events: part(&whole.events, nth),
            end_is_lost: first && whole.end_is_lost,
            contents: part(&whole.contents, nth),
            found: if first {
                whole.found.clone()
            } else {
                EntryRanges::default()
            },
        };
        archive.append(vec![Draft::fact(Body::Repaired(fact))])?;
    }
    Ok(())
}

fn part<T: Clone>(all: &[T], nth: usize) -> Vec<T> {
    all.chunks(LISTED_MAX).nth(nth).unwrap_or_default().to_vec()
}
