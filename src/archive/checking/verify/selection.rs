//! Verifies some entries: their events, the proofs of these, and their contents. It says what it
//! did not look at.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::contents::{Contents, is_needed, named, needed};
use super::report::{Depth, SelectionChecked, VerifyReport};
use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::archive::signing::declared;
use crate::archive::signing::prove::{hashes, subject_of};
use crate::archive::state::store::Store;
use crate::archive::state::tree_file::TreeAccess;
use crate::entry::Entry;
use crate::event::{BlobRef, Body, Event};
use crate::format::leaf::subject_in;
use crate::id::{EntryId, EventSeq};
use crate::index::View;
use crate::log::LogReader;
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Verifies only some entries: each of their events, that it is in the log that was signed, and
    /// their contents. Damage is a finding; an error means that the verification itself failed.
    ///
    /// [`VerifyReport::selection`] says what was not looked at.
    ///
    /// ```
    /// use annals::archive::{Archive, Depth, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let id = archive.put(NewEntry::new("ICT"), &b"content"[..])?.id;
    /// let report = archive.verify_entries(&[id], Depth::Deep)?;
    /// assert!(report.ok, "{:?}", report.findings);
    /// assert_eq!((report.events, report.blobs), (1, 1));
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` when one of the entries is not there, or none is named: nothing that was not
    /// checked is ever called intact.
    pub fn verify_entries(&self, entries: &[EntryId], depth: Depth) -> Result<VerifyReport> {
        if entries.is_empty() {
            let said = "no entry is named, so there is nothing to verify";
            return Err(Error::new(ErrorKind::NotFound, said));
        }
        let chosen = entries.to_vec();
        if self.is_writable() {
            // On the background thread, so no file moves meanwhile. Archiving continues.
            let store = Arc::clone(self.store());
            self.run_in_background(move |_| verify(&store, &chosen, depth))
        } else {
            verify(self.store(), &chosen, depth)
        }
    }
}

fn verify(store: &Store, ids: &[EntryId], depth: Depth) -> Result<VerifyReport> {
    let view = store.index.view();
    let mut entries = BTreeMap::new();
    for id in ids {
        let entry = view.entry(*id)?.ok_or_else(|| {
            let said = format!("there is no entry {id}");
            Error::new(ErrorKind::NotFound, said)
        })?;
        entries.insert(*id, entry);
    }
    let mut report = VerifyReport::new();
    let mut checked = SelectionChecked {
        entries: entries.len() as u64,
        purged: entries
            .values()
            .filter(|entry| entry.purged_at.is_some())
            .count() as u64,
        ..SelectionChecked::default()
    };
    let events = read_events(store, &view, &entries, &mut report, &mut checked)?;
    compare_entries(&entries, &events, &mut report);
    let seqs: Vec<EventSeq> = events.into_iter().map(|event| event.seq).collect();
    prove(store, &seqs, &mut report, &mut checked)?;
    contents(store, &view, &entries, depth, &mut report)?;
    checked.not_checked.extend(left_out(depth, checked.purged));
    report.selection = Some(checked);
    report.ok = report.findings.is_empty();
    Ok(report)
}

/// Reads the log from the oldest of the entries on. Returns the events that are about one of them.
fn read_events(
    store: &Store,
    view: &View,
    entries: &BTreeMap<EntryId, Entry>,
    report: &mut VerifyReport,
    checked: &mut SelectionChecked,
) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let Some(first) = entries.keys().next() else {
        return Ok(events);
    };
    let unreadable = view.unreadable()?;
    let mut next = first.event();
    let mut reader = LogReader::new(Arc::clone(&store.log), next, view.applied());
    while let Some(leaf) = reader.next_leaf() {
        let (seq, line) = match leaf {
            Ok(leaf) => leaf,
            Err(error) => {
                report.find("log", format!("event {next}"), error);
                let rest = format!("the events from {next} on, because of the damage there");
                checked.not_checked.push(rest);
                break;
            }
        };
        next = seq.next();
        let Some(entry) = may_be_about(&line, entries) else {
            continue;
        };
        report.events += 1;
        report.checked_bytes += line.len() as u64;
        match decode(seq, &line) {
            Ok(event) => events.push(event),
            Err(_) if unreadable.get(&seq).is_some_and(Option::is_some) => {
                report.known_losses.events += 1;
            }
            Err(error) => {
                let place = format!("event {seq}, entry {entry}");
                report.find("log", place, error.message());
            }
        }
    }
    Ok(events)
}

/// Returns which of the entries a line is about.
fn may_be_about(line: &[u8], entries: &BTreeMap<EntryId, Entry>) -> Option<EntryId> {
    let id = subject_in(line)?;
    let is_chosen = entries.contains_key(&id);
    // The words may stand inside of a value.
    let subject = is_chosen.then(|| subject_of(str::from_utf8(line).ok()?))?;
    subject.filter(|subject| entries.contains_key(subject))
}

/// Compares what the index says of the contents of each entry with its events.
fn compare_entries(
    entries: &BTreeMap<EntryId, Entry>,
    events: &[Event],
    report: &mut VerifyReport,
) {
    for entry in entries.values() {
        let mut recorded: Vec<BlobRef> = Vec::new();
        for event in events {
            match &event.body {
                Body::Archived(fact) if EntryId::from(event.seq) == entry.id => {
                    recorded.push(fact.blob);
                }
                Body::Converted(fact) if fact.entry == entry.id => {
                    recorded.extend(&fact.reports);
                }
                _ => {}
            }
        }
        let place = format!("entry {}", entry.id);
        if recorded.is_empty() {
            report.find("log", place, "the event that archived it is missing");
            continue;
        }
        let told: Vec<_> = named(entry)
            .map(|named| (named.blob, named.sha256))
            .collect();
        let recorded: Vec<_> = recorded
            .iter()
            .map(|blob| (blob.blake3, blob.sha256))
            .collect();
        if told != recorded {
            let said = "the index names other contents than its events";
            report.find("index", place, said);
        }
    }
}

/// Proves that the events are in the log that the newest checkpoint signs.
fn prove(
    store: &Store,
    events: &[EventSeq],
    report: &mut VerifyReport,
    checked: &mut SelectionChecked,
) -> Result<()> {
    let key = declared::current_key(store)?;
    let newest = match &key {
        Some(key) => declared::newest_checkpoint(store, std::slice::from_ref(key))?,
        None => None,
    };
    report.evidence.key = key.map(|key| key.to_string());
    let Some(newest) = newest else {
        let said =
            "proofs of the events: no checkpoint of the log can be read, or it is not signed";
        checked.not_checked.push(said.to_owned());
        return Ok(());
    };
    let size = EventSeq(newest.signed.checkpoint().size);
    report.evidence.newest = Some(size.0);
    let covered: Vec<EventSeq> = events.iter().copied().filter(|seq| *seq <= size).collect();
    match hashes(store, TreeAccess::ReadOnly, &newest.signed, &covered) {
        Ok(proofs) => checked.proven = proofs.len() as u64,
        Err(error) => report.find("evidence", "the log", error.message()),
    }
    let later = events.len() - covered.len();
    if later > 0 {
        let said = format!("proofs of {later} events that came after the newest checkpoint");
        checked.not_checked.push(said);
    }
    Ok(())
}

fn contents(
    store: &Store,
    view: &View,
    entries: &BTreeMap<EntryId, Entry>,
    depth: Depth,
    report: &mut VerifyReport,
) -> Result<()> {
    let given_up = view.losses()?;
    let mut contents = Contents::new(store, view, &given_up, depth);
    let needing = entries.values().filter(|entry| is_needed(entry));
    let looked = needing.flat_map(needed).try_for_each(|named| {
        let before = contents.counts.blobs;
        let looked = contents.look(named);
        // A record in a pack counts as well: here, nothing else counts it.
        contents.counts.blobs = before + 1;
        looked
    });
    if looked == ControlFlow::Break(())
        && let Some(error) = contents.failed.take()
    {
        return Err(error);
    }
    for (named, why) in &contents.missing {
        let place = format!("entry {}", named.entry);
        report.find("blob", place, format!("content {}: {why}", named.blob));
    }
    report.join(contents.counts);
    Ok(())
}

fn left_out(depth: Depth, purged: u64) -> Vec<String> {
    let mut left = vec![
        "all other entries".to_owned(),
        "holds and purges, which name many entries at once".to_owned(),
        "the packs as a whole, the index as a whole, and older checkpoints".to_owned(),
    ];
    if depth == Depth::Quick {
        left.push("the bytes of the contents: only that each has a place".to_owned());
    }
    if purged > 0 {
        left.push(format!("the contents of {purged} entries that were purged"));
    }
    left
}

#[cfg(test)]
mod tests {
    //! Somebody wants to know of one unit, not of ten years. What is called intact was looked at.

    use super::*;
    use crate::archive::{NewAttempt, NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::entry::Outcome;
    use crate::evidence::key::SecretKey;
    use crate::evidence::note::KeyName;
    use crate::retention::{AsOf, Policy};

    fn store(disk: &SimDisk) -> (Archive, Vec<EntryId>) {
        let archive =
            Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("a store");
        let put = |content: &str| {
            let new = NewEntry::new("ICT");
            archive.put(new, content.as_bytes()).expect("archived").id
        };
        let ids = ["one", "two", "three"].map(put).to_vec();
        let attempt = NewAttempt::new(Outcome::Success, "ICT").reports(vec![b"made".to_vec()]);
        archive.record_attempt(ids[1], attempt).expect("recorded");
        (archive, ids)
    }

    #[test]
    fn chosen_entries__are_checked_and_nothing_else() {
        let (archive, ids) = store(&SimDisk::new());
        let report = archive
            .verify_entries(&ids[1..2], Depth::Deep)
            .expect("checked");
        assert!(report.ok, "{report:?}");
        assert_eq!((report.events, report.blobs, report.packs), (2, 2, 0));
        let checked = report.selection.expect("a selection");
        assert_eq!((checked.entries, checked.proven), (1, 0));
        let left = checked.not_checked.join("; ");
        assert!(
            left.contains("not signed") && left.contains("other entries"),
            "{left}"
        );
        let kind = |ids: &[EntryId]| {
            let refused = archive.verify_entries(ids, Depth::Deep);
            refused.map_err(|error| error.kind()).expect_err("refused")
        };
        assert_eq!(kind(&[]), ErrorKind::NotFound);
        assert_eq!(kind(&[ids[0], EntryId(99)]), ErrorKind::NotFound);
    }

    #[test]
    fn events_of_a_signed_log__are_proven() {
        let (archive, ids) = store(&SimDisk::new());
        let name = KeyName::of_store(&archive.store_id());
        let key = SecretKey::from_seed(name, &[5; 32]);
        archive.begin_signing(Arc::new(key)).expect("signs");
        archive.checkpoint().expect("signed");
        let proven = |ids: &[EntryId]| {
            let report = archive.verify_entries(ids, Depth::Quick).expect("checked");
            assert!(report.ok, "{report:?}");
            report.selection.expect("a selection")
        };
        assert_eq!(proven(&ids).proven, 4);
        let late = archive
            .put(NewEntry::new("ICT"), &b"late"[..])
            .expect("archived");
        let checked = proven(&[late.id]);
        assert_eq!(checked.proven, 0);
        let left = checked.not_checked.join("; ");
        assert!(left.contains("1 events that came after"), "{left}");
        assert!(left.contains("only that each has a place"), "{left}");
    }

    #[test]
    fn damage_of_a_chosen_entry__is_found_and_that_of_others_is_not() {
        let disk = SimDisk::new();
        let (archive, ids) = store(&disk);
        archive.seal().expect("sealed");
        let packs: Vec<_> = disk
            .files()
            .into_iter()
            .map(|(path, _)| path)
            .filter(|path| path.ends_with(".pack"))
            .collect();
        let pack = disk.content(&packs[0]).expect("there");
        let at = pack.windows(3).position(|part| part == b"two");
        let Some(at) = at else {
            // It was compressed: then damage all of the first record instead.
            panic!("short content is stored as it is");
        };
        disk.flip_bit(&packs[0], at as u64 * 8).expect("flipped");
        let of = |id: EntryId| archive.verify_entries(&[id], Depth::Deep).expect("checked");
        assert!(of(ids[0]).ok);
        let damaged = of(ids[1]);
        assert!(!damaged.ok);
        assert_eq!(damaged.findings[0].kind, "blob");
        assert!(of(ids[2]).ok);
    }

    #[test]
    fn a_purged_entry__has_only_events_to_check() {
        let (archive, ids) = store(&SimDisk::new());
        let policy = Policy::default().max_count(0_u64);
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        archive.purge(&plan, "test").expect("purged");
        let report = archive.verify_entries(&ids, Depth::Deep).expect("checked");
        assert!(report.ok, "{report:?}");
        assert_eq!((report.events, report.blobs), (4, 0));
        let checked = report.selection.expect("a selection");
        assert_eq!((checked.entries, checked.purged), (3, 3));
        let left = checked.not_checked.join("; ");
        assert!(left.contains("3 entries that were purged"), "{left}");
    }
}
