//! Tests an event whose bytes are as they were written but that no reader can decode. It must cost
//! only itself: the rest of the store works, `verify` reports it, and `repair` can handle it.

use std::sync::Arc;

use crate::support::{Hourly, noise, tiny};
use annals::archive::{Access, Archive, Depth, NewEntry, Options};
use annals::disk::sim::SimDisk;
use annals::event::Source;
use annals::id::{EntryId, EventSeq};
use annals::query::Query;
use annals::retention::{AsOf, Policy};
use annals::{ErrorKind, Result};

const JOURNAL: &str = "journal/0000.journal";
const FRAME_HEADER_BYTES: usize = 64;

/// A store of three entries, of which the second one's event is spoiled.
struct Plant {
    disk: SimDisk,
    options: Options,
    ids: Vec<EntryId>,
}

fn content(nth: u64) -> Vec<u8> {
    noise(nth, 2_000)
}

impl Plant {
    fn new() -> Self {
        let disk = SimDisk::new();
        // Closing leaves the events in the journal.
        let options = tiny(&Hourly::new()).journal_kept_bytes(1 << 20);
        let archive = Archive::create_on(Arc::new(disk.clone()), options.clone()).expect("made");
        let ids = (0..3)
            .map(|nth| {
                let new = NewEntry::new("ICT").source(
                    Source::default()
                        .name(format!("SN{nth}.csv"))
                        .modified("2026-03-01T08:29:58.000000+00:00".parse().expect("a time")),
                );
                archive.put(new, &*content(nth)).expect("archived").id
            })
            .collect();
        archive.close().expect("closed");
        // As after a kill: only the log says what the store holds.
        for witness in ["index.redb", "NEWEST"] {
            let _ = disk.lose(witness);
        }
        Self { disk, options, ids }
    }

    /// Changes the line of the second entry, without changing its length, as if it had been
    /// recorded like that.
    fn spoil(&self, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        self.spoil_event(self.ids[1].event(), change)
    }

