//! The converter host at work: one pass over the watch folders, or pass after pass.
//!
//! A file's way: settled, read and hashed, archived under an idempotency key, converted from the archived bytes, the
//! attempt recorded with where its reports are to go, the file cleared away. The outbox sends the reports. Those that no
//! store holds are sent before anything of their conversion is recorded. A crash between any two of these steps is caught up
//! with by the next pass: the key finds the entry again, and an entry that has its final attempt is not converted
//! again.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::config::{Config, ConverterConfig, Retry};
use super::endpoint::Submit;
use super::expiry::{self, Expired};
use super::intake::{self, Candidate, Look};
use super::lock;
use super::outbox::{Delivered, Outbox};
use super::post_process::{self, Case, Disposed, Disposition, Fingerprint, Safety};
use crate::archive::{Archive, NewEntry};
use crate::convert::{self, Cancel, Conversion, PostAction, Runner, Terms};
use crate::disk::{Disk, FsDisk};
use crate::entry::{Entry, Outcome};
use crate::event::ConfigChanged;
use crate::id::EntryId;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{Error, ErrorKind, Result};

/// Errors listed in a summary; further ones are only counted by their effects.
const ERRORS_MAX: usize = 1000;
/// How long after its start the host first looks for what is past its retention.
const RETENTION_AFTER: Duration = Duration::from_mins(1);
/// What the host's configuration is recorded under.
const CONFIG_ITEM: &str = "host";

/// The stores that converters archive into.
#[derive(Clone, Default)]
pub struct Archives {
    shared: Option<Archive>,
    own: BTreeMap<PathBuf, Archive>,
}

impl Archives {
    /// One store for all; `None` when nothing is to be archived.
    pub fn shared(archive: Option<Archive>) -> Self {
        Self {
            shared: archive,
            own: BTreeMap::new(),
        }
    }

    /// Adds the store of the converters whose `archive_folder` this is.
    #[must_use]
    pub fn with_own(mut self, folder: PathBuf, archive: Archive) -> Self {
        self.own.insert(folder, archive);
        self
    }

    pub(super) fn of(&self, config: &ConverterConfig) -> Option<&Archive> {
        match &config.archive.folder {
            Some(folder) => self.own.get(folder),
            None => self.shared.as_ref(),
        }
    }

    /// Every store, each once.
    pub fn iter(&self) -> impl Iterator<Item = &Archive> {
        self.shared.iter().chain(self.own.values())
    }
}

/// Told what happens, from several threads.
pub struct Hooks<'a> {
    /// Told each step.
    pub notice: &'a (dyn Fn(&Notice<'_>) + Sync),
}

impl Default for Hooks<'_> {
    fn default() -> Self {
        Self { notice: &|_| {} }
    }
}

/// One step of the host.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A file is in the archive.
    Archived {
        /// The file.
        path: &'a Path,
        /// Its entry.
        entry: EntryId,
        /// True when an earlier pass had archived it.
        existing: bool,
    },
    /// A file was converted.
    Converted {
        /// The file.
        path: &'a Path,
        /// By which converter.
        converter: &'a str,
        /// Its entry, if it is archived.
        entry: Option<EntryId>,
        /// What came of it.
        conversion: &'a Conversion,
    },
    /// A file was cleared away, or kept for good.
    Disposed {
        /// The file.
        path: &'a Path,
        /// What became of it.
        how: &'a Disposed,
    },
    /// A file was left for a later pass.
    Left {
        /// The file.
        path: &'a Path,
        /// Why.
        why: &'a str,
    },
    /// Something went wrong.
    Trouble {
        /// With which file or folder.
        path: &'a Path,
        /// What.
        error: &'a Error,
    },
    /// A server took a report.
    Submitted {
        /// Its entry, if it is archived.
        entry: Option<EntryId>,
        /// Where it was sent.
        endpoint: &'a str,
        /// The name the server gave it; else the key it was sent under.
        report_id: &'a str,
    },
    /// A server refused a report.
    SubmissionRejected {
        /// Its entry, if it is archived.
        entry: Option<EntryId>,
        /// Where it was sent.
        endpoint: &'a str,
        /// The HTTP status of the answer.
        status: u16,
        /// What the server said.
        text: &'a str,
    },
    /// An endpoint takes no reports; they wait.
    SubmissionWaits {
        /// The endpoint.
        endpoint: &'a str,
        /// Why.
        error: &'a Error,
        /// Before it is asked again.
        wait: Duration,
    },
    /// Entries went that were past their retention.
    Expired {
        /// Whose.
        converter: &'a str,
        /// Which, and by which rules.
        expired: &'a Expired,
    },
    /// What is past its retention could not go; it is tried again the next time.
    RetentionFailed {
        /// Whose entries.
        converter: &'a str,
        /// Why.
        error: &'a Error,
    },
    /// A pass is over.
    Passed(&'a RunSummary),
}

/// What one pass did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RunSummary {
    /// Files that some converter takes.
    pub found: u64,
    /// Files newly archived.
    pub archived: u64,
    /// Files converted.
    pub converted: u64,
    /// Of those, ended in success.
    pub successful: u64,
    /// Failed.
    pub failed: u64,
    /// Asked to be tried again later.
    pub suspended: u64,
    /// Had nothing to convert.
    pub skipped: u64,
    /// Were refused.
    pub rejected: u64,
    /// Files already done with in an earlier pass.
    pub known: u64,
    /// Files not taken: still changing, waiting for another attempt, or out of the way of trouble.
    pub left: u64,
    /// Reports that a server took since the pass before.
    pub reports_submitted: u64,
    /// Reports that a server refused since the pass before.
    pub reports_rejected: u64,
    /// Reports that wait to be sent.
    pub reports_waiting: u64,
    /// The first thousand things that went wrong. A conversion that merely fails is not among them.
    pub errors: Vec<FileError>,
}

