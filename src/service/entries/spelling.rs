//! Reads and writes filters as keys with values: the query of a URL, a command line.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::filters::{Criteria, Filters, Period};
use crate::convert::{IdentityDigits, suggest};
use crate::query::{Filter, Suspicious};
use crate::service::words::{in_shell, parse_pair};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// A key of a filter: the long name of a flag of the command line, with `_` for `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterKey {
    /// The key.
    pub name: &'static str,
    /// What may stand with it.
    pub takes: Takes,
}

/// What may stand with the key of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// One value.
    One,
    /// Any number of values, each with the key.
    Many,
    /// `true` or `false`.
    Flag,
}

impl Filters {
    /// All keys, in the order in which they are written.
    pub const KEYS: [FilterKey; 21] = [
        key("converter", Takes::Many),
        key("status", Takes::Many),
        key("from", Takes::One),
        key("to", Takes::One),
        key("serial", Takes::One),
        key("part", Takes::One),
        key("station", Takes::One),
        key("process", Takes::One),
        key("file", Takes::One),
        key("path", Takes::One),
        key("meta", Takes::Many),
        key("label", Takes::Many),
        key("hold", Takes::One),
        key("file_time_from", Takes::One),
        key("file_time_to", Takes::One),
        key("job", Takes::One),
        key("text", Takes::One),
        key("failure", Takes::One),
        key("suspicious", Takes::Flag),
        key("made_by", Takes::One),
        key("outdated", Takes::Flag),
    ];

