//! Tests of planning and writing the repair of a damaged log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::plan::*;
use super::remains::*;
use crate::disk::sim::{Call, Fault, Repeat, SimDisk};
use crate::disk::{Disk, OpenMode};
use crate::format::frame::JournalHeader;
use crate::format::frame::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameError};
use crate::format::segment::{SEGMENT_HEADER_BYTES, SEGMENT_TRAILER_BYTES};
use crate::id::EventSeq;
use crate::log::LogError;
use crate::log::journal::journal_path;
use crate::log::recovery::recover;
use crate::log::segment::RepairedTree;
use crate::log::segment::SegmentReader;
use crate::log::tests::{STORE, disk, journal, leaf, seal, tree};
use crate::log::{EVENTS_DIR, JOURNAL_BYTES_MIN};

const TMP: &str = "tmp/mend";

fn survey(disk: &SimDisk) -> Remains {
    Remains::survey(disk, &STORE).expect("readable")
}

fn plan(disk: &SimDisk, remains: &Remains, witness: Option<u64>) -> Result<LogMend, LogError> {
    let witness = witness.map(EventSeq);
    LogMend::plan(disk, &STORE, remains, witness, JOURNAL_BYTES_MIN)
}

fn planned(disk: &SimDisk) -> LogMend {
    plan(disk, &survey(disk), None).expect("a plan")
}

/// Makes stand-in leaves. They are no events, but name the event that they replace.
fn stands() -> impl Fn(EventSeq, &Path) -> Result<Vec<u8>, LogError> {
    |seq, _| Ok(format!("in place of {seq}").into_bytes())
}

#[test]
fn a_log_that_is_whole_is_left_as_it_is() {
    let disk = disk();
    seal(&disk, 1..=3);
    journal(&disk, 0, 1, 4..=5);
    let mend = planned(&disk);
    assert!(mend.is_empty() && mend.lost.is_empty());
    assert_eq!((mend.sealed, mend.end), (EventSeq(3), None));
    disk.lose(journal_path(0)).expect("there");
    assert!(!planned(&disk).is_empty());
}

/// Two blocks of a file had changed places, so its events were all there, but the place of the
/// first block held zeros. The file counted as whole, and after the repair the store was still
/// reported as damaged.
#[test]
fn events_found_elsewhere_return_to_their_files() {
    let disk = disk();
    seal(&disk, 1..=3);
    let places = journal(&disk, 0, 1, 4..=5);
    let path = journal_path(0);
    let sound = disk.content(&path).expect("there");
    let mut moved = sound.clone();
    let at = usize::try_from(places[0]).expect("small");
    moved.copy_within(at..at + 8_192, at + 8_192);
    moved[at..at + 8_192].fill(0);
    disk.plant(&path, &moved).expect("written");
    let remains = survey(&disk);
    let mend = plan(&disk, &remains, Some(5)).expect("a plan");
    let [journal] = &mend.journals[..] else {
        panic!("one");
    };
    let why = "its events do not stand where they belong";
    assert_eq!(journal.why.as_deref(), Some(why));
    assert!(mend.lost.is_empty() && journal.lost == 0);
    mend.write_journals(&disk, &remains, Path::new(TMP), &stands())
        .expect("written");
    assert!(disk.content(&path).expect("there") == sound);
    assert!(planned(&disk).is_empty());
}

/// Two files changed places and one was put back. The log continued in the shorter copy, under
/// numbers that were already used.
#[test]
fn an_older_copy_of_a_file_beside_it_is_told_and_set_aside() {
    for (older, newer) in [(0, 1), (1, 0)] {
        let disk = disk();
        seal(&disk, 1..=3);
        journal(&disk, older, 2, 4..=4);
        journal(&disk, newer, 2, 4..=6);
        let found = recover(&disk, &STORE, EventSeq(3), OpenMode::Read, |_, _, _| {});
        let found = found.expect("readable");
        assert_eq!(found.next_seq, EventSeq(7));
        if older == 0 {
            assert!(found.damage.is_empty(), "the log goes on in the longer one");
            continue;
        }
        let [why] = &found.damage[..] else {
            panic!("{:?}", found.damage);
        };
        assert!(why.ends_with("it goes on with event 5, and the log with event 7"));
        let mend = planned(&disk);
        let [Spare { path, events, .. }] = &mend.spare[..] else {
            panic!("one");
        };
        assert_eq!(*path, journal_path(older));
        assert_eq!(*events, SpareEvents::InJournal);
        assert!(mend.journals.is_empty() && mend.lost.is_empty());
        disk.lose(path).expect("there");
        assert!(planned(&disk).is_empty());
    }
}

