//! Content on its way into packs.

use std::cell::Cell;
use std::sync::Arc;

use super::*;
use crate::archive::state::store::Store;
use crate::archive::{Archive, NewEntry, Options};
use crate::blob::compression::Compressors;
use crate::blob::pack_reader::PackReader;
use crate::disk::sim::SimDisk;
use crate::format::pack::{PackClass, PackOrigin};
use crate::format::record::{Codec, NAMELESS_HEADER_BYTES};
use crate::id::{EventSeq, PackId};
use crate::retention::{AsOf, Policy};

/// A form that is like the others but for one line.
fn form(unit: u32) -> Vec<u8> {
    let rows = (0..30_u32).map(|row| format!("{}\n", BlobId::of(&row.to_le_bytes())));
    let own = format!("unit {}\n", BlobId::of(&(1_000 + unit).to_le_bytes()));
    rows.chain([own]).collect::<String>().into_bytes()
}

fn put(archive: &Archive, name: &str, content: &[u8]) -> BlobId {
    let mut new = NewEntry {
        converter: "ICT".to_owned(),
        ..NewEntry::default()
    };
    new.source.name = name.to_owned();
    archive.put(new, content).expect("archived").blob.blake3
}

/// The plaintext of every dictionary in the packs of a store.
fn dictionaries(archive: &Archive) -> Vec<(PackId, Vec<u8>)> {
    let store = archive.store();
    let mut found = Vec::new();
    for row in store.index.view().packs().expect("readable") {
        let (reader, _): (Arc<PackReader>, _) = store.contents.pack(row.id).expect("opened");
        let listed = reader.listed().expect("a footer");
        let kind = RecordKind::Dictionary;
        for copy in listed.iter().filter(|entry| entry.kind == kind) {
            let plain = reader.read_plain(copy.offset, copy.len, &copy.id);
            found.push((row.id, plain.expect("readable").bytes));
        }
        let bytes: u64 = listed
            .iter()
            .filter(|entry| entry.kind == kind)
            .map(|entry| u64::from(entry.len))
            .sum();
        assert_eq!(row.dictionary_bytes, bytes);
    }
    found
}

fn holds(dictionaries: &[(PackId, Vec<u8>)], unit: u32) -> bool {
    let own = BlobId::of(&(1_000 + unit).to_le_bytes()).to_string();
    let is_in = |bytes: &[u8]| bytes.windows(own.len()).any(|part| part == own.as_bytes());
    dictionaries.iter().any(|(_, bytes)| is_in(bytes))
}

fn store(pack_bytes: u64) -> Archive {
    let options = Options {
        dictionary_from: 1_024,
        pack_bytes,
        ..Options::default()
    };
    Archive::create_on(Arc::new(SimDisk::new()), options).expect("a store")
}

/// A dictionary is made of whole files. Carried along, it would keep what was purged.
#[test]
fn purged_content__lives_on_in_no_dictionary() {
    let archive = store(64 << 20);
    let ids: Vec<BlobId> = (0..60)
        .map(|unit| put(&archive, "form.csv", &form(unit)))
        .collect();
    archive.seal().expect("sealed");
    let before = dictionaries(&archive);
    assert_eq!(before.len(), 2, "one dictionary, there twice");
    let inside: Vec<u32> = (0..60).filter(|unit| holds(&before, *unit)).collect();
    assert!(!inside.is_empty());
    let stats = archive.snapshot().expect("there").stats().expect("counted");
    assert_eq!(stats.reclaimable_bytes, 0, "all of it is alive");

    let policy = Policy {
        max_count: Some(20),
        ..Policy::default()
    };
    let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
    archive.purge(&plan, "asked for").expect("purged");
    let after = dictionaries(&archive);
    assert_eq!(after.len(), 2, "what is alive has a dictionary of its own");
    for unit in 0..40 {
        assert!(!holds(&after, unit), "unit {unit}");
    }
    for (unit, id) in (0..60).zip(&ids).skip(40) {
        let read = archive.read_all(id, 1 << 20).expect("readable");
        assert_eq!(read, form(unit));
    }
    let report = archive
        .verify(crate::archive::Depth::Deep)
        .expect("looked at");
    assert!(report.ok && report.blobs == 20, "{report:?}");
}

