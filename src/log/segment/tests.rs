//! Tests of writing and reading segments.

use super::*;
use crate::disk::sim::{Fault, Repeat, SimDisk};

const STORE: StoreId = StoreId::from_bytes([7; 16]);
const FIRST: EventSeq = EventSeq(5);

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    for folder in ["tmp", EVENTS_DIR] {
        disk.make_dir(Path::new(folder)).expect("a folder");
    }
    disk
}

/// Starts a segment at event 5, over a tree of four leaves.
fn writer(disk: &SimDisk, leaves: &[Vec<u8>]) -> SegmentWriter {
    let mut before = Frontier::new();
    for leaf in [b"1", b"2", b"3", b"4"] {
        before.push(leaf);
    }
    let disk = Arc::new(disk.clone());
    let tmp = PathBuf::from("tmp/segment");
    let mut writer = SegmentWriter::create(disk, tmp, &STORE, FIRST, before).expect("begun");
    for leaf in leaves {
        writer.push(leaf).expect("added");
    }
    writer
}

fn leaves(lengths: &[usize]) -> Vec<Vec<u8>> {
    lengths.iter().map(|length| vec![b'x'; *length]).collect()
}

fn published(disk: &SimDisk, leaves: &[Vec<u8>]) -> SegmentReader {
    let synced = writer(disk, leaves).finish(vec![(PackId(3), 900)]);
    synced.and_then(SyncedSegment::publish).expect("published")
}

#[test]
fn a_name_stands_for_the_first_event_and_other_names_for_none() {
    for seq in [1, 42, EventSeq::MAX.0] {
        let path = segment_path(EventSeq(seq));
        let name = path.file_name().and_then(|name| name.to_str());
        assert_eq!(first_seq_of(name.expect("text")), Some(EventSeq(seq)));
    }
    let beyond = format!("{:020}.seg", EventSeq::MAX.0 + 1);
    for name in [
        "1.seg",
        "000000000000000000001.seg",
        "0000000000000000000x.seg",
        &beyond,
    ] {
        assert_eq!(first_seq_of(name), None, "{name}");
    }
}

#[test]
fn a_block_is_closed_before_it_grows_past_its_size() {
    const FULL: usize = BLOCK_RAW_BYTES;
    let disk = disk();
    let leaves = leaves(&[100, FULL - 102, 1, FULL - 2, FULL + 10, 1]);
    let reader = published(&disk, &leaves);
    assert_eq!(
        (reader.first_seq(), reader.last_seq()),
        (FIRST, EventSeq(10))
    );
    let footer = reader.footer().expect("readable");
    let blocks: Vec<_> = footer
        .blocks
        .iter()
        .map(|block| (block.first_seq.0, block.events))
        .collect();
    assert_eq!(blocks, [(5, 2), (7, 1), (8, 1), (9, 1), (10, 1)]);
    assert_eq!(footer.packs, [(PackId(3), 900)]);
    let all: Vec<u8> = footer
        .blocks
        .iter()
        .flat_map(|block| reader.block(block).expect("readable"))
        .collect();
    let expected: Vec<u8> = leaves
        .iter()
        .flat_map(|leaf| [leaf.as_slice(), b"\n"].concat())
        .collect();
    assert!(all == expected);
    let again = SegmentReader::open(&disk, &STORE, FIRST).expect("opened");
    assert_eq!(again.footer().expect("readable"), footer);
    assert_eq!(again.bytes(), reader.bytes());
    let on_disk = disk.content(reader.path()).expect("there").len() as u64;
    assert_eq!(reader.bytes(), on_disk);
    let tree = again.frontier().expect("a tree");
    assert_eq!(tree.size(), 10);
}

/// A block's own header is checked, because the index may be wrong.
#[test]
fn a_block_that_is_not_the_one_asked_for_is_refused() {
    let reader = published(&disk(), &leaves(&[100, 200]));
    let block = reader.footer().expect("readable").blocks[0];
    let other_first = BlockIndex {
        first_seq: EventSeq(6),
        ..block
    };
    let other_events = BlockIndex { events: 3, ..block };
    for index in [other_first, other_events] {
        let refused = reader.block(&index).expect_err("another block");
        assert!(
            refused
                .to_string()
                .contains(&SegmentError::Order.to_string())
        );
    }
}

#[test]
fn a_foreign_or_cut_segment_does_not_open() {
    let disk = disk();
    let reader = published(&disk, &leaves(&[100]));
    let whole = disk.content(reader.path()).expect("there");
    let why = |store: &StoreId, first: EventSeq, bytes: &[u8]| {
        disk.plant(segment_path(first), bytes).expect("planted");
        match SegmentReader::open(&disk, store, first) {
            Err(LogError::Segment { why, .. }) => Some(why),
            Err(error) => panic!("another error: {error}"),
            Ok(_) => None,
        }
    };
    assert_eq!(why(&STORE, FIRST, &whole), None);
    assert_eq!(why(&STORE, EventSeq(6), &whole), Some(SegmentError::Order));
    let other = StoreId::from_bytes([8; 16]);
    assert_eq!(why(&other, FIRST, &whole), Some(SegmentError::OtherStore));
    assert_eq!(
        why(&STORE, FIRST, &whole[..127]),
        Some(SegmentError::Truncated)
    );
    assert_eq!(why(&STORE, FIRST, &[]), Some(SegmentError::Truncated));
    let missing_a_byte = [&whole[..100], &whole[101..]].concat();
    assert_eq!(
        why(&STORE, FIRST, &missing_a_byte),
        Some(SegmentError::Length)
    );
    // The header of one segment and the trailer of another.
    let at = whole.len() - SEGMENT_TRAILER_BYTES;
    let mut trailer = Trailer::decode(&whole[at..]).expect("a trailer");
    trailer.first_seq = EventSeq(4);
    let mixed = [&whole[..at], &trailer.encode()].concat();
    assert_eq!(why(&STORE, FIRST, &mixed), Some(SegmentError::Order));
    // The shortest possible.
    trailer.first_seq = FIRST;
    (trailer.footer_offset, trailer.footer_bytes) = (64, 0);
    let empty = [&whole[..64], &trailer.encode()].concat();
    assert_eq!(why(&STORE, FIRST, &empty), None);
}

