//! Tests that no number in a store's files can make the program panic or use unbounded memory.
//! Whoever can write a file can write any number into it, with a valid checksum.
//!
//! Every length, offset, count and number of every structure is set to the limits of its field, and
//! all checksums are recomputed. Also, zstd frames that claim or unpack to gigabytes are put in
//! place of content and events. Then the store is opened, read, verified and repaired. Nothing may
//! panic, only archived bytes may be returned, and memory must stay bounded.

mod support;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::archive::{Archive, Depth, Repair};
use annals::disk::sim::SimDisk;
use annals::id::BlobId;
use peak_alloc::PeakAlloc;
use support::golden::{Golden, SEGMENT, smallest};
use support::prove::{Size, size};
use support::{Hourly, State};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The most memory for opening, reading, verifying and repairing a store of a few kilobytes.
const HEAP_MAX: usize = 64 << 20;
/// The most time for these steps, on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(60);
/// The most address space. zstd asks the system for memory instead of the allocator, so its memory
/// counts here. So does the address space of threads.
const ADDRESSES_MAX: usize = 1 << 30;

/// A number in a structure.
struct Field {
    name: &'static str,
    at: usize,
    bytes: usize,
}

const fn field(name: &'static str, at: usize, bytes: usize) -> Field {
    Field { name, at, bytes }
}

const JOURNAL_HEADER: &[Field] = &[
    field("version", 8, 2),
    field("generation", 28, 8),
    field("first event", 36, 8),
    field("bytes of the file", 44, 8),
];
const FRAME: &[Field] = &[
    field("number of records", 6, 2),
    field("generation", 8, 8),
    field("event", 16, 8),
    field("first event of the group", 24, 8),
    field("instant", 32, 8),
    field("bytes of the leaf", 40, 4),
    field("bytes of the records", 44, 4),
    field("days", 48, 2),
    field("years", 50, 1),
    field("level", 51, 1),
];
const RECORD: &[Field] = &[
    field("kind", 4, 1),
    field("codec", 5, 1),
    field("dictionary", 8, 4),
    field("bytes of the plaintext", 12, 4),
    field("bytes stored", 16, 4),
];
const SEGMENT_HEADER: &[Field] = &[field("version", 8, 2), field("first event", 28, 8)];
const BLOCK: &[Field] = &[
    field("bytes stored", 4, 4),
    field("bytes of the leaves", 8, 4),
    field("number of events", 12, 4),
    field("first event", 16, 8),
];
/// The footer of a segment with one block.
const SEGMENT_FOOTER: &[Field] = &[
    field("number of blocks", 0, 4),
    field("first event of the block", 4, 8),
    field("offset of the block", 12, 8),
    field("events of the block", 20, 4),
    field("size of the tree", 24, 8),
    field("bytes of the frontier", 64, 4),
    field("size of the tree of the frontier", 68, 8),
];
/// The list of packs, which follows the frontier.
const SEGMENT_PACKS: &[Field] = &[
    field("number of packs", 0, 4),
    field("number of the pack", 4, 8),
    field("bytes of the pack", 12, 8),
];
const SEGMENT_TRAILER: &[Field] = &[
    field("version", 8, 2),
    field("first event", 12, 8),
    field("last event", 20, 8),
    field("offset of the footer", 28, 8),
    field("bytes of the footer", 36, 8),
];
/// The last four bytes before the trailer, because no checkpoint is signed.
const SEGMENT_CHECKPOINT: &[Field] = &[field("bytes of the checkpoint", 0, 4)];
const PACK_HEADER: &[Field] = &[
    field("version", 8, 2),
    field("origin", 10, 1),
    field("bytes of the class", 11, 1),
    field("number", 32, 8),
    field("first event", 40, 8),
    field("last event", 48, 8),
];
const PACK_ENTRY: &[Field] = &[
    field("offset", 32, 8),
    field("bytes of the record", 40, 4),
    field("bytes of the plaintext", 44, 4),
    field("kind", 48, 1),
];
const PACK_TRAILER: &[Field] = &[
    field("version", 8, 2),
    field("number of entries", 16, 8),
    field("offset of the footer", 24, 8),
    field("bytes of the footer", 32, 8),
    field("bytes of all plaintexts", 40, 8),
    field("number", 48, 8),
];
const MANIFEST: &[Field] = &[
    field("level", 4, 1),
    field("number of children", 8, 4),
    field("bytes of content", 12, 8),
    field("bytes of the first child", 52, 8),
];

