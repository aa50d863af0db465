//! The filters that select entries, in the words of people. All doors take the same.

use super::stated::Stated;
use crate::convert::IdentityDigits;
use crate::entry::{CauseId, Status};
use crate::id::JobId;
use crate::index::is_unclosed;
use crate::query::{Filter, Held, Suspicious};
use crate::service::time::{Zone, parse_when};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// Which entries, by what is known of them. All that are stated must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[cfg_attr(feature = "cli", command(next_help_heading = "Filters"))]
pub struct Filters {
    /// What is known of them.
    #[cfg_attr(feature = "cli", command(flatten))]
    pub criteria: Criteria,
    /// When they were archived.
    #[cfg_attr(feature = "cli", command(flatten))]
    pub period: Period,
}

/// When an entry was archived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Period {
    /// Archived at or after, such as 2026-03-01, yesterday, 'last week', or 90d
    #[cfg_attr(feature = "cli", arg(long, value_name = "DATE"))]
    pub from: Option<String>,
    /// Archived before; --from 2026-03-01 and this 2026-03-02 are that one day
    #[cfg_attr(feature = "cli", arg(long, value_name = "DATE"))]
    pub to: Option<String>,
}

/// The filters but for the dates, for a verb where `--to` is a place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[cfg_attr(feature = "cli", command(next_help_heading = "Filters"))]
pub struct Criteria {
    /// Archived for this converter; may be repeated
    #[cfg_attr(feature = "cli", arg(short, long, value_name = "NAME"))]
    pub converter: Vec<String>,
    /// pending, success, failed, suspended, skipped or rejected; may be repeated
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ','))]
    pub status: Vec<Status>,
    /// Serial number, with * for any text
    #[cfg_attr(feature = "cli", arg(long))]
    pub serial: Option<String>,
    /// Part number
    #[cfg_attr(feature = "cli", arg(long))]
    pub part: Option<String>,
    /// Test station
    #[cfg_attr(feature = "cli", arg(long))]
    pub station: Option<String>,
    /// Test process
    #[cfg_attr(feature = "cli", arg(long))]
    pub process: Option<String>,
    /// File name, with * ? [a-z]
    #[cfg_attr(feature = "cli", arg(long, value_name = "GLOB"))]
    pub file: Option<String>,
    /// Path of the source, such as 'line3/**/*.csv'; a folder selects all below it
    #[cfg_attr(feature = "cli", arg(long, value_name = "GLOB"))]
    pub path: Option<String>,
    /// Metadata with exactly this value; may be repeated
    #[cfg_attr(feature = "cli", arg(long, value_name = "K=V", value_parser = crate::service::words::parse_pair))]
    pub meta: Vec<(String, String)>,
    /// With this label; may be repeated
    #[cfg_attr(feature = "cli", arg(long, value_name = "L"))]
    pub label: Vec<String>,
    /// Under this hold, or '*' for any
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "NAME", hide_short_help = true)
    )]
    pub hold: Option<String>,
    /// Whose source file was last changed at or after
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "DATE", hide_short_help = true)
    )]
    pub file_time_from: Option<String>,
    /// Whose source file was last changed before
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "DATE", hide_short_help = true)
    )]
    pub file_time_to: Option<String>,
    /// Has an attempt of this reprocess job
    #[cfg_attr(feature = "cli", arg(long))]
    pub job: Option<JobId>,
    /// Part of the file name, serial, part, error, a metadata value, or a note
    #[cfg_attr(feature = "cli", arg(long))]
    pub text: Option<String>,
    /// With this cause of `annals failures` in the last attempt
    #[cfg_attr(feature = "cli", arg(long, value_name = "CAUSE"))]
    pub failure: Option<CauseId>,
    /// With a suspicious last result
    #[cfg_attr(feature = "cli", arg(long))]
    pub suspicious: bool,
    /// Whose last success this identity of a converter made, by its first digits
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "DIGITS", hide_short_help = true)
    )]
    pub made_by: Option<IdentityDigits>,
    /// Whose last success another identity of the converter made
    #[cfg_attr(feature = "cli", arg(long))]
    pub outdated: bool,
}

impl Filters {
    /// Returns the filter that these words state. Dates are read in `zone`, as of `now`.
    pub fn to_filter(&self, now: Timestamp, zone: &Zone) -> Result<Stated> {
        self.criteria.to_filter(&self.period, now, zone)
    }
}

impl Period {
    /// Returns the filter that these dates state.
    pub fn to_filter(&self, now: Timestamp, zone: &Zone) -> Result<Filter> {
        let (from, to) = ends(self.from.as_deref(), self.to.as_deref(), now, zone)?;
        Ok(Filter {
            from,
            to,
            ..Filter::default()
        })
    }
}

impl Criteria {
    /// Returns the filter that these words and `period` state together.
    pub fn to_filter(&self, period: &Period, now: Timestamp, zone: &Zone) -> Result<Stated> {
        check_pattern("file", self.file.as_deref())?;
        check_pattern("path", self.path.as_deref())?;
        let (file_time_from, file_time_to) = ends(
            self.file_time_from.as_deref(),
            self.file_time_to.as_deref(),
            now,
            zone,
        )?;
        let of_period = period.to_filter(now, zone)?;
        let filter = Filter {
            converter: self.converter.clone(),
            status: self.status.clone(),
            file_time_from,
            file_time_to,
            serial: self.serial.clone(),
            part: self.part.clone(),
            station: self.station.clone(),
            process: self.process.clone(),
            file: self.file.clone(),
            path: self.path.clone(),
            meta: self.meta.clone(),
            label: self.label.clone(),
            hold: self.hold.clone().map(Held::from),
            job: self.job,
            text: self.text.clone(),
            failure: self.failure,
            suspicious: if self.suspicious {
                Suspicious::Only
            } else {
                Suspicious::Include
            },
            ..of_period
        };
        Ok(Stated {
            filter,
            made_by: self.made_by.clone(),
            outdated: self.outdated,
        })
    }
}

/// Refuses a pattern that selects nothing because of a slip.
fn check_pattern(key: &str, pattern: Option<&str>) -> Result<()> {
    let Some(pattern) = pattern.filter(|pattern| is_unclosed(pattern)) else {
        return Ok(());
    };
    let said = format!("the pattern '{pattern}' of --{key} has a [ that is never closed");
    Err(Error::new(ErrorKind::Invalid, said)
        .hint("[a-z] stands for one of a set; write [[] for the bracket itself"))
}

/// Returns both ends of a period. Refuses an empty one.
fn ends(
    from: Option<&str>,
    to: Option<&str>,
    now: Timestamp,
    zone: &Zone,
) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let date = |text: Option<&str>| text.map(|text| parse_when(text, now, zone)).transpose();
    let (from, to) = (date(from)?, date(to)?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "the period from {} to {} is empty",
                zone.long(from),
                zone.long(to)
            ),
        )
        .hint("the start is included, the end is not"));
    }
    Ok((from, to))
}
