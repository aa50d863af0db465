//! The arguments of `annals reprocess`.

use std::str::FromStr;

use clap::ValueEnum;

use crate::cli::arguments::Comparing;
use crate::convert::{OnError, Params, Resend};
use crate::event::JobPriority;
use crate::id::EntryId;
use crate::service::entries::Filters;
use crate::service::reprocess::{JobRequest, Speed as Asked};

/// Run converters again over archived sources; tell the changes
///
/// Each run is a new attempt beside the earlier ones; nothing is overwritten. Nothing is submitted
/// unless --submit says so; then the new reports wait in the store until `annals host run` sends
/// them.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "replay",
    after_help = "\
Examples:
  annals --config host.toml reprocess -c 'ICT CSV' --from 2026-03-01 --dry-run
  annals --config host.toml reprocess -c 'ICT CSV' --from 2026-03-01 --ramp --reason 'new limits'
  annals reprocess 4711 --converter-version recorded --compare-only --fail-on-change

Exit code 1: a converter cannot run; 3: some failed; 4: nothing selected or compared; 6: changes."
)]
pub(crate) struct Args {
    /// Entries by id; or use filters
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<EntryId>,
    /// recorded (from the archive), current (as configured), a name, version or identity
    #[arg(long, value_name = "WHICH", default_value = "current")]
    pub(super) converter_version: String,
    /// Its arguments: recorded or current [default: as the converter]
    #[arg(long, hide_possible_values = true)]
    pub(super) params: Option<ParamsArg>,
    /// New reports a host is to send: none, changed, all
    #[arg(long, default_value = "none", hide_possible_values = true)]
    pub(super) submit: Submit,
    /// After a failure
    #[arg(long, default_value = "skip")]
    pub(super) on_error: OnErrorArg,
    #[command(flatten)]
    pub(super) speed: Speed,
    /// Stop after 1 and after 10 entries, and ask whether to go on
    #[arg(long)]
    pub(super) ramp: bool,
    /// Say what would run, and run nothing
    #[arg(long, conflicts_with_all = ["compare_only", "ramp", "fail_on_change"])]
    pub(super) dry_run: bool,
    /// Run and compare, but record nothing
    #[arg(long)]
    pub(super) compare_only: bool,
    /// Exit code 6 when anything changed, or is suspicious
    #[arg(long)]
    pub(super) fail_on_change: bool,
    #[command(flatten)]
    pub(super) comparing: Comparing,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    #[command(flatten)]
    pub(super) filters: Filters,
}

/// How quickly a job runs, and how urgent it is.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Speed {
    /// Conversions at a time [default: as configured, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) jobs: Option<u16>,
    /// Conversions a second at the most, such as 5/s or 0.5
    #[arg(long, value_name = "N/s")]
    pub(super) rate: Option<Rate>,
    /// Beside other jobs: 1 first .. 10 last [default: 5, or as started]
    #[arg(long, value_name = "N")]
    pub(super) priority: Option<JobPriority>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ParamsArg {
    Recorded,
    Current,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnErrorArg {
    /// Go on with the next entry
    Skip,
    /// Take no further entries
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Submit {
    /// None
    None,
    /// Those that differ from the report before, or have none before them
    Changed,
    /// All
    All,
}

impl Args {
    /// Returns what is asked of the job, as each door asks it.
    pub(super) fn request(&self) -> JobRequest {
        let Asked {
            jobs,
            rate,
            priority,
        } = self.speed.asked();
        JobRequest {
            converter_version: self.converter_version.clone(),
            params: self.params.map(|params| match params {
                ParamsArg::Recorded => Params::Recorded,
                ParamsArg::Current => Params::Current,
            }),
            submit: match self.submit {
                Submit::None => Resend::None,
                Submit::Changed => Resend::Changed,
                Submit::All => Resend::All,
            },
            on_error: match self.on_error {
                OnErrorArg::Skip => OnError::Skip,
                OnErrorArg::Stop => OnError::Stop,
            },
            compare_only: self.compare_only,
            strict: self.comparing.strict,
            ignore: self
                .comparing
                .ignore
                .iter()
                .map(ToString::to_string)
                .collect(),
            jobs,
            rate,
            priority,
            reason: self.reason.clone(),
        }
    }
}

impl Speed {
    /// Returns the speed as each door states it.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            jobs: self.jobs,
            rate: self.rate.map(|rate| rate.0),
            priority: self.priority,
        }
    }
}

/// Conversions a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate(pub(super) f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix("/s").unwrap_or(text);
        number
            .parse()
            .ok()
            .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
            .map(Self)
            .ok_or_else(|| "expected a number above 0, such as 5/s or 0.5".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_above_nothing() {
        assert_eq!("5/s".parse(), Ok(Rate(5.0)));
        assert_eq!("0.5".parse(), Ok(Rate(0.5)));
        for wrong in ["0", "-1/s", "inf", "NaN", "5/min", "/s", ""] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
