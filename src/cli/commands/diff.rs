//! `annals diff`: shows what differs between two attempts of one entry.

use std::fmt::Write as _;

use serde::Serialize;

use crate::archive::{Access, Archive};
use crate::cli::arguments::Comparing;
use crate::cli::commands::reprocess::{configuration, configured_rules};
use crate::cli::render::{counted, differences, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{
    Change, ChangeInContext, CompareRules, Focus, PathPattern, Run, Verdict, compare_in_context,
    judge,
};
use crate::entry::{Attempt, Entry, Outcome};
use crate::id::{AttemptNo, EntryId};
use crate::service::content::{refuse_purged, refuse_purged_reports};
use crate::service::entries::no_entry;
use crate::{Error, ErrorKind};

/// Most bytes of a report that is compared.
const REPORT_BYTES_MAX: u64 = 256 << 20;

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

#[derive(Serialize)]
struct Compared<'a> {
    id: EntryId,
    attempt: AttemptNo,
    against: AttemptNo,
    verdict: Verdict,
    changes: Shown<'a>,
    /// Number of differences that are not listed.
    more_changes: u64,
    ignored: &'a [Change],
    more_ignored: u64,
}

/// The differences, with or without what is around them.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Plain(Vec<&'a Change>),
    InContext(&'a [ChangeInContext]),
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let rules = configured_rules(configuration(context)?.as_ref());
    let rules = args.comparing.apply(rules);
    let archive = context.open(Access::ReadOnly)?;
    let entry = archive
        .snapshot()?
        .entry(args.id)?
        .ok_or_else(|| no_entry(args.id))?;
    refuse_purged(&entry, &context.zone())?;
    let (old, new) = pair(&entry, &args)?;
    for attempt in [old, new] {
        refuse_purged_reports(&entry, attempt.attempt, &context.zone())?;
    }
    let rules = rules.of_converter(&new.converter);
    let reports = |attempt| reports_of(&archive, attempt);
    let (old_reports, new_reports) = (reports(old)?, reports(new)?);
    let as_run = |attempt: &Attempt, reports| Run {
        outcome: attempt.status,
        reports,
        unit: None,
    };
    let judged = judge(rules, as_run(old, &old_reports), as_run(new, &new_reports));
    let difference = &judged.difference;
    let (around, more_around) = in_context(&args, rules, &old_reports, &new_reports);
    if context.json() {
        let plain = difference.changes.iter();
        let plain = plain.filter(|change| args.is_meant(change));
        context.print_json(&Compared {
            id: entry.id,
            attempt: new.attempt,
            against: old.attempt,
            verdict: judged.verdict,
            changes: match args.context {
                Some(_) => Shown::InContext(&around),
                None => Shown::Plain(plain.collect()),
            },
            more_changes: match args.context {
                Some(_) => more_around,
                None => difference.more_changes,
            },
            ignored: &difference.ignored,
            more_ignored: difference.more_ignored,
        })?;
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "entry {}: {} -> {}: {}\n",
        entry.id,
        words(old),
        words(new),
        judged.verdict.name()
    );
    let meant: Vec<&Change> = difference
        .changes
        .iter()
        .filter(|change| args.is_meant(change))
        .collect();
    let mut more = more_around;
    if args.context.is_some() {
        for change in &around {
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
    let ignored = difference.ignored.len() as u64 + difference.more_ignored;
    if ignored > 0 && !args.ignored {
        context.note(format_args!(
            "{} left out by rules; --ignored lists them, --strict counts them",
            counted(ignored, "difference", "differences")
        ));
    }
    Ok(Exit::Done)
}

impl Args {
    fn is_meant(&self, change: &Change) -> bool {
        let pattern = self.path.as_ref();
        pattern.is_none_or(|pattern| pattern.covers(&change.path))
    }
}

/// Returns the differences with what is around them, if that is wanted.
fn in_context(
    args: &Args,
    rules: &CompareRules,
    old: &[Vec<u8>],
    new: &[Vec<u8>],
) -> (Vec<ChangeInContext>, u64) {
    let Some(siblings) = args.context else {
        return (Vec::new(), 0);
    };
    let focus = Focus {
        path: args.path.clone(),
        siblings,
        limit: args.limit,
    };
    compare_in_context(rules, old, new, &focus)
}

/// Returns the attempts to compare, the older one first.
fn pair<'a>(entry: &'a Entry, args: &Args) -> Result<(&'a Attempt, &'a Attempt), Error> {
    let count = u32::try_from(entry.attempts.len()).unwrap_or(u32::MAX);
    let find = |wanted: u32| {
        entry
            .attempts
            .iter()
            .find(|attempt| attempt.attempt.0 == wanted)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    format!("entry {} has no attempt {wanted}", entry.id),
                )
                .hint(format!("`annals show {}` lists its attempts", entry.id))
            })
    };
    let newer = args.attempt.unwrap_or(count);
    if args.against.is_none() && newer == count.min(1) {
        return Err(Error::new(
            ErrorKind::NotFound,
            match count {
                0 => format!("entry {} was never converted", entry.id),
                _ => format!("there is no attempt before attempt 1 of entry {}", entry.id),
            },
        )
        .hint("`annals reprocess ID` makes another attempt"));
    }
    let new = find(newer)?;
    let old = find(args.against.unwrap_or(newer - 1))?;
    Ok((old, new))
}

fn reports_of(archive: &Archive, attempt: &Attempt) -> Result<Vec<Vec<u8>>, Error> {
    attempt
        .reports
        .iter()
        .map(|report| archive.read_all(&report.blake3, REPORT_BYTES_MAX))
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::entries::sample;

    #[test]
    fn the_last_attempt_is_compared_with_the_one_before_unless_others_are_named() {
        let mut entry = sample();
        let args = |attempt, against| Args {
            id: entry.id,
            attempt,
            against,
            path: None,
            context: None,
            limit: 40,
            ignored: false,
            comparing: Comparing::default(),
        };
        let (none, second, cross) = (
            args(None, None),
            args(Some(2), None),
            args(Some(1), Some(3)),
        );
        let error = pair(&entry, &none).expect_err("only one attempt");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        for number in 2..=3 {
            let mut attempt = entry.attempts[0].clone();
            attempt.attempt = AttemptNo(number);
            entry.attempts.push(attempt);
        }
        let numbers = |args: &Args| {
            let (old, new) = pair(&entry, args).expect("both are there");
            (old.attempt.0, new.attempt.0)
        };
        assert_eq!(numbers(&none), (2, 3));
        assert_eq!(numbers(&second), (1, 2));
        assert_eq!(numbers(&cross), (3, 1));
        let missing = args(Some(9), None);
        assert!(pair(&entry, &missing).is_err());
        entry.attempts.clear();
        assert!(pair(&entry, &none).is_err());
    }
}