/// What went wrong with one file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileError {
    /// The file or folder.
    pub path: String,
    /// What.
    pub error: String,
}

impl RunSummary {
    fn count(&mut self, outcome: Outcome) {
        self.converted += 1;
        *match outcome {
            Outcome::Success => &mut self.successful,
            Outcome::Failed => &mut self.failed,
            Outcome::Suspended => &mut self.suspended,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Rejected => &mut self.rejected,
        } += 1;
    }
}

/// Makes one pass over all watch folders, waiting for fresh files to settle, and sends every report that waits once.
///
/// # Errors
/// When the configuration cannot be recorded. Everything else is in the summary.
pub fn run_once(
    archives: Archives,
    config: Config,
    cancel: &Cancel,
    hooks: &Hooks<'_>,
) -> Result<RunSummary> {
    let host = Host::new(archives, config)?;
    Ok(host.pass(Settling::Wait, cancel, hooks))
}

/// A converter host: configuration, converters ready to run, and what it remembers of files between passes.
pub struct Host {
    archives: Archives,
    config: Config,
    scratch: PathBuf,
    outbox: Outbox,
    runners: Vec<Mutex<Option<Arc<Runner>>>>,
    memory: Mutex<HashMap<PathBuf, Memory>>,
}

/// What to do about files that may still be changing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settling {
    /// Look again after the time it takes.
    Wait,
    /// Leave them to the next pass.
    Leave,
}

/// What is known of a file from an earlier look or pass. Lost with the process, and with the file.
#[derive(Debug, Clone)]
enum Memory {
    /// Seen, not yet taken.
    Seen { look: Look, since: Instant },
    /// Tried, and not to be tried again until then.
    Waiting {
        look: Look,
        until: Instant,
        failures: u32,
    },
    /// Done with.
    Done { look: Look },
    /// Converted, but not yet cleared away.
    Uncleared {
        seen: Fingerprint,
        disposition: Disposition,
        entry_safe: bool,
        until: Instant,
    },
}

impl Memory {
    fn look(&self) -> &Look {
        match self {
            Self::Seen { look, .. } | Self::Waiting { look, .. } | Self::Done { look } => look,
            Self::Uncleared { seen, .. } => &seen.look,
        }
    }
}

impl Host {
    /// Makes a host and records its configuration in every store, where it differs from what is recorded there.
    ///
    /// # Errors
    /// When a store cannot record it.
    pub fn new(archives: Archives, config: Config) -> Result<Self> {
        for archive in archives.iter() {
            record_configuration(archive, &config)?;
        }
        Ok(Self {
            outbox: Outbox::new(&archives, &config),
            runners: config.converters.iter().map(|_| Mutex::default()).collect(),
            archives,
            config,
            scratch: std::env::temp_dir(),
            memory: Mutex::default(),
        })
    }

    /// Passes over the watch folders until cancelled, `pause` between passes, and sends reports all the while.
    ///
    /// Folders are listed anew each time: no file is missed for want of a notification, on no file system.
    pub fn run(&self, pause: Duration, cancel: &Cancel, hooks: &Hooks<'_>) {
        self.tell_unsent(hooks);
        std::thread::scope(|scope| {
            scope.spawn(|| self.outbox.run(cancel, hooks.notice));
            if let Some(every) = self.config.retention_every {
                scope.spawn(move || {
                    // Not in the first moments, in which whoever started it looks at what it does.
                    cancel.sleep(every.min(RETENTION_AFTER));
                    while !cancel.is_cancelled() {
                        self.expire(hooks);
                        cancel.sleep(every);
                    }
                });
            }
            while !cancel.is_cancelled() {
                self.pass(Settling::Leave, cancel, hooks);
                cancel.sleep(pause);
            }
        });
    }

    /// Lets go what is past its retention, converter by converter. [`Host::run`] does so by itself, as often as configured.
    pub fn expire(&self, hooks: &Hooks<'_>) {
        for config in &self.config.converters {
            let Some(archive) = self
                .archives
                .of(config)
                .filter(|_| config.archive.archives())
            else {
                continue;
            };
            let converter = &config.converter.name;
            match expiry::expire(archive, config) {
                Ok(None) => {}
                Ok(Some(expired)) => (hooks.notice)(&Notice::Expired {
                    converter,
                    expired: &expired,
                }),
                Err(error) => (hooks.notice)(&Notice::RetentionFailed {
                    converter,
                    error: &error,
                }),
            }
        }
    }

    fn pass(&self, settling: Settling, cancel: &Cancel, hooks: &Hooks<'_>) -> RunSummary {
        let pass = Pass {
            host: self,
            cancel,
            hooks,
            summary: Mutex::default(),
        };
        let mut candidates = pass.scan();
        lock(&pass.summary).found = candidates.len() as u64;
        self.forget_all_but(&candidates);
        if settling == Settling::Wait {
            pass.wait_for_settling(&mut candidates);
        }
        pass.take_all(&candidates);
        if settling == Settling::Wait {
            self.tell_unsent(hooks);
            self.outbox.run_once(cancel, hooks.notice);
            for (endpoint, why) in self.outbox.troubles() {
                lock(&pass.summary).errors.push(FileError {
                    path: endpoint.to_owned(),
                    error: why,
                });
            }
        }
        let mut summary = pass
            .summary
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let sent = self.outbox.sent();
        summary.reports_submitted = sent.submitted;
        summary.reports_rejected = sent.rejected;
        summary.reports_waiting = self.waiting();
        (hooks.notice)(&Notice::Passed(&summary));
        summary
    }

