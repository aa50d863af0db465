//! Counts what a host did: files by outcome, rates, errors, retention.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::notice::{ERRORS_MAX, FileError, RunSummary};
use super::space::Space;
use super::status::{
    ConfigurationStatus, ConverterStatus, Histogram, HostState, HostStatus, PromotionStatus,
    QueueStatus, RetentionStatus, SilentFolder, StoppedLine, StoreStatus, SubmissionStatus,
};
use super::stuck::StuckFiles;
use crate::Error;
use crate::archive::PurgeOutcome;
use crate::entry::{Outcome, Status};
use crate::host::panics::lock;
use crate::time::{Clock, SystemClock, Timestamp};

/// A host counts as hung when its next scan is overdue by more than this.
const SCAN_LATE: Duration = Duration::from_secs(120);

/// How long a panic in the background counts against the host's health.
const FAILURE_TOLD: Duration = Duration::from_secs(600);

/// The period that rates are computed over.
const RATE_OVER: Duration = Duration::from_secs(60);

/// Numbers of reports sent since the last query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::host) struct Sent {
    pub(in crate::host) submitted: u64,
    pub(in crate::host) rejected: u64,
}

/// Counts of the last minute, by second.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    fn count(&mut self, now: Instant) {
        match self.0.back_mut() {
            Some((second, count)) if now.duration_since(*second).as_secs() == 0 => *count += 1,
            _ => self.0.push_back((now, 1)),
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while self
            .0
            .front()
            .is_some_and(|(second, _)| now.duration_since(*second) > RATE_OVER)
        {
            self.0.pop_front();
        }
    }

    fn sum(&mut self, now: Instant) -> u64 {
        self.forget(now);
        self.0.iter().map(|(_, count)| count).sum()
    }
}

#[derive(Debug, Default)]
struct Counts {
    archived: u64,
    archive_failed: u64,
    outcomes: BTreeMap<&'static str, u64>,
    suspicious: u64,
    archiving: Rate,
    converting: Rate,
    purged: u64,
}

/// Counters of what a host did: files by outcome, rates, errors, retention.
pub(in crate::host) struct Counters(Mutex<Counted>);

struct Counted {
    state: HostState,
    began: Instant,
    scanned: Option<Instant>,
    /// The summary since the last scan.
    summary: RunSummary,
    converters: BTreeMap<String, Counts>,
    scans: u64,
    scanned_at: Option<Timestamp>,
    left: u64,
    sent: Sent,
    retention: RetentionStatus,
    config_since: Timestamp,
    config_refused: Option<String>,
    /// Watch folders that could not be scanned the last time.
    folders: Vec<String>,
    /// Background work that panicked and was restarted.
    failures: BTreeMap<&'static str, (Instant, String)>,
    archive_seconds: Histogram,
}

