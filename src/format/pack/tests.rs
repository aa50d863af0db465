//! Tests of the pack layout.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::format::pack_scan::{ReadAt, RecordScan, SCAN_BYTES};
use crate::format::record::NAMELESS_HEADER_BYTES;
use crate::format::record::{Codec, Record};
use std::io;

fn header() -> PackHeader {
    PackHeader {
        origin: PackOrigin::Sealed,
        effort: PackEffort::Small,
        store: StoreId::from_bytes([0x51; 16]),
        pack: PackId(7),
        first_seq: EventSeq(3),
        last_seq: EventSeq(9),
        class: PackClass::new("90d/2027-02").expect("a class"),
    }
}

/// Makes a complete pack with these contents, not compressed.
fn pack(contents: &[&[u8]]) -> (Vec<u8>, Vec<PackEntry>) {
    let mut bytes = encode_header(&header());
    let mut entries = Vec::new();
    for content in contents {
        let record = Record {
            kind: RecordKind::Content,
            codec: Codec::Raw,
            dictionary: None,
            raw_len: u32::try_from(content.len()).expect("short"),
            id: BlobId::of(content),
            stored: content,
        };
        entries.push(PackEntry {
            id: record.id,
            offset: PackOffset(bytes.len() as u64),
            len: u32::try_from(record.packed_len()).expect("short"),
            raw_len: record.raw_len,
            kind: record.kind,
        });
        record::encode_packed_into(&mut bytes, &record).expect("a valid record");
    }
    entries.sort_by_key(|entry| entry.id);
    let end = encode_footer(PackId(7), bytes.len() as u64, 0, entries.iter());
    bytes.extend(end);
    (bytes, entries)
}

fn decode(bytes: &[u8]) -> Result<Vec<PackEntry>, PackError> {
    decode_header(bytes)?;
    let at = bytes.len().saturating_sub(PACK_TRAILER_BYTES);
    let trailer = decode_trailer(&bytes[at..], bytes.len() as u64)?;
    let footer_at = usize::try_from(trailer.footer_offset).expect("fits the slice");
    decode_footer(&bytes[footer_at..at], &trailer)
}

/// Returns the offset of each record that a scan finds, with the hash of its uncompressed content.
fn scan(bytes: &[u8]) -> Vec<(u64, BlobId)> {
    RecordScan::new(bytes)
        .expect("a slice has a size")
        .map(|found| {
            let (offset, header) = found.expect("a slice can be read");
            let at = usize::try_from(offset.0).expect("fits");
            let record = &bytes[at..at + header.record_len() as usize];
            (offset.0, BlobId::of(&record[header.header_bytes()..]))
        })
        .collect()
}

