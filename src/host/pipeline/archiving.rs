//! Stage 1: archives a file under its key while it is read.
use std::ffi::OsStr;
use std::path::Path;

use super::converting::unready;
use super::disposition::{FactsOnly, Safety, Suspicion, case};
use super::files::{ArchivedFile, Cleanup, LOOK_AGAIN, StageResult, TakenFile};
use super::history::{History, entry, history, is_failure, key};
use super::waiting::QueuePosition;
use super::worker::FileWorker;
use crate::archive::{Archive, Archived, Keep, Key, NewEntry, full_path, raw_name};
use crate::convert::Order;
use crate::entry::{Attempt, Entry};
use crate::host::config::settings::{ConverterConfig, Unarchivable};
use crate::host::observe::notice::Notice;
use crate::host::observe::stuck::StuckAt;
use crate::host::panics::caught;
use crate::host::sources::file_meta::FileMeta;
use crate::host::sources::file_reading::FileReading;
use crate::host::sources::fingerprint::Fingerprint;
use crate::host::sources::source::Source;
use crate::id::EntryId;
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

/// A source that was read.
struct ReadSource {
    seen: Fingerprint,
    /// The archive's answer, if it was archived while it was read; `None` when it was only hashed.
    answer: Option<Result<Archived>>,
}

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
                let position = match self.position_to_convert(&ready) {
                    Ok(position) => position,
                    Err(error) => return self.fail(&ready.taken, StuckAt::Converting, &error),
                };
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

    /// Returns where an archived file stands among those that wait for their converters.
    fn position_to_convert(&self, ready: &ArchivedFile) -> Result<QueuePosition> {
        let config = ready.taken.config();
        let id = ready
            .entry
            .filter(|_| config.converter.order != Order::Free);
        let known = match id {
            Some(id) => Some(entry(self.host.archive_of(config)?, id)?),
            None => None,
        };
        Ok(ready.taken.position_to_convert(known.as_ref()))
    }

    fn archive(
        &self,
        taken: &TakenFile,
    ) -> Result<StageResult<(Fingerprint, Safety, Option<EntryId>)>> {
        let path = &taken.candidate.path;
        let config = taken.config();
        let read = match self.read(taken) {
            Err(error) if config.archive.archives() => {
                self.archive_failed(taken, &error, true);
                return Ok(StageResult::Left("it could not be read"));
            }
            read => read?,
        };
        let Some(ReadSource { seen, answer }) = read else {
            return Ok(StageResult::Left("it changed while it was read"));
        };
        if !config.archive.archives() {
            return Ok(StageResult::Next((seen, Safety::NotWanted, None)));
        }
        let (archive, receipt) = match self.put(taken, config, &seen, answer) {
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
        let safety = safety(receipt.facts_only, config);
        if receipt.existing {
            let entry = entry(archive, id)?;
            match self.history(taken, &entry)? {
                History::None | History::Again => {}
                History::NotYet => {
                    self.wait(taken, config.retry.delay.min(LOOK_AGAIN), 0);
                    return Ok(StageResult::Left("its next attempt is not due yet"));
                }
                History::Final(outcome) => {
                    let last = entry.attempts.last();
                    let suspicious = last.map_or(&[][..], |last| &last.suspicious);
                    let suspicion = Suspicion::of(config, suspicious);
                    let ended = case(config, outcome, safety, None, false, suspicion).of(&seen);
                    let disposition = ended.decide();
                    // A file that stays is not reported: the number of failed entries shows it, or
                    // all is well.
                    if disposition.clears() {
                        self.host.counters.done_before(outcome);
                        (self.hooks.notice)(&Notice::DoneBefore {
                            path,
                            entry: id,
                            outcome,
                            error: last.and_then(|last| last.error.as_deref()),
                        });
                    }
                    return Ok(StageResult::CleanUp(Box::new(Cleanup {
                        seen,
                        disposition,
                        entry: Some(id),
                        failed_by: last
                            .filter(|_| is_failure(outcome) || suspicion.keeps(safety))
                            .and_then(|last| last.converter_id),
                    })));
                }
            }
        }
        Ok(StageResult::Next((seen, safety, Some(id))))
    }

    /// Reads a source; `None` when it changed meanwhile.
    ///
    /// A single file that is to be archived is archived while it is read. What has parts is only
    /// hashed here, and archived by [`Self::put`].
    fn read(&self, taken: &TakenFile) -> Result<Option<ReadSource>> {
        let path = &taken.candidate.path;
        let config = taken.config();
        let shape = config.shape();
        let archives = config.archive.archives();
        let archive = self.host.archives.of(config).filter(|_| archives);
        let failed = |error| Error::io("read", path, error);
        let mut answer = None;
        if let Some(archive) = archive
            && let Some(mut reading) = FileReading::open(path, &shape).map_err(failed)?
        {
            if reading.meta() != taken.candidate.meta || !taken.is_in_its_folder(reading.named())? {
                return Ok(None);
            }
            let put = archive.put(new_file(config, path, &reading), &mut reading);
            let Some(reading) = reading.unless_changed().map_err(failed)? else {
                return Ok(None);
            };
            if let Ok(receipt) = &put {
                let seen = Fingerprint::of_read(reading, receipt.blob.blake3);
                let answer = Some(put);
                return Ok(Some(ReadSource { seen, answer }));
            }
            // The archive failed, and may not have read all of the file. The file is hashed below,
            // because its converter may get it nevertheless.
            answer = Some(put);
        }
        let seen = Fingerprint::of(path, &shape)?;
        let unchanged = seen.filter(|seen| seen.meta == taken.candidate.meta);
        if let Some(seen) = &unchanged
            && !taken.is_in_its_folder(seen.named())?
        {
            return Ok(None);
        }
        Ok(unchanged.map(|seen| ReadSource { seen, answer }))
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

    /// Archives a source that was read. `answer` is the archive's answer if it was archived while
    /// it was read.
    fn put(
        &self,
        taken: &TakenFile,
        config: &ConverterConfig,
        seen: &Fingerprint,
        mut answer: Option<Result<Archived>>,
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
        let mut key = key(&config.converter.name, path, &seen.meta, &seen.content);
        let receipt = loop {
            let receipt = match answer.take() {
                Some(answer) => answer?,
                None => put_source(archive, config, taken.source(seen), &key)?,
            };
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
        if receipt.facts_only && !receipt.existing {
            (self.hooks.notice)(&Notice::FactsOnly {
                path,
                entry: receipt.id,
                bytes: receipt.blob.size,
                stays: !config.archive.delete_facts_only,
            });
        }
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
        let is_purged = entry.purged_at.is_some() || entry.source_purge().is_some();
        Ok(is_purged && !is_final()?)
    }

    /// Returns whether the entry's attempts allow another one. After a failure, that depends on the
    /// converter's current identity.
    fn history(&self, taken: &TakenFile, entry: &Entry) -> Result<History> {
        let config = taken.config();
        let safety = safety(entry.facts_only, config);
        let is_open = |last: &&Attempt| {
            let suspicion = Suspicion::of(config, &last.suspicious);
            is_failure(last.status) || suspicion.keeps(safety)
        };
        let current = match entry.attempts.last().filter(is_open) {
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
fn put_source(
    archive: &Archive,
    config: &ConverterConfig,
    source: Source<'_>,
    key: &str,
) -> Result<Archived> {
    let name = source.archived_name();
    let meta = &source.seen.meta;
    let new = new_entry(config, source.path, &name, meta, key);
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

/// Describes a file that is archived while it is read. Its key needs the hash of its content.
fn new_file(config: &ConverterConfig, path: &Path, reading: &FileReading<'_>) -> NewEntry {
    let meta = reading.meta();
    let (converter, source) = (config.converter.name.clone(), path.to_owned());
    let key = Key::from_digest(move |blob| key(&converter, &source, &meta, &blob.blake3));
    let name = path.file_name().unwrap_or_default();
    new_entry(config, path, name, &meta, key)
}

/// Returns whether a source has a safe copy after it was archived, or only facts are kept of it.
fn safety(facts_only: bool, config: &ConverterConfig) -> Safety {
    match (facts_only, config.archive.delete_facts_only) {
        (false, _) => Safety::Archived,
        (true, true) => Safety::FactsOnly(FactsOnly::MayGo),
        (true, false) => Safety::FactsOnly(FactsOnly::Stays),
    }
}

/// Describes a source: its converter's settings, its name, its folder, and its modification time.
/// Of one that is too large to be archived, only facts are kept.
fn new_entry(
    config: &ConverterConfig,
    path: &Path,
    name: &OsStr,
    meta: &FileMeta,
    key: impl Into<Key>,
) -> NewEntry {
    let mut new = NewEntry {
        converter: config.converter.name.clone(),
        converter_version: config.converter.version.clone(),
        arguments: config.converter.arguments.recorded(),
        retention: config.archive.retention,
        key: Some(key.into()),
        compression_level: Some(config.archive.compression_level),
        keep: match config.archive.facts_above {
            Some(limit) if meta.size > limit => Keep::FactsOnly,
            _ => Keep::Content,
        },
        ..NewEntry::default()
    };
    new.source.name = name.to_string_lossy().into_owned();
    new.source.name_hex = raw_name(name);
    new.source.path = full_path(path);
    new.source.set_modified(meta.modified);
    new
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
