//! Stage 2: hands an archived file to its converter.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::files::{ArchivedFile, ConvertedFile, FinalJob, LOOK_AGAIN, STOPPING, StageResult};
use super::history::entry;
use super::stopped_converters::Admission;
use super::worker::FileWorker;
use crate::convert::{self, Conversion, Runner, Session, Terms};
use crate::host::config::endpoint::Submit;
use crate::host::config::settings::ConverterConfig;
use crate::host::observe::notice::Notice;
use crate::host::observe::stuck::StuckAt;
use crate::host::panics::caught;
use crate::id::EntryId;
use crate::{Error, ErrorKind, Result};

impl FileWorker {
    pub(super) fn convert_one(&self, ready: ArchivedFile) {
        let taken = &ready.taken;
        let converter = &taken.config().converter.name;
        let admission = match self.begin(taken) {
            Some(why) => return self.leave(taken, why),
            None => self.host.stopped.enter(converter),
        };
        if admission == Admission::Closed {
            return self.park(taken);
        }
        let converted = caught(|| self.convert(&ready));
        match &converted {
            Ok(StageResult::Next(_)) => {
                if self.host.stopped.run(converter) {
                    (self.hooks.notice)(&Notice::LineRuns { converter });
                }
            }
            Err(error) if error.kind() == ErrorKind::Converter => {
                if self
                    .host
                    .stopped
                    .stop(converter, admission, &error.to_string())
                {
                    self.host.counters.trouble(Path::new(converter), error);
                    (self.hooks.notice)(&Notice::LineStopped { converter, error });
                }
                return self.park(taken);
            }
            Ok(_) | Err(_) => self.host.stopped.leave(converter, admission),
        }
        match converted {
            Ok(StageResult::Next((recorder, conversion))) => {
                self.passed(taken, StuckAt::Converting);
                let bytes = conversion.reports.iter().map(Vec::len).sum();
                let ran = ConvertedFile {
                    ready,
                    recorder,
                    conversion,
                };
                let record = FinalJob::Record(Box::new(ran));
                self.host.queue.push_converted(bytes, record);
            }
            Ok(StageResult::CleanUp(cleanup)) => self.push_to_clear(ready.taken, cleanup),
            Ok(StageResult::Left(why)) => self.leave(taken, why),
            Err(error) => self.fail(taken, StuckAt::Converting, &error),
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "what a conversion needs to be recorded"
    )]
    fn convert(
        &self,
        ready: &ArchivedFile,
    ) -> Result<StageResult<(Option<(Arc<Runner>, Arc<Session>)>, Conversion)>> {
        let taken = &ready.taken;
        let config = taken.config();
        let direct = direct(config, ready.entry);
        if direct.is_some_and(|submit| !taken.active.outbox.is_open(submit)) {
            self.wait(taken, config.retry.delay.min(LOOK_AGAIN), taken.failures);
            return Ok(StageResult::Left("its report could not be sent now"));
        }
        let runner = self
            .host
            .live_runner(&taken.active, taken.candidate.converter)
            .map_err(|error| unready(config, error))?;
        let cancel = self.stop.at_once_cancel();
        let converted = match ready.entry {
            Some(id) => {
                let archive = self.host.archive_of(config)?;
                let entry = entry(archive, id)?;
                let session = runner.session().map_err(|error| unready(config, error))?;
                let terms = terms(config);
                let ran = if entry.facts_only {
                    // Its content is in the watch folder only.
                    let source = taken.source(&ready.seen);
                    let store = archive.store_id();
                    source.read(|mut content| {
                        let content = &mut content;
                        convert::run_on(&runner, &session, store, &entry, terms, content, cancel)
                    })?
                } else {
                    convert::run_over(archive, &runner, &session, &entry, terms, cancel)?
                };
                ran.map(|conversion| (Some((Arc::clone(&runner), session)), conversion))
            }
            None => self
                .convert_unarchived(ready, &runner)?
                .map(|conversion| (None, conversion)),
        };
        if config.worker_idle.is_zero() {
            // Before the step ends, so that no other converter starts while this one still runs.
            runner.end_idle_workers(Duration::ZERO);
        }
        Ok(converted.map_or(StageResult::Left(STOPPING), StageResult::Next))
    }

    /// Converts exactly the bytes that were read, so that the file removed later is the one
    /// converted.
    fn convert_unarchived(
        &self,
        ready: &ArchivedFile,
        runner: &Runner,
    ) -> Result<Option<Conversion>> {
        let candidate = &ready.taken.candidate;
        let config = ready.taken.config();
        let request = convert::Request {
            name: &candidate.name.to_string_lossy(),
            modified: Some(candidate.meta.modified),
            store: None,
            entry: None,
            arguments: &config.converter.arguments,
        };
        let cancel = self.stop.at_once_cancel();
        let source = ready.taken.source(&ready.seen);
        source.read(|mut content| runner.run(request, &mut content, cancel))
    }
}

/// Turns an error of preparing a converter into one that stops the converter, not the file.
pub(super) fn unready(config: &ConverterConfig, error: Error) -> Error {
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

/// Returns the endpoint for reports that no store keeps.
pub(super) fn direct(config: &ConverterConfig, entry: Option<EntryId>) -> Option<&Submit> {
    let kept = entry.is_some() && config.archive.output_reports;
    config.submit.as_ref().filter(|_| !kept)
}

pub(super) fn terms(config: &ConverterConfig) -> Terms<'_> {
    Terms {
        arguments: &config.converter.arguments,
        job: None,
        keep_reports: config.archive.output_reports,
        note: None,
    }
}
