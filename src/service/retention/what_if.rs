//! What a configuration that is not in force would purge, beside what the one in force does.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::configured::{UnmetLimit, configured_policies, plan_all, unmet_limits};
use super::frozen::configuration;
use crate::archive::{Archive, PlanImpact};
use crate::entry::{Period, Retention};
use crate::host::{Change as Edited, Config, Draft};
use crate::id::EntryId;
use crate::query::Filter;
use crate::retention::{AsOf, Class, Keep, Policy, PurgePlan};
use crate::service::desk::Desk;
use crate::{Error, ErrorKind, Result};

/// The keys of a converter that decide what goes.
const KEYS: [&str; 6] = [
    "retention_days",
    "retention_years",
    "max_archive_size_gb",
    "max_archive_count",
    "archive_enabled",
    "archive_folder",
];

/// What one policy of a configuration would purge, as an object.
#[derive(Debug, Serialize)]
pub struct WouldPurge<'a> {
    /// The converter, or `by class`.
    pub converter: &'a str,
    /// The plan.
    #[serde(flatten)]
    pub plan: &'a PurgePlan,
    /// What it would do.
    pub impact: &'a PlanImpact,
}

/// A configuration that is not in force: its text, or the keys that change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct WhatIf {
    /// The whole text of the file.
    pub config: Option<String>,
    /// Keys with values, as `config set` takes them: `{"ICT CSV.retention_days": 30}`.
    #[cfg_attr(feature = "serve", schema(value_type = Object))]
    pub changes: BTreeMap<String, Scalar>,
    /// Apply the rules as of this time instead of now.
    pub now: Option<String>,
}

/// A value of the configuration: a text, a number, or true or false.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// True or false.
    Flag(bool),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

/// A key that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `CONVERTER.KEY`, or `defaults.KEY`.
    pub key: String,
    /// The value in force.
    pub old: Option<String>,
    /// The value that it would have.
    pub new: Option<String>,
}

/// What the rules in force and the others would purge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The keys that would change; empty when the whole text was given.
    pub changes: Vec<Change>,
    /// By the rules in force.
    pub today: Side,
    /// By the others.
    pub then: Side,
    /// Both, converter by converter; those of which nothing goes are left out.
    pub converters: Vec<ConverterRow>,
    /// Entries that are older than a shorter period and stay, because theirs was recorded with
    /// them.
    pub longer: Vec<Longer>,
    /// Limits that holds would keep from being met.
    pub limits_unmet: Vec<UnmetLimit>,
}

/// What rules would purge.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Side {
    /// Number of entries.
    pub count: u64,
    /// Number of parts of entries that stay.
    pub parts: u64,
    /// Bytes of their sources and reports.
    pub bytes_logical: u64,
    /// Bytes on disk that become unneeded.
    pub bytes_freed: u64,
    /// Entries that rules select and holds keep.
    pub held_skipped: u64,
    /// Entries that rules select and whose reports wait to be submitted.
    pub waiting_skipped: u64,
    /// Entries that rules select and retention locks keep.
    pub locked_skipped: u64,
    /// The larger share of entries or bytes that goes, in percent.
    pub percent: f64,
}

/// What would go of one converter's entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConverterRow {
    /// The converter.
    pub converter: String,
    /// Entries by the rules in force.
    pub today: u64,
    /// Bytes on disk by the rules in force.
    pub today_freed: u64,
    /// Entries by the other rules.
    pub then: u64,
    /// Bytes on disk by the other rules.
    pub then_freed: u64,
}

/// Entries that stay longer than a new period says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Longer {
    /// The converter.
    pub converter: String,
    /// The new period, such as `30d`.
    pub period: String,
    /// How many entries are older than it and stay.
    pub entries: u64,
    /// Bytes on disk that they take.
    pub bytes: u64,
}

/// Returns true for a key that decides what goes: `ICT CSV.retention_days`.
pub fn is_about_retention(key: &str) -> bool {
    let name = key.rsplit_once('.').map(|(_, name)| name);
    name.is_some_and(|name| KEYS.contains(&name))
}

