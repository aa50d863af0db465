//! Every table of the index, with its keys and values.
//!
//! Ids are cut into **spans** of 65,536 and spans into **blocks** of 1,024. Every table about many
//! entries has the span first in its key. A checkpoint then touches only the few spans of its
//! entries, however large the archive is, and a new span is written by appending. A search looks at
//! one span after the other.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | name | `schema` u32, `store` 16 bytes, `applied` u64, `totals` row, `compact_bytes` u64, `personal` fields with the events since which they are, `scrubbed` u64 |
//! | `entries` | group of 32 entries, then the number of a part in 20 bits | the next bytes of their rows, packed as `rows::group` says |
//! | `postings` | span u32, field u8, term | packed set of the ids that have the term |
//! | `digests` | span, the first 12 bits of digests of sources and reports | for each of them, ascending: its next 24 bits, the entry's place in the span u16, both big-endian |
//! | `trigrams` | span, three bytes of folded text | packed set of the ids with that text |
//! | `ordinals` | span, field | for each entry of the span, by rank: which of the field's terms is its own |
//! | `times` | block | for each entry of the block, as numbers: how far it is from the entry before, and how much later it was archived in microseconds, with the sign in the lowest bit; where its source has a time, how much later that is than its archiving; the bytes of its source |
//! | `zones` | span | oldest and newest archived-at of the span, then of each of its 64 blocks: (i64, i64) |
//! | `blobs` | blob | blob row |
//! | `children` | blob | the blobs it is cut into, 32 bytes each |
//! | `packs` | pack | pack row |
//! | `keys` | first 16 bytes of the BLAKE3 of an idempotency key | entry |
//! | `converters`, `converter_names` | identity; name | converter row; newest identity of that name |
//! | `promotions` | converter name | promotions row |
//! | `views` | name of a saved view | view row |
//! | `jobs`, `config`, `holds`, `pending_purges` | job; item; name; plan | rows |
//! | `submissions` | converter name, event that queued it u64, place among the attempt's reports u32 | queued row |
//! | `losses` | blob given up by a repair | the event that says so |
//! | `unreadable` | event whose leaf cannot be read | the repair that says so u64, 0 while none does |
//! | `disclosures` | entry | disclosure rows of its personal values, in the order of their events |
//! | `actors` | pseudonym | actor row |
//! | `evidence` | list of events about evidence in the highest byte, then the event | nothing |
//! | `counters` | day i64, status, purged, converter name | entries u64, bytes u64 |
//!
//! Numbers in keys are big-endian so that they sort, numbers in values little-endian. `totals` and
//! the other rows are bincode, see `rows`.

use redb::TableDefinition;

use crate::event::EvidenceList;
use crate::id::{EntryId, EventSeq};
use crate::query::SortField;

/// The version of the layout. It grows with every change of a layout or of what events are turned
/// into. Another number calls for a rebuild.
pub(super) const SCHEMA: u32 = 16;
/// Marks a file that is still being built and is no index yet.
pub(super) const SCHEMA_HALF_MADE: u32 = 0;

/// How many entry ids one span covers.
pub(super) const SPAN_IDS: usize = 1 << SPAN_BITS;

/// A rebuild checkpoints fastest right before an event whose number is a multiple of this: then the
/// checkpoint only appends.
pub(crate) const CHECKPOINT_EVENTS: u64 = SPAN_IDS as u64;
const SPAN_BITS: u32 = 16;
/// How many entry ids one block covers.
pub(super) const BLOCK_IDS: usize = 1 << BLOCK_BITS;
const BLOCK_BITS: u32 = 10;
pub(super) const SPAN_BLOCKS: usize = SPAN_IDS / BLOCK_IDS;

pub(super) type Bytes = &'static [u8];

pub(super) const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta");
pub(super) const ENTRIES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("entries");
pub(super) const POSTINGS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("postings");
pub(super) const DIGESTS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("digests");
pub(super) const TRIGRAMS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("trigrams");
pub(super) const ORDINALS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("ordinals");
pub(super) const TIMES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("times");
pub(super) const ZONES: TableDefinition<'_, u32, Bytes> = TableDefinition::new("zones");
pub(super) const BLOBS: TableDefinition<'_, &[u8; 32], Bytes> = TableDefinition::new("blobs");
/// The next `blobs`, while it is written.
pub(super) const BLOBS_ANEW: TableDefinition<'_, &[u8; 32], Bytes> =
    TableDefinition::new("blobs_anew");
pub(super) const CHILDREN: TableDefinition<'_, &[u8; 32], Bytes> = TableDefinition::new("children");
pub(super) const PACKS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("packs");
pub(super) const KEYS: TableDefinition<'_, &[u8; 16], u64> = TableDefinition::new("keys");
pub(super) const CONVERTERS: TableDefinition<'_, &[u8; 32], Bytes> =
    TableDefinition::new("converters");