/// The limits of 4 and 8 bytes, signed and unsigned, and of narrower numbers in them.
const VALUES: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

fn values(bytes: usize) -> impl Iterator<Item = u64> {
    let last = u64::MAX >> (64 - 8 * bytes);
    VALUES.into_iter().filter(move |value| {
        *value <= last && (*value <= 1 || bytes < 4 || *value >= (1 << 31) - 1)
    })
}

/// Returns the number of this many bytes at `at`.
fn number(content: &[u8], at: usize, bytes: usize) -> u64 {
    let mut number = [0; 8];
    number[..bytes].copy_from_slice(&content[at..at + bytes]);
    u64::from_le_bytes(number)
}

fn place(content: &[u8], at: usize, bytes: usize) -> usize {
    usize::try_from(number(content, at, bytes)).expect("a sound store is small")
}

/// Writes the checksum of a range to `at`. Does nothing if the range is not in the file.
fn seal(content: &mut [u8], from: u64, bytes: u64, at: usize) {
    let covered = usize::try_from(from)
        .ok()
        .zip(
            from.checked_add(bytes)
                .and_then(|end| usize::try_from(end).ok()),
        )
        .and_then(|(from, end)| content.get(from..end));
    if let Some(covered) = covered {
        let crc = crc32c::crc32c(covered).to_le_bytes();
        content[at..at + 4].copy_from_slice(&crc);
    }
}

fn seal_head(content: &mut [u8], at: usize, bytes: usize) {
    seal(content, at as u64, bytes as u64, at + bytes);
}

/// Returns the length of the header of the record at `at`; content in a pack has no id.
fn record_header(content: &[u8], at: usize) -> usize {
    if content[at..].starts_with(b"ANBC") {
        28
    } else {
        60
    }
}

fn seal_record(content: &mut [u8], at: usize) {
    let header = record_header(content, at);
    let stored = number(content, at + 16, 4);
    seal(content, (at + header) as u64, stored, at + header - 8);
    seal_head(content, at, header - 4);
}

fn seal_frame(content: &mut [u8], at: usize) {
    let body = number(content, at + 40, 4) + number(content, at + 44, 4);
    seal(content, at as u64 + 64, body, at + 52);
    seal_head(content, at, 60);
}

fn seal_block(content: &mut [u8], at: usize) {
    let stored = number(content, at + 4, 4);
    seal(content, at as u64 + 32, stored, at + 24);
    seal_head(content, at, 28);
}

/// Recomputes the checksums of the footer and the trailer of a segment or a pack.
fn seal_end(content: &mut [u8], footer_at: usize, crc_at: usize) {
    let trailer = content.len() - 64;
    let from = number(content, trailer + footer_at, 8);
    let bytes = number(content, trailer + footer_at + 8, 8);
    seal(content, from, bytes, trailer + crc_at);
    seal_head(content, trailer, 60);
}

fn seal_segment_end(content: &mut [u8]) {
    seal_end(content, 28, 44);
}

fn seal_pack_end(content: &mut [u8]) {
    seal_end(content, 24, 56);
}

/// Recomputes checksums.
type Seal = Box<dyn Fn(&mut [u8])>;

/// A structure in a file, with the function that recomputes its checksums and those around it.
struct Place {
    file: String,
    what: &'static str,
    at: usize,
    fields: &'static [Field],
    seal: Seal,
}

