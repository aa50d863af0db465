//! Opens the report of an entry.

use std::str::FromStr;

use super::read::{refuse_purged, refuse_purged_reports};
use crate::archive::{Archive, BlobReader};
use crate::entry::{Attempt, Entry, Outcome, Report};
use crate::event::Handed;
use crate::id::AttemptNo;
use crate::service::time::Zone;
use crate::{Error, ErrorKind};

/// The attempt whose report is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichReport {
    /// The newest one that has a report, of those that succeeded if there is any.
    Newest,
    /// This one.
    Attempt(u32),
}

impl FromStr for WhichReport {
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

/// A report that is open for reading.
pub struct OpenReport<'a> {
    /// The attempt that made it.
    pub attempt: AttemptNo,
    /// Its place among the reports of the attempt, from 0 on.
    pub place: u32,
    /// What is known of it.
    pub report: &'a Report,
    /// Its bytes. Each piece is checked before it is handed out.
    pub content: BlobReader,
}

impl OpenReport<'_> {
    /// Returns what it is, for the record of an access.
    pub fn handed(&self) -> Handed {
        Handed::Report {
            attempt: self.attempt,
            report: self.place,
        }
    }
}

/// Opens the last report of an attempt.
///
/// # Errors
/// `NotFound` when the attempt has none, or when it was purged: then it says when and by which
/// rule.
pub fn open_report<'a>(
    archive: &Archive,
    entry: &'a Entry,
    which: WhichReport,
    zone: &Zone,
) -> Result<OpenReport<'a>, Error> {
    refuse_purged(entry, zone)?;
    let (attempt, place, report) = report_of(entry, which)?;
    refuse_purged_reports(entry, attempt, zone)?;
    Ok(OpenReport {
        attempt,
        place,
        report,
        content: archive.read(&report.blake3)?,
    })
}

/// Returns the last report of the chosen attempt, whether its bytes are there or not, and its place
/// among the attempt's reports.
pub fn report_of(entry: &Entry, which: WhichReport) -> Result<(AttemptNo, u32, &Report), Error> {
    let attempt = match which {
        WhichReport::Newest => {
            let with_report = || {
                let newest = entry.attempts.iter().rev();
                newest.filter(|attempt| !attempt.reports.is_empty())
            };
            // The report of a suspicious attempt that counts as failed took no other one's place.
            let mut good = with_report().filter(|attempt| attempt.status == Outcome::Success);
            good.next().or_else(|| with_report().next())
        }
        WhichReport::Attempt(number) => entry
            .attempts
            .iter()
            .find(|attempt| attempt.attempt.0 == number),
    };
    let missing = || {
        let message = match which {
            WhichReport::Newest => format!("entry {} has no report", entry.id),
            WhichReport::Attempt(number) => {
                format!("entry {} has no report of attempt {number}", entry.id)
            }
        };
        Error::new(ErrorKind::NotFound, message)
            .hint(format!("see its attempts with `annals show {}`", entry.id))
    };
    attempt
        .and_then(|made: &Attempt| {
            let last = made.reports.len().checked_sub(1)?;
            let place = u32::try_from(last).unwrap_or(u32::MAX);
            Some((made.attempt, place, &made.reports[last]))
        })
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(
            report_of(&entry, WhichReport::Newest).expect("first").2,
            &first
        );
        assert_eq!(
            report_of(&entry, WhichReport::Attempt(1)).expect("first").2,
            &first
        );
        for number in [2, 3] {
            let error = report_of(&entry, WhichReport::Attempt(number)).expect_err("none");
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }
}
