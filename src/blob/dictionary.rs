//! Chooses dictionaries from samples of one kind of content, and caches dictionaries for reading.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::blob::compression::{Compressor, Dictionary, Level};
use crate::format::pack::FOOTER_ENTRY_BYTES;
use crate::format::record::RECORD_HEADER_BYTES;
use crate::id::BlobId;

/// The longest dictionary that is made. Longer ones brought no gain in measurements, and readers
/// hold dictionaries in memory.
const DICTIONARY_BYTES: usize = 128 << 10;
/// The most samples that are used. Every other one may go into the dictionary; the rest test it.
pub const SAMPLES_MAX: usize = 64;
/// The most bytes of all samples together.
pub const SAMPLE_BYTES_MAX: usize = 4 << 20;
/// A family with fewer pieces of content gets no dictionary.
pub const PIECES_MIN: usize = 8;
/// The most files that a dictionary is made of.
const PARTS_MAX: usize = 24;
/// The least gain of a dictionary: 1/`GAIN` of the compressed bytes of its family, its own copies
/// included.
const GAIN: u64 = 20;

/// All content of one kind that goes into one pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// The number of pieces.
    pub pieces: usize,
    /// The bytes of all pieces.
    pub raw_bytes: u64,
}

/// Chooses a dictionary for a family from samples of it; `None` when no dictionary pays off.
///
/// The dictionary consists of whole samples. It starts with any one, and each further one is the
/// sample that it compresses worst so far. So when stations of several kinds write into one folder,
/// each kind is represented. Its length is decided on samples that never go into it.
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
    // The last of `parts` is the one that the dictionary helps least so far.
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

/// The bytes that a record takes besides its stored bytes.
const AROUND: u64 = (RECORD_HEADER_BYTES + FOOTER_ENTRY_BYTES) as u64;

fn packed(compressor: &mut Compressor, contents: &[&[u8]]) -> u64 {
    let mut scratch = Vec::new();
    let mut total = 0;
    for content in contents {
        total += compressor.compress(content, &mut scratch).stored.len() as u64;
    }
    total
}

