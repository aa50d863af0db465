//! Tests of writing packs, and sample packs for the tests of this room.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::blob::compression::{Compressor, Dictionary, Level};
use crate::blob::pack_reader::{PackReadError, PackReader};
use crate::disk::FsDisk;
use crate::disk::sim::{Call, InterceptedDisk};
use crate::format::pack::{PACK_HEADER_BYTES, PackEffort, PackError, PackOrigin};
use crate::format::record::{Codec, NAMELESS_HEADER_BYTES, RecordKind};
use crate::id::{EventSeq, StoreId};

/// Makes a directory that contains `tmp` and `packs`.
pub(in crate::blob) fn new_disk() -> (tempfile::TempDir, Arc<dyn Disk>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let disk = FsDisk::new(dir.path());
    disk.make_dir(Path::new("tmp")).expect("made");
    disk.make_dir(Path::new("packs")).expect("made");
    (dir, Arc::new(disk))
}

/// Returns places for pack 1, pack 2 and so on.
pub(in crate::blob) fn places() -> impl FnMut() -> PackPlace {
    let mut number = 0;
    move || {
        number += 1;
        PackPlace {
            header: PackHeader {
                origin: PackOrigin::Streamed,
                effort: PackEffort::Small,
                store: StoreId::from_bytes([9; 16]),
                pack: PackId(number),
                first_seq: EventSeq(0),
                last_seq: EventSeq(0),
                class: PackClass::new("forever/none").expect("a class"),
            },
            tmp_path: format!("tmp/{number}.pack").into(),
            final_path: format!("packs/{number}.pack").into(),
        }
    }
}

fn raw(content: &[u8]) -> Record<'_> {
    Record {
        kind: RecordKind::Content,
        codec: Codec::Raw,
        dictionary: None,
        raw_len: u32::try_from(content.len()).expect("short"),
        id: BlobId::of(content),
        stored: content,
    }
}

/// Publishes a pack with three small blobs.
pub(in crate::blob) fn small_pack(disk: &Arc<dyn Disk>) -> SyncedPack {
    let place = places()();
    let mut writer = PackWriter::create(disk, &place.tmp_path, place.header).expect("created");
    for content in [&b"one"[..], b"", b"three"] {
        writer.append(&raw(content)).expect("appended");
    }
    writer
        .seal_and_publish(&place.final_path)
        .expect("published")
}

#[test]
fn a_pack_has_its_name_only_when_it_is_whole() {
    let (_dir, disk) = new_disk();
    let names = |dir| -> Vec<String> {
        let entries = disk.list(Path::new(dir)).expect("a directory");
        entries.into_iter().map(|entry| entry.name).collect()
    };
    let place = places()();
    let mut writer = PackWriter::create(&disk, &place.tmp_path, place.header).expect("created");
    let at = writer.append(&raw(b"one")).expect("appended");
    assert_eq!(
        writer.append(&raw(b"one")).expect("appended"),
        at,
        "a second copy is not written"
    );
    assert_eq!(
        (names("tmp"), names("packs")),
        (vec!["1.pack".into()], vec![])
    );
    let pack = writer
        .seal_and_publish(&place.final_path)
        .expect("published");
    assert_eq!(
        (names("tmp"), names("packs")),
        (vec![], vec!["1.pack".into()])
    );
    assert_eq!(pack.entries.len(), 1);
    assert_eq!(
        disk.list(Path::new("packs")).expect("a directory")[0].len,
        pack.bytes
    );
}

#[test]
fn records_longer_than_the_buffer_and_many_short_ones_stand_where_the_entries_say() {
    let (_dir, disk) = new_disk();
    let place = places()();
    let mut writer = PackWriter::create(&disk, &place.tmp_path, place.header).expect("created");
    let long = vec![b'x'; BUFFER_BYTES * 3];
    let mut contents: Vec<Vec<u8>> = (0..500_u32)
        .map(|number| vec![b'y'; 3000 + number as usize])
        .collect();
    contents.insert(7, long);
    for content in &contents {
        writer.append(&raw(content)).expect("appended");
    }
    let pack = writer
        .seal_and_publish(&place.final_path)
        .expect("published");
    let reader = PackReader::open(&*disk, &pack.path).expect("opened");
    assert_eq!(reader.header().pack, pack.id);
    for content in &contents {
        let id = BlobId::of(content);
        let entry = pack.entries[pack
            .entries
            .binary_search_by_key(&id, |entry| entry.id)
            .expect("listed")];
        let plain = reader
            .read_plain(entry.offset, entry.len, &id)
            .expect("readable");
        assert_eq!(&plain.bytes, content);
    }
}

