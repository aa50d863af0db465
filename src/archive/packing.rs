//! Content on its way into packs of one class: what is alike lies together, and is compressed with a dictionary of its own
//! where one pays.
//!
//! A dictionary is made of content of the pack it is in, so that it goes when that goes: what was purged lives on in none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::archive::shared::{Shared, read_error, write_error};
use crate::blob::compression::{Compressor, Dictionary, Level};
use crate::blob::dictionary::{Family, PIECES_MIN, SAMPLE_BYTES_MAX, SAMPLES_MAX, choose};
use crate::blob::pack_reader::{PackReadError, Plain, StoredRecord};
use crate::blob::pack_writer::{PackPlace, PackSeries};
use crate::format::pack::{FOOTER_ENTRY_BYTES, PackOffset};
use crate::format::record::{DictTag, RECORD_HEADER_BYTES, RecordHeader, RecordKind};
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// One piece of content, where it lies now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) id: BlobId,
    pub(super) at: PackOffset,
    /// Bytes of its record there.
    pub(super) len: u32,
    pub(super) raw_len: u32,
    pub(super) effort: Effort,
    /// Bytes that its new record takes at the most.
    most: u32,
}

/// What is done with a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// It is compressed anew.
    Compress(Level),
    /// Its record is copied as it is.
    Copy,
}

impl Piece {
    /// The piece in the record with that header.
    pub(super) fn new(header: &RecordHeader, at: PackOffset, effort: Effort) -> Self {
        // Without its dictionary a record can become as long as its plaintext.
        let most = match header.dictionary {
            None => header.record_len(),
            Some(_) => header.raw_len.saturating_add(RECORD_HEADER_BYTES as u32),
        };
        Self {
            id: header.id,
            at,
            len: header.record_len(),
            raw_len: header.raw_len,
            effort,
            most: most.saturating_add(FOOTER_ENTRY_BYTES as u32),
        }
    }
}

/// Where pieces come from.
pub(super) trait Source {
    /// Its record, checked, and its plaintext, which is the one it is named by.
    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain), PackReadError>;

    /// The file, for what is to be said of errors.
    fn path(&self) -> &Path;
}

/// Pieces of one class, by what they are alike in.
pub(super) type Families<K> = BTreeMap<K, Vec<Piece>>;

/// Writes families into `series`. What goes into one pack is settled before its dictionaries are made.
pub(super) fn write<K, P: FnMut() -> PackPlace>(
    shared: &Shared,
    families: &Families<K>,
    source: &impl Source,
    series: &mut PackSeries<P>,
) -> Result<()> {
    let mut packing = Packing {
        shared,
        source,
        series,
        alone: BTreeMap::new(),
        tags: BTreeSet::new(),
    };
    let mut left = shared.options.pack_bytes;
    for pieces in families.values() {
        let mut rest = pieces.as_slice();
        while !rest.is_empty() {
            let mut room = left;
            let fit = rest.iter().take_while(|piece| {
                let fits = room >= u64::from(piece.most);
                room = room.saturating_sub(u64::from(piece.most));
                fits
            });
            let fit = fit.count();
            if fit < rest.len() && left < shared.options.pack_bytes && fit < PIECES_MIN {
                packing.next_pack()?;
                left = shared.options.pack_bytes;
                continue;
            }
            // One that no pack has room for gets a pack of its own.
            let (here, behind) = rest.split_at(fit.max(1));
            packing.family(here)?;
            let taken: u64 = here.iter().map(|piece| u64::from(piece.most)).sum();
            left = left.saturating_sub(taken);
            rest = behind;
            if !rest.is_empty() {
                packing.next_pack()?;
                left = shared.options.pack_bytes;
            }
        }
    }
    Ok(())
}

struct Packing<'a, S, P> {
    shared: &'a Shared,
    source: &'a S,
    series: &'a mut PackSeries<P>,
    /// Compressors without a dictionary.
    alone: BTreeMap<Level, Compressor>,
    /// What dictionaries of the open pack are named by.
    tags: BTreeSet<DictTag>,
}

impl<S: Source, P: FnMut() -> PackPlace> Packing<'_, S, P> {
    fn next_pack(&mut self) -> Result<()> {
        self.tags.clear();
        self.series.cut().map_err(write_error)
    }

    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain)> {
        self.source
            .read(piece)
            .map_err(|error| read_error(self.source.path(), error))
    }

    /// Writes what is alike and goes into the pack that is open.
    fn family(&mut self, pieces: &[Piece]) -> Result<()> {
        let dictionary = self.dictionary(pieces)?;
        let mut compressors: BTreeMap<Level, Compressor> = BTreeMap::new();
        let mut scratch = Vec::new();
        for piece in pieces {
            let (record, plain) = self.read(piece)?;
            let Effort::Compress(level) = piece.effort else {
                let copied = self.series.append_here(&record.as_record(), None);
                copied.map_err(write_error)?;
                continue;
            };
            let compressor = match &dictionary {
                None => self
                    .alone
                    .entry(level)
                    .or_insert_with(|| Compressor::new(level)),
                Some((dictionary, _)) => compressors
                    .entry(level)
                    .or_insert_with(|| Compressor::with_dictionary(level, dictionary)),
            };
            let packed = compressor.compress(&plain.bytes, &mut scratch);
            let as_it_was =
                record.header.dictionary.is_none() && packed.stored.len() > record.stored().len();
            let appended = if as_it_was {
                self.series.append_here(&record.as_record(), None)
            } else {
                let made = packed.record(plain.kind, piece.id, piece.raw_len);
                let needed = dictionary.as_ref().filter(|_| made.dictionary.is_some());
                if let Some((dictionary, _)) = needed {
                    check(piece, &plain, &StoredRecord::encode(&made), dictionary)?;
                }
                self.series
                    .append_here(&made, needed.map(|(_, stored)| stored))
            };
            appended.map_err(write_error)?;
        }
        Ok(())
    }

    /// The dictionary for these pieces, if one pays, and how it is stored.
    fn dictionary(&mut self, pieces: &[Piece]) -> Result<Option<(Dictionary, StoredRecord)>> {
        let mut sampled: Vec<&Piece> = pieces
            .iter()
            .filter(|piece| piece.effort != Effort::Copy)
            .collect();
        let family = Family {
            pieces: sampled.len(),
            raw_bytes: sampled.iter().map(|piece| u64::from(piece.raw_len)).sum(),
        };
        let least = self.shared.options.dictionary_from;
        if family.pieces < PIECES_MIN || family.raw_bytes < least {
            return Ok(None);
        }
        // By name, which is as good as drawn: files come in turns, and every tenth may be from one station.
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
        let record = Compressor::hardest().compress(bytes, &mut scratch).record(
            RecordKind::Dictionary,
            *dictionary.id(),
            raw_len,
        );
        let stored = StoredRecord::encode(&record)
            .map_err(|error| Error::new(ErrorKind::Invalid, format!("BUG: {error}")))?;
        Ok(Some((dictionary, stored)))
    }
}

/// What was compressed is unpacked once before the journal's copy goes: a dictionary makes one record depend on another.
fn check(
    piece: &Piece,
    plain: &Plain,
    made: &Result<StoredRecord, crate::format::record::RecordError>,
    dictionary: &Dictionary,
) -> Result<()> {
    let again = made.as_ref().ok().and_then(|made| {
        let again = made.plain(PackOffset(0), &piece.id, Some(dictionary));
        again.ok()
    });
    if again.is_some_and(|again| again.bytes == plain.bytes) {
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
