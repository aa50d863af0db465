//! Writes content into the packs of one class. Content that is alike lies together, and gets a
//! dictionary of its own where one pays.
//!
//! A dictionary is made of content of its own pack and goes when that pack goes. So purged content
//! lives on in no dictionary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;

use crate::archive::files::pack_error::{read_error, write_error};
use crate::archive::options::Options;
use crate::blob::compression::{Compressor, Dictionary, Level};
use crate::blob::dictionary::{Family, PIECES_MIN, SAMPLE_BYTES_MAX, SAMPLES_MAX, choose};
use crate::blob::pack_reader::{PackReadError, Plain, StoredRecord};
use crate::blob::pack_writer::{PackPlace, PackSeries};
use crate::format::pack::{FOOTER_ENTRY_BYTES, PackOffset};
use crate::format::record::{DictTag, Record, RecordHeader, RecordKind};
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// A piece of content at its present place.
#[derive(Debug, Clone, Copy)]
pub(in crate::archive) struct Piece {
    pub(in crate::archive) id: BlobId,
    /// Which file of the source it lies in.
    pub(in crate::archive) file: u32,
    pub(in crate::archive) at: PackOffset,
    /// Bytes of its record at that place.
    pub(in crate::archive) len: u32,
    pub(in crate::archive) raw_len: u32,
    pub(in crate::archive) effort: Effort,
    /// The most bytes that its new record takes.
    most: u32,
}

/// How the record of a piece is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum Effort {
    /// It is compressed again.
    Compress(Level),
    /// It is compressed at the fastest level.
    Quick,
    /// Its record is copied as it is.
    Copy,
}

/// Plaintext that is read in one batch. Pieces are read one after the other and then compressed by
/// several threads.
const BATCH_BYTES: u64 = 4 << 20;
/// The most threads that compress: packs are made beside the work of a host.
const THREADS_MAX: usize = 4;

#[expect(clippy::cast_possible_truncation, reason = "the constant is 52")]
const ENTRY_BYTES: u32 = FOOTER_ENTRY_BYTES as u32;

impl Piece {
    /// Makes the piece of a record with that header, which takes `len` bytes at `at`.
    pub(in crate::archive) fn new(
        header: &RecordHeader,
        at: PackOffset,
        len: u32,
        effort: Effort,
    ) -> Self {
        let most = match header.dictionary {
            None => header.packed_len(),
            // Without its dictionary it can become as long as its plaintext.
            Some(_) => header.packed_len() - header.stored_len + header.raw_len,
        };
        Self {
            id: header.id,
            file: 0,
            at,
            len,
            raw_len: header.raw_len,
            effort,
            most: most.saturating_add(ENTRY_BYTES),
        }
    }

    /// Returns the piece as one of another file of the source.
    pub(in crate::archive) const fn in_file(self, file: u32) -> Self {
        Self { file, ..self }
    }

    /// Returns the piece, to be made with another effort.
    pub(in crate::archive) const fn with_effort(self, effort: Effort) -> Self {
        Self { effort, ..self }
    }
}

/// How large packs get, and from when on their content gets a dictionary.
#[derive(Debug, Clone, Copy)]
pub(in crate::archive) struct PackLimits {
    /// A pack is closed before it would grow past this many bytes.
    pub(in crate::archive) pack_bytes: u64,
    /// A family gets a dictionary from this many bytes on.
    pub(in crate::archive) dictionary_from: u64,
    /// What is sealed together is first packed quickly from this many bytes on.
    pub(in crate::archive) quick_from: u64,
}

impl PackLimits {
    /// Takes the limits from the options of a store.
    pub(in crate::archive) fn of(options: &Options) -> Self {
        Self {
            pack_bytes: options.pack_bytes,
            dictionary_from: options.dictionary_from,
            quick_from: options.quick_from,
        }
    }
}

/// The place that pieces are read from.
pub(in crate::archive) trait Source {
    /// Reads the record of a piece, checked, and its plaintext.
    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain), PackReadError>;

    /// Returns the file of a piece, for error messages.
    fn path(&self, piece: &Piece) -> &Path;
}

/// Pieces of one class, by family.
pub(in crate::archive) type Families<K> = BTreeMap<K, Vec<Piece>>;

/// Whether everything was written.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum Written {
    /// All of it.
    Whole,
    /// There is something else to do first.
    GivenUp,
}

/// What is asked and told between two batches of content.
pub(in crate::archive) trait Pace: Sync {
    /// Notes that so many bytes of records were read and packed. Returns false to give up.
    fn packed(&self, bytes: u64) -> bool;
}

/// The pace of work that is not given up.
pub(in crate::archive) struct ToTheEnd;

impl Pace for ToTheEnd {
    fn packed(&self, _bytes: u64) -> bool {
        true
    }
}