/// Returns every structure in the files of a store.
fn structures(golden: &Golden) -> Vec<Place> {
    let mut places = Vec::new();
    for (file, _) in golden.files() {
        let content = golden.content(&file);
        let mut add = |what, at, fields, seal: Seal| {
            let file = file.clone();
            places.push(Place {
                file,
                what,
                at,
                fields,
                seal,
            });
        };
        if content.starts_with(b"ANNALSJ\n") {
            add(
                "header",
                0,
                JOURNAL_HEADER,
                Box::new(|content| seal_head(content, 0, 52)),
            );
            let mut at = 4096;
            while content[at..].starts_with(b"AFR1") {
                add(
                    "frame",
                    at,
                    FRAME,
                    Box::new(move |content| seal_frame(content, at)),
                );
                let leaf = place(&content, at + 40, 4);
                let records = place(&content, at + 44, 4);
                let mut record = at + 64 + leaf;
                while record < at + 64 + leaf + records {
                    add(
                        "record",
                        record,
                        RECORD,
                        Box::new(move |content| {
                            seal_record(content, record);
                            seal_frame(content, at);
                        }),
                    );
                    record += 60 + place(&content, record + 16, 4);
                }
                at = (at + 64 + leaf + records).next_multiple_of(8);
            }
        } else if content.starts_with(b"ANNALSE\n") {
            let trailer = content.len() - 64;
            let footer = place(&content, trailer + 28, 8);
            let packs = footer + 68 + place(&content, footer + 64, 4);
            add(
                "header",
                0,
                SEGMENT_HEADER,
                Box::new(|content| seal_head(content, 0, 60)),
            );
            add(
                "block",
                64,
                BLOCK,
                Box::new(|content| seal_block(content, 64)),
            );
            add("footer", footer, SEGMENT_FOOTER, Box::new(seal_segment_end));
            add(
                "list of packs",
                packs,
                SEGMENT_PACKS,
                Box::new(seal_segment_end),
            );
            add(
                "footer's end",
                trailer - 4,
                SEGMENT_CHECKPOINT,
                Box::new(seal_segment_end),
            );
            add(
                "trailer",
                trailer,
                SEGMENT_TRAILER,
                Box::new(seal_segment_end),
            );
        } else if content.starts_with(b"ANNALPK\n") {
            let trailer = content.len() - 64;
            let footer = place(&content, trailer + 24, 8);
            add(
                "header",
                0,
                PACK_HEADER,
                Box::new(|content| seal_head(content, 0, 124)),
            );
            let mut record = 128;
            while record < footer {
                add(
                    "record",
                    record,
                    RECORD,
                    Box::new(move |content| seal_record(content, record)),
                );
                let header = record_header(&content, record);
                if content[record + header..].starts_with(b"ANMF") {
                    add(
                        "manifest",
                        record + header,
                        MANIFEST,
                        Box::new(move |content| seal_record(content, record)),
                    );
                }
                record += header + place(&content, record + 16, 4);
            }
            for entry in (footer..trailer).step_by(52) {
                add("entry", entry, PACK_ENTRY, Box::new(seal_pack_end));
            }
            add("trailer", trailer, PACK_TRAILER, Box::new(seal_pack_end));
        }
    }
    places
}

/// Returns the most address space that this process has ever used, where the system reports it.
fn addresses() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes.unwrap_or(0_usize) << 10
}

/// The results for all stores so far.
#[derive(Debug, Default)]
struct Tally {
    stores: usize,
    refused: usize,
    heap: usize,
    addresses: usize,
    wrong: Vec<String>,
}

impl Tally {
    /// Opens, reads, verifies and repairs the store on `disk`, with its index and without.
    fn look(&mut self, what: &str, disk: &SimDisk, golden: &Golden) {
        for index in ["as it is", "lost"] {
            let disk = disk.snapshot();
            if index == "lost" {
                disk.lose("index.redb").expect("there");
            }
            disk.settle();
            let before = (MEMORY.current_usage(), addresses());
            MEMORY.reset_peak_usage();
            let began = Instant::now();
            let used = catch_unwind(AssertUnwindSafe(|| use_all(&disk, golden)));
            let took = began.elapsed();
            let heap = MEMORY.peak_usage().saturating_sub(before.0);
            let space = addresses() - before.1;
            self.stores += 1;
            self.heap = self.heap.max(heap);
            self.addresses = self.addresses.max(space);
            let mut wrong = |why: String| self.wrong.push(format!("{what}, index {index}: {why}"));
            match used {
                Ok(Ok(refused)) => self.refused += usize::from(refused),
                Ok(Err(why)) => wrong(why),
                Err(_) => wrong("it panicked".to_owned()),
            }
            if took > TIME_MAX {
                wrong(format!("it took {took:?}"));
            }
            if heap > HEAP_MAX {
                wrong(format!("it took {heap} bytes"));
            }
            if space > ADDRESSES_MAX {
                wrong(format!("it set aside {space} bytes"));
            }
        }
    }

