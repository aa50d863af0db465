//! How a host is: counted while it works, told as one value that the command line, `/healthz` and `/metrics` print.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::line::StoppedLine;
use super::lock;
use super::notice::{ERRORS_MAX, FileError, RunSummary};
use super::outbox::Sent;
use super::queue::{Lengths, Silent};
use super::space::Space;
use super::trouble::StuckFiles;
use crate::Error;
use crate::archive::PurgeOutcome;
use crate::entry::{Outcome, Status};
use crate::time::{Clock, SystemClock, Timestamp};

/// Upper bounds of the classes that archiving times are counted in, in seconds.
pub const ARCHIVE_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];
/// A host that has not looked into its folders for so long beyond its pause hangs.
const SCAN_LATE: Duration = Duration::from_secs(120);
/// How long a panic in the background counts against the host's health.
const FAILURE_TOLD: Duration = Duration::from_secs(600);
/// What rates are over.
const RATE_OVER: Duration = Duration::from_secs(60);

/// How a host is, as of a moment ago.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// What the host is doing.
    pub state: HostState,
    /// What keeps it from its work, in words; nothing when all is well.
    pub reasons: Vec<String>,
    /// Looks into the watch folders so far.
    pub scans: u64,
    /// When the last one ended.
    pub scanned_at: Option<Timestamp>,
    /// What is in hand.
    pub queue: QueueStatus,
    /// Files that stay in their folders for another reason than waiting for their turn.
    pub stuck: StuckFiles,
    /// Folders that do not answer.
    pub silent_folders: Vec<SilentFolder>,
    /// The converters in the order of the configuration.
    pub converters: Vec<ConverterStatus>,
    /// Reports on their way.
    pub submissions: SubmissionStatus,
    /// The disk with the least room.
    pub disk: Space,
    /// Purges by the rules of the configuration.
    pub retention: RetentionStatus,
    /// The configuration in force.
    pub configuration: ConfigurationStatus,
    /// The stores.
    pub stores: Vec<StoreStatus>,
    /// How long archiving took from a file's being taken, counted in classes: [`ARCHIVE_SECONDS`] and beyond.
    pub archive_seconds: Histogram,
}

/// What a host is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HostState {
    /// It has not begun, or has ended.
    #[default]
    Idle,
    /// It watches and works.
    Running,
    /// It takes no more files and waits for what is being converted.
    Stopping,
}

/// A folder that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SilentFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The file that a step was begun over and has not ended; nothing when the folder cannot be listed.
    pub path: Option<PathBuf>,
    /// For how long.
    pub seconds: u64,
}

/// What is in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Files that wait to be archived, those at work included.
    pub to_archive: u64,
    /// Files that wait to be converted.
    pub to_convert: u64,
    /// Conversions that run.
    pub converting: u64,
    /// Conversions that wait to be recorded, those at work included.
    pub to_record: u64,
    /// How long the next one in a queue has waited there.
    pub oldest_ms: u64,
    /// Files left in their folders at the last look: still changing, or to be tried again.
    pub left: u64,
}

/// One converter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConverterStatus {
    /// Its name.
    pub name: String,
    /// The folder it watches.
    pub watch_folder: Option<PathBuf>,
    /// Files archived since the host began.
    pub archived: u64,
    /// Files that could not be.
    pub archive_failed: u64,
    /// Conversions by outcome, since the host began.
    pub successful: u64,
    /// Failed.
    pub failed: u64,
    /// Asked to be tried again later.
    pub suspended: u64,
    /// Had nothing to convert.
    pub skipped: u64,
    /// Were refused.
    pub rejected: u64,
    /// Files archived in the last minute.
    pub archived_per_minute: u64,
    /// Files converted in the last minute.
    pub converted_per_minute: u64,
    /// Entries that were purged by its rules.
    pub purged: u64,
    /// Its files that stay in their folder for another reason than waiting for their turn.
    pub stuck: u64,
    /// Why it cannot run, if so.
    pub stopped: Option<StoppedLine>,
}

