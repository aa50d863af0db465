//! A file's way through the host, or a folder's: read and archived, converted, recorded and cleared away.
//!
//! Each step is taken by a thread of its stage and may be the last one before a crash; the next run takes up what is left,
//! because the archive knows the file by its key and the entry by its attempts.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::config::{ConverterConfig, Retry, Unarchivable};
use super::endpoint::Submit;
use super::guard::caught;
use super::intake::{self, Candidate, Look};
use super::line::Gate;
use super::memory::Memory;
use super::notice::{Hooks, Notice};
use super::outbox::Delivered;
use super::post_process::{Case, Disposed, Disposition, Safety};
use super::queue::{Last, Thread, Turn};
use super::run::{Host, Stop};
use super::setup::Setup;
use super::source::{self, Expected, Fingerprint, Source};
use super::trouble::StuckAt;
use crate::archive::{Archive, Archived, NewEntry, raw_name};
use crate::convert::{self, Conversion, PostAction, Runner, Session, Terms, archived_name};
use crate::entry::{Attempt, Entry, Outcome};
use crate::id::{BlobId, ConverterId, EntryId};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{Error, ErrorKind, Result};

/// A file that has been taken.
pub(super) struct Taken {
    pub(super) candidate: Candidate,
    pub(super) setup: Arc<Setup>,
    /// Conversions that failed before, where no entry counts them.
    pub(super) failures: u32,
    /// How often it was left because its converter could not run.
    pub(super) trials: u32,
    pub(super) since: Instant,
}

impl Taken {
    fn config(&self) -> &ConverterConfig {
        &self.setup.config.converters[self.candidate.converter]
    }

    pub(super) fn turn(&self) -> Turn {
        let path = self.candidate.path.clone();
        let config = self.config();
        let folder = config.watch_folder.as_deref().or(path.parent());
        Turn {
            priority: config.priority,
            modified: self.candidate.look.modified,
            folder: folder.unwrap_or(Path::new("")).into(),
            path,
            patience: PATIENCE + Duration::from_secs(self.candidate.look.size / BYTES_A_SECOND),
        }
    }

