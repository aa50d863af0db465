//! Prints the result of a job, for people and programs.

use super::plan::cannot_run;
use super::verb::Manner;
use crate::cli::render::changes;
use crate::cli::render::{Style, count, counted, duration, escape, facts, reasons};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::ReprocessResult;
use crate::event::JobStop;
use crate::id::EntryId;
use crate::service::reprocess::{Findings, OutcomeObject};
use crate::{Error, ErrorKind};

/// Most entries that are listed by id.
const LISTED_MAX: usize = 8;

pub(super) fn tell_outcome(
    result: &ReprocessResult,
    findings: &Findings,
    manner: &Manner,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if context.json() {
        context.print_json(&OutcomeObject::of(result, findings, manner.compare_only))?;
    } else {
        let text = page(result, findings, manner, context);
        context.print(text)?;
        if let Some(job) = result
            .job
            .filter(|_| result.failed + result.skipped + result.not_tried > 0)
        {
            context.note(format_args!(
                "every failure and its reason: annals job show {job}"
            ));
        }
        if let Some(job) = result.job.filter(|_| result.interrupted)
            && result.stopped != Some(JobStop::Cancelled)
        {
            context.note(format_args!("to go on: annals job resume {job}"));
        }
    }
    if let Some(why) = &result.end_error {
        let unended = format!("the attempts are on record, but the end of the job is not: {why}");
        context.error(
            &Error::new(ErrorKind::Io, unended)
                .hint("open the store again; 'annals job list' shows the job as interrupted"),
        );
    }
    if result.not_tried > 0 {
        context.error(&cannot_run(result.not_tried, &result.blocked.join("; ")));
        return Ok(Exit::Failed);
    }
    let compared = result.unchanged + result.changed + result.fixed + result.broken;
    if manner.fail_on_change && compared == 0 && result.first > 0 {
        return Err(Error::new(
            ErrorKind::NotFound,
            "nothing was compared: no entry that ran has an attempt before",
        )
        .hint("leave out --fail-on-change, or select entries that were converted before")
        .into());
    }
    let differs = result.changed + result.fixed + result.broken + result.suspicious > 0;
    Ok(if manner.fail_on_change && differs {
        Exit::Damaged
    } else if result.failed + result.skipped > 0 || result.interrupted || result.end_error.is_some()
    {
        Exit::Partial
    } else {
        Exit::Done
    })
}

pub(super) fn page(
    result: &ReprocessResult,
    findings: &Findings,
    manner: &Manner,
    context: &Context<'_>,
) -> String {
    let canvas = context.canvas();
    let (title, after) = match result.job {
        Some(job) => (format!("Job {job}"), ""),
        None if manner.compare_only => ("Compared".to_owned(), ", nothing recorded"),
        None => ("Reprocessed".to_owned(), ""),
    };
    let stopped = match result.stopped {
        Some(JobStop::Paused) if result.interrupted => ", paused",
        Some(JobStop::Cancelled) if result.interrupted => ", cancelled",
        _ if result.interrupted => ", stopped before its end",
        _ => "",
    };
    let mut text = format!(
        "{}  {} in {}{after}{stopped}\n",
        Style::Bold.paint(&title, canvas.colour),
        counted(result.total, "entry", "entries"),
        duration(result.duration_ms),
    );
    let with_ids = |number: u64, ids: &[EntryId]| {
        let listed: Vec<String> = ids
            .iter()
            .take(LISTED_MAX)
            .map(ToString::to_string)
            .collect();
        let more = if ids.len() > LISTED_MAX { ", ..." } else { "" };
        match listed.len() {
            0 => count(number),
            _ => format!("{}: {}{more}", count(number), listed.join(", ")),
        }
    };
    let mut known = vec![
        ("successful", count(result.successful)),
        ("failed", count(result.failed)),
    ];
    if result.not_tried > 0 {
        known.push(("not tried", count(result.not_tried)));
    }
    if result.skipped > 0 {
        known.push(("passed over", count(result.skipped)));
    }
    if result.first > 0 {
        known.push(("never converted before", count(result.first)));
    }
    known.extend([
        ("unchanged", count(result.unchanged)),
        ("changed", count(result.changed)),
        ("fixed", with_ids(result.fixed, &findings.fixed)),
        ("broken", with_ids(result.broken, &findings.broken)),
    ]);
    if result.suspicious > 0 {
        let ids = with_ids(result.suspicious, &findings.suspicious);
        known.push(("suspicious", ids));
    }
    if result.environment_differs > 0 {
        known.push(("environment differs", count(result.environment_differs)));
    }
    if result.environment_not_recorded > 0 {
        let number = count(result.environment_not_recorded);
        known.push(("environment not recorded", number));
    }
    if manner.submits {
        known.push(("to be submitted", count(result.submitted)));
    }
    text += &facts(known, canvas);
    for what in &result.environments {
        text.extend(["environment differs: ", &escape(what), "\n"]);
    }
    text += &changes::table(&findings.changes, canvas);
    text += &changes::ignored(&findings.changes);
    text += &changes::proposal(&findings.changes, &manner.rules);
    let errors = result.errors.iter();
    text + &reasons::table(errors.map(|error| (error.id, error.error.as_str())), canvas)
}