    /// Reports that wait in any store. One that cannot be read says so elsewhere.
    fn waiting(&self) -> u64 {
        let count =
            |archive: &Archive| Some(archive.snapshot().ok()?.pending_submissions().ok()?.count);
        self.archives.iter().filter_map(count).sum()
    }

    /// Tells of reports that nobody is going to send.
    fn tell_unsent(&self, hooks: &Hooks<'_>) {
        let unsent = match self.outbox.unsent(&self.archives) {
            Ok(unsent) => unsent,
            Err(error) => {
                let path = &self.config.path;
                return (hooks.notice)(&Notice::Trouble {
                    path,
                    error: &error,
                });
            }
        };
        for (archive, converter) in unsent {
            let error = Error::new(
                ErrorKind::Invalid,
                format!("reports of converter '{converter}' wait to be submitted, and none of that name has a [converter.submit]"),
            )
            .hint("configure it, or let the reports wait");
            (hooks.notice)(&Notice::Trouble {
                path: archive.dir(),
                error: &error,
            });
        }
    }

    fn forget_all_but(&self, candidates: &[Candidate]) {
        let present: std::collections::HashSet<&Path> = candidates
            .iter()
            .map(|candidate| candidate.path.as_path())
            .collect();
        lock(&self.memory).retain(|path, _| present.contains(path.as_path()));
    }

    fn remember(&self, path: &Path, memory: Memory) {
        lock(&self.memory).insert(path.to_owned(), memory);
    }

    /// The converter ready to run, made when first needed.
    fn runner(&self, converter: usize) -> Result<Arc<Runner>> {
        let (Some(slot), Some(config)) = (
            self.runners.get(converter),
            self.config.converters.get(converter),
        ) else {
            return Err(Error::new(ErrorKind::Invalid, "there is no such converter"));
        };
        let mut slot = lock(slot);
        if let Some(runner) = &*slot {
            return Ok(Arc::clone(runner));
        }
        let runner = Arc::new(Runner::new(
            config.converter.clone(),
            self.config.max_concurrent,
            &self.scratch,
        )?);
        *slot = Some(Arc::clone(&runner));
        Ok(runner)
    }

    /// Why no files may be taken, when a disk is nearly full.
    fn short_of_space(&self) -> Option<Error> {
        if self.config.min_free_disk == 0 {
            return None;
        }
        let mut folders: Vec<&Path> = self.archives.iter().map(Archive::dir).collect();
        if folders.is_empty() {
            folders.push(&self.scratch);
        }
        folders.into_iter().find_map(|folder| {
            let free = FsDisk::new(folder).free_bytes().ok()?;
            (free < self.config.min_free_disk).then(|| {
                Error::new(
                    ErrorKind::Full,
                    format!(
                        "{} has {} MiB left, less than min_free_disk_gb asks for; no files are taken",
                        folder.display(),
                        free >> 20
                    ),
                )
                .hint("free some space, or purge old entries; the files stay where they are")
            })
        })
    }
}

/// Records what the host does from now on, with secrets masked, unless the store knows.
fn record_configuration(archive: &Archive, config: &Config) -> Result<()> {
    let digest = config.digest();
    let recorded = archive.recorded_config(CONFIG_ITEM)?;
    if recorded.as_deref() == Some(digest.as_str()) {
        return Ok(());
    }
    for converter in &config.converters {
        let section = format!("converter \"{}\"", converter.converter.name);
        let now = config.section(&section);
        let before = archive.recorded_config(&section)?;
        if before.as_deref() != Some(now.as_str()) {
            archive.record_config_change(ConfigChanged {
                what: section,
                old: before,
                new: Some(now),
            })?;
        }
    }
    // Last, so that a crash before it records the rest again instead of nothing.
    archive.record_config_change(ConfigChanged {
        what: CONFIG_ITEM.to_owned(),
        old: recorded,
        new: Some(digest),
    })
}

struct Pass<'a> {
    host: &'a Host,
    cancel: &'a Cancel,
    hooks: &'a Hooks<'a>,
    summary: Mutex<RunSummary>,
}