    /// The same for a conversion, which may wait for a worker to be started anew besides.
    fn turn_to_convert(&self) -> Turn {
        let turn = self.turn();
        let timeout = self.config().converter.bounds.timeout;
        Turn {
            patience: turn.patience + timeout + CONVERTER_START,
            ..turn
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
    Clear(Box<Taken>, Box<Ending>),
}

impl Converted {
    fn taken(&self) -> &Taken {
        match self {
            Self::Record(ran) => &ran.ready.taken,
            Self::Clear(taken, _) => taken,
        }
    }
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

    /// The reports that the archive holds of it.
    fn reports(&self, archive: &Archive) -> Result<Vec<BlobId>> {
        let Some(id) = self.entry else {
            return Ok(Vec::new());
        };
        let attempts = entry(archive, id)?.attempts;
        Ok(attempts
            .iter()
            .flat_map(|attempt| attempt.reports.iter().map(|report| report.blake3))
            .collect())
    }
}

/// What a step of the way came to.
enum Step<Next> {
    On(Next),
    End(Box<Ending>),
    /// Left for a later look.
    Left(&'static str),
}

/// When a file is read again that waits for something else than its own next attempt.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const STOPPING: &str = "the host is stopping";
pub(super) const PARKED: &str = "its converter cannot run";
/// How long a step over a file may take before its folder is said not to answer. Conversions may
/// take their `timeout_s` besides, and long files a second for each so many bytes.
const PATIENCE: Duration = Duration::from_secs(10);
const CONVERTER_START: Duration = Duration::from_secs(30);
const BYTES_A_SECOND: u64 = 2 << 20;

/// One of the threads that files go through.
#[derive(Clone)]
pub(super) struct Hand {
    pub(super) host: Arc<Host>,
    pub(super) stop: Stop,
    pub(super) hooks: Hooks,
}

impl Hand {
    /// Archives files until there will be no more.
    pub(super) fn archive_all(&self) {
        while let Some((taken, at_work)) = self.host.queue.next_to_archive() {
            let path = taken.candidate.path.clone();
            self.shielded(&path, || self.archive_one(taken));
            if at_work.end() == Thread::Replaced {
                return;
            }
        }
    }

    fn archive_one(&self, taken: Taken) {
        match caught(|| match self.begin(&taken) {
            Some(why) => Ok(Step::Left(why)),
            None => self.archive(&taken),
        }) {
            Ok(Step::On((seen, safety, entry))) => {
                if safety != Safety::ArchiveFailed {
                    self.passed(&taken, StuckAt::Archiving);
                }
                let ready = Ready {
                    taken,
                    seen,
                    safety,
                    entry,
                };
                let turn = ready.taken.turn_to_convert();
                self.host.queue.push_archived(turn, ready);
            }
            Ok(Step::End(ending)) => {
                self.passed(&taken, StuckAt::Recording);
                self.push_to_clear(taken, ending);
            }
            Ok(Step::Left(why)) => self.leave(&taken, why),
            Err(error) => self.fail(&taken, StuckAt::Archiving, &error),
        }
    }

    /// Converts files until there will be no more.
    pub(super) fn convert_all(&self) {
        while let Some((ready, at_work)) = self.host.queue.next_to_convert() {
            let path = ready.taken.candidate.path.clone();
            self.shielded(&path, || self.convert_one(ready));
            if at_work.end() == Thread::Replaced {
                return;
            }
        }
    }

    fn convert_one(&self, ready: Ready) {
        let taken = &ready.taken;
        let converter = &taken.config().converter.name;
        let gate = match self.begin(taken) {
            Some(why) => return self.leave(taken, why),
            None => self.host.lines.enter(converter),
        };
        if gate == Gate::Closed {
            return self.park(taken);
        }
        let converted = caught(|| self.convert(&ready));
        match &converted {
            Ok(Step::On(_)) => {
                if self.host.lines.run(converter) {
                    (self.hooks.notice)(&Notice::LineRuns { converter });
                }
            }
            Err(error) if error.kind() == ErrorKind::Converter => {
                if self.host.lines.stop(converter, gate, &error.to_string()) {
                    self.host.books.trouble(Path::new(converter), error);
                    (self.hooks.notice)(&Notice::LineStopped { converter, error });
                }
                return self.park(taken);
            }
            Ok(_) | Err(_) => self.host.lines.leave(converter, gate),
        }
        match converted {
            Ok(Step::On((recorder, conversion))) => {
                self.passed(taken, StuckAt::Converting);
                let bytes = conversion.reports.iter().map(Vec::len).sum();
                let ran = Ran {
                    ready,
                    recorder,
                    conversion,
                };
                let record = Converted::Record(Box::new(ran));
                self.host.queue.push_converted(bytes, record);
            }
            Ok(Step::End(ending)) => self.push_to_clear(ready.taken, ending),
            Ok(Step::Left(why)) => self.leave(taken, why),
            Err(error) => self.fail(taken, StuckAt::Converting, &error),
        }
    }

    /// Records what was converted, and clears files away, until there will be no more.
    pub(super) fn record_all(&self) {
        while let Some((last, at_work)) = self.host.queue.next_to_record() {
            let (Last::Record(converted) | Last::Clear(converted)) = last;
            let path = converted.taken().candidate.path.clone();
            self.shielded(&path, || match converted {
                Converted::Clear(taken, ending) => self.clear(&taken, ending),
                Converted::Record(ran) => self.record_one(*ran),
            });
            if at_work.end() == Thread::Replaced {
                return;
            }
        }
    }

    fn record_one(&self, ran: Ran) {
        let Ran {
            ready,
            recorder,
            conversion,
        } = ran;
        match caught(|| self.record(&ready, recorder, conversion)) {
            Ok(Step::On(ending) | Step::End(ending)) => {
                self.passed(&ready.taken, StuckAt::Recording);
                self.push_to_clear(ready.taken, ending);
            }
            Ok(Step::Left(why)) => self.leave(&ready.taken, why),
            Err(error) => self.fail(&ready.taken, StuckAt::Recording, &error),
        }
    }

    fn push_to_clear(&self, taken: Taken, ending: Box<Ending>) {
        let turn = taken.turn();
        let clear = Converted::Clear(Box::new(taken), ending);
        self.host.queue.push_to_clear(turn, clear);
    }

    /// Does the work on one file. Whatever panics in it, in telling of it too, costs this file only.
    fn shielded(&self, path: &Path, work: impl FnOnce()) {
        let worked = caught(|| {
            work();
            Ok(())
        });
        if let Err(error) = worked {
            self.host.forget_for_now(path, &error);
            self.host.queue.let_go(path);
        }
    }

    /// Why a step is not to be begun, if so.
    fn begin(&self, taken: &Taken) -> Option<&'static str> {
        if self.stop.is_asked() {
            Some(STOPPING)
        } else if !self.host.is_current(&taken.setup) {
            Some("another configuration is in force")
        } else if !self.host.has_room(&taken.setup, &self.hooks) {
            Some("the disk is nearly full")
        } else {
            None
        }
    }

    fn archive(&self, taken: &Taken) -> Result<Step<(Fingerprint, Safety, Option<EntryId>)>> {
        let path = &taken.candidate.path;
        let config = taken.config();
        let seen = match Fingerprint::of(path, &config.shape()) {
            Err(error) if config.archive.archives() => {
                self.archive_failed(taken, &error, true);
                return Ok(Step::Left("it could not be read"));
            }
            seen => seen?,
        };
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
                self.archive_failed(taken, &error, waits);
                if waits {
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
                    return Ok(Step::End(Box::new(Ending {
                        seen,
                        disposition,
                        entry: Some(id),
                        failed_by: last
                            .filter(|_| is_failure(outcome))
                            .and_then(|last| last.converter_id),
                    })));
                }
            }
        }
        Ok(Step::On((seen, Safety::Archived, Some(id))))
    }

