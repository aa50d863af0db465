//! Stage 1: reads a file and archives it under its key, once.
use std::path::Path;

use super::converting::unready;
use super::disposition::{Safety, case};
use super::files::{ArchivedFile, Cleanup, LOOK_AGAIN, StageResult, TakenFile};
use super::history::{History, entry, history, is_failure, key};
use super::worker::FileWorker;
use crate::archive::{Archive, Archived, NewEntry, raw_name};
use crate::entry::Entry;
use crate::host::config::settings::{ConverterConfig, Unarchivable};
use crate::host::observe::notice::Notice;
use crate::host::observe::stuck::StuckAt;
use crate::host::panics::caught;
use crate::host::sources::fingerprint::Fingerprint;
use crate::host::sources::source::Source;
use crate::id::EntryId;
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

impl FileWorker {
    pub(super) fn archive_one(&self, taken: TakenFile) {
        match caught(|| match self.begin(&taken) {
            Some(why) => Ok(StageResult::Left(why)),
            None => self.archive(&taken),
        }) {
            Ok(StageResult::Next((seen, safety, entry))) => {
                if safety != Safety::ArchiveFailed {
                    self.passed(&taken, StuckAt::Archiving);
                }
                let ready = ArchivedFile {
                    taken,
                    seen,
                    safety,
                    entry,
                };
                let position = ready.taken.position_to_convert();
                self.host.queue.push_archived(position, ready);
            }
            Ok(StageResult::CleanUp(cleanup)) => {
                self.passed(&taken, StuckAt::Recording);
                self.push_to_clear(taken, cleanup);
            }
            Ok(StageResult::Left(why)) => self.leave(&taken, why),
            Err(error) => self.fail(&taken, StuckAt::Archiving, &error),
        }
    }

    fn archive(
        &self,
        taken: &TakenFile,
    ) -> Result<StageResult<(Fingerprint, Safety, Option<EntryId>)>> {
        let path = &taken.candidate.path;
        let config = taken.config();
        let seen = match Fingerprint::of(path, &config.shape()) {
            Err(error) if config.archive.archives() => {
                self.archive_failed(taken, &error, true);
                return Ok(StageResult::Left("it could not be read"));
            }
            seen => seen?,
        };
        let Some(seen) = seen.filter(|seen| seen.meta == taken.candidate.meta) else {
            return Ok(StageResult::Left("it changed while it was read"));
        };
        if !config.archive.archives() {
            return Ok(StageResult::Next((seen, Safety::NotWanted, None)));
        }
        let (archive, receipt) = match self.put(taken, config, &seen) {
            Ok(put) => put,
            Err(error) if error.kind() == ErrorKind::Changed => {
                return Ok(StageResult::Left("it changed while it was archived"));
            }
            Err(error) => {
                let waits = config.archive.unarchivable == Unarchivable::Waits;
                self.archive_failed(taken, &error, waits);
                if waits {
                    return Ok(StageResult::Left("it could not be archived"));
                }
                // It is converted nevertheless, but never deleted: it is the only copy.
                return Ok(StageResult::Next((seen, Safety::ArchiveFailed, None)));
            }
        };
        let id = receipt.id;
        if receipt.existing {
            let entry = entry(archive, id)?;
            match self.history(taken, &entry)? {
                History::None | History::Again => {}
                History::NotYet => {
                    self.wait(taken, config.retry.delay.min(LOOK_AGAIN), 0);
                    return Ok(StageResult::Left("its next attempt is not due yet"));
                }
                History::Final(outcome) => {
                    let ended = case(config, outcome, Safety::Archived, None, false).of(&seen);
                    let disposition = ended.decide();
                    // A file that stays is not reported: the number of failed entries shows it, or
                    // all is well.
                    if disposition.clears() {
                        self.host.counters.done_before(outcome);
                        (self.hooks.notice)(&Notice::DoneBefore {
                            path,
                            entry: id,
                            outcome,
                        });
                    }
                    let last = entry.attempts.last();
                    return Ok(StageResult::CleanUp(Box::new(Cleanup {
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
        Ok(StageResult::Next((seen, Safety::Archived, Some(id))))
    }

    /// Records that a file cannot be archived. With `waits` it is retried later.
    fn archive_failed(&self, taken: &TakenFile, error: &Error, waits: bool) {
        let path = &taken.candidate.path;
        let config = taken.config();
        let converter = &config.converter.name;
        let host = &self.host;
        host.stuck.begin(path, converter, StuckAt::Archiving, error);
        host.counters.archive_failed(converter, path, error);
        (self.hooks.notice)(&Notice::ArchiveFailed { path, error, waits });
        if waits {
            self.wait(taken, config.retry.delay, taken.failures);
        }
    }

    fn put(
        &self,
        taken: &TakenFile,
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
            let receipt = put_source(archive, taken.source(seen), new)?;
            if receipt.blob.blake3 != seen.content {
                return Err(changed(path));
            }
            // The entry was purged before the file was converted. The file is still to be
            // converted, so it is archived again.
            if receipt.existing && self.is_purged_too_early(taken, archive, receipt.id)? {
                key = format!("{key}:after:{}", receipt.id);
                continue;
            }
            break receipt;
        };
        self.host.counters.archived(
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

    fn is_purged_too_early(
        &self,
        taken: &TakenFile,
        archive: &Archive,
        id: EntryId,
    ) -> Result<bool> {
        let entry = entry(archive, id)?;
        let is_final = || Ok::<_, Error>(matches!(self.history(taken, &entry)?, History::Final(_)));
        Ok(entry.purged_at.is_some() && !is_final()?)
    }

    /// Returns whether the entry's attempts allow another one. After a failure, that depends on the
    /// converter's current identity.
    fn history(&self, taken: &TakenFile, entry: &Entry) -> Result<History> {
        let last = entry.attempts.last().map(|attempt| attempt.status);
        let current = match last.filter(|status| is_failure(*status)) {
            Some(_) => {
                let identity = self.host.identity(&taken.active, taken.candidate.converter);
                Some(identity.map_err(|error| unready(taken.config(), error))?)
            }
            None => None,
        };
        let retry = taken.config().retry;
        Ok(history(entry, current, retry, SystemClock.now()))
    }
}

/// Archives a source if it is still the file that was read; otherwise nothing is recorded.
///
/// A link may have replaced the file meanwhile, and may lead to a file that must not be archived.
fn put_source(archive: &Archive, source: Source<'_>, mut new: NewEntry) -> Result<Archived> {
    describe(&mut new, source);
    source
        .read(|content| archive.put(new, content))
        .map_err(|error| {
            if source.has_changed() {
                changed(source.path)
            } else {
                error
            }
        })
}

fn changed(path: &Path) -> Error {
    Error::new(
        ErrorKind::Changed,
        format!("{} changed while it was archived", path.display()),
    )
}

/// Fills in the source's name, its folder, and its modification time.
fn describe(new: &mut NewEntry, source: Source<'_>) {
    let full = std::path::absolute(source.path).unwrap_or_else(|_| source.path.to_owned());
    let name = source.archived_name();
    new.source.name = name.to_string_lossy().into_owned();
    new.source.name_hex = raw_name(&name);
    new.source.path = full.to_string_lossy().into_owned();
    new.source.set_modified(source.seen.meta.modified);
}
