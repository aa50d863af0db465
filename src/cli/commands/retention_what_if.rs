//! `annals retention what-if`: what a configuration that is not in force would purge.

use std::path::PathBuf;

use serde::Serialize;

use crate::archive::{Access, PlanImpact};
use crate::cli::render::{Cell, Column, Table, count, counted, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::host::Config;
use crate::retention::{AsOf, Policy, PurgePlan};
use crate::{Error, ErrorKind};

/// Print what a host would purge by the rules of a configuration that is not in force
///
/// Nothing is changed. Periods that are recorded with entries stay as they are: `retention_days` of
/// the file counts for what is archived from then on.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration
    file: PathBuf,
    /// Only this converter
    #[arg(short, long, value_name = "NAME")]
    converter: Option<String>,
    /// Apply the rules as of this time instead of now
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

#[derive(Serialize)]
struct WhatIf<'a> {
    converter: &'a str,
    #[serde(flatten)]
    plan: &'a PurgePlan,
    impact: &'a PlanImpact,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = Config::load(context.path(&args.file))?;
    let as_of = match &args.now {
        Some(text) => AsOf::Vouched(context.when(text)?),
        None => AsOf::Clock,
    };
    let archive = context.open(Access::ReadOnly)?;
    let columns = [
        Column::clipped("CONVERTER"),
        Column::right("ENTRIES"),
        Column::right("CONTENT"),
        Column::right("FREES"),
        Column::right("OF STORE"),
        Column::right("HELD"),
        Column::right("WAITING"),
    ];
    let mut table = Table::new(&columns, context.canvas());
    let wanted = args.converter.as_deref();
    let (mut rows, mut entries) = (Vec::new(), 0);
    let policies = policies(&config, wanted);
    for (name, policy) in &policies {
        let plan = archive.plan_purge(policy, as_of)?;
        let impact = archive.impact(&plan)?;
        entries += plan.count;
        if context.json() {
            context.print_json(&WhatIf {
                converter: name,
                plan: &plan,
                impact: &impact,
            })?;
        }
        rows.push(vec![
            Cell::new(name),
            Cell::new(count(plan.count)),
            Cell::new(size(plan.bytes_logical)),
            Cell::new(size(plan.bytes_freed)),
            Cell::new(format!("{}%", impact.percent())),
            Cell::new(count(plan.held_skipped)),
            Cell::new(count(plan.waiting_skipped)),
        ]);
    }
    if policies.is_empty() {
        let told = format!(
            "{} names no converter that archives into this store",
            args.file.display()
        );
        return Err(Error::new(ErrorKind::NotFound, told).into());
    }
    if !context.json() {
        context.print(table.page(&rows))?;
        context.note(format_args!(
            "{} would be purged, each row by itself; nothing was changed",
            counted(entries, "entry", "entries")
        ));
    }
    Ok(Exit::Done)
}

/// Returns the policies of a host with this configuration: that of its classes, then one for each
/// converter that archives into the shared store.
fn policies<'a>(config: &'a Config, wanted: Option<&str>) -> Vec<(&'a str, Policy)> {
    let classes = config.retention_classes().filter(|_| wanted.is_none());
    let mut policies: Vec<_> = classes
        .map(|policy| ("by class", policy))
        .into_iter()
        .collect();
    for converter in &config.converters {
        let name = converter.converter.name.as_str();
        let is_shared = converter.archive.folder.is_none() && converter.archive.archives();
        if is_shared && wanted.is_none_or(|wanted| wanted == name) {
            policies.push((name, config.retention_policy(converter)));
        }
    }
    policies
}