    fn end(self, what: &str) {
        println!(
            "{what}: {} stores, {} of them refused or with damage told, at most {} KiB of heap and {} KiB of address space more, wrong {}",
            self.stores,
            self.refused,
            self.heap >> 10,
            self.addresses >> 10,
            self.wrong.len()
        );
        let shown = &self.wrong[..self.wrong.len().min(20)];
        assert!(
            shown.is_empty(),
            "{} went wrong:\n{}",
            self.wrong.len(),
            shown.join("\n")
        );
    }
}

/// Returns whether something was refused or reported. Fails when bytes came out that were never
/// archived, or when an error is a bug.
fn use_all(disk: &SimDisk, golden: &Golden) -> Result<bool, String> {
    let seen = read_all(disk, golden)?;
    let repaired = Archive::repair_on(Arc::new(disk.clone()), smallest(&Hourly::new()));
    match repaired.and_then(Repair::apply) {
        Ok(_) => {
            read_all(disk, golden)?;
        }
        Err(error) if error.message().contains("BUG") => return Err(error.to_string()),
        Err(_) => {}
    }
    Ok(seen)
}

fn read_all(disk: &SimDisk, golden: &Golden) -> Result<bool, String> {
    let archived: BTreeSet<BlobId> = contents(&golden.state).collect();
    let archive = match Archive::open_on(Arc::new(disk.clone()), smallest(&Hourly::new())) {
        Ok(archive) => archive,
        Err(error) if error.message().contains("BUG") => return Err(error.to_string()),
        Err(_) => return Ok(true),
    };
    let mut told = !archive.damage().is_empty();
    match State::observe(&archive) {
        Ok(state) => {
            if let Some(other) = contents(&state).find(|id| !archived.contains(id)) {
                return Err(format!("bytes that nobody archived came out: {other}"));
            }
        }
        Err(_) => told = true,
    }
    match archive.verify(Depth::Deep) {
        Ok(report) => told |= !report.ok,
        Err(_) => told = true,
    }
    match archive.close() {
        Err(error) if error.message().contains("BUG") => Err(error.to_string()),
        _ => Ok(told),
    }
}

fn contents(state: &State) -> impl Iterator<Item = BlobId> {
    state.entries.values().flat_map(|entry| {
        let attempts = entry.attempts.iter().flat_map(|attempt| &attempt.reports);
        let reports = attempts.filter_map(|report| report.0);
        entry.content.into_iter().chain(reports)
    })
}

/// Numbers that were once trusted, and are tried on every run:
/// - A segment that claims to end with event 2^63 - 1: opening visited each of these events and
///   never ended.
/// - A journal file that claims to be 2^31 bytes long: the repair made one of that length, in
///   memory.
/// - A generation of 2^64 - 1, which has no successor.
const BELIEVED: [(&str, &str); 3] = [
    ("trailer", "last event"),
    ("header", "bytes of the file"),
    ("header", "generation"),
];

/// Returns n, where one of n cases is run.
fn stride() -> usize {
    match size() {
        Size::Sample => 97,
        Size::Short => 7,
        Size::Long => 1,
    }
}

fn wild_numbers() {
    let mut tally = Tally::default();
    let mut fields = BTreeSet::new();
    for (golden, stride) in [(Golden::new(), stride()), (Golden::worn(), stride() * 2)] {
        let mut nth = 0;
        for place in structures(&golden) {
            let content = golden.content(&place.file);
            for field in place.fields {
                fields.insert((place.what, field.name));
                for value in values(field.bytes) {
                    nth += 1;
                    let believed = BELIEVED.contains(&(place.what, field.name));
                    if nth % stride != 0 && !believed {
                        continue;
                    }
                    let mut content = content.clone();
                    let at = place.at + field.at;
                    content[at..at + field.bytes]
                        .copy_from_slice(&value.to_le_bytes()[..field.bytes]);
                    (place.seal)(&mut content);
                    let disk = golden.disk.snapshot();
                    disk.plant(&place.file, &content).expect("planted");
                    let what = format!(
                        "{}: {} at {}: {} = {value}",
                        place.file, place.what, place.at, field.name
                    );
                    tally.look(&what, &disk, &golden);
                }
            }
        }
    }
    tally.end(&format!("numbers at their ends, {} fields", fields.len()));
}

