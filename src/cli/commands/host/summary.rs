//! Summarises a pass in words, and as an exit code.

use crate::cli::render::{count, counted};
use crate::cli::run::Exit;
use crate::host::RunSummary;

/// Returns the exit code for the last pass.
pub(super) fn exit_of(summary: &RunSummary) -> Exit {
    let good = summary.successful
        + summary.skipped
        + summary.suspended
        + summary.known
        + summary.reports_submitted;
    let troubled = summary.failed
        + summary.rejected
        + summary.suspicious
        + summary.failed_before
        + summary.reports_rejected;
    if troubled > 0 {
        Exit::Partial
    } else if summary.errors.is_empty() {
        Exit::Done
    } else if good > 0 {
        Exit::Partial
    } else {
        Exit::Failed
    }
}

/// Returns a remark with the next step when entries have failed before.
pub(super) fn failed_before(failed: u64) -> Option<String> {
    let failed = Some(failed).filter(|failed| *failed > 0)?;
    Some(format!(
        "{} failed before: `annals reprocess --status failed`",
        count(failed)
    ))
}

/// Describes a pass: `575 files found, 575 archived, 560 of 575 converted`, and what was left in
/// place.
pub(super) fn in_words(summary: &RunSummary) -> String {
    let mut parts = vec![
        format!("{} found", counted(summary.found, "file", "files")),
        format!("{} archived", count(summary.archived)),
        format!(
            "{} of {} converted",
            count(summary.successful),
            count(summary.converted)
        ),
    ];
    if summary.suspicious > 0 {
        parts.push(format!("{} suspicious", count(summary.suspicious)));
    }
    if summary.known > 0 {
        parts.push(format!("{} known already", count(summary.known)));
    }
    if summary.done_before > 0 {
        let failed = match summary.failed_before {
            0 => String::new(),
            failed => format!(" ({} failed)", count(failed)),
        };
        parts.push(format!(
            "{} done before{failed}",
            count(summary.done_before)
        ));
    }
    if summary.archive_failed > 0 {
        parts.push(format!("{} not archived", count(summary.archive_failed)));
    }
    if summary.left > 0 {
        parts.push(format!("{} left for a later pass", count(summary.left)));
    }
    for (number, what) in [
        (summary.reports_submitted, "submitted"),
        (summary.reports_waiting, "waiting to be submitted"),
        (summary.reports_rejected, "rejected by the server"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", counted(number, "report", "reports")));
        }
    }
    if !summary.errors.is_empty() {
        parts.push(counted(summary.errors.len() as u64, "error", "errors"));
    }
    parts.join(", ") + "\n"
}