/// Reports on their way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SubmissionStatus {
    /// Reports that wait in the stores.
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
    /// Reports that servers took since the host began.
    pub submitted: u64,
    /// Reports that servers refused.
    pub rejected: u64,
    /// What stands in the way, by endpoint.
    pub troubles: Vec<FileError>,
}

/// Purges by the rules of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RetentionStatus {
    /// When the rules were applied last.
    pub applied_at: Option<Timestamp>,
    /// Entries purged since the host began.
    pub purged: u64,
    /// Bytes that freed.
    pub bytes_freed: u64,
    /// Why the rules could not be applied the last time.
    pub error: Option<String>,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfigurationStatus {
    /// The file.
    pub path: PathBuf,
    /// When it came into force.
    pub since: Timestamp,
    /// Why a later one was refused.
    pub refused: Option<String>,
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Its folder.
    pub dir: PathBuf,
    /// Entries that are not purged.
    pub entries: u64,
    /// Of those, entries of the configured converters whose last attempt failed.
    pub failed: u64,
    /// Bytes their content takes.
    pub stored_bytes: u64,
    /// Bytes free on its disk.
    pub free_bytes: Option<u64>,
    /// Why it cannot be asked.
    pub error: Option<String>,
}

/// How often something took how long.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Histogram {
    /// Counts by class, the last one beyond all bounds.
    pub counts: [u64; ARCHIVE_SECONDS.len() + 1],
    /// Sum of all times.
    pub sum_s: f64,
}

impl Histogram {
    fn count(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let class = ARCHIVE_SECONDS.partition_point(|bound| *bound < seconds);
        self.counts[class] += 1;
        self.sum_s += seconds;
    }
}

impl From<Lengths> for QueueStatus {
    fn from(lengths: Lengths) -> Self {
        Self {
            to_archive: (lengths.to_archive + lengths.archiving) as u64,
            to_convert: lengths.to_convert as u64,
            converting: lengths.converting as u64,
            to_record: (lengths.to_record + lengths.recording) as u64,
            oldest_ms: u64::try_from(lengths.oldest.as_millis()).unwrap_or(u64::MAX),
            left: 0,
        }
    }
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
    archiving: Rate,
    converting: Rate,
    purged: u64,
}

/// What is counted while a host works.
pub(super) struct Books(Mutex<Pages>);

struct Pages {
    state: HostState,
    began: Instant,
    scanned: Option<Instant>,
    /// Since the last look.
    summary: RunSummary,
    converters: BTreeMap<String, Counts>,
    scans: u64,
    scanned_at: Option<Timestamp>,
    left: u64,
    sent: Sent,
    retention: RetentionStatus,
    config_since: Timestamp,
    config_refused: Option<String>,
    /// Watch folders that could not be looked into the last time.
    folders: Vec<String>,
    /// Work in the background that panicked and was begun again.
    failures: BTreeMap<&'static str, (Instant, String)>,
    archive_seconds: Histogram,
}

impl Books {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Pages {
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

    fn lock(&self) -> MutexGuard<'_, Pages> {
        lock(&self.0)
    }

    pub(super) fn enter(&self, state: HostState) {
        let mut pages = self.lock();
        pages.state = state;
        pages.began = Instant::now();
    }

    pub(super) fn archived(&self, converter: &str, existing: bool, took: Duration) {
        if existing {
            return;
        }
        let mut pages = self.lock();
        pages.summary.archived += 1;
        pages.archive_seconds.count(took);
        let counts = pages.of(converter);
        counts.archived += 1;
        counts.archiving.count(Instant::now());
    }

    pub(super) fn archive_failed(&self, converter: &str, path: &Path, error: &Error) {
        let mut pages = self.lock();
        pages.summary.archive_failed += 1;
        pages.of(converter).archive_failed += 1;
        pages.error(path, error);
    }

    pub(super) fn converted(&self, converter: &str, outcome: Outcome) {
        let mut pages = self.lock();
        pages.summary.count(outcome);
        let counts = pages.of(converter);
        *counts
            .outcomes
            .entry(Status::from(outcome).name())
            .or_default() += 1;
        counts.converting.count(Instant::now());
    }