#[test]
fn a_dictionary__is_made_of_its_own_pack() {
    let archive = store(40_000);
    let ids: Vec<BlobId> = (0..120)
        .map(|unit| put(&archive, "form.csv", &form(unit)))
        .collect();
    archive.seal().expect("sealed");
    let made = dictionaries(&archive);
    let packs: BTreeSet<PackId> = made.iter().map(|(pack, _)| *pack).collect();
    assert!(packs.len() > 1, "{packs:?}");
    for (unit, id) in (0..120).zip(ids) {
        let place = archive.store().index.view().blob(&id).expect("readable");
        let pack = place.and_then(|row| row.place).expect("placed").pack;
        let elsewhere: Vec<_> = made.iter().filter(|(of, _)| *of != pack).cloned().collect();
        assert!(!holds(&elsewhere, unit), "unit {unit} of pack {pack}");
    }
}

#[test]
fn families__get_their_own_dictionaries_or_none() {
    let archive = store(64 << 20);
    let mut ids = Vec::new();
    for unit in 0..20 {
        ids.push((unit, put(&archive, &format!("{unit}.csv"), &form(unit))));
        let other = put(&archive, &format!("{unit}.XML"), &form(100 + unit));
        ids.push((100 + unit, other));
    }
    for unit in 0..5 {
        put(&archive, &format!("{unit}.txt"), &form(200 + unit));
    }
    archive.seal().expect("sealed");
    // Each is unpacked with its own.
    for (unit, id) in ids {
        let read = archive.read_all(&id, 1 << 20).expect("readable");
        assert_eq!(read, form(unit));
    }
    let made = dictionaries(&archive);
    assert_eq!(made.len(), 4, "two dictionaries, there twice");
    assert!(!(200..205).any(|unit| holds(&made, unit)));
}

/// Eight forms in a row of so many bytes, in a store that makes dictionaries from `least` on.
fn dictionaries_of_eight(least: impl Fn(u64) -> u64) -> usize {
    let all: u64 = (0..8).map(|unit| form(unit).len() as u64).sum();
    let options = Options {
        dictionary_from: least(all),
        ..Options::default()
    };
    let archive = Archive::create_on(Arc::new(SimDisk::new()), options).expect("a store");
    for unit in 0..8 {
        put(&archive, "form.csv", &form(unit));
    }
    archive.seal().expect("sealed");
    dictionaries(&archive).len()
}

#[test]
fn dictionary_from__is_an_inclusive_limit() {
    assert_eq!(dictionaries_of_eight(|all| all - 1), 2);
    assert_eq!(dictionaries_of_eight(|all| all), 2);
    assert_eq!(dictionaries_of_eight(|all| all + 1), 0);
}

/// Nobody waits for sealing, and what has no dictionary stays for years as it is left here.
#[test]
fn sealing_without_dictionary__tries_harder() {
    let mut noise = [0; 4_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let rows = noise.chunks_exact(2).enumerate().map(|(row, two)| {
        let (hertz, loss) = (300_000 + 1_500 * row, u16::from_le_bytes([two[0], two[1]]));
        format!("{hertz}\t-12.0{loss:05}\t-4.0{:05}\n", loss / 3)
    });
    let content = rows.collect::<String>().into_bytes();
    let mut scratch = [Vec::new(), Vec::new()];
    let mut sealing = Compressor::sealing(Level::DEFAULT);
    let sealed = sealing.compress(&content, &mut scratch[0]).stored.len();
    let mut waiting = Compressor::new(Level::DEFAULT);
    let waited_for = waiting.compress(&content, &mut scratch[1]).stored.len();
    assert!(sealed < waited_for, "{sealed} and {waited_for}");
    let archive = store(64 << 20);
    let id = put(&archive, "1.txt", &content);
    archive.seal().expect("sealed");
    let place = archive.store().index.view().blob(&id).expect("readable");
    let len = place.and_then(|row| row.place).expect("placed").len;
    assert_eq!(len as usize, sealed + NAMELESS_HEADER_BYTES);
}

/// A harder level is no promise: what the journal has may be shorter than what comes out now.
#[test]
fn content_that_would_grow__is_kept_as_it_was() {
    let mut scratch = Vec::new();
    let for_journal = Compressors::default();
    let mut hard = Compressor::sealing(Level::DEFAULT);
    let mut found = None;
    for seed in 0..2_000_u32 {
        let mut noise = [0; 300];
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.finalize_xof().fill(&mut noise);
        let lengths = noise.iter().map(|byte| 20 + usize::from(*byte) % 200);
        let beginnings = lengths.take(2 + seed as usize % 6).map(|len| &noise[..len]);
        let content = beginnings.collect::<Vec<_>>().concat();
        let first = for_journal.compress(&content, |packed| packed.stored.len());
        let again = hard.compress(&content, &mut scratch).stored.len();
        if again > first {
            found = Some((content, first));
            break;
        }
    }
    let (content, first) = found.expect("there is such content");
    let archive = store(64 << 20);
    let id = put(&archive, "1.txt", &content);
    archive.seal().expect("sealed");
    let place = archive.store().index.view().blob(&id).expect("readable");
    let len = place.and_then(|row| row.place).expect("placed").len;
    assert_eq!(len as usize, first + NAMELESS_HEADER_BYTES);
}

/// Records in memory, and how many bytes of plaintext were read from them.
struct Held(BTreeMap<BlobId, StoredRecord>, Cell<u64>);

impl Held {
    /// Raw records of such content, and the pieces they are.
    fn of(contents: &[Vec<u8>], effort: Effort) -> (Self, Vec<Piece>) {
        let records = contents.iter().map(|content| {
            StoredRecord::encode(&Record {
                kind: RecordKind::Content,
                codec: Codec::Raw,
                dictionary: None,
                raw_len: u32::try_from(content.len()).expect("short"),
                id: BlobId::of(content),
                stored: content,
            })
            .expect("a record")
        });
        let records: Vec<StoredRecord> = records.collect();
        let pieces = records
            .iter()
            .map(|record| Piece::new(&record.header, PackOffset(0), 0, effort));
        let pieces = pieces.collect();
        let held = records.into_iter().map(|record| (record.header.id, record));
        (Self(held.collect(), Cell::new(0)), pieces)
    }
}

impl Source for Held {
    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain), PackReadError> {
        let record = self.0[&piece.id].clone();
        let plain = record.plain(piece.at, &piece.id, None)?;
        self.1.set(self.1.get() + plain.bytes.len() as u64);
        Ok((record, plain))
    }

    fn path(&self, _piece: &Piece) -> &Path {
        Path::new("held")
    }
}

