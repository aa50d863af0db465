//! Tests of the record layout.

use proptest::prelude::*;

use super::*;

fn small() -> Record<'static> {
    Record {
        kind: RecordKind::Manifest,
        codec: Codec::Zstd,
        dictionary: DictTag::new(0x0403_0201),
        raw_len: 5,
        id: BlobId::from_bytes([0xab; 32]),
        stored: b"zip!",
    }
}

fn encoded(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, record).expect("a valid record");
    bytes
}

#[test]
fn the_bytes_of_a_record_never_change() {
    let mut golden = b"ANBR\x02\x01\0\0\x01\x02\x03\x04\x05\0\0\0\x04\0\0\0".to_vec();
    golden.extend([0xab; 32]);
    golden.extend(GOLDEN_CRCS);
    golden.extend(b"zip!");
    assert_eq!(encoded(&small()), golden);
}
const GOLDEN_CRCS: [u8; 8] = [0xdd, 0xff, 0x1d, 0x42, 0x7d, 0x6d, 0x34, 0x6b];

#[test]
fn a_record_names_a_dictionary_by_the_first_bytes_of_its_id() {
    let mut id = [0xab; 32];
    id[..4].copy_from_slice(&[1, 2, 3, 4]);
    let tag = DictTag::of(&BlobId::from_bytes(id)).expect("not zero");
    assert_eq!(Some(tag), small().dictionary);
    assert_eq!(tag.to_string(), "01020304");
    assert_eq!(DictTag::of(&BlobId::from_bytes([0; 32])), None);
}

#[test]
fn every_flipped_bit_and_every_missing_byte_of_a_record_is_noticed() {
    let whole = encoded(&small());
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&damaged).is_err(), "bit {bit}");
    }
    for len in 0..whole.len() {
        assert!(
            matches!(decode(&whole[..len]), Err(RecordError::Truncated(_))),
            "{len} bytes"
        );
    }
}

#[test]
fn a_record_at_the_limit_is_written_and_one_past_it_is_refused() {
    let max = vec![7; RECORD_RAW_BYTES_MAX as usize + 1];
    let record = |raw_len: u32, stored| Record {
        kind: RecordKind::Content,
        codec: Codec::Raw,
        dictionary: None,
        raw_len,
        stored,
        ..small()
    };
    let fits = record(RECORD_RAW_BYTES_MAX, &max[1..]);
    assert_eq!(encoded(&fits).len(), RECORD_BYTES_MAX);
    let too_long = record(RECORD_RAW_BYTES_MAX + 1, &max);
    let mut out = Vec::new();
    assert!(matches!(
        encode_into(&mut out, &too_long),
        Err(RecordError::Length { .. })
    ));
    assert!(out.is_empty());
}

