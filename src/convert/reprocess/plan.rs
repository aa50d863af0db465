//! Plans a job without running anything.

use std::collections::BTreeMap;

use serde::Serialize;

use super::blocked::Blocked;
use super::choice::{Choice, Unfit, without_source};
use super::options::Reprocess;
use super::runners::Runners;
use super::select::Selection;
use super::work::Work;
use crate::Result;
use crate::archive::Archive;
use crate::convert::converter::Converter;
use crate::convert::process::Cancel;
use crate::convert::running::Identity;
use crate::entry::Entry;
use crate::id::ConverterId;

/// What a job over a selection would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
#[must_use = "a plan converts nothing"]
pub struct ReprocessPlan {
    /// Number of selected entries.
    pub total: u64,
    /// The runs, with the number of entries for each.
    pub runs: Vec<PlannedRun>,
    /// Reasons for skipping entries, with their numbers.
    pub skipped: Vec<PlannedSkip>,
    /// Why converters cannot be started on this machine, with the number of entries affected.
    pub blocked: Vec<PlannedSkip>,
}

/// The run of one converter over entries that share their last converter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedRun {
    /// The converter of their last attempt; `None` when they have none.
    pub before: Option<ConverterLabel>,
    /// The converter that would run.
    pub now: ConverterLabel,
    /// Number of entries.
    pub entries: u64,
    /// For a recorded converter, what there is to say of what it runs on: what differs, or that it
    /// is not recorded.
    pub environment: Option<String>,
}

/// Name and identity of a converter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct ConverterLabel {
    /// The name of the converter.
    pub converter: String,
    /// The version that the converter claims.
    pub version: Option<String>,
    /// The identity of the converter; `None` when it was not recorded.
    pub converter_id: Option<ConverterId>,
}

/// Entries that would be skipped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedSkip {
    /// The reason.
    pub reason: String,
    /// Number of entries.
    pub entries: u64,
}

/// What makes entries part of one planned run: their last converter, the one that would run, and
/// what there is to say of its environment.
type RunLabel = (Option<ConverterLabel>, ConverterLabel, Option<String>);

/// Plans what [`reprocess`](crate::convert::reprocess()) would run over `selection`, and runs
/// nothing.
///
/// # Errors
/// When the archive cannot be read, or a configured converter's files cannot.
pub fn plan(
    archive: &Archive,
    selection: &Selection,
    converters: &[Converter],
    options: &Reprocess,
) -> Result<ReprocessPlan> {
    let work = Work {
        archive,
        converters,
        options,
        run: None,
        cancel: &Cancel::default(),
        runners: Runners::default(),
        blocked: Blocked::default(),
    };
    let snapshot = archive.snapshot()?;
    let mut identities: BTreeMap<String, ConverterId> = BTreeMap::new();
    let mut runs: BTreeMap<RunLabel, u64> = BTreeMap::new();
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    let mut missing: BTreeMap<ConverterLabel, Option<String>> = BTreeMap::new();
    let mut blocked: BTreeMap<String, u64> = BTreeMap::new();
    for &id in &selection.ids {
        let chosen = match snapshot.entry(id)? {
            None => Err(Unfit::Skip("there is no such entry".to_owned())),
            Some(entry) if let Some(why) = without_source(&entry) => Err(Unfit::Skip(why)),
            Some(entry) => work.converter_for(&entry).and_then(|choice| {
                work.arguments_for(&entry, choice.name())?;
                Ok((entry, choice))
            }),
        };
        let (entry, choice) = match chosen {
            Ok(chosen) => chosen,
            Err(Unfit::Skip(reason)) => {
                *skipped.entry(reason).or_default() += 1;
                continue;
            }
            Err(Unfit::Error(error) | Unfit::CannotRun(_, error)) => return Err(error),
        };
        let now = match &choice {
            Choice::Configured(converter) => {
                let id = match identities.get(&converter.name) {
                    Some(known) => *known,
                    None => Identity::of(converter)?.id,
                };
                identities.insert(converter.name.clone(), id);
                ConverterLabel {
                    converter: converter.name.clone(),
                    version: converter.version.clone(),
                    converter_id: Some(id),
                }
            }
            Choice::Recorded(registered) => ConverterLabel {
                converter: registered.name.clone(),
                version: registered.version.clone(),
                converter_id: Some(registered.converter_id),
            },
        };
        let why = missing.entry(now.clone());
        let why = why.or_insert_with(|| choice.missing_program());
        if let Some(why) = why {
            let why = format!("converter '{}' cannot be started: {why}", now.converter);
            *blocked.entry(why).or_default() += 1;
        }
        let before = entry.attempts.last().map(|last| ConverterLabel {
            converter: last.converter.clone(),
            version: last.converter_version.clone(),
            converter_id: last.converter_id,
        });
        let environment = work.planned_environment(&choice, &entry)?;
        *runs.entry((before, now, environment)).or_default() += 1;
    }
    Ok(ReprocessPlan {
        total: selection.ids.len() as u64,
        runs: runs
            .into_iter()
            .map(|((before, now, environment), entries)| PlannedRun {
                before,
                now,
                entries,
                environment,
            })
            .collect(),
        skipped: reasons(skipped),
        blocked: reasons(blocked),
    })
}

impl Work<'_> {
    /// Returns what there is to say of what a recorded converter would run on.
    fn planned_environment(&self, choice: &Choice<'_>, entry: &Entry) -> Result<Option<String>> {
        let Choice::Recorded(registered) = choice else {
            return Ok(None);
        };
        let check = self.environment(registered, entry, &choice.outline())?;
        Ok(check.sentence())
    }
}

fn reasons(numbers: BTreeMap<String, u64>) -> Vec<PlannedSkip> {
    let reason = |(reason, entries)| PlannedSkip { reason, entries };
    numbers.into_iter().map(reason).collect()
}