    /// True for what a folder had against being looked into the last time as well.
    pub(super) fn knows_trouble(&self, told: &str) -> bool {
        self.lock().folders.iter().any(|known| known == told)
    }

    pub(super) fn found(&self, files: usize) {
        self.lock().summary.found = files as u64;
    }

    pub(super) fn known(&self) {
        self.lock().summary.known += 1;
    }

    /// A file whose entry had its final attempt before.
    pub(super) fn done_before(&self, outcome: Outcome) {
        let mut pages = self.lock();
        pages.summary.done_before += 1;
        if matches!(outcome, Outcome::Failed | Outcome::Rejected) {
            pages.summary.failed_before += 1;
        }
    }

    pub(super) fn left(&self) {
        self.lock().summary.left += 1;
    }

    pub(super) fn trouble(&self, path: &Path, error: &Error) {
        self.lock().error(path, error);
    }

    /// Work in the background panicked, and is begun again.
    pub(super) fn failed(&self, what: &'static str, error: &Error) {
        let mut pages = self.lock();
        let failure = (Instant::now(), error.to_string());
        pages.failures.insert(what, failure);
        pages.error(Path::new("annals"), error);
    }

    /// What was done since the last time, and sent.
    pub(super) fn scanned(&self, sent: Sent, waiting: u64, folders: Vec<String>) -> RunSummary {
        let mut pages = self.lock();
        pages.scans += 1;
        pages.scanned_at = Some(SystemClock.now());
        pages.scanned = Some(Instant::now());
        pages.folders = folders;
        pages.sent.submitted += sent.submitted;
        pages.sent.rejected += sent.rejected;
        let mut summary = std::mem::take(&mut pages.summary);
        pages.left = summary.left;
        summary.reports_submitted = sent.submitted;
        summary.reports_rejected = sent.rejected;
        summary.reports_waiting = waiting;
        summary
    }

    pub(super) fn purged(&self, converter: &str, outcome: &PurgeOutcome) {
        let mut pages = self.lock();
        let entries = outcome.recorded.archives_purged;
        pages.retention.purged += entries;
        pages.retention.bytes_freed += outcome.bytes_freed();
        pages.of(converter).purged += entries;
    }

    pub(super) fn retention_applied(&self, error: Option<String>) {
        let mut pages = self.lock();
        pages.retention.applied_at = Some(SystemClock.now());
        pages.retention.error = error;
    }

    /// Another configuration is in force; this was sent under the one before and not summed up yet.
    pub(super) fn reloaded(&self, sent: Sent) {
        let mut pages = self.lock();
        pages.sent.submitted += sent.submitted;
        pages.sent.rejected += sent.rejected;
        pages.config_since = SystemClock.now();
        pages.config_refused = None;
    }

    pub(super) fn reload_refused(&self, why: String) {
        self.lock().config_refused = Some(why);
    }

    pub(super) fn is_alive(&self, scan_every: Duration) -> bool {
        self.lock().late(scan_every).is_none()
    }

