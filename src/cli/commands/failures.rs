//! `annals failures`: shows what went wrong, by cause.

use serde::Serialize;

use crate::archive::{Access, FailureGroup};
use crate::cli::render::{Style, count, counted, escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store;
use crate::entry::CauseKind;
use crate::id::EntryId;
use crate::service::entries::{Filters, in_store, refuse_unknown_converters};
use crate::service::time::Zone;
use crate::service::words::in_shell;
use crate::time::Timestamp;

/// Show what went wrong, by cause: how often, since when, and an example
///
/// Errors are counted as one cause when they differ only in numbers, paths, serials, times and
/// quoted names. Only the last attempt of each entry counts: an entry that was fixed later is no
/// failure. Suspicious results and reports that a server refused are causes, too. An entry with two
/// troubles counts for both.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals failures
  annals failures -c 'ICT CSV' --from 'last week'
  annals list --failure 3f09a1b2c4
  annals --config host.toml reprocess --failure 3f09a1b2c4")]
pub(crate) struct Args {
    /// At most this many causes
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    filters: Filters,
}

/// One cause, as JSON output shows it.
#[derive(Serialize)]
struct FailureObject<'a> {
    cause: String,
    kind: &'a str,
    text: &'a str,
    converter: &'a str,
    entries: u64,
    first: Timestamp,
    last: Timestamp,
    example: EntryId,
    example_error: Option<&'a str>,
    command: String,
}

impl<'a> FailureObject<'a> {
    fn new(group: &'a FailureGroup, config: Option<&str>, zone: &Zone) -> Self {
        Self {
            cause: group.cause.id.to_string(),
            kind: group.cause.kind.name(),
            text: &group.cause.text,
            converter: &group.converter,
            entries: group.entries,
            first: zone.exact(group.first),
            last: zone.exact(group.last),
            example: group.example,
            example_error: group.example_error.as_deref(),
            command: command_for(group, config),
        }
    }
}

/// Returns the command that deals with exactly the entries of a cause: it converts them again, or
/// lists them where a server refused their reports.
pub(crate) fn command_for(group: &FailureGroup, config: Option<&str>) -> String {
    let id = group.cause.id;
    if group.cause.kind == CauseKind::Refused {
        return format!("annals list --failure {id}");
    }
    let config = config.map_or("FILE".into(), in_shell);
    format!("annals --config {config} reprocess --failure {id}")
}

/// Returns a cause in two lines: the numbers, and the words, which need the room of a line.
fn block(group: &FailureGroup, zone: &Zone, colour: bool) -> String {
    let id = group.cause.id.to_string();
    let (first, last) = (zone.day(group.first), zone.day(group.last));
    let when = if first == last {
        first
    } else {
        format!("{first} to {last}")
    };
    format!(
        "{:>7}  {}  {}, {}, {when}, such as entry {}\n         {}\n",
        count(group.entries),
        Style::Bold.paint(&id, colour),
        group.cause.kind,
        escape(&group.converter),
        group.example,
        escape(&group.cause.text)
    )
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let filter = args.filters.to_filter(context.now(), &context.zone())?;
    let archive = context.open(Access::ReadOnly)?;
    let filter = in_store(filter, &context.desk(&archive))?;
    let snapshot = archive.snapshot()?;
    let mut failures = snapshot.failures(&filter)?;
    if failures.is_empty() {
        let config = context.configuration().ok();
        refuse_unknown_converters(&filter, &snapshot, config.as_ref())?;
    }
    let all = failures.len();
    failures.truncate(args.limit.unwrap_or(all));
    let config = store::config_file(&context.globals, context.caller_env());
    let config = config.map(|path| path_text(&path));
    let zone = context.zone();
    if context.json() {
        for group in &failures {
            context.print_json(&FailureObject::new(group, config.as_deref(), &zone))?;
        }
        return Ok(Exit::Done);
    }
    let Some(first) = failures.first() else {
        context.note("the last attempt of every entry is well");
        return Ok(Exit::Done);
    };
    let colour = context.canvas().colour;
    let blocks: String = failures
        .iter()
        .map(|group| block(group, &zone, colour))
        .collect();
    context.print(blocks)?;
    if all > failures.len() {
        let more = counted((all - failures.len()) as u64, "more cause", "more causes");
        context.note(format_args!("and {more}"));
    }
    context.note(format_args!(
        "to convert those of the first again: {}",
        escape(&command_for(first, config.as_deref()))
    ));
    Ok(Exit::Done)
}