/// The header was gone, and only the frame header of the first event was left. The repair ignored
/// the file, because it held no readable event. Opening the store then still called it damaged.
#[test]
fn a_file_with_only_a_frame_head_is_taken_out() {
    let disk = disk();
    seal(&disk, 1..=3);
    let places = journal(&disk, 0, 1, 4..=5);
    let path = journal_path(0);
    disk.flip_bit(&path, 225).expect("there");
    let body = places[0] + FRAME_HEADER_BYTES as u64;
    let len = disk.content(&path).expect("there").len();
    let zeros = vec![0; len - usize::try_from(body).expect("small")];
    disk.overwrite(&path, body, &zeros).expect("there");
    let remains = survey(&disk);
    let mend = plan(&disk, &remains, None).expect("a plan");
    let [spare] = &mend.spare[..] else {
        panic!("one");
    };
    assert_eq!(spare.path, path);
    assert_eq!(spare.events, SpareEvents::Unreadable);
    assert_eq!(mend.end, Some(EventSeq(4)));
    mend.write_journals(&disk, &remains, Path::new(TMP), &stands())
        .expect("written");
    disk.lose(&path).expect("there");
    assert!(planned(&disk).is_empty());
}

/// Only a header is damaged. The content after it decides whether the file is repaired, taken out,
/// or ignored.
#[test]
fn a_file_without_header_is_taken_out_only_if_unreadable() {
    let headless = |sealed: u64, seqs: std::ops::RangeInclusive<u64>, broken: Option<usize>| {
        let disk = disk();
        seal(&disk, 1..=sealed);
        let places = journal(&disk, 0, 1, seqs);
        disk.flip_bit(journal_path(0), 225).expect("there");
        if let Some(nth) = broken {
            let body = (places[nth] + FRAME_HEADER_BYTES as u64) * 8;
            disk.flip_bit(journal_path(0), body).expect("there");
        }
        let mend = planned(&disk);
        let aside = mend.spare.iter().map(|spare| spare.events);
        (aside.collect::<Vec<_>>(), mend.journals.len())
    };
    // The repaired file becomes the log's next file, because the log has none left.
    assert_eq!(headless(3, 4..=5, None), (vec![], 1), "it is mended");
    assert_eq!(headless(3, 1..=3, None), (vec![], 1), "all was sealed");
    assert_eq!(headless(4, 2..=3, None), (vec![], 1), "long sealed");
    let unreadable = vec![SpareEvents::Unreadable];
    assert_eq!(
        headless(3, 3..=4, Some(1)),
        (unreadable, 1),
        "a head is left"
    );
}

/// A watermark knows of events that the journal lacks. If the log counted as complete, new events
/// would get their numbers.
#[test]
fn what_a_witness_knows_of_and_the_log_lacks_is_lost() {
    let disk = disk();
    seal(&disk, 1..=3);
    journal(&disk, 0, 1, 4..=5);
    let remains = survey(&disk);
    let mend = plan(&disk, &remains, Some(7)).expect("a plan");
    assert_eq!(mend.lost, [(EventSeq(6), EventSeq(7))]);
    assert_eq!(mend.journals.len(), 1);
    assert!(plan(&disk, &remains, Some(5)).expect("a plan").is_empty());
}

/// The log continues after its last segment. Nothing after the lost leaves states the tree over
/// them.
#[test]
fn an_unknown_tree_grows_over_stand_ins() {
    let disk = disk();
    seal(&disk, 1..=3);
    let segment = seal(&disk, 4..=5);
    let path = segment.path().to_owned();
    journal(&disk, 0, 1, 6..=6);
    disk.truncate(&path, SEGMENT_HEADER_BYTES as u64)
        .expect("cut");
    let mend = planned(&disk);
    let [lost] = &mend.segments[..] else {
        panic!("one");
    };
    assert_eq!(
        (lost.first_seq, lost.last_seq, lost.lost),
        (EventSeq(4), EventSeq(5), 2)
    );
    assert!(lost.tree == RepairedTree::Grown);
}

