//! Tests of reading packs, whole and damaged.

use std::path::PathBuf;

use super::*;
use crate::blob::pack_writer::tests::{new_disk, pack_with_dictionary, small_pack};
use crate::disk::sim::{Fault, Repeat, SimDisk};

#[test]
fn a_pack_without_its_end_still_gives_up_its_records_byte_for_byte() {
    let (dir, disk) = new_disk();
    let pack = small_pack(&disk);
    let path = dir.path().join(&pack.path);
    let bytes = std::fs::read(&path).expect("readable");
    let whole = PackReader::open(&*disk, &pack.path).expect("opened");
    let listed = whole.entries().expect("a footer");
    assert_eq!(whole.salvage().expect("readable"), listed);

    std::fs::write(&path, &bytes[..bytes.len() - PACK_TRAILER_BYTES - 10]).expect("writable");
    let cut = PackReader::open(&*disk, &pack.path).expect("the header is whole");
    assert!(matches!(cut.entries(), Err(PackReadError::Pack(_))));
    assert_eq!(cut.salvage().expect("readable"), listed);
    for entry in listed {
        let record = |reader: &PackReader| {
            let record = reader.read_record(entry.offset, entry.len, &entry.id);
            record.expect("whole")
        };
        assert_eq!(record(&cut), record(&whole));
    }
}

/// Callers trust that content is what its id names, and do not check it again.
#[test]
fn content_is_handed_out_under_its_own_name_only() {
    let record = |id: BlobId| {
        StoredRecord::encode(&Record {
            kind: RecordKind::Content,
            codec: crate::format::record::Codec::Raw,
            dictionary: None,
            raw_len: 7,
            id,
            stored: b"content",
        })
        .expect("a record")
    };
    let (own, other) = (BlobId::of(b"content"), BlobId::of(b"another"));
    let at = PackOffset(128);
    let plain = record(own).plain(at, &own, None).expect("its own");
    assert_eq!(plain.bytes, b"content");
    for (named, asked) in [(own, other), (other, own), (other, other)] {
        let refused = record(named).plain(at, &asked, None);
        assert!(
            matches!(refused, Err(PackReadError::OtherBlob { expected, .. }) if expected == asked)
        );
    }
}

/// An intact header names the store, so that the records can be searched for.
#[test]
fn a_pack_opens_once_its_header_is_whole_and_is_too_short_without_room_for_its_end() {
    let (sim, path, ..) = sim_pack();
    let whole = sim.content(&path).expect("there");
    let least = PACK_HEADER_BYTES + PACK_TRAILER_BYTES;
    let cut = |len: usize| {
        sim.plant(&path, &whole[..len]).expect("planted");
        PackReader::open(&sim, &path).map(|reader| reader.listed().map(drop))
    };
    let short = |error: &PackReadError, left: usize| {
        let expected = crate::format::bytes::Truncated {
            needed: least,
            left,
        };
        matches!(error, PackReadError::Pack(PackError::Truncated(short)) if *short == expected)
    };
    let unopened = cut(PACK_HEADER_BYTES - 1).expect_err("no header");
    assert!(short(&unopened, PACK_HEADER_BYTES - 1));
    for len in [PACK_HEADER_BYTES, PACK_HEADER_BYTES + 1, least - 1] {
        let listed = cut(len).expect("its header is whole");
        assert!(listed.is_err_and(|error| short(&error, len)), "{len}");
    }
    let listed = cut(least).expect("its header is whole");
    assert!(listed.is_err_and(|error| !short(&error, least)));
}

/// A dictionary may equal one whole file. Then a blob and the dictionary have one id.
#[test]
fn what_is_found_by_walking_stands_in_the_order_of_the_footer() {
    let (sim, path, listed, _) = sim_pack();
    let reader = PackReader::open(&sim, &path).expect("opened");
    assert_eq!(reader.salvage().expect("readable"), listed);
    let [first, _] = copies(&listed);
    assert_eq!(
        listed.iter().filter(|entry| entry.id == first.id).count(),
        3
    );
}

/// Returns a disk with a pack that has a dictionary, the entries of the pack, and the tag of the
/// dictionary.
fn sim_pack() -> (SimDisk, PathBuf, Vec<PackEntry>, DictTag) {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    for dir in ["tmp", "packs"] {
        disk.make_dir(Path::new(dir)).expect("made");
    }
    let path = pack_with_dictionary(&disk).path;
    let reader = PackReader::open(&*disk, &path).expect("opened");
    let listed = reader.listed().expect("a footer");
    let dictionary = listed
        .iter()
        .find(|entry| entry.kind == RecordKind::Dictionary);
    let tag = DictTag::of(&dictionary.expect("listed").id).expect("a name");
    (sim, path, listed, tag)
}

/// Returns the entries of both copies of the dictionary.
fn copies(listed: &[PackEntry]) -> [PackEntry; 2] {
    let of_dictionary = |entry: &&PackEntry| entry.kind == RecordKind::Dictionary;
    let copies: Vec<PackEntry> = listed.iter().filter(of_dictionary).copied().collect();
    copies.try_into().expect("two copies")
}

