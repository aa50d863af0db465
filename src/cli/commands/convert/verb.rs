//! `annals convert`: its arguments, and one conversion over an entry or a file.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::value::RawValue;

use super::gate::{self, Test};
use super::unrecorded::convert_unrecorded;
use crate::archive::Access;
use crate::cli::commands::reach::Reach;
use crate::cli::content::no_entry;
use crate::cli::render::{counted, duration, escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{Conversion, Converter, Runner, Takes, convert_entry, convert_path};
use crate::entry::{Extent, Outcome};
use crate::host::Config;
use crate::id::{AttemptNo, ConverterId, EntryId};
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

#[derive(Serialize)]
pub(super) struct Converted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<EntryId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<AttemptNo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) converter_id: Option<ConverterId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    converter: &'a str,
    converter_version: Option<&'a str>,
    status: Outcome,
    duration_ms: u64,
    error: Option<&'a str>,
    warnings: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    suspicious: &'a [String],
    extent: Option<&'a Extent>,
    serial: Option<&'a str>,
    part: Option<&'a str>,
    station: Option<&'a str>,
    process: Option<&'a str>,
    reports: Vec<Option<Box<RawValue>>>,
}

impl<'a> Converted<'a> {
    pub(super) fn new(converter: &'a Converter, conversion: &'a Conversion) -> Self {
        Self {
            id: None,
            attempt: None,
            converter_id: None,
            path: None,
            converter: &converter.name,
            converter_version: converter.version.as_deref(),
            status: conversion.outcome,
            duration_ms: milliseconds(conversion),
            error: conversion.error.as_deref(),
            warnings: &conversion.warnings,
            suspicious: &conversion.suspicious,
            extent: conversion.extent.as_ref(),
            serial: conversion.unit.serial.as_deref(),
            part: conversion.unit.part.as_deref(),
            station: conversion.unit.station.as_deref(),
            process: conversion.unit.process.as_deref(),
            reports: conversion
                .reports
                .iter()
                .map(|bytes| on_one_line(bytes))
                .collect(),
        }
    }
}

/// Returns a JSON report as it was written, with its line ends replaced by spaces.
///
/// In valid JSON, line ends stand only between values.
fn on_one_line(report: &[u8]) -> Option<Box<RawValue>> {
    let text = str::from_utf8(report).ok()?;
    RawValue::from_string(text.replace(['\r', '\n'], " ")).ok()
}

fn milliseconds(conversion: &Conversion) -> u64 {
    u64::try_from(conversion.duration.as_millis()).unwrap_or(u64::MAX)
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

/// Prints the reports of a conversion, one after the other.
pub(super) fn print_reports(
    conversion: &Conversion,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let to_terminal = context.stdout_is_terminal();
    for report in &conversion.reports {
        if to_terminal {
            let text = String::from_utf8_lossy(report);
            // Line ends are the report's layout. Every other control character is escaped.
            let lines: Vec<_> = text.lines().map(escape).collect();
            context.print(lines.join("\n"))?;
        } else {
            context.print(report)?;
        }
        context.print("\n")?;
    }
    Ok(())
}

/// Describes a conversion: `success by ICT CSV 1.1.0 in 45 ms, 1 report`.
pub(super) fn in_words(converter: &Converter, conversion: &Conversion) -> String {
    let version = converter.version.as_deref().unwrap_or_default();
    let by = format!("{} {version}", converter.name);
    let mut words = format!(
        "{} by {} in {}",
        conversion.outcome,
        escape(by.trim_end()),
        duration(milliseconds(conversion))
    );
    if !conversion.reports.is_empty() {
        words += ", ";
        words += &counted(conversion.reports.len() as u64, "report", "reports");
    }
    if let Some(error) = &conversion.error {
        words += ": ";
        words += &escape(error);
    }
    words
}

pub(super) fn remark(conversion: &Conversion, context: &mut Context<'_>) {
    for warning in &conversion.warnings {
        context.warn(warning);
    }
    // The error of a failure says it.
    if conversion.outcome == Outcome::Success {
        for why in &conversion.suspicious {
            context.warn(format_args!("suspicious: {why}"));
        }
    }
}

/// Returns the exit code. A source with nothing to convert is no failure.
pub(super) fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Success | Outcome::Skipped => Exit::Done,
        Outcome::Failed | Outcome::Suspended | Outcome::Rejected => Exit::Failed,
    }
}

pub(super) fn configured<'a>(config: &'a Config, name: &str) -> Result<&'a Converter, Error> {
    let found = config.converter(name).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "no converter '{name}' is configured in {}",
                config.path.display()
            ),
        )
        .hint(format!("there are: {}", names(config)))
    })?;
    Ok(&found.converter)
}

/// Returns the one converter that takes files, or folders, of this name.
fn taker<'a>(config: &'a Config, path: &Path) -> Result<&'a Converter, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_folder = path.is_dir();
    let what = if is_folder { "folders" } else { "files" };
    let mut takers = config
        .converters
        .iter()
        .filter(|converter| (converter.converter.takes == Takes::Folders) == is_folder)
        .filter(|converter| converter.takes(&name));
    let which = match (takers.next(), takers.next()) {
        (Some(one), None) => return Ok(&one.converter),
        (None, _) => "no converter takes",
        (Some(_), Some(_)) => "several converters take",
    };
    Err(
        Error::new(ErrorKind::Invalid, format!("{which} {what} such as {name}"))
            .hint(format!("name one with -c: {}", names(config))),
    )
}

fn names(config: &Config) -> String {
    let names: Vec<&str> = config
        .converters
        .iter()
        .map(|config| config.converter.name.as_str())
        .collect();
    names.join(", ")
}

/// Returns the error for a conversion that a signal or a disconnected client cancelled.
pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::Converter, "the conversion was cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_over_several_lines_is_one_line_of_json_with_every_digit() {
        let report = b"{\n  \"value\": 0.10000000000000000555,\r\n  \"text\": \"a\\nb\"\n}";
        let line = on_one_line(report).expect("JSON");
        assert!(!line.get().contains(['\r', '\n']));
        assert!(line.get().contains("0.10000000000000000555"));
        assert!(on_one_line(b"not json").is_none());
        assert!(on_one_line(b"\xff").is_none());
    }
}
