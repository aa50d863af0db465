//! Tests of what is read from a damaged log.

use super::*;
use crate::disk::sim::{Fault, Repeat, SimDisk};
use crate::format::segment::BLOCK_RAW_BYTES_MAX;
use crate::log::tests::{STORE, disk, journal, leaf, seal};

#[test]
fn a_log_whose_folders_are_gone_is_empty() {
    let left = Remains::survey(&SimDisk::new(), &STORE).expect("nothing to read");
    assert!(left.segments.is_empty() && left.journals.is_empty());
}

/// Such as a person's notes or an editor's temporary file.
#[test]
fn files_of_other_names_are_not_part_of_the_log() {
    let disk = disk();
    seal(&disk, 1..=3);
    journal(&disk, 2, 1, 4..=5);
    for name in [
        "events/README.txt",
        "events/1.seg",
        "journal/README.txt",
        "journal/0002.journal~",
    ] {
        disk.plant(name, b"notes").expect("planted");
    }
    let left = Remains::survey(&disk, &STORE).expect("readable");
    let segments = left.segments.iter().map(|segment| segment.first_seq);
    assert_eq!(segments.collect::<Vec<_>>(), [EventSeq(1)]);
    let journals = left.journals.iter().map(|journal| journal.slot);
    assert_eq!(journals.collect::<Vec<_>>(), [2]);
}

/// Frames from an earlier use of the file follow its own frames.
#[test]
fn a_file_without_header_takes_the_newest_generation() {
    let disk = disk();
    let own = journal(&disk, 0, 2, 5..=6);
    let stale = SimDisk::new();
    stale.make_dir(Path::new(JOURNAL_DIR)).expect("a folder");
    journal(&stale, 0, 1, 1..=3);
    let bytes = stale.content(journal_path(0)).expect("there");
    disk.overwrite(journal_path(0), own[2] + 64, &bytes[4_096..20_000])
        .expect("written");
    disk.flip_bit(journal_path(0), 8 * 40).expect("flipped");
    let left = Remains::survey(&disk, &STORE).expect("readable");
    let file = &left.journals[0];
    assert!(file.header.is_err() && file.frames.len() == 5);
    let seqs: Vec<u64> = file.own().map(|frame| frame.seq.0).collect();
    assert_eq!((file.generation(), seqs), (Some(2), vec![5, 6]));
    assert_eq!(file.first_seq(), Some(EventSeq(5)));

    // An intact header states the first event, even if frames are missing before the first one that
    // is left.
    journal(&disk, 1, 3, 9..=9);
    disk.overwrite(journal_path(1), 4_096, &[0; 4_096])
        .expect("taken back");
    let left = Remains::survey(&disk, &STORE).expect("readable");
    assert_eq!(left.journals[1].first_seq(), Some(EventSeq(9)));
}

/// A store that lost its end and was opened used the lost numbers a second time. The frame written
/// later counts.
#[test]
fn two_frames_with_one_number_the_newer_generation_wins() {
    for generations in [[2, 5], [5, 2]] {
        let disk = disk();
        for (slot, generation) in (0..).zip(generations) {
            journal(&disk, slot, generation, 4..=4);
        }
        let left = Remains::survey(&disk, &STORE).expect("readable");
        let leaves = left.leaves();
        let (taken, _) = leaves.frames.get(&EventSeq(4)).expect("one");
        assert_eq!(taken.generation, 5, "{generations:?}");
    }
}

#[test]
fn a_broken_segment_gives_the_events_of_its_blocks() {
    let disk = disk();
    for seqs in [1..=2, 4..=5] {
        let segment = seal(&disk, seqs);
        disk.truncate(segment.path(), segment.bytes() - 1)
            .expect("cut");
    }
    let left = Remains::survey(&disk, &STORE).expect("readable");
    let mut leaves = left.leaves();
    assert_eq!(leaves.newest_in_blocks(), Some(EventSeq(5)));
    for seq in 0..10 {
        let there = [1, 2, 4, 5].contains(&seq);
        assert_eq!(leaves.holds(EventSeq(seq)), there, "{seq}");
        let read = leaves.leaf(EventSeq(seq)).expect("readable");
        assert_eq!(read, there.then(|| leaf(seq)), "{seq}");
    }
}

