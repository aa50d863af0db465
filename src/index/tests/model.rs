//! The model: whole entries in a map; it answers every query by looking at all of them.

use crate::id::EventSeq;
use std::collections::{BTreeMap, BTreeSet};

use super::facts::*;
use super::questions::selects;
use super::queue::Queue;
use crate::entry::{
    Attempt, Correction, Entry, FactName, Meta, Note, Outcome, Part, PurgedPart, Report, Status,
    Submission, UnitGiven,
};
use crate::event::{
    Actor, Annotated, Archived, BlobRef, Body, ClockReading, Converted, EntryRanges, Event,
    JobFinished, JobStop, LockMode, PartName, PurgedEntries, Reported,
};
use crate::id::{AttemptNo, BlobId, ConverterId, EntryId, JobId};
use crate::index::rows::PromotionsRow;
use crate::index::text::fold;
use crate::query::Filter;
use crate::time::Timestamp;

/// What is known of a job besides how it began.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Job {
    pub(super) selection_events: Vec<EventSeq>,
    pub(super) stopped: Option<JobStop>,
    pub(super) finished: Option<JobFinished>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ModelHold {
    placements: Vec<(u64, EntryRanges)>,
    pub(super) review: Option<Timestamp>,
    future: Option<Filter>,
}

/// The content of the log and the packs, in the simplest form.
#[derive(Default)]
pub(super) struct Model {
    pub(super) seq: u64,
    pub(super) micros: i64,
    pub(super) entries: BTreeMap<EntryId, Entry>,
    pub(super) keys: BTreeMap<String, EntryId>,
    pub(super) bundles: BTreeMap<ConverterId, Vec<BlobId>>,
    pub(super) environments: BTreeMap<ConverterId, Vec<(Timestamp, Meta)>>,
    pub(super) promotions: BTreeMap<String, PromotionsRow>,
    /// What each saved view shows, and the event that saved it.
    pub(super) views: BTreeMap<String, (String, EventSeq)>,
    pub(super) jobs: BTreeMap<JobId, Job>,
    pub(super) config: Option<String>,
    pub(super) holds: BTreeMap<String, ModelHold>,
    /// The placements of holds that an entry came to match later.
    matched: BTreeSet<(EntryId, u64)>,
    /// The plans of purges that can be undone.
    pub(super) pending: BTreeMap<EntryId, String>,
    /// Months and mode of each retention lock.
    pub(super) locks: BTreeMap<String, (u32, LockMode)>,
    pub(super) plans_stale_since: u64,
    pub(super) places: BTreeMap<u8, u64>,
    pub(super) packs: BTreeSet<u64>,
    pub(super) queue: Queue,
}

impl Model {
    pub(super) fn event(&mut self, body: &Body) -> Event {
        self.seq += 1;
        self.micros += 1_000_000;
        Event {
            seq: EventSeq(self.seq),
            time: Timestamp::from_micros(self.micros).at_offset(3600),
            actor: Actor::system(),
            clock: ClockReading::default(),
            body: body.clone(),
            sealed: Vec::new(),
        }
    }

