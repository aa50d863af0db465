//! A file's way through the host, or a folder's: read and archived, converted, recorded and cleared away.
//!
//! Each step is taken by a thread of its stage and may be the last one before a crash; the next run takes up what is left,
//! because the archive knows the file by its key and the entry by its attempts.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::config::{ConverterConfig, Retry, Unarchivable};
use super::endpoint::Submit;
use super::folder::{Expected, Folder};
use super::group::{Group, Whole};
use super::intake::{self, Candidate, Look, Shape};
use super::notice::{Hooks, Notice};
use super::outbox::Delivered;
use super::post_process::{self, Case, Disposed, Disposition, Fingerprint, Safety};
use super::queue::Turn;
use super::run::{Host, Memory, Stop};
use super::setup::Setup;
use crate::archive::{Archive, Archived, NewEntry, raw_name};
use crate::convert::{self, Conversion, PostAction, Runner, Session, Terms, archived_name};
use crate::entry::{Attempt, Entry, Outcome};
use crate::id::{ConverterId, EntryId};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{Error, ErrorKind, Result};

/// A file that has been taken.
pub(super) struct Taken {
    pub(super) candidate: Candidate,
    pub(super) setup: Arc<Setup>,
    /// Conversions that failed before, where no entry counts them.
    pub(super) failures: u32,
    pub(super) since: Instant,
}

impl Taken {
    fn config(&self) -> &ConverterConfig {
        &self.setup.config.converters[self.candidate.converter]
    }

    pub(super) fn turn(&self) -> Turn {
        Turn {
            priority: self.config().priority,
            modified: self.candidate.look.modified,
            path: self.candidate.path.clone(),
        }
    }
}

/// A file that is archived, or need not be.
pub(super) struct Ready {
    taken: Taken,
    seen: Fingerprint,
    safety: Safety,
    entry: Option<EntryId>,
}

/// A file whose conversion is over.
pub(super) enum Converted {
    /// What came of it is to be recorded.
    Record(Box<Ran>),
    /// It was recorded before; the file is to be cleared away.
    Clear(Box<Taken>, Ending),
}

pub(super) struct Ran {
    ready: Ready,
    /// Absent where nothing is archived.
    recorder: Option<(Arc<Runner>, Arc<Session>)>,
    conversion: Conversion,
}

/// What is to become of a file.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) seen: Fingerprint,
    pub(super) disposition: Disposition,
    /// Where it is safe; nothing when nothing is archived.
    pub(super) entry: Option<EntryId>,
    /// Who could not convert it, where that is on record.
    pub(super) failed_by: Option<ConverterId>,
}

impl Ending {
    fn is_purged(&self, archive: &Archive) -> Result<bool> {
        self.entry
            .map_or(Ok(false), |id| Ok(entry(archive, id)?.purged_at.is_some()))
    }
}

/// What a step of the way came to.
enum Step<Next> {
    On(Next),
    End(Ending),
    /// Left for a later look.
    Left(&'static str),
}

/// When a file is read again that waits for something else than its own next attempt.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const STOPPING: &str = "the host is stopping";

/// One of the threads that files go through.
pub(super) struct Hand<'a> {
    pub(super) host: &'a Host,
    pub(super) stop: &'a Stop,
    pub(super) hooks: &'a Hooks<'a>,
}

