//! The rows of holds, converters, promotions, jobs and saved views.

use crate::entry::Meta;
use crate::event::{
    BundleFile, ConverterRegistered, EntryRanges, JobFinished, JobPriority, JobStarted, JobStop,
    JudgedBy,
};
use crate::id::{ConverterId, EntryId, EventSeq, JobId};
use crate::time::Timestamp;

use super::report::CorrectedRow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A hold. Each event that places it adds entries to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldRow {
    /// The reason given most recently.
    pub(crate) reason: String,
    /// When it was last placed.
    pub(crate) placed_at: Timestamp,
    /// The entries that each placing event named. An event holds only entries that were archived
    /// before it.
    pub(crate) placements: Vec<(EventSeq, EntryRanges)>,
    /// When somebody is to look at it.
    pub(crate) review: Option<Timestamp>,
    /// The filter for later matches, as JSON: a filter leaves out what it does not state, and rows
    /// cannot.
    pub(crate) future: Option<String>,
}

impl HoldRow {
    /// Returns true when the hold applies to entry `id`. `matched` are the placements of holds that
    /// the entry came to match later.
    pub(crate) fn covers(&self, id: EntryId, matched: &[EventSeq]) -> bool {
        let applies = |(placed, ranges): &(EventSeq, EntryRanges)| {
            id.0 < placed.0 && ranges.contains(id) || matched.contains(placed)
        };
        self.placements.iter().any(applies)
    }

    /// Returns the event that placed it first; `None` cannot be.
    pub(crate) fn placed_by(&self) -> Option<EventSeq> {
        self.placements.first().map(|(placed, _)| *placed)
    }
}

/// A purge that can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingPurgeRow {
    /// The events that recorded it.
    pub(crate) events: Vec<EventSeq>,
    /// When the first of them was recorded.
    pub(crate) purged_at: Timestamp,
    /// From when on it cannot be undone.
    pub(crate) final_at: Timestamp,
    /// Why the entries went.
    pub(crate) reason: String,
    /// Number of entries that are neither back nor gone for good.
    pub(crate) entries: u64,
    /// Reports of these entries that waited to be submitted and may have been sent.
    pub(crate) intended: Vec<IntendedRow>,
}

/// A report that may have been sent before its entry was purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IntendedRow {
    /// The event that queued it.
    pub(crate) queued: EventSeq,
    /// Its place in the attempt.
    pub(crate) report: u32,
    /// The report that the request said it corrects.
    pub(crate) corrects: Option<CorrectedRow>,
}

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ViewRow {
    /// What it shows.
    pub(crate) query: String,
    /// The event that saved it last.
    pub(crate) event: EventSeq,
    /// When that was.
    pub(crate) at: Timestamp,
    /// The account that did, or its pseudonym.
    pub(crate) by: String,
}

/// The row form of a [`ConverterRegistered`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::index) struct ConverterRow {
    converter_id: ConverterId,
    name: String,
    version: Option<String>,
    command: Vec<String>,
    mode: String,
    environment: String,
    bundle: Vec<BundleFile>,
    /// What it ran on, each with the time since which it did.
    pub(in crate::index) environments: Vec<(Timestamp, Meta)>,
}

impl From<&ConverterRegistered> for ConverterRow {
    fn from(event: &ConverterRegistered) -> Self {
        Self {
            converter_id: event.converter_id,
            name: event.name.clone(),
            version: event.version.clone(),
            command: event.command.clone(),
            mode: event.mode.clone(),
            environment: event.environment.clone(),
            bundle: event.bundle.clone(),
            environments: Vec::new(),
        }
    }
}

impl From<ConverterRow> for ConverterRegistered {
    fn from(row: ConverterRow) -> Self {
        Self {
            converter_id: row.converter_id,
            name: row.name,
            version: row.version,
            command: row.command,
            mode: row.mode,
            environment: row.environment,
            bundle: row.bundle,
        }
    }
}

/// The promotions and waivers of a converter, as the events that say so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct PromotionsRow {
    /// Each promotion with the identity that it made current, the newest last.
    pub(crate) promoted: Vec<(EventSeq, ConverterId)>,
    /// Each waiver with the event that revoked it, if one did.
    pub(crate) waivers: Vec<(EventSeq, Option<EventSeq>)>,
}

impl PromotionsRow {
    /// Returns the identity that is current.
    pub(crate) fn current(&self) -> Option<ConverterId> {
        self.promoted.last().map(|(_, id)| *id)
    }
}

/// A reprocess job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::index) struct JobRow {
    kind: String,
    selection: String,
    converter_version: String,
    params: String,
    total: u64,
    reason: Option<String>,
    submit: Option<String>,
    on_error: Option<String>,
    retry_of: Option<JobId>,
    priority: JobPriority,
    compare: Option<Vec<JudgedByRow>>,
    pub(in crate::index) selection_events: Vec<EventSeq>,
    pub(in crate::index) stopped: Option<JobStop>,
    /// How the job ended. Every field of [`JobFinished`] is always written, so it needs no row
    /// form.
    pub(in crate::index) finished: Option<JobFinished>,
}

/// The rules by which the reports of one converter are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::index) struct JudgedByRow {
    converter: String,
    strict: bool,
    ignore: Vec<String>,
    tolerance: BTreeMap<String, String>,
    keys: BTreeMap<String, String>,
}

impl From<&JudgedBy> for JudgedByRow {
    fn from(rules: &JudgedBy) -> Self {
        Self {
            converter: rules.converter.clone(),
            strict: rules.strict,
            ignore: rules.ignore.clone(),
            tolerance: rules.tolerance.clone(),
            keys: rules.keys.clone(),
        }
    }
}

impl From<JudgedByRow> for JudgedBy {
    fn from(row: JudgedByRow) -> Self {
        Self::new(row.converter)
            .strict(row.strict)
            .ignore(row.ignore)
            .tolerance(row.tolerance)
            .keys(row.keys)
    }
}

/// What the log says of a reprocess job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedJob {
    pub(crate) started: JobStarted,
    /// The events that name its entries.
    pub(crate) selection_events: Vec<EventSeq>,
    /// What somebody wanted of it since it was started or resumed last.
    pub(crate) stopped: Option<JobStop>,
    /// Its end, unless it was resumed after that.
    pub(crate) finished: Option<JobFinished>,
}

impl From<&JobStarted> for JobRow {
    fn from(event: &JobStarted) -> Self {
        Self {
            kind: event.kind.clone(),
            selection: event.selection.clone(),
            converter_version: event.converter_version.clone(),
            params: event.params.clone(),
            total: event.total,
            reason: event.reason.clone(),
            submit: event.submit.clone(),
            on_error: event.on_error.clone(),
            retry_of: event.retry_of,
            priority: event.priority,
            compare: event
                .compare
                .as_ref()
                .map(|rules| rules.iter().map(JudgedByRow::from).collect()),
            selection_events: Vec::new(),
            stopped: None,
            finished: None,
        }
    }
}

impl From<JobRow> for RecordedJob {
    fn from(row: JobRow) -> Self {
        let started = JobStarted {
            kind: row.kind,
            selection: row.selection,
            converter_version: row.converter_version,
            params: row.params,
            total: row.total,
            reason: row.reason,
            submit: row.submit,
            on_error: row.on_error,
            retry_of: row.retry_of,
            priority: row.priority,
            compare: row
                .compare
                .map(|rules| rules.into_iter().map(JudgedBy::from).collect()),
        };
        Self {
            started,
            selection_events: row.selection_events,
            stopped: row.stopped,
            finished: row.finished,
        }
    }
}
