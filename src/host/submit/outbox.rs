//! The outbox: takes reports from the store's queue, sends them, and records the server's answer.
//!
//! Each endpoint has one thread. Reports that a server did not accept wait in the store, not here,
//! so a restarted host begins with the oldest. The first sending of a report is recorded before it
//! happens. Each retry carries the report's key, so that a server whose answer was lost recognizes
//! the report.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};

use super::answer::{Meaning, Trouble, With, meaning};
use super::http::{Client, Parcel};
use crate::archive::{Archive, PendingSubmission};
use crate::convert::Cancel;
use crate::event::Corrected;
use crate::host::archives::Archives;
use crate::host::config::endpoint::{Relation, Submit};
use crate::host::config::settings::Config;
use crate::host::observe::counters::Sent;
use crate::host::observe::notice::Notice;
use crate::host::panics::lock;
use crate::id::{BlobId, EntryId};
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

/// Reports taken from the queue at a time; recording that they are about to be sent shares one
/// flush.
const PAGE: usize = 16;
/// Time between two checks of a queue that was just empty; doubled with each check up to the
/// longest.
///
/// The host rings for each report it records, so only reports of other verbs wait that long.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(4);
/// A server that failed for this many reports in a row gets no more reports in that pass.
const FAILURES_MAX: u32 = 3;
/// Maximum bytes of a report that is sent; converters make none that is larger.
const REPORT_BYTES_MAX: u64 = 256 << 20;