/// A stand-in may be longer than the event that it replaces.
#[test]
fn a_journal_file_is_made_as_long_as_what_it_must_hold() {
    let disk = disk();
    let made = |count: u64, leaf_bytes: usize| {
        let mend = JournalMend {
            path: journal_path(0),
            why: None,
            lost: count,
            last_seq: EventSeq(count),
            header: JournalHeader {
                store: STORE,
                generation: 1,
                first_seq: EventSeq(1),
                file_bytes: JOURNAL_BYTES_MIN,
            },
            kept: BTreeMap::new(),
        };
        let stand = move |_, _: &Path| Ok(vec![b'x'; leaf_bytes]);
        mend.image(&survey(&disk), &stand).expect("made")
    };
    let frame = |leaf_bytes: usize| FRAME_HEADER_BYTES + leaf_bytes;
    for (count, leaf_bytes, file_bytes) in [
        (2, 1_000, 65_536),
        // The events end exactly where the terminator must begin, or eight bytes after that.
        (
            3,
            (65_536 - 4_096 - 64) / 3 / 8 * 8 - FRAME_HEADER_BYTES,
            65_536,
        ),
        (1, 65_536 - 4_096 - 64 - FRAME_HEADER_BYTES, 65_536),
        (1, 65_536 - 4_096 - 56 - FRAME_HEADER_BYTES, 69_632),
        (5, 20_000, 106_496),
    ] {
        let image = made(count, leaf_bytes);
        let frames = usize::try_from(count).expect("few") * frame(leaf_bytes);
        assert_eq!(image.len(), file_bytes, "{count} of {leaf_bytes}");
        let (used, free) = image.split_at(4_096 + frames);
        assert_eq!(used.last(), Some(&b'x'));
        assert!(free.len() >= 64 && free.iter().all(|byte| *byte == 0));
        let header = JournalHeader::decode(&image, &STORE).expect("a header");
        assert_eq!(header.file_bytes, file_bytes as u64);
    }
}

fn ranges(mend: &LogMend) -> Vec<(u64, u64)> {
    mend.lost
        .iter()
        .map(|(first, last)| (first.0, last.0))
        .collect()
}

#[test]
fn lost_events_are_counted_per_file_and_listed_as_ranges() {
    let disk = disk();
    let segment = seal(&disk, 1..=3);
    let block = SEGMENT_HEADER_BYTES as u64;
    disk.flip_bit(segment.path(), block * 8).expect("there");
    let places = journal(&disk, 0, 1, 4..=10);
    for nth in [1, 2, 4] {
        disk.flip_bit(journal_path(0), places[nth] * 8)
            .expect("there");
    }
    let mend = planned(&disk);
    assert_eq!(ranges(&mend), [(1, 3), (5, 6), (8, 8)]);
    let [segment] = &mend.segments[..] else {
        panic!("one");
    };
    assert_eq!((segment.lost, mend.journals[0].lost), (3, 3));
    assert!(
        matches!(segment.tree, RepairedTree::Kept(_)),
        "its end says what it was"
    );
}

/// A watermark may hold any number.
#[test]
fn more_than_sixteen_million_events_are_not_believed_to_be_lost() {
    let are = |first, last| are_too_many(EventSeq(first), EventSeq(last));
    assert!(!are(1, 1) && !are(5, 5 + LOST_MAX));
    assert!(are(5, 6 + LOST_MAX) && are(1, EventSeq::MAX.0));
    let disk = disk();
    seal(&disk, 1..=3);
    let refused = plan(&disk, &survey(&disk), Some(EventSeq::MAX.0 - 1));
    assert!(matches!(refused, Err(LogError::Missing { .. })));
}

/// Its events are in the journal; or it is the last segment, which is written again under its own
/// name.
#[test]
fn a_broken_segment_is_taken_out_only_if_not_replaced() {
    let rotten = |seqs: std::ops::RangeInclusive<u64>| {
        let disk = disk();
        seal(&disk, 1..=3);
        let segment = seal(&disk, seqs);
        let block = SEGMENT_HEADER_BYTES as u64;
        disk.flip_bit(segment.path(), block * 8).expect("there");
        disk
    };
    let last = rotten(4..=4);
    let mend = planned(&last);
    let segments = mend.segments.iter().map(|one| one.first_seq.0);
    assert_eq!(segments.collect::<Vec<_>>(), [4]);
    assert!(mend.spare.is_empty());

    let in_journal = disk();
    seal(&in_journal, 1..=3);
    let path = seal(&in_journal, 4..=5).path().to_owned();
    in_journal
        .truncate(&path, SEGMENT_HEADER_BYTES as u64)
        .expect("cut");
    journal(&in_journal, 0, 1, 4..=5);
    let mend = planned(&in_journal);
    let [spare] = &mend.spare[..] else {
        panic!("one");
    };
    assert_eq!((&spare.path, spare.events), (&path, SpareEvents::InJournal));
    assert!(mend.segments.is_empty() && mend.lost.is_empty());
}