/// Returns a header with valid checksums, so that only the rules between its fields can refuse it.
fn resealed(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = encoded(&small());
    change(&mut bytes);
    let crc = crc32c::crc32c(&bytes[..RECORD_HEADER_BYTES - 4]);
    bytes[RECORD_HEADER_BYTES - 4..RECORD_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The footer of its pack and its own hash both give its id.
#[test]
fn content_in_a_pack_stands_without_its_id_and_takes_any_that_it_is_asked_for_by() {
    let content = Record {
        kind: RecordKind::Content,
        ..small()
    };
    let mut packed = Vec::new();
    encode_packed_into(&mut packed, &content).expect("valid");
    assert_eq!(packed.len(), content.packed_len());
    assert_eq!(content.packed_len() + ID_BYTES, content.len());
    let mut golden = b"ANBC".to_vec();
    golden.extend(&encoded(&content)[4..20]);
    golden.extend(crc32c::crc32c(content.stored).to_le_bytes());
    let crc = crc32c::crc32c(&golden);
    golden.extend(crc.to_le_bytes());
    golden.extend(content.stored);
    assert_eq!(packed, golden);
    let (header, stored) = decode_packed(&packed).expect("valid");
    assert_eq!((header.id(), stored), (None, content.stored));
    assert_eq!(header.record_len() as usize, packed.len());
    let other = BlobId::of(b"other");
    for id in [content.id, other] {
        let header = header.of(&id).expect("anybody's");
        assert_eq!((header.id, header.kind), (id, RecordKind::Content));
        assert_eq!(header.packed_len() as usize, packed.len());
    }
    let long = [&packed[..], &[0; ID_BYTES]].concat();
    assert_eq!(decode(&long), Err(RecordError::NotARecord));
}

/// The id of a manifest is not the hash of its bytes. A dictionary must be found by its id when the
/// footer is lost.
#[test]
fn what_is_no_content_keeps_its_id_in_a_pack_and_is_refused_without() {
    for kind in [RecordKind::Manifest, RecordKind::Dictionary] {
        let record = Record {
            kind,
            dictionary: None,
            ..small()
        };
        let mut packed = Vec::new();
        encode_packed_into(&mut packed, &record).expect("valid");
        assert_eq!(packed, encoded(&record));
        let (header, _) = decode_packed(&packed).expect("valid");
        assert_eq!(header.id(), Some(record.id));
        assert!(header.of(&record.id).is_some());
        assert_eq!(header.of(&BlobId::of(b"other")), None);
        let mut nameless = [&NAMELESS_MAGIC[..], &packed[4..20], &packed[52..56]].concat();
        let crc = crc32c::crc32c(&nameless);
        nameless.extend(crc.to_le_bytes());
        nameless.extend(record.stored);
        assert_eq!(decode_packed(&nameless), Err(RecordError::NoId));
    }
}

#[test]
fn a_header_that_contradicts_itself_is_refused_before_its_lengths_are_used() {
    let cases: [fn(&mut [u8]); 6] = [
        |bytes| bytes[4] = 4,
        |bytes| bytes[5] = 2,
        |bytes| bytes[6] = 1,
        |bytes| bytes[5] = 0,
        |bytes| bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes()),
        |bytes| bytes[16..20].copy_from_slice(&5_u32.to_le_bytes()),
    ];
    for (case, change) in cases.into_iter().enumerate() {
        let bytes = resealed(change);
        let refused = decode(&bytes);
        assert!(
            matches!(
                refused,
                Err(RecordError::Unknown { .. } | RecordError::Length { .. })
            ),
            "case {case}: {refused:?}"
        );
    }
    let raw_with_dictionary = resealed(|bytes| {
        bytes[5] = 0;
        bytes[12] = 4;
    });
    let dictionary_with_dictionary = resealed(|bytes| bytes[4] = 3);
    for needless in [raw_with_dictionary, dictionary_with_dictionary] {
        assert!(matches!(
            decode(&needless),
            Err(RecordError::NeedlessDictionary(_))
        ));
    }
    let long_dictionary = resealed(|bytes| {
        bytes[4] = 3;
        bytes[8..12].fill(0);
        bytes[12..16].copy_from_slice(&(DICTIONARY_BYTES_MAX + 1).to_le_bytes());
    });
    assert!(matches!(
        decode(&long_dictionary),
        Err(RecordError::Length { .. })
    ));
}

proptest! {
    #[test]
    fn what_was_written_is_read_and_what_follows_is_left_alone(
        stored in prop::collection::vec(any::<u8>(), 0..200),
        more in 0_u32..100,
        dictionary in any::<u32>(),
        id in any::<[u8; 32]>(),
        tail in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let stored_len = u32::try_from(stored.len()).expect("short");
        let (codec, dictionary) = if more == 0 {
            (Codec::Raw, None)
        } else {
            (Codec::Zstd, DictTag::new(dictionary))
        };
        let record = Record {
            kind: RecordKind::Content,
            codec,
            dictionary,
            raw_len: stored_len + more,
            id: BlobId::from_bytes(id),
            stored: &stored,
        };
        let mut bytes = encoded(&record);
        prop_assert_eq!(bytes.len(), record.len());
        bytes.extend(&tail);
        let (header, body) = decode(&bytes).expect("a whole record");
        prop_assert_eq!(body, &stored[..]);
        prop_assert_eq!(header.record_len() as usize, record.len());
        prop_assert_eq!(
            (header.kind, header.codec, header.dictionary, header.raw_len, header.id),
            (record.kind, record.codec, record.dictionary, record.raw_len, record.id)
        );
    }

    #[test]
    fn any_bytes_at_all_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
        let _ = decode(&[&RECORD_MAGIC[..], &bytes].concat());
    }
}
