//! Every decoder behind one signature, for the fuzz targets and for the test that replays their
//! corpora.
//!
//! A target panics when its decoder panics. It also panics when a decoded value does not encode to
//! the bytes it came from, because a decoder must not accept bytes that no encoder writes.

mod evidence;

use crate::export::Head;
use crate::format::frame::{Frame, JournalHeader, NewFrame};
use crate::format::record::Record;
use crate::format::segment::{BlockHeader, Footer, Trailer};
use crate::format::{catalog, header, leaf, pack, pack_scan, record, segment};
use crate::id::{BlobId, EventSeq, PackId, Sha256, StoreId};
use crate::query::Cursor;

/// The store of all samples.
const STORE: StoreId = StoreId::from_bytes([0x5a; 16]);

/// A fuzz target: accepts any bytes.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("store_header", store_header),
    ("backup_list", backup_list),
    ("journal_header", journal_header),
    ("journal_frame", journal_frame),
    ("event_leaf", event_leaf),
    ("blob_record", blob_record),
    ("pack", whole_pack),
    ("segment_header", segment_header),
    ("segment_trailer", segment_trailer),
    ("segment_footer", segment_footer),
    ("segment_block", segment_block),
    ("manifest", manifest),
    ("merkle_frontier", merkle_frontier),
    ("signed_note", signed_note),
    ("checkpoint", checkpoint),
    ("tlog_proof", tlog_proof),
    ("entry_proof", evidence::entry_proof),
    ("envelope", evidence::envelope),
    ("restore_certificate", evidence::restore_certificate),
    ("verifier_key", verifier_key),
    ("bundle_manifest", bundle_manifest),
    ("bundle_texts", bundle_texts),
    ("cursor", cursor),
    ("glob", glob),
    #[cfg(feature = "host")]
    ("converter_answer", converter_answer),
    #[cfg(feature = "host")]
    ("configuration", configuration),
];

/// Runs the target with this name on `bytes`.
pub fn run(target: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    found.expect("a target of that name").1(bytes);
}

fn store_header(bytes: &[u8]) {
    if let Ok(store) = header::decode(bytes) {
        // Line ends and blanks may differ, but the decoded value must be equal.
        assert_eq!(header::decode(header::encode(&store).as_bytes()), Ok(store));
    }
}

/// Decodes any bytes as a list, with the right digest appended: an attacker can compute it too.
fn backup_list(bytes: &[u8]) {
    let mut whole = bytes.to_vec();
    whole.extend(format!("# end {}\n", Sha256::of(bytes)).as_bytes());
    if let Ok(list) = catalog::decode(&whole) {
        let outside = |path: &str| path.starts_with('/') || path.contains("..");
        assert!(!list.files.iter().any(|file| outside(&file.path)));
        assert_eq!(catalog::decode(catalog::encode(&list).as_bytes()), Ok(list));
    }
}

fn journal_header(bytes: &[u8]) {
    if let Ok(header) = JournalHeader::decode(bytes, &STORE) {
        assert_eq!(header.encode()[..52], bytes[..52]);
    }
}

fn journal_frame(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else {
        return;
    };
    let head = frame.header;
    let mut again = Vec::new();
    NewFrame {
        generation: head.generation,
        seq: head.seq,
        group: head.group,
        time: head.time,
        retention: head.retention,
        level: head.level,
        leaf: frame.leaf,
        records: &[frame.records],
    }
    .encode_into(&mut again)
    .expect("what was read fits");
    // The number of records is not known here, so the header's checksum cannot be compared either.
    let body = head.records_at() + frame.records.len();
    assert_eq!(again[8..60], bytes[8..60]);
    assert_eq!(again[64..body], bytes[64..body]);
    let mut rest = frame.records;
    while let Ok((header, _)) = record::decode(rest) {
        rest = &rest[header.record_len() as usize..];
    }
}

fn event_leaf(bytes: &[u8]) {
    let Ok(line) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(event) = leaf::decode(line)
        && let Ok(again) = leaf::encode(&STORE, &event)
    {
        assert_eq!(leaf::decode(&again).expect("just written"), event);
    }
}

