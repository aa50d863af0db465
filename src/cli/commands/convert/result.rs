//! The result of a conversion, as it is printed.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::render::{counted, duration, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{Conversion, Converter};
use crate::entry::{Extent, Outcome};
use crate::id::{AttemptNo, ConverterId, EntryId};
use crate::{Error, ErrorKind};

#[derive(Serialize)]
pub(super) struct Converted<'a> {
    pub(super) id: Option<EntryId>,
    pub(super) attempt: Option<AttemptNo>,
    pub(super) converter_id: Option<ConverterId>,
    pub(super) path: Option<String>,
    pub(super) converter: &'a str,
    pub(super) converter_version: Option<&'a str>,
    pub(super) status: Outcome,
    pub(super) duration_ms: u64,
    pub(super) error: Option<&'a str>,
    pub(super) warnings: &'a [String],
    pub(super) suspicious: &'a [String],
    pub(super) extent: Option<&'a Extent>,
    pub(super) serial: Option<&'a str>,
    pub(super) part: Option<&'a str>,
    pub(super) station: Option<&'a str>,
    pub(super) process: Option<&'a str>,
    pub(super) reports: Vec<Option<Box<RawValue>>>,
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
