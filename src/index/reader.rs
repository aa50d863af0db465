//! A snapshot of the tables, for reading.

use super::entries::Entries;
use super::error::IndexError;
use super::overlay::{Counter, CounterKey, PersonalFields};
use super::postings::Bits;
use super::rows::{self, HoldRow, LockRow, PendingPurgeRow, Totals};
use super::tables::{self, Bytes, Field, Span};
use super::text::Trigram;
use crate::id::EventSeq;
use redb::{AccessGuard, Database, ReadOnlyTable, ReadableDatabase};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A snapshot of the tables. Later commits do not change what it reads.
pub(super) struct Reader {
    /// redb fails every read once its database is dropped. A reader outlives the index that it was
    /// opened on, for instance where a copy takes its place.
    _db: Arc<Database>,
    pub(super) applied: EventSeq,
    pub(super) totals: Totals,
    pub(super) entries: Entries,
    pub(super) postings: ReadOnlyTable<Bytes, Bytes>,
    pub(super) digests: ReadOnlyTable<u64, Bytes>,
    pub(super) trigrams: ReadOnlyTable<u64, Bytes>,
    pub(super) ordinals: ReadOnlyTable<u64, Bytes>,
    pub(super) times: ReadOnlyTable<u64, Bytes>,
    pub(super) zones: ReadOnlyTable<u32, Bytes>,
    pub(super) blobs: ReadOnlyTable<&'static [u8; 32], Bytes>,
    pub(super) children: ReadOnlyTable<&'static [u8; 32], Bytes>,
    pub(super) packs: ReadOnlyTable<u64, Bytes>,
    pub(super) keys: ReadOnlyTable<&'static [u8; 16], u64>,
    pub(super) converters: ReadOnlyTable<&'static [u8; 32], Bytes>,
    pub(super) converter_names: ReadOnlyTable<&'static str, &'static [u8; 32]>,
    pub(super) promotions: ReadOnlyTable<&'static str, Bytes>,
    pub(super) jobs: ReadOnlyTable<u64, Bytes>,
    pub(super) config: ReadOnlyTable<&'static str, Bytes>,
    pub(super) holds: BTreeMap<String, Arc<HoldRow>>,
    pub(super) pending_purges: BTreeMap<String, Arc<PendingPurgeRow>>,
    pub(super) views: ReadOnlyTable<&'static str, Bytes>,
    pub(super) counters: ReadOnlyTable<Bytes, Bytes>,
    pub(super) losses: ReadOnlyTable<&'static [u8; 32], u64>,
    pub(super) unreadable: ReadOnlyTable<u64, u64>,
    pub(super) submissions: ReadOnlyTable<(&'static str, u64, u32), Bytes>,
    pub(super) disclosures: ReadOnlyTable<u64, Bytes>,
    pub(super) actors: ReadOnlyTable<&'static str, Bytes>,
    pub(super) evidence: ReadOnlyTable<u64, ()>,
    /// The personal fields.
    pub(super) personal: PersonalFields,
    pub(super) locks: Arc<[LockRow]>,
}

impl Reader {
    pub(super) fn open(db: &Arc<Database>) -> Result<Self, IndexError> {
        let txn = db.begin_read()?;
        let meta = txn.open_table(tables::META)?;
        let applied = meta
            .get(tables::META_APPLIED)?
            .and_then(|value| Some(u64::from_le_bytes(value.value().try_into().ok()?)))
            .ok_or(IndexError::Damaged("its header"))?;
        let totals = meta
            .get(tables::META_TOTALS)?
            .ok_or(IndexError::Damaged("its header"))?;
        let mut holds = BTreeMap::new();
        for row in txn.open_table(tables::HOLDS)?.range::<&str>(..)? {
            let (name, hold) = row?;
            let hold = rows::decode(hold.value())?;
            holds.insert(name.value().to_owned(), Arc::new(hold));
        }
        let mut pending_purges = BTreeMap::new();
        for row in txn.open_table(tables::PENDING_PURGES)?.range::<&str>(..)? {
            let (plan, purge) = row?;
            let purge = rows::decode(purge.value())?;
            pending_purges.insert(plan.value().to_owned(), Arc::new(purge));
        }
        Ok(Self {
            _db: Arc::clone(db),
            applied: EventSeq(applied),
            totals: rows::decode(totals.value())?,
            entries: Entries::over(txn.open_table(tables::ENTRIES)?),
            postings: txn.open_table(tables::POSTINGS)?,
            digests: txn.open_table(tables::DIGESTS)?,
            trigrams: txn.open_table(tables::TRIGRAMS)?,
            ordinals: txn.open_table(tables::ORDINALS)?,
            times: txn.open_table(tables::TIMES)?,
            zones: txn.open_table(tables::ZONES)?,
            blobs: txn.open_table(tables::BLOBS)?,
            children: txn.open_table(tables::CHILDREN)?,
            packs: txn.open_table(tables::PACKS)?,
            keys: txn.open_table(tables::KEYS)?,
            converters: txn.open_table(tables::CONVERTERS)?,
            converter_names: txn.open_table(tables::CONVERTER_NAMES)?,
            promotions: txn.open_table(tables::PROMOTIONS)?,
            jobs: txn.open_table(tables::JOBS)?,
            config: txn.open_table(tables::CONFIG)?,
            holds,
            pending_purges,
            views: txn.open_table(tables::VIEWS)?,
            counters: txn.open_table(tables::COUNTERS)?,
            losses: txn.open_table(tables::LOSSES)?,
            unreadable: txn.open_table(tables::UNREADABLE)?,
            submissions: txn.open_table(tables::SUBMISSIONS)?,
            disclosures: txn.open_table(tables::DISCLOSURES)?,
            actors: txn.open_table(tables::ACTORS)?,
            evidence: txn.open_table(tables::EVIDENCE)?,
            locks: match meta.get(tables::META_LOCKS)? {
                Some(locks) => rows::decode::<Vec<_>>(locks.value())?.into(),
                None => Arc::default(),
            },
            personal: match meta.get(tables::META_PERSONAL)? {
                Some(fields) => rows::decode::<Vec<_>>(fields.value())?.into(),
                None => Arc::default(),
            },
        })
    }