    /// Returns the filters that keys with values state. A value that is empty counts as not given,
    /// as forms send fields that were left alone.
    ///
    /// # Errors
    /// `Invalid` for a key that is none of [`Filters::KEYS`], for one that is given twice and takes
    /// one value, and for a value that cannot be read.
    pub fn from_pairs<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut filters = Self::default();
        for (key, value) in pairs {
            filters.add(key.as_ref(), value.as_ref())?;
        }
        Ok(filters)
    }

    /// Adds what one key with its value states.
    ///
    /// # Errors
    /// As for [`Filters::from_pairs`].
    pub fn add(&mut self, key: &str, value: &str) -> Result<()> {
        let Self {
            criteria: one,
            period,
        } = self;
        if value.is_empty() && Self::KEYS.iter().any(|known| known.name == key) {
            return Ok(());
        }
        match key {
            "converter" => one.converter.push(value.to_owned()),
            "status" => {
                for status in value.split(',') {
                    one.status.push(read(key, status.trim())?);
                }
            }
            "from" => set(&mut period.from, key, value)?,
            "to" => set(&mut period.to, key, value)?,
            "serial" => set(&mut one.serial, key, value)?,
            "part" => set(&mut one.part, key, value)?,
            "station" => set(&mut one.station, key, value)?,
            "process" => set(&mut one.process, key, value)?,
            "file" => set(&mut one.file, key, value)?,
            "path" => set(&mut one.path, key, value)?,
            "meta" => {
                let pair = parse_pair(value).map_err(|why| wrong(key, value, why))?;
                one.meta.push(pair);
            }
            "label" => one.label.push(value.to_owned()),
            "hold" => set(&mut one.hold, key, value)?,
            "file_time_from" => set(&mut one.file_time_from, key, value)?,
            "file_time_to" => set(&mut one.file_time_to, key, value)?,
            "job" => set(&mut one.job, key, value)?,
            "text" => set(&mut one.text, key, value)?,
            "failure" => set(&mut one.failure, key, value)?,
            "suspicious" => one.suspicious = read(key, value)?,
            "made_by" => set(&mut one.made_by, key, value)?,
            "outdated" => one.outdated = read(key, value)?,
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    /// Returns keys with values that state these filters, in the order of [`Filters::KEYS`]. Dates
    /// stand as they were written.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let (one, period) = (&self.criteria, &self.period);
        let mut pairs = Vec::new();
        let mut many = |key, values: &mut dyn Iterator<Item = String>| {
            pairs.extend(values.map(|value| (key, value)));
        };
        let flag = |flag: bool| flag.then(|| true.to_string()).into_iter();
        many("converter", &mut one.converter.iter().cloned());
        many("status", &mut one.status.iter().map(ToString::to_string));
        many("from", &mut period.from.iter().cloned());
        many("to", &mut period.to.iter().cloned());
        many("serial", &mut one.serial.iter().cloned());
        many("part", &mut one.part.iter().cloned());
        many("station", &mut one.station.iter().cloned());
        many("process", &mut one.process.iter().cloned());
        many("file", &mut one.file.iter().cloned());
        many("path", &mut one.path.iter().cloned());
        let meta = one.meta.iter();
        many(
            "meta",
            &mut meta.map(|(name, value)| format!("{name}={value}")),
        );
        many("label", &mut one.label.iter().cloned());
        many("hold", &mut one.hold.iter().cloned());
        many("file_time_from", &mut one.file_time_from.iter().cloned());
        many("file_time_to", &mut one.file_time_to.iter().cloned());
        many("job", &mut one.job.iter().map(ToString::to_string));
        many("text", &mut one.text.iter().cloned());
        many("failure", &mut one.failure.iter().map(ToString::to_string));
        many("suspicious", &mut flag(one.suspicious));
        many("made_by", &mut one.made_by.iter().map(ToString::to_string));
        many("outdated", &mut flag(one.outdated));
        pairs
    }

    /// Returns the words of a filter, with exact times.
    ///
    /// Words leave out what has none: ids, report ids, versions, and what is purged.
    /// [`Filters::tell_all_of`] says whether anything was.
    pub fn of(filter: &Filter) -> Self {
        let time = |time: Timestamp| time.to_string();
        Self {
            criteria: Criteria {
                converter: filter.converter.clone(),
                status: filter.status.clone(),
                serial: filter.serial.clone(),
                part: filter.part.clone(),
                station: filter.station.clone(),
                process: filter.process.clone(),
                file: filter.file.clone(),
                path: filter.path.clone(),
                meta: filter.meta.clone(),
                label: filter.label.clone(),
                hold: filter.hold.clone().map(String::from),
                file_time_from: filter.file_time_from.map(time),
                file_time_to: filter.file_time_to.map(time),
                job: filter.job,
                text: filter.text.clone(),
                failure: filter.failure,
                suspicious: filter.suspicious == Suspicious::Only,
                made_by: match filter.made_by.as_deref() {
                    Some([only]) => Some(IdentityDigits::whole(only.id)),
                    _ => None,
                },
                outdated: filter.made_by.as_ref().is_some_and(|all| all.len() != 1),
            },
            period: Period {
                from: filter.from.map(time),
                to: filter.to.map(time),
            },
        }
    }

    /// Returns true when words can state all of a filter.
    pub fn tell_all_of(filter: &Filter) -> bool {
        let is_word = |(name, _): &(String, String)| !name.is_empty() && !name.contains('=');
        let mut untold = filter.clone();
        untold.meta.retain(|pair| !is_word(pair));
        let told = Filter {
            ids: untold.ids,
            converter_version: untold.converter_version,
            report_id: untold.report_id,
            meta: untold.meta,
            suspicious: match untold.suspicious {
                Suspicious::Only => Suspicious::Include,
                other => other,
            },
            purged: untold.purged,
            ..Filter::default()
        };
        told.is_empty()
    }

    /// Returns the command line of a verb with these filters, ready for a shell:
    /// `annals list --serial SN1042`.
    pub fn command(&self, verb: &str) -> String {
        let mut line = format!("annals {verb}");
        for (key, value) in self.pairs() {
            let takes = Self::KEYS.iter().find(|known| known.name == key);
            let is_flag = takes.is_some_and(|known| known.takes == Takes::Flag);
            let key = key.replace('_', "-");
            let part = if is_flag {
                format!(" --{key}")
            } else if value.starts_with('-') {
                // A word that begins with a dash would be taken for a flag.
                format!(" --{key}={}", in_shell(&value))
            } else {
                format!(" --{key} {}", in_shell(&value))
            };
            line.push_str(&part);
        }
        line
    }
}

