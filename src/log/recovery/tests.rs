//! Tests of recovery: the end of the log, torn tails and damage.

use std::path::{Path, PathBuf};

use super::*;
use crate::disk::sim::{Call, SimDisk};
use crate::disk::{Disk, OpenMode};
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::id::EventSeq;
use crate::log::JOURNAL_BYTES_MIN;
use crate::log::JOURNAL_DIR;
use crate::log::journal::{Journal, TERMINATOR_BYTES, journal_path};
use crate::log::journal_bytes::JournalBytes;
use crate::log::tests::{STORE, disk, journal, journal_in_groups};

/// Runs recovery and returns its result with the events that it passed on.
fn found(disk: &SimDisk) -> (Found, Vec<u64>) {
    found_after(0, disk)
}

/// Runs recovery on a log whose first `sealed` events are in segments.
fn found_after(sealed: u64, disk: &SimDisk) -> (Found, Vec<u64>) {
    let mut seen = Vec::new();
    let sealed = EventSeq(sealed);
    let found = recover(disk, &STORE, sealed, OpenMode::Read, |_, _, frame| {
        seen.push(frame.header.seq.0);
    });
    (found.expect("readable"), seen)
}

fn slots<'a>(journals: impl IntoIterator<Item = &'a Journal>) -> Vec<u32> {
    journals.into_iter().map(|journal| journal.slot).collect()
}

fn does_not_check_out(slot: u32, event: u64, at: u64) -> String {
    format!(
        "{}: event {event} at byte {at} does not check out, and later events prove that it was durable",
        journal_path(slot).display()
    )
}

fn is_missing(slot: u32, event: u64, before: u64) -> String {
    format!(
        "{}: event {event} is missing before event {before} at byte 4096",
        journal_path(slot).display()
    )
}

/// Opening a store once took 256 MiB of memory, whatever it held: every journal file was read and
/// kept until the end.
#[test]
fn a_sealed_file_is_read_to_its_header_only() {
    let disk = disk();
    journal(&disk, 0, 1, 1..=2);
    journal(&disk, 1, 2, 3..=4);
    journal(&disk, 2, 3, 5..=5);
    for (sealed, whole_files) in [(0, 3), (2, 2), (4, 1)] {
        let before = disk.census().of(Call::Read);
        let (_, seen) = found_after(sealed, &disk);
        assert_eq!(seen, (sealed + 1..=5).collect::<Vec<_>>());
        let reads = disk.census().of(Call::Read) - before;
        assert_eq!(reads, 3 + whole_files, "{sealed} sealed: headers first");
    }
}

/// A journal file is 32 MiB, mostly zeros. Most of the time of opening went into memory for them.
#[test]
fn a_file_is_the_same_in_memory_with_its_zeros_left_out() {
    let block = JournalBytes::BLOCK;
    let piece = JournalBytes::PIECE;
    for (len, marks, written) in [
        (0, vec![], 0),
        (3 * block, vec![], 0),
        (3 * block, vec![0], block),
        (3 * block, vec![block - 1, block], 2 * block),
        (2 * block + 40, vec![2 * block + 39], 2 * block + 40),
        (3 * piece + 8, vec![5, piece + 1], piece + block),
        (3 * piece + 8, vec![2 * piece - 1, 3 * piece], 3 * piece + 8),
    ] {
        let disk = disk();
        let mut bytes = vec![0; len];
        for at in &marks {
            bytes[*at] = 7;
        }
        disk.plant(journal_path(0), &bytes).expect("planted");
        let file = disk.open(&journal_path(0), OpenMode::Read).expect("there");
        let all = JournalBytes::read(&*file, len as u64).expect("read");
        assert!(all.bytes() == bytes, "{len} {marks:?}");
        assert_eq!(all.written_to(), written, "{len} {marks:?}");
    }
}

