//! `annals host run --once`: makes one pass over all folders and prints what was converted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::service::{Ended, Service, while_listening};
use super::summary::{exit_of, in_words};
use crate::cli::render::{Cell, Column, Table, count, duration, escape, path_text};
use crate::cli::run::{Context, Exit, Failure, work_in_background_or};
use crate::cli::store::State;
use crate::convert::Conversion;
use crate::entry::Outcome;
use crate::host::{Hooks, Notice, RunSummary};
use crate::id::EntryId;
use crate::time::{Clock, SystemClock};

/// The most files whose reasons are told without `--verbose`.
const REASONS_MAX: usize = 20;

/// Messages of the host while it works.
enum News {
    /// A line that is shown with `--verbose`.
    Line(String),
    Converted {
        converter: String,
        outcome: Outcome,
        /// Why it did not succeed, with the file and its entry.
        reason: Option<String>,
    },
    Trouble(String),
    Passed(Box<RunSummary>),
}

/// Makes one pass over all folders. Its results are printed as those of any other verb.
pub(super) fn run_single_pass(
    service: Service,
    state: Arc<State>,
    context: &mut Context<'_>,
) -> Result<Ended, Failure> {
    let stop = service.stop.clone();
    let mut tally = Tally::new(state);
    let work = |tell: &Sender<News>| {
        let tell = tell.clone();
        let hooks = Hooks::new(move |notice| {
            if let Some(news) = news(notice) {
                // Sending fails only when the host is being stopped.
                let _ = tell.send(news);
            }
        });
        let (host, stop) = (Arc::clone(&service.host), service.stop.clone());
        while_listening(service, &hooks, || _ = host.run_once(&stop, &hooks))
    };
    let signalled =
        work_in_background_or(|| stop.at_once(), work, |news| tally.hear(news, context))??;
    Ok((signalled, tally.exit()))
}