/// Where the packs of a test go.
fn places(store: &Store) -> impl FnMut() -> PackPlace + '_ {
    let class = PackClass::new("forever/none").expect("a class");
    store.packs.make_class_dir(&class).expect("made");
    let sealed = (EventSeq(0), EventSeq(0));
    move || {
        store
            .packs
            .next_place(&class, PackOrigin::Compacted, sealed)
    }
}

/// How many records of families of those sizes lie in each pack, when one has room for so many.
fn packed_by(most: u64, sizes: &[u32]) -> Vec<usize> {
    let header = u32::try_from(NAMELESS_HEADER_BYTES).expect("28");
    let len = 1_000 - ENTRY_BYTES - header;
    let pack_bytes = most * 1_000;
    let archive = store(pack_bytes);
    let store = archive.store();
    let all: u32 = sizes.iter().sum();
    let contents: Vec<Vec<u8>> = (0..all)
        .map(|nth| [&nth.to_le_bytes()[..], &vec![0; len as usize - 4]].concat())
        .collect();
    let (held, pieces) = Held::of(&contents, Effort::Copy);
    let mut pieces = pieces.into_iter();
    let families: Families<usize> = sizes
        .iter()
        .enumerate()
        .map(|(nth, size)| (nth, pieces.by_ref().take(*size as usize).collect()))
        .collect();
    let mut series = PackSeries::new(Arc::clone(&store.disk), pack_bytes, places(store));
    let limits = PackLimits::of(&store.options);
    let written = write(limits, &families, &held, &mut series, &ToTheEnd).expect("written");
    assert_eq!(written, Written::Whole);
    let packs = series.finish().expect("published");
    packs.iter().map(|pack| pack.entries.len()).collect()
}

/// Fewer than make a dictionary are not split off a family: here and there they would have
/// none.
#[test]
fn too_few_that_fit__go_to_the_next_pack() {
    assert_eq!(PIECES_MIN, 8);
    let packed = |sizes: &[u32]| packed_by(20, sizes);
    assert_eq!(packed(&[12, 9]), [20, 1], "eight fit, and are enough");
    assert_eq!(packed(&[13, 9]), [13, 9], "seven fit, and are too few");
    assert_eq!(packed(&[13, 7]), [20], "all of it fits, however little");
    assert_eq!(packed(&[20, 3]), [20, 3], "nothing fits");
    assert_eq!(packed(&[13, 25]), [13, 20, 5], "no pack has room for all");
    assert_eq!(packed_by(5, &[12]), [5, 5, 2], "nor for enough");
}