/// Tries wild numbers in the text files `NEWEST` and `FORMAT`.
fn wild_texts() {
    let golden = Golden::new();
    let mut tally = Tally::default();
    for (file, name, digits) in [("NEWEST", "event ", 20), ("FORMAT", "format ", 1)] {
        let text = String::from_utf8(golden.content(file)).expect("text");
        let (head, rest) = text.split_once(name).expect("there");
        let (_, rest) = rest.split_once('\n').expect("a line");
        let (rest, _) = rest.split_once("crc32c ").expect("a checksum");
        for value in values(8) {
            let body = format!("{head}{name}{value:0digits$}\n{rest}");
            let crc = crc32c::crc32c(body.as_bytes());
            let disk = golden.disk.snapshot();
            let text = format!("{body}crc32c {crc:08x}\n");
            disk.plant(file, text.as_bytes()).expect("planted");
            tally.look(&format!("{file}: {name}{value}"), &disk, &golden);
        }
    }
    tally.end("numbers in text");
}

/// Returns where the numbers of a line of JSON are: digits that do not follow a quote.
fn numbers(leaf: &[u8]) -> Vec<Range<usize>> {
    let is_digit = |at: usize| leaf.get(at).is_some_and(u8::is_ascii_digit);
    let begins = |at: &usize| is_digit(*at) && b":[,".contains(&leaf[*at - 1]);
    let end = |at: usize| {
        (at..leaf.len())
            .find(|at| !is_digit(*at))
            .unwrap_or(leaf.len())
    };
    (1..leaf.len())
        .filter(begins)
        .map(|at| at..end(at))
        .collect()
}

/// Returns the file with another leaf in the frame at `at`; the bytes after it move.
fn with_leaf(content: &[u8], at: usize, leaf: &[u8]) -> Vec<u8> {
    let records_at = at + 64 + place(content, at + 40, 4);
    let records_end = records_at + place(content, at + 44, 4);
    let mut changed = content[..at + 64].to_vec();
    let len = u32::try_from(leaf.len()).expect("short");
    changed[at + 40..at + 44].copy_from_slice(&len.to_le_bytes());
    changed.extend_from_slice(leaf);
    changed.extend_from_slice(&content[records_at..records_end]);
    changed.resize(changed.len().next_multiple_of(8), 0);
    seal_frame(&mut changed, at);
    changed.extend_from_slice(&content[records_end.next_multiple_of(8)..]);
    changed.resize(content.len(), 0);
    changed
}

/// Tries wild numbers in every event. The segment is removed, so that the journal is read.
fn wild_facts() {
    let golden = Golden::new();
    golden.disk.lose(SEGMENT).expect("there");
    golden.disk.settle();
    let mut tally = Tally::default();
    let mut nth = 0;
    for place in structures(&golden) {
        if place.what != "frame" {
            continue;
        }
        let content = golden.content(&place.file);
        let leaf_at = place.at + 64;
        let leaf = &content[leaf_at..leaf_at + self::place(&content, place.at + 40, 4)];
        for digits in numbers(leaf) {
            for value in [0, (1 << 63) - 1, 1 << 63, u64::MAX] {
                nth += 1;
                if nth % stride() != 0 {
                    continue;
                }
                let (head, tail) = (&leaf[..digits.start], &leaf[digits.end..]);
                let changed = [head, value.to_string().as_bytes(), tail].concat();
                let disk = golden.disk.snapshot();
                disk.plant(&place.file, &with_leaf(&content, place.at, &changed))
                    .expect("planted");
                let name = String::from_utf8_lossy(&head[head.len().saturating_sub(24)..]);
                let what = format!("{}: frame at {}: ...{name}{value}", place.file, place.at);
                tally.look(&what, &disk, &golden);
            }
        }
    }
    assert!(nth > 200, "only {nth} numbers");
    tally.end("numbers in events");
}

