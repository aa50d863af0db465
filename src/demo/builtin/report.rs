//! Builds a WSJF report and checks its fields, like `tools/converters/wsjf.py`.

use chrono::{Datelike, NaiveDate, TimeDelta};
use serde_json::{Map, Value, json};

use super::source::{Refusal, Source, Unit, failed};
use super::uuid;

const NAME_CHARS_MAX: usize = 100;

/// Parses a number with `decimal` as its decimal mark.
pub(super) fn number(text: &str, what: &str, decimal: char) -> Result<f64, Refusal> {
    is_number(text, decimal)
        .then(|| text.replace(decimal, "."))
        .and_then(|plain| plain.parse().ok())
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| {
            failed(format!(
                "{what}: '{text}' is not a number with decimal mark '{decimal}'"
            ))
        })
}

/// Returns true for an optional sign, digits, an optional fraction and an optional exponent.
///
/// The parsers of Rust and Python would both accept more.
fn is_number(text: &str, decimal: char) -> bool {
    let unsigned = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let without_sign = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mantissa = without_sign(mantissa);
    let whole = match mantissa.split_once(decimal) {
        Some((whole, fraction)) => unsigned(whole) && unsigned(fraction),
        None => unsigned(&mantissa),
    };
    whole && exponent.is_none_or(|exponent| unsigned(&without_sign(exponent)))
}

/// Parses the number of items that `text` announces.
pub(super) fn count(text: &str) -> Option<u32> {
    ((1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// When the test started, in local time and in UTC.
pub(super) struct Start {
    local: String,
    utc: String,
}

/// Reads a start time. A time without an offset uses the argument `utc_offset`.
pub(super) fn start(
    text: &str,
    what: &str,
    source: &Source<'_>,
    unit: &mut Unit,
) -> Result<Start, Refusal> {
    let wrong = || {
        failed(format!(
            "{what}: '{text}' is not a time such as 2025-03-03T08:14:22+01:00"
        ))
    };
    let time = Time::of(text).ok_or_else(wrong)?;
    let mut local = text.to_owned();
    let offset = if time.offset.is_empty() {
        let offset = source.argument("utc_offset").unwrap_or_else(|| {
            unit.warnings.push(format!(
                "{what} has no offset and is taken as UTC; set the argument utc_offset"
            ));
            "+00:00"
        });
        if offset_seconds(offset).is_none() {
            return Err(failed(format!(
                "argument utc_offset: '{offset}' is not an offset such as +01:00"
            )));
        }
        local.push_str(offset);
        offset
    } else {
        time.offset
    };
    let seconds = offset_seconds(offset).ok_or_else(wrong)?;
    let [year, month, day, hour, minute, second] = time.parts;
    let utc = NaiveDate::from_ymd_opt(year.try_into().unwrap_or(0), month, day)
        .and_then(|day| day.and_hms_opt(hour, minute, second))
        .filter(|_| year > 0)
        .and_then(|local| local.checked_sub_signed(TimeDelta::seconds(seconds)))
        .filter(|utc| (1..=9999).contains(&utc.year()))
        .ok_or_else(wrong)?;
    Ok(Start {
        local,
        utc: format!("{}{}Z", utc.format("%Y-%m-%dT%H:%M:%S"), time.fraction),
    })
}

struct Time<'a> {
    /// Year, month, day, hour, minute, second.
    parts: [u32; 6],
    /// Includes the dot; may be empty.
    fraction: &'a str,
    /// Empty when there is none.
    offset: &'a str,
}

impl<'a> Time<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (moment, rest) = text.split_at_checked(19)?;
        let mut parts = [0; 6];
        let mut left = moment;
        for (part, (width, end)) in
            parts
                .iter_mut()
                .zip([(4, "-"), (2, "-"), (2, "T"), (2, ":"), (2, ":"), (2, "")])
        {
            let (digits, tail) = left.split_at_checked(width)?;
            *part = count(digits)?;
            left = tail.strip_prefix(end)?;
        }
        let digits = rest.strip_prefix('.').map_or(0, |tail| {
            tail.bytes().take_while(u8::is_ascii_digit).count()
        });
        let (fraction, offset) = match (rest.starts_with('.'), digits) {
            (false, _) => ("", rest),
            (true, 1..=6) => rest.split_at(1 + digits),
            (true, _) => return None,
        };
        (offset.is_empty() || offset_seconds(offset).is_some()).then_some(Self {
            parts,
            fraction,
            offset,
        })
    }
}

