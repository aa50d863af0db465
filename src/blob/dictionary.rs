//! Dictionaries: chosen out of samples of one kind of content, and kept at hand for reading, as many as fit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::blob::compression::{Compressor, Dictionary, Level};
use crate::format::pack::FOOTER_ENTRY_BYTES;
use crate::format::record::RECORD_HEADER_BYTES;
use crate::id::BlobId;

/// The longest dictionary that is made. Longer ones won nothing where this was measured, and readers hold them in memory.
const DICTIONARY_BYTES: usize = 128 << 10;
/// Samples looked at: every other one may go into the dictionary, the rest is what it is tried on.
pub const SAMPLES_MAX: usize = 64;
/// The samples are no longer than this all together.
pub const SAMPLE_BYTES_MAX: usize = 4 << 20;
/// Fewer pieces of content than this have no dictionary.
pub const PIECES_MIN: usize = 8;
/// Files that a dictionary is made of, at the most.
const PARTS_MAX: usize = 24;
/// What a dictionary must win of all bytes of its kind, itself included: one part in so many.
const GAIN: u64 = 20;

/// All content of one kind that goes into a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// How many pieces there are.
    pub pieces: usize,
    /// Bytes of all of them.
    pub raw_bytes: u64,
}

/// Chooses a dictionary for a family out of samples of it; `None` where none pays.
///
/// It is made of whole samples, beginning with any and going on with the one it helps least: where stations of several kinds
/// write into one folder, each kind gets its part. How far to go is decided on samples that never go into it.
pub fn choose(samples: &[Vec<u8>], family: Family) -> Option<Dictionary> {
    if family.pieces < PIECES_MIN || samples.len() < 4 {
        return None;
    }
    let (parts, held_out): (Vec<_>, Vec<_>) = samples
        .iter()
        .enumerate()
        .partition(|(nth, _)| nth % 2 == 0);
    let mut parts: Vec<&[u8]> = parts
        .into_iter()
        .map(|(_, sample)| sample.as_slice())
        .filter(|sample| !sample.is_empty() && sample.len() <= DICTIONARY_BYTES)
        .collect();
    let held_out: Vec<&[u8]> = held_out
        .into_iter()
        .map(|(_, sample)| sample.as_slice())
        .collect();
    let held_out_bytes: u64 = held_out.iter().map(|sample| sample.len() as u64).sum();
    if held_out_bytes == 0 {
        return None;
    }
    let of_all = |stored: u64| {
        let all = u128::from(stored) * u128::from(family.raw_bytes) / u128::from(held_out_bytes);
        u64::try_from(all).unwrap_or(u64::MAX)
    };
    let mut quick = Compressor::new(Level::FASTEST);
    let alone = of_all(packed(&mut quick, &held_out));
    let mut bytes = Vec::new();
    let mut best: Option<(u64, usize)> = None;
    // The last is the one that helped least so far.
    for _ in 0..PARTS_MAX {
        let Some(part) = parts.pop() else {
            break;
        };
        if bytes.len() + part.len() > DICTIONARY_BYTES {
            break;
        }
        bytes.extend_from_slice(part);
        let Some(dictionary) = Dictionary::new(bytes.clone()) else {
            break;
        };
        let copies = 2 * (packed(&mut quick, &[&bytes]) + AROUND);
        let mut compressor = Compressor::with_dictionary(Level::FASTEST, &dictionary);
        let cost = of_all(packed(&mut compressor, &held_out)).saturating_add(copies);
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, bytes.len()));
        }
        parts.sort_by_cached_key(|part| {
            packed(&mut compressor, &[part]) * 1_000 / part.len() as u64
        });
    }
    let (cost, len) = best?;
    bytes.truncate(len);
    if cost > alone - alone / GAIN {
        return None;
    }
    Dictionary::new(bytes)
}

/// What a record takes beside what it stores.
const AROUND: u64 = (RECORD_HEADER_BYTES + FOOTER_ENTRY_BYTES) as u64;

fn packed(compressor: &mut Compressor, contents: &[&[u8]]) -> u64 {
    let mut scratch = Vec::new();
    let mut total = 0;
    for content in contents {
        total += compressor.compress(content, &mut scratch).stored.len() as u64;
    }
    total
}

