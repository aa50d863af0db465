//! The log of a running host: notices with fields, as lines of text or of JSON.
//!
//! Secrets in a notice are masked already, by the code that creates the notice.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::panic::PanicHookInfo;

use tracing::dispatcher::{self, Dispatch};
use tracing::{Level, debug, error, info, warn};
use tracing_subscriber::fmt::MakeWriter;

use crate::cli::render::path_text;
use crate::entry::Outcome;
use crate::host::{LogFormat, Notice};

/// A log that formats notices and passes each line to a sink.
pub(crate) struct Log(Dispatch);

/// How much of a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Quiet,
    Plain,
    Verbose,
}

impl Log {
    /// Returns a log whose lines go to `sink`, which must not block.
    pub(crate) fn new(
        format: LogFormat,
        verbosity: Verbosity,
        sink: impl Fn(Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        let level = match verbosity {
            Verbosity::Quiet => Level::ERROR,
            Verbosity::Plain => Level::INFO,
            Verbosity::Verbose => Level::DEBUG,
        };
        let lines = Lines(Box::new(sink));
        let built = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_target(false)
            .with_writer(lines);
        Self(match format {
            LogFormat::Json => Dispatch::new(built.json().flatten_event(true).finish()),
            LogFormat::Text => Dispatch::new(built.with_ansi(false).finish()),
        })
    }

    /// Writes the tracing events that `tell` emits.
    pub(crate) fn write(&self, tell: impl FnOnce()) {
        dispatcher::with_default(&self.0, tell);
    }

    /// Writes where and why a thread panicked. The code that ran the work reports what became of
    /// it.
    pub(crate) fn panicked(&self, panic: &PanicHookInfo<'_>) {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let place = panic.location().map(ToString::to_string);
        let said = panic.payload_as_str().unwrap_or("it did not say why");
        // Captured only when RUST_BACKTRACE is set.
        let backtrace = Backtrace::capture();
        let backtrace =
            matches!(backtrace.status(), BacktraceStatus::Captured).then(|| backtrace.to_string());
        self.write(|| error!(thread, place, backtrace, error = said, "a thread panicked"));
    }

    /// Writes a notice of the host.
    pub(crate) fn notice(&self, notice: &Notice<'_>) {
        self.write(|| of_host(notice));
    }
}

/// Writes the line of a notice.
fn of_host(notice: &Notice<'_>) {
    of_file(notice);
    of_submission(notice);
    of_plant(notice);
    of_retention(notice);
}

/// Writes the line of a notice about one file.
fn of_file(notice: &Notice<'_>) {
    match notice {
        Notice::Archived {
            path,
            entry,
            existing,
        } => debug!(
            path = path_text(path),
            entry = entry.0,
            existing,
            "archived"
        ),
        Notice::Converted {
            path,
            converter,
            entry,
            conversion,
        } => {
            let path = path_text(path);
            let entry = entry.map(|entry| entry.0);
            let duration_ms = u64::try_from(conversion.duration.as_millis()).unwrap_or(u64::MAX);
            let outcome = conversion.outcome.to_string();
            let suspicious = conversion.suspicious.join("; ");
            if conversion.outcome == Outcome::Success && !suspicious.is_empty() {
                warn!(
                    path,
                    converter, entry, outcome, duration_ms, suspicious, "a suspicious result"
                );
            } else if conversion.outcome == Outcome::Success {
                debug!(path, converter, entry, outcome, duration_ms, "converted");
            } else {
                let error = conversion.error.as_deref().unwrap_or("no reason given");
                warn!(
                    path,
                    converter, entry, outcome, duration_ms, error, "not converted"
                );
            }
        }
        Notice::DoneBefore {
            path,
            entry,
            outcome,
            error,
        } => {
            let (path, entry) = (path_text(path), entry.0);
            let told = outcome.to_string();
            match outcome {
                Outcome::Failed | Outcome::Rejected => warn!(
                    path,
                    entry,
                    outcome = told,
                    error = error.unwrap_or("no reason given"),
                    "not tried again: it failed before under the same converter"
                ),
                _ => info!(path, entry, outcome = told, "converted before"),
            }
        }
        Notice::Disposed { path, how } => {
            debug!(path = path_text(path), how = ?how, "cleared away");
        }
        Notice::Left { path, why } => debug!(path = path_text(path), why, "left"),
        Notice::Trouble { path, error } => {
            error!(path = path_text(path), error = error.to_string(), "trouble");
        }
        Notice::ArchiveFailed { path, error, waits } => {
            error!(
                path = path_text(path),
                waits,
                error = error.to_string(),
                "not archived"
            );
        }
        Notice::FactsOnly {
            path,
            entry,
            bytes,
            stays,
        } => warn!(
            path = path_text(path),
            entry = entry.0,
            bytes,
            stays,
            "too large to be archived: only facts and hashes are kept"
        ),
        _ => {}
    }
}

/// Writes the line of a notice about a report on its way to a server.
fn of_submission(notice: &Notice<'_>) {
    match notice {
        Notice::Submitted {
            entry,
            endpoint,
            report_id,
        } => {
            let entry = entry.map(|entry| entry.0);
            debug!(entry, endpoint, report_id, "submitted");
        }
        Notice::SubmissionRejected {
            entry,
            endpoint,
            status,
            text,
        } => {
            let entry = entry.map(|entry| entry.0);
            warn!(entry, endpoint, status, text, "rejected by the server");
        }
        Notice::SubmissionWaits {
            endpoint,
            error,
            wait,
        } => warn!(
            endpoint,
            error = error.to_string(),
            wait_s = wait.as_secs_f64(),
            "reports wait"
        ),
        _ => {}
    }
}

/// Writes the line of a notice about purges and holds.
fn of_retention(notice: &Notice<'_>) {
    match notice {
        Notice::Purged {
            converter,
            outcome,
            held,
            waiting,
        } => info!(
            converter,
            entries = outcome.recorded.archives_purged,
            parts = outcome.recorded.parts_purged,
            bytes_freed = outcome.bytes_freed(),
            plan = outcome.recorded.plan_id,
            reason = outcome.recorded.reason,
            held,
            waiting,
            "purged"
        ),
        Notice::PurgeWaits { converter, waiting } => warn!(
            converter,
            entries = waiting.entries,
            bytes = waiting.bytes_freed,
            why = waiting.why,
            "a purge waits"
        ),
        Notice::PurgesFinal {
            entries,
            bytes_freed,
        } => info!(entries, bytes_freed, "purges are final"),
        Notice::HoldsNeedLook { what } => {
            for hold in *what {
                warn!(hold, "a hold needs a look");
            }
        }
        Notice::PurgeFailed { converter, error } => {
            error!(converter, error = error.to_string(), "not purged");
        }
        _ => {}
    }
}

/// Writes the line of a notice about disks, folders, converters or the host itself.
fn of_plant(notice: &Notice<'_>) {
    match notice {
        Notice::DiskLow { error } => error!(error = error.to_string(), "disk low"),
        Notice::DiskEnough { free } => info!(free, "disk has room again"),
        Notice::JobResumed { job, entries } => {
            info!(
                job = job.0,
                entries, "a reprocess job that was cut off goes on"
            );
        }
        Notice::JobEnded { job, result } => info!(
            job = job.0,
            processed = result.processed,
            failed = result.failed,
            changed = result.changed,
            interrupted = result.interrupted,
            "a reprocess job ended"
        ),
        Notice::Timestamped { time, event } => {
            info!(time = time.to_string(), event = event.0, "stamped");
        }
        Notice::TimestampFailed { error } => {
            error!(
                error = error.to_string(),
                "no time stamp; asked again later"
            );
        }
        Notice::Reloaded => info!("another configuration is in force"),
        Notice::ReloadRefused { error } => {
            error!(
                error = error.to_string(),
                "configuration refused; the one before stays in force"
            );
        }
        Notice::Unwatched { path, why } => {
            info!(
                path = path_text(path),
                why, "nobody tells what appears here; it is looked into all the same"
            );
        }
        Notice::FolderSilent { path, error } => error!(
            path = path_text(path),
            error = error.to_string(),
            "a folder does not answer; the others go on"
        ),
        Notice::FolderAnswers { path, after } => info!(
            path = path_text(path),
            after_s = after.as_secs_f64(),
            "a folder answers again"
        ),
        Notice::LineStopped { converter, error } => error!(
            converter,
            error = error.to_string(),
            "a converter cannot run; its files wait"
        ),
        Notice::LineRuns { converter } => info!(converter, "a converter runs again"),
        Notice::LeftBehind { steps } => warn!(
            steps,
            "ended without waiting for what hangs; the next run takes it up"
        ),
        Notice::Stopping { converting, within } => {
            info!(converting, within_s = within.as_secs_f64(), "stopping");
        }
        _ => of_promotions(notice),
    }
}

/// Logs what becomes of new identities of converters.
fn of_promotions(notice: &Notice<'_>) {
    match notice {
        Notice::CandidateWaits {
            converter,
            current,
            candidate,
        } => warn!(
            converter,
            current = current.to_string(),
            candidate = candidate.to_string(),
            "a new identity waits to be promoted; the current one goes on converting"
        ),
        Notice::Promoted { report } => info!(
            converter = report.converter,
            candidate = report.candidate.to_string(),
            tried = report.evidence.tried,
            changed = report.evidence.changed,
            fixed = report.evidence.fixed,
            waived = report.evidence.waived,
            "a new identity is promoted"
        ),
        Notice::PromotionRefused { report } => warn!(
            converter = report.converter,
            candidate = report.candidate.to_string(),
            tried = report.evidence.tried,
            broken = report.evidence.broken,
            waived = report.evidence.waived,
            verdict = report.verdict.to_string(),
            "a new identity is not promoted"
        ),
        // The summary of a pass that did something is printed on stdout.
        _ => {}
    }
}

/// Creates a writer for each line.
struct Lines(Box<dyn Fn(Vec<u8>) + Send + Sync>);

impl io::Write for &Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EntryId;

    fn lines(format: LogFormat, verbosity: Verbosity) -> Vec<String> {
        let (tell, told) = crossbeam_channel::unbounded();
        let log = Log::new(format, verbosity, move |line| _ = tell.send(line));
        let path = std::path::Path::new("in/a\u{1b}[2J.csv");
        log.notice(&Notice::Archived {
            path,
            entry: EntryId(7),
            existing: false,
        });
        log.notice(&Notice::DiskEnough { free: 9 });
        drop(log);
        let line = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        told.into_iter().map(line).collect()
    }

    #[test]
    fn each_thing_told_is_a_line_and_its_fields_are_fields_of_an_object() {
        let lines = lines(LogFormat::Json, Verbosity::Verbose);
        assert_eq!(lines.len(), 2, "{lines:?}");
        let first: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!(first["message"], "archived");
        assert_eq!(first["entry"], 7);
        assert_eq!(first["level"], "DEBUG");
        assert!(first["timestamp"].is_string());
    }

    #[test]
    fn who_did_not_ask_for_more_is_not_told_of_every_file() {
        let lines = lines(LogFormat::Text, Verbosity::Plain);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("disk has room again free=9"), "{lines:?}");
    }
}