fn blob_record(bytes: &[u8]) {
    let Ok((packed, stored)) = record::decode_packed(bytes) else {
        return;
    };
    let id = packed.id().unwrap_or(BlobId::from_bytes([7; 32]));
    let header = packed.of(&id).expect("its own id, or anybody's");
    let mut again = Vec::new();
    let found = header.with(stored);
    let written = match packed.id() {
        Some(_) => record::encode_into(&mut again, &found),
        None => record::encode_packed_into(&mut again, &found),
    };
    written.expect("what was read can be written");
    assert_eq!(again, bytes[..again.len()]);
    let mut plain = Vec::new();
    // It may fail, but must not produce more bytes than the header states.
    let _ = crate::blob::compression::decompress(&header, stored, None, &mut plain);
    assert!(plain.len() <= header.raw_len as usize);
}

fn whole_pack(bytes: &[u8]) {
    use crate::blob::compression::{Dictionary, decompress};
    if let Ok(header) = pack::decode_header(bytes) {
        let again = pack::encode_header(&header);
        assert_eq!(again, bytes[..again.len()]);
    }
    let size = bytes.len() as u64;
    let Some(end) = bytes.len().checked_sub(pack::PACK_TRAILER_BYTES) else {
        return;
    };
    if let Ok(trailer) = pack::decode_trailer(&bytes[end..], size) {
        let from = usize::try_from(trailer.footer_offset).expect("within the bytes");
        let to = from + usize::try_from(trailer.footer_len).expect("within the bytes");
        if let Ok(entries) = pack::decode_footer(&bytes[from..to], &trailer) {
            let again = pack::encode_footer(
                trailer.pack,
                trailer.footer_offset,
                trailer.dictionary_bytes,
                entries.iter(),
            );
            assert_eq!(again, bytes[from..]);
        }
    }
    // Unpack with the record that claims to be the dictionary; it may hold any bytes.
    let mut dictionary: Option<Dictionary> = None;
    let scan = pack_scan::RecordScan::new(bytes).expect("bytes in memory");
    for found in scan {
        let (offset, header) = found.expect("bytes in memory");
        assert!(offset.0 + u64::from(header.record_len()) <= size);
        let at = usize::try_from(offset.0).expect("within the bytes");
        let (again, stored) = record::decode_packed(&bytes[at..]).expect("just found");
        assert_eq!(again, header);
        let any = header.id().unwrap_or(BlobId::from_bytes([0; 32]));
        let header = header.of(&any).expect("its own id, or anybody's");
        let mut plain = Vec::new();
        let unpacked = decompress(&header, stored, dictionary.as_ref(), &mut plain);
        assert!(plain.len() <= header.raw_len as usize);
        if unpacked.is_ok() && header.kind == record::RecordKind::Dictionary {
            dictionary = Dictionary::new(plain);
        }
    }
}

fn segment_header(bytes: &[u8]) {
    if let Ok(first) = segment::decode_header(bytes, &STORE) {
        let again = segment::encode_header(&STORE, first);
        assert_eq!(again[..60], bytes[..60]);
    }
}

fn segment_trailer(bytes: &[u8]) {
    if let Ok(trailer) = Trailer::decode(bytes) {
        assert_eq!(trailer.encode()[..60], bytes[..60]);
    }
}

fn segment_footer(bytes: &[u8]) {
    if let Ok(footer) = Footer::decode(bytes) {
        assert_eq!(footer.encode().expect("what was read fits"), bytes);
    }
}

fn segment_block(bytes: &[u8]) {
    if let Ok(header) = BlockHeader::decode(bytes) {
        let mut again = Vec::new();
        header.encode_into(&mut again);
        assert_eq!(again, bytes[..again.len()]);
    }
}

fn manifest(bytes: &[u8]) {
    use crate::blob::manifest::ManifestReader;
    let missing = |_: &BlobId| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    if let Ok(reader) = ManifestReader::new(bytes, missing) {
        let total = reader.total_len();
        let mut seen = 0;
        for chunk in reader {
            let Ok(chunk) = chunk else {
                return;
            };
            seen += chunk.len;
        }
        assert_eq!(seen, total);
    }
}

fn merkle_frontier(bytes: &[u8]) {
    use crate::evidence::tree::Frontier;
    if let Ok(mut frontier) = Frontier::from_bytes(bytes) {
        assert_eq!(frontier.to_bytes(), bytes);
        if frontier.size() < u64::MAX {
            frontier.push(b"leaf");
        }
        let _ = frontier.root();
    }
}

