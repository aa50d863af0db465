//! Records what becomes of reports that are sent to a server, and lists those that wait. Sending
//! them is up to the caller.

use serde::Serialize;

use crate::Result;
use crate::archive::appending::decide::no_entry;
use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::reading::snapshot::Snapshot;
use crate::archive::writing::record::cut;
use crate::entry::{Entry, Submission};
use crate::event::{Body, Corrected, Reported, SubmitIntended, SubmitRejected};
use crate::id::{AttemptNo, EntryId, StoreId};
use crate::index::{QueuePlace, QueuedRow};
use crate::time::Timestamp;

/// The longest answer of a server that is recorded, in bytes. The rest is cut off.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// A report that waits to be submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingSubmission {
    /// The entry.
    pub entry: EntryId,
    /// The attempt that made the report.
    pub attempt: AttemptNo,
    /// Which report of the attempt, from 0.
    pub report: u32,
    /// The converter that made it.
    pub converter: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// The idempotency key: a server recognizes a report by it that is sent again.
    pub key: String,
    /// A request with this key may have been sent.
    pub intended: bool,
    /// The report of an earlier attempt that the server has, and that this one corrects.
    pub corrects: Option<Corrected>,
    /// A report in the same place of an earlier attempt waits in the same queue. What this one
    /// corrects is known once that one is sent.
    pub waits_for_earlier: bool,
    #[serde(skip)]
    place: QueuePlace,
}

/// What waits to be submitted, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingSubmissions {
    /// How many reports.
    pub count: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
}

/// Returns the idempotency key of a report.
///
/// It stays the same before and after a crash. A report that is sent again after a rejection gets a
/// new key: a server may answer a key it has seen with its earlier answer.
///
/// `made` is when the attempt was recorded. Two copies of a store give the same numbers to
/// different reports. Without the time, a server would take one for the other, and a report would
/// be lost.
fn key(store: &StoreId, row: &QueuedRow, report: u32, made: Timestamp) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("annals 2026-11 submission key v2");
    hasher.update(store.as_bytes());
    hasher.update(&row.entry.0.to_le_bytes());
    hasher.update(&row.attempt.0.to_le_bytes());
    hasher.update(&report.to_le_bytes());
    hasher.update(&row.rejections.to_le_bytes());
    hasher.update(&made.micros().to_le_bytes());
    hasher.finalize().to_hex().to_string()
}

impl Snapshot {
    /// Returns how many reports wait to be submitted, and since when.
    pub fn pending_submissions(&self) -> Result<PendingSubmissions> {
        let mut oldest: Option<(QueuePlace, Timestamp)> = None;
        for converter in self.view().queues()? {
            for (place, row) in self.view().queue(&converter, None, 1)? {
                if oldest.is_none_or(|(first, _)| place < first) {
                    oldest = Some((place, row.since));
                }
            }
        }
        Ok(PendingSubmissions {
            count: self.view().waiting(),
            oldest: oldest.map(|(_, since)| since),
        })
    }

    /// Returns the converters whose reports wait.
    pub fn converters_with_pending(&self) -> Result<Vec<String>> {
        Ok(self.view().queues()?.into_iter().collect())
    }

    /// Returns the first `limit` waiting reports of a converter after `after`, in the order they
    /// were made.
    pub fn pending_of(
        &self,
        converter: &str,
        after: Option<&PendingSubmission>,
        limit: usize,
    ) -> Result<Vec<PendingSubmission>> {
        let after = after.map(|pending| pending.place);
        let rows = self.view().queue(converter, after, limit)?;
        rows.into_iter()
            .map(|(place, row)| {
                let entry = self.view().entry(row.entry)?;
                let entry = entry.as_ref();
                let made = made(entry, &row);
                let corrects = if row.intended {
                    // What was sent before is said again.
                    row.corrects.clone().map(Corrected::from)
                } else {
                    entry.and_then(|entry| corrected(entry, row.attempt, place.report))
                };
                Ok(PendingSubmission {
                    entry: row.entry,
                    attempt: row.attempt,
                    report: place.report,
                    converter: converter.to_owned(),
                    since: row.since,
                    key: key(self.store_id(), &row, place.report, made),
                    intended: row.intended,
                    corrects,
                    waits_for_earlier: entry.is_some_and(|entry| {
                        has_earlier_waiting(entry, converter, row.attempt, place.report)
                    }),
                    place,
                })
            })
            .collect()
    }
}

