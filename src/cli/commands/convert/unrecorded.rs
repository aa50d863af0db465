//! `annals convert ID --no-record`: converts an entry and compares, and changes nothing.

use serde::Serialize;

use super::configured::configured;
use super::result::{Converted, cancelled, exit, in_words, print_reports, remark};
use crate::cli::content::{note_access, open_to_hand_out};
use crate::cli::render::{count, counted, differences};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{Change, Trial, Verdict, try_entry};
use crate::event::Handed;
use crate::host::Config;
use crate::id::{AttemptNo, EntryId};
use crate::service::entries::no_entry;

/// Most changes that are shown to people.
const CHANGES_MAX: usize = 50;

#[derive(Serialize)]
struct Tried<'a> {
    #[serde(flatten)]
    converted: Converted<'a>,
    recorded: bool,
    compared_with: Option<AttemptNo>,
    verdict: Option<Verdict>,
    changes: &'a [Change],
    ignored: &'a [Change],
}

pub(super) fn convert_unrecorded(
    id: EntryId,
    named: Option<&str>,
    config: &Config,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let archive = open_to_hand_out(context)?;
    let entry = archive.snapshot()?.entry(id)?.ok_or_else(|| no_entry(id))?;
    let converter = configured(config, named.unwrap_or(&entry.converter))?;
    let cancel = context.cancel_by_signal();
    let trial = try_entry(&archive, converter, id, &std::env::temp_dir(), &cancel)?;
    let trial = trial.ok_or_else(cancelled)?;
    let ids = || Ok(vec![id]);
    note_access(&archive, Handed::Contents, "convert", None, ids, context)?;
    let conversion = &trial.conversion;
    if context.json() {
        let mut converted = Converted::new(converter, conversion);
        (converted.id, converted.converter_id) = (Some(id), Some(trial.converter_id));
        context.print_json(&Tried {
            converted,
            recorded: false,
            compared_with: trial.compared_with,
            verdict: trial.verdict,
            changes: &trial.difference.changes,
            ignored: &trial.difference.ignored,
        })?;
        return Ok(exit(conversion.outcome));
    }
    print_reports(conversion, context)?;
    context.note(format_args!(
        "entry {id}: {}; nothing is recorded",
        in_words(converter, conversion)
    ));
    remark(conversion, context);
    tell_comparison(&trial, context);
    Ok(exit(conversion.outcome))
}

/// Says how the result compares with the attempt on record.
fn tell_comparison(trial: &Trial, context: &mut Context<'_>) {
    let (Some(verdict), Some(attempt)) = (trial.verdict, trial.compared_with) else {
        return context.note("there is no attempt on record to compare with");
    };
    let word = verdict.name();
    context.note(format_args!("compared with attempt {attempt}: {word}"));
    if !trial.difference.changes.is_empty() {
        let changes: Vec<&Change> = trial.difference.changes.iter().collect();
        let (table, hidden) = differences::table(&changes, CHANGES_MAX, context.canvas());
        for line in table.lines() {
            context.note(line);
        }
        if hidden > 0 {
            context.note(format_args!(
                "and {} more; --json has them all",
                count(hidden)
            ));
        }
    }
    let ignored = trial.difference.ignored.len() as u64;
    if ignored > 0 {
        let left_out = counted(ignored, "difference is", "differences are");
        context.note(format_args!("{left_out} left out"));
    }
}
