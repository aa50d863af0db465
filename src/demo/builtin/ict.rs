//! Converts the CSV files of an ICT board tester.
//!
//! Its results equal those of `tools/converters/ict_csv.py` and, for the demonstration's first
//! version, of `ict_csv_v1.py`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::report::{self, Head, Step, Verdict};
use super::source::{Refusal, Source, Unit, failed, rejected};

const COLUMNS: &str = "Name;Value;Unit;Low;High;Result";
/// Header keys that may not occur with two different values.
const UNIT_KEYS: [&str; 5] = ["Serial", "Part", "Revision", "Process", "Decimal"];

/// How the lines after the column line are classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// By their content. The number of measurements is checked against END.
    Records,
    /// The bug of the first version: the last two lines are always taken for TOTAL and END. Testers
    /// with software 2.x write no TOTAL, so their last measurement is lost.
    AllButTwoLines,
}

pub(super) fn convert(
    source: &Source<'_>,
    unit: &mut Unit,
    reading: Reading,
) -> Result<Value, Refusal> {
    let (lines, cut) = source.lines()?;
    if !lines.first().unwrap_or(&cut).starts_with("#ICT-REPORT;") {
        return Err(rejected(
            "not an ICT report: the first line is not '#ICT-REPORT;...'",
        ));
    }
    let header = read_header(&lines)?;
    let field = |key: &str| header.get(key).copied().unwrap_or_default();
    field("Serial").clone_into(&mut unit.serial);
    field("Part").clone_into(&mut unit.part);
    field("Station").clone_into(&mut unit.station);
    let Some(columns) = lines.iter().position(|line| *line == COLUMNS) else {
        return Err(failed(format!(
            "the file is cut short: the line '{COLUMNS}' is missing after line {}",
            lines.len()
        )));
    };
    for key in ["Serial", "Part", "Revision", "Station", "Start"] {
        if field(key).is_empty() {
            return Err(failed(format!("the header names no {key}")));
        }
    }
    let process = report::process_code(source, field("Process"))?;
    unit.process = process.to_string();
    let decimal = decimal_sign(header.get("Decimal").copied())?;

    if !cut.is_empty() {
        return Err(failed(format!(
            "the file is cut short: line {} breaks off, the END line is missing",
            lines.len() + 1
        )));
    }
    let Some(last) = lines.last().filter(|line| line.starts_with("END;")) else {
        return Err(failed(format!(
            "the file is cut short: the END line is missing after line {}",
            lines.len()
        )));
    };
    let end_at = match reading {
        Reading::Records => lines.len() - 1,
        Reading::AllButTwoLines => lines.len() - 2,
    };
    let (mut steps, mut totals) = (Vec::new(), Vec::new());
    for (index, line) in lines.iter().enumerate().take(end_at).skip(columns + 1) {
        let place = format!("line {}", index + 1);
        if reading == Reading::Records && line.starts_with("TOTAL;") {
            totals.push(read_total(line, &place)?);
            continue;
        }
        steps.push(read_row(line, &place, decimal, unit)?);
    }
    let end = read_end(last, &format!("line {}", lines.len()), decimal, reading)?;
    if let Some(count) = end.count.filter(|count| *count as usize != steps.len()) {
        return Err(failed(format!(
            "END announces {count} measurements, there are {}",
            steps.len()
        )));
    }

    check_totals(&totals, &steps)?;

    let program = header.get("Program").copied().unwrap_or("ICT");
    let mut root = Step::sequence(program, steps, Some(end.seconds));
    if let Some(verdict) = end.verdict {
        if verdict != root.verdict && root.verdict != Verdict::Skipped {
            unit.warnings.push(format!(
                "END says {}, the measurements say otherwise",
                word(verdict)
            ));
        }
        if verdict == Verdict::Failed {
            root.verdict = root.verdict.max(verdict);
        }
    }
    let head = Head {
        revision: field("Revision"),
        start: report::start(field("Start"), "Start", source, unit)?,
        process,
        uut: report::uut([
            ("execTime", json!(end.seconds)),
            ("user", json!(field("Operator"))),
            ("fixtureId", json!(field("Fixture"))),
        ]),
        misc: &[
            ("Program", field("Program")),
            ("Tester software", field("Software")),
        ],
    };
    Ok(report::report(source, unit, root, head))
}