/// A file's way out of [`Pass::take`], before it is cleared away.
enum Taken {
    /// Left for a later pass.
    Left(&'static str),
    /// Nothing more to do.
    Known,
    /// To be cleared away.
    Clear {
        seen: Fingerprint,
        disposition: Disposition,
        entry_safe: bool,
    },
    /// Cancelled.
    Cancelled,
}

impl Pass<'_> {
    fn scan(&self) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (index, config) in self.host.config.converters.iter().enumerate() {
            let Some(folder) = &config.watch_folder else {
                continue;
            };
            match intake::scan(config, folder, index) {
                Ok(found) => candidates.extend(found),
                Err(error) => self.trouble(folder, &Error::io("list", folder, error)),
            }
        }
        intake::order(&mut candidates, &self.host.config.converters);
        candidates
    }

    /// Sleeps as long as the youngest file needs, and looks again.
    fn wait_for_settling(&self, candidates: &mut Vec<Candidate>) {
        let now = SystemTime::now();
        for candidate in &*candidates {
            self.is_settled(candidate);
        }
        let longest = candidates
            .iter()
            .map(|candidate| {
                let settle = self.config(candidate).settle;
                settle.saturating_sub(candidate.look.age(now))
            })
            .max()
            .unwrap_or_default();
        if longest.is_zero() {
            return;
        }
        // A little more, because file systems keep time in ticks.
        self.cancel.sleep(longest + Duration::from_millis(20));
        for candidate in &mut *candidates {
            if let Ok(Some(look)) = intake::look(&candidate.path) {
                candidate.look = look;
            }
        }
        intake::order(candidates, &self.host.config.converters);
    }

    fn config(&self, candidate: &Candidate) -> &ConverterConfig {
        &self.host.config.converters[candidate.converter]
    }

    fn take_all(&self, candidates: &[Candidate]) {
        let next = AtomicUsize::new(0);
        let short = Mutex::new(false);
        let work = || {
            while let Some(candidate) = candidates.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.cancel.is_cancelled() {
                    self.leave(&candidate.path, "the host is stopping");
                    continue;
                }
                let full = {
                    // Said once in a pass, checked before each file.
                    let mut short = lock(&short);
                    if !*short && let Some(error) = self.host.short_of_space() {
                        *short = true;
                        self.trouble(&candidate.path, &error);
                    }
                    *short
                };
                if full {
                    self.leave(&candidate.path, "the disk is nearly full");
                    continue;
                }
                self.take(candidate);
            }
        };
        std::thread::scope(|scope| {
            let threads = self.host.config.max_concurrent.min(candidates.len());
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
    }

    fn take(&self, candidate: &Candidate) {
        let path = &candidate.path;
        match self.try_take(candidate) {
            Ok(Taken::Left(why)) => self.leave(path, why),
            Ok(Taken::Cancelled) => self.leave(path, "the host is stopping"),
            Ok(Taken::Known) => lock(&self.summary).known += 1,
            Ok(Taken::Clear {
                seen,
                disposition,
                entry_safe,
            }) => self.clear(candidate, seen, disposition, entry_safe),
            Err(error) => {
                // Not the file's fault, or not known to be: tried again, but not in a hurry.
                self.host.remember(
                    path,
                    Memory::Waiting {
                        look: candidate.look,
                        until: Instant::now() + self.config(candidate).retry.delay,
                        failures: 0,
                    },
                );
                self.trouble(path, &error);
                self.leave(path, "something went wrong");
            }
        }
    }

    fn try_take(&self, candidate: &Candidate) -> Result<Taken> {
        let path = &candidate.path;
        let config = self.config(candidate);
        let failures = match self.recall(candidate) {
            Recalled::Fresh => 0,
            Recalled::Again { failures } => failures,
            Recalled::Not(taken) => return Ok(taken),
        };
        if !self.is_settled(candidate) {
            return Ok(Taken::Left("it may still be changing"));
        }
        let runner = self.host.runner(candidate.converter)?;
        let seen = Fingerprint::of(path).map_err(|error| Error::io("read", path, error))?;
        let Some(seen) = seen else {
            return Ok(Taken::Left("it changed while it was read"));
        };

        let mut safety = Safety::NotWanted;
        let mut stored: Option<(&Archive, Entry)> = None;
        if config.archive.archives() {
            match self.archive(candidate, config, &seen) {
                Ok((archive, entry)) => {
                    safety = Safety::Archived;
                    stored = Some((archive, entry));
                }
                Err(error) if error.kind() == ErrorKind::Changed => {
                    return Ok(Taken::Left("it changed while it was archived"));
                }
                Err(error) => {
                    // Converted all the same, but the file is not deleted: it is the only copy.
                    self.trouble(path, &error);
                    safety = Safety::ArchiveFailed;
                }
            }
        }
        if let Some((_, entry)) = &stored {
            let now = SystemClock.now();
            match history(entry, config.retry, now) {
                History::None | History::Again => {}
                History::NotYet => return Ok(Taken::Left("its next attempt is not due yet")),
                History::Final(outcome) => {
                    let ended = case(config, outcome, safety, None, false);
                    return Ok(Taken::Clear {
                        seen,
                        disposition: ended.decide(),
                        entry_safe: true,
                    });
                }
            }
        }

        let kept = stored.is_some() && config.archive.output_reports;
        let direct = config.submit.as_ref().filter(|_| !kept);
        if direct.is_some_and(|submit| !self.host.outbox.is_open(submit)) {
            return Ok(Taken::Left("its report could not be sent now"));
        }
        let mut undelivered = None;
        let mut settle = |conversion: &mut Conversion| -> Result<Option<String>> {
            let Some(submit) = direct else {
                return Ok(config.submit.as_ref().map(Submit::endpoint));
            };
            let intake = key(&config.converter.name, path, &seen);
            self.deliver(submit, &intake, conversion)
                .map(|()| None)
                .inspect_err(|_| {
                    undelivered = Some(Taken::Left("its report could not be sent now"));
                })
        };
        let converted = match &stored {
            Some((archive, entry)) => {
                let terms = Terms {
                    arguments: &config.converter.arguments,
                    job: None,
                    keep_reports: config.archive.output_reports,
                    note: None,
                };
                convert::attempt(archive, &runner, entry, terms, self.cancel, settle)
                    .map(|ran| ran.map(|ran| (Some((entry.id, ran.attempt)), ran.conversion)))
            }
            None => self
                .convert_unarchived(candidate, &runner, config)
                .and_then(|conversion| {
                    let Some(mut conversion) = conversion else {
                        return Ok(None);
                    };
                    settle(&mut conversion)?;
                    Ok(Some((None, conversion)))
                }),
        };
        let (recorded, conversion) = match converted {
            Ok(Some(converted)) => converted,
            Ok(None) => return Ok(Taken::Cancelled),
            Err(error) => return undelivered.ok_or(error),
        };
        lock(&self.summary).count(conversion.outcome);
        (self.hooks.notice)(&Notice::Converted {
            path,
            converter: &config.converter.name,
            entry: recorded.map(|(entry, _)| entry),
            conversion: &conversion,
        });
        let tried = match recorded {
            Some((_, attempt)) => attempt.0,
            None => failures + 1,
        };
        let may_retry = tried < config.retry.max_attempts;
        let ended = case(
            config,
            conversion.outcome,
            safety,
            conversion.post_action,
            may_retry,
        );
        let disposition = ended.decide();
        if disposition == Disposition::Retry {
            let wait = conversion.retry_after.unwrap_or(config.retry.delay);
            self.host.remember(
                path,
                Memory::Waiting {
                    look: candidate.look,
                    until: Instant::now() + wait,
                    failures: tried,
                },
            );
            return Ok(Taken::Left("it is to be tried again"));
        }
        Ok(Taken::Clear {
            seen,
            disposition,
            entry_safe: safety == Safety::Archived,
        })
    }

    /// Sends the reports of a conversion that no store keeps. A server's refusal is the conversion's outcome.
    ///
    /// # Errors
    /// When they could not be sent now; nothing of the conversion is to be recorded then.
    fn deliver(&self, submit: &Submit, intake: &str, conversion: &mut Conversion) -> Result<()> {
        if conversion.outcome != Outcome::Success {
            return Ok(());
        }
        let key = |report: u32| {
            let mut hasher =
                blake3::Hasher::new_derive_key("annals 2026-11 direct submission key v1");
            hasher.update(intake.as_bytes());
            hasher.update(&report.to_le_bytes());
            hasher.finalize().to_hex().to_string()
        };
        let reports = &conversion.reports;
        let tell = self.hooks.notice;
        match self
            .host
            .outbox
            .deliver(submit, key, reports, self.cancel, tell)
        {
            Delivered::Taken => Ok(()),
            Delivered::Refused(why) => {
                conversion.outcome = Outcome::Rejected;
                conversion.error = Some(why);
                Ok(())
            }
            Delivered::NotYet(why) => Err(Error::new(ErrorKind::Io, why)),
            Delivered::Cancelled => Err(Error::new(ErrorKind::Io, "the host is stopping")),
        }
    }

    /// What an earlier pass of this process says about a file that has not changed since.
    fn recall(&self, candidate: &Candidate) -> Recalled {
        let mut memory = lock(&self.host.memory);
        let Some(known) = memory.get(&candidate.path) else {
            return Recalled::Fresh;
        };
        if *known.look() != candidate.look {
            if !matches!(known, Memory::Seen { .. }) {
                memory.remove(&candidate.path);
            }
            return Recalled::Fresh;
        }
        match known {
            Memory::Seen { .. } => Recalled::Fresh,
            Memory::Done { .. } => Recalled::Not(Taken::Known),
            Memory::Waiting {
                until, failures, ..
            } => {
                if Instant::now() < *until {
                    Recalled::Not(Taken::Left("its next attempt is not due yet"))
                } else {
                    Recalled::Again {
                        failures: *failures,
                    }
                }
            }
            Memory::Uncleared {
                seen,
                disposition,
                entry_safe,
                until,
            } => Recalled::Not(if Instant::now() < *until {
                Taken::Left("it could not be cleared away yet")
            } else {
                Taken::Clear {
                    seen: *seen,
                    disposition: *disposition,
                    entry_safe: *entry_safe,
                }
            }),
        }
    }

    /// True when the file has been the same for the time its converter asks for.
    fn is_settled(&self, candidate: &Candidate) -> bool {
        let settle = self.config(candidate).settle;
        if candidate.look.age(SystemTime::now()) >= settle {
            return true;
        }
        let mut memory = lock(&self.host.memory);
        match memory.get(&candidate.path) {
            Some(Memory::Seen { look, since }) if *look == candidate.look => {
                since.elapsed() >= settle
            }
            Some(known) if *known.look() == candidate.look => true,
            _ => {
                memory.insert(
                    candidate.path.clone(),
                    Memory::Seen {
                        look: candidate.look,
                        since: Instant::now(),
                    },
                );
                settle.is_zero()
            }
        }
    }

    fn archive(
        &self,
        candidate: &Candidate,
        config: &ConverterConfig,
        seen: &Fingerprint,
    ) -> Result<(&Archive, Entry)> {
        let archive = self.host.archives.of(config).ok_or_else(|| {
            Error::new(
                ErrorKind::NoStore,
                format!(
                    "converter '{}' is to archive, but no store is open",
                    config.converter.name
                ),
            )
        })?;
        let receipt = archive.put_file(
            &candidate.path,
            NewEntry {
                converter: config.converter.name.clone(),
                converter_version: config.converter.version.clone(),
                arguments: config.converter.arguments.recorded(),
                retention: config.archive.retention,
                key: Some(key(&config.converter.name, &candidate.path, seen)),
                compression_level: Some(config.archive.compression_level),
                ..NewEntry::default()
            },
        )?;
        if receipt.blob.blake3 != seen.content {
            return Err(Error::new(
                ErrorKind::Changed,
                format!("{} changed while it was archived", candidate.path.display()),
            ));
        }
        if !receipt.existing {
            lock(&self.summary).archived += 1;
        }
        (self.hooks.notice)(&Notice::Archived {
            path: &candidate.path,
            entry: receipt.id,
            existing: receipt.existing,
        });
        let entry = archive.snapshot()?.entry(receipt.id)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("entry {} was acknowledged and is not there", receipt.id),
            )
        })?;
        Ok((archive, entry))
    }

    fn convert_unarchived(
        &self,
        candidate: &Candidate,
        runner: &Runner,
        config: &ConverterConfig,
    ) -> Result<Option<Conversion>> {
        let path = &candidate.path;
        let mut file = File::open(path).map_err(|error| Error::io("read", path, error))?;
        let request = convert::Request {
            name: &candidate.name.to_string_lossy(),
            modified: Some(candidate.look.modified),
            entry: None,
            arguments: &config.converter.arguments,
        };
        runner.run(request, &mut file, self.cancel)
    }

    fn clear(
        &self,
        candidate: &Candidate,
        seen: Fingerprint,
        disposition: Disposition,
        entry_safe: bool,
    ) {
        let path = &candidate.path;
        let config = self.config(candidate);
        match self.dispose(path, config, &seen, disposition, entry_safe) {
            Ok(how) => {
                self.host.remember(path, Memory::Done { look: seen.look });
                (self.hooks.notice)(&Notice::Disposed { path, how: &how });
            }
            Err(error) if error.kind() == ErrorKind::Changed => {
                self.leave(path, "it changed while it was converted");
            }
            Err(error) => {
                self.host.remember(
                    path,
                    Memory::Uncleared {
                        seen,
                        disposition,
                        entry_safe,
                        until: Instant::now() + config.retry.delay,
                    },
                );
                self.trouble(path, &error);
                self.leave(path, "it could not be cleared away");
            }
        }
    }

    fn dispose(
        &self,
        path: &Path,
        config: &ConverterConfig,
        seen: &Fingerprint,
        disposition: Disposition,
        entry_safe: bool,
    ) -> Result<Disposed> {
        let action = match disposition {
            Disposition::Retry | Disposition::Stay => return Ok(Disposed::Kept),
            Disposition::ToError => {
                let folder = config.error_folder.as_deref().unwrap_or(Path::new(""));
                return post_process::move_into(path, folder, seen).map(Disposed::Moved);
            }
            Disposition::Post(action) => action,
        };
        let done = config.done_folder.as_deref();
        match (action, done) {
            (PostAction::Move, Some(done)) => {
                post_process::move_into(path, done, seen).map(Disposed::Moved)
            }
            (PostAction::Zip, Some(done)) => {
                post_process::zip_into(path, done, seen).map(Disposed::Zipped)
            }
            // What should be in the archive goes only when it is there, whatever the action is called.
            (PostAction::Delete | PostAction::Archive, _) if entry_safe => {
                let archive = self.host.archives.of(config).ok_or_else(|| {
                    Error::new(ErrorKind::NoStore, "the store is not open any more")
                })?;
                let stored = |blob: &crate::id::BlobId| {
                    archive
                        .read(blob)
                        .map(|reader| Box::new(reader) as Box<dyn Read>)
                };
                let leftovers = done.filter(|_| action == PostAction::Archive);
                post_process::remove_archived(path, seen, stored, leftovers)?;
                Ok(Disposed::Archived)
            }
            (PostAction::Delete, _) => {
                post_process::delete(path, seen)?;
                Ok(Disposed::Deleted)
            }
            // Decided only where it is possible; where it is not, nothing is lost.
            (PostAction::Keep | PostAction::Move | PostAction::Zip | PostAction::Archive, _) => {
                Ok(Disposed::Kept)
            }
        }
    }

    fn leave(&self, path: &Path, why: &str) {
        lock(&self.summary).left += 1;
        (self.hooks.notice)(&Notice::Left { path, why });
    }

    fn trouble(&self, path: &Path, error: &Error) {
        let mut summary = lock(&self.summary);
        if summary.errors.len() < ERRORS_MAX {
            summary.errors.push(FileError {
                path: path.to_string_lossy().into_owned(),
                error: error.to_string(),
            });
        }
        drop(summary);
        (self.hooks.notice)(&Notice::Trouble { path, error });
    }
}