#[test]
fn the_bytes_of_a_pack_never_change() {
    let (bytes, _) = pack(&[b"unit 42"]);
    let mut golden = b"ANNALPK\n\x01\0\x01\x0b\0\0\0\0".to_vec();
    golden.extend([0x51; 16]);
    golden.extend(b"\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0");
    golden.extend(b"90d/2027-02");
    golden.extend([0; 64 - 11 + 4]);
    golden.extend(GOLDEN_HEADER_CRC);
    assert_eq!(bytes[..PACK_HEADER_BYTES], golden);

    let mut golden = BlobId::of(b"unit 42").as_bytes().to_vec();
    golden.extend(b"\x80\0\0\0\0\0\0\0\x23\0\0\0\x07\0\0\0\x01\0\0\0");
    golden.extend(b"ANNALPE\n\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
    golden.extend(b"\xa3\0\0\0\0\0\0\0\x34\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0");
    golden.extend(GOLDEN_TRAILER_CRCS);
    assert_eq!(bytes[PACK_HEADER_BYTES + 35..], golden);
}
const GOLDEN_HEADER_CRC: [u8; 4] = [0x32, 0x1d, 0x9e, 0x15];
const GOLDEN_TRAILER_CRCS: [u8; 8] = [0x5a, 0xb0, 0xbb, 0xe9, 0x93, 0xaa, 0x07, 0xd8];

#[test]
fn the_bytes_of_a_footer_with_a_dictionary_never_change() {
    let entry = |id, offset, kind| PackEntry {
        id: BlobId::from_bytes([id; 32]),
        offset: PackOffset(offset),
        len: 0x46,
        raw_len: 10,
        kind,
    };
    let entries = [
        entry(1, 0xc6, RecordKind::Content),
        entry(2, 0x80, RecordKind::Dictionary),
        entry(2, 0x10c, RecordKind::Dictionary),
    ];
    let mut golden = Vec::new();
    for (id, offset, kind) in [(1, b"\xc6\0", 1), (2, b"\x80\0", 3), (2, b"\x0c\x01", 3)] {
        golden.extend([id; 32]);
        golden.extend(offset);
        golden.extend(b"\0\0\0\0\0\0\x46\0\0\0\x0a\0\0\0");
        golden.extend([kind, 0, 0, 0]);
    }
    let crc = crc32c::crc32c(&golden);
    let mut trailer = b"ANNALPE\n\x01\0\0\0\x46\0\0\0\x03\0\0\0\0\0\0\0".to_vec();
    trailer.extend(b"\x52\x01\0\0\0\0\0\0\x9c\0\0\0\0\0\0\0\x1e\0\0\0\0\0\0\0");
    trailer.extend(b"\x07\0\0\0\0\0\0\0");
    trailer.extend(crc.to_le_bytes());
    seal(&mut trailer);
    golden.extend(trailer);
    let end = encode_footer(PackId(7), 0x152, 0x46, entries.iter());
    assert_eq!(end, golden);
    let (footer, trailer) = end.split_at(end.len() - PACK_TRAILER_BYTES);
    let trailer = decode_trailer(trailer, 0x152 + end.len() as u64).expect("sound");
    assert_eq!(trailer.dictionaries_at(), 0x10c);
    assert_eq!(decode_footer(footer, &trailer).as_deref(), Ok(&entries[..]));
}

#[test]
fn a_class_can_be_a_path_and_never_leads_out_of_its_directory() {
    for class in ["forever/none", "90d/2027-02", &"a".repeat(64)] {
        assert!(PackClass::new(class).is_ok(), "{class}");
    }
    for class in [
        "",
        "/etc",
        "a//b",
        "a/",
        "../a",
        "a.b",
        "C:",
        "A",
        "ä",
        &"a".repeat(65),
    ] {
        assert!(PackClass::new(class).is_err(), "{class}");
    }
}

#[test]
fn a_footer_that_claims_more_than_the_file_holds_is_refused_before_anything_is_allocated() {
    let (bytes, _) = pack(&[b"a", b"bb"]);
    let at = bytes.len() - PACK_TRAILER_BYTES;
    let claim = |count: u64, offset: u64, len: u64| {
        let mut trailer = bytes[at..at + 60].to_vec();
        trailer[16..24].copy_from_slice(&count.to_le_bytes());
        trailer[24..32].copy_from_slice(&offset.to_le_bytes());
        trailer[32..40].copy_from_slice(&len.to_le_bytes());
        seal(&mut trailer);
        decode_trailer(&trailer, bytes.len() as u64)
    };
    let entry = FOOTER_ENTRY_BYTES as u64;
    assert!(claim(2, at as u64 - 2 * entry, 2 * entry).is_ok());
    for (count, offset, len) in [
        (1 << 40, 128, entry << 40),
        (u64::MAX, 128, u64::MAX),
        (2, u64::MAX, 2 * entry),
        (2, u64::MAX - 2 * entry, 2 * entry),
        (3, at as u64 - 2 * entry, 2 * entry),
        (0, 128, 0),
    ] {
        assert!(
            matches!(
                claim(count, offset, len),
                Err(PackError::Contradiction { .. })
            ),
            "{count} {offset} {len}"
        );
    }
}

#[test]
fn a_later_version_is_named_and_not_called_damaged() {
    let mut bytes = encode_header(&header());
    bytes.truncate(PACK_HEADER_BYTES - 4);
    bytes[8] = 2;
    seal(&mut bytes);
    assert_eq!(decode_header(&bytes), Err(PackError::Version(2)));
}

#[test]
fn a_lost_footer_costs_no_record_and_a_damaged_record_costs_only_itself() {
    // A pack inside a pack: a scan that looked inside an intact record would find the inner records
    // too.
    let (inner, _) = pack(&[b"inner one", b"inner two"]);
    let long = vec![b'A'; 3 * usize::try_from(SCAN_BYTES).expect("small")];
    let contents: [&[u8]; 4] = [b"first", &inner, &long, b"last"];
    let (bytes, entries) = pack(&contents);
    let mut placed: Vec<_> = entries
        .iter()
        .map(|entry| (entry.offset.0, entry.id))
        .collect();
    placed.sort_unstable();
    assert_eq!(scan(&bytes), placed);

    let footer = bytes.len() - PACK_TRAILER_BYTES - 4 * FOOTER_ENTRY_BYTES;
    assert_eq!(scan(&bytes[..footer]), placed);
    assert_eq!(scan(&bytes[..footer - 1]), placed[..3]);
    assert_eq!(scan(&bytes[..PACK_HEADER_BYTES - 5]), []);

    for (victim, at) in [(0, 28), (2, 12), (2, 28 + 70_000)] {
        let mut damaged = bytes.clone();
        let start = usize::try_from(placed[victim].0).expect("fits");
        damaged[start + at] ^= 0x40;
        let mut rest = placed.clone();
        rest.remove(victim);
        assert_eq!(scan(&damaged), rest, "record {victim} at {at}");
    }
}

/// An empty record is only a header, and the scan must find it when no more bytes are left.
#[test]
fn an_empty_record_is_found_at_the_very_end_behind_a_stray_byte() {
    let (bytes, _) = pack(&[b""]);
    let record = &bytes[PACK_HEADER_BYTES..][..NAMELESS_HEADER_BYTES];
    let stray = [&bytes[..PACK_HEADER_BYTES], b"x", record].concat();
    let at = PACK_HEADER_BYTES as u64 + 1;
    assert_eq!(scan(&stray), [(at, BlobId::of(b""))]);
}

fn contradiction(part: PackPart, what: &'static str) -> PackError {
    PackError::Contradiction { part, what }
}

/// The numbers are later compared and added to. One above the limit would overflow.
#[test]
fn a_header_with_the_greatest_numbers_is_read_and_one_with_the_next_is_refused() {
    let numbered = |pack, last| PackHeader {
        pack: PackId(pack),
        last_seq: EventSeq(last),
        ..header()
    };
    let greatest = numbered(PackId::MAX.0, EventSeq::MAX.0);
    assert_eq!(decode_header(&encode_header(&greatest)), Ok(greatest));
    let refused = contradiction(PackPart::Header, "it is numbered as nothing can be");
    for header in [
        numbered(PackId::MAX.0 + 1, EventSeq::MAX.0),
        numbered(PackId::MAX.0, EventSeq::MAX.0 + 1),
    ] {
        assert_eq!(decode_header(&encode_header(&header)), Err(refused.clone()));
    }
}

/// Packs that were made before there was this byte have a zero there.
#[test]
fn a_header_says_how_small_its_content_was_made_and_other_levels_are_refused() {
    let bytes = encode_header(&header());
    assert_eq!(bytes[12..16], [0; 4]);
    for level in 1..=9 {
        let quick = PackHeader {
            effort: PackEffort::Quick(level),
            ..header()
        };
        let bytes = encode_header(&quick);
        assert_eq!(bytes[12..16], [level, 0, 0, 0]);
        assert_eq!(decode_header(&bytes), Ok(quick));
    }
    let tenth = PackHeader {
        effort: PackEffort::Quick(10),
        ..header()
    };
    let refused = contradiction(PackPart::Header, "unknown level");
    assert_eq!(decode_header(&encode_header(&tenth)), Err(refused));
}

/// The trailer states where the second copies begin. They cannot begin inside the header.
#[test]
fn dictionaries_may_fill_a_pack_from_its_header_on_and_no_more() {
    let trailer = |dictionary_bytes| {
        let end = encode_footer(PackId(7), 228, dictionary_bytes, [].iter());
        decode_trailer(&end, 228 + end.len() as u64)
    };
    assert_eq!(
        trailer(100).map(|trailer| trailer.dictionaries_at()),
        Ok(128)
    );
    let refused = contradiction(PackPart::Trailer, "the dictionaries do not fit the file");
    assert_eq!(trailer(101), Err(refused.clone()));
    assert_eq!(trailer(u32::MAX), Err(refused));
}

/// Encodes a footer of these entries with valid checksums, and decodes it.
fn footer_of(
    records_end: u64,
    dictionary_bytes: u32,
    entries: &[PackEntry],
) -> Result<Vec<PackEntry>, PackError> {
    let end = encode_footer(PackId(7), records_end, dictionary_bytes, entries.iter());
    let (footer, trailer) = end.split_at(end.len() - PACK_TRAILER_BYTES);
    let trailer = decode_trailer(trailer, records_end + end.len() as u64)?;
    decode_footer(footer, &trailer)
}

fn entry(id: u8, offset: u64, len: u32, kind: RecordKind) -> PackEntry {
    PackEntry {
        id: BlobId::from_bytes([id; 32]),
        offset: PackOffset(offset),
        len,
        raw_len: 10,
        kind,
    }
}

#[test]
fn a_footer_that_is_not_as_long_as_its_trailer_says_is_refused_whatever_its_checksum() {
    let entries = [entry(1, 128, 70, RecordKind::Content)];
    let end = encode_footer(PackId(7), 198, 0, entries.iter());
    let (footer, trailer) = end.split_at(FOOTER_ENTRY_BYTES);
    let trailer = decode_trailer(trailer, 198 + end.len() as u64).expect("sound");
    assert_eq!(decode_footer(footer, &trailer).as_deref(), Ok(&entries[..]));
    let refused = contradiction(PackPart::Footer, "it is not as long as the trailer says");
    for len in [FOOTER_ENTRY_BYTES - 1, FOOTER_ENTRY_BYTES + 1] {
        assert_eq!(decode_footer(&end[..len], &trailer), Err(refused.clone()));
    }
}

#[test]
fn an_entry_with_a_byte_set_that_means_nothing_is_refused() {
    let entries = [entry(1, 128, 70, RecordKind::Content)];
    let end = encode_footer(PackId(7), 198, 0, entries.iter());
    let (footer, trailer) = end.split_at(FOOTER_ENTRY_BYTES);
    let refused = contradiction(PackPart::Footer, "a reserved field is not zero");
    for at in FOOTER_ENTRY_BYTES - 3..FOOTER_ENTRY_BYTES {
        let mut footer = footer.to_vec();
        footer[at] = 1;
        let mut trailer = trailer[..PACK_TRAILER_BYTES - 8].to_vec();
        seal_over(&mut trailer, &footer);
        let trailer = decode_trailer(&trailer, 198 + end.len() as u64).expect("sound");
        let read = decode_footer(&footer, &trailer);
        assert_eq!(read, Err(refused.clone()), "byte {at}");
    }
}

/// Completes a trailer with valid checksums for a footer.
fn seal_over(trailer: &mut Vec<u8>, footer: &[u8]) {
    trailer.put_u32(crc32c::crc32c(footer));
    seal(trailer);
}

/// A dictionary needs two copies, so that one damaged record makes no other record unreadable.
#[test]
fn a_dictionary_that_is_listed_once_is_refused_before_another_blob_and_at_the_end() {
    let content = |id| entry(id, 198, 70, RecordKind::Content);
    let first = entry(2, 128, 70, RecordKind::Dictionary);
    let second = entry(2, 268, 70, RecordKind::Dictionary);
    assert!(footer_of(338, 70, &[content(1), first, second]).is_ok());
    assert!(footer_of(338, 70, &[first, second, content(3)]).is_ok());
    let refused = contradiction(PackPart::Footer, "a dictionary is there only once");
    for alone in [
        [content(1), first],
        [first, content(3)],
        [first, entry(3, 268, 70, RecordKind::Dictionary)],
    ] {
        assert_eq!(footer_of(338, 70, &alone), Err(refused.clone()));
    }
}

/// A dictionary may equal one whole file. Then its id has three entries. No other id has more than
/// one.
#[test]
fn a_record_that_is_listed_more_often_than_it_may_be_is_refused() {
    let content = |id, offset| entry(id, offset, 70, RecordKind::Content);
    let dictionary = |offset, len| entry(2, offset, len, RecordKind::Dictionary);
    assert!(
        footer_of(
            338,
            70,
            &[content(2, 198), dictionary(128, 70), dictionary(268, 70)]
        )
        .is_ok()
    );
    let refused = contradiction(PackPart::Footer, "a record is there too often");
    for (records_end, dictionary_bytes, entries) in [
        (268, 0, vec![content(1, 128), content(1, 198)]),
        (
            268,
            0,
            vec![content(1, 128), entry(1, 198, 70, RecordKind::Manifest)],
        ),
        (
            339,
            71,
            vec![content(1, 198), dictionary(128, 70), dictionary(268, 71)],
        ),
        (
            408,
            140,
            vec![
                content(1, 128),
                dictionary(198, 70),
                dictionary(268, 70),
                dictionary(338, 70),
            ],
        ),
    ] {
        assert_eq!(
            footer_of(records_end, dictionary_bytes, &entries),
            Err(refused.clone())
        );
    }
}

#[test]
fn an_entry_that_lies_in_the_header_or_in_the_footer_is_refused() {
    let at = |offset| footer_of(198, 0, &[entry(1, offset, 70, RecordKind::Content)]);
    assert!(at(128).is_ok());
    let refused = contradiction(PackPart::Footer, "an entry lies outside the records");
    for offset in [0, 127, 129, u64::MAX] {
        assert_eq!(at(offset), Err(refused.clone()), "{offset}");
    }
}

#[test]
fn a_header_with_a_byte_set_that_means_nothing_is_refused() {
    let refused = contradiction(PackPart::Header, "a reserved field is not zero");
    for at in (13..16).chain(PACK_HEADER_BYTES - 8..PACK_HEADER_BYTES - 4) {
        let mut bytes = encode_header(&header());
        bytes.truncate(PACK_HEADER_BYTES - 4);
        bytes[at] = 1;
        seal(&mut bytes);
        assert_eq!(decode_header(&bytes), Err(refused.clone()), "byte {at}");
    }
}

#[test]
fn an_error_names_the_part_of_the_pack_that_it_is_in() {
    for (part, name) in [
        (PackPart::Header, "header"),
        (PackPart::Footer, "footer"),
        (PackPart::Trailer, "trailer"),
    ] {
        let told = PackError::Checksum(part).to_string();
        assert!(told.contains(name), "{told}");
    }
}

/// Readers allocate memory for a record before they read it.
#[test]
fn entries_of_the_shortest_and_the_longest_record_are_read_and_the_next_are_refused() {
    let longest = u32::try_from(RECORD_BYTES_MAX).expect("8 MiB");
    let of_length = |len: u32, raw_len| {
        let entry = PackEntry {
            raw_len,
            ..entry(1, 128, len, RecordKind::Content)
        };
        footer_of(128 + u64::from(len), 0, &[entry]).map(|entries| entries.len())
    };
    assert_eq!(of_length(28, 0), Ok(1));
    assert_eq!(of_length(longest, RECORD_RAW_BYTES_MAX), Ok(1));
    let refused = contradiction(PackPart::Footer, "no record is as long as an entry says");
    for (len, raw_len) in [
        (27, 0),
        (longest + 1, RECORD_RAW_BYTES_MAX),
        (longest, RECORD_RAW_BYTES_MAX + 1),
    ] {
        assert_eq!(of_length(len, raw_len), Err(refused.clone()));
    }
}

/// A gap would be a record that nobody can find.
#[test]
fn entries_that_add_up_to_more_or_less_than_the_records_are_refused() {
    let two = |second_at| {
        let second = entry(2, second_at, 70, RecordKind::Content);
        footer_of(268, 0, &[entry(1, 128, 70, RecordKind::Content), second])
    };
    assert!(two(198).is_ok());
    let refused = contradiction(PackPart::Footer, "its entries do not fill the pack");
    let one = [entry(1, 128, 70, RecordKind::Content)];
    assert!(footer_of(198, 0, &one).is_ok());
    assert_eq!(footer_of(199, 0, &one), Err(refused.clone()));
    let thrice = [1, 2, 3].map(|id| entry(id, 128, 70, RecordKind::Content));
    assert_eq!(footer_of(268, 0, &thrice), Err(refused));
}

/// A source of which only a limited number of reads succeed.
#[derive(Debug)]
struct Worn {
    bytes: Vec<u8>,
    sound: bool,
    reads_left: Cell<u32>,
}

impl ReadAt for Worn {
    fn size(&self) -> io::Result<u64> {
        if self.sound {
            self.bytes[..].size()
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        match self.reads_left.get() {
            0 => Err(io::ErrorKind::PermissionDenied.into()),
            left => {
                self.reads_left.set(left - 1);
                self.bytes[..].read_exact_at(out, offset)
            }
        }
    }
}

/// Bytes that the disk cannot read may be intact. A scan that continued would leave them out
/// silently.
#[test]
fn a_scan_tells_the_first_error_of_the_disk_once_and_is_over() {
    let (mut bytes, entries) = pack(&[b"first", b"second", b"third"]);
    let end = bytes.len() - PACK_TRAILER_BYTES - 3 * FOOTER_ENTRY_BYTES;
    bytes.truncate(end);
    let starts = |bytes: &[u8]| scan(bytes).len();
    assert_eq!(starts(&bytes), 3);
    // The second record does not begin with a magic number, so the scan has to search for the next.
    let mut offsets: Vec<u64> = entries.iter().map(|entry| entry.offset.0).collect();
    offsets.sort_unstable();
    let second = usize::try_from(offsets[1]).expect("short");
    bytes[second] ^= 0xff;
    assert_eq!(starts(&bytes), 2);
    // The reads: header and content of the first record, header of the second, the search, header
    // and content of the third.
    for (reads_left, found) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 1)] {
        let worn = Worn {
            bytes: bytes.clone(),
            sound: true,
            reads_left: Cell::new(reads_left),
        };
        let mut scan = RecordScan::new(&worn).expect("it has a size");
        for _ in 0..found {
            assert!(scan.next().expect("one more").is_ok());
        }
        let told = scan.next().expect("not over").expect_err("an error");
        assert_eq!(told.kind(), io::ErrorKind::PermissionDenied, "{reads_left}");
        worn.reads_left.set(u32::MAX);
        assert!(scan.next().is_none(), "{reads_left}");
    }
    let worn = Worn {
        bytes,
        sound: false,
        reads_left: Cell::new(u32::MAX),
    };
    let told = RecordScan::new(&worn).expect_err("it has no size");
    assert_eq!(told.kind(), io::ErrorKind::PermissionDenied);
}

proptest! {
    #[test]
    fn what_was_written_is_read(contents in prop::collection::hash_set(prop::collection::vec(any::<u8>(), 0..50), 0..20)) {
        let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        let (bytes, entries) = pack(&contents);
        prop_assert_eq!(decode_header(&bytes), Ok(header()));
        prop_assert_eq!(decode(&bytes), Ok(entries));
        prop_assert_eq!(scan(&bytes).len(), contents.len());
    }

    #[test]
    fn any_bytes_at_all_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
        let _ = scan(&bytes);
        let mut header = [&HEADER_MAGIC[..], &PACK_VERSION.to_le_bytes(), &bytes].concat();
        header.resize(PACK_HEADER_BYTES - 4, 0);
        seal(&mut header);
        let _ = decode_header(&header);
        if let Some(trailer) = bytes.last_chunk::<PACK_TRAILER_BYTES>() {
            let mut trailer = trailer[..PACK_TRAILER_BYTES - 4].to_vec();
            trailer[..10].copy_from_slice(&[&TRAILER_MAGIC[..], &PACK_VERSION.to_le_bytes()].concat());
            seal(&mut trailer);
            let _ = decode_trailer(&trailer, bytes.len() as u64);
        }
    }
}