    fn spoil_event(&self, seq: EventSeq, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let bytes = self.disk.content(JOURNAL).expect("there");
        let begins = format!(r#"{{"specversion":"1.0","id":"{seq}""#);
        let leaf = bytes
            .windows(begins.len())
            .position(|window| window == begins.as_bytes())
            .expect("recorded");
        let mut frame = bytes[leaf - FRAME_HEADER_BYTES..].to_vec();
        let number = |frame: &[u8], at: usize| {
            u32::from_le_bytes(frame[at..at + 4].try_into().expect("four bytes")) as usize
        };
        let (leaf_bytes, record_bytes) = (number(&frame, 40), number(&frame, 44));
        frame.truncate(FRAME_HEADER_BYTES + leaf_bytes + record_bytes);
        let line = FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + leaf_bytes;
        change(&mut frame[line.clone()]);
        let body = crc32c::crc32c(&frame[FRAME_HEADER_BYTES..]);
        frame[52..56].copy_from_slice(&body.to_le_bytes());
        let head = crc32c::crc32c(&frame[..60]);
        frame[60..64].copy_from_slice(&head.to_le_bytes());
        let at = (leaf - FRAME_HEADER_BYTES) as u64;
        self.disk.overwrite(JOURNAL, at, &frame).expect("spoiled");
        frame[line].to_vec()
    }

    fn open(&self, access: Access) -> Result<Archive> {
        let options = self.options.clone().access(access);
        Archive::open_on(Arc::new(self.disk.clone()), options)
    }
}

/// Replaces `from` by `to`, which must have an equal length.
fn replace(line: &mut [u8], from: &str, to: &str) {
    let at = line
        .windows(from.len())
        .position(|window| window == from.as_bytes());
    let at = at.expect("it says so");
    line[at..at + from.len()].copy_from_slice(to.as_bytes());
}

fn invalid_value(line: &mut [u8]) {
    replace(line, r#""retention":"forever""#, r#""retention":"fivever""#);
}

fn entries(archive: &Archive) -> Vec<EntryId> {
    let snapshot = archive.snapshot().expect("readable");
    let page = snapshot.query(&Query::default()).expect("listed");
    page.entries.iter().map(|entry| entry.id).collect()
}

fn findings(archive: &Archive, depth: Depth) -> Vec<(String, String)> {
    let report = archive.verify(depth).expect("looked at");
    assert_eq!(report.ok, report.findings.is_empty());
    let findings = report.findings.into_iter();
    findings
        .map(|finding| (finding.kind, finding.r#where))
        .collect()
}

/// With such an event nothing in the store could be read any more, not even by `rebuild`, `verify`
/// and `repair`.
#[test]
fn an_event_that_cannot_be_read_costs_itself_and_nothing_else() {
    let spoils: [fn(&mut [u8]); 4] = [
        invalid_value,
        |line| line.fill(b'x'),
        |line| {
            replace(
                line,
                r#"{"specversion":"1.0","id":"4""#,
                r#"{"specversion":"1.0","id":"7""#,
            );
        },
        |line| line.fill(0xff),
    ];
    for (nth, spoil) in spoils.into_iter().enumerate() {
        let plant = Plant::new();
        let line = plant.spoil(spoil);
        let spoiled = plant.ids[1].event();
        let others = [plant.ids[0], plant.ids[2]];
        let found = vec![("log".to_owned(), format!("event {spoiled}"))];
        let archive = plant.open(Access::ReadOnly).expect("opens to look");
        assert!(archive.damage().is_empty());
        assert_eq!(entries(&archive), others, "spoil {nth}");
        drop(archive);
        let archive = plant.open(Access::ReadWrite).expect("opens");
        for (nth, id) in [0, 2].into_iter().zip(others) {
            let snapshot = archive.snapshot().expect("readable");
            let entry = snapshot.entry(id).expect("readable").expect("there");
            assert!(archive.read_all(&entry.blake3, 1 << 20).expect("readable") == content(nth));
        }
        for depth in [Depth::Quick, Depth::Deep] {
            assert_eq!(findings(&archive, depth), found, "spoil {nth}");
        }
        let new = NewEntry::new("ICT");
        let put = archive.put(new, &b"more"[..]).expect("archived");
        archive.rebuild().expect("made anew");
        archive.seal().expect("sealed");
        archive.close().expect("closed");
        let archive = plant.open(Access::ReadWrite).expect("opens");
        let with_more: Vec<_> = others.into_iter().chain([put.id]).collect();
        assert_eq!(entries(&archive), with_more);
        for depth in [Depth::Quick, Depth::Deep] {
            assert_eq!(findings(&archive, depth), found, "spoil {nth}, sealed");
        }
        let mut told = archive.events(spoiled, Some(spoiled)).expect("readable");
        let leaf = told.next().expect("an event").expect("as it stands");
        assert_eq!(leaf.bytes(), line, "spoil {nth}");
        let behind = archive.events(spoiled, None).expect("readable").skip(1);
        assert!(behind.count() > 1, "what comes behind it is told");
    }
}

/// It is unknown what such an event refers to. So its content is kept, and nothing that may belong
/// to it is compacted away until a repair has made an entry of it.
#[test]
fn what_an_unreadable_event_brought_along_is_kept_and_repair_makes_an_entry_of_it() {
    let plant = Plant::new();
    let line = plant.spoil(invalid_value);
    let spoiled = plant.ids[1].event();
    let archive = plant.open(Access::ReadWrite).expect("opens");
    let all = Policy::default().max_count(0);
    archive.seal().expect("sealed");
    let plan = archive.plan_purge(&all, AsOf::Clock).expect("planned");
    assert_eq!(plan.count, 2);
    // The purge is recorded, and the error says that its bytes stay for now.
    let refused = archive.purge(&plan, "all").err();
    let refused = refused
        .or_else(|| archive.compact(None).err())
        .expect("said");
    assert_eq!(refused.kind(), ErrorKind::Damaged);
    assert!(
        refused
            .message()
            .contains(&format!("event {spoiled} cannot be read")),
        "{refused}"
    );
    archive.close().expect("closed");

    let disk = || Arc::new(plant.disk.clone());
    let repair = Archive::repair_on(disk(), plant.options.clone()).expect("looked through");
    let mends: Vec<_> = repair
        .plan()
        .mends
        .iter()
        .map(|mend| &*mend.r#where)
        .collect();
    assert_eq!(mends, [format!("event {spoiled}")]);
    let outcome = repair.apply().expect("repaired");
    assert_eq!(outcome.unreadable_events, [(spoiled, spoiled)]);
    assert!(!outcome.ok && outcome.lost_events.is_empty() && outcome.lost_contents.is_empty());

    let archive = plant.open(Access::ReadWrite).expect("opens");
    archive.compact(None).expect("compacted");
    let found: Vec<EntryId> = outcome.found.iter().collect();
    let snapshot = archive.snapshot().expect("readable");
    let entry = snapshot.entry(found[0]).expect("readable").expect("there");
    assert_eq!(found.len(), 1);
    assert!(archive.read_all(&entry.blake3, 1 << 20).expect("readable") == content(1));
    drop(snapshot);
    let leaf = archive
        .events(spoiled, Some(spoiled))
        .expect("readable")
        .next();
    assert_eq!(leaf.expect("there").expect("whole").line.as_bytes(), line);
    for depth in [Depth::Quick, Depth::Deep] {
        let report = archive.verify(depth).expect("looked at");
        assert!(report.ok, "{:?}", report.findings);
        assert_eq!(report.known_losses.events, 1, "{depth:?}");
    }
    archive.close().expect("closed");
    let again = Archive::repair_on(disk(), plant.options.clone()).expect("looked through");
    assert!(again.plan().mends.is_empty(), "{:?}", again.plan());
}

/// annals 0.1 recorded the time of such a file with a signed five-digit year, which it could not
/// read itself.
#[test]
fn a_time_that_an_older_version_wrote_with_a_signed_year_is_read() {
    let plant = Plant::new();
    plant.spoil(|line| {
        replace(
            line,
            "2026-03-01T08:29:58.000000+00:00",
            "+11999-12-03T07:06:40.0000+00:00",
        );
    });
    let archive = plant.open(Access::ReadWrite).expect("opens");
    assert_eq!(entries(&archive), plant.ids);
    let snapshot = archive.snapshot().expect("readable");
    let entry = snapshot
        .entry(plant.ids[1])
        .expect("readable")
        .expect("there");
    let modified = entry.source_modified.expect("known").to_string();
    assert_eq!(modified, "9999-12-31T23:59:59.999999+00:00");
    assert!(archive.read_all(&entry.blake3, 1 << 20).expect("readable") == content(1));
    let report = archive.verify(Depth::Deep).expect("looked at");
    assert!(report.ok, "{:?}", report.findings);
}

/// Damage elsewhere is repaired from what can be read, even where an unreadable event is first in
/// its block.
#[test]
fn a_broken_segment_is_mended_around_an_event_that_cannot_be_read() {
    let plant = Plant::new();
    let spoiled = EventSeq(1);
    let line = plant.spoil_event(spoiled, |line| {
        replace(line, r#""format":1"#, r#""format":x"#);
    });
    let archive = plant.open(Access::ReadWrite).expect("opens");
    archive.seal().expect("sealed");
    archive.close().expect("closed");
    let segment = plant.disk.files().into_iter().map(|(path, _)| path);
    let segment = segment.into_iter().find(|path| path.starts_with("events/"));
    let segment = segment.expect("sealed");
    let len = plant.disk.content(&segment).expect("there").len() as u64;
    plant.disk.truncate(&segment, len - 40).expect("cut");
    let disk = Arc::new(plant.disk.clone());
    let repair = Archive::repair_on(disk, plant.options.clone()).expect("looked through");
    let outcome = repair.apply().expect("repaired");
    assert!(outcome.lost_events.is_empty(), "{outcome:?}");
    let archive = plant.open(Access::ReadWrite).expect("opens");
    assert!(archive.damage().is_empty());
    assert!(entries(&archive).starts_with(&plant.ids));
    let leaf = archive
        .events(spoiled, Some(spoiled))
        .expect("readable")
        .next();
    assert_eq!(leaf.expect("there").expect("whole").line.as_bytes(), line);
}

/// In a segment it would count as two events, and every later event would have the wrong number.
#[test]
fn an_event_of_two_lines_is_damage_and_is_mended_as_such() {
    let plant = Plant::new();
    let spoiled = plant.ids[1].event();
    plant.spoil(|line| line[10] = b'\n');
    let archive = plant.open(Access::ReadWrite).expect("opens to look");
    assert_eq!(archive.damage().len(), 1, "{:?}", archive.damage());
    drop(archive);
    let disk = Arc::new(plant.disk.clone());
    let repair = Archive::repair_on(disk, plant.options.clone()).expect("looked through");
    let outcome = repair.apply().expect("repaired");
    assert_eq!(outcome.lost_events, [(spoiled, spoiled)]);
    let archive = plant.open(Access::ReadWrite).expect("opens");
    archive.seal().expect("sealed");
    assert_eq!(findings(&archive, Depth::Deep), []);
    assert!(entries(&archive).starts_with(&[plant.ids[0], plant.ids[2]]));
}

/// Repairing a journal file keeps every intact frame, whatever its event says.
#[test]
fn damage_beside_an_event_that_cannot_be_read_costs_no_more_than_itself() {
    let plant = Plant::new();
    let line = plant.spoil(invalid_value);
    let (lost, spoiled) = (plant.ids[0].event(), plant.ids[1].event());
    let bytes = plant.disk.content(JOURNAL).expect("there");
    let begins = format!(r#"{{"specversion":"1.0","id":"{lost}""#);
    let at = bytes
        .windows(begins.len())
        .position(|window| window == begins.as_bytes());
    let bit = (at.expect("recorded") as u64 + 30) * 8;
    plant.disk.flip_bit(JOURNAL, bit).expect("flipped");
    let disk = Arc::new(plant.disk.clone());
    let repair = Archive::repair_on(disk, plant.options.clone()).expect("looked through");
    let outcome = repair.apply().expect("repaired");
    assert_eq!(outcome.lost_events, [(lost, lost)]);
    assert_eq!(outcome.unreadable_events, [(spoiled, spoiled)]);
    let archive = plant.open(Access::ReadWrite).expect("opens");
    let leaf = archive
        .events(spoiled, Some(spoiled))
        .expect("readable")
        .next();
    assert_eq!(leaf.expect("there").expect("whole").bytes(), line);
    assert_eq!(findings(&archive, Depth::Deep), []);
}
