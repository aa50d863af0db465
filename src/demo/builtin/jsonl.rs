//! Converts the JSON-lines log of a functional test, like `tools/converters/jsonl_log.py`.

use serde_json::{Map, Value, json};

use super::report::{self, Head, Step, Verdict};
use super::source::{Refusal, Source, Unit, failed, rejected};

/// One line of the log, and its place in the file.
struct Event {
    place: String,
    kind: String,
    members: Map<String, Value>,
}

pub(super) fn convert(source: &Source<'_>, unit: &mut Unit) -> Result<Value, Refusal> {
    let (lines, cut) = source.lines()?;
    let events = lines
        .iter()
        .enumerate()
        .map(|(index, line)| Event::read(line, index + 1))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(start) = events.first() else {
        return Err(failed("the log is cut short: line 1 breaks off"));
    };
    if start.kind != "start" {
        return Err(rejected(
            "not a functional test log: the first event is not 'start'",
        ));
    }
    start.text("serial")?.clone_into(&mut unit.serial);
    start.text("part")?.clone_into(&mut unit.part);
    start.text("station")?.clone_into(&mut unit.station);
    let process = match start.members.get("process") {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let process = report::process_code(source, &process)?;
    unit.process = process.to_string();
    if !cut.is_empty() {
        return Err(failed(format!(
            "the log is cut short: line {} breaks off, there is no 'end'",
            lines.len() + 1
        )));
    }
    let Some(end) = events.last().filter(|event| event.kind == "end") else {
        return Err(failed(format!(
            "the log is cut short: there is no 'end' after line {}",
            lines.len()
        )));
    };

    let (groups, count) = phases(&events[1..events.len() - 1], unit)?;
    let announced = end.number("steps")?;
    if announced.total_cmp(&f64::from(count)).is_ne() {
        return Err(failed(format!(
            "{}: 'end' announces {} steps, there are {count}",
            end.place, end.members["steps"]
        )));
    }

    let seconds = end.number("seconds")?;
    let steps = groups
        .into_iter()
        .map(|(name, steps)| Step::sequence(name, steps, None))
        .collect();
    let mut root = Step::sequence(start.text("sequence")?, steps, Some(seconds));
    let word = end.text("result")?;
    let verdict = match word {
        "PASS" => Verdict::Passed,
        "FAIL" => Verdict::Failed,
        _ => {
            return Err(failed(format!(
                "{}: the result '{word}' is neither PASS nor FAIL",
                end.place
            )));
        }
    };
    if verdict != root.verdict && root.verdict != Verdict::Skipped {
        unit.warnings
            .push(format!("'end' says {word}, the steps say otherwise"));
    }
    if verdict == Verdict::Failed {
        root.verdict = root.verdict.max(verdict);
    }
    let head = Head {
        revision: start.text("revision")?,
        start: report::start(start.text("t")?, "line 1, t", source, unit)?,
        process,
        uut: report::uut([
            ("execTime", json!(seconds)),
            ("user", json!(start.text("operator")?)),
        ]),
        misc: &[("Firmware", start.text("firmware")?)],
    };
    Ok(report::report(source, unit, root, head))
}

/// A phase of the test: its name and its steps.
type Phase<'a> = (&'a str, Vec<Step>);

/// Returns the phases of the events between start and end, and how many steps were announced by an
/// event that is understood.
fn phases<'a>(events: &'a [Event], unit: &mut Unit) -> Result<(Vec<Phase<'a>>, u32), Refusal> {
    let mut groups: Vec<Phase<'a>> = Vec::new();
    let mut count = 0_u32;
    for event in events {
        if event.kind == "phase" {
            groups.push((event.text("name")?, Vec::new()));
            continue;
        }
        if ["start", "end"].contains(&event.kind.as_str()) {
            return Err(failed(format!(
                "{}: a second '{}': the log is of more than one test",
                event.place, event.kind
            )));
        }
        let step = match event.kind.as_str() {
            "log" => continue,
            "measure" | "compare" | "check" => {
                count += 1;
                event.step(unit)?
            }
            // An unknown event says nothing usable about the unit.
            _ => {
                unit.warnings.push(format!(
                    "{}: the event '{}' is not understood",
                    event.place, event.kind
                ));
                let why = Some("the event is not understood");
                Step::check(&event.kind, Verdict::Error, why, None)
            }
        };
        if groups.is_empty() {
            groups.push(("Test", Vec::new()));
        }
        if let Some((_, steps)) = groups.last_mut() {
            steps.push(step);
        }
    }
    Ok((groups, count))
}

impl Event {
    fn read(line: &str, number: usize) -> Result<Self, Refusal> {
        let place = format!("line {number}");
        if let Ok(Value::Object(members)) = serde_json::from_str(line)
            && let Some(Value::String(kind)) = members.get("event")
        {
            return Ok(Self {
                place,
                kind: kind.clone(),
                members,
            });
        }
        Err(failed(format!(
            "{place} is not a JSON object with an 'event'"
        )))
    }

    /// Returns this event as a step: a measurement, a comparison or a check.
    fn step(&self, unit: &mut Unit) -> Result<Step, Refusal> {
        let name = self.text("name")?;
        let Some(passed) = self.members.get("pass").and_then(Value::as_bool) else {
            return Err(failed(format!(
                "{}: 'pass' is neither true nor false",
                self.place
            )));
        };
        let seconds = Some(self.number("seconds")?);
        let mut contradict = |what: &str| {
            let said = if passed { "PASS" } else { "FAIL" };
            unit.warnings.push(format!(
                "{} ({name}): the log says {said}, the {what} say otherwise",
                self.place
            ));
        };
        Ok(match self.kind.as_str() {
            "measure" => {
                let value = self.number("value")?;
                let limits @ (low, high) = (self.limit("low")?, self.limit("high")?);
                let inside =
                    low.is_none_or(|low| low <= value) && high.is_none_or(|high| value <= high);
                if inside != passed {
                    contradict("limits");
                }
                Step::measurement(name, value, self.text("unit")?, limits, passed, seconds)
            }
            "compare" => {
                let (value, expected) = (self.text("value")?, self.text("expected")?);
                if (value == expected) != passed {
                    contradict("texts");
                }
                Step::comparison(name, value, expected, passed, seconds)
            }
            _ => {
                let text = match self.members.get("text") {
                    None => None,
                    Some(_) => Some(self.text("text")?),
                };
                Step::check(name, Verdict::of(passed), text, seconds)
            }
        })
    }

    fn text(&self, key: &str) -> Result<&str, Refusal> {
        self.members
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| failed(format!("{}: '{key}' is missing or is not text", self.place)))
    }

    fn limit(&self, key: &str) -> Result<Option<f64>, Refusal> {
        match self.members.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.number(key).map(Some),
        }
    }

    fn number(&self, key: &str) -> Result<f64, Refusal> {
        self.members
            .get(key)
            .and_then(Value::as_f64)
            .filter(|value| value.abs() <= 1e300)
            .ok_or_else(|| {
                failed(format!(
                    "{}: '{key}' is missing or is not a number",
                    self.place
                ))
            })
    }
}