impl Hand<'_> {
    /// Archives files until there will be no more.
    pub(super) fn archive_all(&self) {
        while let Some((taken, _at_work)) = self.host.queue.next_to_archive() {
            match self.begin(&taken).and_then(|step| match step {
                Some(why) => Ok(Step::Left(why)),
                None => self.archive(&taken),
            }) {
                Ok(Step::On((seen, safety, entry))) => {
                    let ready = Ready {
                        taken,
                        seen,
                        safety,
                        entry,
                    };
                    self.host.queue.push_archived(ready.taken.turn(), ready);
                }
                Ok(Step::End(ending)) => {
                    let clear = Converted::Clear(Box::new(taken), ending);
                    self.host.queue.push_converted(0, clear);
                }
                Ok(Step::Left(why)) => self.leave(&taken, why),
                Err(error) => self.fail(&taken, &error),
            }
        }
    }

    /// Converts files until there will be no more.
    pub(super) fn convert_all(&self) {
        while let Some((ready, _at_work)) = self.host.queue.next_to_convert() {
            match self.begin(&ready.taken).and_then(|step| match step {
                Some(why) => Ok(Step::Left(why)),
                None => self.convert(&ready),
            }) {
                Ok(Step::On((recorder, conversion))) => {
                    let bytes = conversion.reports.iter().map(Vec::len).sum();
                    let ran = Ran {
                        ready,
                        recorder,
                        conversion,
                    };
                    let record = Converted::Record(Box::new(ran));
                    self.host.queue.push_converted(bytes, record);
                }
                Ok(Step::End(ending)) => {
                    let clear = Converted::Clear(Box::new(ready.taken), ending);
                    self.host.queue.push_converted(0, clear);
                }
                Ok(Step::Left(why)) => self.leave(&ready.taken, why),
                Err(error) => self.fail(&ready.taken, &error),
            }
        }
    }

    /// Records what was converted until there will be no more.
    pub(super) fn record_all(&self) {
        while let Some((converted, _at_work)) = self.host.queue.next_to_record() {
            match converted {
                Converted::Clear(taken, ending) => self.clear(&taken, ending),
                Converted::Record(ran) => {
                    let Ran {
                        ready,
                        recorder,
                        conversion,
                    } = *ran;
                    match self.record(&ready, recorder, conversion) {
                        Ok(Step::On(ending) | Step::End(ending)) => {
                            self.clear(&ready.taken, ending);
                        }
                        Ok(Step::Left(why)) => self.leave(&ready.taken, why),
                        Err(error) => self.fail(&ready.taken, &error),
                    }
                }
            }
        }
    }

    /// Why a step is not to be begun, if so.
    #[expect(clippy::unnecessary_wraps, reason = "chained with steps that can fail")]
    fn begin(&self, taken: &Taken) -> Result<Option<&'static str>> {
        Ok(if self.stop.is_asked() {
            Some(STOPPING)
        } else if !self.host.is_current(&taken.setup) {
            Some("another configuration is in force")
        } else if !self.host.has_room(&taken.setup, self.hooks) {
            Some("the disk is nearly full")
        } else {
            None
        })
    }

    fn archive(&self, taken: &Taken) -> Result<Step<(Fingerprint, Safety, Option<EntryId>)>> {
        let path = &taken.candidate.path;
        let config = taken.config();
        let seen = Fingerprint::of(path, &config.shape())?;
        let Some(seen) = seen.filter(|seen| seen.look == taken.candidate.look) else {
            return Ok(Step::Left("it changed while it was read"));
        };
        if !config.archive.archives() {
            return Ok(Step::On((seen, Safety::NotWanted, None)));
        }
        let (archive, receipt) = match self.put(taken, config, &seen) {
            Ok(put) => put,
            Err(error) if error.kind() == ErrorKind::Changed => {
                return Ok(Step::Left("it changed while it was archived"));
            }
            Err(error) => {
                let waits = config.archive.unarchivable == Unarchivable::Waits;
                self.host
                    .books
                    .archive_failed(&config.converter.name, path, &error);
                (self.hooks.notice)(&Notice::ArchiveFailed {
                    path,
                    error: &error,
                    waits,
                });
                if waits {
                    self.wait(taken, config.retry.delay, taken.failures);
                    return Ok(Step::Left("it could not be archived"));
                }
                // Converted all the same, but the file is not deleted: it is the only copy.
                return Ok(Step::On((seen, Safety::ArchiveFailed, None)));
            }
        };
        let id = receipt.id;
        if receipt.existing {
            let entry = entry(archive, id)?;
            match self.history(taken, &entry)? {
                History::None | History::Again => {}
                History::NotYet => {
                    self.wait(taken, config.retry.delay.min(LOOK_AGAIN), 0);
                    return Ok(Step::Left("its next attempt is not due yet"));
                }
                History::Final(outcome) => {
                    let ended = case(config, outcome, Safety::Archived, None, false).of(&seen);
                    let disposition = ended.decide();
                    // What stays is told of by the number of entries that failed, or is well.
                    if disposition.clears() {
                        self.host.books.done_before(outcome);
                        (self.hooks.notice)(&Notice::DoneBefore {
                            path,
                            entry: id,
                            outcome,
                        });
                    }
                    let last = entry.attempts.last();
                    return Ok(Step::End(Ending {
                        seen,
                        disposition,
                        entry: Some(id),
                        failed_by: last
                            .filter(|_| is_failure(outcome))
                            .and_then(|last| last.converter_id),
                    }));
                }
            }
        }
        Ok(Step::On((seen, Safety::Archived, Some(id))))
    }

    fn put(
        &self,
        taken: &Taken,
        config: &ConverterConfig,
        seen: &Fingerprint,
    ) -> Result<(&Archive, Archived)> {
        let path = &taken.candidate.path;
        let archive = self.host.archives.of(config).ok_or_else(|| {
            Error::new(
                ErrorKind::NoStore,
                format!(
                    "converter '{}' is to archive, but no store is open",
                    config.converter.name
                ),
            )
        })?;
        let mut key = key(&config.converter.name, path, seen);
        let receipt = loop {
            let new = NewEntry {
                converter: config.converter.name.clone(),
                converter_version: config.converter.version.clone(),
                arguments: config.converter.arguments.recorded(),
                retention: config.archive.retention,
                key: Some(key.clone()),
                compression_level: Some(config.archive.compression_level),
                ..NewEntry::default()
            };
            let receipt = if seen.look.has_parts() {
                put_parts(archive, path, new, seen)?
            } else {
                archive.put_file(path, new)?
            };
            if receipt.blob.blake3 != seen.content {
                return Err(Error::new(
                    ErrorKind::Changed,
                    format!("{} changed while it was archived", path.display()),
                ));
            }
            // Purged before it was converted: the file is still to be converted, and so archived once more.
            if receipt.existing && self.is_purged_too_early(taken, archive, receipt.id)? {
                key = format!("{key}:after:{}", receipt.id);
                continue;
            }
            break receipt;
        };
        self.host.books.archived(
            &config.converter.name,
            receipt.existing,
            taken.since.elapsed(),
        );
        (self.hooks.notice)(&Notice::Archived {
            path,
            entry: receipt.id,
            existing: receipt.existing,
        });
        Ok((archive, receipt))
    }

    fn is_purged_too_early(&self, taken: &Taken, archive: &Archive, id: EntryId) -> Result<bool> {
        let entry = entry(archive, id)?;
        let is_final = || Ok::<_, Error>(matches!(self.history(taken, &entry)?, History::Final(_)));
        Ok(entry.purged_at.is_some() && !is_final()?)
    }

    /// What an entry's attempts say about taking its file again. After a failure that depends on who the converter is now.
    fn history(&self, taken: &Taken, entry: &Entry) -> Result<History> {
        let last = entry.attempts.last().map(|attempt| attempt.status);
        let current = match last.filter(|status| is_failure(*status)) {
            Some(_) => Some(
                self.host
                    .identity(&taken.setup, taken.candidate.converter)?,
            ),
            None => None,
        };
        let retry = taken.config().retry;
        Ok(history(entry, current, retry, SystemClock.now()))
    }

    #[expect(
        clippy::type_complexity,
        reason = "what a conversion needs to be recorded"
    )]
    fn convert(
        &self,
        ready: &Ready,
    ) -> Result<Step<(Option<(Arc<Runner>, Arc<Session>)>, Conversion)>> {
        let taken = &ready.taken;
        let config = taken.config();
        let direct = direct(config, ready.entry);
        if direct.is_some_and(|submit| !taken.setup.outbox.is_open(submit)) {
            self.wait(taken, config.retry.delay.min(LOOK_AGAIN), taken.failures);
            return Ok(Step::Left("its report could not be sent now"));
        }
        let scratch = &self.host.scratch;
        let runner = taken.setup.runner(taken.candidate.converter, scratch)?;
        let cancel = self.stop.at_once_cancel();
        let converted = match ready.entry {
            Some(id) => {
                let archive = self.host.archive_of(config)?;
                let entry = entry(archive, id)?;
                let session = runner.session()?;
                convert::run_over(archive, &runner, &session, &entry, terms(config), cancel)?
                    .map(|conversion| (Some((Arc::clone(&runner), session)), conversion))
            }
            None => self
                .convert_unarchived(taken, &runner, config)?
                .map(|conversion| (None, conversion)),
        };
        Ok(converted.map_or(Step::Left(STOPPING), Step::On))
    }

    fn convert_unarchived(
        &self,
        taken: &Taken,
        runner: &Runner,
        config: &ConverterConfig,
    ) -> Result<Option<Conversion>> {
        let path = &taken.candidate.path;
        let request = convert::Request {
            name: &taken.candidate.name.to_string_lossy(),
            modified: Some(taken.candidate.look.modified),
            entry: None,
            arguments: &config.converter.arguments,
        };
        let cancel = self.stop.at_once_cancel();
        let failed = |error| Error::io("read", path, error);
        let shape = config.shape();
        match intake::parts(path, &shape).map_err(|error| intake::refused(path, error))? {
            None => runner.run(request, &mut intake::open(path).map_err(failed)?, cancel),
            Some((_, parts)) => {
                let mut content = parts.tarball().map_err(failed)?;
                runner.run(request, &mut content, cancel)
            }
        }
    }

    fn record(
        &self,
        ready: &Ready,
        recorder: Option<(Arc<Runner>, Arc<Session>)>,
        mut conversion: Conversion,
    ) -> Result<Step<Ending>> {
        let taken = &ready.taken;
        let path = &taken.candidate.path;
        let config = taken.config();
        let mut submit = config.submit.as_ref().map(Submit::endpoint);
        if let Some(direct) = direct(config, ready.entry) {
            submit = None;
            let intake = key(&config.converter.name, path, &ready.seen);
            if !self.deliver(taken, direct, &intake, &mut conversion) {
                self.wait(taken, config.retry.delay.min(LOOK_AGAIN), taken.failures);
                return Ok(Step::Left("its report could not be sent now"));
            }
        }
        let mut by = None;
        let (tried, conversion) = match (ready.entry, recorder) {
            (Some(id), Some((runner, session))) => {
                let archive = self.host.archive_of(config)?;
                let terms = terms(config);
                let recorded =
                    convert::record(archive, &runner, &session, id, terms, conversion, submit)?;
                by = Some(recorded.converter_id);
                (tried_by(&entry(archive, id)?, by), recorded.conversion)
            }
            _ => (taken.failures + 1, conversion),
        };
        self.host
            .books
            .converted(&config.converter.name, conversion.outcome);
        (self.hooks.notice)(&Notice::Converted {
            path,
            converter: &config.converter.name,
            entry: ready.entry,
            conversion: &conversion,
        });
        let may_retry = tried < config.retry.max_attempts;
        let ended = case(
            config,
            conversion.outcome,
            ready.safety,
            conversion.post_action,
            may_retry,
        )
        .of(&ready.seen);
        let disposition = ended.decide();
        if disposition == Disposition::Retry {
            let wait = conversion.retry_after.unwrap_or(config.retry.delay);
            self.wait(taken, wait, tried);
            return Ok(Step::Left("it is to be tried again"));
        }
        Ok(Step::On(Ending {
            seen: ready.seen.clone(),
            disposition,
            entry: ready.entry,
            failed_by: by.filter(|_| is_failure(conversion.outcome)),
        }))
    }

    /// Sends the reports of a conversion that no store keeps. A server's refusal is the conversion's outcome. False when they
    /// could not be sent now; nothing of the conversion is to be recorded then.
    fn deliver(
        &self,
        taken: &Taken,
        submit: &Submit,
        intake: &str,
        conversion: &mut Conversion,
    ) -> bool {
        if conversion.outcome != Outcome::Success {
            return true;
        }
        let key = |report: u32| {
            let mut hasher =
                blake3::Hasher::new_derive_key("annals 2026-11 direct submission key v1");
            hasher.update(intake.as_bytes());
            hasher.update(&report.to_le_bytes());
            hasher.finalize().to_hex().to_string()
        };
        let (reports, cancel) = (&conversion.reports, self.stop.at_once_cancel());
        let outbox = &taken.setup.outbox;
        match outbox.deliver(submit, key, reports, cancel, self.hooks.notice) {
            Delivered::Taken => true,
            Delivered::Refused(why) => {
                conversion.outcome = Outcome::Rejected;
                conversion.error = Some(why);
                true
            }
            Delivered::NotYet(_) | Delivered::Cancelled => false,
        }
    }

    fn clear(&self, taken: &Taken, ending: Ending) {
        let path = &taken.candidate.path;
        let config = taken.config();
        match self.dispose(path, config, &ending) {
            Ok(how) => {
                let look = ending.seen.look;
                let failed_by = ending.failed_by;
                self.host.remember(path, Memory::Done { look, failed_by });
                (self.hooks.notice)(&Notice::Disposed { path, how: &how });
                self.host.queue.let_go(path);
            }
            Err(error) if error.kind() == ErrorKind::Changed => {
                self.leave(taken, "it changed while it was converted");
            }
            Err(error) => {
                self.host.remember(
                    path,
                    Memory::Uncleared {
                        ending,
                        until: Instant::now() + config.retry.delay,
                    },
                );
                self.trouble(path, &error);
                self.leave(taken, "it could not be cleared away");
            }
        }
    }

    fn dispose(&self, path: &Path, config: &ConverterConfig, ending: &Ending) -> Result<Disposed> {
        let seen = &ending.seen;
        let whole = whole(path, config, seen);
        let move_into = |target: &Path| {
            match whole {
                Some(whole) => whole.move_into(target),
                None => post_process::move_into(path, target, seen),
            }
            .map(Disposed::Moved)
        };
        let action = match ending.disposition {
            Disposition::Retry | Disposition::Stay => return Ok(Disposed::Kept),
            Disposition::ToError => {
                return move_into(config.error_folder.as_deref().unwrap_or(Path::new("")));
            }
            Disposition::Post(action) => action,
        };
        let done = config.done_folder.as_deref();
        match (action, done) {
            (PostAction::Move, Some(done)) => move_into(done),
            (PostAction::Zip, Some(done)) => match whole {
                Some(whole) => whole.zip_into(done),
                None => post_process::zip_into(path, done, seen),
            }
            .map(Disposed::Zipped),
            // What should be in the archive goes only when it is there, whatever the action is called.
            (PostAction::Delete | PostAction::Archive, _) if ending.entry.is_some() => {
                let archive = self.host.archive_of(config)?;
                let stored = |blob: &crate::id::BlobId| {
                    archive
                        .read(blob)
                        .map(|reader| Box::new(reader) as Box<dyn Read>)
                };
                let leftovers = done.filter(|_| action == PostAction::Archive);
                let removed = match whole {
                    Some(whole) => post_process::read_back(path, seen, stored)
                        .and_then(|()| whole.remove())
                        .and_then(|()| post_process::remove_leftover(path, leftovers)),
                    None => post_process::remove_archived(path, seen, stored, leftovers),
                };
                match removed {
                    // What a rule or a person let go meanwhile is not kept by its leftover.
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        if !ending.is_purged(archive)? {
                            return Err(error);
                        }
                        match whole {
                            Some(whole) => whole.remove()?,
                            None => post_process::delete(path, seen)?,
                        }
                        Ok(Disposed::Deleted)
                    }
                    removed => removed.map(|()| Disposed::Archived),
                }
            }
            (PostAction::Delete, _) => {
                match whole {
                    Some(whole) => whole.remove()?,
                    None => post_process::delete(path, seen)?,
                }
                Ok(Disposed::Deleted)
            }
            // Decided only where it is possible; where it is not, nothing is lost.
            (PostAction::Keep | PostAction::Move | PostAction::Zip | PostAction::Archive, _) => {
                Ok(Disposed::Kept)
            }
        }
    }

    fn wait(&self, taken: &Taken, time: Duration, failures: u32) {
        self.host.remember(
            &taken.candidate.path,
            Memory::Waiting {
                look: taken.candidate.look,
                until: Instant::now() + time,
                failures,
            },
        );
    }

    /// Not the file's fault, or not known to be: tried again, but not in a hurry.
    fn fail(&self, taken: &Taken, error: &Error) {
        self.wait(taken, taken.config().retry.delay, 0);
        self.trouble(&taken.candidate.path, error);
        self.leave(taken, "something went wrong");
    }

    fn leave(&self, taken: &Taken, why: &str) {
        let path = &taken.candidate.path;
        self.left(path, why);
        self.host.queue.let_go(path);
    }

    pub(super) fn left(&self, path: &Path, why: &str) {
        self.host.books.left();
        (self.hooks.notice)(&Notice::Left { path, why });
    }

    pub(super) fn trouble(&self, path: &Path, error: &Error) {
        self.host.books.trouble(path, error);
        (self.hooks.notice)(&Notice::Trouble { path, error });
    }
}