/// Writes families into `series`. Which pieces share a pack is decided before its dictionaries are
/// made.
pub(in crate::archive) fn write<K, P: FnMut() -> PackPlace>(
    limits: PackLimits,
    families: &Families<K>,
    source: &impl Source,
    series: &mut PackSeries<P>,
    pace: &dyn Pace,
) -> Result<Written> {
    let mut packing = Packing::new(limits, source, series, pace);
    let mut left = limits.pack_bytes;
    for pieces in families.values() {
        let mut rest = pieces.as_slice();
        while !rest.is_empty() {
            let fit = fitting(rest, left, |piece| piece.most);
            if fit < rest.len() && left < limits.pack_bytes && fit < PIECES_MIN {
                packing.next_pack()?;
                left = limits.pack_bytes;
                continue;
            }
            // A piece that no pack has room for gets a pack of its own, whatever is left.
            let (here, behind) = rest.split_at(fit.max(1));
            if packing.family(here)? == Written::GivenUp {
                return Ok(Written::GivenUp);
            }
            let taken: u64 = here.iter().map(|piece| u64::from(piece.most)).sum();
            left = left.saturating_sub(taken);
            rest = behind;
            if !rest.is_empty() {
                packing.next_pack()?;
                left = limits.pack_bytes;
            }
        }
    }
    Ok(Written::Whole)
}

/// Returns how many of the first pieces fit into `room` bytes.
fn fitting(pieces: &[Piece], mut room: u64, bytes: impl Fn(&Piece) -> u32) -> usize {
    let fit = pieces.iter().take_while(|piece| {
        let bytes = u64::from(bytes(piece));
        let fits = room >= bytes;
        room = room.saturating_sub(bytes);
        fits
    });
    fit.count()
}

struct Packing<'a, S, P> {
    limits: PackLimits,
    source: &'a S,
    series: &'a mut PackSeries<P>,
    pace: &'a dyn Pace,
    /// One for each thread that compresses.
    presses: Vec<Press>,
    /// Names of the dictionaries in the open pack.
    tags: BTreeSet<DictTag>,
}

impl<'a, S: Source, P: FnMut() -> PackPlace> Packing<'a, S, P> {
    fn new(
        limits: PackLimits,
        source: &'a S,
        series: &'a mut PackSeries<P>,
        pace: &'a dyn Pace,
    ) -> Self {
        Self {
            limits,
            source,
            series,
            pace,
            presses: (0..threads()).map(|_| Press::default()).collect(),
            tags: BTreeSet::new(),
        }
    }

    fn next_pack(&mut self) -> Result<()> {
        self.tags.clear();
        self.series.cut().map_err(write_error)
    }

    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain)> {
        self.source
            .read(piece)
            .map_err(|error| read_error(self.source.path(piece), error))
    }

    /// Writes the pieces of a family that go into the open pack.
    fn family(&mut self, pieces: &[Piece]) -> Result<Written> {
        let chosen = self.dictionary(pieces)?;
        for press in &mut self.presses {
            press.sharing.clear();
        }
        let mut rest = pieces;
        while !rest.is_empty() {
            let fit = fitting(rest, BATCH_BYTES, |piece| piece.raw_len);
            let (batch, behind) = rest.split_at(fit.max(1));
            rest = behind;
            let read: Result<Vec<_>> = batch.iter().map(|piece| self.read(piece)).collect();
            let dictionary = chosen.as_ref().map(|(dictionary, _)| dictionary);
            for record in in_parts(&mut self.presses, batch, read?, dictionary) {
                let record = record?;
                let needed = chosen.as_ref().map(|(_, stored)| stored);
                let needed = needed.filter(|_| record.header.dictionary.is_some());
                let appended = self.series.append_here(&record.as_record(), needed);
                appended.map_err(write_error)?;
            }
            let bytes = batch.iter().map(|piece| u64::from(piece.len)).sum();
            if !self.pace.packed(bytes) {
                return Ok(Written::GivenUp);
            }
        }
        Ok(Written::Whole)
    }

    /// Makes the dictionary for these pieces, if one pays, and its record.
    fn dictionary(&mut self, pieces: &[Piece]) -> Result<Option<(Dictionary, StoredRecord)>> {
        let mut sampled: Vec<&Piece> = pieces
            .iter()
            .filter(|piece| piece.effort != Effort::Copy)
            .collect();
        let family = Family {
            pieces: sampled.len(),
            raw_bytes: sampled.iter().map(|piece| u64::from(piece.raw_len)).sum(),
        };
        let least = self.limits.dictionary_from;
        if family.pieces < PIECES_MIN || family.raw_bytes < least {
            return Ok(None);
        }
        // Sorted by hash, which is as good as a random order: files arrive in batches, and every
        // tenth may be of one station.
        sampled.sort_by_key(|piece| piece.id);
        let mut room = SAMPLE_BYTES_MAX;
        let mut samples = Vec::new();
        for piece in sampled.into_iter().take(SAMPLES_MAX) {
            if piece.raw_len as usize <= room {
                let (_, plain) = self.read(piece)?;
                room -= plain.bytes.len();
                samples.push(plain.bytes);
            }
        }
        let Some(dictionary) = choose(&samples, family) else {
            return Ok(None);
        };
        if !self.tags.insert(dictionary.tag()) {
            return Ok(None);
        }
        let bytes = dictionary.bytes();
        let raw_len = u32::try_from(bytes.len()).expect("a dictionary is short");
        let mut scratch = Vec::new();
        let is_quick = pieces.iter().any(|piece| piece.effort == Effort::Quick);
        let mut compressor = if is_quick {
            Compressor::new(Level::DEFAULT)
        } else {
            Compressor::hardest()
        };
        let record = compressor.compress(bytes, &mut scratch).record(
            RecordKind::Dictionary,
            *dictionary.id(),
            raw_len,
        );
        let stored = encoded(&record)?;
        Ok(Some((dictionary, stored)))
    }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS_MAX))
}