    pub(super) fn fold(&mut self, event: &Event) {
        let id = EntryId(event.seq.0);
        match &event.body {
            Body::Archived(body) => {
                if let Some(key) = &body.key {
                    let known = self.keys.get(key).and_then(|id| self.entries.get(id));
                    if known.is_none_or(|known| known.facts_only && !body.facts_only) {
                        self.keys.insert(key.clone(), id);
                    }
                }
                self.entries.insert(id, entry(id, event.time, body));
            }
            Body::Converted(body) => {
                let Some(entry) = self.entries.get_mut(&body.entry) else {
                    return;
                };
                let newest = entry.attempts.last().map_or(0, |attempt| attempt.attempt.0);
                if body.attempt.0 > newest {
                    entry.unit_given.merge(&mut entry.unit, &body.unit);
                    entry.status = body.outcome.into();
                    let mut made = attempt(event.time, body);
                    let purged = entry.purged_at.is_some();
                    self.queue.made(event, body, &mut made, purged);
                    let has_reports = !made.reports.is_empty();
                    if has_reports && made.status == Outcome::Success {
                        for earlier in &mut entry.attempts {
                            if !earlier.reports.is_empty() {
                                earlier.superseded_by = Some(made.attempt);
                            }
                        }
                    }
                    entry.attempts.push(made);
                }
            }
            Body::SubmitIntended(body) => self.queue.intend(event, body, &mut self.entries),
            Body::SubmitRejected(body) => self.queue.reject(event.time, body, &mut self.entries),
            Body::Reported(body) => self.report(event.time, body),
            Body::SourceCleared(body) => {
                if let Some(entry) = self.entries.get_mut(&body.entry) {
                    entry.cleared = Some(event.seq);
                }
            }
            Body::Annotated(body) => self.annotate(event, body),
            Body::PurgedEntries(body) => {
                self.plans_stale_since = event.seq.0;
                for (id, entry) in &mut self.entries {
                    if !body.entries.contains(*id) || entry.purged_at.is_some() {
                        continue;
                    }
                    if body.part.is_some() {
                        purge_part(entry, event, body, &mut self.queue);
                    } else {
                        entry.purged_at = Some(event.time);
                        entry.purged_by = Some(body.rule.clone());
                        entry.final_at = body.final_at;
                        if body.final_at.is_some() {
                            self.pending.insert(*id, body.plan_id.clone());
                            self.queue.suspend(*id);
                        } else {
                            self.queue.purge(entry, u32::MAX);
                        }
                    }
                }
            }
            Body::PurgeUndone(body) => {
                self.plans_stale_since = event.seq.0;
                let mut back = Vec::new();
                for (id, entry) in &mut self.entries {
                    if body.entries.contains(*id) && self.pending.get(id) == Some(&body.plan_id) {
                        self.pending.remove(id);
                        (entry.purged_at, entry.purged_by, entry.final_at) = (None, None, None);
                        self.queue.resume(entry);
                        back.push(*id);
                    }
                }
                for id in back {
                    self.match_holds(id);
                }
            }
            Body::PurgeFinalized(body) => {
                for (id, entry) in &mut self.entries {
                    if body.entries.contains(*id) && self.pending.get(id) == Some(&body.plan_id) {
                        self.pending.remove(id);
                        entry.final_at = None;
                        self.queue.purge(entry, u32::MAX);
                    }
                }
            }
            Body::ConverterRegistered(body) => {
                let files = body.bundle.iter().map(|file| file.blob.blake3).collect();
                self.bundles.entry(body.converter_id).or_insert(files);
            }
            Body::ConverterEnvironment(body) if self.bundles.contains_key(&body.converter_id) => {
                let known = self.environments.entry(body.converter_id).or_default();
                known.push((event.time, body.runs_on.clone()));
            }
            Body::ConverterPromoted(body) => {
                let row = self.promotions.entry(body.converter.clone()).or_default();
                row.promoted.push((event.seq, body.converter_id));
            }
            Body::ConverterWaived(body) => {
                let row = self.promotions.entry(body.converter.clone()).or_default();
                row.waivers.push((event.seq, None));
            }
            Body::WaiverRevoked(body) => {
                let row = self.promotions.entry(body.converter.clone()).or_default();
                let waivers = row.waivers.iter_mut();
                let mut named = waivers.filter(|(waiver, _)| *waiver == body.waiver);
                if let Some((_, revoked @ None)) = named.next() {
                    *revoked = Some(event.seq);
                }
            }
            Body::ViewSaved(body) => {
                let shown = (body.query.clone(), event.seq);
                self.views.insert(body.name.clone(), shown);
            }
            Body::ViewDropped(body) => drop(self.views.remove(&body.name)),
            Body::ConfigChanged(body) => self.config = body.new.clone(),
            Body::HoldPlaced(body) => {
                self.plans_stale_since = event.seq.0;
                let hold = self.holds.entry(body.name.clone()).or_default();
                hold.placements.push((event.seq.0, body.entries.clone()));
                hold.review = body.review.or(hold.review);
                hold.future = body.future.clone().or(hold.future.take());
            }
            Body::HoldReviewed(body) => {
                if let Some(hold) = self.holds.get_mut(&body.name) {
                    hold.review = Some(body.review);
                }
            }
            Body::RetentionLocked(body) => {
                self.plans_stale_since = event.seq.0;
                let new = (body.keep.months, body.mode);
                let known = self.locks.entry(body.name.clone()).or_insert(new);
                if new.0 >= known.0 && new.1 >= known.1 {
                    *known = new;
                }
            }
            Body::RetentionUnlocked(body) => {
                self.plans_stale_since = event.seq.0;
                let stays = |mode: LockMode| mode == LockMode::Compliance;
                self.locks
                    .retain(|name, (_, mode)| *name != body.name || stays(*mode));
            }
            Body::HoldReleased(body) => {
                self.plans_stale_since = event.seq.0;
                self.holds.remove(&body.name);
            }
            Body::JobStarted(_) => drop(self.jobs.insert(JobId(event.seq.0), Job::default())),
            Body::JobSelected(body) => {
                if let Some(job) = self.jobs.get_mut(&body.job) {
                    job.selection_events.push(event.seq);
                }
            }
            Body::JobStopped(body) => {
                if let Some(job) = self.jobs.get_mut(&body.job) {
                    job.stopped = Some(body.how);
                }
            }
            Body::JobResumed(body) => {
                if let Some(job) = self.jobs.get_mut(&body.job) {
                    (job.stopped, job.finished) = (None, None);
                }
            }
            Body::JobFinished(body) => {
                if let Some(job) = self.jobs.get_mut(&body.job) {
                    job.finished = Some(body.clone());
                }
            }
            _ => {}
        }
        match &event.body {
            Body::Archived(_) => self.match_holds(id),
            Body::Converted(body) => self.match_holds(body.entry),
            Body::Reported(body) => self.match_holds(body.entry),
            Body::Annotated(body) => self.match_holds(body.entry),
            _ => {}
        }
    }