/// Returns when the attempt that made a report was recorded.
fn made(entry: Option<&Entry>, row: &QueuedRow) -> Timestamp {
    let mut attempts = entry.into_iter().flat_map(|entry| &entry.attempts);
    let made = attempts.find(|attempt| attempt.attempt == row.attempt);
    // A waiting report always has an attempt. The key must exist even if the index says otherwise.
    made.map_or(row.since, |attempt| attempt.at)
}

/// Returns true when a report in the same place of an earlier attempt of the converter waits.
fn has_earlier_waiting(entry: &Entry, converter: &str, attempt: AttemptNo, report: u32) -> bool {
    let Ok(place) = usize::try_from(report) else {
        return false;
    };
    entry.attempts.iter().any(|earlier| {
        let report = earlier.reports.get(place);
        earlier.attempt < attempt
            && earlier.converter == converter
            && report
                .is_some_and(|made| matches!(made.submission, Some(Submission::Waiting { .. })))
    })
}

/// Returns the newest report that the server has of an earlier attempt and in the same place.
fn corrected(entry: &Entry, attempt: AttemptNo, report: u32) -> Option<Corrected> {
    let place = usize::try_from(report).ok()?;
    let earlier = entry.attempts.iter().rev();
    let mut earlier = earlier.filter(|earlier| earlier.attempt < attempt);
    earlier.find_map(|earlier| {
        let report_id = earlier.reports.get(place)?.report_id.clone()?;
        Some(Corrected {
            attempt: earlier.attempt,
            report_id,
        })
    })
}

impl Archive {
    /// Records that reports are about to be sent to `endpoint`, unless that is recorded already.
    /// Durable on `Ok`.
    pub fn intend_submissions(&self, pending: &[PendingSubmission], endpoint: &str) -> Result<()> {
        let facts: Vec<Draft> = pending
            .iter()
            .filter(|pending| !pending.intended)
            .map(|pending| {
                Draft::fact(Body::SubmitIntended(SubmitIntended {
                    entry: pending.entry,
                    attempt: pending.attempt,
                    report: pending.report,
                    key: pending.key.clone(),
                    endpoint: endpoint.to_owned(),
                    corrects: pending.corrects.clone(),
                }))
            })
            .collect();
        if !facts.is_empty() {
            self.append(facts)?;
        }
        Ok(())
    }

    /// Records that a server took a report. Durable on `Ok`.
    pub fn record_taken(
        &self,
        pending: &PendingSubmission,
        report_id: &str,
        endpoint: &str,
    ) -> Result<()> {
        self.append_fact(Draft::fact(Body::Reported(Reported {
            entry: pending.entry,
            attempt: pending.attempt,
            report: pending.report,
            report_id: report_id.to_owned(),
            endpoint: Some(endpoint.to_owned()),
            key: Some(pending.key.clone()),
        })))?;
        Ok(())
    }

    /// Records that a server refused a report, which then no longer waits. `text` is cut after 8
    /// KiB. Durable on `Ok`.
    pub fn record_rejection(
        &self,
        pending: &PendingSubmission,
        endpoint: &str,
        status: u16,
        text: &str,
    ) -> Result<()> {
        self.append_fact(Draft::fact(Body::SubmitRejected(SubmitRejected {
            entry: pending.entry,
            attempt: pending.attempt,
            report: pending.report,
            key: pending.key.clone(),
            endpoint: endpoint.to_owned(),
            status,
            text: cut(text.to_owned(), TEXT_BYTES_MAX),
        })))?;
        Ok(())
    }