/// A cache of the most recently used dictionaries, limited by memory.
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
    /// Returns a cache of at most `bytes_max`. It always keeps the dictionary used last, even if
    /// that is larger.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            kept: Mutex::default(),
        }
    }

    /// Returns the dictionary, if it is in the cache.
    pub fn get(&self, id: &BlobId) -> Option<Arc<Dictionary>> {
        let mut kept = self.kept.lock().expect("no panic while held");
        kept.uses += 1;
        let now = kept.uses;
        let (dictionary, used) = kept.dictionaries.get_mut(id)?;
        *used = now;
        Some(Arc::clone(dictionary))
    }

    /// Puts a dictionary into the cache, and removes those that were not used for longest.
    pub fn keep(&self, dictionary: &Arc<Dictionary>) {
        let mut kept = self.kept.lock().expect("no panic while held");
        if kept.dictionaries.contains_key(dictionary.id()) {
            // Another reader was faster.
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

    /// Returns a filled-in form of one of three kinds of station.
    fn form(unit: u32) -> Vec<u8> {
        let kind = unit % 3;
        let rows = (0..80_u32).map(|row| {
            let limit = BlobId::of(&(row * 3 + kind).to_le_bytes());
            format!("step {row};limit {limit};{}\n", unit * row % 97)
        });
        rows.collect::<String>().into_bytes()
    }

    fn noise(seed: u32) -> Vec<u8> {
        noise_of(seed, 3_000)
    }

    fn noise_of(seed: u32, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
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

    /// Returns a family of this many pieces and bytes, from which the samples come.
    fn drawn_from(pieces: usize, raw_bytes: u64) -> Family {
        Family { pieces, raw_bytes }
    }

    #[test]
    fn eight_pieces_and_four_samples_are_enough_and_fewer_of_either_are_not() {
        let alike: Vec<_> = (0..8).map(|unit| form(unit * 3)).collect();
        let chosen =
            |pieces, samples: usize| choose(&alike[..samples], drawn_from(pieces, 1 << 20));
        assert!(chosen(8, 4).is_some());
        assert!(chosen(8, 3).is_none());
        assert!(chosen(9, 3).is_none());
        assert!(chosen(7, 8).is_none());
    }

    /// A dictionary always gains on the samples that it is made of.
    #[test]
    fn what_a_dictionary_is_tried_on_never_goes_into_it() {
        let samples: Vec<_> = (0..60).map(form).collect();
        let dictionary = choose(&samples, family(&samples)).expect("forms are alike");
        let is_inside = |sample: &Vec<u8>| {
            let mut windows = dictionary.bytes().windows(sample.len());
            windows.any(|window| window == sample)
        };
        let inside: Vec<usize> = (0..60).filter(|nth| is_inside(&samples[*nth])).collect();
        assert!(!inside.is_empty());
        assert!(inside.iter().all(|nth| nth % 2 == 0), "{inside:?}");
    }

    #[test]
    fn empty_and_very_long_samples_are_passed_over() {
        let mut samples: Vec<_> = (0..24).map(|unit| form(unit * 3)).collect();
        samples[0] = Vec::new();
        samples[2] = Vec::new();
        samples[22] = noise_of(9, DICTIONARY_BYTES + 1);
        let dictionary = choose(&samples, drawn_from(24, 1 << 20)).expect("forms are alike");
        assert!(dictionary.bytes().starts_with(&samples[20]));
    }

    #[test]
    fn a_dictionary_may_be_as_long_as_the_longest_and_not_a_byte_longer() {
        let half = |kind| noise_of(kind, DICTIONARY_BYTES / 2);
        let samples: Vec<_> = (0..16).map(|nth| half(nth / 2 % 3)).collect();
        let chosen = choose(&samples, drawn_from(1_000, 1 << 30)).expect("forms are alike");
        assert_eq!(chosen.bytes().len(), DICTIONARY_BYTES);
    }

    /// The cost of a dictionary is that of its two copies, with the headers around them.
    #[test]
    fn a_dictionary_must_win_a_twentieth_with_both_its_copies_counted() {
        let samples = vec![noise(1); 8];
        let mut quick = Compressor::new(Level::FASTEST);
        let copy = packed(&mut quick, &[&samples[0]]) + 112;
        let dictionary = Dictionary::new(samples[0].clone()).expect("a dictionary");
        let mut compressor = Compressor::with_dictionary(Level::FASTEST, &dictionary);
        let each = packed(&mut compressor, &[&samples[0]]);
        let pays = |raw_bytes: u64| choose(&samples, drawn_from(8, raw_bytes)).is_some();
        // Noise does not compress, so its cost is its length.
        let wins = |raw_bytes: u64| {
            let cost = each * 4 * raw_bytes / 12_000 + 2 * copy;
            cost <= raw_bytes - raw_bytes / 20
        };
        let first = (1..100_000)
            .find(|raw_bytes| wins(*raw_bytes))
            .expect("one");
        assert!((6_000..7_500).contains(&first), "{first}");
        assert!(pays(first) && !pays(first - 1));
        let exact = (first..100_000).find(|raw_bytes| {
            each * 4 * raw_bytes / 12_000 + 2 * copy == raw_bytes - raw_bytes / 20
        });
        assert!(exact.is_some_and(pays), "just a twentieth is enough");
    }

    /// Samples are compared by compressed size relative to their length. Otherwise long ones would
    /// always come first.
    #[test]
    fn the_next_part_is_what_the_dictionary_helps_least_for_its_length() {
        // One is long, and the first part holds half of it. The other is short, and the first part
        // holds none of it.
        let first = noise_of(1, 8_000);
        let long = [noise_of(1, 8_000), noise_of(2, 8_000)].concat();
        let short = noise_of(3, 1_000);
        let mut samples = Vec::new();
        for kind in [&short, &long, &short, &long, &first] {
            samples.extend([kind.clone(), kind.clone()]);
        }
        let chosen = choose(&samples, drawn_from(1_000, 1 << 30)).expect("they are alike");
        let begins = [first, short].concat();
        assert!(chosen.bytes().starts_with(&begins));
        assert!(chosen.bytes().len() >= begins.len() + long.len());
    }

    /// If the ratio were measured too coarsely, both would count as equal and keep the order of the
    /// samples.
    #[test]
    fn of_two_parts_as_long_as_each_other_the_one_that_is_known_less_comes_first() {
        let first = noise_of(1, 16_000);
        let half = [&first[..8_000], &noise_of(2, 8_000)].concat();
        let quarter = [&first[..4_000], &noise_of(3, 12_000)].concat();
        let mut samples = Vec::new();
        for kind in [&quarter, &half, &quarter, &half, &first] {
            samples.extend([kind.clone(), kind.clone()]);
        }
        let chosen = choose(&samples, drawn_from(1_000, 1 << 30)).expect("they are alike");
        assert!(chosen.bytes().starts_with(&[first, quarter].concat()));
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
        // Insertion counts as use, and the order of use must not depend on the order of the hash
        // table.
        for _ in 0..20 {
            let cache = DictionaryCache::new(made[0].weight() * 2);
            for dictionary in &made[..3] {
                cache.keep(dictionary);
            }
            assert!(cache.get(made[0].id()).is_none());
        }
        assert!(format!("{cache:?}").contains(&cache.bytes_max.to_string()));
        let kept = cache.kept.lock().expect("nobody panicked");
        assert_eq!(kept.bytes, made[0].weight() + made[2].weight());
    }
}