/// The power was cut while a file was made. A file of full length can be used; a shorter one must
/// be removed.
#[test]
fn a_file_without_header_is_free_if_long_enough() {
    let disk = disk();
    journal(&disk, 0, 1, 1..=2);
    let least = usize::try_from(JOURNAL_BYTES_MIN).expect("small");
    for (slot, len) in [(1, least), (2, least - 1), (3, 0), (4, least + 4_096)] {
        disk.plant(journal_path(slot), &vec![0; len])
            .expect("planted");
    }
    let (found, seen) = found(&disk);
    assert_eq!(seen, [1, 2]);
    assert_eq!(found.damage, Vec::<String>::new());
    assert_eq!(slots(&found.free), [1, 4]);
    assert_eq!(found.half_made, [journal_path(2), journal_path(3)]);
}

/// A file that is recycled gets a new header. If that write is torn, all its events were sealed
/// before. If unsealed events follow, the header was damaged instead.
#[test]
fn a_file_without_header_is_free_only_if_all_is_sealed() {
    for (sealed, damage, free) in [(5, 0, 1), (6, 0, 1), (4, 1, 0), (3, 1, 0)] {
        let disk = disk();
        journal(&disk, 0, 1, 4..=5);
        disk.flip_bit(journal_path(0), 225).expect("there");
        journal(&disk, 1, 2, sealed.max(5) + 1..=sealed.max(5) + 1);
        let (found, _) = found_after(sealed, &disk);
        let header = found.damage.iter().filter(|why| why.contains("header:"));
        assert_eq!(header.count(), damage, "{sealed} sealed");
        assert_eq!(slots(&found.free), vec![0; free], "{sealed} sealed");
    }
}