const fn key(name: &'static str, takes: Takes) -> FilterKey {
    FilterKey { name, takes }
}

fn set<T>(place: &mut Option<T>, key: &str, value: &str) -> Result<()>
where
    T: FromStr<Err: Display>,
{
    if place.is_some() {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("the filter {key} is given twice"),
        )
        .hint("give it once"));
    }
    *place = Some(read(key, value)?);
    Ok(())
}

fn read<T>(key: &str, value: &str) -> Result<T>
where
    T: FromStr<Err: Display>,
{
    value.parse().map_err(|why| wrong(key, value, why))
}

fn wrong(key: &str, value: &str, why: impl Display) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format!("'{value}' cannot stand for the filter {key}: {why}"),
    )
    .hint("`annals list --help` says what each filter takes")
}

fn unknown(key: &str) -> Error {
    let error = Error::new(ErrorKind::Invalid, format!("there is no filter '{key}'"));
    let known = Filters::KEYS.map(|key| key.name);
    match suggest(key, known.into_iter()) {
        Some(meant) => error.hint(format!("did you mean '{meant}'?")),
        None => error.hint(format!("the filters are {}", known.join(", "))),
    }
}

/// A value of a filter in JSON.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Values {
    Flag(bool),
    Number(u64),
    One(String),
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Filters {
    /// Reads an object: `{"serial": "SN1042", "status": ["failed"], "suspicious": true}`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut filters = Self::default();
        for (key, values) in BTreeMap::<String, Values>::deserialize(deserializer)? {
            let values = match values {
                Values::Flag(flag) => vec![flag.to_string()],
                Values::Number(number) => vec![number.to_string()],
                Values::One(text) => vec![text],
                Values::Many(texts) => texts,
            };
            for value in values {
                filters.add(&key, &value).map_err(D::Error::custom)?;
            }
        }
        Ok(filters)
    }
}