/// Returns everything in a pack, or the first error.
fn read_all(disk: &dyn Disk, path: &Path) -> Result<Vec<Vec<u8>>, PackReadError> {
    let reader = PackReader::open(disk, path)?;
    let read = |entry: PackEntry| Ok(reader.read_plain(entry.offset, entry.len, &entry.id)?.bytes);
    reader.entries()?.into_iter().map(read).collect()
}

// No byte of a pack may change unnoticed. Header, trailer and footer are checked as a whole.
// Records fill the rest without a gap, and each is checked from its first byte to its last.
#[test]
fn every_flipped_bit_and_every_missing_byte_of_a_pack_is_noticed() {
    let (dir, disk) = new_disk();
    let pack = small_pack(&disk);
    assert_eq!(read_all(&*disk, &pack.path).expect("whole").len(), 3);
    let path = dir.path().join(&pack.path);
    let whole = std::fs::read(&path).expect("readable");
    for at in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            std::fs::write(&path, damaged).expect("writable");
            let noticed = read_all(&*disk, &pack.path);
            assert!(noticed.is_err(), "bit {bit} of byte {at}");
        }
    }
    for len in 0..whole.len() {
        std::fs::write(&path, &whole[..len]).expect("writable");
        let noticed = read_all(&*disk, &pack.path);
        assert!(
            matches!(noticed, Err(PackReadError::Pack(_))),
            "{len} bytes"
        );
    }
    std::fs::write(&path, [&whole[..], b"\0"].concat()).expect("writable");
    assert!(read_all(&*disk, &pack.path).is_err(), "a byte too many");
}

/// Many short records are written with one call, and buffered records never take more than the
/// buffer's size.
#[test]
fn records_are_written_when_the_next_one_does_not_fit_the_buffer() {
    let sim = crate::disk::sim::SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    disk.make_dir(Path::new("tmp")).expect("made");
    let mut writer = started(&disk);
    let writes = || sim.census().of(crate::disk::sim::Call::Write);
    let room = BUFFER_BYTES - writer.buffer.len();
    let filling = room / 2 - NAMELESS_HEADER_BYTES;
    writer.append(&raw(&vec![1; filling])).expect("appended");
    let rest = room - room / 2 - NAMELESS_HEADER_BYTES;
    writer.append(&raw(&vec![2; rest])).expect("appended");
    assert_eq!((writes(), writer.buffer.len()), (0, BUFFER_BYTES));
    writer.append(&raw(b"one more")).expect("appended");
    assert_eq!((writes(), writer.buffer.len()), (1, 36));
}

/// Returns how many records each pack of a series has, with packs of `pack_bytes`.
fn packs_of(pack_bytes: u64, lengths: &[usize]) -> Vec<usize> {
    let (_dir, disk) = new_disk();
    let mut series = PackSeries::new(disk, pack_bytes, places());
    for (nth, len) in (1..).zip(lengths) {
        let content = vec![nth; *len - NAMELESS_HEADER_BYTES];
        series.append(&raw(&content)).expect("appended");
    }
    let packs = series.finish().expect("published");
    packs.iter().map(|pack| pack.entries.len()).collect()
}

#[test]
fn a_pack_is_filled_to_its_last_byte_and_no_pack_is_empty() {
    let header = PACK_HEADER_BYTES as u64;
    assert_eq!(packs_of(header + 300, &[100, 100, 100]), [3]);
    assert_eq!(packs_of(header + 300, &[100, 100, 101]), [2, 1]);
    assert_eq!(packs_of(header + 300, &[301, 100, 200, 100]), [1, 2, 1]);
    assert_eq!(packs_of(header + 300, &[400, 400]), [1, 1]);
}

/// Packs that nothing refers to are garbage, and on a full disk they take needed space.
#[test]
fn a_series_that_is_given_up_takes_its_packs_along() {
    let (_dir, disk) = new_disk();
    let files = |dir| disk.list(Path::new(dir)).expect("a directory").len();
    let mut series = PackSeries::new(Arc::clone(&disk), 1 << 20, places());
    series.append(&raw(b"first")).expect("appended");
    series.cut().expect("closed");
    series.append(&raw(b"second")).expect("appended");
    assert_eq!((files("tmp"), files("packs")), (1, 1));
    drop(series);
    assert_eq!((files("tmp"), files("packs")), (0, 0));
}

