//! Finds classes that no entry can reach, because an earlier class has all of theirs.

use super::Class;
use crate::query::Filter;

/// Returns the places of the classes that can never match, each with the earlier class that has
/// their entries.
pub(crate) fn unreachable(classes: &[Class]) -> Vec<(usize, usize)> {
    let covered = |place: usize| {
        let earlier = classes.iter().take(place);
        let mut earlier = earlier.enumerate();
        let found = earlier.find(|(_, class)| covers(&class.filter, &classes[place].filter));
        found.map(|(before, _)| (place, before))
    };
    (0..classes.len()).filter_map(covered).collect()
}

/// Returns whether every entry that `narrow` selects is surely selected by `wide`, too.
fn covers(wide: &Filter, narrow: &Filter) -> bool {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let any = |wide: &[String], narrow: &[String]| {
        let within = |name: &String| wide.iter().any(|other| same(other, name));
        wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(within))
    };
    let one = |wide: &Option<String>, narrow: &Option<String>| match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => same(wide, narrow),
        (Some(_), None) => false,
    };
    any(&wide.converter, &narrow.converter)
        && (wide.status.is_empty()
            || (!narrow.status.is_empty()
                && narrow
                    .status
                    .iter()
                    .all(|status| wide.status.contains(status))))
        && one(&wide.serial, &narrow.serial)
        && one(&wide.part, &narrow.part)
        && one(&wide.station, &narrow.station)
        && one(&wide.process, &narrow.process)
        && one(&wide.file, &narrow.file)
        && one(&wide.path, &narrow.path)
        && wide.meta.iter().all(|pair| narrow.meta.contains(pair))
        && wide.label.iter().all(|label| {
            let mut labels = narrow.label.iter();
            labels.any(|other| same(other, label))
        })
}