/// Returns the sign that separates the decimals of a number.
fn decimal_sign(field: Option<&str>) -> Result<char, Refusal> {
    match field {
        None | Some(".") => Ok('.'),
        Some(",") => Ok(','),
        Some(other) => Err(failed(format!(
            "the header's Decimal is '{other}', not '.' or ','"
        ))),
    }
}

/// Refuses a file whose TOTAL lines (measurements, failures) announce other numbers than it has.
fn check_totals(totals: &[(u32, u32)], steps: &[Step]) -> Result<(), Refusal> {
    let bad = |step: &&Step| step.verdict == Verdict::Failed;
    let (found, failures) = (steps.len(), steps.iter().filter(bad).count());
    for (measured, announced) in totals {
        if (*measured as usize, *announced as usize) != (found, failures) {
            return Err(failed(format!(
                "TOTAL announces {measured} measurements and {announced} failures, there are \
                 {found} and {failures}"
            )));
        }
    }
    Ok(())
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "PASS",
        _ => "FAIL",
    }
}

fn verdict(word: &str) -> Option<Verdict> {
    match word {
        "PASS" => Some(Verdict::Passed),
        "FAIL" => Some(Verdict::Failed),
        _ => None,
    }
}

/// Reads keys and values up to the column line. The first value of a repeated key counts.
fn read_header<'a>(lines: &[&'a str]) -> Result<BTreeMap<&'a str, &'a str>, Refusal> {
    let mut header = BTreeMap::new();
    for line in lines.iter().skip(1).take_while(|line| **line != COLUMNS) {
        let (key, value) = line.split_once(';').unwrap_or((line, ""));
        let first = *header.entry(key).or_insert(value);
        if first != value && UNIT_KEYS.contains(&key) {
            return Err(failed(format!(
                "the header names two values of {key}: '{first}' and '{value}'"
            )));
        }
    }
    Ok(header)
}

/// Returns the numbers of measurements and failures that a TOTAL line announces.
fn read_total(line: &str, place: &str) -> Result<(u32, u32), Refusal> {
    let fields: Vec<&str> = line.split(';').collect();
    if let [_, measured, failures] = fields[..]
        && let (Some(measured), Some(failures)) = (report::count(measured), report::count(failures))
    {
        return Ok((measured, failures));
    }
    Err(failed(format!(
        "{place}: expected TOTAL;measurements;failures"
    )))
}

fn read_row(line: &str, place: &str, decimal: char, unit: &mut Unit) -> Result<Step, Refusal> {
    let fields: Vec<&str> = line.split(';').collect();
    let [name, value, unit_name, low, high, result] = fields[..] else {
        return Err(failed(format!(
            "{place}: expected 6 fields ({COLUMNS}), found {}",
            fields.len()
        )));
    };
    let Some(verdict) = verdict(result) else {
        return Err(failed(format!(
            "{place}: the result '{result}' is neither PASS nor FAIL"
        )));
    };
    let value = report::number(value, &format!("{place}, Value"), decimal)?;
    let limit = |text: &str, column: &str| match text {
        "" => Ok(None),
        _ => report::number(text, &format!("{place}, {column}"), decimal).map(Some),
    };
    let (low, high) = (limit(low, "Low")?, limit(high, "High")?);
    let inside = low.is_none_or(|low| low <= value) && high.is_none_or(|high| value <= high);
    let passed = verdict == Verdict::Passed;
    if inside != passed {
        unit.warnings.push(format!(
            "{place} ({name}): the tester says {result}, the limits say otherwise"
        ));
    }
    Ok(Step::measurement(
        name,
        value,
        unit_name,
        (low, high),
        passed,
        None,
    ))
}

struct End {
    count: Option<u32>,
    verdict: Option<Verdict>,
    seconds: f64,
}

fn read_end(line: &str, place: &str, decimal: char, reading: Reading) -> Result<End, Refusal> {
    let wrong = || {
        failed(format!(
            "{place}: expected END;measurements;PASS or FAIL;seconds"
        ))
    };
    let fields: Vec<&str> = line.split(';').collect();
    let [_, count, word, seconds] = fields[..] else {
        return Err(wrong());
    };
    let (count, verdict) = match reading {
        Reading::Records => (
            Some(report::count(count).ok_or_else(wrong)?),
            Some(verdict(word).ok_or_else(wrong)?),
        ),
        Reading::AllButTwoLines => (None, None),
    };
    Ok(End {
        count,
        verdict,
        seconds: report::number(seconds, &format!("{place}, seconds"), decimal)?,
    })
}