/// See [`Pass::recall`].
enum Recalled {
    Fresh,
    /// Tried before, and due again.
    Again {
        failures: u32,
    },
    Not(Taken),
}

/// What an entry's attempts say about taking its file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum History {
    None,
    /// Its last attempt is to be repeated now.
    Again,
    NotYet,
    Final(Outcome),
}

fn history(entry: &Entry, retry: Retry, now: Timestamp) -> History {
    let Some(last) = entry.attempts.last() else {
        return History::None;
    };
    let tried = u32::try_from(entry.attempts.len()).unwrap_or(u32::MAX);
    let repeats = match last.status {
        Outcome::Suspended => true,
        Outcome::Failed => tried < retry.max_attempts,
        Outcome::Success | Outcome::Skipped | Outcome::Rejected => false,
    };
    if !repeats {
        return History::Final(last.status);
    }
    // Either way: a clock that was set back must not hold a file up for years.
    let passed = now.micros().abs_diff(last.at.micros());
    if u128::from(passed) >= retry.delay.as_micros() {
        History::Again
    } else {
        History::NotYet
    }
}

fn case(
    config: &ConverterConfig,
    outcome: Outcome,
    safety: Safety,
    requested: Option<PostAction>,
    may_retry: bool,
) -> Case {
    Case {
        outcome,
        safety,
        configured: config.post_process,
        requested,
        may_retry,
        has_done_folder: config.done_folder.is_some(),
        has_error_folder: config.error_folder.is_some(),
    }
}

