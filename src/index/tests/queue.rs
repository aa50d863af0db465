//! The queue in the index's model: a map of the reports that wait to be submitted, searched as a
//! whole.

use std::collections::BTreeMap;

use crate::entry::{Attempt, Entry, Report, Submission};
use crate::event::{Converted, Event, SubmitIntended, SubmitRejected};
use crate::id::EntryId;
use crate::time::Timestamp;

/// Entry, attempt, and the index of the report in the attempt.
pub(super) type ReportName = (EntryId, u32, u32);

type Entries = BTreeMap<EntryId, Entry>;

#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<ReportName, Waiting>,
    /// Those of entries whose purge can be undone.
    suspended: BTreeMap<ReportName, Waiting>,
    rejections: BTreeMap<ReportName, u32>,
}

struct Waiting {
    queued: u64,
    since: Timestamp,
    intended: bool,
}

fn report_named(entries: &mut Entries, (id, attempt, report): ReportName) -> Option<&mut Report> {
    let attempts = &mut entries.get_mut(&id)?.attempts;
    let made = attempts.iter_mut().find(|made| made.attempt.0 == attempt)?;
    made.reports.get_mut(report as usize)
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Records an attempt. Reports of a purged entry are never submitted.
    pub(super) fn made(
        &mut self,
        event: &Event,
        body: &Converted,
        made: &mut Attempt,
        purged: bool,
    ) {
        for (number, report) in (0..).zip(&mut made.reports) {
            report.submission.take_if(|_| purged);
            if report.submission.is_some() {
                let waiting = Waiting {
                    queued: event.seq.0,
                    since: event.time,
                    intended: false,
                };
                let name = (body.entry, body.attempt.0, number);
                self.waiting.insert(name, waiting);
            }
        }
    }

    pub(super) fn intend(&mut self, event: &Event, body: &SubmitIntended, entries: &mut Entries) {
        let name = (body.entry, body.attempt.0, body.report);
        let purged = |entry: &Entry| {
            let gone = entry
                .purged_parts
                .iter()
                .filter_map(|gone| gone.part.through());
            entry.purged_at.is_some() || gone.max().is_some_and(|last| body.attempt <= last)
        };
        if entries.get(&body.entry).is_some_and(purged) {
            return;
        }
        if let Some(waiting) = self.waiting.get_mut(&name) {
            waiting.intended = true;
            return;
        }
        let Some(report) = report_named(entries, name) else {
            return;
        };
        if report.report_id.is_some() && report.submission.is_none() {
            return;
        }
        report.submission = Some(Submission::Waiting {
            since: event.time,
            endpoint: body.endpoint.clone(),
        });
        let waiting = Waiting {
            queued: event.seq.0,
            since: event.time,
            intended: true,
        };
        self.waiting.insert(name, waiting);
    }

    pub(super) fn reject(&mut self, at: Timestamp, body: &SubmitRejected, entries: &mut Entries) {
        let name = (body.entry, body.attempt.0, body.report);
        let waited = self.waiting.remove(&name).is_some();
        if self.suspended.remove(&name).is_none() && !waited {
            return;
        }
        *self.rejections.entry(name).or_default() += 1;
        if let Some(report) = report_named(entries, name) {
            report.submission = Some(Submission::Rejected {
                at,
                endpoint: body.endpoint.clone(),
                status: body.status,
                text: body.text.clone(),
            });
        }
    }

    /// Records that a server accepted a report.
    pub(super) fn leave(&mut self, name: ReportName) {
        self.waiting.remove(&name);
        self.suspended.remove(&name);
    }

    /// Takes the reports of an entry out of the queue until its purge is undone or final.
    pub(super) fn suspend(&mut self, id: EntryId) {
        let of_entry = self.waiting.extract_if(.., |name, _| name.0 == id);
        self.suspended.extend(of_entry);
    }

    pub(super) fn resume(&mut self, entry: &Entry) {
        let of_entry = self.suspended.extract_if(.., |name, _| name.0 == entry.id);
        self.waiting.extend(of_entry);
    }

    /// Records that the reports up to this attempt are gone.
    pub(super) fn purge(&mut self, entry: &mut Entry, through: u32) {
        let stays = |name: &ReportName| name.0 != entry.id || name.1 > through;
        self.waiting.retain(|name, _| stays(name));
        self.suspended.retain(|name, _| stays(name));
        let going = (entry.attempts.iter_mut()).filter(|made| made.attempt.0 <= through);
        for report in going.flat_map(|made| &mut made.reports) {
            let waits = |at: &mut Submission| matches!(at, Submission::Waiting { .. });
            report.submission.take_if(waits);
        }
    }

    /// Returns the waiting reports of one converter in order: when each was queued, how often it
    /// was rejected, and whether it may have been sent.
    pub(super) fn of(
        &self,
        converter: &str,
        entries: &Entries,
    ) -> Vec<(ReportName, Timestamp, u32, bool)> {
        let made_by = |(id, attempt, _): &ReportName| {
            let attempts = &entries[id].attempts;
            let made = attempts.iter().find(|made| made.attempt.0 == *attempt);
            made.is_some_and(|made| made.converter == converter)
        };
        let waiting = self.waiting.iter();
        let mut queue: Vec<_> = waiting.filter(|(name, _)| made_by(name)).collect();
        queue.sort_by_key(|(name, waiting)| (waiting.queued, name.2));
        let rejections = |name| self.rejections.get(name).copied().unwrap_or(0);
        queue
            .into_iter()
            .map(|(name, waiting)| (*name, waiting.since, rejections(name), waiting.intended))
            .collect()
    }
}
