//! Compares docs/format.md with what the program writes.

use crate::entry::{Meta, Retention, Unit};
use crate::event::{Actor, ActorKind, Archived, BlobRef, Body, ClockReading, Event, Source};
use crate::format::*;
use crate::id::{BlobId, EventSeq, PackId, Sha256, StoreId};
use crate::time::Timestamp;

const PAGE: &str = include_str!("../../../docs/format.md");
const CONTENT: &[u8] = b"serial,SN1042\nvolts,4.98\n";

/// Returns the content of the fenced block of this kind in the page.
fn block(fence: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{fence}\n")).expect(fence);
    let (block, _) = rest.split_once("```").expect("closed");
    block
}

fn dump(bytes: &[u8]) -> String {
    let line = |line: &[u8]| {
        let words: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        words.join(" ") + "\n"
    };
    bytes.chunks(16).map(line).collect()
}

fn example() -> Event {
    Event {
        seq: EventSeq(3),
        time: "2026-03-01T08:30:00.000001+01:00".parse().expect("valid"),
        actor: Actor {
            kind: ActorKind::User,
            id: "mia".to_owned(),
        },
        clock: ClockReading {
            boot: "0cfc10ef-e77a-4b42-9b67-0e1cf84e475d".to_owned(),
            mono_ms: 4_440_000,
        },
        body: Body::Archived(Archived {
            converter: "ICT CSV".to_owned(),
            converter_version: Some("1.4.0".to_owned()),
            source: Source {
                name: "SN1042.csv".to_owned(),
                path: "/data/ict/in/SN1042.csv".to_owned(),
                ..Source::default()
            },
            blob: BlobRef {
                blake3: BlobId::of(CONTENT),
                sha256: Sha256::of(CONTENT),
                size: CONTENT.len() as u64,
            },
            stored_size: CONTENT.len() as u64,
            duplicate: false,
            unit: Unit {
                serial: Some("SN1042".to_owned()),
                ..Unit::default()
            },
            meta: Meta::new(),
            arguments: Meta::new(),
            retention: Retention::days(90),
            key: None,
            facts_only: false,
        }),
        sealed: Vec::new(),
    }
}

#[test]
fn the_worked_example_of_the_format_page_is_what_is_written() {
    let store = StoreId::from_bytes([0x5a; 16]);
    let event = example();
    let leaf = leaf::encode(&store, &event).expect("fits");
    let mut stored = Vec::new();
    let record = record::Record {
        kind: record::RecordKind::Content,
        codec: record::Codec::Raw,
        dictionary: None,
        raw_len: u32::try_from(CONTENT.len()).expect("short"),
        id: BlobId::of(CONTENT),
        stored: CONTENT,
    };
    record::encode_into(&mut stored, &record).expect("valid");
    let journal = frame::JournalHeader {
        store,
        generation: 1,
        first_seq: EventSeq(1),
        file_bytes: 32 << 20,
    };
    let mut framed = Vec::new();
    frame::NewFrame {
        generation: 1,
        seq: event.seq,
        group: EventSeq(2),
        time: event.time,
        retention: Retention::days(90),
        level: 6,
        leaf: leaf.as_bytes(),
        records: &[&stored],
    }
    .encode_into(&mut framed)
    .expect("fits");
    let body = [leaf.as_bytes(), &stored].concat();
    assert!(framed[frame::FRAME_HEADER_BYTES..].starts_with(&body));
    let header = pack::PackHeader {
        origin: pack::PackOrigin::Sealed,
        effort: pack::PackEffort::Small,
        store,
        pack: PackId(1),
        first_seq: EventSeq(1),
        last_seq: EventSeq(3),
        class: pack::PackClass::new("90d/2026-05").expect("a class"),
    };
    let mut packed = Vec::new();
    record::encode_packed_into(&mut packed, &record).expect("valid");
    let listed = pack::PackEntry {
        id: record.id,
        offset: pack::PackOffset(pack::PACK_HEADER_BYTES as u64),
        len: u32::try_from(packed.len()).expect("short"),
        raw_len: record.raw_len,
        kind: record.kind,
    };
    let records_end = (pack::PACK_HEADER_BYTES + packed.len()) as u64;
    let pack_end = pack::encode_footer(PackId(1), records_end, 0, [listed].iter());
    let written = [
        ("hex journal-header", dump(&journal.encode()[..56])),
        (
            "hex frame-header",
            dump(&framed[..frame::FRAME_HEADER_BYTES]),
        ),
        ("json leaf", leaf + "\n"),
        ("hex record", dump(&stored)),
        (
            "hex packed-record",
            dump(&packed[..record::NAMELESS_HEADER_BYTES]),
        ),
        ("hex pack-header", dump(&pack::encode_header(&header))),
        ("hex pack-end", dump(&pack_end)),
        (
            "hex segment-header",
            dump(&segment::encode_header(&store, EventSeq(1))),
        ),
    ];
    for (fence, bytes) in written {
        assert_eq!(block(fence), bytes, "```{fence}\n{bytes}```");
    }
    // The example's class must be the one that such a frame gets: it expires in May.
    let expires = Retention::days(90).expires_at(event.time).expect("a date");
    assert!(expires > "2026-05-01T00:00:00Z".parse::<Timestamp>().expect("valid"));
    assert!(expires < "2026-06-01T00:00:00Z".parse::<Timestamp>().expect("valid"));
}

#[test]
fn the_limits_of_the_format_page_are_the_ones_of_the_program() {
    for (words, limit) in [
        ("at most 65,535 bytes", leaf::LEAF_BYTES_MAX == 65_535),
        (
            "at most 16 MiB, and must fit its file",
            frame::FRAME_BYTES_MAX == 16 << 20,
        ),
        (
            "header block of 4,096 bytes",
            frame::JOURNAL_HEADER_BYTES == 4096,
        ),
        (
            "bytes of the plaintext, at most 8 MiB",
            record::RECORD_RAW_BYTES_MAX == 8 << 20,
        ),
        (
            "bytes of the leaves, at most 1 MiB",
            segment::BLOCK_RAW_BYTES_MAX == 1 << 20,
        ),
        ("header (128 bytes)", pack::PACK_HEADER_BYTES == 128),
        ("footer (52 bytes an entry)", pack::FOOTER_ENTRY_BYTES == 52),
        ("trailer (64 bytes)", pack::PACK_TRAILER_BYTES == 64),
        (
            "numbered up to 2^63 - 1",
            EventSeq::MAX.0 == (1 << 63) - 1 && PackId::MAX.0 == frame::GENERATION_MAX,
        ),
        ("# Format 1:", header::FORMAT_VERSION == 1),
    ] {
        assert!(PAGE.contains(words), "'{words}' is gone from the page");
        assert!(limit, "'{words}' is no longer so");
    }
}
