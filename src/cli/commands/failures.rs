//! `annals failures`: shows what went wrong, by cause.

use crate::archive::{Access, FailureGroup};
use crate::cli::render::{Style, count, counted, escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store;
use crate::service::entries::{Filters, refuse_unknown_converters};
use crate::service::objects::{FailureObject, command_for};
use crate::service::time::Zone;

/// Show what went wrong, by cause, each with an example
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
    let stated = args.filters.to_filter(context.now(), &context.zone())?;
    let archive = context.open(Access::ReadOnly)?;
    let filter = stated.in_store(&context.desk(&archive))?;
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
            let mut object = FailureObject::new(group, config.as_deref(), &zone);
            object.command = context.command(&object.command);
            context.print_json(&object)?;
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