/// Dictionaries that were used last, as many as fit.
pub struct DictionaryCache {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    dictionaries: HashMap<BlobId, (Arc<Dictionary>, u64)>,
    bytes: usize,
    uses: u64,
}

impl DictionaryCache {
    /// One that takes at most so much memory, and at least the dictionary used last.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            kept: Mutex::default(),
        }
    }

    /// The dictionary, if it is there.
    pub fn get(&self, id: &BlobId) -> Option<Arc<Dictionary>> {
        let mut kept = self.kept.lock().expect("no panic while held");
        kept.uses += 1;
        let now = kept.uses;
        let (dictionary, used) = kept.dictionaries.get_mut(id)?;
        *used = now;
        Some(Arc::clone(dictionary))
    }

    /// Keeps a dictionary, instead of those that were not used for longest.
    pub fn keep(&self, dictionary: &Arc<Dictionary>) {
        let mut kept = self.kept.lock().expect("no panic while held");
        if kept.dictionaries.contains_key(dictionary.id()) {
            // Another reader was quicker.
            return;
        }
        let weight = dictionary.weight();
        while kept.bytes + weight > self.bytes_max {
            let oldest = kept.dictionaries.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                break;
            };
            if let Some((gone, _)) = kept.dictionaries.remove(&oldest) {
                kept.bytes -= gone.weight();
            }
        }
        kept.uses += 1;
        let entry = (Arc::clone(dictionary), kept.uses);
        kept.dictionaries.insert(*dictionary.id(), entry);
        kept.bytes += weight;
    }
}

impl std::fmt::Debug for DictionaryCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DictionaryCache")
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form of one of three kinds of station, filled in for one unit.
    fn form(unit: u32) -> Vec<u8> {
        let kind = unit % 3;
        let rows = (0..80_u32).map(|row| {
            let limit = BlobId::of(&(row * 3 + kind).to_le_bytes());
            format!("step {row};limit {limit};{}\n", unit * row % 97)
        });
        rows.collect::<String>().into_bytes()
    }

    fn noise(seed: u32) -> Vec<u8> {
        let mut bytes = vec![0; 3_000];
        blake3::Hasher::new()
            .update(&seed.to_le_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    fn family(samples: &[Vec<u8>]) -> Family {
        Family {
            pieces: samples.len(),
            raw_bytes: samples.iter().map(|sample| sample.len() as u64).sum(),
        }
    }

    #[test]
    fn every_kind_in_a_family_gets_its_part_of_the_dictionary() {
        let samples: Vec<_> = (0..60).map(form).collect();
        let dictionary = choose(&samples, family(&samples)).expect("forms are alike");
        assert!(dictionary.bytes().len() < 8 * samples[0].len());
        let mut compressor = Compressor::with_dictionary(Level::DEFAULT, &dictionary);
        for unit in 100..103 {
            let raw = form(unit);
            let stored = packed(&mut compressor, &[&raw]);
            assert!(stored * 10 < raw.len() as u64, "{stored} of {}", raw.len());
        }
    }

    #[test]
    fn a_family_without_likeness_or_with_too_few_pieces_gets_none() {
        let noise: Vec<_> = (0..40).map(noise).collect();
        assert!(choose(&noise, family(&noise)).is_none());
        let few: Vec<_> = (0..7).map(form).collect();
        assert!(choose(&few, family(&few)).is_none());
        let empty = vec![Vec::new(); 40];
        assert!(choose(&empty, family(&empty)).is_none());
    }

    #[test]
    fn the_cache_stays_within_its_bytes_and_forgets_what_was_not_used_for_longest() {
        let made: Vec<_> = (0..4)
            .map(|seed| Arc::new(Dictionary::new(noise(seed)).expect("a dictionary")))
            .collect();
        let cache = DictionaryCache::new(made[0].weight() * 2);
        cache.keep(&made[0]);
        cache.keep(&made[1]);
        assert!(cache.get(made[0].id()).is_some());
        cache.keep(&made[2]);
        cache.keep(&made[2]);
        let there: Vec<bool> = made
            .iter()
            .map(|dictionary| cache.get(dictionary.id()).is_some())
            .collect();
        assert_eq!(there, [true, false, true, false]);
        let kept = cache.kept.lock().expect("nobody panicked");
        assert!(kept.bytes <= cache.bytes_max);
    }
}
