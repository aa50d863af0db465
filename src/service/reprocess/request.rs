//! What a person or a program asks of a reprocess job: the same words at each door.

use serde::{Deserialize, Serialize};

use crate::convert::{Converter, OnError, Params, PathPattern, Reprocess, Resend, RuleBook, Which};
use crate::event::{JobPriority, JobStarted};
use crate::host::Config;
use crate::service::entry::configured_rules;
use crate::{Error, ErrorKind, Result};

/// The most conversions at a time that may be asked for.
const JOBS_MAX: u16 = 64;

/// What is asked of a job, except for which entries it runs over.
///
/// By default the current converters run with the current arguments, and nothing is submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct JobRequest {
    /// Which converter: `recorded`, `current`, a configured name, a recorded version, or an
    /// identity.
    pub converter_version: String,
    /// Its arguments: `recorded` or `current`; when absent, as the converter.
    #[cfg_attr(feature = "serve", schema(value_type = Option<String>))]
    pub params: Option<Params>,
    /// Which new reports a host is to send: `none`, `changed` or `all`.
    #[cfg_attr(feature = "serve", schema(value_type = String))]
    pub submit: Resend,
    /// What a failure means for the other entries: `skip` or `stop`.
    #[cfg_attr(feature = "serve", schema(value_type = String))]
    pub on_error: OnError,
    /// Runs and compares, but records nothing.
    pub compare_only: bool,
    /// Lets every difference count, whatever the configuration says.
    pub strict: bool,
    /// Further places whose differences do not count, such as `/meta/id`.
    pub ignore: Vec<String>,
    /// Conversions at a time; when absent, as configured.
    pub jobs: Option<u16>,
    /// Conversions a second at the most.
    pub rate: Option<f64>,
    /// How urgent it is beside other jobs: 1 first, 10 last.
    #[cfg_attr(feature = "serve", schema(value_type = Option<u8>))]
    pub priority: Option<JobPriority>,
    /// Why; recorded for good.
    pub reason: Option<String>,
}

impl Default for JobRequest {
    fn default() -> Self {
        Self {
            converter_version: Which::Current.word().to_owned(),
            params: None,
            submit: Resend::None,
            on_error: OnError::Skip,
            compare_only: false,
            strict: false,
            ignore: Vec::new(),
            jobs: None,
            rate: None,
            priority: None,
            reason: None,
        }
    }
}

/// How quickly a job runs, and how urgent it is; `None` stands for what is configured or recorded.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Speed {
    /// Conversions at a time.
    pub jobs: Option<u16>,
    /// Conversions a second at the most.
    pub rate: Option<f64>,
    /// How urgent it is beside other jobs: 1 first, 10 last.
    #[cfg_attr(feature = "serve", schema(value_type = Option<u8>))]
    pub priority: Option<JobPriority>,
}

impl JobRequest {
    /// Returns which converter is meant.
    pub fn which(&self) -> Which {
        Which::of_word(&self.converter_version)
    }

    /// Returns which arguments the converter is given.
    pub fn params(&self) -> Params {
        self.params.unwrap_or(if self.which() == Which::Recorded {
            Params::Recorded
        } else {
            Params::Current
        })
    }

    /// Returns how quickly the job is to run.
    pub const fn speed(&self) -> Speed {
        Speed {
            jobs: self.jobs,
            rate: self.rate,
            priority: self.priority,
        }
    }

    /// Returns the rules by which reports are compared: those of the configuration, as changed.
    fn rules(&self, config: Option<&Config>) -> Result<RuleBook> {
        if self.strict {
            return Ok(RuleBook::strict());
        }
        let mut rules = configured_rules(config);
        for place in &self.ignore {
            let pattern: PathPattern = place
                .parse()
                .map_err(|error| Error::new(ErrorKind::Invalid, format!("'{place}': {error}")))?;
            rules = rules.ignoring(&pattern);
        }
        Ok(rules)
    }