fn encoded(record: &Record<'_>) -> Result<StoredRecord> {
    StoredRecord::encode(record)
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("BUG: {error}")))
}

/// Makes the records of these pieces, in their order. Each press makes a part of them.
fn in_parts(
    presses: &mut [Press],
    pieces: &[Piece],
    mut read: Vec<(StoredRecord, Plain)>,
    dictionary: Option<&Dictionary>,
) -> Vec<Result<StoredRecord>> {
    let part = pieces.len().div_ceil(presses.len());
    let mut parts = Vec::new();
    for pieces in pieces.chunks(part) {
        let behind = read.split_off(pieces.len());
        parts.push((pieces, std::mem::replace(&mut read, behind)));
    }
    thread::scope(|scope| {
        let mut with: Vec<_> = presses.iter_mut().zip(parts).collect();
        // The last part is made on this thread: with one part, no thread is started.
        let own = with.pop();
        let others: Vec<_> = with
            .into_iter()
            .map(|(press, (pieces, read))| scope.spawn(|| press.all(pieces, read, dictionary)))
            .collect();
        let own = own.map(|(press, (pieces, read))| press.all(pieces, read, dictionary));
        let mut made = Vec::with_capacity(pieces.len());
        for other in others {
            let part = other.join();
            made.extend(part.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        made.extend(own.into_iter().flatten());
        made
    })
}

/// The compressors of one thread.
#[derive(Default)]
struct Press {
    /// Compressors without a dictionary, for all families.
    alone: BTreeMap<Level, Compressor>,
    /// Compressors with the dictionary of one family.
    sharing: BTreeMap<Level, Compressor>,
    scratch: Vec<u8>,
}

impl Press {
    fn all(
        &mut self,
        pieces: &[Piece],
        read: Vec<(StoredRecord, Plain)>,
        dictionary: Option<&Dictionary>,
    ) -> Vec<Result<StoredRecord>> {
        let each = pieces.iter().zip(read);
        each.map(|(piece, (record, plain))| self.record(piece, record, &plain, dictionary))
            .collect()
    }

    /// Makes the record of a piece: compressed again, or as it is when that wins nothing.
    fn record(
        &mut self,
        piece: &Piece,
        before: StoredRecord,
        plain: &Plain,
        dictionary: Option<&Dictionary>,
    ) -> Result<StoredRecord> {
        let level = match piece.effort {
            Effort::Compress(level) => level,
            Effort::Quick => Level::FASTEST,
            Effort::Copy => return Ok(before),
        };
        let compressor = match dictionary {
            None => self
                .alone
                .entry(level)
                .or_insert_with(|| Compressor::sealing(level)),
            Some(dictionary) => self
                .sharing
                .entry(level)
                .or_insert_with(|| Compressor::with_dictionary(level, dictionary)),
        };
        let packed = compressor.compress(&plain.bytes, &mut self.scratch);
        if before.header.dictionary.is_none() && packed.stored.len() > before.stored().len() {
            return Ok(before);
        }
        let made = encoded(&packed.record(plain.kind, piece.id, piece.raw_len))?;
        if let Some(dictionary) = dictionary.filter(|_| made.header.dictionary.is_some()) {
            check(piece, plain, &made, dictionary)?;
        }
        Ok(made)
    }
}

/// Unpacks a new record once before the old copy goes: a dictionary makes one record depend on
/// another.
fn check(piece: &Piece, plain: &Plain, made: &StoredRecord, dictionary: &Dictionary) -> Result<()> {
    let again = made.plain(PackOffset(0), &piece.id, Some(dictionary));
    if again.is_ok_and(|again| again.bytes == plain.bytes) {
        Ok(())
    } else {
        Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "blob {} does not come out of its dictionary as it went in; nothing was sealed",
                piece.id
            ),
        ))
    }
}

#[cfg(test)]
mod tests;
