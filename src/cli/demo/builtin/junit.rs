//! JUnit XML of a firmware test. The twin of `tools/converters/junit_xml.py`.

use serde_json::{Value, json};

use super::report::{self, Head, Step, Verdict};
use super::xml::{self, Element};
use super::{Refusal, Source, Unit, failed, rejected};

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn convert(source: &Source<'_>, unit: &mut Unit) -> Result<Value, Refusal> {
    let root = parse(source.text()?)?;
    let mut suites = vec![&root];
    collect_suites(&root, &mut suites);
    let property = |name: &str| {
        suites
            .iter()
            .flat_map(|suite| suite.children_named("properties"))
            .flat_map(|group| group.children_named("property"))
            .find(|entry| entry.attribute("name").unwrap_or_default() == name)
            .and_then(|entry| entry.attribute("value"))
            .unwrap_or_default()
    };
    let attribute = |name: &str| {
        suites
            .iter()
            .filter_map(|suite| suite.attribute(name))
            .find(|value| !value.is_empty())
            .unwrap_or_default()
    };

    property("serial").clone_into(&mut unit.serial);
    property("part").clone_into(&mut unit.part);
    match property("station") {
        "" => attribute("hostname"),
        station => station,
    }
    .clone_into(&mut unit.station);
    for key in ["serial", "part"] {
        if property(key).is_empty() {
            return Err(failed(format!(
                "no <property name=\"{key}\"> names the unit"
            )));
        }
    }
    let process = report::process_code(source, property("process"))?;
    unit.process = process.to_string();

    let cases = root.count("testcase");
    if cases == 0 {
        return Err(Refusal::Skipped("there is no test case in it".to_owned()));
    }
    if let Some(announced) = announced(&root).filter(|announced| *announced as usize != cases) {
        unit.warnings.push(format!(
            "the file announces {announced} test cases, there are {cases}"
        ));
    }
    let seconds = seconds_of(attribute("time"))?;
    let steps = Step::sequence(name_of(&root, "Tests"), steps_of(&root)?, seconds);
    let head = Head {
        revision: property("revision"),
        start: report::start(attribute("timestamp"), "timestamp", source, unit)?,
        process,
        uut: report::uut([
            ("execTime", json!(seconds)),
            ("user", json!(property("operator"))),
        ]),
        misc: &[("Firmware", property("firmware"))],
    };
    Ok(report::report(source, unit, steps, head))
}

/// The root element. A file that is cut short is refused with the number of test cases that are whole.
fn parse(text: &str) -> Result<Element, Refusal> {
    if text.contains("<!DOCTYPE") {
        return Err(rejected("not a JUnit report: it has a DOCTYPE"));
    }
    let root = xml::parse(text).map_err(|broken| {
        let whole = broken.whole("testcase");
        let of = broken
            .root()
            .and_then(announced)
            .map_or(String::new(), |announced| format!(" of {announced}"));
        failed(format!(
            "the XML is cut short or malformed: {whole}{of} test cases are whole"
        ))
    })?;
    if !["testsuites", "testsuite"].contains(&root.tag.as_str()) {
        return Err(rejected(format!(
            "not a JUnit report: the root element is <{}>",
            root.tag
        )));
    }
    Ok(root)
}

fn announced(root: &Element) -> Option<u32> {
    report::count(root.attribute("tests").unwrap_or_default())
}

fn collect_suites<'a>(element: &'a Element, suites: &mut Vec<&'a Element>) {
    for child in &element.children {
        if child.tag == "testsuite" {
            suites.push(child);
        }
        collect_suites(child, suites);
    }
}

fn name_of<'a>(element: &'a Element, unnamed: &'a str) -> &'a str {
    element
        .attribute("name")
        .filter(|name| !name.is_empty())
        .unwrap_or(unnamed)
}

fn seconds_of(text: &str) -> Result<Option<f64>, Refusal> {
    match text {
        "" => Ok(None),
        _ => report::number(text, "time", '.').map(Some),
    }
}

fn steps_of(element: &Element) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::new();
    for child in &element.children {
        let seconds = || seconds_of(child.attribute("time").unwrap_or_default());
        match child.tag.as_str() {
            "testsuite" => {
                let inner = steps_of(child)?;
                steps.push(Step::sequence(name_of(child, "Tests"), inner, seconds()?));
            }
            "testcase" => {
                let (verdict, text) = verdict_of(child);
                steps.push(Step::check(
                    name_of(child, "unnamed"),
                    verdict,
                    text,
                    seconds()?,
                ));
            }
            _ => {}
        }
    }
    Ok(steps)
}

fn verdict_of(case: &Element) -> (Verdict, Option<&str>) {
    for (tag, verdict) in [
        ("error", Verdict::Error),
        ("failure", Verdict::Failed),
        ("skipped", Verdict::Skipped),
    ] {
        if let Some(found) = case.children_named(tag).next() {
            let text = found
                .attribute("message")
                .filter(|message| !message.is_empty())
                .unwrap_or(found.text.trim_matches(BLANKS));
            return (verdict, Some(text));
        }
    }
    (Verdict::Passed, None)
}
