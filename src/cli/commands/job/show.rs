//! `annals job show`: shows one job, with every failure and its reason.

use super::state::state_cell;
use crate::archive::{Archive, JobState};
use crate::cli::entries::selection_words;
use crate::cli::render::{Style, count, counted, duration, facts, reasons};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::JobPriority;
use crate::id::JobId;
use crate::service::objects::{Failures, JobWithFailures, ShownJob};

pub(super) fn show(
    archive: &Archive,
    id: JobId,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let job = archive.existing_job(id)?;
    let zone = context.zone();
    let shown = ShownJob::of(job, archive, &zone)?;
    let failures = Failures::of(archive, id, shown.job.finished.as_ref())?;
    if context.json() {
        context.print_json(&JobWithFailures {
            job: shown.object(),
            failures: &failures,
        })?;
        return Ok(Exit::Done);
    }
    let canvas = context.canvas();
    let title = Style::Bold.paint("Job", canvas.colour).into_owned();
    let state = state_cell(&shown.job).painted(canvas.colour).into_owned();
    let job = &shown.job;
    let mut known = vec![
        ("kind", job.started.kind.clone()),
        ("started", zone.long(shown.at)),
        ("selection", selection_words(&job.started.selection)),
        ("converter", job.started.converter_version.clone()),
        ("arguments", job.started.params.clone()),
        ("entries", count(job.started.total)),
    ];
    if job.started.priority != JobPriority::default() {
        known.push(("priority", job.started.priority.to_string()));
    }
    if let Some(old) = job.started.retry_of {
        known.push(("retries", format!("job {old}")));
    }
    if let Some(progress) = &job.progress {
        known.push(("done", count(progress.done)));
        if let Some(left) = progress.time_left() {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            known.push(("time left", duration(left)));
        }
    }
    if let Some(reason) = &job.started.reason {
        known.push(("reason", reason.clone()));
    }
    if let Some(ended) = &job.finished {
        known.extend([
            ("processed", count(ended.processed)),
            ("successful", count(ended.successful)),
            ("failed", count(ended.failed)),
            ("skipped", count(ended.skipped)),
            ("unchanged", count(ended.unchanged)),
            ("changed", count(ended.changed)),
            ("fixed", count(ended.fixed)),
            ("broken", count(ended.broken)),
        ]);
    }
    let causes = failures.causes.iter();
    let causes = causes.map(|cause| (cause.entries, cause.example, cause.text.as_str()));
    let reasons = reasons::table_of(causes, canvas);
    context.print(format!(
        "{title} {id}  {state}\n{}{reasons}",
        facts(known, canvas)
    ))?;
    if failures.more_errors > 0 {
        context.note(format_args!(
            "{} more did not succeed",
            counted(failures.more_errors, "entry", "entries")
        ));
    }
    match job.state() {
        JobState::Running => context.note(format_args!("to follow it: annals job watch {id}")),
        JobState::Paused | JobState::Interrupted => {
            context.note(format_args!("to go on: annals job resume {id}"));
        }
        JobState::Finished | JobState::Cancelled => {}
    }
    context.note(format_args!("its entries: annals list --job {id}"));
    Ok(Exit::Done)
}