/// Sends notices; called from several threads.
pub(in crate::host) type Tell<'a> = &'a (dyn Fn(&Notice<'_>) + Sync);

/// All endpoints that reports go to.
pub(in crate::host) struct Outbox {
    lanes: Vec<EndpointQueue>,
    submitted: AtomicU64,
    rejected: AtomicU64,
}

/// The result of sending reports that no store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) enum Delivered {
    /// The server has accepted all of them.
    Taken,
    /// The server has refused one.
    Refused(String),
    /// They could not be sent now, for this reason.
    NotYet(String),
    /// The sending was cancelled, because the host is stopping.
    Cancelled,
}

impl Outbox {
    pub(in crate::host) fn new(archives: &Archives, config: &Config) -> Self {
        let mut lanes: Vec<EndpointQueue> = Vec::new();
        for converter in &config.converters {
            let Some(submit) = &converter.submit else {
                continue;
            };
            let known = lanes.iter().position(|lane| lane.submit == *submit);
            let at = known.unwrap_or_else(|| {
                lanes.push(EndpointQueue::new(submit.clone()));
                lanes.len() - 1
            });
            if let Some(archive) = archives.of(converter) {
                let name = converter.converter.name.clone();
                lanes[at].queues.push((name, archive.clone()));
            }
        }
        Self {
            lanes,
            submitted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        }
    }

    /// Sends the reports of all queues until cancelled.
    pub(in crate::host) fn run(&self, cancel: &Cancel, tell: Tell<'_>) {
        std::thread::scope(|scope| {
            for lane in self.lanes.iter().filter(|lane| !lane.queues.is_empty()) {
                scope.spawn(|| {
                    let mut cursors = lane.cursors();
                    let mut pause = LOOK_EVERY;
                    while lane.wait(cancel) {
                        match self.advance(lane, &mut cursors, QueuePass::Repeat, cancel, tell) {
                            Advance::Some => pause = LOOK_EVERY,
                            Advance::None if lane.is_rung_within(pause, cancel) => {
                                pause = LOOK_EVERY;
                            }
                            Advance::None => pause = (pause * 2).min(LOOK_EVERY_MAX),
                            Advance::Cancelled => return,
                        }
                    }
                });
            }
        });
    }

    /// Sends what is in the queues now, each report once, until a server accepts no more.
    pub(in crate::host) fn run_once(&self, cancel: &Cancel, tell: Tell<'_>) {
        std::thread::scope(|scope| {
            for lane in &self.lanes {
                scope.spawn(|| {
                    let mut cursors = lane.cursors();
                    while lane.is_worth_asking() && !cancel.is_cancelled() {
                        let advance =
                            self.advance(lane, &mut cursors, QueuePass::Once, cancel, tell);
                        if advance != Advance::Some {
                            return;
                        }
                    }
                });
            }
        });
    }

    /// Returns the stores with waiting reports of converters that have no endpoint any more, with
    /// those converters.
    pub(in crate::host) fn unsent<'a>(
        &self,
        archives: &'a Archives,
    ) -> Result<Vec<(&'a Archive, String)>> {
        let queues = || self.lanes.iter().flat_map(|lane| &lane.queues);
        let mut unsent = Vec::new();
        for archive in archives.iter() {
            for converter in archive.snapshot()?.converters_with_pending()? {
                let known = |queue: &&(String, Archive)| {
                    queue.0 == converter && queue.1.dir() == archive.dir()
                };
                if !queues().any(|queue| known(&queue)) {
                    unsent.push((archive, converter));
                }
            }
        }
        Ok(unsent)
    }

    /// Returns the numbers of reports sent since the last call.
    pub(in crate::host) fn sent(&self) -> Sent {
        Sent {
            submitted: self.submitted.swap(0, Ordering::Relaxed),
            rejected: self.rejected.swap(0, Ordering::Relaxed),
        }
    }

    /// Returns the problem at each endpoint that does not accept reports at the moment.
    pub(in crate::host) fn troubles(&self) -> Vec<(&str, String)> {
        let told = |lane: &EndpointQueue| {
            lock(&lane.backoff)
                .trouble
                .as_ref()
                .map(|told| told.why.clone())
        };
        let lanes = self.lanes.iter();
        lanes
            .filter_map(|lane| Some((lane.endpoint.as_str(), told(lane)?)))
            .collect()
    }

    /// Returns true when reports of this endpoint may be sent now.
    pub(in crate::host) fn is_open(&self, submit: &Submit) -> bool {
        self.lane(submit).is_none_or(EndpointQueue::is_open)
    }

    /// Sends reports that no store holds; `key` returns the key for the number of a report.
    pub(in crate::host) fn deliver(
        &self,
        submit: &Submit,
        key: impl Fn(u32) -> String,
        reports: &[Vec<u8>],
        cancel: &Cancel,
        tell: Tell<'_>,
    ) -> Delivered {
        let Some(lane) = self.lane(submit) else {
            return Delivered::NotYet("its endpoint is not configured any more".to_owned());
        };
        for (number, report) in (0..).zip(reports) {
            match lane.send(&key(number), None, report.clone(), cancel) {
                None => return Delivered::Cancelled,
                Some(Meaning::Taken(id)) => {
                    lane.opened();
                    self.submitted.fetch_add(1, Ordering::Relaxed);
                    let report_id = id.unwrap_or_else(|| key(number));
                    tell(&Notice::Submitted {
                        entry: None,
                        endpoint: &lane.endpoint,
                        report_id: &report_id,
                    });
                }
                Some(Meaning::Refused { status, text }) => {
                    lane.opened();
                    self.rejected.fetch_add(1, Ordering::Relaxed);
                    tell(&Notice::SubmissionRejected {
                        entry: None,
                        endpoint: &lane.endpoint,
                        status,
                        text: &text,
                    });
                    let endpoint = &lane.endpoint;
                    return Delivered::Refused(format!(
                        "{endpoint} rejected the report ({status}): {text}"
                    ));
                }
                Some(Meaning::TryAgain(trouble)) => {
                    let why = format!("{} takes no report: {}", lane.endpoint, trouble.why);
                    lane.closed(trouble, tell);
                    return Delivered::NotYet(why);
                }
            }
        }
        Delivered::Taken
    }

    /// Tells the endpoint's queue that a report waits to be sent.
    pub(in crate::host) fn ring(&self, submit: &Submit) {
        if let Some(lane) = self.lane(submit) {
            // A full channel means that it is about to look anyway.
            let _ = lane.ring.try_send(());
        }
    }

    fn lane(&self, submit: &Submit) -> Option<&EndpointQueue> {
        self.lanes.iter().find(|lane| lane.submit == *submit)
    }

    /// Sends one page of one queue. The queues of an endpoint take turns.
    fn advance(
        &self,
        lane: &EndpointQueue,
        cursors: &mut Cursors,
        pass: QueuePass,
        cancel: &Cancel,
        tell: Tell<'_>,
    ) -> Advance {
        for _ in 0..lane.queues.len() {
            let nth = cursors.next % lane.queues.len();
            cursors.next = nth + 1;
            let (converter, archive) = &lane.queues[nth];
            let after = &mut cursors.after[nth];
            match self.page(lane, converter, archive, after, pass, cancel, tell) {
                Ok(Advance::None) => {}
                Ok(advance) => return advance,
                // The store cannot be read or written, and no report is sent whose answer could not
                // be recorded.
                Err(error) => {
                    let why = format!("what waits cannot be recorded as sent: {error}");
                    lane.closed(Trouble::new(With::Server, why), tell);
                    return Advance::Some;
                }
            }
        }
        Advance::None
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `advance`")]
    fn page(
        &self,
        lane: &EndpointQueue,
        converter: &str,
        archive: &Archive,
        after: &mut Option<PendingSubmission>,
        pass: QueuePass,
        cancel: &Cancel,
        tell: Tell<'_>,
    ) -> Result<Advance> {
        let mut page = archive
            .snapshot()?
            .pending_of(converter, after.as_ref(), PAGE)?;
        if page.is_empty() && pass == QueuePass::Repeat && after.take().is_some() {
            page = archive.snapshot()?.pending_of(converter, None, PAGE)?;
        }
        if page.is_empty() {
            return Ok(Advance::None);
        }
        match lane.submit.relation {
            Relation::None => page.iter_mut().for_each(|pending| pending.corrects = None),
            // What a report corrects is known once the server has answered to the earlier one.
            Relation::Header => {
                let last = page.last().cloned();
                page.retain(|pending| !pending.waits_for_earlier);
                if page.is_empty() {
                    *after = last;
                    return Ok(Advance::Some);
                }
            }
        }
        match archive.intend_submissions(&page, &lane.endpoint) {
            // One of them was purged meanwhile; the next check does not find it.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Advance::Some),
            intended => intended?,
        }
        for pending in page {
            if cancel.is_cancelled() {
                return Ok(Advance::Cancelled);
            }
            let report = match read(archive, &pending) {
                Ok(Some(report)) => report,
                Ok(None) => continue,
                Err(error) => {
                    let why = format!(
                        "a report of entry {} cannot be read: {error}",
                        pending.entry
                    );
                    *after = Some(pending);
                    lane.closed(Trouble::new(With::Report, why), tell);
                    return Ok(Advance::Some);
                }
            };
            let corrects = pending.corrects.as_ref();
            match lane.send(&pending.key, corrects, report, cancel) {
                None => return Ok(Advance::Cancelled),
                Some(Meaning::Taken(id)) => {
                    let report_id = id.as_ref().unwrap_or(&pending.key);
                    archive.record_taken(&pending, report_id, &lane.endpoint)?;
                    lane.opened();
                    self.submitted.fetch_add(1, Ordering::Relaxed);
                    tell(&Notice::Submitted {
                        entry: Some(pending.entry),
                        endpoint: &lane.endpoint,
                        report_id,
                    });
                }
                Some(Meaning::Refused { status, text }) => {
                    self.refused(lane, archive, &pending, status, &text, tell)?;
                }
                Some(Meaning::TryAgain(trouble)) => {
                    if trouble.with == With::Report {
                        *after = Some(pending);
                    }
                    lane.closed(trouble, tell);
                    return Ok(Advance::Some);
                }
            }
        }
        Ok(Advance::Some)
    }

    fn refused(
        &self,
        lane: &EndpointQueue,
        archive: &Archive,
        pending: &PendingSubmission,
        status: u16,
        text: &str,
        tell: Tell<'_>,
    ) -> Result<()> {
        match archive.record_rejection(pending, &lane.endpoint, status, text) {
            // The entry was purged meanwhile, so the report no longer waits.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused) => {
                return Ok(());
            }
            recorded => recorded?,
        }
        lane.opened();
        self.rejected.fetch_add(1, Ordering::Relaxed);
        tell(&Notice::SubmissionRejected {
            entry: Some(pending.entry),
            endpoint: &lane.endpoint,
            status,
            text,
        });
        Ok(())
    }
}