#[test]
fn a_segment_written_again_says_what_was_wrong() {
    let disk = disk();
    let first = seal(&disk, 1..=2);
    let second = seal(&disk, 3..=4);
    seal(&disk, 5..=6);
    disk.lose(first.path()).expect("there");
    let block = SEGMENT_HEADER_BYTES as u64;
    disk.flip_bit(second.path(), block * 8).expect("there");
    let mend = planned(&disk);
    let told = mend
        .segments
        .iter()
        .map(|one| (one.first_seq.0, one.why.is_some()));
    assert_eq!(told.collect::<Vec<_>>(), [(1, false), (3, true)]);
}

/// If a later segment states the tree, the tree before it may stay unknown where leaves are lost.
/// Where all leaves are there, it is computed.
#[test]
fn a_tree_grows_over_whole_leaves_only() {
    for block_too in [false, true] {
        let disk = disk();
        let first = seal(&disk, 1..=2);
        seal(&disk, 3..=4);
        let trailer = first.bytes() - SEGMENT_TRAILER_BYTES as u64;
        disk.flip_bit(first.path(), trailer * 8).expect("there");
        if block_too {
            let block = SEGMENT_HEADER_BYTES as u64;
            disk.flip_bit(first.path(), block * 8).expect("there");
        }
        let mend = planned(&disk);
        let expected = if block_too {
            RepairedTree::Unknown
        } else {
            RepairedTree::Grown
        };
        assert_eq!(mend.segments.len(), 1);
        assert_eq!(mend.segments[0].tree, expected, "{block_too}");
    }
}

#[test]
fn only_journal_files_that_are_not_whole_are_made_anew() {
    let disk = disk();
    let places = journal(&disk, 0, 1, 1..=3);
    journal(&disk, 1, 2, 4..=5);
    disk.flip_bit(journal_path(0), places[1] * 8)
        .expect("there");
    let anew = |disk: &SimDisk| -> Vec<(PathBuf, Option<String>)> {
        let mends = planned(disk).journals.into_iter();
        mends.map(|one| (one.path, one.why)).collect()
    };
    let unread = "not all of its events can be read".to_owned();
    assert_eq!(anew(&disk), [(journal_path(0), Some(unread))]);
    disk.flip_bit(journal_path(0), places[1] * 8)
        .expect("there");
    assert_eq!(anew(&disk), []);
    // Cut after its last event, but nobody knows what else was there.
    disk.truncate(journal_path(1), 40_000).expect("cut");
    let short = "40000 bytes are left of 65536".to_owned();
    assert_eq!(anew(&disk), [(journal_path(1), Some(short))]);
}

/// The newest file may be empty, or begin with events that have since been sealed.
#[test]
fn a_file_begun_after_the_last_segment_ends_the_log() {
    let begun = disk();
    seal(&begun, 1..=3);
    let places = journal(&begun, 0, 1, 4..=4);
    begun
        .overwrite(journal_path(0), places[0], &[0; 4_096])
        .expect("taken back");
    assert_eq!(planned(&begun).end, None);
    let used = disk();
    seal(&used, 1..=3);
    journal(&used, 0, 1, 2..=5);
    assert_eq!(planned(&used).end, None);
}

#[test]
fn a_file_ending_with_the_last_segment_does_not_end_the_log() {
    let disk = disk();
    seal(&disk, 1..=3);
    journal(&disk, 0, 6, 1..=3);
    let mend = planned(&disk);
    assert_eq!(mend.end, Some(EventSeq(4)));
    let made = mend.journals.first().expect("one is made");
    assert_eq!((made.path.as_path(), &made.why), (&*journal_path(1), &None));
    assert_eq!((made.first_seq(), made.header.generation), (EventSeq(4), 7));
}

