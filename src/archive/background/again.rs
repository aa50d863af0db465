//! Chooses the packs whose content is packed again: those that were made quickly, and small ones of
//! one class, which become one pack.

use std::collections::BTreeMap;

use crate::archive::state::pack_store::{PackMake, PackStore};
use crate::format::pack::{PackEffort, PackOrigin};
use crate::index::PackRow;

/// So many small packs of one class become one. With fewer, each content would be written again too
/// often.
const SMALL_PACKS: usize = 8;

/// A pack is small while it could hold so many times as much.
const SMALL_PART: u64 = 8;

/// A pack, and how it was made.
#[derive(Debug, Clone)]
struct Candidate {
    row: PackRow,
    made: PackMake,
}

impl Candidate {
    fn is_quick(&self) -> bool {
        matches!(self.made.effort, PackEffort::Quick(_))
    }
}

/// Returns groups of packs to be written again, each of one class and into about one pack of
/// `pack_bytes`.
///
/// A pack whose header cannot be read is left alone; `verify` reports it.
pub(in crate::archive) fn choose_again(
    packs: &PackStore,
    rows: Vec<PackRow>,
    pack_bytes: u64,
) -> Vec<Vec<PackRow>> {
    let mut classes: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| row.live_blobs > 0) {
        if let Ok(made) = packs.made(row.id, &row.class) {
            let candidates = classes.entry(row.class.clone()).or_default();
            candidates.push(Candidate { row, made });
        }
    }
    let groups = classes
        .into_values()
        .flat_map(|candidates| groups(candidates, pack_bytes));
    groups
        .map(|group| group.into_iter().map(|pack| pack.row).collect())
        .collect()
}

/// Returns the groups of one class.
fn groups(candidates: Vec<Candidate>, pack_bytes: u64) -> Vec<Vec<Candidate>> {
    let (mut chosen, small): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .filter(|pack| pack.is_quick() || is_small(pack, pack_bytes))
        .partition(Candidate::is_quick);
    if chosen.is_empty() {
        chosen = small;
    } else {
        // Small packs join while they are not the larger part, so that each content is written
        // again only a few times.
        let quick: u64 = chosen.iter().map(|pack| pack.made.weight).sum();
        chosen.extend(small.into_iter().filter(|pack| pack.made.weight <= quick));
    }
    let mut groups: Vec<Vec<Candidate>> = Vec::new();
    let mut room = 0;
    for pack in chosen {
        match groups.last_mut() {
            Some(group) if pack.made.weight <= room => {
                room -= pack.made.weight;
                group.push(pack);
            }
            _ => {
                room = pack_bytes.saturating_sub(pack.made.weight);
                groups.push(vec![pack]);
            }
        }
    }
    groups.retain(|group| group.len() >= SMALL_PACKS || group.iter().any(Candidate::is_quick));
    groups
}

/// Long content is left where it is: it was compressed as asked when it came, and shares nothing.
fn is_small(pack: &Candidate, pack_bytes: u64) -> bool {
    pack.made.origin != PackOrigin::Streamed
        && pack.made.weight.saturating_mul(SMALL_PART) <= pack_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PackId;

    const PACK_BYTES: u64 = 800;

    fn pack(id: u64, effort: PackEffort, weight: u64) -> Candidate {
        Candidate {
            row: PackRow {
                id: PackId(id),
                class: "forever/none".to_owned(),
                bytes: weight,
                blobs: 1,
                dictionary_bytes: 0,
                live_bytes: weight,
                live_blobs: 1,
            },
            made: PackMake {
                effort,
                origin: PackOrigin::Sealed,
                weight,
            },
        }
    }

    fn chosen(packs: Vec<Candidate>) -> Vec<Vec<u64>> {
        let groups = groups(packs, PACK_BYTES).into_iter();
        groups
            .map(|group| group.iter().map(|pack| pack.row.id.0).collect())
            .collect()
    }

    #[test]
    fn quick_packs__fill_groups_of_one_pack_each() {
        let quick = |id| pack(id, PackEffort::Quick(6), 300);
        let groups = chosen((1..=5).map(quick).collect());
        assert_eq!(groups, [vec![1, 2], vec![3, 4], vec![5]]);
        let long = pack(1, PackEffort::Quick(6), 5_000);
        assert_eq!(chosen(vec![long, quick(2)]), [[1], [2]]);
    }

    /// One more pack each day would otherwise write all of them again each day.
    #[test]
    fn small_packs__become_one_when_there_are_eight() {
        let small = |id| pack(id, PackEffort::Small, 100);
        assert!(chosen((1..=7).map(small).collect()).is_empty());
        let eight = chosen((1..=8).map(small).collect());
        assert_eq!(eight, [(1..=8).collect::<Vec<_>>()]);
        let large = |id| pack(id, PackEffort::Small, 101);
        assert!(chosen((1..=8).map(large).collect()).is_empty());
    }

    #[test]
    fn a_small_pack__joins_quick_ones_that_are_no_smaller() {
        let quick = pack(1, PackEffort::Quick(6), 60);
        let small = |weight| pack(2, PackEffort::Small, weight);
        assert_eq!(chosen(vec![quick.clone(), small(60)]), [[1, 2]]);
        assert_eq!(chosen(vec![quick, small(61)]), [[1]]);
    }

    #[test]
    fn long_content__is_left_where_it_is() {
        let streamed = |id| {
            let mut pack = pack(id, PackEffort::Small, 10);
            pack.made.origin = PackOrigin::Streamed;
            pack
        };
        assert!(chosen((1..=20).map(streamed).collect()).is_empty());
    }
}
