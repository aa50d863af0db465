//! `annals cat`: writes the bytes of a source or a report to stdout.

use std::str::FromStr;

use crate::cli::content::{
    copy, no_entry, note_access, open_source, open_to_hand_out, refuse_purged,
    refuse_purged_reports,
};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::{Attempt, Entry, Outcome, Report};
use crate::id::{AttemptNo, EntryId};
use crate::{Error, ErrorKind};

/// Write the bytes of a source or a report to stdout
///
/// Every piece is checked against its hash before it is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals cat 4711 > SN1042.csv
  annals cat 4711 --report | jq .result
  annals cat 4711 --report=1")]
pub(crate) struct Args {
    /// The entry
    id: EntryId,
    /// The report instead of the source: of this attempt, or else of the newest that has one
    #[arg(
        long,
        value_name = "ATTEMPT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "newest"
    )]
    report: Option<Which>,
}

/// The attempt whose report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Newest,
    Attempt(u32),
}

impl FromStr for Which {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "newest" => Ok(Self::Newest),
            number => match number.parse() {
                Ok(number) if number > 0 => Ok(Self::Attempt(number)),
                _ => Err("expected the number of an attempt, such as 1"),
            },
        }
    }
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = open_to_hand_out(context)?;
    let entry = archive
        .snapshot()?
        .entry(args.id)?
        .ok_or_else(|| no_entry(args.id))?;
    let content = match args.report {
        None => open_source(&archive, &entry, &context.zone())?,
        Some(which) => {
            refuse_purged(&entry, &context.zone())?;
            let (attempt, report) = report_of(&entry, which)?;
            refuse_purged_reports(&entry, attempt, &context.zone())?;
            archive.read(&report.blake3)?
        }
    };
    note_access(&archive, "cat", None, || Ok(vec![args.id]), context)?;
    copy(content, |chunk| context.print(chunk))?;
    Ok(Exit::Done)
}

/// Returns the last report of the chosen attempt.
fn report_of(entry: &Entry, which: Which) -> Result<(AttemptNo, &Report), Error> {
    let attempt = match which {
        Which::Newest => {
            let with_report = || {
                let newest = entry.attempts.iter().rev();
                newest.filter(|attempt| !attempt.reports.is_empty())
            };
            // The report of a suspicious attempt that counts as failed took no other one's place.
            let mut good = with_report().filter(|attempt| attempt.status == Outcome::Success);
            good.next().or_else(|| with_report().next())
        }
        Which::Attempt(number) => entry
            .attempts
            .iter()
            .find(|attempt| attempt.attempt.0 == number),
    };
    let missing = || {
        let message = match which {
            Which::Newest => format!("entry {} has no report", entry.id),
            Which::Attempt(number) => {
                format!("entry {} has no report of attempt {number}", entry.id)
            }
        };
        Error::new(ErrorKind::NotFound, message)
            .hint(format!("see its attempts with `annals show {}`", entry.id))
    };
    attempt
        .and_then(|made: &Attempt| Some((made.attempt, made.reports.last()?)))
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AttemptNo;
    use crate::service::entries::sample;

    #[test]
    fn the_newest_report_is_not_hidden_by_a_later_failure() {
        let mut entry = sample();
        let first = entry.attempts[0].reports[0].clone();
        entry.attempts.push(Attempt {
            attempt: AttemptNo(2),
            status: Outcome::Failed,
            reports: Vec::new(),
            ..entry.attempts[0].clone()
        });
        assert_eq!(report_of(&entry, Which::Newest).expect("first").1, &first);
        assert_eq!(
            report_of(&entry, Which::Attempt(1)).expect("first").1,
            &first
        );
        for number in [2, 3] {
            let error = report_of(&entry, Which::Attempt(number)).expect_err("none");
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }
}