/// Returns the message that a notice of the host leads to. Most notices lead to none.
fn news(notice: &Notice<'_>) -> Option<News> {
    let shown = |path: &Path| path_text(path);
    Some(match notice {
        Notice::Converted {
            path,
            converter,
            entry,
            conversion,
        } => News::Converted {
            converter: (*converter).to_owned(),
            outcome: conversion.outcome,
            reason: reason(path, *entry, conversion),
        },
        Notice::Passed(summary) => News::Passed(Box::new((*summary).clone())),
        Notice::Archived {
            path,
            entry,
            existing: false,
        } => News::Line(format!("archived {} as entry {entry}", shown(path))),
        Notice::Submitted {
            entry,
            endpoint,
            report_id,
        } => News::Line(format!(
            "submitted {} to {endpoint} as {report_id}",
            report_of(*entry)
        )),
        Notice::SubmissionRejected {
            entry,
            endpoint,
            status,
            text,
        } => News::Trouble(format!(
            "{endpoint} rejected {} ({status}): {text}",
            report_of(*entry)
        )),
        Notice::SubmissionWaits { error, wait, .. } => News::Trouble(format!(
            "{error}; next try in {}",
            duration(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        )),
        Notice::Trouble { path, error } => News::Trouble(format!("{}: {error}", shown(path))),
        Notice::ArchiveFailed { path, error, waits } => {
            let so = if *waits {
                "it waits"
            } else {
                "it is converted and kept"
            };
            News::Trouble(format!("{}: not archived, {so}: {error}", shown(path)))
        }
        Notice::DiskLow { error }
        | Notice::FolderSilent { error, .. }
        | Notice::LineStopped { error, .. } => News::Trouble(error.to_string()),
        Notice::Left { path, why } => News::Line(format!("left {}: {why}", shown(path))),
        Notice::DoneBefore {
            path,
            entry,
            outcome: Outcome::Failed | Outcome::Rejected,
            error,
        } => News::Trouble(format!(
            "{} was not tried again: entry {entry} failed before under the same converter ({}); correct that, or `annals show {entry}`",
            shown(path),
            in_short(error.unwrap_or("no reason given"))
        )),
        Notice::DoneBefore { path, entry, .. } => News::Line(format!(
            "{} was converted before, as entry {entry}",
            shown(path)
        )),
        _ => return None,
    })
}

/// Describes why a conversion did not succeed; `None` for one that did.
fn reason(path: &Path, entry: Option<EntryId>, conversion: &Conversion) -> Option<String> {
    let what = match conversion.outcome {
        Outcome::Failed => "failed",
        Outcome::Rejected => "was rejected",
        Outcome::Suspended => "is suspended",
        Outcome::Success | Outcome::Skipped => return None,
    };
    let why = in_short(conversion.error.as_deref().unwrap_or("no reason given"));
    let entry = entry.map_or_else(String::new, |entry| format!(" (entry {entry})"));
    Some(format!("{} {what}{entry}: {why}", path_text(path)))
}

/// Returns the first line of an error, and its last one, where a traceback says what happened.
fn in_short(error: &str) -> String {
    let mut lines = error.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.next_back() {
        Some(last) => format!("{first} ... {last}"),
        None => first.to_owned(),
    }
}

fn report_of(entry: Option<EntryId>) -> String {
    match entry {
        Some(entry) => format!("the report of entry {entry}"),
        None => "a report".to_owned(),
    }
}

/// The sums of a pass.
struct Tally {
    converters: BTreeMap<String, [u64; 5]>,
    taken: u64,
    /// Number of reasons that were told.
    told: usize,
    last: RunSummary,
    /// The status that clients read.
    state: Arc<State>,
}

impl Tally {
    fn new(state: Arc<State>) -> Self {
        Self {
            converters: BTreeMap::new(),
            taken: 0,
            told: 0,
            last: RunSummary::default(),
            state,
        }
    }

    fn hear(&mut self, news: News, context: &mut Context<'_>) -> Result<(), Failure> {
        match news {
            News::Line(line) => {
                if context.globals.verbose {
                    context.note(escape(&line));
                }
            }
            News::Converted {
                converter,
                outcome,
                reason,
            } => {
                self.taken += 1;
                self.tell_reason(reason, context);
                self.converters.entry(converter).or_default()[column(outcome)] += 1;
                context.meter.report(self.taken, 0, "converted");
            }
            News::Trouble(line) => context.warn(line),
            News::Passed(summary) => {
                context.meter.clear();
                self.passed(*summary, context)?;
            }
        }
        Ok(())
    }

    /// Tells why a file was not converted. Thousands of files may fail of one cause, so only the
    /// first are told, unless all are asked for.
    fn tell_reason(&mut self, reason: Option<String>, context: &mut Context<'_>) {
        let Some(reason) = reason else { return };
        self.told += 1;
        if self.told <= REASONS_MAX || context.globals.verbose {
            context.warn(reason);
        } else if self.told == REASONS_MAX + 1 {
            context.warn("more files were not converted: `annals failures` tells them by cause");
        }
    }

    fn passed(&mut self, summary: RunSummary, context: &mut Context<'_>) -> Result<(), Failure> {
        self.state.owner.passed(&summary, SystemClock.now());
        if context.json() {
            context.print_json(&summary)?;
            context.flush()?;
        } else {
            let table = self.table(context);
            context.print(table)?;
            context.print(in_words(&summary))?;
        }
        self.last = summary;
        Ok(())
    }

    fn table(&self, context: &Context<'_>) -> String {
        let columns = [
            Column::left("CONVERTER"),
            Column::right("CONVERTED"),
            Column::right("SUCCESS"),
            Column::right("FAILED"),
            Column::right("REJECTED"),
            Column::right("SUSPENDED"),
            Column::right("SKIPPED"),
        ];
        let rows: Vec<_> = self
            .converters
            .iter()
            .map(|(name, numbers)| {
                let all: u64 = numbers.iter().sum();
                std::iter::once(Cell::new(name))
                    .chain([Cell::new(count(all))])
                    .chain(numbers.iter().map(|number| Cell::new(count(*number))))
                    .collect()
            })
            .collect();
        Table::new(&columns, context.canvas()).page(&rows)
    }

    fn exit(&self) -> Exit {
        exit_of(&self.last)
    }
}

const fn column(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Success => 0,
        Outcome::Failed => 1,
        Outcome::Rejected => 2,
        Outcome::Suspended => 3,
        Outcome::Skipped => 4,
    }
}
