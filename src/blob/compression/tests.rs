//! Tests of compression with and without dictionaries.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::format::record;

/// Writes a plaintext as a record and reads the record again.
fn through_record(compressed: Compressed<'_>, raw: &[u8]) -> (RecordHeader, Vec<u8>) {
    let raw_len = u32::try_from(raw.len()).expect("short");
    let mut bytes = Vec::new();
    let record = compressed.record(RecordKind::Content, BlobId::of(raw), raw_len);
    record::encode_into(&mut bytes, &record).expect("a valid record");
    let (header, stored) = record::decode(&bytes).expect("just written");
    (header, stored.to_vec())
}

/// Returns the header of a record that claims `raw_len` bytes of plaintext for a stored zstd frame.
fn claim(raw_len: u32, stored: &[u8]) -> RecordHeader {
    let record = Record {
        kind: RecordKind::Content,
        codec: Codec::Zstd,
        dictionary: None,
        raw_len,
        id: BlobId::of(b""),
        stored,
    };
    let mut bytes = Vec::new();
    record::encode_into(&mut bytes, &record).expect("a valid record");
    record::decode_header(&bytes).expect("just written")
}

/// Returns a filled-in test form for one unit.
fn form(unit: u32) -> Vec<u8> {
    let rows = (0..40_u32).map(|row| format!("{};PASS\n", BlobId::of(&row.to_le_bytes())));
    let own = format!("unit;{unit}\n");
    rows.chain([own]).collect::<String>().into_bytes()
}

#[test]
fn every_level_gives_back_what_it_compressed_with_a_dictionary_and_needs_that_dictionary() {
    let dictionary = Dictionary::new([form(1), form(2)].concat()).expect("a dictionary");
    let other = Dictionary::new(form(3)).expect("a dictionary");
    let raw = form(4711);
    let mut scratch = Vec::new();
    let alone = Compressor::new(Level::DEFAULT)
        .compress(&raw, &mut scratch)
        .stored
        .len();
    for level in 1..=9 {
        let level = Level::new(level).expect("1 to 9");
        let mut compressor = Compressor::with_dictionary(level, &dictionary);
        for _ in 0..2 {
            let compressed = compressor.compress(&raw, &mut scratch);
            assert_eq!(compressed.dictionary, Some(dictionary.tag()));
            assert!(compressed.stored.len() * 9 < alone, "{level:?}");
            let (header, stored) = through_record(compressed, &raw);
            let mut out = Vec::new();
            let unpacked = decompress(&header, &stored, Some(&dictionary), &mut out);
            assert_eq!((unpacked, &out), (Ok(()), &raw));
            for without in [None, Some(&other)] {
                let refused = decompress(&header, &stored, without, &mut out);
                let missing = DecompressError::UnknownDictionary(dictionary.tag());
                assert_eq!(refused, Err(missing));
            }
        }
    }
}

#[test]
fn bytes_that_zstd_would_take_for_a_dictionary_of_its_own_form_are_no_dictionary() {
    let bytes = [&TRAINED_MAGIC[..], &form(1)].concat();
    assert!(Dictionary::new(bytes).is_none());
    assert!(Dictionary::new(vec![0; DICTIONARY_BYTES_MAX as usize + 1]).is_none());
}

/// Most of what stations write is columns of measurements, which zstd's middle levels compress
/// badly.
#[test]
fn a_higher_level_seals_columns_of_numbers_smaller() {
    let mut digits = vec![0; 4 * 2_000];
    blake3::Hasher::new().finalize_xof().fill(&mut digits);
    let mut columns = String::new();
    for (row, noise) in digits.chunks_exact(4).enumerate() {
        let noise = u32::from_le_bytes(noise.try_into().expect("four")) % 10_000;
        let (hertz, loss) = (300_000 + 1_500 * row, -12.0 - f64::from(noise) / 1e5);
        writeln!(columns, "{hertz}\t{loss:.7}\t{:.7}", loss / 3.0).expect("a string grows");
    }
    let raw = columns.into_bytes();
    let mut scratch = Vec::new();
    let mut bytes_at = |mut compressor: Compressor| {
        let compressed = compressor.compress(&raw, &mut scratch);
        let (header, stored) = through_record(compressed, &raw);
        let mut out = Vec::new();
        let unpacked = decompress(&header, &stored, None, &mut out);
        assert_eq!((unpacked, &out), (Ok(()), &raw));
        stored.len()
    };
    let waited_for = bytes_at(Compressor::new(Level::DEFAULT));
    let [quick, default, smallest] = [1, 6, 9].map(|level| {
        let level = Level::new(level).expect("1 to 9");
        bytes_at(Compressor::sealing(level))
    });
    for sealed in [default, smallest] {
        assert!(sealed < quick && sealed * 10 < waited_for * 9);
    }
}