    /// The status, but for what others know better: converters by name and folder, disks and stores.
    pub(super) fn status(&self, about: About<'_>) -> HostStatus {
        let mut pages = self.lock();
        let now = Instant::now();
        let converters = about.converters.map(|(name, folder)| {
            let counts = pages.of(name);
            let outcome = |outcome: Outcome| {
                counts
                    .outcomes
                    .get(Status::from(outcome).name())
                    .copied()
                    .unwrap_or_default()
            };
            ConverterStatus {
                name: name.to_owned(),
                watch_folder: folder.map(Path::to_owned),
                archived: counts.archived,
                archive_failed: counts.archive_failed,
                successful: outcome(Outcome::Success),
                failed: outcome(Outcome::Failed),
                suspended: outcome(Outcome::Suspended),
                skipped: outcome(Outcome::Skipped),
                rejected: outcome(Outcome::Rejected),
                archived_per_minute: counts.archiving.sum(now),
                converted_per_minute: counts.converting.sum(now),
                purged: counts.purged,
                stuck: about
                    .stuck_by_converter
                    .get(name)
                    .copied()
                    .unwrap_or_default(),
                stopped: (about.stopped)(name),
            }
        });
        let converters = converters.collect();
        let mut submissions = about.submissions;
        submissions.submitted = pages.sent.submitted;
        submissions.rejected = pages.sent.rejected;
        let mut reasons = pages.reasons(&about.disk, &about.stores, about.scan_every);
        reasons.extend(about.reasons);
        HostStatus {
            state: pages.state,
            reasons,
            scans: pages.scans,
            scanned_at: pages.scanned_at,
            queue: QueueStatus {
                left: pages.left,
                ..about.lengths.into()
            },
            stuck: about.stuck,
            silent_folders: about
                .silent
                .into_iter()
                .map(|silent| SilentFolder {
                    folder: silent.folder,
                    path: silent.path,
                    seconds: silent.since.elapsed().as_secs(),
                })
                .collect(),
            converters,
            submissions,
            disk: about.disk,
            retention: pages.retention.clone(),
            configuration: ConfigurationStatus {
                path: about.config.to_owned(),
                since: pages.config_since,
                refused: pages.config_refused.clone(),
            },
            stores: about.stores,
            archive_seconds: pages.archive_seconds.clone(),
        }
    }
}

/// What others know of a host.
pub(super) struct About<'a> {
    /// What keeps it from its work, beyond what the books say.
    pub(super) reasons: Vec<String>,
    pub(super) stuck: StuckFiles,
    pub(super) stuck_by_converter: BTreeMap<String, u64>,
    pub(super) silent: Vec<Silent>,
    pub(super) stopped: &'a dyn Fn(&str) -> Option<StoppedLine>,
    pub(super) converters: Box<dyn Iterator<Item = (&'a str, Option<&'a Path>)> + 'a>,
    pub(super) config: &'a Path,
    pub(super) scan_every: Duration,
    pub(super) lengths: Lengths,
    pub(super) submissions: SubmissionStatus,
    pub(super) disk: Space,
    pub(super) stores: Vec<StoreStatus>,
}

impl Pages {
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

    /// For how long the folders were not looked into, when that is far too long.
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
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_the_class_they_fit() {
        let mut times = Histogram::default();
        for millis in [1, 5, 6, 60_000, 61_000] {
            times.count(Duration::from_millis(millis));
        }
        assert_eq!(times.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert!((times.sum_s - 121.012).abs() < 1e-9);
    }

    #[test]
    fn a_rate_forgets_what_is_older_than_a_minute() {
        let mut rate = Rate::default();
        let start = Instant::now();
        for second in [0, 0, 30, 59] {
            rate.count(start + Duration::from_secs(second));
        }
        assert_eq!(rate.0.len(), 3);
        assert_eq!(rate.sum(start + Duration::from_secs(60)), 4);
        assert_eq!(rate.sum(start + Duration::from_secs(61)), 2);
    }

    /// The pass after a night without a share must not say so still.
    #[test]
    fn a_folder_that_can_be_listed_again_is_no_reason_any_more() {
        let books = Books::new();
        books.enter(HostState::Running);
        let reasons = || {
            books
                .lock()
                .reasons(&Space::default(), &[], Duration::from_secs(1))
        };
        assert!(reasons().is_empty());
        let error = Error::new(crate::ErrorKind::Full, "no room");
        books.archive_failed("T", Path::new("a"), &error);
        books.archived("T", false, Duration::ZERO);
        let summary = books.scanned(Sent::default(), 0, vec!["x".to_owned()]);
        assert_eq!(
            (
                summary.archive_failed,
                summary.archived,
                summary.errors.len()
            ),
            (1, 1, 1)
        );
        assert_eq!(reasons(), ["x"]);
        books.scanned(Sent::default(), 0, Vec::new());
        assert!(reasons().is_empty());
    }
}
