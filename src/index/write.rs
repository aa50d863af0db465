//! The checkpoint: an overlay into the tables, in one transaction.
//!
//! For every changed entry the row in the table is compared with the new one; the terms that came and went say which
//! posting lists change. Work is done span by span, in key order, and the three groups of tables by three threads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, Range};
use std::thread;

use redb::{Database, ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::IndexError;
use super::overlay::{Counter, Overlay};
use super::postings::{self, Bits, Low, Ranks};
use super::rows::{self, EntryRow, Totals};
use super::tables::{self, BLOCK_IDS, Bytes, Field, POSTING_PREFIX, Span, Zones, locate};
use super::terms;
use super::text::Trigram;
use super::view::Reader;
use crate::id::{EntryId, StoreId};

/// Makes every table, empty.
pub(super) fn begin(db: &Database, store: StoreId) -> Result<(), IndexError> {
    let txn = begin_write(db)?;
    {
        let mut meta = txn.open_table(tables::META)?;
        meta.insert(tables::META_SCHEMA, &tables::SCHEMA.to_le_bytes()[..])?;
        meta.insert(tables::META_STORE, &store.as_bytes()[..])?;
        meta.insert(tables::META_APPLIED, &0_u64.to_le_bytes()[..])?;
        let totals = rows::encode(&Totals::default());
        meta.insert(tables::META_TOTALS, totals.as_slice())?;
    }
    txn.open_table(tables::ENTRIES)?;
    txn.open_table(tables::POSTINGS)?;
    txn.open_table(tables::DIGESTS)?;
    txn.open_table(tables::TRIGRAMS)?;
    txn.open_table(tables::ORDINALS)?;
    txn.open_table(tables::TIMES)?;
    txn.open_table(tables::ZONES)?;
    txn.open_table(tables::BLOBS)?;
    txn.open_table(tables::CHILDREN)?;
    txn.open_table(tables::PACKS)?;
    txn.open_table(tables::KEYS)?;
    txn.open_table(tables::CONVERTERS)?;
    txn.open_table(tables::CONVERTER_NAMES)?;
    txn.open_table(tables::JOBS)?;
    txn.open_table(tables::CONFIG)?;
    txn.open_table(tables::HOLDS)?;
    txn.open_table(tables::COUNTERS)?;
    txn.open_table(tables::LOSSES)?;
    txn.open_table(tables::UNREADABLE)?;
    txn.open_table(tables::SUBMISSIONS)?;
    txn.commit()?;
    Ok(())
}

fn begin_write(db: &Database) -> Result<WriteTransaction, IndexError> {
    let mut txn = db.begin_write()?;
    // A crash must not cost a walk over the whole file at the next start.
    txn.set_quick_repair(true);
    Ok(txn)
}

/// How much of an overlay a checkpoint writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it; the file is an index afterwards.
    Whole,
    /// Part of it; the file is none before the next checkpoint that writes the whole.
    HalfMade {
        /// Whether the rows are among it whose keys come in no order.
        scattered: bool,
    },
}

/// Writes `overlay`, whose rows replace those that `reader` sees.
pub(super) fn commit(
    db: &Database,
    reader: &Reader,
    overlay: &Overlay,
    extent: Extent,
) -> Result<(), IndexError> {
    let txn = begin_write(db)?;
    let spans = &spans(reader, overlay)?;
    let txn_ref = &txn;
    thread::scope(|scope| {
        let trigrams = scope.spawn(move || write_trigrams(txn_ref, reader, spans));
        let postings = scope.spawn(move || write_postings(txn_ref, reader, spans));
        let rest = write_rows(txn_ref, reader, overlay, extent);
        for thread in [trigrams, postings] {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        rest
    })?;
    txn.commit()?;
    Ok(())
}

/// The changed entries of one span.
struct ChangedSpan<'a> {
    span: Span,
    /// True when the tables have nothing of this span yet, so that its rows can be appended.
    fresh: bool,
    entries: Vec<ChangedEntry<'a>>,
}

struct ChangedEntry<'a> {
    id: EntryId,
    low: Low,
    /// False when the tables have no row of it yet.
    known: bool,
    row: &'a [u8],
}