    /// Returns the spans that have entries, ascending, each with the zone of the whole span.
    pub(super) fn spans(&self) -> Result<Vec<(Span, tables::Zone)>, IndexError> {
        let mut spans = Vec::new();
        for row in self.zones.range::<u32>(..)? {
            let (span, zones) = row?;
            let whole =
                tables::Zones::parse_whole(zones.value()).ok_or(IndexError::Damaged("a zone"))?;
            spans.push((span.value(), whole));
        }
        Ok(spans)
    }

    /// Adds the entries of `span` with a trigram to `bits`.
    pub(super) fn add_trigram(
        &self,
        span: Span,
        trigram: Trigram,
        bits: &mut Bits,
    ) -> Result<(), IndexError> {
        match self.trigrams.get(tables::trigram_key(span, trigram))? {
            Some(packed) => bits.insert_packed(packed.value()),
            None => Ok(()),
        }
    }

    /// Returns the packed set of the entries of `span` with `term`.
    pub(super) fn posting(
        &self,
        span: Span,
        field: Field,
        term: &[u8],
    ) -> Result<Option<AccessGuard<'static, Bytes>>, IndexError> {
        let key = tables::posting_key(span, field, term);
        Ok(self.postings.get(key.as_slice())?)
    }

    /// Inserts the entries of `span` with `term` into `bits`.
    pub(super) fn add_posting(
        &self,
        span: Span,
        field: Field,
        term: &[u8],
        bits: &mut Bits,
    ) -> Result<(), IndexError> {
        match self.posting(span, field, term)? {
            Some(packed) => bits.insert_packed(packed.value()),
            None => Ok(()),
        }
    }

    pub(super) fn counters(&self) -> Result<BTreeMap<CounterKey, Counter>, IndexError> {
        let mut counters = BTreeMap::new();
        for row in self.counters.range::<&[u8]>(..)? {
            let (key, value) = row?;
            let damaged = || IndexError::Damaged("a counter");
            let key = CounterKey::parse(key.value()).ok_or_else(damaged)?;
            let value = Counter::parse(value.value()).ok_or_else(damaged)?;
            counters.insert(key, value);
        }
        Ok(counters)
    }
}