fn signed_note(bytes: &[u8]) {
    use crate::evidence::note::Note;
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        assert_eq!(note.verify(&[]).ok(), None);
    }
}

fn checkpoint(bytes: &[u8]) {
    use crate::evidence::checkpoint::Checkpoint;
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(checkpoint) = Checkpoint::parse(text)
    {
        assert_eq!(checkpoint.to_string(), text);
    }
}

fn tlog_proof(bytes: &[u8]) {
    use crate::evidence::tlog_proof::TlogProof;
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        // Also when the signature holds, any hashes have to be verified without a panic.
        let trusted = [signer().verifier().clone()];
        let _ = proof.verify(b"leaf", &trusted);
    }
}

fn verifier_key(bytes: &[u8]) {
    use crate::evidence::note::VerifierKey;
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(key) = VerifierKey::parse(text)
    {
        assert_eq!(key.to_string(), text);
        assert!(!key.verify(b"text", &[0; 64]));
    }
}

/// The key of all samples.
fn signer() -> crate::evidence::key::SecretKey {
    use crate::evidence::{key::SecretKey, note::KeyName};
    SecretKey::from_seed(KeyName::of_store(&STORE), &[7; 32])
}

/// Returns the proof of the third of seven leaves.
fn sample_proof() -> crate::evidence::tlog_proof::TlogProof {
    use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
    use crate::evidence::{proof, tlog_proof::TlogProof, tree};
    let leaves = [tree::leaf_hash(b"leaf"); 7];
    let mut frontier = tree::Frontier::new();
    for leaf in &leaves {
        frontier.push_hash(*leaf);
    }
    let signer = signer();
    let checkpoint = Checkpoint::of(signer.verifier().name().into(), &frontier);
    let signed = SignedCheckpoint::sign(checkpoint, &[&signer]).expect("a sound key");
    let hashes = proof::inclusion_at(7, 2, leaves).expect("in range");
    TlogProof::new(2, hashes, &signed).with_extra(b"extra".to_vec())
}

fn bundle_manifest(bytes: &[u8]) {
    use crate::export::bag;
    if let Ok(files) = bag::parse_manifest(bytes) {
        assert_eq!(bag::manifest(&files).as_bytes(), bytes);
        let outside = |path: &String| path.split('/').any(|part| matches!(part, "" | ".."));
        assert!(!files.keys().any(outside));
    }
}

/// The other texts of a bundle that are read: versions, and the payload of its last event.
fn bundle_texts(bytes: &[u8]) {
    use crate::export::{Exported, bag};
    let _ = (bag::bagit_version(bytes), bag::bundle_format(bytes));
    let exported = Head::of(bytes).map(|_| serde_json::from_slice::<Data>(bytes));
    if let Some(Ok(Data { data: exported })) = exported {
        let text = serde_json::to_string(&exported).expect("plain values");
        let again: Exported = serde_json::from_str(&text).expect("just written");
        assert_eq!(again, exported);
    }
}

#[derive(serde::Deserialize)]
struct Data {
    data: crate::export::Exported,
}

fn cursor(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(cursor) = text.parse::<Cursor>()
    {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
}

fn glob(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
        let _ = crate::index::glob_matches(pattern, name);
    }
}

#[cfg(feature = "host")]
fn converter_answer(bytes: &[u8]) {
    let _ = crate::convert::understand(bytes);
}

#[cfg(feature = "host")]
fn configuration(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = crate::host::Config::parse(text, std::path::Path::new("host.toml"));
    }
}

/// Returns the list of a backup, without its last line.
fn sample_list() -> String {
    let file = |path: &str, damaged| catalog::CatalogFile {
        path: path.to_owned(),
        bytes: 8_123,
        tail: 0xa5f6_7310,
        sha256: Sha256::of(path.as_bytes()),
        damaged,
    };
    let list = catalog::Catalog {
        store: STORE,
        event: EventSeq(7),
        root: Sha256::from_bytes([7; 32]),
        lost: 0,
        made: crate::time::Timestamp::from_micros(1),
        host: "line3".to_owned(),
        folder: "/var/lib/annals".to_owned(),
        files: vec![
            file("events/00000000000000000001.seg", false),
            file(
                "packs/forever/none/0000000000000001.pack~0123456789abcdef",
                true,
            ),
        ],
    };
    let mut text = catalog::encode(&list);
    text.truncate(text.rfind("# end").expect("its last line"));
    text
}

