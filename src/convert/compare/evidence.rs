//! Tells places that are generated in each run from places that hold data.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::change::Change;
use super::generated::{
    Generated, is_random_id, name_of_path, numbers_of_version, seconds_of_time,
};
use super::path::parts_of;
use crate::convert::protocol::Json;
use crate::id::EntryId;

/// Words in the name of a member that holds data. It is never taken for generated.
#[rustfmt::skip]
const DATA: &[&str] = &[
    "batch", "bin", "comparator", "count", "customer", "dut", "error", "fail", "failed", "failure",
    "fixture", "high", "limit", "limits", "lot", "low", "lower", "max", "maximum", "mean", "min",
    "minimum", "nominal", "operator", "order", "outcome", "part", "partnumber", "pass", "passed",
    "pn", "reading", "result", "revision", "serial", "serialnumber", "sn", "state", "station",
    "status", "unit", "units", "upper", "uut", "val", "value", "values", "verdict", "yield",
];
/// Words in the name of a member that holds data unless its values are random identifiers.
#[rustfmt::skip]
const DATA_OR_ID: &[&str] = &[
    "bios", "board", "calibration", "device", "firmware", "fw", "hardware", "hw", "measured",
    "measurement", "process", "product", "program", "recipe", "sequence", "software", "sw", "test",
];
/// Words of which one is in the name of a member that says how long a conversion took.
const CONVERSION: &[&str] = &[
    "conversion",
    "convert",
    "converter",
    "parse",
    "parser",
    "parsing",
    "processing",
];
/// Words that say that a number is a time.
const DURATION: &[&str] = &[
    "duration", "elapsed", "ms", "runtime", "s", "seconds", "time", "took",
];
/// Number of values that are compared with later ones to see whether they come again.
const REMEMBERED_MAX: usize = 256;
/// Two times that are further apart in one entry than in another differ by more than this, in
/// seconds. A constant distance is an error of a time zone, not another run.
const JITTER_S: f64 = 0.001;

/// What is known of the values of one place.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    /// The words of the member's name, in lower case.
    words: Vec<String>,
    /// The kinds that all values so far may be.
    kinds: Vec<Generated>,
    values: u64,
    /// Hashes of identifiers, each with the entry it came from.
    remembered: HashMap<u64, EntryId>,
    hasher: RandomState,
    /// The only version before and after.
    versions: Option<(String, String)>,
    times: Option<Times>,
}

/// The bounds of times before and now, and of the distances between them, in seconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    latest_old: f64,
    earliest_new: f64,
    shortest: f64,
    longest: f64,
}

impl Evidence {
    /// Begins with nothing known of the place with a general path.
    pub(super) fn at(path: &str) -> Self {
        let parts = parts_of(path);
        let named = parts.iter().rev().find(|part| part.full != "*");
        let words = named.map_or_else(Vec::new, |part| words_of(part.bare));
        let is_data = path.is_empty()
            || !path.starts_with('/')
            || words.iter().any(|word| DATA.contains(&word.as_str()));
        let may_be_data = words.iter().any(|word| DATA_OR_ID.contains(&word.as_str()));
        let kinds = if is_data {
            Vec::new()
        } else if may_be_data {
            vec![Generated::Id]
        } else {
            vec![
                Generated::Id,
                Generated::Time,
                Generated::Version,
                Generated::Path,
                Generated::Duration,
            ]
        };
        Self {
            words,
            kinds,
            values: 0,
            remembered: HashMap::new(),
            hasher: RandomState::new(),
            versions: None,
            times: None,
        }
    }

