//! `annals retention what-if`: what a configuration that is not in force would purge.

use std::path::PathBuf;

use crate::archive::Access;
use crate::cli::render::{Cell, Column, Table, count, counted, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::host::Config;
use crate::retention::AsOf;
use crate::service::retention::{WouldPurge, host_policies};
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
        Column::right("FREES").kept(),
        Column::right("OF STORE"),
        Column::right("HELD"),
        Column::right("WAITING"),
    ];
    let mut table = Table::new(&columns, context.canvas());
    let wanted = args.converter.as_deref();
    let (mut rows, mut entries) = (Vec::new(), 0);
    let policies = host_policies(&config, wanted);
    for (name, policy) in &policies {
        let plan = archive.plan_purge(policy, as_of)?;
        let impact = archive.impact(&plan)?;
        entries += plan.count;
        if context.json() {
            context.print_json(&WouldPurge {
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