fn spans<'a>(reader: &Reader, overlay: &'a Overlay) -> Result<Vec<ChangedSpan<'a>>, IndexError> {
    let newest = reader.totals.newest_entry;
    let newest_span = match newest {
        0 => None,
        id => locate(id).map(|(span, _)| span),
    };
    let mut spans: Vec<ChangedSpan<'_>> = Vec::new();
    for (id, row) in overlay.entries.iter() {
        let (span, low) = locate(id.0).ok_or(IndexError::TooManyEvents(id.event()))?;
        let entry = ChangedEntry {
            id: *id,
            low,
            known: id.0 <= newest,
            row,
        };
        match spans.last_mut() {
            Some(last) if last.span == span => last.entries.push(entry),
            _ => spans.push(ChangedSpan {
                span,
                fresh: Some(span) > newest_span,
                entries: vec![entry],
            }),
        }
    }
    Ok(spans)
}

/// The members that each trigram, or each term, gains and loses.
#[derive(Default)]
struct Edit {
    added: Vec<Low>,
    removed: Vec<Low>,
}

fn write_trigrams(
    txn: &WriteTransaction,
    reader: &Reader,
    spans: &[ChangedSpan<'_>],
) -> Result<(), IndexError> {
    let mut table = txn.open_table(tables::TRIGRAMS)?;
    for span in spans {
        let mut gained = TrigramLists::default();
        let mut edits: BTreeMap<Trigram, Edit> = BTreeMap::new();
        for entry in &span.entries {
            let row: EntryRow<'_> = rows::decode(entry.row)?;
            if !entry.known {
                terms::trigrams(&row, |code| gained.push(code, entry.low));
                continue;
            }
            let Some(old) = reader.entries.get(entry.id.0)? else {
                return Err(IndexError::Damaged("the entries"));
            };
            let old = trigram_set(&rows::decode(old.value())?);
            let new = trigram_set(&row);
            for code in new.difference(&old) {
                edits.entry(*code).or_default().added.push(entry.low);
            }
            for code in old.difference(&new) {
                edits.entry(*code).or_default().removed.push(entry.low);
            }
        }
        if span.fresh {
            let mut end = table.upper_bound_mut(Bound::<u64>::Unbounded)?;
            gained.each(|code, members| {
                let packed = postings::pack(members);
                Ok(end.insert_before(tables::trigram_key(span.span, code), packed.as_slice())?)
            })?;
            end.close()?;
            continue;
        }
        gained.each(|code, members| {
            edits.entry(code).or_default().added.extend(members);
            Ok(())
        })?;
        for (code, edit) in edits {
            let key = tables::trigram_key(span.span, code);
            let old = table.get(key)?.map(|packed| packed.value().to_vec());
            match postings::edit(old.as_deref(), &edit.added, &edit.removed)? {
                Some(packed) => drop(table.insert(key, packed.as_slice())?),
                None => drop(table.remove(key)?),
            }
        }
    }
    Ok(())
}

fn trigram_set(row: &EntryRow<'_>) -> BTreeSet<Trigram> {
    let mut set = BTreeSet::new();
    terms::trigrams(row, |code| {
        set.insert(code);
    });
    set
}

/// The members of each trigram, found by its bytes without hashing or sorting.
#[derive(Default)]
struct TrigramLists {
    /// By the first two bytes, as far as there are any; then by the third: which list, counted from 1.
    heads: Vec<Option<Box<[u32; 256]>>>,
    lists: Vec<Vec<Low>>,
}

impl TrigramLists {
    /// Adds a member; members come in ascending order, each as often as it likes.
    fn push(&mut self, code: Trigram, low: Low) {
        let (head, tail) = ((code >> 8) as usize, (code & 0xff) as usize);
        if head >= self.heads.len() {
            self.heads.resize_with(head + 1, || None);
        }
        let list = &mut self.heads[head].get_or_insert_with(|| Box::new([0; 256]))[tail];
        if *list == 0 {
            self.lists.push(Vec::new());
            // There are no more trigrams than 24 bits can tell apart.
            *list = u32::try_from(self.lists.len()).unwrap_or(u32::MAX);
        }
        let members = &mut self.lists[*list as usize - 1];
        if members.last() != Some(&low) {
            members.push(low);
        }
    }

    /// Hands out each trigram that has members, ascending.
    fn each(
        self,
        mut take: impl FnMut(Trigram, &[Low]) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for (head, tails) in (0..).zip(&self.heads) {
            for (tail, list) in (0..).zip(tails.iter().flat_map(|tails| tails.iter())) {
                if *list != 0 {
                    take(head << 8 | tail, &self.lists[*list as usize - 1])?;
                }
            }
        }
        Ok(())
    }
}

fn write_postings(
    txn: &WriteTransaction,
    reader: &Reader,
    spans: &[ChangedSpan<'_>],
) -> Result<(), IndexError> {
    let mut postings = txn.open_table(tables::POSTINGS)?;
    let mut ordinals = txn.open_table(tables::ORDINALS)?;
    let mut digests = txn.open_table(tables::DIGESTS)?;
    let mut times = txn.open_table(tables::TIMES)?;
    let mut zones = txn.open_table(tables::ZONES)?;
    for span in spans {
        let mut gained = TermLists::default();
        let mut edits: BTreeMap<Vec<u8>, Edit> = BTreeMap::new();
        let mut archived = Vec::new();
        let mut heads = Vec::new();
        for entry in &span.entries {
            let row: EntryRow<'_> = rows::decode(entry.row)?;
            terms::digests(&row, |head| {
                heads.push(tables::digest_key(span.span, head, entry.low));
            });
            if !entry.known {
                terms::terms(&row, |field, term| gained.push(field, term, entry.low));
                archived.push((entry.low, row.head.archived_at.micros()));
                continue;
            }
            let Some(old) = reader.entries.get(entry.id.0)? else {
                return Err(IndexError::Damaged("the entries"));
            };
            let old = term_set(&rows::decode(old.value())?);
            let new = term_set(&row);
            for key in new.difference(&old) {
                edits.entry(key.clone()).or_default().added.push(entry.low);
            }
            for key in old.difference(&new) {
                let edit = edits.entry(key.clone()).or_default();
                edit.removed.push(entry.low);
            }
        }
        heads.sort_unstable();
        heads.dedup();
        write_digests(&mut digests, span.fresh, &heads)?;
        write_times(&mut times, &mut zones, span.span, &archived)?;
        if span.fresh {
            append_terms(&mut postings, &mut ordinals, span.span, gained)?;
        } else {
            gained.each(|key, members| {
                edits.entry(key.to_vec()).or_default().added.extend(members);
                Ok(())
            })?;
            edit_terms(&mut postings, &mut ordinals, span.span, edits)?;
        }
    }
    Ok(())
}

/// The terms of a row, each behind the byte of its field.
fn term_set(row: &EntryRow<'_>) -> BTreeSet<Vec<u8>> {
    let mut set = BTreeSet::new();
    terms::terms(row, |field, term| {
        set.insert([&[field as u8], term].concat());
    });
    set
}

fn write_digests(
    digests: &mut Table<'_, u128, ()>,
    fresh: bool,
    keys: &[u128],
) -> Result<(), IndexError> {
    if fresh {
        let mut end = digests.upper_bound_mut(Bound::<u128>::Unbounded)?;
        for key in keys {
            end.insert_before(key, ())?;
        }
        end.close()?;
    } else {
        for key in keys {
            digests.insert(key, ())?;
        }
    }
    Ok(())
}

fn write_times(
    times: &mut Table<'_, u64, Bytes>,
    zones: &mut Table<'_, u32, Bytes>,
    span: Span,
    archived: &[(Low, i64)],
) -> Result<(), IndexError> {
    if archived.is_empty() {
        return Ok(());
    }
    let mut zone = match zones.get(span)? {
        Some(value) => Zones::parse(value.value()).ok_or(IndexError::Damaged("a zone"))?,
        None => Zones::NEVER,
    };
    let block_of = |low: Low| usize::from(low) / BLOCK_IDS;
    for entries in archived.chunk_by(|a, b| block_of(a.0) == block_of(b.0)) {
        let block = block_of(entries[0].0);
        let key = tables::block_key(span, block);
        let mut value = match times.get(key)? {
            Some(value) => value.value().to_vec(),
            None => Vec::new(),
        };
        for (low, micros) in entries {
            tables::push_time(&mut value, *low, *micros);
            zone.whole.take_in(*micros);
            zone.blocks[block].take_in(*micros);
        }
        times.insert(key, value.as_slice())?;
    }
    zones.insert(span, zone.bytes().as_slice())?;
    Ok(())
}

/// The members of each term of a new span. A key is the byte of the field and the term.
#[derive(Default)]
struct TermLists {
    /// Terms that many entries share.
    shared: HashMap<Vec<u8>, Vec<Low>>,
    /// Terms that most entries have for themselves: sorting these is cheaper than hashing them.
    own: Vec<OwnTerm>,
    texts: Vec<u8>,
    key: Vec<u8>,
}

struct OwnTerm {
    /// The first bytes of the key, so that most comparisons need not look at the text.
    head: u128,
    text: Range<u32>,
    low: Low,
}

impl TermLists {
    /// Adds a member; members come in ascending order, each as often as it likes.
    fn push(&mut self, field: Field, term: &[u8], low: Low) {
        self.key.clear();
        self.key.push(field as u8);
        self.key.extend_from_slice(term);
        let start = u32::try_from(self.texts.len());
        let end = u32::try_from(self.texts.len() + self.key.len());
        if let (true, Ok(start), Ok(end)) = (field.identifies(), start, end) {
            self.texts.extend_from_slice(&self.key);
            let mut head = [0; 16];
            let known = self.key.len().min(head.len());
            head[..known].copy_from_slice(&self.key[..known]);
            self.own.push(OwnTerm {
                head: u128::from_be_bytes(head),
                text: start..end,
                low,
            });
            return;
        }
        let members = match self.shared.get_mut(&self.key) {
            Some(members) => members,
            None => self.shared.entry(self.key.clone()).or_default(),
        };
        if members.last() != Some(&low) {
            members.push(low);
        }
    }

    /// Hands out each key with its members, ascending.
    fn each(
        mut self,
        mut take: impl FnMut(&[u8], &[Low]) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let texts = self.texts;
        let text = |term: &OwnTerm| &texts[term.text.start as usize..term.text.end as usize];
        self.own.sort_unstable_by(|a, b| {
            let heads = a.head.cmp(&b.head);
            heads.then_with(|| (text(a), a.low).cmp(&(text(b), b.low)))
        });
        let mut shared: Vec<(Vec<u8>, Vec<Low>)> = self.shared.into_iter().collect();
        shared.sort_unstable();
        let mut shared = shared.into_iter().peekable();
        let mut members = Vec::new();
        for group in self.own.chunk_by(|a, b| text(a) == text(b)) {
            let key = text(&group[0]);
            while let Some((key, members)) = shared.next_if(|(earlier, _)| earlier.as_slice() < key)
            {
                take(&key, &members)?;
            }
            members.clear();
            members.extend(group.iter().map(|term| term.low));
            members.dedup();
            // The one case of a key in both: texts too many for the list of own terms.
            if let Some((_, more)) = shared.next_if(|(same, _)| same.as_slice() == key) {
                members.extend(more);
                members.sort_unstable();
                members.dedup();
            }
            take(key, &members)?;
        }
        for (key, members) in shared {
            take(&key, &members)?;
        }
        Ok(())
    }
}

/// Writes the terms of a span that has none yet.
fn append_terms(
    postings: &mut Table<'_, Bytes, Bytes>,
    ordinals: &mut Table<'_, u64, Bytes>,
    span: Span,
    gained: TermLists,
) -> Result<(), IndexError> {
    let mut end = postings.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
    let mut columns = Columns::default();
    let mut key = span.to_be_bytes().to_vec();
    gained.each(|term, members| {
        key.truncate(size_of::<Span>());
        key.extend_from_slice(term);
        end.insert_before(key.as_slice(), postings::pack(members).as_slice())?;
        columns.push(term[0], members);
        Ok(())
    })?;
    end.close()?;
    for (field, column) in columns.finished {
        ordinals.insert(tables::ordinals_key(span, field), column.bytes().as_slice())?;
    }
    Ok(())
}

/// Changes the terms of a span that has some.
fn edit_terms(
    postings: &mut Table<'_, Bytes, Bytes>,
    ordinals: &mut Table<'_, u64, Bytes>,
    span: Span,
    edits: BTreeMap<Vec<u8>, Edit>,
) -> Result<(), IndexError> {
    let touched: BTreeSet<u8> = edits.keys().map(|key| key[0]).collect();
    let mut key = span.to_be_bytes().to_vec();
    for (term, edit) in edits {
        key.truncate(size_of::<Span>());
        key.extend(term);
        let old = postings.get(key.as_slice())?;
        let old = old.map(|packed| packed.value().to_vec());
        match postings::edit(old.as_deref(), &edit.added, &edit.removed)? {
            Some(packed) => drop(postings.insert(key.as_slice(), packed.as_slice())?),
            None => drop(postings.remove(key.as_slice())?),
        }
    }
    for field in Field::ORDERED {
        if !touched.contains(&(field as u8)) {
            continue;
        }
        let mut columns = Columns::default();
        for field in [Field::All, field] {
            let (from, to) = tables::term_bounds(span, field);
            for row in postings.range::<&[u8]>(&from[..]..&to[..])? {
                let (key, packed) = row?;
                let members = postings::unpack(packed.value())?;
                columns.push(key.value()[POSTING_PREFIX - 1], &members);
            }
        }
        for (field, column) in columns.finished {
            ordinals.insert(tables::ordinals_key(span, field), column.bytes().as_slice())?;
        }
    }
    Ok(())
}

/// Builds the ordinals of a span while its terms go by in key order.
#[derive(Default)]
struct Columns {
    ranks: Option<Ranks>,
    finished: Vec<(Field, Column)>,
}

struct Column {
    ordinals: Vec<u16>,
    terms: usize,
}

impl Columns {
    fn push(&mut self, field: u8, members: &[Low]) {
        if field == Field::All as u8 {
            let mut all = Bits::none();
            for low in members {
                all.insert(*low);
            }
            self.ranks = Some(Ranks::of(all));
            return;
        }
        let ordered = Field::ORDERED.into_iter();
        let (Some(ranks), Some(field)) = (
            &self.ranks,
            ordered.into_iter().find(|ordered| *ordered as u8 == field),
        ) else {
            return;
        };
        if self.finished.last().is_none_or(|(last, _)| *last != field) {
            let column = Column {
                ordinals: vec![0; ranks.len()],
                terms: 0,
            };
            self.finished.push((field, column));
        }
        let Some((_, column)) = self.finished.last_mut() else {
            return;
        };
        // A span has at most as many terms in an ordered field as entries: 65,536.
        let ordinal = u16::try_from(column.terms).unwrap_or(u16::MAX);
        for low in members {
            if let Some(place) = column.ordinals.get_mut(ranks.rank(*low)) {
                *place = ordinal;
            }
        }
        column.terms += 1;
    }
}

impl Column {
    /// One byte for the width of an ordinal, then the ordinals.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.ordinals.len() * 2);
        if self.terms <= 256 {
            bytes.push(1);
            let narrow = |ordinal: &u16| ordinal.to_le_bytes()[0];
            bytes.extend(self.ordinals.iter().map(narrow));
        } else {
            bytes.push(2);
            bytes.extend(
                self.ordinals
                    .iter()
                    .flat_map(|ordinal| ordinal.to_le_bytes()),
            );
        }
        bytes
    }
}

fn write_rows(
    txn: &WriteTransaction,
    reader: &Reader,
    overlay: &Overlay,
    extent: Extent,
) -> Result<(), IndexError> {
    let mut entries = txn.open_table(tables::ENTRIES)?;
    let newest = reader.totals.newest_entry;
    let known = overlay.entries.range(EntryId(0)..=EntryId(newest));
    for (id, row) in known {
        entries.insert(id.0, &**row)?;
    }
    let mut end = entries.upper_bound_mut(Bound::<u64>::Unbounded)?;
    for (id, row) in overlay
        .entries
        .range(EntryId(newest).next()..=EntryId(u64::MAX))
    {
        end.insert_before(id.0, &**row)?;
    }
    end.close()?;

    if extent != (Extent::HalfMade { scattered: false }) {
        write_scattered(txn, overlay)?;
    }
    write_small(txn, overlay)?;

    let mut meta = txn.open_table(tables::META)?;
    let schema = match extent {
        Extent::Whole => tables::SCHEMA,
        Extent::HalfMade { .. } => tables::SCHEMA_HALF_MADE,
    };
    meta.insert(tables::META_SCHEMA, &schema.to_le_bytes()[..])?;
    meta.insert(tables::META_APPLIED, &overlay.applied.0.to_le_bytes()[..])?;
    meta.insert(
        tables::META_TOTALS,
        rows::encode(&overlay.totals).as_slice(),
    )?;
    Ok(())
}

fn write_blobs(
    blobs: &mut Table<'_, &'static [u8; 32], Bytes>,
    overlay: &Overlay,
) -> Result<(), IndexError> {
    for (id, row) in overlay.blobs.iter() {
        match row {
            Some(row) => drop(blobs.insert(id.as_bytes(), rows::encode(row).as_slice())?),
            None => drop(blobs.remove(id.as_bytes())?),
        }
    }
    Ok(())
}

/// Rows whose keys come in no order.
fn write_scattered(txn: &WriteTransaction, overlay: &Overlay) -> Result<(), IndexError> {
    let mut blobs = txn.open_table(tables::BLOBS)?;
    if blobs.is_empty()? {
        let mut end = blobs.upper_bound_mut(Bound::<&[u8; 32]>::Unbounded)?;
        for (id, row) in overlay.blobs.iter() {
            if let Some(row) = row {
                end.insert_before(id.as_bytes(), rows::encode(row).as_slice())?;
            }
        }
        end.close()?;
    } else {
        write_blobs(&mut blobs, overlay)?;
    }
    let mut children = txn.open_table(tables::CHILDREN)?;
    for (id, list) in overlay.children.iter() {
        match list {
            Some(list) => {
                let bytes: Vec<u8> = list.iter().flat_map(|id| *id.as_bytes()).collect();
                children.insert(id.as_bytes(), bytes.as_slice())?;
            }
            None => drop(children.remove(id.as_bytes())?),
        }
    }
    let mut keys = txn.open_table(tables::KEYS)?;
    for (key, id) in overlay.keys.iter() {
        keys.insert(key, id.0)?;
    }
    Ok(())
}

fn write_small(txn: &WriteTransaction, overlay: &Overlay) -> Result<(), IndexError> {
    let small = &overlay.small;
    let mut packs = txn.open_table(tables::PACKS)?;
    for (id, state) in &small.packs {
        match state {
            Some(state) => drop(packs.insert(id.0, rows::encode(state).as_slice())?),
            None => drop(packs.remove(id.0)?),
        }
    }
    let mut converters = txn.open_table(tables::CONVERTERS)?;
    for (id, row) in &small.converters {
        converters.insert(id.as_bytes(), rows::encode(row).as_slice())?;
    }
    let mut names = txn.open_table(tables::CONVERTER_NAMES)?;
    for (name, id) in &small.converter_names {
        names.insert(name.as_str(), id.as_bytes())?;
    }
    let mut jobs = txn.open_table(tables::JOBS)?;
    for (id, row) in &small.jobs {
        jobs.insert(id.0, rows::encode(row).as_slice())?;
    }
    let mut config = txn.open_table(tables::CONFIG)?;
    for (what, value) in &small.config {
        config.insert(what.as_str(), rows::encode(value).as_slice())?;
    }
    let mut holds = txn.open_table(tables::HOLDS)?;
    for (name, hold) in &small.holds {
        match hold {
            Some(hold) => drop(holds.insert(name.as_str(), rows::encode(&**hold).as_slice())?),
            None => drop(holds.remove(name.as_str())?),
        }
    }
    let mut losses = txn.open_table(tables::LOSSES)?;
    for (id, seq) in &small.losses {
        losses.insert(id.as_bytes(), seq.0)?;
    }
    let mut unreadable = txn.open_table(tables::UNREADABLE)?;
    for (seq, declared_by) in &small.unreadable {
        unreadable.insert(seq.0, declared_by.map_or(0, |by| by.0))?;
    }
    let mut submissions = txn.open_table(tables::SUBMISSIONS)?;
    for (place, queued) in overlay.submissions.iter() {
        let key = (&*queued.converter, place.queued.0, place.report);
        match &queued.row {
            Some(row) => drop(submissions.insert(key, rows::encode(row).as_slice())?),
            None => drop(submissions.remove(key)?),
        }
    }
    let mut counters = txn.open_table(tables::COUNTERS)?;
    for (key, counter) in &small.counters {
        if *counter == Counter::default() {
            counters.remove(key.bytes().as_slice())?;
        } else {
            counters.insert(key.bytes().as_slice(), counter.bytes().as_slice())?;
        }
    }
    Ok(())
}