/// Compares what the rules in force would purge with what others would. Changes nothing, and reads
/// every entry.
///
/// # Errors
/// `Invalid` for a text or a value that cannot be used; `NotFound` without a configuration;
/// `Refused` while the clock is in doubt.
pub fn compare(desk: &Desk, asked: &WhatIf) -> Result<Compared> {
    let in_force = configuration(desk)?;
    let (proposed, changes) = proposed(&in_force, asked)?;
    let as_of = match &asked.now {
        Some(text) => AsOf::Vouched(desk.when(text)?),
        None => AsOf::Clock,
    };
    let archive = &desk.archive;
    let today = planned(archive, &in_force, as_of)?;
    let then = planned(archive, &proposed, as_of)?;
    let goes = then.iter().flat_map(|(plan, _)| &plan.items);
    let goes: HashSet<EntryId> = goes.map(|item| item.id).collect();
    let mut longer = Vec::new();
    for converter in &proposed.converters {
        let name = &converter.converter.name;
        let old = in_force.converter(name);
        let Some(old) = old.filter(|old| old.archive.retention != converter.archive.retention)
        else {
            continue;
        };
        let found = staying(
            archive,
            &proposed,
            name,
            converter.archive.retention,
            as_of,
            &goes,
        )?;
        let is_shorter = found.entries > 0 && old.archive.archives();
        longer.extend(is_shorter.then_some(found));
    }
    Ok(Compared {
        changes,
        today: Side::of(today.as_ref()),
        then: Side::of(then.as_ref()),
        converters: rows(today.as_ref(), then.as_ref()),
        longer,
        limits_unmet: unmet_limits(archive, &proposed)?,
    })
}

/// Returns the configuration that is asked about, and which keys it changes.
fn proposed(in_force: &Config, asked: &WhatIf) -> Result<(Config, Vec<Change>)> {
    match (&asked.config, asked.changes.is_empty()) {
        (Some(text), true) => Ok((Config::parse(text, &in_force.path)?, Vec::new())),
        (None, false) => {
            let asked_for = |(key, value): (&String, &Scalar)| Edited::set(key, value.to_string());
            let edited: Vec<Edited> = asked.changes.iter().map(asked_for).collect();
            let edit = Draft::load(&in_force.path)?.edit(&edited)?;
            let differs = edit.changes.into_iter().zip(edited);
            let differs = differs.filter(|(change, _)| change.old != change.new);
            let changes = differs.map(|(change, edited)| Change {
                key: edited.target,
                old: change.old,
                new: change.new,
            });
            Ok((edit.config, changes.collect()))
        }
        _ => {
            let told = "say what would change: 'config' with the text of a file, or 'changes'";
            Err(Error::new(ErrorKind::Invalid, told)
                .hint("for example {\"changes\": {\"ICT CSV.retention_days\": 30}}"))
        }
    }
}

type Planned = (PurgePlan, PlanImpact);

/// Plans what a configuration takes; `None` when it lets nothing go.
fn planned(archive: &Archive, config: &Config, as_of: AsOf) -> Result<Option<Planned>> {
    let Ok(policies) = configured_policies(config) else {
        return Ok(None);
    };
    let plan = plan_all(archive, &policies, as_of)?;
    let impact = archive.impact(&plan)?;
    Ok(Some((plan, impact)))
}

/// Returns the entries of a converter that would be too old if its new period had been recorded
/// with them, and that stay.
fn staying(
    archive: &Archive,
    config: &Config,
    converter: &str,
    retention: Retention,
    as_of: AsOf,
    goes: &HashSet<EntryId>,
) -> Result<Longer> {
    let mut found = Longer {
        converter: converter.to_owned(),
        period: String::new(),
        entries: 0,
        bytes: 0,
    };
    let Retention::Period { days, years } = retention else {
        return Ok(found);
    };
    let mut period = Period::years(years.into());
    period.days = days.into();
    found.period = period.to_string();
    let class = Class::new(converter)
        .filter(Filter::default().converter(converter))
        .keep(Keep::For(period));
    let place = config.retention.len();
    let classes = config.retention.iter().cloned().chain([class]).collect();
    let plan = archive.plan_purge(&Policy::default().classes(classes), as_of)?;
    let of_period = plan.items.iter().filter(|item| {
        item.class.as_deref() == Some(converter)
            && !config.retention[..place]
                .iter()
                .any(|class| class.name == converter)
            && !goes.contains(&item.id)
    });
    for item in of_period {
        found.entries += 1;
        found.bytes += item.bytes_freed;
    }
    Ok(found)
}

impl Side {
    fn of(planned: Option<&Planned>) -> Self {
        let Some((plan, impact)) = planned else {
            return Self::default();
        };
        Self {
            count: plan.count,
            parts: plan.parts,
            bytes_logical: plan.bytes_logical,
            bytes_freed: plan.bytes_freed,
            held_skipped: plan.held_skipped,
            waiting_skipped: plan.waiting_skipped,
            locked_skipped: plan.locked_skipped,
            percent: impact.percent(),
        }
    }
}