/// Returns a filled-in test form for one unit.
fn form(unit: u32) -> Vec<u8> {
    let rows = (0..12_u32).map(|row| format!("{};{unit}\n", BlobId::of(&row.to_le_bytes())));
    rows.collect::<String>().into_bytes()
}

/// Publishes a pack with three forms, two of them compressed with a dictionary.
pub(in crate::blob) fn pack_with_dictionary(disk: &Arc<dyn Disk>) -> SyncedPack {
    let dictionary = Dictionary::new(form(1)).expect("a dictionary");
    let stored = StoredRecord::encode(&Record {
        kind: RecordKind::Dictionary,
        ..raw(dictionary.bytes())
    })
    .expect("a record");
    let place = places()();
    let mut writer = PackWriter::create(disk, &place.tmp_path, place.header).expect("created");
    // The bytes of the dictionary are also content, under the dictionary's id.
    writer.append(&raw(&form(1))).expect("appended");
    let mut compressor = Compressor::with_dictionary(Level::DEFAULT, &dictionary);
    for unit in [2, 3] {
        let content = form(unit);
        let mut scratch = Vec::new();
        let packed = compressor.compress(&content, &mut scratch);
        let len = u32::try_from(content.len()).expect("short");
        let record = packed.record(RecordKind::Content, BlobId::of(&content), len);
        assert!(record.dictionary.is_some());
        if unit == 2 {
            let without = writer.append(&record);
            assert!(matches!(without, Err(PackWriteError::NoDictionary(_))));
        }
        writer.carry(&stored).expect("taken in");
        writer.append(&record).expect("appended");
    }
    writer
        .seal_and_publish(&place.final_path)
        .expect("published")
}

/// Returns a dictionary record with this id; the id is not verified before the dictionary is read.
fn dictionary_named(id: [u8; 32]) -> StoredRecord {
    StoredRecord::encode(&Record {
        kind: RecordKind::Dictionary,
        id: BlobId::from_bytes(id),
        ..raw(b"0123456789")
    })
    .expect("a record")
}

fn started(disk: &Arc<dyn Disk>) -> PackWriter {
    let place = places()();
    PackWriter::create(disk, &place.tmp_path, place.header).expect("created")
}

/// In a record's header, zeros mean that no dictionary is needed. So records cannot name a
/// dictionary whose id begins with four zeros.
#[test]
fn a_dictionary_that_no_record_can_name_takes_no_room_in_the_pack() {
    let (_dir, disk) = new_disk();
    let mut writer = started(&disk);
    let mut id = [7; 32];
    id[..4].fill(0);
    writer.carry(&dictionary_named(id)).expect("left out");
    assert_eq!(writer.bytes(), PACK_HEADER_BYTES as u64);
    id[3] = 1;
    writer.carry(&dictionary_named(id)).expect("taken in");
    assert_eq!(writer.bytes(), PACK_HEADER_BYTES as u64 + 70);
}

/// Records name a dictionary by the first bytes of its id. With two of one name, some records would
/// be unpacked with the wrong one.
#[test]
fn of_two_dictionaries_with_one_name_a_pack_takes_the_first_and_refuses_the_other() {
    let (_dir, disk) = new_disk();
    let mut writer = started(&disk);
    let held = dictionary_named([7; 32]);
    writer.carry(&held).expect("taken in");
    writer.carry(&held).expect("held already");
    let mut id = [7; 32];
    id[4] = 8;
    let before = writer.bytes();
    let refused = writer.carry(&dictionary_named(id));
    let tag = DictTag::of(&held.header.id).expect("a name");
    assert!(matches!(refused, Err(PackWriteError::NoDictionary(of)) if of == tag));
    assert_eq!(writer.bytes(), before);
    id[3] = 8;
    writer.carry(&dictionary_named(id)).expect("another name");
    assert_eq!(writer.bytes(), before + 70);
}

/// The trailer has 32 bits for the length of the dictionaries.
#[test]
fn a_pack_takes_dictionaries_up_to_the_length_it_can_say_and_refuses_the_next() {
    let (_dir, disk) = new_disk();
    let mut writer = started(&disk);
    writer.dictionary_bytes = u32::MAX - 70;
    writer
        .carry(&dictionary_named([7; 32]))
        .expect("it just fits");
    assert_eq!(writer.dictionary_bytes, u32::MAX);
    let before = writer.bytes();
    let refused = writer.carry(&dictionary_named([8; 32]));
    assert!(matches!(
        refused,
        Err(PackWriteError::Dictionaries(PackId(1)))
    ));
    assert_eq!(
        (writer.bytes(), writer.dictionary_bytes),
        (before, u32::MAX)
    );
    let next = DictTag::of(&BlobId::from_bytes([8; 32])).expect("a name");
    assert!(!writer.carries(next));
}