/// How often the queues of an endpoint are processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueuePass {
    /// Repeatedly, until cancelled.
    Repeat,
    /// Once.
    Once,
}

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Advance {
    /// The queue held reports to process.
    Some,
    /// The queues are empty.
    None,
    Cancelled,
}

/// The position in each queue of an endpoint.
struct Cursors {
    /// The queue to process next.
    next: usize,
    /// The last report of each queue that was skipped because the server failed on it.
    after: Vec<Option<PendingSubmission>>,
}

/// One endpoint with the queues of its reports.
struct EndpointQueue {
    submit: Submit,
    endpoint: String,
    client: Client,
    /// Converters, and the stores that hold their reports.
    queues: Vec<(String, Archive)>,
    backoff: Mutex<Backoff>,
    ring: Sender<()>,
    rung: Receiver<()>,
}

/// The delay before the next request to an endpoint.
#[derive(Default)]
struct Backoff {
    /// Number of failures in a row.
    failures: u32,
    /// No request is sent before this time.
    until: Option<Instant>,
    trouble: Option<Trouble>,
}

impl EndpointQueue {
    fn new(submit: Submit) -> Self {
        let (ring, rung) = bounded(1);
        Self {
            ring,
            rung,
            endpoint: submit.endpoint(),
            client: Client::new(&submit),
            submit,
            queues: Vec::new(),
            backoff: Mutex::default(),
        }
    }