pub(super) const CONVERTER_NAMES: TableDefinition<'_, &str, &[u8; 32]> =
    TableDefinition::new("converter_names");
pub(super) const PROMOTIONS: TableDefinition<'_, &str, Bytes> = TableDefinition::new("promotions");
pub(super) const JOBS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("jobs");
pub(super) const CONFIG: TableDefinition<'_, &str, Bytes> = TableDefinition::new("config");
pub(super) const HOLDS: TableDefinition<'_, &str, Bytes> = TableDefinition::new("holds");
/// Purges that are not final.
pub(super) const PENDING_PURGES: TableDefinition<'_, &str, Bytes> =
    TableDefinition::new("pending_purges");
pub(super) const VIEWS: TableDefinition<'_, &str, Bytes> = TableDefinition::new("views");
pub(super) const COUNTERS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("counters");
pub(super) const LOSSES: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("losses");
pub(super) const UNREADABLE: TableDefinition<'_, u64, u64> = TableDefinition::new("unreadable");

pub(super) const DISCLOSURES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("disclosures");
pub(super) const ACTORS: TableDefinition<'_, &str, Bytes> = TableDefinition::new("actors");
pub(super) const EVIDENCE: TableDefinition<'_, u64, ()> = TableDefinition::new("evidence");

pub(super) const SUBMISSIONS: TableDefinition<'_, (&str, u64, u32), Bytes> =
    TableDefinition::new("submissions");

pub(super) const META_SCHEMA: &str = "schema";
pub(super) const META_STORE: &str = "store";
pub(super) const META_APPLIED: &str = "applied";
pub(super) const META_TOTALS: &str = "totals";
/// How much space the file took when it was last known to have little free room.
pub(super) const META_COMPACT_BYTES: &str = "compact_bytes";

/// The personal fields.
pub(super) const META_PERSONAL: &str = "personal";
pub(super) const META_LOCKS: &str = "locks";
/// The newest erasure that the file keeps no bytes from before, not even in free pages.
pub(super) const META_SCRUBBED: &str = "scrubbed";

/// The number of a span.
pub(super) type Span = u32;

/// The largest entry id that fits a span number.
pub(super) const ENTRY_ID_MAX: u64 = (1 << (32 + SPAN_BITS)) - 1;

/// Returns the span of an entry and its position there; `None` for an id that no entry can have.
pub(super) fn locate(id: u64) -> Option<(Span, u16)> {
    let low = u16::try_from(id & (SPAN_IDS as u64 - 1)).ok()?;
    Some((Span::try_from(id >> SPAN_BITS).ok()?, low))
}

/// Returns the entry at a position of a span.
pub(super) fn entry_at(span: Span, low: u16) -> EntryId {
    EntryId(u64::from(span) << SPAN_BITS | u64::from(low))
}

/// Returns the key of a block of a span, in `times`.
pub(super) fn block_key(span: Span, block: usize) -> u64 {
    u64::from(span) << (SPAN_BITS - BLOCK_BITS) | block as u64
}

/// The first bytes of a digest.
pub(super) type DigestHead = u64;

/// How many bits of a digest the index holds: those in the key, then those in the value.
pub(super) const DIGEST_BITS: u32 = DIGEST_KEY_BITS + 24;
const DIGEST_KEY_BITS: u32 = 12;

/// One digest in a value of `digests`.
pub(super) type DigestItem = [u8; 5];

/// Returns the key of a digest in a span.
pub(super) fn digest_key(span: Span, digest: DigestHead) -> u64 {
    u64::from(span) << DIGEST_KEY_BITS | digest >> (DigestHead::BITS - DIGEST_KEY_BITS)
}

/// Returns what the value under the digest's key holds of it. Items sort like digests.
pub(super) fn digest_item(digest: DigestHead, low: u16) -> DigestItem {
    let held = digest >> (DigestHead::BITS - DIGEST_BITS);
    let [.., first, second, third] = held.to_be_bytes();
    let [high, low] = low.to_be_bytes();
    [first, second, third, high, low]
}

/// Returns the entry's position in its span.
pub(super) fn digest_low([.., high, low]: DigestItem) -> u16 {
    u16::from_be_bytes([high, low])
}

/// Returns the items of a value of `digests`; `None` when it is no such value.
pub(super) fn digest_items(value: &[u8]) -> Option<&[DigestItem]> {
    match value.as_chunks() {
        (items, []) => Some(items),
        _ => None,
    }
}