/// Several threads compress a turn. Shuffled, a store would not come out the same from the same
/// events.
#[test]
fn a_family_of_several_batches__keeps_its_order() {
    let archive = store(64 << 20);
    let store = archive.store();
    let contents: Vec<Vec<u8>> = (0..13).map(|nth| vec![nth; 700_000]).collect();
    let (held, pieces) = Held::of(&contents, Effort::Compress(Level::FASTEST));
    const { assert!(13 * 700_000 > 2 * BATCH_BYTES) };
    let families = Families::from([((), pieces.clone())]);
    let mut series = PackSeries::new(Arc::clone(&store.disk), 64 << 20, places(store));
    let limits = PackLimits::of(&store.options);
    let written = write(limits, &families, &held, &mut series, &ToTheEnd).expect("written");
    assert_eq!(written, Written::Whole);
    let packs = series.finish().expect("published");
    let mut entries = packs[0].entries.clone();
    entries.sort_by_key(|entry| entry.offset);
    let lie: Vec<BlobId> = entries.iter().map(|entry| entry.id).collect();
    let came: Vec<BlobId> = pieces.iter().map(|piece| piece.id).collect();
    assert_eq!(lie, came);
    let reader = PackReader::open(&*store.disk, &packs[0].path).expect("a pack");
    for (entry, content) in entries.iter().zip(contents) {
        let plain = reader.read_plain(entry.offset, entry.len, &entry.id);
        assert_eq!(plain.expect("readable").bytes, content);
    }
}

/// Sealing goes on while memory is short.
#[test]
fn dictionary_samples__are_bounded_to_four_mebibytes() {
    let archive = store(64 << 20);
    let store = archive.store();
    let contents: Vec<Vec<u8>> = (0..8).map(|nth| vec![nth; 900_000]).collect();
    let (held, pieces) = Held::of(&contents, Effort::Compress(Level::FASTEST));
    let mut series = PackSeries::new(Arc::clone(&store.disk), 64 << 20, places(store));
    let mut packing = Packing::new(
        PackLimits::of(&store.options),
        &held,
        &mut series,
        &ToTheEnd,
    );
    let chosen = packing.dictionary(&pieces).expect("readable");
    assert!(chosen.is_none(), "none is short enough to go into one");
    assert_eq!(held.1.get(), 4 * 900_000);
}

/// Readers could not tell two dictionaries of one name apart.
#[test]
fn a_dictionary_tag__is_used_once_in_a_pack() {
    let archive = store(64 << 20);
    let store = archive.store();
    let forms: Vec<Vec<u8>> = (0..20).map(form).collect();
    let (held, pieces) = Held::of(&forms, Effort::Compress(Level::DEFAULT));
    let mut series = PackSeries::new(Arc::clone(&store.disk), 64 << 20, places(store));
    let mut packing = Packing::new(
        PackLimits::of(&store.options),
        &held,
        &mut series,
        &ToTheEnd,
    );
    let first = packing.dictionary(&pieces).expect("readable");
    let (dictionary, stored) = first.expect("one pays");
    assert_eq!(stored.header.id, *dictionary.id());
    assert_eq!(packing.tags, BTreeSet::from([dictionary.tag()]));
    assert!(packing.dictionary(&pieces).expect("readable").is_none());
    packing.next_pack().expect("cut");
    assert!(packing.dictionary(&pieces).expect("readable").is_some());
}

/// The journal's copy goes next.
#[test]
fn content_its_dictionary_garbles__is_not_sealed() {
    let contents = [form(1), form(2)];
    let (held, pieces) = Held::of(&contents, Effort::Compress(Level::DEFAULT));
    let [dictionary, other] = [0, 3].map(|unit| Dictionary::new(form(unit)).expect("a dictionary"));
    let mut compressor = Compressor::with_dictionary(Level::DEFAULT, &dictionary);
    let mut scratch = Vec::new();
    let packed = compressor.compress(&contents[0], &mut scratch);
    let record = packed.record(RecordKind::Content, pieces[0].id, pieces[0].raw_len);
    assert_eq!(record.dictionary, Some(dictionary.tag()));
    let encoded = |record| StoredRecord::encode(record).expect("a valid record");
    let made = encoded(&record);
    let plain = |nth: usize| held.read(&pieces[nth]).expect("readable").1;
    check(&pieces[0], &plain(0), &made, &dictionary).expect("as it went in");
    let longer = encoded(&Record {
        raw_len: pieces[0].raw_len + 1,
        ..record
    });
    for (plain, made, dictionary) in [
        (plain(1), &made, &dictionary),
        (plain(0), &made, &other),
        (plain(0), &longer, &dictionary),
    ] {
        let refused = check(&pieces[0], &plain, made, dictionary).expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Damaged);
        let said = format!(
            "blob {} does not come out of its dictionary as it went in",
            pieces[0].id
        );
        assert!(refused.to_string().contains(&said), "{refused}");
    }
}