/// An old copy of a file replaced a newer one, but holds nothing that the log lacks: the segments
/// have its events, and the next file continues the log.
#[test]
fn an_older_copy_of_a_file_that_is_not_the_last_is_no_damage() {
    let disk = disk();
    journal(&disk, 0, 2, 1..=3);
    journal(&disk, 1, 2, 1..=1);
    journal(&disk, 2, 3, 4..=5);
    let (found, seen) = found(&disk);
    assert_eq!(found.damage, Vec::<String>::new());
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

/// A segment that a repair made may end in the middle of a file.
#[test]
fn a_file_that_was_sealed_in_part_gives_the_rest() {
    let disk = disk();
    journal(&disk, 0, 1, 2..=5);
    journal(&disk, 1, 2, 6..=6);
    let (found, seen) = found_after(3, &disk);
    assert_eq!(seen, [4, 5, 6]);
    assert_eq!(found.damage, Vec::<String>::new());
    let full = found.full.iter().map(|(full, last)| (full.slot, last.0));
    assert_eq!(full.collect::<Vec<_>>(), [(0, 5)]);
    assert!(found.free.is_empty());
    // All of it was sealed, and the next one was begun.
    let (found, seen) = found_after(5, &disk);
    assert_eq!((seen, slots(&found.free)), (vec![6], vec![0]));
    assert_eq!(found.damage, Vec::<String>::new());
}

#[test]
fn events_between_two_files_are_missed() {
    let disk = disk();
    let places = journal(&disk, 0, 1, 1..=2);
    journal(&disk, 1, 2, 4..=5);
    let (found, seen) = found(&disk);
    assert_eq!((seen, found.next_seq), (vec![1, 2, 4, 5], EventSeq(6)));
    let lost = [does_not_check_out(0, 3, places[2]), is_missing(1, 3, 4)];
    assert_eq!(found.damage, lost);
}

/// An empty file proves nothing about events before it.
#[test]
fn a_file_without_events_is_not_reported_for_earlier_losses() {
    let disk = disk();
    let places = journal(&disk, 0, 1, 1..=2);
    let begun = journal(&disk, 1, 2, 4..=4);
    disk.overwrite(journal_path(1), begun[0], &[0; 4_096])
        .expect("taken back");
    journal(&disk, 2, 3, 4..=4);
    let (found, seen) = found(&disk);
    assert_eq!(seen, [1, 2, 4]);
    let lost = [does_not_check_out(0, 3, places[2]), is_missing(2, 3, 4)];
    assert_eq!(found.damage, lost);
}

/// Recovery skips blocks of zeros quickly, but must not skip what follows them.
#[test]
fn events_behind_several_blocks_of_zeros_prove_what_was_there() {
    let disk = disk();
    let places = journal(&disk, 0, 1, 1..=80);
    disk.overwrite(journal_path(0), places[1], &[0; 12_000])
        .expect("written");
    let (found, seen) = found(&disk);
    assert_eq!((seen[0], seen[seen.len() - 1]), (1, 80));
    assert!(seen.len() > 10 && seen.len() < 70, "{}", seen.len());
    assert_eq!(found.damage, [does_not_check_out(0, 2, places[1])]);
}

/// Within one group an intact frame proves nothing about the frames before it. A later file proves
/// all of them.
#[test]
fn intact_events_behind_damage_are_handed_out() {
    let disk = disk();
    let places = journal_in_groups(&disk, 0, 1, 1..=4, |seq| seq.min(2));
    let body = places[1] + FRAME_HEADER_BYTES as u64;
    disk.flip_bit(journal_path(0), body * 8).expect("there");
    let (alone, seen) = found(&disk);
    assert_eq!((seen, alone.damage), (vec![1], Vec::<String>::new()));
    let torn = alone.torn.expect("what was in flight");
    assert_eq!((torn.slot, torn.offset), (0, places[1]));
    assert_eq!(torn.bytes.len() as u64, places[4] - places[1]);

    journal(&disk, 1, 2, 5..=5);
    let (proven, seen) = found(&disk);
    assert_eq!(seen, [1, 3, 4, 5]);
    assert_eq!(proven.damage, [does_not_check_out(0, 2, places[1])]);
    assert!(proven.torn.is_none());
}

/// Frames from an earlier use of the file follow its current frames.
#[test]
fn a_frame_of_another_generation_is_not_the_next_event() {
    for (generation, seq, torn) in [(1, 3, false), (1, 9, false), (2, 4, true)] {
        let disk = disk();
        let places = journal(&disk, 0, 2, 1..=2);
        let stale = SimDisk::new();
        stale.make_dir(Path::new(JOURNAL_DIR)).expect("a folder");
        // A frame proves nothing about other frames of its own group.
        let from = journal_in_groups(&stale, 0, generation, seq..=seq, |_| 1);
        let bytes = stale.content(journal_path(0)).expect("there");
        let at = |place: u64| usize::try_from(place).expect("small");
        let frame = &bytes[at(from[0])..at(from[1])];
        disk.overwrite(journal_path(0), places[2], frame)
            .expect("written");
        let (found, seen) = found(&disk);
        assert_eq!(seen, [1, 2], "{generation} {seq}");
        assert_eq!(found.damage, Vec::<String>::new());
        let tail = found.torn.expect("no zeros are where the next event goes");
        let whole = frame.len();
        let expected = if torn { whole } else { TERMINATOR_BYTES };
        assert_eq!(tail.bytes.len(), expected, "{generation} {seq}");
    }
    let disk = disk();
    let places = journal(&disk, 0, 2, 1..=2);
    let stale = SimDisk::new();
    stale.make_dir(Path::new(JOURNAL_DIR)).expect("a folder");
    journal(&stale, 0, 1, 7..=9);
    let bytes = stale.content(journal_path(0)).expect("there");
    // After the zeros that end a group.
    disk.overwrite(journal_path(0), places[2] + 4_096, &bytes[4_096..20_000])
        .expect("written");
    let (found, seen) = found(&disk);
    assert_eq!((seen, found.torn.is_none()), (vec![1, 2], true));
    assert_eq!(found.damage, Vec::<String>::new());
}

#[test]
fn cutting_a_tail_zeroes_it_and_nothing_else() {
    let disk = disk();
    let places = journal(&disk, 0, 1, 1..=2);
    disk.overwrite(journal_path(0), places[2], &[0xAB; 300])
        .expect("written");
    let (found, _) = found(&disk);
    let tail = found.torn.expect("torn");
    let file = disk
        .open(&journal_path(0), OpenMode::Write)
        .expect("opened");
    cut(&file, &tail).expect("cut");
    let content = disk.content(journal_path(0)).expect("there");
    let end = usize::try_from(places[2]).expect("small");
    assert_eq!(
        content[end..end + tail.bytes.len()],
        vec![0; tail.bytes.len()]
    );
    assert_eq!(
        content[end + tail.bytes.len()..end + 300],
        vec![0xAB; 300 - tail.bytes.len()]
    );
    let synced = disk.census().of(crate::disk::sim::Call::Sync);
    assert!(synced > 0);
}

/// A truncated file does no harm once all its events are sealed.
#[test]
fn a_cut_file_is_reported_while_it_holds_unsealed_events() {
    let short = |sealed, seqs: [std::ops::RangeInclusive<u64>; 2], cut: u32| {
        let disk = disk();
        for ((slot, generation), seqs) in [(0, 1), (1, 2)].into_iter().zip(seqs) {
            journal(&disk, slot, generation, seqs);
        }
        disk.truncate(journal_path(cut), 40_000).expect("cut");
        let (found, _) = found_after(sealed, &disk);
        let told = format!(
            "{}: 40000 bytes are left of 65536; what was recorded in the rest is lost with it",
            journal_path(cut).display()
        );
        found.damage.contains(&told)
    };
    assert!(short(0, [1..=2, 3..=4], 0), "full, and not sealed");
    assert!(short(0, [1..=2, 3..=4], 1), "the newest");
    assert!(
        short(4, [1..=2, 3..=4], 1),
        "the newest, and sealed to its end"
    );
    assert!(!short(2, [1..=2, 4..=5], 0), "sealed, with a gap behind it");
}

/// Such as a person's notes or an editor's temporary file.
#[test]
fn a_foreign_file_in_the_journal_folder_is_ignored() {
    let disk = disk();
    journal(&disk, 0, 1, 1..=2);
    for name in ["README.txt", "9.journal", "0009.journal~"] {
        let path = Path::new(JOURNAL_DIR).join(name);
        disk.plant(path, b"notes").expect("planted");
    }
    let (found, seen) = found(&disk);
    assert_eq!((found.slots.len(), seen), (1, vec![1, 2]));
    assert_eq!(found.damage, Vec::<String>::new());
    assert_eq!(found.half_made, Vec::<PathBuf>::new());
    assert!(found.free.is_empty());
}

/// The power was cut while a group was written. The log then continued in the next file, so nothing
/// was written after the torn bytes.
#[test]
fn torn_bytes_behind_a_full_file_are_no_damage() {
    let disk = disk();
    let places = journal(&disk, 0, 1, 1..=2);
    journal(&disk, 1, 2, 3..=3);
    disk.overwrite(journal_path(0), places[2], b"torn")
        .expect("written");
    let (found, seen) = found(&disk);
    assert_eq!(seen, [1, 2, 3]);
    assert_eq!(found.damage, Vec::<String>::new());
    assert!(found.torn.is_none());
    let full = found.full.iter().map(|(full, last)| (full.slot, *last));
    assert_eq!(full.collect::<Vec<_>>(), [(0, EventSeq(2))]);
    let (current, _) = found.current.expect("one to go on in");
    assert_eq!((current.slot, found.next_seq), (1, EventSeq(4)));
}

#[test]
fn a_damaged_event_is_reported_and_the_rest_handed_out() {
    let disk = disk();
    let places = journal(&disk, 0, 1, 1..=3);
    let body = places[1] + FRAME_HEADER_BYTES as u64;
    disk.flip_bit(journal_path(0), body * 8).expect("there");
    let (found, seen) = found(&disk);
    assert_eq!((seen, found.next_seq), (vec![1, 3], EventSeq(4)));
    assert_eq!(found.damage, [does_not_check_out(0, 2, places[1])]);
}