/// Two stores were copied into one folder. A checksum proves that bytes are as written, but not for
/// which store.
#[test]
fn nothing_of_another_store_is_taken_for_a_part_of_this_one() {
    let disk = disk();
    let segment = seal(&disk, 1..=3);
    disk.truncate(segment.path(), segment.bytes() - 1)
        .expect("cut");
    journal(&disk, 0, 1, 4..=5);
    let held = |store: &StoreId| {
        let left = Remains::survey(&disk, store).expect("readable");
        let leaves = left.leaves();
        (1..=5).filter(|seq| leaves.holds(EventSeq(*seq))).count()
    };
    assert_eq!(held(&STORE), 5);
    assert_eq!(held(&StoreId::from_bytes([8; 16])), 0);
}

/// The file is searched in pieces, and a block may cross two of them.
#[test]
fn every_block_of_a_long_segment_is_found_without_its_end() {
    let noisy = |seq: u64| {
        let mut noise = vec![0; 3_000];
        blake3::Hasher::new()
            .update(&seq.to_le_bytes())
            .finalize_xof()
            .fill(&mut noise);
        let noise: String = noise.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = String::from_utf8(leaf(seq)).expect("text");
        line.replace("\"test\"", &format!("\"{noise}\""))
            .into_bytes()
    };
    const LAST: u64 = 1_700;
    let disk = disk();
    let tmp = std::path::PathBuf::from("tmp/segment");
    let shared = std::sync::Arc::new(disk.clone());
    let before = crate::evidence::tree::Frontier::new();
    let mut writer =
        crate::log::SegmentWriter::create(shared, tmp, &STORE, EventSeq(1), before).expect("begun");
    for seq in 1..=LAST {
        writer.push(&noisy(seq)).expect("added");
    }
    let synced = writer.finish(Vec::new()).expect("durable");
    let segment = synced.publish().expect("published");
    assert!(segment.bytes() > 4 * BLOCK_RAW_BYTES_MAX as u64);
    let mut footer = segment.footer().expect("readable");
    let written = footer.blocks.clone();
    assert!(check_blocks(&segment, &footer).is_ok());
    footer.blocks.swap(1, 2);
    assert!(check_blocks(&segment, &footer).is_err(), "out of order");
    disk.truncate(segment.path(), segment.bytes() - 1)
        .expect("cut");
    let left = Remains::survey(&disk, &STORE).expect("readable");
    let SegmentState::Broken { blocks, .. } = &left.segments[0].state else {
        panic!("its end is gone");
    };
    assert_eq!(*blocks, written);
}

/// A temporary disk error must not make a repair replace an intact segment.
#[test]
fn a_failing_disk_is_an_error_and_no_broken_segment() {
    let sound = disk();
    seal(&sound, 1..=3);
    journal(&sound, 0, 1, 4..=5);
    for calls in 0.. {
        let disk = sound.snapshot();
        disk.fail_at(calls, Fault::Os(5), Repeat::Once);
        let left = Remains::survey(&disk, &STORE);
        if disk.struck() == 0 {
            let left = left.expect("readable");
            let state = &left.segments[0].state;
            assert!(calls > 8 && matches!(state, SegmentState::Intact(_)));
            break;
        }
        match left {
            Err(LogError::Io { source, .. }) => assert_eq!(source.raw_os_error(), Some(5)),
            Err(other) => panic!("call {calls}: {other}"),
            Ok(_) => panic!("call {calls}: taken for something else"),
        }
    }
}

/// A header, footer and trailer with valid checksums may come from another file.
#[test]
fn blocks_that_contradict_the_footer_break_the_segment() {
    let disk = disk();
    let reader = seal(&disk, 1..=3);
    let footer = reader.footer().expect("readable");
    assert!(check_blocks(&reader, &footer).is_ok());
    let twice = Footer {
        blocks: vec![footer.blocks[0]; 2],
        ..footer.clone()
    };
    let none = Footer {
        blocks: Vec::new(),
        ..footer
    };
    for promised in [twice, none] {
        match check_blocks(&reader, &promised) {
            Err(LogError::Segment { path, why }) => {
                assert_eq!((path.as_path(), why), (reader.path(), SegmentError::Order));
            }
            other => panic!("{other:?}"),
        }
    }
}