/// Returns zstd frames that claim a window or a content of gigabytes, or unpack to that much.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    // A block of 128 KiB that repeats one byte.
    let block = |last: u32| {
        let head = last | (1 << 1) | ((128 << 10) << 3);
        let mut bytes = head.to_le_bytes()[..3].to_vec();
        bytes.push(b'a');
        bytes
    };
    let one = block(1);
    let many = |blocks: usize| [block(0).repeat(blocks), block(1)].concat();
    let claims = |bytes: u64| [&MAGIC[..], &[0xe0], &bytes.to_le_bytes(), &one].concat();
    vec![
        (
            "a window of 2 GiB",
            [&MAGIC[..], &[0, 21 << 3], &one].concat(),
        ),
        (
            "the widest window there is",
            [&MAGIC[..], &[0, 0xff], &one].concat(),
        ),
        ("claims 2^31 bytes", claims(1 << 31)),
        ("claims 2^63 - 1 bytes", claims((1 << 63) - 1)),
        ("claims 2^64 - 1 bytes", claims(u64::MAX)),
        (
            "a window of 2 GiB, and more than fits",
            [&MAGIC[..], &[0, 21 << 3], &many(30)].concat(),
        ),
    ]
}

/// Puts a frame in place of stored bytes, and fills the rest with a frame that a reader must skip.
fn put(content: &mut [u8], at: usize, bytes: usize, bomb: &[u8]) -> bool {
    let Some(rest) = bytes.checked_sub(bomb.len() + 8) else {
        return false;
    };
    let skipped = u32::try_from(rest).expect("small").to_le_bytes();
    let filled = [
        bomb,
        &0x184d_2a50_u32.to_le_bytes(),
        &skipped,
        &vec![0; rest],
    ]
    .concat();
    content[at..at + bytes].copy_from_slice(&filled);
    true
}

fn whole_stores_of_bombs() {
    let mut tally = Tally::default();
    let mut nth = 0;
    for golden in [Golden::new(), Golden::worn()] {
        for place in structures(&golden) {
            let content = golden.content(&place.file);
            // Where the stored bytes begin, and where the header states their number and their
            // unpacked length.
            let (stored_at, stored_len, raw_len) = match place.what {
                "record" => (record_header(&content, place.at), 16, 12),
                "block" => (32, 4, 8),
                _ => continue,
            };
            let stored =
                usize::try_from(number(&content, place.at + stored_len, 4)).expect("small");
            for (what, bomb) in bombs() {
                for raw in [128 << 10, 8 << 20, u32::MAX] {
                    nth += 1;
                    if nth % stride() != 0 {
                        continue;
                    }
                    let mut content = content.clone();
                    if !put(&mut content, place.at + stored_at, stored, &bomb) {
                        continue;
                    }
                    if place.what == "record" {
                        content[place.at + 5] = 1;
                    }
                    let raw_at = place.at + raw_len;
                    content[raw_at..raw_at + 4].copy_from_slice(&raw.to_le_bytes());
                    (place.seal)(&mut content);
                    let disk = golden.disk.snapshot();
                    disk.plant(&place.file, &content).expect("planted");
                    let what = format!(
                        "{}: {} at {}: {what}, for {raw} bytes",
                        place.file, place.what, place.at
                    );
                    tally.look(&what, &disk, &golden);
                }
            }
        }
    }
    assert!(nth > 200, "only {nth} places for a bomb");
    tally.end("bombs");
}

/// All cases run one after the other in one test, because memory is measured for the whole process.
#[test]
fn no_number_and_no_bomb_takes_more_memory_than_the_store_is_worth() {
    let golden = Golden::new();
    let mut sound = Tally::default();
    // Let threads allocate what they need once, before measuring.
    for _ in 0..8 {
        sound.look("a sound store", &golden.disk, &golden);
    }
    sound.end("sound stores");
    wild_texts();
    wild_facts();
    whole_stores_of_bombs();
    wild_numbers();
}
