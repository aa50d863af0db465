//! `annals job list`: lists the jobs, the newest first.

use super::state::state_cell;
use crate::archive::Archive;
use crate::cli::render::{Cell, Column, Table, count};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::JobFinished;
use crate::service::objects::ShownJob;

pub(super) fn list(archive: &Archive, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let zone = context.zone();
    let jobs = archive.jobs()?.into_iter().rev();
    let jobs: Vec<ShownJob> = jobs
        .map(|job| ShownJob::of(job, archive, &zone))
        .collect::<Result<_, _>>()?;
    if context.json() {
        return jobs
            .iter()
            .try_for_each(|job| context.print_json(&job.object()))
            .map(|()| Exit::Done);
    }
    let columns = [
        Column::right("JOB"),
        Column::left("STARTED").dropped(1),
        Column::left("STATE").kept(),
        Column::clipped("CONVERTER"),
        Column::right("ENTRIES"),
        Column::right("SUCCESS").dropped(2),
        Column::right("FAILED"),
        Column::right("CHANGED"),
        Column::right("FIXED"),
        Column::right("BROKEN"),
        Column::text("REASON"),
    ];
    let row = |shown: &ShownJob| {
        let job = &shown.job;
        let number = |of: fn(&JobFinished) -> u64| {
            Cell::maybe(job.finished.as_ref().map(|finished| count(of(finished))))
        };
        vec![
            Cell::new(job.id.to_string()),
            Cell::new(zone.short(shown.at)),
            state_cell(&shown.job),
            Cell::new(&job.started.converter_version),
            Cell::new(count(job.started.total)),
            number(|job| job.successful),
            number(|job| job.failed),
            number(|job| job.changed),
            number(|job| job.fixed),
            number(|job| job.broken),
            Cell::maybe(job.started.reason.as_deref()),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    if jobs.is_empty() {
        context.note("no job has been run");
    }
    Ok(Exit::Done)
}