    /// Adds a change. Each kind that it contradicts is given up.
    pub(super) fn add(&mut self, entry: EntryId, change: &Change) {
        if self.kinds.is_empty() {
            return;
        }
        self.values += 1;
        let kinds = std::mem::take(&mut self.kinds);
        let kinds = kinds.into_iter();
        self.kinds = match (&change.old, &change.new) {
            (Some(Json::Text(old)), Some(Json::Text(new))) => {
                let (old, new) = (old.words(), new.words());
                kinds
                    .filter(|kind| self.agrees(*kind, entry, &old, &new))
                    .collect()
            }
            (Some(Json::Number(_)), Some(Json::Number(_))) => {
                let has = |of: &[&str]| self.words.iter().any(|word| of.contains(&word.as_str()));
                kinds
                    .filter(|kind| *kind == Generated::Duration && has(CONVERSION) && has(DURATION))
                    .collect()
            }
            _ => Vec::new(),
        };
        if self.kinds.is_empty() {
            self.remembered = HashMap::new();
        }
    }

    fn agrees(&mut self, kind: Generated, entry: EntryId, old: &str, new: &str) -> bool {
        match kind {
            Generated::Id => {
                let are_random = is_random_id(old) && is_random_id(new);
                are_random && self.is_new(entry, old) && self.is_new(entry, new)
            }
            Generated::Time => seconds_of_time(old)
                .zip(seconds_of_time(new))
                .is_some_and(|(old, new)| self.add_times(old, new)),
            Generated::Version => {
                let is_named = self.words.iter().any(|word| word == "version");
                let grows = numbers_of_version(old)
                    .zip(numbers_of_version(new))
                    .is_some_and(|(old, new)| new > old);
                let known = self
                    .versions
                    .get_or_insert_with(|| (old.to_owned(), new.to_owned()));
                is_named && grows && known.0 == old && known.1 == new
            }
            Generated::Path => name_of_path(old)
                .zip(name_of_path(new))
                .is_some_and(|(old, new)| old == new),
            Generated::Duration => false,
        }
    }

    /// Returns true unless the value came in another entry before: then it is a name of something.
    fn is_new(&mut self, entry: EntryId, value: &str) -> bool {
        let hash = self.hasher.hash_one(value);
        match self.remembered.get(&hash) {
            Some(known) => *known == entry,
            None => {
                if self.remembered.len() < REMEMBERED_MAX {
                    self.remembered.insert(hash, entry);
                }
                true
            }
        }
    }

    fn add_times(&mut self, old: f64, new: f64) -> bool {
        let distance = new - old;
        let times = self.times.get_or_insert(Times {
            latest_old: old,
            earliest_new: new,
            shortest: distance,
            longest: distance,
        });
        *times = Times {
            latest_old: times.latest_old.max(old),
            earliest_new: times.earliest_new.min(new),
            shortest: times.shortest.min(distance),
            longest: times.longest.max(distance),
        };
        // A time of a run is later than all times of the run before. Times of tests lie between
        // each other.
        times.latest_old < times.earliest_new
    }

    /// Returns what the values are, if they are generated, and why.
    pub(super) fn conclusion(&self) -> Option<(Generated, String)> {
        let kind = *self.kinds.first()?;
        let why = match kind {
            Generated::Id => "every value a random id that differs".to_owned(),
            Generated::Time => {
                let times = self.times?;
                if times.longest - times.shortest <= JITTER_S {
                    return None;
                }
                "every value a later time, at varying distances".to_owned()
            }
            Generated::Version => {
                let (old, new) = self.versions.as_ref()?;
                format!("every value {old:?} before and {new:?} now")
            }
            Generated::Path => "the same file name in another folder".to_owned(),
            Generated::Duration => "every value how long a conversion took".to_owned(),
        };
        Some((kind, why))
    }
}

