//! The filters that select entries, shared by many verbs.

use clap::Args;
use serde::Serialize;

use crate::cli::run::Context;
use crate::entry::{CauseId, Status};
use crate::id::JobId;
use crate::query::{Filter, Purged, Suspicious};
use crate::service::words::parse_pair;
use crate::{Error, ErrorKind, Result};

/// Which entries, by what is known of them. All that are stated must hold.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filters {
    #[command(flatten)]
    #[serde(flatten)]
    criteria: Criteria,
    #[command(flatten)]
    #[serde(flatten)]
    period: Period,
}

/// When an entry was archived.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub(crate) struct Period {
    /// Archived at or after, such as 2026-03-01, yesterday, 'last week', or 90d
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// Archived before; --from 2026-03-01 and this 2026-03-02 are that one day
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
}

/// The filters but for the dates, for a verb where `--to` is a place.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Criteria {
    /// Archived for this converter; may be repeated
    #[arg(short, long, value_name = "NAME")]
    converter: Vec<String>,
    /// pending, success, failed, suspended, skipped or rejected; may be repeated
    #[arg(long, value_delimiter = ',')]
    status: Vec<Status>,
    /// Serial number
    #[arg(long)]
    serial: Option<String>,
    /// Part number
    #[arg(long)]
    part: Option<String>,
    /// Test station
    #[arg(long)]
    station: Option<String>,
    /// Test process
    #[arg(long)]
    process: Option<String>,
    /// File name, with * ? [a-z]
    #[arg(long, value_name = "GLOB")]
    file: Option<String>,
    /// Metadata with exactly this value; may be repeated
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    meta: Vec<(String, String)>,
    /// With this label; may be repeated
    #[arg(long, value_name = "L")]
    label: Vec<String>,
    /// Has an attempt of this reprocess job
    #[arg(long)]
    job: Option<JobId>,
    /// Part of the file name, serial, part, error, a metadata value, or a note
    #[arg(long)]
    text: Option<String>,
    /// With this cause of `annals failures` in the last attempt
    #[arg(long, value_name = "CAUSE")]
    failure: Option<CauseId>,
    /// With a suspicious last result
    #[arg(long)]
    suspicious: bool,
    /// Whose last success another identity of the converter made
    #[arg(long)]
    outdated: bool,
}

impl Filters {
    /// Returns the filter that these arguments state. Dates are read as of now. `in_store`
    /// completes it.
    pub(crate) fn to_filter(&self, context: &Context<'_>) -> Result<Filter> {
        self.criteria.to_filter(&self.period, context)
    }
}

impl Criteria {
    /// Returns the filter that these arguments and `period` state together. It is complete after
    /// `in_store`.
    pub(crate) fn to_filter(&self, period: &Period, context: &Context<'_>) -> Result<Filter> {
        let date = |text: &Option<String>| text.as_deref().map(|t| context.when(t)).transpose();
        let (from, to) = (date(&period.from)?, date(&period.to)?);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "the period from {} to {} is empty",
                    context.zone().long(from),
                    context.zone().long(to)
                ),
            )
            .hint("the start is included, the end is not"));
        }
        Ok(Filter {
            ids: Vec::new(),
            converter: self.converter.clone(),
            converter_version: None,
            status: self.status.clone(),
            from,
            to,
            serial: self.serial.clone(),
            part: self.part.clone(),
            station: self.station.clone(),
            process: self.process.clone(),
            file: self.file.clone(),
            meta: self.meta.clone(),
            label: self.label.clone(),
            job: self.job,
            report_id: None,
            text: self.text.clone(),
            failure: self.failure,
            // `in_store` fills in which converters are meant.
            made_by: self.outdated.then(Vec::new),
            suspicious: if self.suspicious {
                Suspicious::Only
            } else {
                Suspicious::Include
            },
            purged: Purged::Exclude,
        })
    }
}