#[test]
fn after_a_failed_write_a_pack_takes_no_dictionary_either() {
    let (_dir, disk) = new_disk();
    let mut writer = started(&failing(&disk, 1, true));
    let failed = writer.append(&raw(&vec![1; BUFFER_BYTES]));
    assert!(matches!(
        failed,
        Err(PackWriteError::Io {
            action: "write",
            ..
        })
    ));
    let refused = writer.carry(&dictionary_named([7; 32]));
    assert!(matches!(refused, Err(PackWriteError::Poisoned(PackId(1)))));
}

#[test]
fn a_flipped_bit_in_a_pack_with_a_dictionary_is_noticed_and_costs_one_content_at_the_most() {
    let (dir, disk) = new_disk();
    let pack = pack_with_dictionary(&disk);
    assert_eq!(pack.entries.len(), 3);
    let path = dir.path().join(&pack.path);
    let whole = std::fs::read(&path).expect("readable");
    let units = |damaged: &[u8]| {
        std::fs::write(&path, damaged).expect("writable");
        let reader = PackReader::open(&*disk, &pack.path)?;
        let readable = pack.entries.iter().filter(|entry| {
            let plain = reader.read_plain(entry.offset, entry.len, &entry.id);
            plain.is_ok()
        });
        let readable = readable.count();
        let all = reader.listed().and_then(|listed| {
            listed.iter().try_for_each(|entry| {
                reader.read_plain(entry.offset, entry.len, &entry.id)?;
                Ok(())
            })
        });
        Ok::<_, PackReadError>((readable, all.is_ok()))
    };
    assert_eq!(units(&whole).expect("whole"), (3, true));
    for at in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        match units(&damaged) {
            Err(_) => assert!(at < 128, "byte {at}"),
            Ok((readable, sound)) => assert!(readable >= 2 && !sound, "byte {at}"),
        }
    }
    // Without its end the pack must give the expected records too.
    std::fs::write(&path, &whole[..whole.len() - 1_000]).expect("writable");
    let cut = PackReader::open(&*disk, &pack.path).expect("the header is whole");
    for entry in &pack.entries {
        cut.read_plain(entry.offset, entry.len, &entry.id)
            .expect("readable");
    }
    let kinds = |listed: Vec<PackEntry>| listed.iter().map(|entry| entry.kind).collect();
    let salvaged: Vec<RecordKind> = kinds(cut.salvage().expect("readable"));
    assert_eq!(salvaged.len(), 3 + 1, "{salvaged:?}");
}

#[test]
fn a_footer_with_a_dictionary_that_is_there_once_or_out_of_place_is_refused() {
    let (dir, disk) = new_disk();
    let pack = pack_with_dictionary(&disk);
    let bytes = std::fs::read(dir.path().join(&pack.path)).expect("readable");
    let reader = PackReader::open(&*disk, &pack.path).expect("opened");
    let listed = reader.listed().expect("a footer");
    let dictionary = |entry: &&PackEntry| entry.kind == RecordKind::Dictionary;
    let len = listed.iter().find(dictionary).expect("there").len;
    let records_end = bytes.len() as u64 - 64 - 5 * 52;
    let read = |entries: &[PackEntry], dictionary_bytes| {
        let end = pack::encode_footer(PackId(1), records_end, dictionary_bytes, entries.iter());
        let at = end.len() - 64;
        let trailer = pack::decode_trailer(&end[at..], records_end + end.len() as u64)?;
        pack::decode_footer(&end[..at], &trailer)
    };
    assert_eq!(read(&listed, len).as_deref(), Ok(&listed[..]));
    let mut once = listed.clone();
    let first = listed.iter().position(|entry| dictionary(&entry));
    once.remove(first.expect("there"));
    let mut swapped = listed.clone();
    swapped.swap(first.expect("there"), first.expect("there") + 1);
    let mut thrice = listed.clone();
    thrice.insert(first.expect("there"), listed[first.expect("there")]);
    for (entries, dictionary_bytes) in [
        (&once, len),
        (&swapped, len),
        (&thrice, len),
        (&listed, 0),
        (&listed, len + 1),
    ] {
        let refused = read(entries, dictionary_bytes);
        assert!(matches!(refused, Err(PackError::Contradiction { .. })));
    }
}