/// Names one content of one file for one converter: the same again is the same entry.
fn key(converter: &str, path: &Path, seen: &Fingerprint) -> String {
    let modified = Timestamp::from(chrono::DateTime::<chrono::Utc>::from(seen.look.modified));
    let mut hasher = blake3::Hasher::new_derive_key("annals 2026-01 host intake key v1");
    for part in [
        converter.as_bytes(),
        path.as_os_str().as_encoded_bytes(),
        &seen.look.size.to_le_bytes(),
        &modified.micros().to_le_bytes(),
        seen.content.as_bytes(),
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    format!("host:{}", hasher.finalize().to_hex())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;
    use crate::entry::{Attempt, Meta, Retention, Status, Unit, UnitGiven};
    use crate::id::{AttemptNo, BlobId, Sha256};

    /// Answers by what the file says.
    const CONVERTER: &str = r#"
        case "$(cat "$1")" in
            good*) printf '{"sn":"%s"}' "$ANNALS_NAME" ;;
            bad*) echo "no header" >&2; exit 1 ;;
            wait*) echo '{"status":"suspended","retry_after_s":3600}' ;;
            empty*) echo '{"status":"skipped"}' ;;
            ours*) echo '{"status":"rejected","error":"not ours"}' ;;
            zip*) echo '{"status":"success","report":{},"post_action":"zip"}' ;;
            slow*) printf '{"sn":1}'; echo more >> "$WATCHED"; ;;
        esac"#;

    struct Plant {
        dir: tempfile::TempDir,
        config: String,
    }

    impl Plant {
        fn new(more: &str) -> Self {
            let dir = tempfile::tempdir().expect("folder");
            fs::create_dir(dir.path().join("in")).expect("made");
            fs::write(dir.path().join("run.sh"), CONVERTER).expect("written");
            let config = format!(
                "[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\ncommand = [\"sh\", \"run.sh\", \"{{input}}\"]\n\
                 environment = \"sh\"\nbundle = [\"run.sh\"]\nwatch_folder = \"in\"\nsettle_s = 0\n{more}\n"
            );
            Self { dir, config }
        }

        fn put(&self, name: &str, content: &str) -> PathBuf {
            let path = self.dir.path().join("in").join(name);
            fs::write(&path, content).expect("written");
            path
        }

        fn config(&self) -> Config {
            Config::parse(&self.config, &self.dir.path().join("host.toml")).expect("valid")
        }

        fn host(&self) -> Host {
            Host::new(Archives::default(), self.config()).expect("made")
        }

        fn run(&self) -> RunSummary {
            let cancel = Cancel::default();
            run_once(
                Archives::default(),
                self.config(),
                &cancel,
                &Hooks::default(),
            )
            .expect("ran")
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let Ok(items) = fs::read_dir(self.dir.path().join(folder)) else {
                return Vec::new();
            };
            let mut names: Vec<String> = items
                .map(|item| {
                    item.expect("item")
                        .file_name()
                        .to_string_lossy()
                        .into_owned()
                })
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn every_outcome_has_its_count_and_its_place() {
        let plant =
            Plant::new("post_process = \"move\"\ndone_folder = \"done\"\nerror_folder = \"error\"");
        for (name, content) in [
            ("1.csv", "good"),
            ("2.csv", "bad"),
            ("3.csv", "wait"),
            ("4.csv", "empty"),
            ("5.csv", "ours"),
            ("6.csv", "zip"),
            ("7.tmp", "good"),
        ] {
            plant.put(name, content);
        }
        let summary = plant.run();
        assert_eq!(
            summary,
            RunSummary {
                found: 6,
                converted: 6,
                successful: 2,
                failed: 1,
                suspended: 1,
                skipped: 1,
                rejected: 1,
                left: 1,
                ..RunSummary::default()
            }
        );
        assert_eq!(plant.names("in"), ["3.csv", "7.tmp"]);
        assert_eq!(plant.names("done"), ["1.csv", "4.csv", "6.csv.zip"]);
        assert_eq!(plant.names("error"), ["2.csv", "5.csv"]);
    }

    #[test]
    fn a_source_that_should_be_archived_and_is_not_is_never_deleted() {
        let archiving = "archive_enabled = true\npost_process = \"archive\"\n";
        let plant = Plant::new(archiving);
        plant.put("1.csv", "good");
        let summary = plant.run();
        assert_eq!((summary.successful, summary.errors.len()), (1, 1));
        assert_eq!(plant.names("in"), ["1.csv"]);

        let plant = Plant::new(&format!("{archiving}error_folder = \"error\""));
        plant.put("1.csv", "good");
        plant.run();
        assert_eq!(plant.names("error"), ["1.csv"]);
    }

    #[test]
    fn a_kept_file_is_converted_once_by_one_host_and_again_when_it_changes() {
        let plant = Plant::new("");
        let path = plant.put("1.csv", "good");
        let host = plant.host();
        let pass = || host.pass(Settling::Leave, &Cancel::default(), &Hooks::default());
        assert_eq!(pass().converted, 1);
        let second = pass();
        assert_eq!((second.converted, second.known), (0, 1));
        fs::write(&path, "good again").expect("written");
        assert_eq!(pass().converted, 1);
    }

    #[test]
    fn a_failure_is_tried_as_often_as_configured_and_then_set_aside() {
        let plant =
            Plant::new("error_folder = \"error\"\nretry = { max_attempts = 3, delay_s = 0 }");
        plant.put("1.csv", "bad");
        let host = plant.host();
        let pass = || host.pass(Settling::Leave, &Cancel::default(), &Hooks::default());
        for _ in 0..2 {
            let summary = pass();
            assert_eq!((summary.failed, summary.left), (1, 1));
            assert_eq!(plant.names("in"), ["1.csv"]);
        }
        assert_eq!(pass().failed, 1);
        assert_eq!(plant.names("error"), ["1.csv"]);
    }

    #[test]
    fn a_suspended_file_waits_as_long_as_its_converter_asked() {
        let plant = Plant::new("retry = { delay_s = 0 }");
        plant.put("1.csv", "wait");
        let host = plant.host();
        let pass = || host.pass(Settling::Leave, &Cancel::default(), &Hooks::default());
        assert_eq!(pass().suspended, 1);
        let second = pass();
        assert_eq!((second.converted, second.left), (0, 1));
    }

    #[test]
    fn a_fresh_file_is_left_until_it_settles_and_one_pass_waits_for_it() {
        let plant = Plant::new("post_process = \"delete\"");
        let slow = Plant {
            config: plant.config.replace("settle_s = 0", "settle_s = 0.4"),
            ..plant
        };
        slow.put("1.csv", "good");
        let host = slow.host();
        let pass = || host.pass(Settling::Leave, &Cancel::default(), &Hooks::default());
        assert_eq!(pass().left, 1);
        let started = Instant::now();
        assert_eq!(slow.run().successful, 1);
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(slow.names("in").is_empty());
    }

    #[test]
    fn a_file_that_grows_during_its_conversion_is_left() {
        let plant = Plant::new("post_process = \"delete\"");
        let path = plant.put("1.csv", "slow");
        let script = CONVERTER.replace("\"$WATCHED\"", &format!("'{}'", path.display()));
        fs::write(plant.dir.path().join("run.sh"), script).expect("written");
        let summary = plant.run();
        assert_eq!((summary.successful, summary.left), (1, 1));
        assert_eq!(fs::read_to_string(path).expect("there"), "slowmore\n");
    }

    #[test]
    fn a_converter_that_cannot_start_leaves_its_files_and_others_go_on() {
        let plant = Plant::new(
            "error_folder = \"error\"\npatterns = [\"*.csv\"]\n\
             [[converter]]\nname = \"gone\"\ncommand = [\"no-such-program-of-annals\", \"{input}\"]\nenvironment = \"x\"\n\
             watch_folder = \"in\"\nsettle_s = 0\nerror_folder = \"error\"\npatterns = [\"*.log\"]\n\
             [[converter]]\nname = \"nowhere\"\ncommand = [\"sh\", \"{input}\"]\nwatch_folder = \"missing\"\n",
        );
        plant.put("1.csv", "good");
        plant.put("2.log", "good");
        let summary = plant.run();
        assert_eq!(
            (summary.successful, summary.failed, summary.left),
            (1, 0, 1)
        );
        assert_eq!(summary.errors.len(), 2, "{:?}", summary.errors);
        assert_eq!(plant.names("in"), ["1.csv", "2.log"]);
    }

    #[test]
    fn a_nearly_full_disk_stops_the_taking_and_says_so_once() {
        let plant = Plant::new("post_process = \"delete\"");
        let plant = Plant {
            config: plant
                .config
                .replace("min_free_disk_gb = 0", "min_free_disk_gb = 10000"),
            ..plant
        };
        plant.put("1.csv", "good");
        plant.put("2.csv", "good");
        let summary = plant.run();
        assert_eq!(
            (summary.converted, summary.left, summary.errors.len()),
            (0, 2, 1)
        );
        assert_eq!(plant.names("in"), ["1.csv", "2.csv"]);
    }

    #[test]
    fn an_entry_with_its_final_attempt_is_not_converted_again() {
        let retry = Retry {
            max_attempts: 2,
            delay: Duration::from_secs(60),
        };
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let entry = |attempts: &[Outcome]| Entry {
            id: EntryId(1),
            converter: String::new(),
            converter_version: None,
            source_name: String::new(),
            source_path: String::new(),
            source_name_hex: None,
            source_modified: None,
            archived_at: at(0),
            status: Status::Pending,
            size: 0,
            stored_size: 0,
            blake3: BlobId::of(b""),
            sha256: Sha256::of(b""),
            unit: Unit::default(),
            unit_given: UnitGiven::default(),
            meta: Meta::new(),
            arguments: Meta::new(),
            retention: Retention::Forever,
            key: None,
            report_id: None,
            attempts: (1..)
                .zip(attempts)
                .map(|(number, outcome)| Attempt {
                    attempt: AttemptNo(number),
                    status: *outcome,
                    at: at(1000),
                    converter: String::new(),
                    converter_version: None,
                    converter_id: None,
                    arguments: Meta::new(),
                    duration_ms: None,
                    error: None,
                    warnings: Vec::new(),
                    job: None,
                    reports: Vec::new(),
                })
                .collect(),
            holds: Vec::new(),
            purged_at: None,
            purged_by: None,
        };
        use Outcome::{Failed, Rejected, Success, Suspended};
        for (attempts, now, expected) in [
            (&[][..], 1000, History::None),
            (&[Success], 1000, History::Final(Success)),
            (&[Failed], 1030, History::NotYet),
            (&[Failed], 1060, History::Again),
            (&[Failed], 10, History::Again),
            (&[Failed, Failed], 1060, History::Final(Failed)),
            (&[Failed, Rejected], 1060, History::Final(Rejected)),
            (&[Suspended, Suspended, Suspended], 1060, History::Again),
        ] {
            assert_eq!(history(&entry(attempts), retry, at(now)), expected);
        }
    }

    #[test]
    fn a_key_is_the_same_for_the_same_file_and_for_nothing_else() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a.csv");
        fs::write(&path, "x").expect("written");
        let seen = Fingerprint::of(&path).expect("read").expect("there");
        let first = key("T", &path, &seen);
        assert_eq!(first, key("T", &path, &seen));
        assert_ne!(first, key("U", &path, &seen));
        assert_ne!(first, key("T", &dir.path().join("b.csv"), &seen));
        fs::write(&path, "y").expect("written");
        let other = Fingerprint::of(&path).expect("read").expect("there");
        assert_ne!(first, key("T", &path, &other));
    }
}