/// Returns a valid example for each target, as a seed.
pub fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let content = b"serial;SN1042\nvolts;4.98\n";
    let mut blob = Vec::new();
    let stored = Record {
        kind: record::RecordKind::Content,
        codec: record::Codec::Raw,
        dictionary: None,
        raw_len: 25,
        id: BlobId::of(content),
        stored: content,
    };
    record::encode_into(&mut blob, &stored).expect("a sound record");
    let line = concat!(
        r#"{"specversion":"1.0","id":"7","source":"urn:annals:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a","#,
        r#""type":"annals.reported.v1","subject":"3","time":"2026-03-01T08:30:00.000001+01:00","#,
        r#""sequence":"00000000000000000007","authtype":"user","authid":"kari","bootid":"b1","#,
        r#""monotonicms":"12","data":{"entry":3,"attempt":1,"report":0,"report_id":"R-1"}}"#
    );
    let mut frame = Vec::new();
    NewFrame {
        generation: 1,
        seq: EventSeq(7),
        group: EventSeq(5),
        time: crate::time::Timestamp::from_micros(1),
        retention: crate::entry::Retention::days(90),
        level: 6,
        leaf: line.as_bytes(),
        records: &[&blob],
    }
    .encode_into(&mut frame)
    .expect("a sound frame");
    let whole = sample_pack(&blob);
    let mut tree = crate::evidence::tree::Frontier::new();
    (0..7).for_each(|_| tree.push(line.as_bytes()));
    let proof = sample_proof();
    let footer = Footer {
        tree_size: 7,
        tree_root: tree.root(),
        frontier: tree.to_bytes(),
        packs: vec![(PackId(1), 10)],
        ..Footer::default()
    };
    let trailer = Trailer {
        first_seq: EventSeq(1),
        last_seq: EventSeq(7),
        footer_offset: 64,
        footer_bytes: 100,
        footer_crc: 3,
    };
    let mut block = Vec::new();
    BlockHeader {
        stored_bytes: 10,
        raw_bytes: 20,
        events: 2,
        first_seq: EventSeq(1),
        body_crc: 1,
    }
    .encode_into(&mut block);
    let journal = JournalHeader {
        store: STORE,
        generation: 1,
        first_seq: EventSeq(1),
        file_bytes: 1 << 16,
    };
    vec![
        ("store_header", header::encode(&STORE).into_bytes()),
        ("backup_list", sample_list().into_bytes()),
        ("journal_header", journal.encode()[..56].to_vec()),
        ("journal_frame", frame),
        ("event_leaf", line.as_bytes().to_vec()),
        ("blob_record", blob),
        ("pack", whole),
        ("segment_header", segment::encode_header(&STORE, EventSeq(1))),
        ("segment_trailer", trailer.encode()),
        ("segment_footer", footer.encode().expect("a sound footer")),
        ("segment_block", block),
        ("manifest", sample_manifest()),
        ("merkle_frontier", tree.to_bytes()),
        ("signed_note", proof.checkpoint().to_string().into_bytes()),
        ("checkpoint", proof.checkpoint().text().into()),
        ("tlog_proof", proof.to_string().into_bytes()),
        ("entry_proof", evidence::sample_entry_proof()),
        ("envelope", evidence::sample_envelope()),
        ("restore_certificate", evidence::sample_restore_certificate()),
        ("verifier_key", signer().verifier().to_string().into_bytes()),
        ("bundle_manifest", sample_bundle_manifest()),
        ("bundle_texts", sample_exported()),
        ("cursor", b"size.desc.42.00ff".to_vec()),
        ("glob", b"*SN[0-9]?42*.csv\nict_SN1042.csv".to_vec()),
        #[cfg(feature = "host")]
        ("converter_answer", br#"{"status":"success","report":{"sn":"SN1042"},"warnings":[]}"#.to_vec()),
        #[cfg(feature = "host")]
        ("configuration", b"[[converter]]\nname = \"ICT CSV\"\nwatch_folder = \"in\"\npatterns = [\"*.csv\"]\ncommand = [\"python3\", \"ict.py\", \"{input}\"]\n".to_vec()),
    ]
}

