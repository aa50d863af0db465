//! Chooses entries of a selection: the same ones each time, spread over time, with every class.

use std::collections::BTreeMap;

use crate::Result;
use crate::archive::Archive;
use crate::convert::reprocess::Against;
use crate::entry::{Entry, Outcome};
use crate::id::EntryId;

/// What an entry is like: entries of one class are likely to fare alike with a new converter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    /// False for entries that failed, so that they come first.
    worked: bool,
    status: &'static str,
    part: Option<String>,
    station: Option<String>,
    process: Option<String>,
    /// The end of the file name.
    extension: Option<String>,
}

impl Class {
    fn of(entry: &Entry, against: Against) -> Self {
        let last = against.attempt(&entry.attempts);
        let status = last.map(|attempt| attempt.status);
        let unit = &entry.unit;
        let extension = entry.source_name.rsplit_once('.');
        Self {
            worked: !matches!(
                status,
                Some(Outcome::Failed | Outcome::Rejected | Outcome::Suspended)
            ),
            status: status.map_or("pending", Outcome::name),
            part: unit.part.clone(),
            station: unit.station.clone(),
            process: unit.process.clone(),
            extension: extension.map(|(_, end)| end.to_lowercase()),
        }
    }
}

/// Chooses at most `most` of some entries; equal archives give equal samples.
///
/// A class is what the attempt before ended with, part, station, process and kind of file. Each
/// class has an entry, as far as there is room: those that failed first, then the largest. Up to a
/// quarter of the sample are failures. The rest is shared by size, and each class is spread evenly
/// over the time of archiving.
///
/// # Errors
/// When the archive cannot be read.
pub fn sample(
    archive: &Archive,
    ids: &[EntryId],
    most: usize,
    against: Against,
) -> Result<Vec<EntryId>> {
    if ids.len() <= most {
        return Ok(ids.to_vec());
    }
    let snapshot = archive.snapshot()?;
    let mut classes: BTreeMap<Class, Vec<EntryId>> = BTreeMap::new();
    for &id in ids {
        if let Some(entry) = snapshot.entry(id)? {
            classes
                .entry(Class::of(&entry, against))
                .or_default()
                .push(id);
        }
    }
    Ok(choose(classes.into_iter().collect(), most))
}

fn choose(mut classes: Vec<(Class, Vec<EntryId>)>, most: usize) -> Vec<EntryId> {
    classes.sort_by_key(|(class, ids)| (class.worked, std::cmp::Reverse(ids.len())));
    let sizes: Vec<usize> = classes.iter().map(|(_, ids)| ids.len()).collect();
    let failing = classes
        .iter()
        .take_while(|(class, _)| !class.worked)
        .count();
    let mut shares = vec![0; sizes.len()];
    let mut left = most;
    for share in shares.iter_mut().take(most) {
        *share = 1;
        left -= 1;
    }
    let of_failures: usize = shares[..failing].iter().sum();
    let for_failures = (most / 4).saturating_sub(of_failures).min(left);
    left -= give(&mut shares[..failing], &sizes[..failing], for_failures);
    left -= give(&mut shares[failing..], &sizes[failing..], left);
    give(&mut shares, &sizes, left);
    let chosen = classes.iter().zip(shares);
    let mut ids: Vec<EntryId> = chosen
        .flat_map(|((_, ids), share)| spread(ids, share))
        .collect();
    ids.sort_unstable();
    ids
}

/// Gives `count` more to classes, by how many each has left. Returns how many were given.
fn give(shares: &mut [usize], sizes: &[usize], count: usize) -> usize {
    let rooms: Vec<usize> = sizes
        .iter()
        .zip(&*shares)
        .map(|(size, share)| size - share)
        .collect();
    let room: usize = rooms.iter().sum();
    let count = count.min(room);
    let (mut given, mut passed) = (0, 0_u128);
    for (share, own) in shares.iter_mut().zip(rooms) {
        passed += own as u128;
        // Rounded over the classes together, so that the parts add up to the whole.
        let until = passed * count as u128 / room.max(1) as u128;
        let until = usize::try_from(until).unwrap_or(count);
        let part = (until - given).min(own);
        *share += part;
        given += part;
    }
    given
}

/// Returns `count` of some ids, evenly spread, with the last among them.
fn spread(ids: &[EntryId], count: usize) -> impl Iterator<Item = EntryId> + '_ {
    let count = count.min(ids.len());
    (1..=count).map(move |nth| ids[nth * ids.len() / count - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: &'static str, part: &str) -> Class {
        Class {
            worked: status == "success",
            status,
            part: Some(part.to_owned()),
            station: None,
            process: None,
            extension: None,
        }
    }

    fn ids(of: std::ops::Range<u64>) -> Vec<EntryId> {
        of.map(EntryId).collect()
    }

    /// A sample of the newest files, or of the most frequent ones, misses what a new converter
    /// breaks: rare parts, and what failed before.
    #[test]
    fn every_class_and_every_time_is_in_the_sample() {
        let classes = || {
            vec![
                (class("success", "common"), ids(0..10_000)),
                (class("success", "rare"), ids(20_000..20_001)),
                (class("failed", "common"), ids(30_000..30_500)),
                (class("failed", "rare"), ids(40_000..40_002)),
            ]
        };
        let chosen = choose(classes(), 100);
        assert_eq!(chosen.len(), 100);
        let of = |first: u64, last: u64| {
            let within = |id: &&EntryId| (first..last).contains(&id.0);
            chosen.iter().filter(within).count()
        };
        assert_eq!(of(20_000, 20_001), 1);
        assert!(of(40_000, 40_002) >= 1);
        assert_eq!(of(30_000, 41_000), 25, "a quarter are failures");
        for tenth in 0..10 {
            assert!(of(tenth * 1_000, (tenth + 1) * 1_000) >= 6, "{tenth}");
        }
        assert_eq!(chosen, choose(classes(), 100), "it is the same each time");
        assert!(chosen.is_sorted_by(|one, other| one < other), "each once");
    }

    #[test]
    fn a_small_sample_has_failures_first_and_a_large_one_has_all() {
        let classes = || {
            vec![
                (class("success", "a"), ids(0..50)),
                (class("success", "b"), ids(50..60)),
                (class("failed", "a"), ids(60..90)),
            ]
        };
        assert_eq!(choose(classes(), 1), [EntryId(89)]);
        assert_eq!(choose(classes(), 2), [EntryId(49), EntryId(89)]);
        for most in 1..90 {
            assert_eq!(choose(classes(), most).len(), most);
        }
    }
}