fn offset_seconds(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (count(hours)?, count(minutes)?);
    (hours <= 14 && minutes <= 59).then_some(sign * i64::from(hours * 3600 + minutes * 60))
}

/// Returns the process code: the argument `operation`, or else the one in the source.
pub(super) fn process_code(source: &Source<'_>, from_source: &str) -> Result<u32, Refusal> {
    let text = source
        .argument("operation")
        .filter(|operation| !operation.is_empty())
        .unwrap_or(from_source);
    count(text).ok_or_else(|| {
        failed(format!(
            "process: '{text}' is not a whole number; set the argument operation"
        ))
    })
}

/// How a step ended, from the least to the most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Skipped,
    Passed,
    /// It was aborted.
    Terminated,
    Failed,
    /// The test itself had an error, or its result is unknown.
    Error,
}

impl Verdict {
    pub(super) fn of(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }

    const fn letter(self) -> &'static str {
        match self {
            Self::Skipped => "S",
            Self::Passed => "P",
            Self::Terminated => "T",
            Self::Failed => "F",
            Self::Error => "E",
        }
    }
}

/// One step of a test.
pub(super) struct Step {
    name: String,
    pub(super) verdict: Verdict,
    seconds: Option<f64>,
    kind: StepKind,
}

enum StepKind {
    Sequence(Vec<Step>),
    /// A test of one of the measurement types: the step type and the members of that type.
    Test(&'static str, Map<String, Value>),
}

impl Step {
    /// Returns a numeric limit test. A limit of `None` is open.
    pub(super) fn measurement(
        name: &str,
        value: f64,
        unit: &str,
        limits: (Option<f64>, Option<f64>),
        passed: bool,
        seconds: Option<f64>,
    ) -> Self {
        let verdict = Verdict::of(passed);
        // A comparison with one limit stores it in `lowLimit`, whether it is a lower or an upper
        // limit.
        let (operator, low, high) = match limits {
            (None, None) => ("LOG", None, None),
            (Some(low), None) => ("GE", Some(low), None),
            (None, Some(high)) => ("LE", Some(high), None),
            (Some(low), Some(high)) => ("GELE", Some(low), Some(high)),
        };
        let measured = json!([{
            "compOp": operator,
            "name": null,
            "status": verdict.letter(),
            "unit": unit,
            "value": value,
            "highLimit": high,
            "lowLimit": low,
        }]);
        Self::test("ET_NLT", name, verdict, seconds, "numericMeas", measured)
    }

    /// Returns a pass/fail test; `text` says why it ended so.
    pub(super) fn check(
        name: &str,
        verdict: Verdict,
        text: Option<&str>,
        seconds: Option<f64>,
    ) -> Self {
        let measured = json!([{"name": null, "status": verdict.letter()}]);
        let mut step = Self::test("ET_PFT", name, verdict, seconds, "booleanMeas", measured);
        if let (StepKind::Test(_, members), Some(text)) = (&mut step.kind, text)
            && !text.is_empty()
        {
            members.insert("reportText".to_owned(), json!(text));
        }
        step
    }

    /// Returns a string test.
    pub(super) fn comparison(
        name: &str,
        value: &str,
        expected: &str,
        passed: bool,
        seconds: Option<f64>,
    ) -> Self {
        let verdict = Verdict::of(passed);
        let measured = json!([{
            "compOp": "CASESENSIT",
            "name": null,
            "status": verdict.letter(),
            "value": value,
            "limit": expected,
        }]);
        Self::test("ET_SVT", name, verdict, seconds, "stringMeas", measured)
    }