/// Returns the key of an event in a list of events about evidence. No event has a number of more
/// than 48 bits: see [`ENTRY_ID_MAX`].
pub(super) fn evidence_key(list: EvidenceList, event: EventSeq) -> u64 {
    u64::from(list as u8) << 56 | event.0
}

/// Returns the event of such a key.
pub(super) fn evidence_event(key: u64) -> EventSeq {
    EventSeq(key & (u64::MAX >> 8))
}

/// Returns the key of a trigram in a span.
pub(super) fn trigram_key(span: Span, trigram: u32) -> u64 {
    u64::from(span) << 24 | u64::from(trigram)
}

/// Returns the key of a field's ordinals in a span.
pub(super) fn ordinals_key(span: Span, field: Field) -> u64 {
    u64::from(span) << 8 | u64::from(field as u8)
}

/// Returns the key of a term in a span.
pub(super) fn posting_key(span: Span, field: Field, term: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(POSTING_PREFIX + term.len());
    key.extend(span.to_be_bytes());
    key.push(field as u8);
    key.extend(term);
    key
}

/// Number of bytes before the term in the key of a posting.
pub(super) const POSTING_PREFIX: usize = 5;

/// Returns the bounds of the keys of a field's terms in a span: the first key (included) and the
/// end (excluded).
pub(super) fn term_bounds(
    span: Span,
    field: Field,
) -> ([u8; POSTING_PREFIX], [u8; POSTING_PREFIX]) {
    let [a, b, c, d] = span.to_be_bytes();
    let field = field as u8;
    ([a, b, c, d, field], [a, b, c, d, field + 1])
}

/// The property that a posting list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Field {
    /// Every entry; the term is empty.
    All,
    /// Purged entries; the term is empty.
    Purged,
    Converter,
    Version,
    Status,
    Serial,
    Part,
    Station,
    Process,
    SourceName,
    Size,
    Job,
    Report,
    Meta,
    Label,
    /// Serials and parts that a note corrected.
    Former,
    /// Entries whose last attempt is suspicious; the term is empty.
    Suspicious,
    /// The causes of the trouble with the last attempt.
    Cause,
    /// The converter that made the last success.
    Maker,
    /// The placements of holds that the entry came to match later.
    Held,
}

impl Field {
    /// Returns true when most entries have a term that no other entry has.
    pub(super) const fn identifies(self) -> bool {
        matches!(
            self,
            Self::Serial | Self::SourceName | Self::Size | Self::Report
        )
    }

    /// The fields that a listing can be ordered by through their terms. Each entry has exactly one
    /// term in each of them.
    pub(super) const ORDERED: [Self; 8] = [
        Self::Converter,
        Self::Status,
        Self::Serial,
        Self::Part,
        Self::Station,
        Self::Process,
        Self::SourceName,
        Self::Size,
    ];

    /// Returns the field behind a column; `None` for columns that are ordered in another way.
    pub(super) const fn of(column: SortField) -> Option<Self> {
        match column {
            SortField::Id | SortField::ArchivedAt => None,
            SortField::Converter => Some(Self::Converter),
            SortField::SourceName => Some(Self::SourceName),
            SortField::Status => Some(Self::Status),
            SortField::Size => Some(Self::Size),
            SortField::Serial => Some(Self::Serial),
            SortField::Part => Some(Self::Part),
            SortField::Station => Some(Self::Station),
            SortField::Process => Some(Self::Process),
        }
    }
}

/// The oldest and the newest archived-at time of a span or a block; `NEVER` when it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) oldest: i64,
    pub(super) newest: i64,
}

impl Zone {
    pub(super) const NEVER: Self = Self {
        oldest: i64::MAX,
        newest: i64::MIN,
    };

    pub(super) fn take_in(&mut self, micros: i64) {
        self.oldest = self.oldest.min(micros);
        self.newest = self.newest.max(micros);
    }

    fn parse(bytes: [u8; 16]) -> Self {
        let (oldest, newest) = bytes.split_at(8);
        let number = |half: &[u8]| half.try_into().map_or(0, i64::from_le_bytes);
        Self {
            oldest: number(oldest),
            newest: number(newest),
        }
    }
}

/// The value of a span in `zones`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zones {
    pub(super) whole: Zone,
    pub(super) blocks: [Zone; SPAN_BLOCKS],
}

impl Zones {
    pub(super) const NEVER: Self = Self {
        whole: Zone::NEVER,
        blocks: [Zone::NEVER; SPAN_BLOCKS],
    };