    /// Tells that a file which is to be archived cannot be; one that waits is tried again later.
    fn archive_failed(&self, taken: &Taken, error: &Error, waits: bool) {
        let path = &taken.candidate.path;
        let config = taken.config();
        let converter = &config.converter.name;
        let host = &self.host;
        host.troubles
            .begin(path, converter, StuckAt::Archiving, error);
        host.books.archive_failed(converter, path, error);
        (self.hooks.notice)(&Notice::ArchiveFailed { path, error, waits });
        if waits {
            self.wait(taken, config.retry.delay, taken.failures);
        }
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
                key: Some(key.clone().into()),
                compression_level: Some(config.archive.compression_level),
                ..NewEntry::default()
            };
            let receipt = if seen.look.has_parts() {
                put_parts(archive, path, new, seen)?
            } else {
                put_file(archive, path, new, seen)?
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

    /// What an entry's attempts say about taking its file again. After a failure that depends on
    /// who the converter is now.
    fn history(&self, taken: &Taken, entry: &Entry) -> Result<History> {
        let last = entry.attempts.last().map(|attempt| attempt.status);
        let current = match last.filter(|status| is_failure(*status)) {
            Some(_) => {
                let identity = self.host.identity(&taken.setup, taken.candidate.converter);
                Some(identity.map_err(|error| unready(taken.config(), error))?)
            }
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
        let runner = taken
            .setup
            .runner(taken.candidate.converter, scratch)
            .map_err(|error| unready(config, error))?;
        let cancel = self.stop.at_once_cancel();
        let converted = match ready.entry {
            Some(id) => {
                let archive = self.host.archive_of(config)?;
                let entry = entry(archive, id)?;
                let session = runner.session().map_err(|error| unready(config, error))?;
                convert::run_over(archive, &runner, &session, &entry, terms(config), cancel)?
                    .map(|conversion| (Some((Arc::clone(&runner), session)), conversion))
            }
            None => self
                .convert_unarchived(ready, &runner)?
                .map(|conversion| (None, conversion)),
        };
        Ok(converted.map_or(Step::Left(STOPPING), Step::On))
    }

    /// Converts what was read, and nothing else: what is removed afterwards is what was converted.
    fn convert_unarchived(&self, ready: &Ready, runner: &Runner) -> Result<Option<Conversion>> {
        let candidate = &ready.taken.candidate;
        let path = &candidate.path;
        let config = ready.taken.config();
        let request = convert::Request {
            name: &candidate.name.to_string_lossy(),
            modified: Some(candidate.look.modified),
            entry: None,
            arguments: &config.converter.arguments,
        };
        let cancel = self.stop.at_once_cancel();
        let expected = ready.seen.content;
        match intake::parts(path, ready.seen.shape())
            .map_err(|error| intake::refused(path, error))?
        {
            None => {
                let source = Source {
                    path,
                    seen: &ready.seen,
                    marker: None,
                };
                let file = source.open()?;
                runner.run(request, &mut Expected::new(file, expected), cancel)
            }
            Some((_, parts)) => {
                let content = parts.tarball();
                let content = content.map_err(|error| Error::io("read", path, error))?;
                runner.run(request, &mut Expected::new(content, expected), cancel)
            }
        }
    }

    fn record(
        &self,
        ready: &Ready,
        recorder: Option<(Arc<Runner>, Arc<Session>)>,
        mut conversion: Conversion,
    ) -> Result<Step<Box<Ending>>> {
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
        Ok(Step::On(Box::new(Ending {
            seen: ready.seen.clone(),
            disposition,
            entry: ready.entry,
            failed_by: by.filter(|_| is_failure(conversion.outcome)),
        })))
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
        match outbox.deliver(submit, key, reports, cancel, &*self.hooks.notice) {
            Delivered::Taken => true,
            Delivered::Refused(why) => {
                conversion.outcome = Outcome::Rejected;
                conversion.error = Some(why);
                true
            }
            Delivered::NotYet(_) | Delivered::Cancelled => false,
        }
    }

    fn clear(&self, taken: &Taken, ending: Box<Ending>) {
        let path = &taken.candidate.path;
        let config = taken.config();
        match caught(|| self.dispose(taken, &ending)) {
            Ok(how) => {
                self.passed(taken, StuckAt::Clearing);
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
                if let Some(watched) = path.parent() {
                    self.host.listers.look_for_set_aside(watched);
                }
                self.host.remember(
                    path,
                    Memory::Uncleared {
                        ending: *ending,
                        until: Instant::now() + config.retry.delay,
                    },
                );
                let converter = &config.converter.name;
                self.host
                    .troubles
                    .begin(path, converter, StuckAt::Clearing, &error);
                self.trouble(path, &error);
                self.leave(taken, "it could not be cleared away");
            }
        }
    }

    fn dispose(&self, taken: &Taken, ending: &Ending) -> Result<Disposed> {
        let path = &taken.candidate.path;
        let config = taken.config();
        let source = Source {
            path,
            seen: &ending.seen,
            marker: config.complete_marker.as_deref(),
        };
        let check = |target: &Path| taken.setup.check_folder(target, &self.host.archives);
        let move_into = |target: &Path| {
            check(target)?;
            source.move_into(target).map(Disposed::Moved)
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
            (PostAction::Zip, Some(done)) => {
                check(done)?;
                source.zip_into(done).map(Disposed::Zipped)
            }
            // What should be in the archive goes only when it is there, whatever the action is called.
            (PostAction::Delete | PostAction::Archive, _) if ending.entry.is_some() => {
                let archive = self.host.archive_of(config)?;
                let stored = |blob: &BlobId| {
                    archive
                        .read(blob)
                        .map(|reader| Box::new(reader) as Box<dyn Read>)
                };
                match source.read_back(stored) {
                    // What a rule or a person let go meanwhile is not kept by its leftover.
                    Err(error)
                        if error.kind() == ErrorKind::NotFound && ending.is_purged(archive)? =>
                    {
                        source.remove()?;
                        return Ok(Disposed::Deleted);
                    }
                    read_back => read_back?,
                }
                source.remove()?;
                if let (PostAction::Archive, Some(done)) = (action, done) {
                    source::remove_leftover(path, done, &ending.reports(archive)?)?;
                }
                Ok(Disposed::Archived)
            }
            (PostAction::Delete, _) => {
                source.remove()?;
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
    fn fail(&self, taken: &Taken, at: StuckAt, error: &Error) {
        let path = &taken.candidate.path;
        let config = taken.config();
        self.wait(taken, config.retry.delay, taken.failures);
        self.host
            .troubles
            .begin(path, &config.converter.name, at, error);
        self.trouble(path, error);
        self.leave(taken, "something went wrong");
    }

    /// Its converter cannot run: it stays without an attempt until that is over.
    fn park(&self, taken: &Taken) {
        let parked = Memory::Parked {
            look: taken.candidate.look,
            failures: taken.failures,
            trials: taken.trials + 1,
        };
        self.host.remember(&taken.candidate.path, parked);
        self.leave(taken, PARKED);
    }

    fn passed(&self, taken: &Taken, step: StuckAt) {
        self.host.troubles.passed(&taken.candidate.path, step);
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

/// Archives a file, if it is still what was read: what took its name meanwhile may be a link to a file
/// that is none of its sender's business. Nothing is recorded otherwise.
fn put_file(
    archive: &Archive,
    path: &Path,
    mut new: NewEntry,
    seen: &Fingerprint,
) -> Result<Archived> {
    let source = Source {
        path,
        seen,
        marker: None,
    };
    let content = source.open()?;
    describe(&mut new, path, path.file_name().unwrap_or_default(), seen);
    archive
        .put(new, Expected::new(content, seen.content))
        .map_err(|error| match source.open() {
            Err(changed) if changed.kind() == ErrorKind::Changed => changed,
            _ => error,
        })
}

/// Says what a source is called, where it was, and when it was last written.
fn describe(new: &mut NewEntry, path: &Path, name: &OsStr, seen: &Fingerprint) {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    new.source.name = name.to_string_lossy().into_owned();
    new.source.name_hex = raw_name(name);
    new.source.path = full.to_string_lossy().into_owned();
    new.source.set_modified(seen.look.modified);
}

/// Archives a folder, or a file with its companions, if it is still what was read. Nothing is
/// recorded otherwise.
fn put_parts(
    archive: &Archive,
    path: &Path,
    mut new: NewEntry,
    seen: &Fingerprint,
) -> Result<Archived> {
    let parts = || {
        let parts = intake::parts(path, seen.shape());
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
    let archived = archived_name(path.file_name().unwrap_or_default());
    describe(&mut new, path, &archived, seen);
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

/// A converter whose files or folders are not there cannot run: no fault of the file.
fn unready(config: &ConverterConfig, error: Error) -> Error {
    if error.kind() == ErrorKind::Converter {
        return error;
    }
    let name = &config.converter.name;
    Error::new(
        ErrorKind::Converter,
        format!("converter '{name}' cannot be made ready: {error}"),
    )
    .hint("see `annals host check`; the sources stay where they are")
    .caused_by(error)
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

/// `current` is who the converter is now. What failed under another one is due at once, whatever
/// the attempts before.
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

/// True for an attempt by another converter than the current one. One that nobody's identity is
/// recorded with may be anybody's.
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
    let modified = Timestamp::from(seen.look.modified);
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