    /// Remembers which holds an entry matches now.
    fn match_holds(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        for hold in self.holds.values() {
            if let (Some(filter), Some((placed, _))) = (&hold.future, hold.placements.first())
                && selects(filter, entry)
            {
                self.matched.insert((id, *placed));
            }
        }
    }

    fn annotate(&mut self, event: &Event, body: &Annotated) {
        let Some(entry) = self.entries.get_mut(&body.entry) else {
            return;
        };
        let mut changes = Vec::new();
        let mut correct = |fact, current: Option<String>, new: &Option<String>| {
            let Some(new) = new else {
                return current;
            };
            if current.as_ref() != Some(new) {
                let (old, new) = (current, new.clone());
                changes.push(Correction { fact, old, new });
            }
            Some(new.clone())
        };
        let (unit, new) = (&mut entry.unit, &body.unit);
        unit.serial = correct(FactName::Serial, unit.serial.take(), &new.serial);
        unit.part = correct(FactName::Part, unit.part.take(), &new.part);
        unit.station = correct(FactName::Station, unit.station.take(), &new.station);
        unit.process = correct(FactName::Process, unit.process.take(), &new.process);
        for (name, value) in &body.meta {
            let fact = FactName::Meta(name.clone());
            let old = entry.meta.get(name).cloned();
            let new = correct(fact, old, &Some(value.clone()));
            entry.meta.insert(name.clone(), new.expect("stated"));
        }
        entry.unit_given = entry.unit_given.or(UnitGiven::of(new));
        let gone = |label: &String| body.unlabels.iter().any(|gone| fold(gone) == fold(label));
        entry.labels.retain(|label| !gone(label));
        for label in &body.labels {
            if entry.labels.iter().all(|known| fold(known) != fold(label)) {
                entry.labels.push(label.clone());
            }
        }
        entry.labels.sort();
        entry.notes.push(Note {
            event: event.seq,
            at: event.time,
            by: event.actor.id.clone(),
            text: body.text.clone(),
            labels: body.labels.clone(),
            unlabels: body.unlabels.clone(),
            changes,
            reason: body.reason.clone(),
        });
    }

    pub(super) fn report(&mut self, time: Timestamp, body: &Reported) {
        self.queue.leave((body.entry, body.attempt.0, body.report));
        let Some(entry) = self.entries.get_mut(&body.entry) else {
            return;
        };
        let place = body.report as usize;
        let mut at = None;
        for (index, attempt) in entry.attempts.iter_mut().enumerate() {
            if attempt.attempt == body.attempt
                && let Some(report) = attempt.reports.get_mut(place)
            {
                report.report_id = Some(body.report_id.clone());
                report.reported_at = Some(time);
                report.submission = None;
                at = Some(index);
            }
        }
        if let Some(at) = at {
            let later = entry.attempts[at + 1..]
                .iter()
                .flat_map(|attempt| &attempt.reports);
            if later.into_iter().all(|report| report.report_id.is_none()) {
                entry.report_id = Some(body.report_id.clone());
            }
        }
    }

    /// Returns every entry as the index should show it.
    pub(super) fn all(&self) -> Vec<Entry> {
        let held = |id: EntryId| {
            let on = |hold: &ModelHold| {
                hold.placements.iter().any(|(placed, ranges)| {
                    id.0 < *placed && ranges.contains(id) || self.matched.contains(&(id, *placed))
                })
            };
            let holds = self.holds.iter().filter(|(_, hold)| on(hold));
            holds.map(|(name, _)| name.clone()).collect()
        };
        let shown = |entry: &Entry| {
            let mut shown = entry.clone();
            shown.holds = held(entry.id);
            shown
        };
        self.entries.values().map(shown).collect()
    }