    /// Returns only the zone of the whole span.
    pub(super) fn parse_whole(bytes: &[u8]) -> Option<Zone> {
        Some(Zone::parse(*bytes.first_chunk()?))
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (zones, []) = bytes.as_chunks::<16>() else {
            return None;
        };
        let (whole, blocks) = zones.split_first()?;
        let mut parsed = Self::NEVER;
        parsed.whole = Zone::parse(*whole);
        let blocks: &[[u8; 16]; SPAN_BLOCKS] = blocks.try_into().ok()?;
        for (zone, bytes) in parsed.blocks.iter_mut().zip(blocks) {
            *zone = Zone::parse(*bytes);
        }
        Some(parsed)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        std::iter::once(&self.whole)
            .chain(&self.blocks)
            .flat_map(|zone| [zone.oldest.to_le_bytes(), zone.newest.to_le_bytes()])
            .flatten()
            .collect()
    }
}

/// The times of an entry, in microseconds, and its size: what is summed up over many entries
/// without reading their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// The entry's position in its *span*.
    pub(super) low: u16,
    pub(super) archived: i64,
    /// When its source was last changed; `None` when that is not known.
    pub(super) changed: Option<i64>,
    /// Bytes of its source.
    pub(super) size: u64,
}

/// Appends entries to the value of a block. They must ascend, and come after those that are there.
pub(super) fn push_times(block: &mut Vec<u8>, entries: &[Times]) {
    let last = times(block).last();
    let (mut low, mut archived) = last.map_or((0, 0), |last| (last.low, last.archived));
    for next in entries {
        let further = u64::from(next.low.wrapping_sub(low));
        put_number(block, further << 1 | u64::from(next.changed.is_some()));
        put_signed(block, next.archived.wrapping_sub(archived));
        if let Some(changed) = next.changed {
            put_signed(block, changed.wrapping_sub(next.archived));
        }
        put_number(block, next.size);
        (low, archived) = (next.low, next.archived);
    }
}

/// Returns the entries of a block, ascending.
pub(super) fn times(block: &[u8]) -> impl Iterator<Item = Times> + '_ {
    let (mut rest, mut low, mut archived) = (block, 0_u16, 0_i64);
    std::iter::from_fn(move || {
        let further = take_number(&mut rest)?;
        let [a, b, ..] = (further >> 1).to_le_bytes();
        low = low.wrapping_add(u16::from_le_bytes([a, b]));
        archived = archived.wrapping_add(take_signed(&mut rest)?);
        let changed = if further & 1 == 1 {
            Some(archived.wrapping_add(take_signed(&mut rest)?))
        } else {
            None
        };
        Some(Times {
            low,
            archived,
            changed,
            size: take_number(&mut rest)?,
        })
    })
}

/// Appends a number with its sign in the lowest bit, so that small negative ones are short, too.
fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, (number << 1 ^ number >> 63).cast_unsigned());
}

fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    let number = take_number(bytes)?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

/// Appends a number: seven bits in each byte, the lowest first, and the highest bit where more
/// follow.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Takes a number off the beginning of `bytes`; `None` where there is none.
pub(super) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_span_and_its_place_in_it() {
        for id in [0, 1, 65_535, 65_536, 1 << 40, ENTRY_ID_MAX] {
            let (span, low) = locate(id).expect("in range");
            assert_eq!(entry_at(span, low), EntryId(id));
            assert_eq!(digest_low(digest_item(u64::MAX, low)), low);
        }
        assert_eq!(locate(ENTRY_ID_MAX + 1), None);
    }

    #[test]
    fn times_survive_being_written_in_parts() {
        let entries = [
            (3, 1_796_000_000_000_000, Some(1_795_999_999_000_000)),
            (4, -7, None),
            (900, i64::MAX, Some(i64::MIN)),
            (1_023, i64::MIN, Some(i64::MAX)),
        ];
        let entries = entries.map(|(low, archived, changed)| Times {
            low,
            archived,
            changed,
            size: u64::MAX - u64::from(low),
        });
        for cut in 0..=entries.len() {
            let mut block = Vec::new();
            push_times(&mut block, &entries[..cut]);
            push_times(&mut block, &entries[cut..]);
            assert!(times(&block).eq(entries));
        }
        // What is no number ends the block.
        assert_eq!(times(&[0xff; 30]).count(), 0);
        assert_eq!(times(&[1]).count(), 0);
    }

    #[test]
    fn zones_survive_being_written_and_read() {
        let mut zones = Zones::NEVER;
        zones.whole.take_in(-7);
        zones.blocks[63].take_in(-7);
        zones.blocks[63].take_in(9);
        assert_eq!(Zones::parse(&zones.bytes()), Some(zones.clone()));
        assert_eq!(Zones::parse_whole(&zones.bytes()), Some(zones.whole));
        assert_eq!(Zones::parse(&zones.bytes()[1..]), None);
        assert_eq!(Zones::parse(&[]), None);
    }
}
