//! Converts the JUnit XML of a firmware test, like `tools/converters/junit_xml.py`.

use serde_json::{Value, json};

use super::report::{self, Head};
use super::source::{Refusal, Source, Unit, failed, rejected};
use super::suite::{Suite, seconds_of};
use super::xml::{self, Element};

/// Properties that name the unit. Each may have only one value.
const UNIT_KEYS: [&str; 4] = ["serial", "part", "revision", "process"];

pub(super) fn convert(source: &Source<'_>, unit: &mut Unit) -> Result<Value, Refusal> {
    let root = parse(source.text()?)?;
    let mut suites = vec![&root];
    collect_suites(&root, &mut suites);
    let property = |name: &str| {
        suites
            .iter()
            .flat_map(|suite| suite.children_named("properties"))
            .flat_map(|group| group.children_named("property"))
            .filter(|entry| entry.attribute("name").unwrap_or_default() == name)
            .filter_map(|entry| entry.attribute("value"))
            .find(|value| !value.is_empty())
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
    refuse_several_units(&root, UNIT_KEYS.map(|key| (key, property(key))))?;
    let process = report::process_code(source, property("process"))?;
    unit.process = process.to_string();

    let suite = Suite::read(&root, unit)?;
    if suite.is_empty() {
        return Err(Refusal::Skipped("there is no test case in it".to_owned()));
    }
    let seconds = seconds_of(attribute("time"))?;
    let steps = suite.into_sequence(seconds);
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

/// Refuses a file about several units.
///
/// A report covers one unit. Test cases of another would count under its serial number.
fn refuse_several_units(element: &Element, unit: [(&str, &str); 4]) -> Result<(), Refusal> {
    if element.tag == "property" {
        let key = element.attribute("name").unwrap_or_default();
        let value = element.attribute("value").unwrap_or_default();
        let known = unit.iter().find(|(unit_key, _)| *unit_key == key);
        if let Some((_, first)) = known.filter(|(_, first)| !value.is_empty() && *first != value) {
            return Err(failed(format!(
                "the file is of more than one unit: {key} '{first}' and '{value}'"
            )));
        }
    }
    let mut children = element.children.iter();
    children.try_for_each(|child| refuse_several_units(child, unit))
}

/// Returns the root element.
///
/// The error for a file that is cut short names the number of complete test cases.
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