/// Archives a folder, or a file with its companions, if it is still what was read. Nothing is recorded otherwise.
fn put_parts(
    archive: &Archive,
    path: &Path,
    mut new: NewEntry,
    seen: &Fingerprint,
) -> Result<Archived> {
    let parts = || {
        let parts = intake::parts(path, &seen.shape);
        parts.map_err(|error| intake::refused(path, error))
    };
    let changed = || {
        Error::new(
            ErrorKind::Changed,
            format!("{} changed while it was archived", path.display()),
        )
    };
    let same = |look: &Look| look.is_of_the_same(&seen.look);
    let Some((_, before)) = parts()?.filter(|(look, _)| same(look)) else {
        return Err(changed());
    };
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let archived = archived_name(path.file_name().unwrap_or_default());
    new.source.name = archived.to_string_lossy().into_owned();
    new.source.name_hex = raw_name(&archived);
    new.source.path = full.to_string_lossy().into_owned();
    let modified = chrono::DateTime::<chrono::Utc>::from(seen.look.modified);
    new.source.modified = Some(Timestamp::from(modified));
    let content = before
        .tarball()
        .map_err(|error| Error::io("read", path, error))?;
    archive
        .put(new, Expected::new(content, seen.content))
        .map_err(|error| match parts() {
            Ok(Some((after, _))) if same(&after) => error,
            _ => changed(),
        })
}

