//! Determines how the cases and suites of a JUnit file ended. Anything unknown is an error, never a
//! pass.

use super::report::{self, Step, Verdict};
use super::source::{Refusal, Unit};
use super::xml::Element;

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
const NOT_UNDERSTOOD: &str = "is not understood";

/// Returns the verdict that an element states about the case or suite around it.
fn outcome_of(tag: &str) -> Option<Verdict> {
    match tag {
        "error" | "rerunError" => Some(Verdict::Error),
        "failure" | "rerunFailure" => Some(Verdict::Failed),
        "skipped" => Some(Verdict::Skipped),
        _ => None,
    }
}

/// Returns true for an element about a failed run of a case that passed when it was run again.
fn is_flaky(tag: &str) -> bool {
    matches!(tag, "flakyError" | "flakyFailure")
}

fn is_another_run(tag: &str) -> bool {
    is_flaky(tag) || matches!(tag, "rerunError" | "rerunFailure")
}

/// Returns true for an element that says nothing about how a test ended.
fn is_remark(tag: &str) -> bool {
    matches!(tag, "properties" | "system-out" | "system-err")
}

/// Returns the verdict for a value of the attributes `status`, `result` and `outcome`.
///
/// Covers the words of googletest, ctest, pytest, jest and others.
fn verdict_of_word(word: &str) -> Option<Verdict> {
    Some(match word {
        "run" | "ran" | "pass" | "passed" | "success" | "successful" | "succeeded" | "ok"
        | "complete" | "completed" | "executed" | "fixed" => Verdict::Passed,
        "fail" | "failed" | "failure" | "regression" => Verdict::Failed,
        "error" | "errored" | "broken" | "crashed" => Verdict::Error,
        "aborted" | "interrupted" | "timeout" | "timedout" | "terminated" | "cancelled"
        | "canceled" | "killed" | "incomplete" => Verdict::Terminated,
        "notrun" | "skip" | "skipped" | "disabled" | "ignored" | "suppressed" | "pending"
        | "notexecuted" | "blocked" | "todo" => Verdict::Skipped,
        _ => return None,
    })
}

/// Boolean attributes of a case: the name, the verdict for true, and the verdict for false.
const FLAGS: [(&str, Verdict, Verdict); 5] = [
    ("success", Verdict::Passed, Verdict::Failed),
    ("executed", Verdict::Passed, Verdict::Skipped),
    ("disabled", Verdict::Skipped, Verdict::Passed),
    ("skipped", Verdict::Skipped, Verdict::Passed),
    ("ignored", Verdict::Skipped, Verdict::Passed),
];

/// One statement of an element about how it ended.
struct Outcome {
    verdict: Verdict,
    text: String,
}

impl Outcome {
    fn of_attribute(name: &str, text: &str, verdict: Option<Verdict>) -> Self {
        Self {
            verdict: verdict.unwrap_or(Verdict::Error),
            text: match verdict {
                Some(_) => format!("{name}: {text}"),
                None => format!("{name}: '{text}' {NOT_UNDERSTOOD}"),
            },
        }
    }
}

fn words_of(element: &Element) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for name in ["status", "result", "outcome"] {
        let text = element.attribute(name).unwrap_or_default();
        let mut word = text.to_lowercase();
        word.retain(|letter| !"_- ".contains(letter));
        if !word.is_empty() {
            outcomes.push(Outcome::of_attribute(name, text, verdict_of_word(&word)));
        }
    }
    outcomes
}

fn flags_of(case: &Element) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (name, when_true, when_false) in FLAGS {
        let text = case.attribute(name).unwrap_or_default();
        let text = text.trim_matches(BLANKS).to_lowercase();
        let verdict = match text.as_str() {
            "" => continue,
            "true" | "yes" | "1" => Some(when_true),
            "false" | "no" | "0" => Some(when_false),
            _ => None,
        };
        outcomes.push(Outcome::of_attribute(name, &text, verdict));
    }
    outcomes
}

