//! `annals convert`: its arguments, and one conversion over an entry or a file.

use std::path::{Path, PathBuf};

use super::configured::{configured, taker};
use super::gate::{self, Test};
use super::result::{Converted, cancelled, exit, in_words, print_reports, remark};
use super::unrecorded::convert_unrecorded;
use crate::archive::Access;
use crate::cli::commands::reach::Reach;
use crate::cli::render::{escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{Runner, convert_entry, convert_path};
use crate::host::Config;
use crate::id::EntryId;
use crate::service::entries::no_entry;
use crate::{Error, ErrorKind};

/// Run a converter once, over an entry, a file or a folder
///
/// An entry gets another attempt, recorded with its report. For a file nothing is recorded: its
/// report is printed, which is how converters are tried out. A folder is for converters that have a
/// `complete_marker`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
A number is an entry; write ./4711 for a file of that name, and ./test for one called test. Without -c it is the converter the entry was archived for, \
or the one that takes files of that name.

Examples:
  annals convert SN1042.csv --config host.toml
  annals convert 4711 --config host.toml -c 'ICT CSV'
  annals convert 4711 --config trial.toml -c 'ICT CSV' --no-record
  annals convert test 'ICT CSV' --config host.toml --over 90d

Exit code 1 when the converter did not succeed; what it said is printed all the same."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// An entry, a file, or a folder for a converter that takes those
    #[arg(value_name = "ID|PATH", required = true)]
    what: Option<PathBuf>,
    /// The converter, by its name in the configuration
    #[arg(short, long, value_name = "NAME")]
    converter: Option<String>,
    /// Record nothing: print the report, and compare it with the attempt on record
    #[arg(long)]
    no_record: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Test(Box<Test>),
}

impl Args {
    /// Returns where the verb is run. Converting a file needs no store.
    pub(crate) fn reach(&self) -> Reach {
        match (&self.action, self.entry()) {
            (Some(_), _) | (None, Some(_)) => Reach::Owner,
            (None, None) => Reach::Here,
        }
    }

    fn entry(&self) -> Option<EntryId> {
        let what = self.what.as_deref()?;
        what.to_str().and_then(|text| text.parse().ok())
    }
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if let Some(Action::Test(test)) = &args.action {
        return gate::test(test, context);
    }
    let config = context.configuration()?;
    let named = args.converter.as_deref();
    match (args.entry(), args.what.as_deref()) {
        (Some(id), _) if args.no_record => convert_unrecorded(id, named, &config, context),
        (Some(id), _) => convert_stored(id, named, &config, context),
        (None, Some(path)) => convert_file(path, named, &config, context),
        (None, None) => Err(Error::new(ErrorKind::Invalid, "name an entry or a file").into()),
    }
}

fn convert_stored(
    id: EntryId,
    named: Option<&str>,
    config: &Config,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let entry = archive.snapshot()?.entry(id)?.ok_or_else(|| no_entry(id))?;
    let converter = configured(config, named.unwrap_or(&entry.converter))?;
    let runner = Runner::new(converter.clone(), 1, &std::env::temp_dir())?;
    let summary = convert_entry(&archive, &runner, id, None, &context.cancel_by_signal())?
        .ok_or_else(cancelled)?;
    let closed = archive.close();
    let conversion = &summary.conversion;
    if context.json() {
        context.print_json(&Converted {
            id: Some(id),
            attempt: Some(summary.attempt),
            converter_id: Some(summary.converter_id),
            ..Converted::new(converter, conversion)
        })?;
    } else {
        context.print(format!(
            "entry {id}: attempt {}, {}\n",
            summary.attempt,
            in_words(converter, conversion)
        ))?;
        remark(conversion, context);
        if !conversion.reports.is_empty() {
            context.note(format_args!("to see the report: annals cat {id} --report"));
        }
    }
    closed?;
    Ok(exit(conversion.outcome))
}

fn convert_file(
    path: &Path,
    named: Option<&str>,
    config: &Config,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let converter = match named {
        Some(name) => configured(config, name)?,
        None => taker(config, path)?,
    };
    let runner = Runner::new(converter.clone(), 1, &std::env::temp_dir())?;
    let conversion = convert_path(&runner, path, &context.cancel_by_signal())
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::plain(error),
            _ => error.into(),
        })?
        .ok_or_else(cancelled)?;
    if context.json() {
        context.print_json(&Converted {
            path: Some(path_text(path)),
            ..Converted::new(converter, &conversion)
        })?;
        return Ok(exit(conversion.outcome));
    }
    print_reports(&conversion, context)?;
    context.note(format_args!(
        "{}: {}",
        escape(&path_text(path)),
        in_words(converter, &conversion)
    ));
    remark(&conversion, context);
    Ok(exit(conversion.outcome))
}
