//! `annals report`: records the outcome of a conversion done elsewhere, or has a rejected report
//! sent again.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::archive::NewAttempt;
use crate::cli::render::{counted, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::answer_for_report;
use crate::entry::Outcome;
use crate::event::BlobRef;
use crate::id::{AttemptNo, BlobId, EntryId, Sha256};
use crate::service::entries::no_entry;
use crate::{Error, ErrorKind};

/// Most bytes of a report, which is held in memory while it is recorded.
const REPORT_BYTES_MAX: u64 = 256 << 20;

/// Record the outcome of a conversion that was done elsewhere
///
/// Adds an attempt to the entry; earlier attempts stay. A successful one has a report. With
/// --resubmit, which adds none, the reports of the last attempt that the server rejected wait to be
/// sent once more.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals report 4711 report.json --report-id 8f2c
  annals report 4711 --status failed --error 'limit file is missing'
  annals report 4711 --resubmit")]
pub(crate) struct Args {
    /// The entry
    id: EntryId,
    /// The report; - is stdin. Needed when the status is success
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// success, failed, suspended, skipped or rejected
    #[arg(long, default_value = "success")]
    status: Outcome,
    /// The id a server gave the report
    #[arg(long, value_name = "RID")]
    report_id: Option<String>,
    /// Why it did not succeed
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// How long it took, in milliseconds
    #[arg(long, value_name = "N")]
    duration_ms: Option<u64>,
    /// The converter [default: the one the entry was archived for]
    #[arg(short, long, value_name = "NAME")]
    converter: Option<String>,
    /// The version of that converter
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// Have the reports that the server rejected sent again, by the host
    #[arg(long, conflicts_with_all = [
        "file", "status", "report_id", "error", "duration_ms", "converter", "version",
    ])]
    resubmit: bool,
}

#[derive(Serialize)]
struct Recorded<'a> {
    id: EntryId,
    attempt: AttemptNo,
    status: Outcome,
    report: Option<BlobRef>,
    report_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Resubmitted {
    id: EntryId,
    waiting: u32,
}

/// Queues the rejected reports of the last attempt to be sent again.
///
/// For use once the server's reason to reject them no longer holds.
fn resubmit(id: EntryId, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open_to_record()?;
    let waiting = archive.resubmit(id)?;
    let closed = archive.close();
    if waiting == 0 {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("the last attempt of entry {id} has no rejected report"),
        )
        .hint(format!("`annals show {id}` tells where its reports stand"))
        .into());
    }
    if context.json() {
        context.print_json(&Resubmitted { id, waiting })?;
    } else {
        context.print(format!(
            "entry {id}: {} to be submitted again\n",
            counted(waiting.into(), "report waits", "reports wait")
        ))?;
    }
    closed?;
    Ok(Exit::Done)
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if args.resubmit {
        return resubmit(args.id, context);
    }
    if args.file.is_none() && (args.status == Outcome::Success || args.report_id.is_some()) {
        return Err(Error::new(ErrorKind::Invalid, "there is no report")
            .hint("name its FILE, - for stdin, or another --status such as failed")
            .into());
    }
    let report = args
        .file
        .as_deref()
        .map(|file| read_report(file, context))
        .transpose()?;
    if let Some(report) = &report {
        check_report(report)?;
    }
    let archive = context.open_to_record()?;
    let entry = archive
        .snapshot()?
        .entry(args.id)?
        .ok_or_else(|| no_entry(args.id))?;
    let blob = report.as_ref().map(|content| BlobRef {
        blake3: BlobId::of(content),
        sha256: Sha256::of(content),
        size: content.len() as u64,
    });
    let same_converter = args.converter.is_none();
    let attempt = archive.record_attempt(
        args.id,
        NewAttempt {
            converter_version: args
                .version
                .or(entry.converter_version.filter(|_| same_converter)),
            duration_ms: args.duration_ms,
            error: args.error,
            reports: report.into_iter().collect(),
            ..NewAttempt::new(args.status, args.converter.unwrap_or(entry.converter))
        },
    )?;
    if let Some(report_id) = &args.report_id {
        let submission = archive.record_submission(args.id, attempt, 0, report_id, None);
        submission.map_err(|error| {
            error.adding(&format!(
                "; attempt {attempt} of entry {} is on record",
                args.id
            ))
        })?;
    }
    let closed = archive.close();
    let recorded = Recorded {
        id: args.id,
        attempt,
        status: args.status,
        report: blob,
        report_id: args.report_id.as_deref(),
    };
    if context.json() {
        context.print_json(&recorded)?;
    } else {
        let submitted = recorded
            .report_id
            .map(|id| format!(", submitted as {}", escape(id)))
            .unwrap_or_default();
        context.print(format!(
            "entry {}: attempt {attempt}, {}{submitted}\n",
            args.id, args.status
        ))?;
    }
    closed?;
    Ok(Exit::Done)
}

/// Refuses content that is no report: an empty one, as a failed program leaves it, and an answer of
/// the converter protocol.
fn check_report(report: &[u8]) -> Result<(), Error> {
    if report.trim_ascii().is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "the report is empty").hint(
            "look at the program that wrote it; what failed is recorded by --status failed \
             --error TEXT",
        ));
    }
    let Some(answer) = answer_for_report(report) else {
        return Ok(());
    };
    let why = answer.error.map(|why| format!(": {why}"));
    Err(Error::new(
        ErrorKind::Invalid,
        format!(
            "this is a converter's answer ({}{}), not a report",
            answer.outcome,
            why.unwrap_or_default()
        ),
    )
    .hint("hand in what is in its `report`, or --status failed --error TEXT without a file"))
}

fn read_report(file: &Path, context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    if file == Path::new("-") {
        return read_bounded(context.stdin(), "stdin".as_ref());
    }
    let file = &context.path(file);
    let failed = |error| Failure::plain(Error::io("read", file, error));
    let opened = File::open(file).map_err(failed)?;
    read_bounded(opened, file)
}

fn read_bounded(from: impl Read, place: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    from.take(REPORT_BYTES_MAX + 1)
        .read_to_end(&mut content)
        .map_err(|error| Failure::plain(Error::io("read", place, error)))?;
    if content.len() as u64 > REPORT_BYTES_MAX {
        return Err(Failure::plain(Error::new(
            ErrorKind::Invalid,
            format!(
                "{} is larger than a report may be, 256 MiB",
                place.display()
            ),
        )));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `converter x | annals report 4711 -`, a failed converter must not count as a success.
    #[test]
    fn nothing_and_a_converters_answer_are_no_reports() {
        for (content, why) in [
            ("", "empty"),
            (" \n", "empty"),
            (
                r#"{"status":"failed","error":"no limits"}"#,
                "(failed: no limits)",
            ),
            (r#"{"status":"success","report":{"sn":"1"}}"#, "(success)"),
        ] {
            let error = check_report(content.as_bytes()).expect_err(content);
            assert!(error.message().contains(why), "{error}");
        }
        for content in [
            r#"{"status":"failed","steps":[]}"#,
            "<report/>",
            "{}",
            "\u{1}",
        ] {
            check_report(content.as_bytes()).expect(content);
        }
    }
}