fn text_of(element: &Element) -> String {
    element
        .attribute("message")
        .filter(|message| !message.is_empty())
        .unwrap_or(element.text.trim_matches(BLANKS))
        .to_owned()
}

/// The numbers of cases that ended badly, and of cases that did not run.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    bad: u64,
    not_run: u64,
}

impl Found {
    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Skipped => self.not_run += 1,
            Verdict::Passed => {}
            Verdict::Terminated | Verdict::Failed | Verdict::Error => self.bad += 1,
        }
    }
}

/// A suite as steps: one for each case and suite in it, and one for all objections to the suite
/// itself.
pub(super) struct Suite<'a> {
    element: &'a Element,
    steps: Vec<Step>,
    cases: u64,
    own_cases: u64,
    /// Number of runs beyond the one that counts for each case.
    more_runs: u64,
    objections: u64,
    found: Found,
}

impl<'a> Suite<'a> {
    pub(super) fn read(element: &'a Element, unit: &mut Unit) -> Result<Self, Refusal> {
        let mut suite = Self {
            element,
            steps: Vec::new(),
            cases: 0,
            own_cases: 0,
            more_runs: 0,
            objections: 0,
            found: Found::default(),
        };
        for child in &element.children {
            suite.take(child, unit)?;
        }
        for outcome in words_of(element) {
            suite.object(outcome.verdict, &outcome.text, unit);
        }
        suite.check_counts(unit);
        Ok(suite)
    }

    /// Returns true when the suite has neither cases nor objections.
    pub(super) fn is_empty(&self) -> bool {
        self.cases == 0 && self.objections == 0
    }

    pub(super) fn into_sequence(self, seconds: Option<f64>) -> Step {
        Step::sequence(name_of(self.element, "Tests"), self.steps, seconds)
    }

    fn take(&mut self, child: &'a Element, unit: &mut Unit) -> Result<(), Refusal> {
        let seconds = || seconds_of(child.attribute("time").unwrap_or_default());
        match child.tag.as_str() {
            "testsuite" => {
                let suite = Self::read(child, unit)?;
                self.cases += suite.cases;
                self.more_runs += suite.more_runs;
                self.objections += suite.objections;
                self.found.bad += suite.found.bad;
                self.found.not_run += suite.found.not_run;
                self.steps.push(suite.into_sequence(seconds()?));
            }
            "testcase" => {
                let (verdict, text) = verdict_of_case(child, unit);
                let name = name_of(child, "unnamed");
                let step = Step::check(name, verdict, text.as_deref(), seconds()?);
                self.steps.push(step);
                self.cases += 1;
                self.own_cases += 1;
                let runs = child.children.iter();
                self.more_runs += runs.filter(|run| is_another_run(&run.tag)).count() as u64;
                self.found.count(verdict);
            }
            tag => {
                if let Some(verdict) = outcome_of(tag) {
                    self.found.count(verdict);
                    let text = Some(text_of(child)).filter(|text| !text.is_empty());
                    let text = text.unwrap_or_else(|| format!("<{tag}>"));
                    self.object(verdict, &text, unit);
                } else if !is_remark(tag) {
                    let text = format!("<{tag}> {NOT_UNDERSTOOD}");
                    self.object(Verdict::Error, &text, unit);
                }
            }
        }
        Ok(())
    }

    /// Adds an objection to the suite itself.
    fn object(&mut self, verdict: Verdict, text: &str, unit: &mut Unit) {
        if verdict != Verdict::Passed {
            self.objections += 1;
            self.steps
                .push(Step::check("Suite", verdict, Some(text), None));
            self.warn(text, unit);
        }
    }

    fn warn(&self, text: &str, unit: &mut Unit) {
        let name = name_of(self.element, "Tests");
        unit.warnings.push(format!("{name}: {text}"));
    }