    /// Returns a sequence of steps, with the verdict of its most severe step.
    ///
    /// It passes only when one of its steps passed.
    pub(super) fn sequence(name: &str, steps: Vec<Self>, seconds: Option<f64>) -> Self {
        let worst = steps.iter().map(|step| step.verdict).max();
        Self {
            name: name.to_owned(),
            verdict: worst.unwrap_or(Verdict::Skipped),
            seconds,
            kind: StepKind::Sequence(steps),
        }
    }

    fn test(
        kind: &'static str,
        name: &str,
        verdict: Verdict,
        seconds: Option<f64>,
        member: &str,
        measured: Value,
    ) -> Self {
        Self {
            name: name.to_owned(),
            verdict,
            seconds,
            kind: StepKind::Test(kind, Map::from_iter([(member.to_owned(), measured)])),
        }
    }

    /// Returns the step as JSON for the report.
    ///
    /// Steps are numbered in order of execution. The first bad step counts as the cause of the
    /// failure.
    fn into_json(self, numbering: &mut Numbering) -> Value {
        numbering.last += 1;
        let id = numbering.last;
        let bad = self.verdict > Verdict::Passed;
        let (kind, mut members, caused) = match self.kind {
            StepKind::Sequence(steps) => {
                let steps: Vec<Value> = steps
                    .into_iter()
                    .map(|step| step.into_json(numbering))
                    .collect();
                let members = Map::from_iter([("steps".to_owned(), Value::from(steps))]);
                ("SequenceCall", members, false)
            }
            StepKind::Test(kind, members) => (kind, members, bad && numbering.first_bad.is_none()),
        };
        if caused {
            numbering.first_bad = Some(id);
        }
        let name: String = self.name.chars().take(NAME_CHARS_MAX).collect();
        members.insert("id".to_owned(), json!(id));
        members.insert("group".to_owned(), json!("M"));
        members.insert("stepType".to_owned(), json!(kind));
        members.insert("name".to_owned(), json!(name));
        members.insert("status".to_owned(), json!(self.verdict.letter()));
        members.insert("causedUUTFailure".to_owned(), json!(caused));
        if let Some(seconds) = self.seconds {
            members.insert("totTime".to_owned(), json!(seconds));
        }
        Value::Object(members)
    }
}

#[derive(Default)]
struct Numbering {
    last: u32,
    first_bad: Option<u32>,
}

/// The facts of a report besides its steps.
pub(super) struct Head<'a> {
    pub(super) revision: &'a str,
    pub(super) start: Start,
    pub(super) process: u32,
    /// The `uut` object, without the step that caused the failure.
    pub(super) uut: Map<String, Value>,
    /// Descriptions with their texts. Empty texts are left out.
    pub(super) misc: &'a [(&'a str, &'a str)],
}

/// Returns the whole report.
pub(super) fn report(source: &Source<'_>, unit: &mut Unit, root: Step, head: Head<'_>) -> Value {
    // When no step passed or failed, it is unknown whether the unit is good.
    let result = if root.verdict == Verdict::Skipped {
        unit.warnings
            .push("no step of the test passed or failed: the result is an error".to_owned());
        Verdict::Error.letter()
    } else {
        root.verdict.letter()
    };
    let mut numbering = Numbering::default();
    let root = root.into_json(&mut numbering);
    let mut uut = head.uut;
    uut.insert(
        "stepIdCausedUUTFailure".to_owned(),
        json!(numbering.first_bad),
    );
    let misc: Vec<Value> = head
        .misc
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(description, text)| json!({"description": description, "text": text}))
        .collect();
    json!({
        "type": "T",
        "id": uuid::report_id(source.data),
        "pn": unit.part,
        "sn": unit.serial,
        "rev": head.revision,
        "processCode": head.process,
        "result": result,
        "machineName": unit.station,
        "location": source.argument("location").unwrap_or(""),
        "purpose": source.argument("purpose").unwrap_or("Production"),
        "start": head.start.local,
        "startUTC": head.start.utc,
        "root": root,
        "uut": uut,
        "miscInfos": misc,
    })
}

/// Returns the members of a `uut` object.
pub(super) fn uut<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}
