//! Translates the arguments into the library's options: converters, their parameters, endpoints.

use super::arguments::{Args, OnErrorArg, ParamsArg, Speed, Submit};
use crate::convert::{OnError, Params, Reprocess, Resend, Which};
use crate::event::JobStarted;
use crate::host::Config;
use crate::service::entry::configured_rules;
use crate::{Error, ErrorKind};

/// Refuses options that cannot do what they are meant to do.
fn checked(options: Reprocess, config: Option<&Config>) -> Result<Reprocess, Error> {
    if options.which == Which::Current && config.is_none() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "the current converters are those of a configuration, and none is named",
        )
        .hint("add --config FILE, or --converter-version recorded"));
    }
    if options.resend == Resend::None {
        return Ok(options);
    }
    if options.compare_only {
        return Err(Error::new(
            ErrorKind::Invalid,
            "--compare-only records nothing, so there is no report to submit",
        )
        .hint("leave out one of --compare-only and --submit"));
    }
    if options.endpoints.is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "no converter is configured to submit its reports",
        )
        .hint("add --config FILE with a [converter.submit]"));
    }
    Ok(options)
}

/// Returns the options of a job that records, submits nothing, and runs the current converters.
fn plain(speed: &Speed, config: Option<&Config>) -> Reprocess {
    let configured = config.map_or(1, |config| config.max_concurrent);
    Reprocess {
        jobs: speed.jobs.map_or(configured, usize::from),
        rate: speed.rate.map(|rate| rate.0),
        endpoints: config.map(Config::endpoints).unwrap_or_default(),
        priority: speed.priority.unwrap_or_default(),
        rules: configured_rules(config),
        ..Reprocess::default()
    }
}

pub(super) fn options(args: &Args, config: Option<&Config>) -> Result<Reprocess, Error> {
    let which = Which::of_word(&args.converter_version);
    let recorded = args.params.map_or(which == Which::Recorded, |params| {
        params == ParamsArg::Recorded
    });
    let params = if recorded {
        Params::Recorded
    } else {
        Params::Current
    };
    let options = Reprocess {
        which,
        params,
        on_error: match args.on_error {
            OnErrorArg::Skip => OnError::Skip,
            OnErrorArg::Stop => OnError::Stop,
        },
        compare_only: args.compare_only,
        resend: match args.submit {
            Submit::None => Resend::None,
            Submit::Changed => Resend::Changed,
            Submit::All => Resend::All,
        },
        reason: args.reason.clone(),
        rules: args.comparing.apply(configured_rules(config)),
        ..plain(&args.speed, config)
    };
    checked(options, config)
}

/// Returns the options of a job as it was started.
pub(super) fn options_of(
    job: &JobStarted,
    speed: &Speed,
    config: Option<&Config>,
) -> Result<Reprocess, Error> {
    let options = Reprocess {
        priority: speed.priority.unwrap_or(job.priority),
        ..plain(speed, config)
    };
    checked(options.as_recorded(job)?, config)
}
