//! `annals job changes`: shows what differs in the reports of a job.

use std::fmt::Write as _;

use crossbeam_channel::Sender;
use serde::Serialize;

use crate::archive::Access;
use crate::cli::arguments::Comparing;
use crate::cli::commands::reprocess::configuration;
use crate::cli::render::changes;
use crate::cli::render::{Cell, Column, Table, count, counted};
use crate::cli::run::{Context, Exit, Failure, work_in_background};
use crate::convert::{
    Change, ChangeSummary, JobChange, PathPattern, RuleBook, Verdict, job_changes,
};
use crate::id::{AttemptNo, EntryId, JobId};
use crate::service::entry::configured_rules;
use crate::service::reprocess::ChangesObject;
use crate::service::words::{short, short_path};

/// Show what differs between the reports of a job and those before it, by place
///
/// The archived reports are compared again, by the rules that the job was judged with. Nothing is
/// converted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals job changes 5120
  annals job changes 5120 --path '/steps/*/limits'
  annals --config host.toml job changes 5120 --current-rules")]
pub(super) struct Args {
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
    /// List the entries whose reports differ at this place, or below it
    #[arg(long, value_name = "PATTERN")]
    path: Option<PathPattern>,
    /// Most entries that are listed
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Use the rules of the configuration, not those that the job was judged with
    #[arg(long)]
    current_rules: bool,
    #[command(flatten)]
    comparing: Comparing,
}

/// What differs in the reports of a job, as JSON output shows it.
#[derive(Serialize)]
struct Changes<'a> {
    job: JobId,
    unchanged: u64,
    changed: u64,
    fixed: u64,
    broken: u64,
    #[serde(flatten)]
    places: ChangesObject,
    entries: &'a [ChangedEntry],
    /// Number of entries beyond the listed ones.
    more_entries: u64,
}

/// An entry whose reports differ at the place that was asked for.
#[derive(Serialize)]
struct ChangedEntry {
    id: EntryId,
    attempt: AttemptNo,
    against: AttemptNo,
    changes: Vec<Change>,
}

/// What is collected from the comparisons.
#[derive(Default)]
struct Collected {
    summary: ChangeSummary,
    entries: Vec<ChangedEntry>,
    more_entries: u64,
}

impl Collected {
    fn add(&mut self, found: JobChange, args: &Args) {
        let judged = found.judgement;
        let (entry, converter) = (found.entry, &found.converter);
        self.summary
            .add(entry, converter, Some(judged.verdict), &judged.difference);
        let Some(pattern) = &args.path else { return };
        let all = judged.difference.changes.into_iter();
        let changes: Vec<Change> = all.filter(|change| pattern.covers(&change.path)).collect();
        if changes.is_empty() {
            return;
        }
        if self.entries.len() >= args.limit {
            self.more_entries += 1;
            return;
        }
        self.entries.push(ChangedEntry {
            id: entry,
            attempt: found.attempt,
            against: found.before,
            changes,
        });
    }
}

pub(super) fn changes(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let total = archive.existing_job(args.id)?.started.total;
    let known = if args.current_rules {
        Some(configured_rules(Some(&context.configuration()?)))
    } else {
        let recorded = archive.existing_job(args.id)?.started.compare;
        let recorded = RuleBook::of_recorded(recorded.as_deref().unwrap_or_default())?;
        args.comparing.is_given().then_some(recorded)
    };
    let rules = known.map(|known| args.comparing.apply(known));
    let cancel = context.cancel_by_signal();
    let mut collected = Collected::default();
    let mut done = 0;
    let work = |tell: &Sender<JobChange>| {
        job_changes(&archive, args.id, rules.as_ref(), &cancel, &mut |found| {
            // Sending fails only when the comparison is being cancelled.
            let _ = tell.send(found);
        })
    };
    let whole = work_in_background(&cancel, work, |found| {
        done += 1;
        context.meter.report(done, total, "comparing");
        collected.add(found, &args);
        Ok(())
    })??;
    context.meter.clear();
    let summary = &collected.summary;
    if context.json() {
        let number = |verdict| summary.number(verdict);
        context.print_json(&Changes {
            job: args.id,
            unchanged: number(Verdict::Unchanged),
            changed: number(Verdict::Changed),
            fixed: number(Verdict::Fixed),
            broken: number(Verdict::Broken),
            places: ChangesObject::of(summary),
            entries: &collected.entries,
            more_entries: collected.more_entries,
        })?;
    } else {
        let text = match &args.path {
            Some(pattern) => listed(&collected, pattern, context),
            None => page(args.id, summary, context)?,
        };
        context.print(text)?;
    }
    Ok(if whole { Exit::Done } else { Exit::Partial })
}

/// Returns the summary over all places.
fn page(job: JobId, summary: &ChangeSummary, context: &Context<'_>) -> Result<String, Failure> {
    let number = |verdict| count(summary.number(verdict));
    let mut text = format!(
        "job {job}: {} unchanged, {} changed, {} fixed, {} broken\n",
        number(Verdict::Unchanged),
        number(Verdict::Changed),
        number(Verdict::Fixed),
        number(Verdict::Broken)
    );
    let rules = configured_rules(configuration(context)?.as_ref());
    text += &changes::table(summary, context.canvas());
    text += &changes::ignored(summary);
    text += &changes::proposal(summary, &rules);
    Ok(text)
}

/// Lists the entries that differ at a place.
fn listed(collected: &Collected, pattern: &PathPattern, context: &Context<'_>) -> String {
    if collected.entries.is_empty() {
        return format!("no report differs at {pattern}\n");
    }
    let columns = [
        Column::right("ENTRY"),
        Column::clipped("WHERE").kept(),
        Column::clipped("IN"),
        Column::clipped("BEFORE").kept(),
        Column::clipped("NOW").kept(),
    ];
    let mut rows = Vec::new();
    for entry in &collected.entries {
        for change in entry.changes.iter().take(1) {
            rows.push(vec![
                Cell::new(entry.id.to_string()),
                Cell::new(short_path(&change.path)),
                Cell::maybe(change.within.as_deref()),
                Cell::maybe(change.old.as_ref().map(short)),
                Cell::maybe(change.new.as_ref().map(short)),
            ]);
        }
        if let more @ 1.. = entry.changes.len().saturating_sub(1) {
            let more = counted(more as u64, "more place", "more places");
            let mut row = vec![Cell::new(""), Cell::new(format!("and {more}"))];
            row.resize(columns.len(), Cell::new(""));
            rows.push(row);
        }
    }
    let mut text = Table::new(&columns, context.canvas()).page(&rows);
    if collected.more_entries > 0 {
        let more = counted(collected.more_entries, "more entry", "more entries");
        let _ = writeln!(text, "and {more}; --limit shows more of them");
    }
    text
}