fn damage(sim: &SimDisk, path: &Path, record: &PackEntry) {
    let bit = (record.offset.0 + RECORD_HEADER_BYTES as u64) * 8;
    sim.flip_bit(path, bit).expect("flipped");
}

/// If a temporary read error counted as damage, intact content would become unreadable.
#[test]
fn whatever_read_fails_while_a_dictionary_is_looked_for_the_error_of_the_disk_is_told() {
    let (sim, path, listed, tag) = sim_pack();
    let [first, second] = copies(&listed);
    let footer = second.offset.0 + u64::from(second.len);
    let whole = sim.content(&path).expect("readable");
    let mut struck = Vec::new();
    for (second_is_whole, has_end) in [(true, true), (false, true), (false, false)] {
        sim.overwrite(&path, 0, &whole).expect("as it was");
        if !second_is_whole {
            damage(&sim, &path, &second);
        }
        if !has_end {
            sim.truncate(&path, footer).expect("cut");
        }
        let mut failed = 0;
        loop {
            let reader = PackReader::open(&sim, &path).expect("opened");
            assert_eq!(reader.entries().is_ok(), has_end);
            let struck_before = sim.struck();
            sim.fail_at(failed, Fault::Os(5), Repeat::Once);
            let found = reader.dictionary(tag);
            sim.heal();
            if sim.struck() == struck_before {
                let bytes = found.expect("readable");
                assert_eq!(BlobId::of(bytes.bytes()), first.id);
                break;
            }
            assert!(
                matches!(&found, Err(PackReadError::Io(error)) if error.raw_os_error() == Some(5)),
                "call {failed} of a pack with {second_is_whole} {has_end}: {found:?}"
            );
            failed += 1;
            // The read failed once; from then on this reader must find the dictionary.
            reader.dictionary(tag).expect("readable");
        }
        struck.push(failed);
    }
    // For the second copy: two reads of the scan, then one of the dictionary. If it is damaged, the
    // scan continues, and then come the footer and the first copy.
    assert_eq!(struck[0], 3);
    assert!(struck[1] > 4 && struck[2] > 4, "{struck:?}");
}

/// After damage the scan must find later records of both forms: content, and dictionaries with
/// their ids.
#[test]
fn a_damaged_record_costs_a_walk_that_record_and_no_other() {
    let (sim, path, listed, _) = sim_pack();
    let whole = sim.content(&path).expect("readable");
    for gone in &listed {
        sim.overwrite(&path, 0, &whole).expect("as it was");
        damage(&sim, &path, gone);
        let reader = PackReader::open(&sim, &path).expect("opened");
        let found = reader.salvage().expect("readable");
        let expected: Vec<_> = listed.iter().filter(|entry| *entry != gone).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{gone:?}");
    }
}

/// If a temporary read error counted as damage, a repair would give up intact content.
#[test]
fn whatever_read_fails_while_a_pack_is_walked_over_the_error_of_the_disk_is_told() {
    let (sim, path, listed, _) = sim_pack();
    for failed in 0.. {
        let reader = PackReader::open(&sim, &path).expect("opened");
        let struck_before = sim.struck();
        sim.fail_at(failed, Fault::Os(5), Repeat::Once);
        let found = reader.salvage();
        sim.heal();
        if sim.struck() == struck_before {
            assert_eq!(found.expect("readable"), listed);
            assert!(failed > 2 * listed.len() as u64, "{failed}");
            break;
        }
        assert!(
            matches!(&found, Err(PackReadError::Io(error)) if error.raw_os_error() == Some(5)),
            "call {failed}: {found:?}"
        );
    }
}

/// A file that is truncated while it is open must read like one that was truncated before.
#[test]
fn a_pack_that_loses_its_footer_while_it_is_open_still_gives_its_dictionary() {
    let (sim, path, listed, tag) = sim_pack();
    let [first, second] = copies(&listed);
    damage(&sim, &path, &second);
    let reader = PackReader::open(&sim, &path).expect("opened");
    let footer = second.offset.0 + u64::from(second.len);
    sim.truncate(&path, footer + 1).expect("cut");
    let listed = reader.listed();
    assert!(
        matches!(listed, Err(PackReadError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
    );
    let stored = reader.stored_dictionary(tag).expect("the first copy");
    assert_eq!(stored.header.id, first.id);
}

#[test]
fn a_dictionary_that_was_cut_off_is_missing_and_no_error_of_the_disk() {
    let (sim, path, listed, tag) = sim_pack();
    let [first, second] = copies(&listed);
    sim.truncate(&path, second.offset.0).expect("cut");
    let reader = PackReader::open(&sim, &path).expect("opened");
    let stored = reader.stored_dictionary(tag).expect("the first copy");
    assert_eq!(stored.header.id, first.id);
    sim.truncate(&path, first.offset.0 + 1).expect("cut");
    let lost = reader.stored_dictionary(tag);
    assert!(matches!(lost, Err(PackReadError::Dictionary(of)) if of == tag));
}