/// What is more than a file, and so is cleared away as a whole.
fn whole<'a>(
    path: &'a Path,
    config: &'a ConverterConfig,
    seen: &'a Fingerprint,
) -> Option<Whole<'a>> {
    match &seen.shape {
        Shape::WithCompanions(_) if seen.look.has_parts() => {
            Some(Whole::Group(Group { path, seen }))
        }
        _ => config
            .complete_marker
            .as_deref()
            .map(|marker| Whole::Folder(Folder { path, seen, marker })),
    }
}

/// Where reports go that no store keeps.
fn direct(config: &ConverterConfig, entry: Option<EntryId>) -> Option<&Submit> {
    let kept = entry.is_some() && config.archive.output_reports;
    config.submit.as_ref().filter(|_| !kept)
}

fn terms(config: &ConverterConfig) -> Terms<'_> {
    Terms {
        arguments: &config.converter.arguments,
        job: None,
        keep_reports: config.archive.output_reports,
        note: None,
    }
}

fn entry(archive: &Archive, id: EntryId) -> Result<Entry> {
    archive.snapshot()?.entry(id)?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("entry {id} was acknowledged and is not there"),
        )
    })
}

/// What an entry's attempts say about taking its file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    None,
    /// Its last attempt is to be repeated now.
    Again,
    NotYet,
    Final(Outcome),
}