impl Serialize for Filters {
    /// Writes the object that [`Filters::deserialize`] reads.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (key, value) in self.pairs() {
            values.entry(key).or_default().push(value);
        }
        let mut map = serializer.serialize_map(Some(values.len()))?;
        for known in Self::KEYS {
            let Some(values) = values.get(known.name) else {
                continue;
            };
            match known.takes {
                Takes::Flag => map.serialize_entry(known.name, &true)?,
                Takes::One => map.serialize_entry(known.name, &values.concat())?,
                Takes::Many => map.serialize_entry(known.name, values)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Purged;
    use crate::service::time::Zone;

    fn now() -> Timestamp {
        "2026-11-23T12:30:00+00:00".parse().expect("valid")
    }

    /// One value for each key.
    fn all() -> Vec<(&'static str, String)> {
        let value = |key: &FilterKey| match (key.takes, key.name) {
            (Takes::Flag, _) => "true",
            (_, "status") => "failed",
            (_, "from" | "file_time_from") => "yesterday",
            (_, "to" | "file_time_to") => "today",
            (_, "meta") => "line=3=a",
            (_, "job") => "7",
            (_, "made_by") => "3f09a1b2",
            (_, "failure") => "3f09a1b2c4",
            _ => "-Müller's \"A&B\"",
        };
        let keys = Filters::KEYS.iter();
        keys.map(|key| (key.name, value(key).to_owned())).collect()
    }

    /// A mailed link and a shown command line mean what the page showed.
    #[test]
    fn filters_come_back_from_their_pairs_and_their_object() {
        let filters = Filters::from_pairs(all()).expect("valid");
        assert_eq!(filters.pairs(), all());
        let object = serde_json::to_string(&filters).expect("json");
        let back: Filters = serde_json::from_str(&object).expect("json");
        assert_eq!(back, filters);
        let stated = filters.to_filter(now(), &Zone::Utc).expect("valid");
        let again = Filters::of(&stated.filter).to_filter(now(), &Zone::Utc);
        assert_eq!(again.expect("valid").filter, stated.filter);
    }

    /// The command line is what clap reads, not what this file believes it reads.
    #[cfg(feature = "cli")]
    #[test]
    fn the_shown_command_line_is_read_back_by_the_program() {
        use clap::{Args as _, FromArgMatches as _};
        let command = || Filters::augment_args(clap::Command::new("list"));
        let filters = Filters::from_pairs(all()).expect("valid");
        let words = filters.pairs().into_iter().flat_map(|(key, value)| {
            let is_flag = matches!(key, "suspicious" | "outdated");
            let key = key.replace('_', "-");
            [if is_flag {
                format!("--{key}")
            } else {
                format!("--{key}={value}")
            }]
        });
        let words = ["list".to_owned()].into_iter().chain(words);
        let read = command().try_get_matches_from(words).expect("valid");
        let read = Filters::from_arg_matches(&read).expect("valid");
        assert_eq!(read, filters);
        let mut flags: Vec<String> = command()
            .get_arguments()
            .filter_map(|arg| arg.get_long().map(ToOwned::to_owned))
            .collect();
        let mut keys = Filters::KEYS.map(|key| key.name.replace('_', "-")).to_vec();
        flags.sort();
        keys.sort();
        assert_eq!(flags, keys);
    }

    #[test]
    fn the_command_line_is_quoted_for_a_shell() {
        let pairs = [
            ("converter", "ICT CSV"),
            ("serial", "-1"),
            ("text", "it's; rm"),
            ("outdated", "true"),
        ];
        let filters = Filters::from_pairs(pairs).expect("valid");
        assert_eq!(
            filters.command("list"),
            r"annals list --converter 'ICT CSV' --serial=-1 --text 'it'\''s; rm' --outdated"
        );
    }

    /// A typo must not widen a selection to every entry.
    #[test]
    fn what_is_no_filter_is_refused_with_what_was_meant() {
        let error = Filters::from_pairs([("seriall", "SN1")]).expect_err("unknown");
        assert_eq!(error.next_step(), Some("did you mean 'serial'?"));
        for (key, value) in [
            ("", ""),
            ("unknown", ""),
            ("status", "broken"),
            ("job", "x"),
            ("meta", "novalue"),
            ("suspicious", "yes"),
        ] {
            let error = Filters::from_pairs([(key, value)]).expect_err(key);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{key}={value}");
        }
        let twice = [("serial", "A"), ("serial", "B")];
        assert!(Filters::from_pairs(twice).is_err());
        assert!(serde_json::from_str::<Filters>(r#"{"seriall":"SN1"}"#).is_err());
    }

    #[test]
    fn a_field_of_a_form_that_was_left_alone_is_no_filter() {
        let left = Filters::KEYS.map(|key| (key.name, ""));
        assert_eq!(
            Filters::from_pairs(left).expect("valid"),
            Filters::default()
        );
    }

    /// A page that shows words for a part of a selection would act on more than it says.
    #[test]
    fn a_filter_that_words_cannot_state_whole_is_known() {
        assert!(Filters::tell_all_of(&Filter::default()));
        assert!(Filters::tell_all_of(&Filter::default().serial("SN1")));
        for filter in [
            Filter::default().report_id("R-1"),
            Filter::default().purged(Purged::Only),
            Filter::default().suspicious(Suspicious::Exclude),
            Filter::default().meta(vec![("a=b".into(), "c".into())]),
        ] {
            assert!(!Filters::tell_all_of(&filter), "{filter:?}");
        }
    }
}