/// Returns a pack with a content, a dictionary, and a content that was compressed with it.
fn sample_pack(blob: &[u8]) -> Vec<u8> {
    let class = pack::PackClass::new("forever/none").expect("a sound class");
    let mut whole = pack::encode_header(&pack::PackHeader {
        origin: pack::PackOrigin::Sealed,
        effort: pack::PackEffort::Small,
        store: STORE,
        pack: PackId(1),
        first_seq: EventSeq(1),
        last_seq: EventSeq(7),
        class,
    });
    let mut listed = Vec::new();
    let mut place = |whole: &mut Vec<u8>, record: &[u8]| {
        let (header, stored) = record::decode(record).expect("a sound record");
        listed.push(pack::PackEntry {
            id: header.id,
            offset: pack::PackOffset(whole.len() as u64),
            len: header.packed_len(),
            raw_len: header.raw_len,
            kind: header.kind,
        });
        record::encode_packed_into(whole, &header.with(stored)).expect("a sound record");
    };
    let (dictionary, with_dictionary) = sample_with_dictionary();
    for record in [&dictionary[..], blob, &with_dictionary, &dictionary] {
        place(&mut whole, record);
    }
    listed.sort_unstable_by_key(|entry| (entry.id, entry.kind, entry.offset));
    let records_end = whole.len() as u64;
    let repeated = u32::try_from(dictionary.len()).expect("short");
    let end = pack::encode_footer(PackId(1), records_end, repeated, listed.iter());
    whole.extend(end);
    whole
}

/// Returns a dictionary record, and a content record that was compressed with it.
fn sample_with_dictionary() -> (Vec<u8>, Vec<u8>) {
    use crate::blob::compression::{Compressor, Dictionary, Level};
    let form =
        |unit| format!("serial;SN{unit}\nvolts;4.98;between 4.75 and 5.25;PASS\n").into_bytes();
    let dictionary = Dictionary::new(form(1041)).expect("a sound dictionary");
    let mut first = Vec::new();
    let stored = Record {
        kind: record::RecordKind::Dictionary,
        codec: record::Codec::Raw,
        dictionary: None,
        raw_len: u32::try_from(dictionary.bytes().len()).expect("short"),
        id: *dictionary.id(),
        stored: dictionary.bytes(),
    };
    record::encode_into(&mut first, &stored).expect("a sound record");
    let content = form(1042);
    let raw_len = u32::try_from(content.len()).expect("short");
    let mut scratch = Vec::new();
    let mut compressor = Compressor::with_dictionary(Level::DEFAULT, &dictionary);
    let stored = compressor.compress(&content, &mut scratch).record(
        record::RecordKind::Content,
        BlobId::of(&content),
        raw_len,
    );
    assert!(stored.dictionary.is_some());
    let mut second = Vec::new();
    record::encode_into(&mut second, &stored).expect("a sound record");
    (first, second)
}

fn sample_manifest() -> Vec<u8> {
    use crate::blob::manifest::{ChunkRef, ManifestBuilder};
    let mut builder = ManifestBuilder::new();
    let mut nowhere = |_: BlobId, _: &[u8]| Ok::<_, std::convert::Infallible>(());
    for (content, len) in [(b"one", 3_u64), (b"two", 3)] {
        let chunk = ChunkRef {
            id: BlobId::of(content),
            len,
        };
        builder.push(chunk, &mut nowhere).expect("infallible");
    }
    let root = builder.finish(&mut nowhere).expect("infallible");
    root.expect("two chunks")
}

fn sample_bundle_manifest() -> Vec<u8> {
    let files = ["data/blobs/00ff", "data/checkpoint", "data/events.jsonl"];
    let lines = files.map(|path| format!("{}  {path}\n", Sha256::of(path.as_bytes())));
    lines.concat().into_bytes()
}

fn sample_exported() -> Vec<u8> {
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"3\",\"source\":\"urn:annals:{STORE}\",\
         \"type\":\"annals.exported.v1\",\"sequence\":\"00000000000000000003\",\
         \"data\":{{\"format\":1,\"filters\":{{\"serial\":\"SN1\"}},\"scope\":\"selection\",\"upto\":2,\
         \"counts\":{{\"events\":1,\"bytes\":9,\"entries\":1,\
         \"by_type\":{{\"annals.archived.v1\":1}}}},\"root\":\"{root}\",\
         \"contents\":{{\"count\":1,\"bytes\":9,\"list\":\"{root}\"}}}}}}",
        root = Sha256::of(b"root")
    )
    .into_bytes()
}