/// `current` is who the converter is now. What failed under another one is due at once, whatever the attempts before.
pub(super) fn history(
    entry: &Entry,
    current: Option<ConverterId>,
    retry: Retry,
    now: Timestamp,
) -> History {
    let Some(last) = entry.attempts.last() else {
        return History::None;
    };
    if is_failure(last.status) && is_of_another(last, current) {
        return History::Again;
    }
    let tried = tried_by(entry, current);
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

/// True for what sends a file to the error folder.
fn is_failure(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Rejected)
}

/// True for an attempt by another converter than the current one. One that nobody's identity is recorded with may be anybody's.
fn is_of_another(attempt: &Attempt, current: Option<ConverterId>) -> bool {
    matches!((attempt.converter_id, current), (Some(by), Some(current)) if by != current)
}

/// Attempts since the converter became what it is.
fn tried_by(entry: &Entry, current: Option<ConverterId>) -> u32 {
    let attempts = entry.attempts.iter().rev();
    let own = attempts.take_while(|attempt| !is_of_another(attempt, current));
    u32::try_from(own.count()).unwrap_or(u32::MAX)
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
pub(super) fn key(converter: &str, path: &Path, seen: &Fingerprint) -> String {
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

/// How long a file must still stay the same before it is taken.
pub(super) fn unsettled(
    candidate: &Candidate,
    config: &ConverterConfig,
    now: SystemTime,
) -> Duration {
    config.settle.saturating_sub(candidate.look.age(now))
}
