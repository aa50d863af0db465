//! Sample logs for the tests of this room, and tests of its errors.

use std::io;
use std::path::{Path, PathBuf};

use super::*;
use crate::disk::Disk;
use crate::disk::sim::SimDisk;
use crate::entry::Retention;
use crate::event::{Actor, Body, ClockReading, Event, StoreCreated};
use crate::evidence::tree::Frontier;
use crate::format::frame::{JOURNAL_HEADER_BYTES, NewFrame};
use crate::format::leaf::LeafError;
use crate::format::segment::SegmentError;
use crate::id::EventSeq;
use crate::id::StoreId;
use crate::time::Timestamp;
use crate::{Error, ErrorKind};
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) const STORE: StoreId = StoreId::from_bytes([7; 16]);

/// A disk with the folders of a log, but without files.
pub(super) fn disk() -> SimDisk {
    let disk = SimDisk::new();
    for folder in ["tmp", EVENTS_DIR, JOURNAL_DIR] {
        disk.make_dir(Path::new(folder)).expect("a folder");
    }
    disk
}

pub(super) fn leaf(seq: u64) -> Vec<u8> {
    let event = Event {
        seq: EventSeq(seq),
        time: Timestamp::from_micros(0),
        actor: Actor::system(),
        clock: ClockReading {
            boot: "b1".into(),
            mono_ms: 12,
        },
        body: Body::StoreCreated(StoreCreated {
            store: STORE,
            format: 1,
            program: "test".into(),
        }),
        sealed: Vec::new(),
    };
    let line = crate::format::leaf::encode(&STORE, &event).expect("short");
    line.into_bytes()
}

/// Returns the tree over these leaves.
pub(super) fn tree(leaves: &[Vec<u8>]) -> Frontier {
    let mut tree = Frontier::new();
    for leaf in leaves {
        tree.push(leaf);
    }
    tree
}

/// Seals these events into a segment. Earlier events need not exist.
pub(super) fn seal(disk: &SimDisk, seqs: RangeInclusive<u64>) -> SegmentReader {
    let before: Vec<_> = (1..*seqs.start()).map(leaf).collect();
    let first = EventSeq(*seqs.start());
    let tmp = PathBuf::from("tmp/segment");
    let disk = Arc::new(disk.clone());
    let mut writer = SegmentWriter::create(disk, tmp, &STORE, first, tree(&before)).expect("begun");
    for seq in seqs {
        writer.push(&leaf(seq)).expect("added");
    }
    let synced = writer.finish(Vec::new()).expect("durable");
    synced.publish().expect("published")
}

/// Makes a journal file of the smallest size with these events, each in its own group. Returns
/// where each frame begins, and where the last one ends.
pub(super) fn journal(
    disk: &SimDisk,
    slot: u32,
    generation: u64,
    seqs: RangeInclusive<u64>,
) -> Vec<u64> {
    journal_in_groups(disk, slot, generation, seqs, |seq| seq)
}

/// Makes such a journal file in which `group` maps each event to the first event of its group.
pub(super) fn journal_in_groups(
    disk: &SimDisk,
    slot: u32,
    generation: u64,
    seqs: RangeInclusive<u64>,
    group: impl Fn(u64) -> u64,
) -> Vec<u64> {
    let made = Journal::create(disk, slot, STORE, JOURNAL_BYTES_MIN);
    let mut journal = made.expect("made");
    let first = EventSeq(*seqs.start());
    journal.start(generation, first).expect("started");
    let mut places = vec![JOURNAL_HEADER_BYTES as u64];
    let mut frames = Vec::new();
    for seq in seqs {
        let frame = NewFrame {
            generation,
            seq: EventSeq(seq),
            group: EventSeq(group(seq)),
            time: Timestamp::from_micros(0),
            retention: Retention::Forever,
            level: 6,
            leaf: &leaf(seq),
            records: &[],
        };
        frame.encode_into(&mut frames).expect("fits");
        places.push((JOURNAL_HEADER_BYTES + frames.len()) as u64);
    }
    disk.overwrite(journal_path(slot), places[0], &frames)
        .expect("written");
    places
}

/// A caller decides by the error's kind what to do.
#[test]
fn each_error_of_the_log_is_of_the_kind_that_says_what_to_do() {
    let path = PathBuf::from("journal/0000.journal");
    let io = || io::Error::from_raw_os_error(5);
    let seq = EventSeq(7);
    let cases = [
        (LogError::io("read", &path)(io()), ErrorKind::Io),
        (
            LogError::Unsure {
                path: path.clone(),
                source: io(),
            },
            ErrorKind::Io,
        ),
        (LogError::Poisoned, ErrorKind::Poisoned),
        (
            LogError::Leaf(LeafError::TooLong(70_000)),
            ErrorKind::Invalid,
        ),
        (
            LogError::Leaf(LeafError::Unfaithful {
                kind: "annals.archived.v1".into(),
                why: String::new(),
            }),
            ErrorKind::Invalid,
        ),
        (LogError::TooLarge { bytes: 70_000 }, ErrorKind::Invalid),
        (LogError::Leaf(LeafError::Member("id")), ErrorKind::Damaged),
        (LogError::Missing { seq }, ErrorKind::Damaged),
        (
            LogError::segment(&path)(SegmentError::Order),
            ErrorKind::Damaged,
        ),
    ];
    for (error, kind) in cases {
        let told = error.to_string();
        let error = Error::from(error);
        assert_eq!(error.kind(), kind, "{told}");
        // The cause is described by the system or by this program.
        let fact = told.split(": ").next().unwrap_or(&told);
        assert!(error.message().starts_with(fact), "{told}");
    }
}