#[test]
fn what_zstd_cannot_shorten_is_stored_as_it_is() {
    let mut noise = vec![0; 100_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let mut compressor = Compressor::new(Level::new(1).expect("a level"));
    let mut scratch = Vec::new();
    for raw in [&noise[..], b"", b"a", b"ab"] {
        let compressed = compressor.compress(raw, &mut scratch);
        assert_eq!((compressed.codec, compressed.stored), (Codec::Raw, raw));
    }
    // After an aborted frame the compressor must work as before.
    let zeros = vec![0; 100_000];
    assert!(compressor.compress(&zeros, &mut scratch).stored.len() < 100);
}

#[test]
fn a_frame_that_unpacks_to_more_than_its_record_says_is_cut_off_there() {
    let mut scratch = Vec::new();
    let zeros = vec![0; 8 << 20];
    let bomb = Compressor::new(Level::DEFAULT)
        .compress(&zeros, &mut scratch)
        .stored
        .to_vec();
    assert!(bomb.len() < 2000);
    for raw_len in [3000, 4 << 20, (8 << 20) - 1] {
        let mut out = Vec::new();
        let cut = decompress(&claim(raw_len, &bomb), &bomb, None, &mut out);
        assert!(matches!(cut, Err(DecompressError::Zstd(_))), "{cut:?}");
        assert!(out.capacity() <= raw_len as usize);
    }
    let two = [&bomb[..], &bomb].concat();
    let mut out = Vec::new();
    assert!(decompress(&claim(8 << 20, &two), &two, None, &mut out).is_err());
}

#[test]
fn a_frame_that_unpacks_to_less_than_its_record_says_is_damaged() {
    let mut scratch = Vec::new();
    let frame = Compressor::new(Level::DEFAULT)
        .compress(&[7; 1000], &mut scratch)
        .stored
        .to_vec();
    let mut out = Vec::new();
    assert_eq!(
        decompress(&claim(1001, &frame), &frame, None, &mut out),
        Err(DecompressError::Length {
            expected: 1001,
            got: 1000
        })
    );
}

#[test]
fn a_frame_that_asks_for_a_huge_window_gets_no_memory_for_it() {
    // The largest window that zstd supports, and one that it does not.
    for window in [0xa8, 0xf8] {
        // Magic, no content size, the window, and one last block of 200 times 'A'.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, window, 0x43, 0x06, 0, b'A'];
        let mut context = DCtx::create();
        let before = context.sizeof();
        let mut out = Vec::with_capacity(200);
        let unpacked = context.decompress(&mut out, &frame);
        assert_eq!(context.sizeof(), before, "{unpacked:?}");

        let mut out = Vec::new();
        let answer = decompress(&claim(200, &frame), &frame, None, &mut out);
        assert!(answer.is_err() || out == [b'A'; 200], "{answer:?}");
        assert!(out.capacity() <= 200);
    }
}

/// A thread gets a compressor that another thread has used, and must not see anything of that use.
#[test]
fn threads_that_share_compressors_get_what_one_of_their_own_would_make() {
    let noise: Vec<u8> = (0..300_u32)
        .flat_map(|n| *BlobId::of(&n.to_le_bytes()).as_bytes())
        .collect();
    let contents: Vec<Vec<u8>> = (0..40).map(form).chain([noise, Vec::new()]).collect();
    let mut scratch = Vec::new();
    let expected: Vec<_> = contents
        .iter()
        .map(|raw| {
            let mut own = Compressor::with(&FOR_JOURNAL);
            through_record(own.compress(raw, &mut scratch), raw)
        })
        .collect();
    let shared = Compressors::default();
    let all = || {
        for (raw, expected) in contents.iter().zip(&expected) {
            let made = shared.compress(raw, |stored| through_record(stored, raw));
            assert_eq!(&made, expected);
        }
    };
    all();
    assert_eq!(
        shared.at_rest.lock().expect("sound").len(),
        1,
        "it was used again"
    );
    std::thread::scope(|scope| {
        for _ in 0..2 * AT_REST_MAX {
            scope.spawn(all);
        }
    });
    let at_rest = shared.at_rest.lock().expect("sound").len();
    assert!((1..=AT_REST_MAX).contains(&at_rest), "{at_rest} are kept");
}

proptest! {
    #[test]
    fn every_level_gives_back_what_it_was_given(
        raw in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..3000),
        level in 1_u8..=9,
    ) {
        let level = Level::new(level).expect("1 to 9");
        for mut compressor in [Compressor::new(level), Compressor::sealing(level)] {
            let (mut scratch, mut out) = (Vec::new(), Vec::new());
            let (header, stored) = through_record(compressor.compress(&raw, &mut scratch), &raw);
            prop_assert_eq!(decompress(&header, &stored, None, &mut out), Ok(()));
            prop_assert_eq!(&out, &raw);
        }
    }

    #[test]
    fn any_bytes_at_all_are_unpacked_or_refused_within_the_bound(
        stored in prop::collection::vec(any::<u8>(), 0..300),
        raw_len in 301_u32..5000,
    ) {
        let stored = [&b"\x28\xb5\x2f\xfd"[..], &stored].concat();
        let mut out = Vec::new();
        let _ = decompress(&claim(raw_len + 4, &stored), &stored, None, &mut out);
        prop_assert!(out.capacity() <= raw_len as usize + 4);
    }
}