#[test]
fn a_repaired_segment_says_of_its_tree_what_is_known() {
    let disk = disk();
    let three = leaves(&[100, 200, 300]);
    let sound = published(&disk, &three).footer().expect("readable");
    let repaired = |tree| {
        let synced = writer(&disk, &three).finish_repaired(tree);
        let reader = synced.and_then(SyncedSegment::publish).expect("published");
        let tree = reader.frontier().map(|tree| tree.size());
        (reader.footer().expect("readable"), tree.ok())
    };
    let (grown, tree) = repaired(RepairedTree::Grown);
    assert_eq!((grown.tree_root, tree), (sound.tree_root, Some(7)));
    let mut old = sound.clone();
    old.checkpoint = b"signed".to_vec();
    old.blocks.push(old.blocks[0]);
    let (kept, tree) = repaired(RepairedTree::Kept(old.clone()));
    assert_eq!((&kept.checkpoint, tree), (&old.checkpoint, Some(7)));
    assert_eq!((kept.blocks, kept.packs), (sound.blocks.clone(), old.packs));
    let (unknown, tree) = repaired(RepairedTree::Unknown);
    assert_eq!((unknown.tree_size, tree), (7, None));
    // A tree size or a root that does not match the frontier.
    let mut wrong = sound.clone();
    wrong.tree_size += 1;
    assert_eq!(repaired(RepairedTree::Kept(wrong)).1, None);
    let mut wrong = sound;
    wrong.tree_root[0] ^= 1;
    assert_eq!(repaired(RepairedTree::Kept(wrong)).1, None);
}

#[test]
fn a_segment_without_events_has_no_block() {
    let synced = writer(&disk(), &[]).finish(Vec::new()).expect("durable");
    let footer = synced.reader.footer().expect("readable");
    assert_eq!((footer.blocks.len(), footer.tree_size), (0, 4));
    assert_eq!(synced.reader.trailer.footer_offset, 64);
}

/// The checksums are valid, but the content does not consist of whole lines.
#[test]
fn a_cut_block_is_refused() {
    for (plain, raw_bytes, sound) in [
        ("a\n", 2, true),
        ("a\n", 3, false),
        ("ab", 2, false),
        ("", 0, false),
    ] {
        let packed = zstd::bulk::compress(plain.as_bytes(), BLOCK_LEVEL).expect("short");
        let header = BlockHeader {
            stored_bytes: u32::try_from(packed.len()).expect("short"),
            raw_bytes,
            events: 1,
            first_seq: FIRST,
            body_crc: crc32c::crc32c(&packed),
        };
        let mut bytes = Vec::new();
        header.encode_into(&mut bytes);
        bytes.extend(packed);
        let disk = SimDisk::new();
        let path = Path::new("block");
        disk.plant(path, &bytes).expect("planted");
        let file = disk.open(path, OpenMode::Read).expect("opened");
        let at = BlockIndex {
            first_seq: FIRST,
            offset: 0,
            events: 1,
        };
        match read_block(&*file, path, &at) {
            Ok(read) => assert!(sound && read == plain.as_bytes(), "{plain:?}"),
            Err(LogError::Segment { why, .. }) => {
                assert!(!sound && why == SegmentError::Length, "{plain:?}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_block_with_other_events_is_refused() {
    let reader = published(&disk(), &leaves(&[100, 100, 100]));
    let block = reader.footer().expect("readable").blocks[0];
    assert!(reader.block(&block).is_ok());
    let later = BlockIndex {
        first_seq: block.first_seq.next(),
        ..block
    };
    let more = BlockIndex {
        events: block.events + 1,
        ..block
    };
    for other in [later, more] {
        match reader.block(&other) {
            Err(LogError::Segment { why, .. }) => assert_eq!(why, SegmentError::Order),
            other => panic!("{other:?}"),
        }
    }
}

/// After an unsure error the caller must open the store again. After a sure one it can retry.
#[test]
fn a_segment_that_got_no_name_is_told_from_one_that_may_have_it() {
    for (calls, sure) in [(0, true), (1, false)] {
        let disk = disk();
        let synced = writer(&disk, &leaves(&[100])).finish(Vec::new());
        let synced = synced.expect("durable");
        disk.fail_at(calls, Fault::Os(5), Repeat::Once);
        match synced.publish() {
            Err(LogError::Io { action, path, .. }) if sure => {
                assert_eq!((action, path), ("rename", PathBuf::from("tmp/segment")));
            }
            Err(LogError::Unsure { path, .. }) if !sure => {
                assert_eq!(path, segment_path(FIRST));
            }
            Err(other) => panic!("call {calls}: {other}"),
            Ok(_) => panic!("call {calls}: published"),
        }
        assert!(disk.content(segment_path(FIRST)).is_err());
    }
}
