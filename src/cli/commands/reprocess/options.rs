//! Translates the arguments into the library's options: converters, their parameters, endpoints.

use std::collections::BTreeMap;

use super::arguments::{Args, OnErrorArg, ParamsArg, Submit};
use crate::convert::{OnError, Params, Reprocess, Resend, Which};
use crate::host::Config;
use crate::{Error, ErrorKind};

/// Returns the submission endpoint of each converter.
fn endpoints(args: &Args, config: Option<&Config>) -> Result<BTreeMap<String, String>, Error> {
    let converters = config.iter().flat_map(|config| &config.converters);
    let endpoints: BTreeMap<String, String> = converters
        .filter_map(|config| {
            let submit = config.submit.as_ref()?;
            Some((config.converter.name.clone(), submit.endpoint()))
        })
        .collect();
    if args.submit == Submit::None {
        return Ok(endpoints);
    }
    if args.compare_only {
        return Err(Error::new(
            ErrorKind::Invalid,
            "--compare-only records nothing, so there is no report to submit",
        )
        .hint("leave out one of --compare-only and --submit"));
    }
    if endpoints.is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "no converter is configured to submit its reports",
        )
        .hint("add --config FILE with a [converter.submit]"));
    }
    Ok(endpoints)
}

pub(super) fn options(args: &Args, config: Option<&Config>) -> Result<Reprocess, Error> {
    let which = match args.converter_version.as_str() {
        "recorded" => Which::Recorded,
        "current" => Which::Current,
        name => Which::Named(name.to_owned()),
    };
    if which == Which::Current && config.is_none() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "the current converters are those of a configuration, and none is named",
        )
        .hint("add --config FILE, or --converter-version recorded"));
    }
    let recorded = args.params.map_or(which == Which::Recorded, |params| {
        params == ParamsArg::Recorded
    });
    let params = if recorded {
        Params::Recorded
    } else {
        Params::Current
    };
    let configured = config.map_or(1, |config| config.max_concurrent);
    Ok(Reprocess {
        which,
        params,
        on_error: match args.on_error {
            OnErrorArg::Skip => OnError::Skip,
            OnErrorArg::Stop => OnError::Stop,
        },
        jobs: args.jobs.map_or(configured, usize::from),
        rate: args.rate.map(|rate| rate.0),
        compare_only: args.compare_only,
        resend: match args.submit {
            Submit::None => Resend::None,
            Submit::Changed => Resend::Changed,
            Submit::All => Resend::All,
        },
        endpoints: endpoints(args, config)?,
        reason: args.reason.clone(),
        resume: None,
        scratch: std::env::temp_dir(),
    })
}