    /// Returns the engine's options for this request.
    ///
    /// # Errors
    /// `Invalid` for options that cannot do what they are meant to do, or are out of range.
    pub fn options(&self, config: Option<&Config>) -> Result<Reprocess> {
        let options = Reprocess {
            which: self.which(),
            params: self.params(),
            on_error: self.on_error,
            compare_only: self.compare_only,
            resend: self.submit,
            reason: self.reason.clone().filter(|why| !why.trim().is_empty()),
            rules: self.rules(config)?,
            ..plain(&self.speed(), config)?
        };
        checked(options, config)
    }
}

/// Returns the options of a job as it was started.
///
/// # Errors
/// `Invalid` if the job was started with words that this version does not know, or cannot do what
/// it is meant to do any more.
pub fn options_of(job: &JobStarted, speed: &Speed, config: Option<&Config>) -> Result<Reprocess> {
    let options = Reprocess {
        priority: speed.priority.unwrap_or(job.priority),
        ..plain(speed, config)?
    };
    checked(options.as_recorded(job)?, config)
}

/// Returns the configured converters.
pub fn configured_converters(config: Option<&Config>) -> Vec<Converter> {
    let configured = config.iter().flat_map(|config| &config.converters);
    configured.map(|config| config.converter.clone()).collect()
}

/// Returns the options of a job that records, submits nothing, and runs the current converters.
fn plain(speed: &Speed, config: Option<&Config>) -> Result<Reprocess> {
    if speed
        .jobs
        .is_some_and(|jobs| !(1..=JOBS_MAX).contains(&jobs))
    {
        let told = format!("the number of conversions at a time is from 1 to {JOBS_MAX}");
        return Err(Error::new(ErrorKind::Invalid, told));
    }
    if speed
        .priority
        .is_some_and(|urgent| JobPriority::new(urgent.get()).is_none())
    {
        let told = "the priority is a number from 1 (first) to 10 (last)";
        return Err(Error::new(ErrorKind::Invalid, told));
    }
    let configured = config.map_or(1, |config| config.max_concurrent);
    Ok(Reprocess {
        jobs: speed.jobs.map_or(configured, usize::from),
        rate: speed.rate,
        endpoints: config.map(Config::endpoints).unwrap_or_default(),
        priority: speed.priority.unwrap_or_default(),
        rules: configured_rules(config),
        ..Reprocess::default()
    })
}

/// Refuses options that cannot do what they are meant to do.
fn checked(options: Reprocess, config: Option<&Config>) -> Result<Reprocess> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that forgot to say whether reports are sent must not send any.
    #[test]
    fn an_empty_request_submits_nothing_and_skips_failures() {
        let request: JobRequest = serde_json::from_str("{}").expect("nothing is needed");
        assert_eq!(request, JobRequest::default());
        assert_eq!(request.submit, Resend::None);
        assert_eq!(request.params(), Params::Current);
        let recorded = r#"{"converter_version":"recorded","submit":"changed","priority":1}"#;
        let recorded: JobRequest = serde_json::from_str(recorded).expect("words of the verb");
        assert_eq!(recorded.params(), Params::Recorded);
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_refused_by_name() {
        for wrong in [r#"{"submit":"some"}"#, r#"{"sumbit":"none"}"#] {
            assert!(
                serde_json::from_str::<JobRequest>(wrong).is_err(),
                "{wrong}"
            );
        }
        for (wrong, word) in [
            (r#"{"converter_version":"recorded","jobs":0}"#, "at a time"),
            (
                r#"{"converter_version":"recorded","priority":11}"#,
                "priority",
            ),
            (r#"{"converter_version":"recorded","ignore":[""]}"#, "''"),
            (
                r#"{"converter_version":"recorded","submit":"all"}"#,
                "configured",
            ),
            ("{}", "configuration"),
        ] {
            let request: JobRequest = serde_json::from_str(wrong).expect("known words");
            let refused = request.options(None).expect_err(wrong);
            assert_eq!(refused.kind(), ErrorKind::Invalid);
            assert!(refused.message().contains(word), "{wrong}: {refused}");
        }
    }
}