    fn cursors(&self) -> Cursors {
        Cursors {
            next: 0,
            after: self.queues.iter().map(|_| None).collect(),
        }
    }

    /// Sends one report and returns the meaning of the answer. `None` when cancelled.
    fn send(
        &self,
        key: &str,
        corrects: Option<&Corrected>,
        report: Vec<u8>,
        cancel: &Cancel,
    ) -> Option<Meaning> {
        let to = match self.submit.reveal() {
            Ok(to) => to,
            Err(missing) => {
                let trouble = Trouble::new(With::Setup, missing.to_string());
                return Some(Meaning::TryAgain(trouble));
            }
        };
        let parcel = Parcel {
            to,
            key: key.to_owned(),
            corrects: corrects.map(|corrected| corrected.report_id.clone()),
            report,
        };
        Some(match self.client.send(parcel, cancel)? {
            Ok(answer) => meaning(&answer, SystemClock.now()),
            Err(trouble) => Meaning::TryAgain(trouble),
        })
    }

    fn opened(&self) {
        *lock(&self.backoff) = Backoff::default();
    }

    /// Records a failure, with a longer delay for each one. Sends a notice when it is new.
    fn closed(&self, trouble: Trouble, tell: Tell<'_>) {
        let mut backoff = lock(&self.backoff);
        backoff.failures = backoff.failures.saturating_add(1);
        let wait = trouble.wait(backoff.failures, jitter());
        backoff.until = Instant::now().checked_add(wait);
        let known = backoff
            .trouble
            .as_ref()
            .is_some_and(|known| known.why == trouble.why);
        backoff.trouble = Some(trouble.clone());
        drop(backoff);
        if !known {
            let error = Error::new(
                ErrorKind::Io,
                format!(
                    "{} takes no reports at the moment: {}",
                    self.endpoint, trouble.why
                ),
            )
            .hint("they wait and are sent again by themselves");
            tell(&Notice::SubmissionWaits {
                endpoint: &self.endpoint,
                error: &error,
                wait,
            });
        }
    }

    /// Waits until a report is announced, or for `pause`. Returns true when one is announced.
    fn is_rung_within(&self, pause: Duration, cancel: &Cancel) -> bool {
        select_biased! {
            recv(cancel.cancelled()) -> _ => false,
            recv(self.rung) -> rung => rung.is_ok(),
            default(pause) => false,
        }
    }

    fn is_open(&self) -> bool {
        let until = lock(&self.backoff).until;
        until.is_none_or(|until| until <= Instant::now())
    }

    /// Returns false when no further report should be tried now: the server or the setup failed, or
    /// several reports in a row did.
    fn is_worth_asking(&self) -> bool {
        let backoff = lock(&self.backoff);
        let with = backoff.trouble.as_ref().map(|trouble| trouble.with);
        matches!(with, None | Some(With::Report)) && backoff.failures < FAILURES_MAX
    }

    /// Waits until the delay is over. Returns false when cancelled.
    fn wait(&self, cancel: &Cancel) -> bool {
        let until = lock(&self.backoff).until;
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        cancel.sleep(left.unwrap_or_default())
    }
}

/// Returns the report, unless it was purged.
fn read(archive: &Archive, pending: &PendingSubmission) -> Result<Option<Vec<u8>>> {
    let Some(blob) = blob_of(archive, pending.entry, pending)? else {
        return Ok(None);
    };
    archive.read_all(&blob, REPORT_BYTES_MAX).map(Some)
}

fn blob_of(archive: &Archive, id: EntryId, pending: &PendingSubmission) -> Result<Option<BlobId>> {
    let Some(entry) = archive.snapshot()?.entry(id)? else {
        return Ok(None);
    };
    if entry.purged_at.is_some() || entry.reports_purge(pending.attempt).is_some() {
        return Ok(None);
    }
    let made = entry
        .attempts
        .iter()
        .find(|made| made.attempt == pending.attempt);
    let report = made.and_then(|made| made.reports.get(pending.report as usize));
    Ok(report.map(|report| report.blake3))
}

/// Returns a random number from 0 to 1, so that hosts that lost a server together do not return
/// together.
fn jitter() -> f64 {
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}
