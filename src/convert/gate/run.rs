//! Runs a gate: a new identity over a selection, compared with what the current one made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Serialize, Serializer};

use super::sample::sample;
use super::verdict::{BrokenEntry, Fares, GateVerdict};
use super::waived::Waivers;
use crate::archive::Archive;
use crate::complete::Complete;
use crate::convert::compare::RuleBook;
use crate::convert::converter::Converter;
use crate::convert::process::Cancel;
use crate::convert::reprocess::{
    Against, Reprocess, Selection, Step, StepOutcome, Which, reprocess,
};
use crate::convert::running::{Identity, Session};
use crate::event::{ConverterPromoted, GateEvidence, Grounds, whole_evidence};
use crate::id::{ConverterId, EntryId, EventSeq, Sha256};
use crate::{Error, ErrorKind, Result};

/// Broken entries that a report keeps with their errors; further ones are only counted.
const BROKEN_MAX: usize = 10_000;

/// How to run a gate.
#[derive(Debug, Clone)]
pub struct GateOptions {
    /// Maximum number of entries that are tried; `None` tries all.
    pub sample: Option<usize>,
    /// Number of parallel conversions; at least one.
    pub jobs: usize,
    /// Maximum number of conversions started per second.
    pub rate: Option<f64>,
    /// What may break.
    pub waivers: Waivers,
    /// The folder in which temporary folders are created.
    pub scratch: PathBuf,
}

/// What a gate found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GateReport {
    /// The converter's name.
    pub converter: String,
    /// The new identity.
    pub candidate: ConverterId,
    /// The identity that was current; `None` when none was.
    pub current: Option<ConverterId>,
    /// The counts, the selection, and the digest over all verdicts.
    #[serde(serialize_with = "whole_evidence")]
    pub evidence: GateEvidence,
    /// The first ten thousand broken entries, ascending.
    pub broken: Vec<BrokenEntry>,
    /// Whether the new identity may be promoted.
    #[serde(flatten, serialize_with = "whole_verdict")]
    pub verdict: GateVerdict,
}

fn whole_verdict<S: Serializer>(verdict: &GateVerdict, to: S) -> Result<S::Ok, S::Error> {
    Complete::new(verdict, &["verdict", "reason"]).serialize(to)
}

impl GateReport {
    /// Returns the promotion that this report allows; `None` when it refuses it.
    pub fn promotion(&self) -> Option<ConverterPromoted> {
        self.verdict.may_be_promoted().then(|| ConverterPromoted {
            converter: self.converter.clone(),
            converter_id: self.candidate,
            before: self.current,
            grounds: Grounds::Gate,
            reason: match self.evidence.waived {
                0 => "nothing that worked breaks".to_owned(),
                1 => "1 entry that worked breaks, and is waived".to_owned(),
                waived => format!("{waived} entries that worked break, and each is waived"),
            },
            evidence: Some(self.evidence.clone()),
        })
    }
}

/// What is collected while a gate runs.
#[derive(Default)]
struct Found {
    fares: BTreeMap<EntryId, Fares>,
    broken: Vec<BrokenEntry>,
    /// Why the new identity is no longer the one that was to be tested, or cannot run.
    unfit: Option<String>,
}

/// Runs the configured `converter` over entries of a selection, compares each result with what the
/// `current` identity made, and decides whether it may take that one's place.
///
/// Nothing is recorded. Each entry is compared with the newest attempt of the current identity, or
/// else with the newest one of any other. `on_step` is called from several threads, after each
/// entry. Returns `None` when cancelled.
///
/// # Errors
/// `Invalid` when the converter's files cannot be read, or for an impossible rate; and when the
/// archive cannot be read. What a single entry lacks is in the report.
pub fn gate(
    archive: &Archive,
    converter: &Converter,
    current: Option<ConverterId>,
    selection: &Selection,
    options: &GateOptions,
    cancel: &Cancel,
    on_step: &(dyn Fn(&Step) + Sync),
) -> Result<Option<GateReport>> {
    let candidate = Identity::of(converter)?.id;
    let against = Against::Current { current, candidate };
    let most = options.sample.unwrap_or(usize::MAX);
    let ids = sample(archive, &selection.ids, most, against)?;
    let chosen = Selection::of(selection.description.clone(), ids);
    let found = Mutex::new(Found::default());
    let note = |step: &Step| {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.note(step, candidate);
        drop(found);
        on_step(step);
    };
    let job = options.as_job(converter, against);
    let converters = std::slice::from_ref(converter);
    let result = reprocess(archive, &chosen, converters, &job, cancel, &note)?;
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(reason) = result.blocked.first() {
        found.unfit.get_or_insert_with(|| cannot_run(reason));
    }
    if Identity::of(converter)?.id != candidate {
        found.unfit.get_or_insert_with(|| CHANGED.to_owned());
    }
    found.broken.sort_unstable_by_key(|entry| entry.id);
    options.waivers.apply(archive, &mut found.broken)?;
    let selected = selection.ids.len() as u64;
    let evidence = found.evidence(&selection.description, selected);
    let verdict = found.verdict(&evidence);
    let mut broken = found.broken;
    broken.truncate(BROKEN_MAX);
    Ok(Some(GateReport {
        converter: converter.name.clone(),
        candidate,
        current,
        evidence,
        broken,
        verdict,
    }))
}