/// Returns the words of a name: `measurementUUID`, `measurement_uuid` and `measurement uuid` are
/// `measurement` and `uuid`.
fn words_of(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (place, &c) in chars.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(place + 1);
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if (begins || !c.is_alphabetic()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    //! Checks that no measurement, limit, status or serial is ever taken for generated.

    use super::*;

    fn concluded(path: &str, pairs: &[(&str, &str)]) -> Option<Generated> {
        let mut evidence = Evidence::at(path);
        for (number, (old, new)) in (1..).zip(pairs) {
            let json =
                |text: &str| Json::parse(text.as_bytes()).unwrap_or_else(|| Json::text(text));
            let change = Change::new(path, Some(json(old)), Some(json(new)));
            evidence.add(EntryId(number), &change);
        }
        evidence.conclusion().map(|(kind, _)| kind)
    }

    fn uuid(n: u32) -> String {
        format!("{n:08x}-4f89-41d3-9a0c-0305e82c3301")
    }

    #[test]
    fn new_ids_times_versions_and_paths_are_generated() {
        let ids: Vec<_> = (0..300).map(|n| (uuid(n), uuid(n + 1000))).collect();
        let ids: Vec<_> = ids.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(concluded("/meta/uuid", &ids), Some(Generated::Id));
        let times = [
            ("2026-03-01T10:00:00Z", "2026-04-01T10:00:00Z"),
            ("2026-03-01T10:00:03Z", "2026-04-01T10:00:05Z"),
        ];
        assert_eq!(concluded("/made", &times), Some(Generated::Time));
        assert_eq!(concluded("/measurement time", &times), None);
        assert_eq!(
            concluded("/*/measurement identifier", &ids),
            Some(Generated::Id)
        );
        let versions = [("0.1.130", "0.1.150"), ("0.1.130", "0.1.150")];
        assert_eq!(
            concluded("/ASM converter version", &versions),
            Some(Generated::Version)
        );
        let paths = [("/tmp/a/x.csv", "/tmp/b/x.csv")];
        assert_eq!(concluded("/file", &paths), Some(Generated::Path));
        assert_eq!(
            concluded("/conversion_time_s", &[("1.5", "2")]),
            Some(Generated::Duration)
        );
    }

    #[test]
    fn data_is_never_generated() {
        let (a, b) = (uuid(1), uuid(2));
        for path in [
            "/serial",
            "/serialNumber",
            "/steps/*/value",
            "/limits/high",
            "/status",
            "/Result",
            "",
            "serial",
            "/part_number",
            "/uut/@sn",
            "line *",
            "/station_uuid",
            "/values/*",
        ] {
            assert_eq!(concluded(path, &[(&a, &b)]), None, "{path}");
        }
        // Numbers, and texts of no kind.
        assert_eq!(concluded("/x", &[("1.5", "1.6")]), None);
        assert_eq!(concluded("/duration", &[("1.5", "1.6")]), None);
        assert_eq!(concluded("/x", &[("PASS", "FAIL")]), None);
        // One id that stands for something became another one.
        assert_eq!(concluded("/operation", &[(&a, &b), (&a, &b)]), None);
        // A constant distance is a time zone. A time that goes back, or lies among others, is data.
        let shifted = [
            ("2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z"),
            ("2026-03-01T10:00:09Z", "2026-03-01T12:00:09Z"),
        ];
        assert_eq!(concluded("/start", &shifted), None);
        let ends = [
            ("2026-03-01T10:00:00Z", "2026-03-01T10:01:00Z"),
            ("2026-03-01T11:00:00Z", "2026-03-01T11:00:40Z"),
        ];
        assert_eq!(concluded("/start", &ends), None);
        // Versions of what was tested, and versions that go back or differ.
        assert_eq!(concluded("/firmware_version", &[("1.0", "1.1")]), None);
        assert_eq!(concluded("/version", &[("1.1", "1.0")]), None);
        assert_eq!(
            concluded("/version", &[("1.0", "1.1"), ("1.0", "1.2")]),
            None
        );
        assert_eq!(concluded("/x", &[("1.0.1", "1.1.0")]), None);
        assert_eq!(concluded("/file", &[("/in/a.csv", "/in/b.csv")]), None);
    }

    #[test]
    fn a_name_is_taken_apart_into_words() {
        for (name, words) in [
            ("measurementUUID", "measurement uuid"),
            ("UUIDOfStep", "uuid of step"),
            ("@serial_number2", "serial number"),
            ("ASM converter version", "asm converter version"),
            ("", ""),
        ] {
            assert_eq!(words_of(name).join(" "), words);
        }
    }
}
