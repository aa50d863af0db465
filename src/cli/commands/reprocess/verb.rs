//! Runs `annals reprocess`: checks the arguments, then plans or runs the job.

use super::arguments::Args;
use super::job::run_job;
use super::options::options;
use super::outcome::tell_outcome;
use super::plan::tell_plan;
use super::selection::selection;
use crate::archive::Access;
use crate::cli::entries::{Selected, refuse_unknown_version};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store;
use crate::convert::{Converter, Which, plan};

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let filter = args.filters.to_filter(context)?;
    let selected = Selected::of(args.ids.clone(), filter)?;
    let config = match store::config_file(&context.globals, context.caller_env()) {
        Some(_) => Some(context.configuration()?),
        None => None,
    };
    let options = options(&args, config.as_ref())?;
    let converters: Vec<Converter> = config
        .iter()
        .flat_map(|config| &config.converters)
        .map(|config| config.converter.clone())
        .collect();
    let only_looks = args.dry_run || args.compare_only;
    let archive = context.open(if only_looks {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    })?;
    let selection = selection(&archive, selected, config.as_ref())?;
    if let Which::Named(name) = &options.which {
        refuse_unknown_version(name, &archive, config.as_ref())?;
    }
    if args.dry_run {
        let plan = plan(&archive, &selection, &converters, &options)?;
        return tell_plan(&plan, context);
    }
    let (result, mut findings) =
        run_job(&archive, &selection, &converters, &options, &args, context)?;
    let closed = archive.close();
    context.meter.clear();
    // Steps end in any order, so the ids are sorted.
    findings.fixed.sort_unstable();
    findings.broken.sort_unstable();
    let exit = tell_outcome(&result, &findings, &args, context)?;
    closed?;
    Ok(exit)
}