/// Says that a gate tested something else than it was to.
const CHANGED: &str = "the converter's files changed while it was tested";

/// Says on one line that the new identity cannot run: with the first line of the reason, which says
/// what happened, and the last, which mostly says why.
fn cannot_run(reason: &str) -> String {
    let mut lines = reason
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("it cannot run: {first} [...] {last}"),
        _ => format!("it cannot run: {reason}"),
    }
}

impl GateOptions {
    fn as_job(&self, converter: &Converter, against: Against) -> Reprocess {
        Reprocess {
            which: Which::Named(converter.name.clone()),
            jobs: self.jobs,
            rate: self.rate,
            compare_only: true,
            against,
            rules: RuleBook::of([(converter.name.as_str(), &converter.compare)]),
            scratch: self.scratch.clone(),
            ..Reprocess::default()
        }
    }
}

impl Found {
    fn note(&mut self, step: &Step, candidate: ConverterId) {
        let fares = match &step.outcome {
            StepOutcome::Ran {
                result,
                converter_id,
                before,
                newly_suspicious,
                error,
                ..
            } => {
                if *converter_id != candidate {
                    self.unfit.get_or_insert_with(|| CHANGED.to_owned());
                }
                let fares = Fares::of(*before, result.outcome, result.verdict);
                let (fares, error) = match fares {
                    Fares::Unchanged | Fares::Changed if *newly_suspicious => {
                        (Fares::Broken, Some(result.suspicious.join("; ")))
                    }
                    fares => (fares, error.clone()),
                };
                if let (Fares::Broken, Some(before)) = (fares, before) {
                    self.broken.push(BrokenEntry {
                        id: step.entry,
                        before: *before,
                        now: result.outcome,
                        error,
                        waiver: None,
                        waived: false,
                    });
                }
                fares
            }
            StepOutcome::NotTried { reason } => {
                self.unfit.get_or_insert_with(|| cannot_run(reason));
                Fares::Untried
            }
            // An entry that cannot be read says nothing of the converter.
            StepOutcome::Error { .. } | StepOutcome::Skipped { .. } | StepOutcome::Earlier(_) => {
                Fares::Untried
            }
        };
        self.fares.insert(step.entry, fares);
    }

    fn evidence(&self, selection: &str, selected: u64) -> GateEvidence {
        let count = |wanted: Fares| {
            self.fares
                .values()
                .filter(|fares| **fares == wanted)
                .count() as u64
        };
        let mut lines = String::new();
        for (id, fares) in &self.fares {
            lines.extend([&id.to_string(), " ", fares.word(), "\n"]);
        }
        let untried = count(Fares::Untried);
        let mut waivers: Vec<EventSeq> = self
            .broken
            .iter()
            .filter_map(|entry| entry.waiver)
            .collect();
        waivers.sort_unstable();
        waivers.dedup();
        GateEvidence {
            selection: selection.to_owned(),
            selected,
            tried: self.fares.len() as u64 - untried,
            unchanged: count(Fares::Unchanged),
            changed: count(Fares::Changed),
            fixed: count(Fares::Fixed),
            broken: count(Fares::Broken),
            still_failing: count(Fares::StillFailing),
            first: count(Fares::First),
            untried,
            waived: self.broken.iter().filter(|entry| entry.waived).count() as u64,
            verdicts: Sha256::of(lines.as_bytes()),
            waivers,
        }
    }

    fn verdict(&self, evidence: &GateEvidence) -> GateVerdict {
        if let Some(unfit) = &self.unfit {
            return GateVerdict::Refused(unfit.clone());
        }
        let compared = evidence.tried - evidence.first;
        match (evidence.broken - evidence.waived, compared) {
            (_, 0) => GateVerdict::Refused(
                "nothing was compared: no entry of the selection was converted before".to_owned(),
            ),
            (0, _) => GateVerdict::MayBePromoted,
            (1, _) => GateVerdict::Refused("1 entry that worked breaks".to_owned()),
            (broken, _) => GateVerdict::Refused(format!("{broken} entries that worked break")),
        }
    }
}

/// Records the files of a configured converter, as its first attempt would, and returns its
/// identity. Does nothing if they are recorded.
///
/// # Errors
/// `Invalid` when the converter's files cannot be read, `Changed` when they are not those of
/// `expected` any more; and when the store cannot record them.
pub fn register(
    archive: &Archive,
    converter: &Converter,
    expected: Option<ConverterId>,
    scratch: &Path,
) -> Result<ConverterId> {
    let session = Session::begin(converter, 1, scratch, "")?;
    let id = session.identity.id;
    if expected.is_some_and(|expected| expected != id) {
        return Err(Error::new(ErrorKind::Changed, CHANGED).hint("test it again"));
    }
    session.register(archive, converter)
}