#[test]
fn a_locator_that_is_out_of_date_is_an_error_and_never_another_blob() {
    let (_dir, disk) = new_disk();
    let pack = small_pack(&disk);
    let reader = PackReader::open(&*disk, &pack.path).expect("opened");
    let [first, second, ..] = pack.entries[..] else {
        panic!("three entries");
    };
    let other = reader.read_plain(first.offset, first.len, &second.id);
    assert!(matches!(other, Err(PackReadError::OtherBlob { .. })));
    for (at, len) in [
        (first.offset.0 + 1, first.len),
        (first.offset.0, first.len - 1),
        (first.offset.0, first.len + 1),
        (pack.bytes - 100, 100),
        (u64::MAX, 28),
        (128, u32::MAX),
        (128, 0),
    ] {
        let wrong = reader.read_record(PackOffset(at), len, &first.id);
        assert!(
            matches!(
                wrong,
                Err(PackReadError::Record { .. } | PackReadError::Place { .. })
            ),
            "{len} bytes at {at}"
        );
    }
    let missing = PackReader::open(&*disk, Path::new("packs/2.pack"));
    assert!(
        matches!(missing, Err(PackReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound)
    );
}

#[test]
fn the_end_of_another_pack_is_not_accepted() {
    let (dir, disk) = new_disk();
    let pack = small_pack(&disk);
    let path = dir.path().join(&pack.path);
    let mut bytes = std::fs::read(&path).expect("readable");
    let mut other = places();
    other();
    bytes[..128].copy_from_slice(&pack::encode_header(&other().header));
    std::fs::write(&path, bytes).expect("writable");
    let mixed = PackReader::open(&*disk, &pack.path).expect("the header is whole");
    assert!(matches!(
        mixed.entries(),
        Err(PackReadError::Pack(PackError::Contradiction { .. }))
    ));
}

/// Wraps a disk so that write number `failing_write` fails. If `syncs` is false, every sync fails
/// too.
fn failing(disk: &Arc<dyn Disk>, failing_write: u32, syncs: bool) -> Arc<dyn Disk> {
    let writes = AtomicU32::new(0);
    let before = move |call, _: &Path| match call {
        Call::Write if writes.fetch_add(1, Ordering::Relaxed) + 1 == failing_write => {
            Err(io::ErrorKind::StorageFull.into())
        }
        Call::Sync if !syncs => Err(io::Error::other("lost")),
        _ => Ok(()),
    };
    Arc::new(InterceptedDisk::new(Arc::clone(disk), before))
}

#[test]
fn a_failed_write_is_not_tried_again_and_a_failed_sync_publishes_nothing() {
    for (failing_write, syncs) in [(1, true), (2, true), (3, true), (u32::MAX, false)] {
        let (_dir, disk) = new_disk();
        let failing = failing(&disk, failing_write, syncs);
        let place = places()();
        let mut writer =
            PackWriter::create(&failing, &place.tmp_path, place.header).expect("created");
        let contents: Vec<Vec<u8>> = (0..3).map(|fill| vec![fill; 600_000]).collect();
        let mut failed = false;
        for content in &contents {
            match writer.append(&raw(content)) {
                Ok(_) => assert!(
                    !failed,
                    "the disk works again, and still nothing is written"
                ),
                Err(PackWriteError::Io { .. }) => {
                    assert!(!failed, "the write is not tried again");
                    failed = true;
                }
                Err(other) => assert!(failed && matches!(other, PackWriteError::Poisoned(_))),
            }
        }
        assert!(writer.seal_and_publish(&place.final_path).is_err());
        assert_eq!(disk.list(Path::new("packs")).expect("a directory"), []);
    }
}

#[test]
fn a_series_with_a_pack_that_could_not_be_closed_is_never_finished() {
    let (_dir, disk) = new_disk();
    let mut series = PackSeries::new(failing(&disk, u32::MAX, false), 300, places());
    series.append(&raw(b"one")).expect("appended");
    let closing = series.append(&raw(&[2; 200]));
    assert!(matches!(
        closing,
        Err(PackWriteError::Io { action: "sync", .. })
    ));
    let after = series.append(&raw(b"three"));
    assert!(matches!(after, Err(PackWriteError::Poisoned(PackId(1)))));
    assert!(matches!(
        series.finish(),
        Err(PackWriteError::Poisoned(PackId(1)))
    ));
}