    /// Returns the largest number that the suite announces under any of these attribute names.
    fn announced(&mut self, names: &[&str], unit: &mut Unit) -> u64 {
        let mut most = 0;
        for name in names {
            let text = self.element.attribute(name).unwrap_or_default();
            let text = text.trim_matches(BLANKS);
            match report::count(text) {
                Some(number) => most = most.max(u64::from(number)),
                None if text.is_empty() => {}
                None => {
                    let text = format!("{name}='{text}' is not a number of test cases");
                    self.object(Verdict::Error, &text, unit);
                }
            }
        }
        most
    }

    /// Compares the numbers of cases that the suite announces with the cases in it.
    ///
    /// A suite that lacks announced cases, failures, errors or skipped cases never passes.
    fn check_counts(&mut self, unit: &mut Unit) {
        let tests = self.announced(&["tests"], unit);
        if tests > self.cases + self.more_runs {
            let cases = self.cases;
            let text = format!("{tests} test cases are announced, there are {cases}");
            self.object(Verdict::Error, &text, unit);
        } else if tests > 0 && tests < self.own_cases {
            let cases = self.own_cases;
            let text = format!("{tests} test cases are announced, there are {cases}");
            self.warn(&text, unit);
        }
        let failures = self.announced(&["failures"], unit);
        let errors = self.announced(&["errors"], unit);
        let bad = self.found.bad;
        if failures + errors > bad + self.more_runs {
            let verdict = match failures {
                0 => Verdict::Error,
                _ => Verdict::Failed,
            };
            let text =
                format!("{failures} failures and {errors} errors are announced, there are {bad}");
            self.object(verdict, &text, unit);
        }
        let not_run = self.announced(&["skipped", "skip", "ignored"], unit)
            + self.announced(&["disabled"], unit)
            + self.announced(&["notrun"], unit);
        let found = self.found.not_run;
        if not_run > found {
            let text =
                format!("{not_run} test cases that did not run are announced, there are {found}");
            self.object(Verdict::Error, &text, unit);
        }
    }
}

fn verdict_of_case(case: &Element, unit: &mut Unit) -> (Verdict, Option<String>) {
    let name = name_of(case, "unnamed");
    let mut outcomes = Vec::new();
    for child in &case.children {
        let tag = child.tag.as_str();
        if let Some(verdict) = outcome_of(tag) {
            let text = text_of(child);
            outcomes.push(Outcome { verdict, text });
        } else if is_flaky(tag) {
            unit.warnings
                .push(format!("{name}: passed only when it was run again"));
        } else if !is_remark(tag) {
            let text = format!("<{tag}> {NOT_UNDERSTOOD}");
            unit.warnings.push(format!("{name}: {text}"));
            let verdict = Verdict::Error;
            outcomes.push(Outcome { verdict, text });
        }
    }
    for outcome in words_of(case).into_iter().chain(flags_of(case)) {
        if outcome.text.ends_with(NOT_UNDERSTOOD) {
            unit.warnings.push(format!("{name}: {}", outcome.text));
        }
        outcomes.push(outcome);
    }
    // A case that did not run did not pass, whatever else is stated about it.
    const GRAVEST_FIRST: [Verdict; 4] = [
        Verdict::Error,
        Verdict::Failed,
        Verdict::Terminated,
        Verdict::Skipped,
    ];
    let verdict = GRAVEST_FIRST
        .into_iter()
        .find(|verdict| outcomes.iter().any(|outcome| outcome.verdict == *verdict))
        .unwrap_or(Verdict::Passed);
    let text = outcomes
        .into_iter()
        .find(|outcome| outcome.verdict == verdict && !outcome.text.is_empty())
        .map(|outcome| outcome.text);
    (verdict, text)
}

fn name_of<'a>(element: &'a Element, unnamed: &'a str) -> &'a str {
    element
        .attribute("name")
        .filter(|name| !name.is_empty())
        .unwrap_or(unnamed)
}

pub(super) fn seconds_of(text: &str) -> Result<Option<f64>, Refusal> {
    match text {
        "" => Ok(None),
        _ => report::number(text, "time", '.').map(Some),
    }
}
