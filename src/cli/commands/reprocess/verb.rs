//! Runs `annals reprocess`: checks the arguments, then plans or runs the job. Resumes jobs, too.

use super::arguments::{Args, Speed};
use super::job::run_job;
use super::outcome::tell_outcome;
use super::plan::tell_plan;
use crate::archive::{Access, Archive};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store;
use crate::convert::{Reprocess, Resend, RuleBook, Selection, plan};
use crate::event::JobStarted;
use crate::host::Config;
use crate::id::{EntryId, JobId};
use crate::service::entries::Selected;
use crate::service::reprocess::{
    configured_converters, named, options_of, refuse_unknown, selection,
};

/// How a job is shown, and what its exit code says.
pub(super) struct Manner {
    /// Pauses after the first entries, and asks.
    pub(super) ramp: bool,
    pub(super) fail_on_change: bool,
    pub(super) compare_only: bool,
    pub(super) submits: bool,
    /// What counts as a difference.
    pub(super) rules: RuleBook,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let filter = args.filters.to_filter(context.now(), &context.zone())?;
    let selected = Selected::of(args.ids.clone(), filter)?;
    let config = configuration(context)?;
    let options = args.request().options(config.as_ref())?;
    let only_looks = args.dry_run || args.compare_only;
    let archive = context.open(if only_looks {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    })?;
    let selected = selected.in_store(&context.desk(&archive))?;
    let selection = selection(&archive, selected, config.as_ref())?;
    if args.dry_run {
        refuse_unknown(&options.which, &archive, config.as_ref())?;
        let plan = plan(
            &archive,
            &selection,
            &configured_converters(config.as_ref()),
            &options,
        )?;
        return tell_plan(&plan, context);
    }
    let manner = Manner {
        ramp: args.ramp,
        fail_on_change: args.fail_on_change,
        compare_only: args.compare_only,
        submits: options.resend != Resend::None,
        rules: options.rules.clone(),
    };
    run_and_tell(
        archive,
        config.as_ref(),
        &selection,
        &options,
        &manner,
        context,
    )
}

/// Goes on with a job that was stopped.
pub(crate) fn resume(id: JobId, speed: &Speed, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = configuration(context)?;
    let archive = context.open(Access::ReadWrite)?;
    let job = archive.existing_job(id)?;
    let mut options = options_of(&job.started, &speed.asked(), config.as_ref())?;
    options.resume = Some(id);
    let selection = Selection::of(job.started.selection, archive.job_entries(id)?);
    run_recorded(archive, config.as_ref(), &selection, &options, context)
}

/// Runs a new job as an old one was started, over other entries.
pub(crate) fn retry(
    archive: Archive,
    started: &JobStarted,
    entries: Vec<EntryId>,
    speed: &Speed,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let config = configuration(context)?;
    let mut options = options_of(started, &speed.asked(), config.as_ref())?;
    options.retry_of = started.retry_of;
    run_recorded(
        archive,
        config.as_ref(),
        &named(entries)?,
        &options,
        context,
    )
}

fn run_recorded(
    archive: Archive,
    config: Option<&Config>,
    selection: &Selection,
    options: &Reprocess,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let manner = Manner {
        ramp: false,
        fail_on_change: false,
        compare_only: false,
        submits: options.resend != Resend::None,
        rules: options.rules.clone(),
    };
    run_and_tell(archive, config, selection, options, &manner, context)
}

fn run_and_tell(
    archive: Archive,
    config: Option<&Config>,
    selection: &Selection,
    options: &Reprocess,
    manner: &Manner,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    refuse_unknown(&options.which, &archive, config)?;
    let converters = configured_converters(config);
    let (result, mut findings) = run_job(
        &archive,
        selection,
        &converters,
        options,
        manner.ramp,
        context,
    )?;
    let closed = archive.close();
    context.meter.clear();
    findings.sort();
    let exit = tell_outcome(&result, &findings, manner, context)?;
    closed?;
    Ok(exit)
}

/// Returns the configuration, if one is named.
pub(in crate::cli) fn configuration(context: &Context<'_>) -> Result<Option<Config>, Failure> {
    Ok(
        match store::config_file(&context.globals, context.caller_env()) {
            Some(_) => Some(context.configuration()?),
            None => None,
        },
    )
}