    /// Returns how many events name each blob.
    pub(super) fn named(&self) -> BTreeMap<BlobId, u32> {
        let mut named = BTreeMap::new();
        for files in self.bundles.values() {
            for id in files {
                *named.entry(*id).or_default() += 1;
            }
        }
        let needs = |entry: &&Entry| entry.purged_at.is_none() || entry.final_at.is_some();
        for entry in self.entries.values().filter(needs) {
            if !source_gone(entry) {
                *named.entry(entry.blake3).or_default() += 1;
            }
            let left = (entry.attempts.iter())
                .filter(|attempt| attempt.attempt.0 > reports_gone_through(entry));
            for report in left.flat_map(|attempt| &attempt.reports) {
                *named.entry(report.blake3).or_default() += 1;
            }
        }
        named
    }

    /// Returns how many events and live blobs reference each content. Larger contents come first,
    /// because they contain the smaller ones.
    pub(super) fn refs(&self) -> BTreeMap<u8, u32> {
        let named = self.named();
        let mut refs: BTreeMap<u8, u32> = (0..CONTENTS)
            .map(|content| {
                (
                    content,
                    named.get(&blob(content).blake3).copied().unwrap_or(0),
                )
            })
            .collect();
        for parent in (8..CONTENTS).rev() {
            if refs[&parent] > 0 && self.places.contains_key(&parent) {
                for child in [parent - 4, parent - 8] {
                    *refs.entry(child).or_default() += 1;
                }
            }
        }
        refs
    }
}

pub(super) fn entry(id: EntryId, at: Timestamp, body: &Archived) -> Entry {
    Entry {
        id,
        converter: body.converter.clone(),
        converter_version: body.converter_version.clone(),
        source_name: body.source.name.clone(),
        source_path: body.source.path.clone(),
        source_name_hex: None,
        source_modified: body.source.modified,
        archived_at: at,
        status: Status::Pending,
        size: body.blob.size,
        stored_size: body.stored_size,
        blake3: body.blob.blake3,
        sha256: body.blob.sha256,
        unit: body.unit.clone(),
        unit_given: UnitGiven::of(&body.unit),
        meta: body.meta.clone(),
        arguments: Meta::new(),
        retention: body.retention,
        key: body.key.clone(),
        report_id: None,
        attempts: Vec::new(),
        holds: Vec::new(),
        purged_at: None,
        purged_by: None,
        final_at: None,
        facts_only: body.facts_only,
        purged_parts: Vec::new(),
        cleared: None,
        labels: Vec::new(),
        notes: Vec::new(),
    }
}

pub(super) fn attempt(at: Timestamp, body: &Converted) -> Attempt {
    let report = |made: &BlobRef| Report {
        blake3: made.blake3,
        sha256: made.sha256,
        size: made.size,
        report_id: None,
        reported_at: None,
        submission: body.submit.as_ref().map(|endpoint| Submission::Waiting {
            since: at,
            endpoint: endpoint.clone(),
        }),
    };
    Attempt {
        attempt: body.attempt,
        status: body.outcome,
        at,
        converter: body.converter.clone(),
        converter_version: None,
        converter_id: body.converter_id,
        arguments: Meta::new(),
        duration_ms: body.duration_ms,
        error: body.error.clone(),
        warnings: body.warnings.clone(),
        sandbox: body.sandbox.clone(),
        job: body.job,
        reports: body.reports.iter().map(report).collect(),
        suspicious: body.suspicious.clone(),
        extent: body.extent.clone(),
        superseded_by: None,
    }
}

fn source_gone(entry: &Entry) -> bool {
    let parts = &entry.purged_parts;
    entry.facts_only || parts.iter().any(|gone| gone.part == Part::Source)
}

fn reports_gone_through(entry: &Entry) -> u32 {
    let parts = entry.purged_parts.iter();
    parts.fold(0, |most, gone| match gone.part {
        Part::Reports { through } | Part::Superseded { through } => most.max(through.0),
        _ => most,
    })
}

/// Takes a part of an entry that stays, unless nothing of that part is there.
fn purge_part(entry: &mut Entry, event: &Event, body: &PurgedEntries, queue: &mut Queue) {
    let newest = entry.attempts.last().map_or(0, |attempt| attempt.attempt.0);
    let through = body.through.map_or(newest, |last| last.0.min(newest));
    let gone = reports_gone_through(entry);
    let (part, something) = match body.part {
        None => return,
        Some(PartName::Source) => (Part::Source, !source_gone(entry)),
        Some(name) => {
            let going = entry.attempts.iter().map(|attempt| attempt.attempt.0);
            let some = going.clone().any(|made| made > gone && made <= through);
            let through = AttemptNo(through);
            let part = match name {
                PartName::Reports => Part::Reports { through },
                _ => Part::Superseded { through },
            };
            (part, some)
        }
    };
    if !something {
        return;
    }
    if part != Part::Source {
        queue.purge(entry, through);
    }
    let gone = PurgedPart::new(part, event.time, body.rule.clone());
    entry.purged_parts.push(gone);
}
