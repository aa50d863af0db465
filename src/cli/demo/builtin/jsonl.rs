//! JSON-lines log of a functional test. The twin of `tools/converters/jsonl_log.py`.

use serde_json::{Map, Value, json};

use super::report::{self, Head, Step, Verdict};
use super::{Refusal, Source, Unit, failed, rejected};

/// One line of the log, and where it stands.
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

    let mut groups: Vec<(&str, Vec<Step>)> = Vec::new();
    let mut count = 0_u32;
    for event in &events[1..events.len() - 1] {
        if event.kind == "phase" {
            groups.push((event.text("name")?, Vec::new()));
            continue;
        }
        let Some(step) = event.step(unit)? else {
            continue;
        };
        count += 1;
        if groups.is_empty() {
            groups.push(("Test", Vec::new()));
        }
        if let Some((_, steps)) = groups.last_mut() {
            steps.push(step);
        }
    }
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
    if verdict != root.verdict {
        unit.warnings
            .push(format!("'end' says {word}, the steps say otherwise"));
    }
    root.verdict = root.verdict.max(verdict);
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

    /// The step this event is, or none if it is not one.
    fn step(&self, unit: &mut Unit) -> Result<Option<Step>, Refusal> {
        if self.kind == "log" {
            return Ok(None);
        }
        if !["measure", "compare", "check"].contains(&self.kind.as_str()) {
            unit.warnings.push(format!(
                "{}: unknown event '{}' passed over",
                self.place, self.kind
            ));
            return Ok(None);
        }
        let name = self.text("name")?;
        let Some(passed) = self.members.get("pass").and_then(Value::as_bool) else {
            return Err(failed(format!(
                "{}: 'pass' is neither true nor false",
                self.place
            )));
        };
        let seconds = Some(self.number("seconds")?);
        Ok(Some(match self.kind.as_str() {
            "measure" => {
                let value = self.number("value")?;
                let limits = (self.limit("low")?, self.limit("high")?);
                Step::measurement(name, value, self.text("unit")?, limits, passed, seconds)
            }
            "compare" => {
                let (value, expected) = (self.text("value")?, self.text("expected")?);
                Step::comparison(name, value, expected, passed, seconds)
            }
            _ => {
                let text = match self.members.get("text") {
                    None => None,
                    Some(_) => Some(self.text("text")?),
                };
                Step::check(name, Verdict::of(passed), text, seconds)
            }
        }))
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