#[test]
fn a_missing_journal_folder_is_replaced() {
    let bare = SimDisk::new();
    for folder in ["tmp", EVENTS_DIR] {
        bare.make_dir(Path::new(folder)).expect("a folder");
    }
    seal(&bare, 1..=3);
    let mend = planned(&bare);
    assert_eq!((mend.journals.len(), mend.end), (1, Some(EventSeq(4))));

    let disk = disk();
    seal(&disk, 1..=3);
    journal(&disk, 0, 1, 4..=5);
    let remains = survey(&disk);
    disk.fail_at(0, Fault::Os(5), Repeat::Once);
    match plan(&disk, &remains, None) {
        Err(LogError::Io { action, source, .. }) => {
            assert_eq!((action, source.raw_os_error()), ("list", Some(5)));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("taken for damage"),
    }
}

/// Two segments have damaged footers, the first also a damaged block. One of the two events of that
/// block is still in the journal.
#[test]
fn a_tree_grows_over_stand_ins_before_a_segment() {
    let disk = disk();
    let first = seal(&disk, 1..=2);
    let second = seal(&disk, 3..=4);
    for segment in [&first, &second] {
        let trailer = segment.bytes() - SEGMENT_TRAILER_BYTES as u64;
        disk.flip_bit(segment.path(), trailer * 8).expect("there");
    }
    let block = SEGMENT_HEADER_BYTES as u64;
    disk.flip_bit(first.path(), block * 8).expect("there");
    journal(&disk, 0, 1, 1..=1);
    journal(&disk, 1, 2, 5..=5);
    let remains = survey(&disk);
    let mend = plan(&disk, &remains, None).expect("a plan");
    let ends = mend
        .segments
        .iter()
        .map(|one| (one.first_seq.0, one.last_seq.0));
    assert_eq!(ends.collect::<Vec<_>>(), [(1, 2), (3, 4)]);
    assert_eq!(mend.lost, [(EventSeq(2), EventSeq(2))]);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    mend.write_segments(&shared, &STORE, &remains, Path::new(TMP), &stands())
        .expect("written");
    let stand = b"in place of 2".to_vec();
    let mut leaves = vec![leaf(1), stand, leaf(3), leaf(4)];
    let tree_of = |first| {
        let reader = SegmentReader::open(&disk, &STORE, EventSeq(first));
        let tree = reader.and_then(|reader| reader.frontier());
        tree.expect("a tree").root()
    };
    assert_eq!(tree_of(3), tree(&leaves).root());
    leaves.truncate(2);
    assert_eq!(tree_of(1), tree(&leaves).root());
}

#[test]
fn a_failed_write_names_the_journal_file() {
    let sound = disk();
    seal(&sound, 1..=3);
    let remains = survey(&sound);
    let mend = planned(&sound);
    for calls in 0.. {
        let disk = sound.snapshot();
        disk.fail_at(calls, Fault::Os(5), Repeat::Once);
        let written = mend.write_journals(&disk, &remains, Path::new(TMP), &stands());
        let struck = disk.struck_census();
        if struck.total() == 0 {
            written.expect("written");
            disk.heal();
            assert!(planned(&disk).is_empty());
            assert_eq!(calls, 5);
            break;
        }
        assert_eq!(struck.of(Call::Rename), u64::from(calls == 3));
        assert_eq!(struck.of(Call::SyncDir), u64::from(calls == 4));
        match written {
            Err(LogError::Io { action, path, .. }) => {
                assert_eq!((action, path), ("write", mend.journals[0].path.clone()));
            }
            other => panic!("call {calls}: {other:?}"),
        }
    }
}

/// A journal file that lost event 5, so that it is written again from event 4.
fn one_left(disk: &SimDisk) -> (Remains, LogMend, u64) {
    seal(disk, 1..=3);
    let places = journal(disk, 0, 1, 4..=5);
    disk.flip_bit(journal_path(0), places[1] * 8)
        .expect("there");
    let remains = survey(disk);
    let mend = plan(disk, &remains, Some(5)).expect("a plan");
    assert_eq!(mend.lost, [(EventSeq(5), EventSeq(5))]);
    (remains, mend, places[0])
}

#[test]
fn an_event_lost_during_repair_ends_the_repair() {
    let damaged = |at: u64| {
        let disk = disk();
        let (remains, mend, place) = one_left(&disk);
        let bit = (place + at) * 8;
        disk.flip_bit(journal_path(0), bit).expect("there");
        let written = mend.write_journals(&disk, &remains, Path::new(TMP), &stands());
        assert!(disk.content(TMP).is_err(), "nothing is begun");
        (written, place)
    };
    let (header_rotted, _) = damaged(0);
    assert!(
        matches!(header_rotted, Err(LogError::Missing { seq }) if seq == EventSeq(4)),
        "{header_rotted:?}"
    );
    match damaged(FRAME_HEADER_BYTES as u64) {
        (Err(LogError::Frame { path, offset, why }), place) => {
            assert_eq!((path, offset), (journal_path(0), place));
            assert_eq!(why, FrameError::BodyChecksum);
        }
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn what_stands_for_an_event_must_fit_into_a_frame() {
    let disk = disk();
    let (remains, mend, _) = one_left(&disk);
    let too_long = |_: EventSeq, _: &Path| Ok(vec![b'x'; FRAME_BYTES_MAX]);
    match mend.write_journals(&disk, &remains, Path::new(TMP), &too_long) {
        Err(LogError::Frame { path, offset, why }) => {
            assert_eq!((path, offset), (journal_path(0), 0));
            assert_eq!(why, FrameError::Length);
        }
        other => panic!("{other:?}"),
    }
}
