//! Finds families of content that are alike in packs that are put together.
//!
//! Packs do not say what made their content. But content that shares a dictionary is alike, and a
//! dictionary of one pack serves the same kind of content in another.

use std::collections::BTreeMap;

use crate::archive::background::packing::{Families, Piece, Source};
use crate::archive::files::pack_error::read_error;
use crate::blob::compression::{Compressor, Dictionary, Level};
use crate::format::record::DictTag;
use crate::{Error, Result};

/// Pieces of a family that are tried with the dictionary of another.
const TRIED: usize = 4;

/// A family joins another whose dictionary makes it at most this many times as large, in tenths.
/// Content that is not alike becomes several times as large.
const ALIKE_TENTHS: u64 = 15;

/// The pieces of one pack that share a dictionary, or have none.
pub(in crate::archive) type Origin = (u32, Option<DictTag>);

/// Joins families that are alike. `dictionary` reads the dictionary of a family.
pub(in crate::archive) fn join<S: Source>(
    families: BTreeMap<Origin, Vec<Piece>>,
    source: &S,
    dictionary: impl Fn(Origin) -> Result<Option<std::sync::Arc<Dictionary>>>,
) -> Result<Families<usize>> {
    // The first one is the content without a dictionary.
    let mut joined: Families<usize> = Families::new();
    let mut models: Vec<Compressor> = Vec::new();
    let mut scratch = Vec::new();
    for (origin, pieces) in families {
        let Some(own) = dictionary(origin)? else {
            joined.entry(0).or_default().extend(pieces);
            continue;
        };
        let step = pieces.len().div_ceil(TRIED).max(1);
        let mut samples = Vec::with_capacity(TRIED);
        for piece in pieces.iter().step_by(step) {
            let read = source.read(piece);
            let (_, plain) = read.map_err(|error| at(source, piece, error))?;
            samples.push(plain.bytes);
        }
        let mut packed = |compressor: &mut Compressor| -> u64 {
            let each = samples.iter();
            each.map(|raw| compressor.compress(raw, &mut scratch).stored.len() as u64)
                .sum()
        };
        let mut model = Compressor::with_dictionary(Level::FASTEST, &own);
        let most = packed(&mut model) * ALIKE_TENTHS / 10;
        let sizes = models.iter_mut().map(&mut packed).enumerate();
        let best = sizes.min_by_key(|(_, size)| *size);
        let family = match best.filter(|(_, size)| *size <= most) {
            Some((nth, _)) => nth + 1,
            None => {
                models.push(model);
                models.len()
            }
        };
        joined.entry(family).or_default().extend(pieces);
    }
    Ok(joined)
}

fn at(
    source: &impl Source,
    piece: &Piece,
    error: crate::blob::pack_reader::PackReadError,
) -> Error {
    read_error(source.path(piece), error)
}
