//! `annals diff`: shows what differs between two attempts of one entry.

use std::fmt::Write as _;

use crate::archive::Access;
use crate::cli::arguments::Comparing;
use crate::cli::commands::reprocess::configuration;
use crate::cli::render::{counted, differences, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::PathPattern;
use crate::entry::{Attempt, Outcome};
use crate::id::EntryId;
use crate::service::entries::no_entry;
use crate::service::entry::Compare;
use crate::service::entry::configured_rules;

/// Show what really differs between the reports of two attempts
///
/// JSON, XML and tables are compared by structure and value, other reports line by line. With
/// --config, the rules of the converter say what does not count. Without it, only an id that is
/// generated in each run and the temporary folder of a run do not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals diff 4711
  annals diff 4711 --path '/steps/*/limits' --context 4
  annals --config host.toml diff 4711 --ignore '*/uuid' --ignored
  annals diff 4711 --attempt 3 --against 1 --json | jq .changes")]
pub(crate) struct Args {
    /// The entry
    id: EntryId,
    /// The newer attempt [default: the last one]
    #[arg(long, value_name = "A")]
    attempt: Option<u32>,
    /// The older attempt [default: the one before]
    #[arg(long, value_name = "B")]
    against: Option<u32>,
    /// Only what differs at this place, or below it
    #[arg(long, value_name = "PATTERN")]
    path: Option<PathPattern>,
    /// Show each difference with so many members beside it
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// Most differences that are shown
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: usize,
    /// Also list the differences that do not count, with the rule
    #[arg(long)]
    ignored: bool,
    #[command(flatten)]
    comparing: Comparing,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let rules = configured_rules(configuration(context)?.as_ref());
    let rules = args.comparing.apply(rules);
    let archive = context.open(Access::ReadOnly)?;
    let entry = archive
        .snapshot()?
        .entry(args.id)?
        .ok_or_else(|| no_entry(args.id))?;
    let asked = Compare {
        attempt: args.attempt,
        against: args.against,
        path: args.path.clone(),
        context: args.context,
        limit: args.limit,
        ..Compare::default()
    };
    let compared = asked.of(&archive, &entry, &rules, &context.zone())?;
    if context.json() {
        context.print_json(&compared.object())?;
        return Ok(Exit::Done);
    }
    let difference = &compared.difference;
    let mut text = format!(
        "entry {}: {} -> {}: {}\n",
        entry.id,
        words(&compared.old),
        words(&compared.new),
        compared.verdict.name()
    );
    let meant = compared.meant();
    let mut more = compared.more_around;
    if args.context.is_some() {
        for change in &compared.around {
            text += &differences::in_context(change, context.canvas());
        }
    } else if !meant.is_empty() {
        let (table, hidden) = differences::table(&meant, args.limit, context.canvas());
        text.push('\n');
        text += &table;
        more = hidden + difference.more_changes;
    }
    if more > 0 {
        let _ = writeln!(
            text,
            "and {}: --path PATTERN shows a part, --limit N shows more",
            counted(more, "more difference", "more differences")
        );
    }
    if args.ignored && !difference.ignored.is_empty() {
        text.push('\n');
        text += &differences::ignored(&difference.ignored, args.limit, context.canvas());
    }
    context.print(text)?;
    let ignored = compared.ignored();
    if ignored > 0 && !args.ignored {
        context.note(format_args!(
            "{} left out by rules; --ignored lists them, --strict counts them",
            counted(ignored, "difference", "differences")
        ));
    }
    Ok(Exit::Done)
}

/// Describes an attempt: `attempt 2 by ICT CSV 1.1.0`, with its outcome when it did not succeed.
fn words(attempt: &Attempt) -> String {
    let version = attempt.converter_version.as_deref().unwrap_or_default();
    let by = format!("{} {version}", attempt.converter);
    let ended = match attempt.status {
        Outcome::Success => String::new(),
        other => format!(" ({other})"),
    };
    format!(
        "attempt {} by {}{ended}",
        attempt.attempt,
        escape(by.trim_end())
    )
}