impl Counters {
    pub(in crate::host) fn new() -> Self {
        Self(Mutex::new(Counted {
            state: HostState::Idle,
            began: Instant::now(),
            scanned: None,
            summary: RunSummary::default(),
            converters: BTreeMap::new(),
            scans: 0,
            scanned_at: None,
            left: 0,
            sent: Sent::default(),
            retention: RetentionStatus::default(),
            config_since: SystemClock.now(),
            config_refused: None,
            folders: Vec::new(),
            failures: BTreeMap::new(),
            archive_seconds: Histogram::default(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        lock(&self.0)
    }

    pub(in crate::host) fn enter(&self, state: HostState) {
        let mut counted = self.lock();
        counted.state = state;
        counted.began = Instant::now();
    }

    pub(in crate::host) fn archived(&self, converter: &str, existing: bool, took: Duration) {
        if existing {
            return;
        }
        let mut counted = self.lock();
        counted.summary.archived += 1;
        counted.archive_seconds.count(took);
        let counts = counted.of(converter);
        counts.archived += 1;
        counts.archiving.count(Instant::now());
    }

    pub(in crate::host) fn archive_failed(&self, converter: &str, path: &Path, error: &Error) {
        let mut counted = self.lock();
        counted.summary.archive_failed += 1;
        counted.of(converter).archive_failed += 1;
        counted.error(path, error);
    }

    pub(in crate::host) fn converted(&self, converter: &str, outcome: Outcome) {
        let mut counted = self.lock();
        counted.summary.count(outcome);
        let counts = counted.of(converter);
        *counts
            .outcomes
            .entry(Status::from(outcome).name())
            .or_default() += 1;
        counts.converting.count(Instant::now());
    }

    /// Counts a result that is suspicious.
    pub(in crate::host) fn suspicious(&self, converter: &str) {
        let mut counted = self.lock();
        counted.summary.suspicious += 1;
        counted.of(converter).suspicious += 1;
    }

    /// Returns true when the last scan reported this problem too.
    pub(in crate::host) fn knows_trouble(&self, told: &str) -> bool {
        self.lock().folders.iter().any(|known| known == told)
    }

    pub(in crate::host) fn found(&self, files: usize) {
        self.lock().summary.found = files as u64;
    }

    pub(in crate::host) fn known(&self, files: usize) {
        self.lock().summary.known += files as u64;
    }

    /// Counts a file whose entry already had its final attempt.
    pub(in crate::host) fn done_before(&self, outcome: Outcome) {
        let mut counted = self.lock();
        counted.summary.done_before += 1;
        if matches!(outcome, Outcome::Failed | Outcome::Rejected) {
            counted.summary.failed_before += 1;
        }
    }

    pub(in crate::host) fn left(&self) {
        self.lock().summary.left += 1;
    }

    pub(in crate::host) fn trouble(&self, path: &Path, error: &Error) {
        self.lock().error(path, error);
    }

    /// Records that background work panicked and is restarted.
    pub(in crate::host) fn failed(&self, what: &'static str, error: &Error) {
        let mut counted = self.lock();
        let failure = (Instant::now(), error.to_string());
        counted.failures.insert(what, failure);
        counted.error(Path::new("annals"), error);
    }

    /// Records the end of a scan. Returns the summary since the scan before it.
    pub(in crate::host) fn scanned(
        &self,
        sent: Sent,
        waiting: u64,
        folders: Vec<String>,
    ) -> RunSummary {
        let mut counted = self.lock();
        counted.scans += 1;
        counted.scanned_at = Some(SystemClock.now());
        counted.scanned = Some(Instant::now());
        counted.folders = folders;
        counted.sent.submitted += sent.submitted;
        counted.sent.rejected += sent.rejected;
        let mut summary = std::mem::take(&mut counted.summary);
        counted.left = summary.left;
        summary.reports_submitted = sent.submitted;
        summary.reports_rejected = sent.rejected;
        summary.reports_waiting = waiting;
        summary
    }

    pub(in crate::host) fn purged(&self, converter: &str, outcome: &PurgeOutcome) {
        let mut counted = self.lock();
        let entries = outcome.recorded.archives_purged;
        counted.retention.purged += entries;
        counted.retention.bytes_freed += outcome.bytes_freed();
        counted.of(converter).purged += entries;
    }

    /// Records what waits, what holds need, and how many purged entries can come back.
    pub(in crate::host) fn retention_looked(&self, looked: RetentionStatus) {
        let mut counted = self.lock();
        let known = &mut counted.retention;
        *known = RetentionStatus {
            applied_at: known.applied_at,
            purged: known.purged,
            bytes_freed: known.bytes_freed,
            error: known.error.take(),
            ..looked
        };
    }

    pub(in crate::host) fn finalized(&self, bytes_freed: u64) {
        self.lock().retention.bytes_freed += bytes_freed;
    }

    pub(in crate::host) fn retention_applied(&self, error: Option<String>) {
        let mut counted = self.lock();
        counted.retention.applied_at = Some(SystemClock.now());
        counted.retention.error = error;
    }

    /// Records that another configuration is active. `sent` was sent under the one before and is
    /// not counted yet.
    pub(in crate::host) fn reloaded(&self, sent: Sent) {
        let mut counted = self.lock();
        counted.sent.submitted += sent.submitted;
        counted.sent.rejected += sent.rejected;
        counted.config_since = SystemClock.now();
        counted.config_refused = None;
    }

    pub(in crate::host) fn reload_refused(&self, why: String) {
        self.lock().config_refused = Some(why);
    }

    pub(in crate::host) fn is_alive(&self, scan_every: Duration) -> bool {
        self.lock().late(scan_every).is_none()
    }

    /// Returns the status, computed from the counters and from `about`.
    pub(in crate::host) fn status(&self, about: About<'_>) -> HostStatus {
        let mut counted = self.lock();
        let now = Instant::now();
        let converters = about.converters.map(|converter| {
            let name = converter.name;
            let counts = counted.of(name);
            let outcome = |outcome: Outcome| {
                counts
                    .outcomes
                    .get(Status::from(outcome).name())
                    .copied()
                    .unwrap_or_default()
            };
            ConverterStatus {
                name: name.to_owned(),
                watch_folder: converter.watch_folder.map(Path::to_owned),
                archived: counts.archived,
                archive_failed: counts.archive_failed,
                successful: outcome(Outcome::Success),
                failed: outcome(Outcome::Failed),
                suspended: outcome(Outcome::Suspended),
                skipped: outcome(Outcome::Skipped),
                rejected: outcome(Outcome::Rejected),
                suspicious: counts.suspicious,
                archived_per_minute: counts.archiving.sum(now),
                converted_per_minute: counts.converting.sum(now),
                purged: counts.purged,
                max_concurrent: converter.max_concurrent as u64,
                workers: converter.workers as u64,
                stuck: about
                    .stuck_by_converter
                    .get(name)
                    .copied()
                    .unwrap_or_default(),
                stopped: (about.stopped)(name),
                promotion: (about.promotion)(name),
            }
        });
        let converters = converters.collect();
        let mut submissions = about.submissions;
        submissions.submitted = counted.sent.submitted;
        submissions.rejected = counted.sent.rejected;
        let mut reasons = counted.reasons(&about.disk, &about.stores, about.scan_every);
        reasons.extend(about.reasons);
        HostStatus {
            state: counted.state,
            reasons,
            scans: counted.scans,
            scanned_at: counted.scanned_at,
            queue: QueueStatus {
                left: counted.left,
                ..about.queue
            },
            stuck: about.stuck,
            silent_folders: about.silent,
            converters,
            submissions,
            disk: about.disk,
            retention: counted.retention.clone(),
            configuration: ConfigurationStatus {
                path: about.config.to_owned(),
                since: counted.config_since,
                refused: counted.config_refused.clone(),
            },
            stores: about.stores,
            archive_seconds: counted.archive_seconds.clone(),
        }
    }
}

/// The part of a host's status that the counters do not know, for [`Counters::status`].
pub(in crate::host) struct About<'a> {
    /// Problems of the host that the counters do not know.
    pub(in crate::host) reasons: Vec<String>,
    pub(in crate::host) stuck: StuckFiles,
    pub(in crate::host) stuck_by_converter: BTreeMap<String, u64>,
    pub(in crate::host) silent: Vec<SilentFolder>,
    pub(in crate::host) stopped: &'a dyn Fn(&str) -> Option<StoppedLine>,
    pub(in crate::host) promotion: &'a dyn Fn(&str) -> Option<PromotionStatus>,
    pub(in crate::host) converters: Box<dyn Iterator<Item = AboutConverter<'a>> + 'a>,
    pub(in crate::host) config: &'a Path,
    pub(in crate::host) scan_every: Duration,
    pub(in crate::host) queue: QueueStatus,
    pub(in crate::host) submissions: SubmissionStatus,
    pub(in crate::host) disk: Space,
    pub(in crate::host) stores: Vec<StoreStatus>,
}

/// What the counters do not know of one converter.
pub(in crate::host) struct AboutConverter<'a> {
    pub(in crate::host) name: &'a str,
    pub(in crate::host) watch_folder: Option<&'a Path>,
    pub(in crate::host) max_concurrent: usize,
    pub(in crate::host) workers: usize,
}

impl Counted {
    fn of(&mut self, converter: &str) -> &mut Counts {
        self.converters.entry(converter.to_owned()).or_default()
    }

    fn error(&mut self, path: &Path, error: &Error) {
        if self.summary.errors.len() < ERRORS_MAX {
            self.summary.errors.push(FileError {
                path: path.to_string_lossy().into_owned(),
                error: error.to_string(),
            });
        }
    }

    /// Returns the time since the last scan when that is far too long.
    fn late(&self, scan_every: Duration) -> Option<Duration> {
        let since = self.scanned.unwrap_or(self.began).elapsed();
        Some(since)
            .filter(|since| self.state == HostState::Running && *since > scan_every + SCAN_LATE)
    }

    fn reasons(&self, disk: &Space, stores: &[StoreStatus], scan_every: Duration) -> Vec<String> {
        let mut reasons = Vec::new();
        match self.state {
            HostState::Running => {}
            HostState::Idle => reasons.push("the host does not run".to_owned()),
            HostState::Stopping => reasons.push("the host is stopping".to_owned()),
        }
        reasons.extend(disk.trouble().map(|error| error.message().to_owned()));
        reasons.extend(self.folders.iter().cloned());
        let recent = self.failures.values();
        reasons.extend(
            recent
                .filter(|(at, _)| at.elapsed() < FAILURE_TOLD)
                .map(|(_, why)| why.clone()),
        );
        for store in stores {
            reasons.extend(
                store
                    .error
                    .as_ref()
                    .map(|why| format!("the store in {}: {why}", store.dir.display())),
            );
            reasons.extend(store.signing_error.as_ref().map(|why| {
                let dir = store.dir.display();
                format!("the log of the store in {dir} was not signed: {why}")
            }));
        }
        if let Some(since) = self.late(scan_every) {
            let seconds = since.as_secs();
            reasons.push(format!(
                "the watch folders were not looked into for {seconds} s"
            ));
        }
        reasons
    }
}

#[cfg(test)]
mod tests;
