//! The same measurements as three stations would write them: the plant's CSV, and the XML and JSON
//! that say the same.

use std::fmt::Write as _;

use crate::plant;

/// How a station writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Xml,
    Json,
}

impl Format {
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xml => "xml",
            Self::Json => "json",
        }
    }

    /// The file of unit `nth` of an endless plant.
    pub(crate) fn file(self, seed: u64, nth: usize) -> Vec<u8> {
        let csv = plant::ict_file(seed, nth);
        match self {
            Self::Csv => csv,
            Self::Xml => xml(&Report::parse(&String::from_utf8_lossy(&csv))).into_bytes(),
            Self::Json => json(&Report::parse(&String::from_utf8_lossy(&csv))).into_bytes(),
        }
    }
}

/// What stands in a file of an in-circuit tester.
struct Report {
    facts: Vec<(String, String)>,
    tests: Vec<Test>,
    passed: bool,
    seconds: String,
}

struct Test {
    name: String,
    value: String,
    unit: String,
    low: String,
    high: String,
    result: String,
}

impl Report {
    fn parse(csv: &str) -> Self {
        let mut report = Self {
            facts: Vec::new(),
            tests: Vec::new(),
            passed: true,
            seconds: String::new(),
        };
        for line in csv.lines() {
            let cells: Vec<&str> = line.split(';').collect();
            match cells[..] {
                ["Name", ..] | ["TOTAL", ..] | ["Decimal", ..] => {}
                ["END", _, result, seconds] => {
                    report.passed = result == "PASS";
                    report.seconds = point(seconds);
                }
                [name, value] if !name.starts_with('#') => {
                    report.facts.push((name.to_owned(), value.to_owned()));
                }
                [name, value, unit, low, high, result] => report.tests.push(Test {
                    name: name.to_owned(),
                    value: point(value),
                    unit: unit.to_owned(),
                    low: point(low),
                    high: point(high),
                    result: result.to_owned(),
                }),
                _ => {}
            }
        }
        report
    }
}

/// One tester in three writes decimal commas.
fn point(number: &str) -> String {
    number.replace(',', ".")
}

fn xml(report: &Report) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<TestReport schemaVersion=\"2.1\">\n  <Header>\n".to_owned();
    for (name, value) in &report.facts {
        let _ = writeln!(text, "    <{name}>{value}</{name}>");
    }
    let _ = writeln!(
        text,
        "    <Result>{}</Result>\n    <Duration unit=\"s\">{}</Duration>\n  </Header>\n  <Steps>",
        verdict(report.passed),
        report.seconds
    );
    for test in &report.tests {
        let low = if test.low.is_empty() {
            String::new()
        } else {
            format!("<Low>{}</Low>", test.low)
        };
        let _ = writeln!(
            text,
            "    <Step name=\"{}\" result=\"{}\">\n      <Value unit=\"{}\">{}</Value>\n      <Limits>{low}<High>{}</High></Limits>\n    </Step>",
            test.name, test.result, test.unit, test.value, test.high
        );
    }
    text.push_str("  </Steps>\n</TestReport>\n");
    text
}

fn json(report: &Report) -> String {
    let mut text = "{\n".to_owned();
    for (name, value) in &report.facts {
        let _ = writeln!(text, "  \"{}\": \"{value}\",", name.to_lowercase());
    }
    let _ = writeln!(
        text,
        "  \"outcome\": \"{}\",\n  \"duration_s\": {},\n  \"measurements\": [",
        verdict(report.passed),
        report.seconds
    );
    for (nth, test) in report.tests.iter().enumerate() {
        let low = if test.low.is_empty() {
            "null"
        } else {
            &test.low
        };
        let comma = if nth + 1 == report.tests.len() {
            ""
        } else {
            ","
        };
        let _ = writeln!(
            text,
            "    {{\"name\": \"{}\", \"measured_value\": {}, \"units\": \"{}\", \"lower_limit\": {low}, \"upper_limit\": {}, \"outcome\": \"{}\"}}{comma}",
            test.name, test.value, test.unit, test.high, test.result
        );
    }
    text.push_str("  ]\n}\n");
    text
}

const fn verdict(passed: bool) -> &'static str {
    if passed { "PASS" } else { "FAIL" }
}