    /// Puts the rejected reports of an entry's newest attempt back into the queue. Returns how
    /// many.
    pub fn resubmit(&self, id: EntryId) -> Result<u32> {
        let snapshot = self.snapshot()?;
        let entry = snapshot.entry(id)?.ok_or_else(|| no_entry(id))?;
        let Some(attempt) = entry.attempts.last() else {
            return Ok(0);
        };
        let mut facts = Vec::new();
        for (report, made) in (0..).zip(&attempt.reports) {
            if let Some(Submission::Rejected { endpoint, .. }) = &made.submission {
                let row = QueuedRow {
                    entry: id,
                    attempt: attempt.attempt,
                    since: attempt.at,
                    rejections: snapshot.view().rejections(id, attempt.attempt, report)?,
                    intended: true,
                    corrects: None,
                };
                facts.push(Draft::fact(Body::SubmitIntended(SubmitIntended {
                    entry: id,
                    attempt: attempt.attempt,
                    report,
                    key: key(snapshot.store_id(), &row, report, attempt.at),
                    endpoint: endpoint.clone(),
                    corrects: corrected(&entry, attempt.attempt, report),
                })));
            }
        }
        let count = u32::try_from(facts.len()).expect("reports are numbered by u32");
        if count > 0 {
            self.append(facts)?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::archive::{NewAttempt, NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::entry::Outcome;
    use crate::retention::{AsOf, Policy, Unsubmitted};
    use crate::{Error, ErrorKind};

    const ENDPOINT: &str = "http://x/r";

    fn store() -> Archive {
        let disk = Arc::new(SimDisk::new());
        Archive::create_on(disk, Options::default()).expect("a store")
    }

    /// An entry with two reports that are to be sent.
    fn convert(archive: &Archive, serial: &str) -> EntryId {
        let new = NewEntry {
            converter: "T".into(),
            ..NewEntry::default()
        };
        let id = archive.put(new, serial.as_bytes()).expect("archived").id;
        let report = |part: &str| format!("{serial} {part}").into_bytes();
        let attempt = NewAttempt {
            reports: vec![report("a"), report("b")],
            submit: Some(ENDPOINT.into()),
            ..NewAttempt::new(Outcome::Success, "T")
        };
        archive.record_attempt(id, attempt).expect("recorded");
        id
    }

    fn pending(archive: &Archive) -> Vec<PendingSubmission> {
        let snapshot = archive.snapshot().expect("taken");
        snapshot.pending_of("T", None, 100).expect("read")
    }

    fn kind(refused: Result<()>) -> Option<ErrorKind> {
        refused.err().as_ref().map(Error::kind)
    }

    #[test]
    fn waiting_reports__come_in_order_with_distinct_keys() {
        let archive = store();
        let ids = [convert(&archive, "1"), convert(&archive, "2")];
        let first = pending(&archive);
        let places: Vec<_> = first.iter().map(|at| (at.entry, at.report)).collect();
        let expected = [(ids[0], 0), (ids[0], 1), (ids[1], 0), (ids[1], 1)];
        assert_eq!(places, expected);
        let snapshot = archive.snapshot().expect("taken");
        let counted = snapshot.pending_submissions().expect("read");
        assert_eq!((counted.count, counted.oldest), (4, Some(first[0].since)));
        assert_eq!(
            snapshot.pending_of("T", Some(&first[1]), 1).expect("read"),
            first[2..3]
        );

        let mut keys: Vec<_> = first.iter().map(|at| at.key.clone()).collect();
        archive
            .intend_submissions(&first, ENDPOINT)
            .expect("recorded");
        let intended = pending(&archive);
        assert!(intended.iter().all(|at| at.intended));
        assert!(intended.iter().zip(&keys).all(|(at, key)| at.key == *key));
        let newest = archive.newest();
        archive
            .intend_submissions(&intended, ENDPOINT)
            .expect("nothing to do");
        assert_eq!(archive.newest(), newest);

        archive
            .record_rejection(&intended[0], ENDPOINT, 400, &"x".repeat(20_000))
            .expect("recorded");
        assert_eq!(
            kind(archive.record_rejection(&intended[0], ENDPOINT, 400, "")),
            Some(ErrorKind::Refused)
        );
        assert_eq!(archive.resubmit(ids[0]).expect("recorded"), 1);
        keys.push(pending(&archive).pop().expect("the last").key);
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 5);
    }

    /// A plan is shown, a report is queued again, the plan is carried out.
    #[test]
    fn a_report_queued_after_a_plan__makes_it_stale() {
        let archive = store();
        let id = convert(&archive, "1");
        for one in pending(&archive) {
            archive
                .intend_submissions(std::slice::from_ref(&one), ENDPOINT)
                .expect("recorded");
            archive
                .record_rejection(&one, ENDPOINT, 400, "no")
                .expect("recorded");
        }
        let policy = Policy {
            max_count: Some(0),
            ..Policy::default()
        };
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        assert_eq!((plan.count, plan.waiting_skipped), (1, 0));
        assert!(archive.resubmit(id).expect("queued") > 0);
        let refused = archive.purge(&plan, "asked for").expect_err("stale");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        assert!(
            refused.message().contains("waits to be submitted"),
            "{refused}"
        );
    }

    #[test]
    fn a_purged_report__can_still_be_recorded_as_taken() {
        let archive = store();
        let id = convert(&archive, "1");
        let waiting = pending(&archive);
        let mut policy = Policy {
            max_count: Some(0),
            ..Policy::default()
        };
        let kept = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        assert_eq!(
            (kept.count, kept.waiting_skipped),
            (0, 1),
            "nobody asked for it"
        );
        policy.unsubmitted = Unsubmitted::Take;
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        archive.purge(&plan, "asked for").expect("purged");
        assert_eq!(pending(&archive), []);
        assert_eq!(
            kind(archive.intend_submissions(&waiting, ENDPOINT)),
            Some(ErrorKind::NotFound)
        );
        assert_eq!(
            kind(archive.record_rejection(&waiting[1], ENDPOINT, 400, "")),
            Some(ErrorKind::NotFound)
        );
        archive
            .record_taken(&waiting[0], "R-1", ENDPOINT)
            .expect("it was");
        let entry = archive.snapshot().expect("taken").entry(id).expect("read");
        assert_eq!(entry.expect("there").report_id.as_deref(), Some("R-1"));
    }

    /// A backup is restored, and the original goes on as well, or went on before it broke: both
    /// give the same numbers to other units. A server that knows a key answers with what it took
    /// then, and the other unit's report is nowhere.
    #[test]
    fn reports_of_two_copies__never_share_a_key() {
        let disk = SimDisk::new();
        let make = Archive::create_on(Arc::new(disk.clone()), Options::default());
        let archive = make.expect("a store");
        convert(&archive, "1");
        let waiting = pending(&archive);
        let copy = Archive::open_on(Arc::new(disk.snapshot()), Options::default());
        let copy = copy.expect("opened");
        assert_eq!(pending(&copy)[0].key, waiting[0].key);
        // The copy begins with an event of its own, and the numbers must be the same ones.
        archive.seal().expect("sealed");
        copy.seal().expect("sealed");
        archive.close().expect("closed");
        let archive = Archive::open_on(Arc::new(disk), Options::default()).expect("opened");
        let (one, other) = (convert(&archive, "2"), convert(&copy, "3"));
        assert_eq!(one, other);
        let key = |archive: &Archive| pending(archive)[2].key.clone();
        assert_ne!(key(&archive), key(&copy));
        // A key lasts through what a process lives through.
        let before = key(&archive);
        archive.rebuild().expect("made anew");
        assert_eq!(key(&archive), before);
    }
}
