//! `annals diff`: shows what differs between two attempts of one entry.

use serde::Serialize;

use crate::archive::{Access, Archive};
use crate::cli::content::{no_entry, refuse_purged, refuse_purged_reports};
use crate::cli::render::{counted, differences, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{Change, CompareRules, Verdict, compare_reports};
use crate::entry::{Attempt, Entry, Outcome};
use crate::id::{AttemptNo, EntryId};
use crate::{Error, ErrorKind};

/// Most bytes of a report that is compared.
const REPORT_BYTES_MAX: u64 = 256 << 20;

/// Show what really differs between the reports of two attempts
///
/// JSON reports are compared by structure and value, others line by line. An id that a
/// converter generates in each run does not count.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals diff 4711
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
}

#[derive(Serialize)]
struct Compared<'a> {
    id: EntryId,
    attempt: AttemptNo,
    against: AttemptNo,
    verdict: Verdict,
    changes: &'a [Change],
    ignored: &'a [Change],
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
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
    let reports = |attempt| reports_of(&archive, attempt);
    let difference = compare_reports(&CompareRules::default(), &reports(old)?, &reports(new)?);
    let verdict = Verdict::of(old.status, new.status, !difference.is_empty());
    if context.json() {
        context.print_json(&Compared {
            id: entry.id,
            attempt: new.attempt,
            against: old.attempt,
            verdict,
            changes: &difference.changes,
            ignored: &difference.ignored,
        })?;
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "entry {}: {} -> {}: {}\n",
        entry.id,
        words(old),
        words(new),
        word(verdict)
    );
    if !difference.changes.is_empty() {
        text.push('\n');
        text += &differences::table(&difference.changes, context.canvas());
    }
    context.print(text)?;
    if !difference.ignored.is_empty() {
        context.note(format_args!(
            "{} left out, different in each run",
            counted(difference.ignored.len() as u64, "id", "ids")
        ));
    }
    Ok(Exit::Done)
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

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unchanged => "unchanged",
        Verdict::Changed => "changed",
        Verdict::Fixed => "fixed",
        Verdict::Broken => "broken",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::entries::sample;

    #[test]
    fn the_last_attempt_is_compared_with_the_one_before_unless_others_are_named() {
        let mut entry = sample();
        let args = |attempt, against| Args {
            id: entry.id,
            attempt,
            against,
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
        let missing = Args {
            id: entry.id,
            attempt: Some(9),
            against: None,
        };
        assert!(pair(&entry, &missing).is_err());
        entry.attempts.clear();
        assert!(pair(&entry, &none).is_err());
    }
}