fn rows(today: Option<&Planned>, then: Option<&Planned>) -> Vec<ConverterRow> {
    let mut rows: BTreeMap<&str, ConverterRow> = BTreeMap::new();
    for (planned, is_then) in [(today, false), (then, true)] {
        let groups = planned.iter().flat_map(|(_, impact)| &impact.by_converter);
        for group in groups {
            let row = rows.entry(&group.name).or_insert_with(|| ConverterRow {
                converter: group.name.clone(),
                today: 0,
                today_freed: 0,
                then: 0,
                then_freed: 0,
            });
            if is_then {
                (row.then, row.then_freed) = (group.entries, group.bytes_freed);
            } else {
                (row.today, row.today_freed) = (group.entries, group.bytes_freed);
            }
        }
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::NewEntry;
    use crate::service::time::Zone;

    const CONFIGURATION: &str = r#"
[store]
path = "store"
# Agreed with the customer.
[[converter]]
name = "ICT 1.2"
command = ["cat", "{input}"]
archive_enabled = true
retention_days = 900
"#;

    fn desk() -> (tempfile::TempDir, Desk) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("host.toml");
        std::fs::write(&file, CONFIGURATION).expect("written");
        let archive = Archive::builder().create(folder.path().join("store"));
        let archive = archive.expect("a store");
        for nth in 0..10_u8 {
            let new = NewEntry::new("ICT 1.2").retention(Retention::days(900));
            archive.put(new, &[nth][..]).expect("put");
        }
        let now = crate::time::Clock::now(&crate::time::SystemClock);
        let desk = Desk::new(archive, Zone::Utc, now).with_config_file(Some(file));
        (folder, desk)
    }

    fn change(key: &str, value: u64) -> WhatIf {
        WhatIf {
            changes: BTreeMap::from([(key.to_owned(), Scalar::Number(value.into()))]),
            ..WhatIf::default()
        }
    }

    /// A limit that was typed into a form was saved before anybody saw what it takes.
    #[test]
    fn an_unsaved_limit_says_what_it_would_take_and_writes_nothing() {
        let (folder, desk) = desk();
        let asked = change("ICT 1.2.max_archive_count", 4);
        let compared = compare(&desk, &asked).expect("compared");
        assert_eq!((compared.today.count, compared.then.count), (0, 6));
        assert_eq!(compared.converters[0].converter, "ICT 1.2");
        assert_eq!(compared.changes[0].new.as_deref(), Some("4"));
        let file = std::fs::read_to_string(folder.path().join("host.toml"));
        assert_eq!(file.expect("there"), CONFIGURATION);
    }

    /// Somebody shortened `retention_days`, took the entries for gone, and they were still there.
    #[test]
    fn a_shorter_period_says_that_recorded_ones_stay() {
        let (_folder, desk) = desk();
        let mut asked = change("ICT 1.2.retention_days", 30);
        let later = desk.now.plus_micros(60 * 86_400_000_000);
        asked.now = Some(later.to_utc_string());
        let compared = compare(&desk, &asked).expect("compared");
        assert_eq!((compared.today.count, compared.then.count), (0, 0));
        assert_eq!(compared.longer.len(), 1);
        assert_eq!(compared.longer[0].entries, 10);
        assert_eq!(compared.longer[0].period, "30d");
    }

    /// A misspelt key was left out in silence, and the answer was that of the rules in force.
    #[test]
    fn a_misspelt_key_or_a_value_out_of_range_is_refused() {
        let (_folder, desk) = desk();
        for (key, value) in [
            ("ICT 1.2.retention_day", 30),
            ("ICT.retention_days", 30),
            ("ICT 1.2.retention_days", 0),
            ("ICT 1.2.retention_days", 100_000),
        ] {
            let error = compare(&desk, &change(key, value)).expect_err(key);
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::Invalid | ErrorKind::NotFound),
                "{key}: {error}"
            );
        }
        let nothing = compare(&desk, &WhatIf::default()).expect_err("nothing is said");
        assert_eq!(nothing.kind(), ErrorKind::Invalid);
    }

    #[test]
    fn keys_of_a_settings_form_are_told_apart() {
        assert!(is_about_retention("ICT 1.2.retention_days"));
        assert!(is_about_retention("defaults.max_archive_count"));
        for other in ["ICT.timeout_s", "reason", "retention_days", "store.path"] {
            assert!(!is_about_retention(other), "{other}");
        }
    }
}
