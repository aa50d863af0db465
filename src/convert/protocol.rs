//! What a converter is asked and what it may answer, and how its bytes are understood.
//!
//! **One-shot output.** Standard output holds one JSON value. It is an *answer* when it is an object whose `status` is
//! one of the five words and which either has one of the members only answers have (`report`, `reports`, `error`,
//! `warnings`, `retry_after_s`, `post_action`) or no member that answers have not. Every other object, and every
//! array, is a *bare report* of a successful conversion. So a report that has a `status` of its own among its steps
//! and serial numbers stays a report, and a failure with a member too many is not taken for a report.
//!
//! **Worker output** is always an answer, one on a line.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::entry::{Meta, Outcome, ParseWordError, Unit};
use crate::id::EntryId;

/// The longest wait a converter may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes of a converter's own words kept in an error.
pub(super) const EXCERPT_BYTES_MAX: usize = 2000;
/// Bytes of all warnings kept of one conversion, and of each name of the unit, as they are written in an event.
const WARNINGS_BYTES_MAX: usize = 8 << 10;
const UNIT_BYTES_MAX: usize = 512;
/// Reports of one conversion. All of them are named in one event, which has an end.
const REPORTS_MAX: usize = 200;

/// What becomes of a watched file once its conversion is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PostAction {
    /// Removed.
    Delete,
    /// Moved to the done folder.
    Move,
    /// Replaced by a zip file in the done folder.
    Zip,
    /// Left where it is.
    Keep,
    /// Removed, because the archive holds it.
    Archive,
}

impl PostAction {
    /// Every action.
    pub const ALL: [Self; 5] = [
        Self::Delete,
        Self::Move,
        Self::Zip,
        Self::Keep,
        Self::Archive,
    ];

    /// The name used in the configuration and the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Move => "move",
            Self::Zip => "zip",
            Self::Keep => "keep",
            Self::Archive => "archive",
        }
    }
}

impl fmt::Display for PostAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PostAction {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        Self::ALL
            .into_iter()
            .find(|action| action.name() == text)
            .ok_or_else(|| ParseWordError::new(text, Self::ALL.map(Self::name)))
    }
}

/// What one run of a converter came to. A run that could not be started at all is an error instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    /// How it ended.
    pub outcome: Outcome,
    /// The reports, each in the bytes the converter wrote.
    pub reports: Vec<Vec<u8>>,
    /// Why it did not succeed: a timeout, a signal, an exit code, garbage, or the converter's own reason.
    pub error: Option<String>,
    /// What it complained about all the same.
    pub warnings: Vec<String>,
    /// What it found out about the unit.
    pub unit: Unit,
    /// How long it ran.
    pub duration: Duration,
    /// After which time it wants to be tried again.
    pub retry_after: Option<Duration>,
    /// What it wants done with the source, instead of what is configured.
    pub post_action: Option<PostAction>,
}

impl Conversion {
    pub(super) fn failed(error: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            reports: Vec::new(),
            error: Some(error.into()),
            warnings: Vec::new(),
            unit: Unit::default(),
            duration: Duration::ZERO,
            retry_after: None,
            post_action: None,
        }
    }

    fn bare(report: &str) -> Self {
        Self {
            outcome: Outcome::Success,
            reports: vec![report.as_bytes().to_vec()],
            error: None,
            ..Self::failed("")
        }
    }

    /// Rewrites all free text, to take secrets out of it. Reports stay as they are.
    pub(super) fn map_text(mut self, change: impl Fn(&str) -> String) -> Self {
        self.error = self.error.as_deref().map(&change);
        for warning in &mut self.warnings {
            *warning = change(warning);
        }
        self
    }
}

/// One line a worker is given.
#[derive(Serialize)]
pub(super) struct WorkerRequest<'a> {
    pub(super) id: u64,
    pub(super) input: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a Meta,
    pub(super) entry: Option<EntryId>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    id: Option<u64>,
    status: Outcome,
    #[serde(borrow, default)]
    report: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reports: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    serial: Option<String>,
    #[serde(default)]
    part: Option<String>,
    #[serde(default)]
    station: Option<String>,
    #[serde(default)]
    process: Option<String>,
    #[serde(default)]
    retry_after_s: Option<f64>,
    #[serde(default)]
    post_action: Option<PostAction>,
}

const ANSWER_ONLY: [&str; 6] = [
    "report",
    "reports",
    "error",
    "warnings",
    "retry_after_s",
    "post_action",
];
const ANSWER_TOO: [&str; 6] = ["id", "status", "serial", "part", "station", "process"];

/// The members of an object by name, to tell an answer from a report; values are not looked into.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

fn is_answer(text: &str) -> bool {
    let Ok(Members(members)) = serde_json::from_str(text) else {
        return false;
    };
    let has_status = members.iter().any(|(name, value)| {
        name == "status" && serde_json::from_str::<Outcome>(value.get()).is_ok()
    });
    let named = |words: &[&str], name: &str| words.contains(&name);
    has_status
        && (members.iter().any(|(name, _)| named(&ANSWER_ONLY, name))
            || members.iter().all(|(name, _)| named(&ANSWER_TOO, name)))
}

/// Understands what a one-shot converter wrote before it exited with success.
pub(crate) fn understand(stdout: &[u8]) -> Conversion {
    let stdout = stdout.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stdout);
    let text = match str::from_utf8(stdout) {
        Ok(text) => text.trim_matches([' ', '\t', '\r', '\n']),
        Err(error) => {
            return Conversion::failed(format!(
                "standard output is not UTF-8 at byte {}: {}",
                error.valid_up_to(),
                excerpt(stdout)
            ));
        }
    };
    if text.is_empty() {
        return Conversion::failed("exited with success but wrote nothing to standard output");
    }
    if is_answer(text) {
        return match read_answer(text) {
            Ok((_, conversion)) => conversion,
            Err(reason) => Conversion::failed(reason),
        };
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) if text.starts_with(['{', '[']) => Conversion::bare(text),
        Ok(_) => Conversion::failed(format!(
            "standard output is neither an answer nor a report (an object or an array): {}",
            excerpt(stdout)
        )),
        Err(error) => Conversion::failed(format!(
            "standard output is not one JSON value ({error}): {}",
            excerpt(stdout)
        )),
    }
}

/// What a converter that exited with an error said for itself, unless it claimed success.
pub(super) fn understand_failure(stdout: &[u8]) -> Option<Conversion> {
    let text = str::from_utf8(stdout).ok()?.trim();
    if !is_answer(text) {
        return None;
    }
    let (_, conversion) = read_answer(text).ok()?;
    (conversion.outcome != Outcome::Success).then_some(conversion)
}

/// Understands one answer; gives the request it belongs to.
pub(super) fn read_answer(text: &str) -> Result<(Option<u64>, Conversion), String> {
    let answer: Answer<'_> = serde_json::from_str(text).map_err(|error| {
        format!(
            "the answer is malformed ({error}): {}",
            excerpt(text.as_bytes())
        )
    })?;
    let bytes = |raw: &RawValue| raw.get().as_bytes().to_vec();
    let mut reports: Vec<Vec<u8>> = Vec::new();
    reports.extend(answer.report.filter(|raw| raw.get() != "null").map(bytes));
    for raw in answer.reports.unwrap_or_default() {
        if raw.get() == "null" {
            return Err("the answer's reports include a null".to_owned());
        }
        reports.push(bytes(raw));
    }
    let mut warnings: Vec<String> = answer.warnings.unwrap_or_default();
    for warning in &mut warnings {
        *warning = excerpt(warning.as_bytes());
    }
    let mut room = WARNINGS_BYTES_MAX;
    let fitting = warnings
        .iter()
        .take_while(|warning| {
            let bytes = written_bytes(warning);
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        })
        .count();
    let surplus = warnings.len() - fitting;
    warnings.truncate(fitting);
    if surplus > 0 {
        warnings.push(format!("and {surplus} more warnings"));
    }
    let given = |field: Option<String>| field.filter(|text| !text.trim().is_empty());
    let mut error = given(answer.error.map(|text| excerpt(text.as_bytes())));
    match answer.status {
        Outcome::Success if reports.is_empty() => {
            warnings.push("the converter answered success without a report".to_owned());
        }
        Outcome::Failed | Outcome::Rejected if error.is_none() => {
            error = Some(format!(
                "the converter answered {} without a reason",
                answer.status
            ));
        }
        _ => {}
    }
    let mut outcome = answer.status;
    if reports.len() > REPORTS_MAX {
        // Some of them would be a half success.
        outcome = Outcome::Failed;
        error = Some(format!(
            "the converter answered with {} reports; at most {REPORTS_MAX} are taken of one source",
            reports.len()
        ));
        reports.clear();
    }
    let named = |field: Option<String>| {
        let mut name = given(field)?;
        name.truncate(fitting_bytes(&name, UNIT_BYTES_MAX));
        Some(name)
    };
    let retry_after = answer
        .retry_after_s
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map(|wait| wait.min(RETRY_AFTER_MAX));
    let conversion = Conversion {
        outcome,
        reports,
        error,
        warnings,
        unit: Unit {
            serial: named(answer.serial),
            part: named(answer.part),
            station: named(answer.station),
            process: named(answer.process),
        },
        duration: Duration::ZERO,
        retry_after,
        post_action: answer.post_action,
    };
    Ok((answer.id, conversion))
}

/// Bytes of a text as JSON.
fn written_bytes(text: &str) -> usize {
    2 + text.chars().map(written_char).sum::<usize>()
}

fn written_char(c: char) -> usize {
    match c {
        '"' | '\\' => 2,
        '\0'..='\x1f' => 6,
        c => c.len_utf8(),
    }
}

/// Bytes of the longest beginning of a text that takes at most `max` bytes as JSON.
fn fitting_bytes(text: &str, max: usize) -> usize {
    let mut written = 2;
    let first_too_many = text.char_indices().find(|(_, c)| {
        written += written_char(*c);
        written > max
    });
    first_too_many.map_or(text.len(), |(at, _)| at)
}

/// The beginning of what a converter wrote, as text.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(EXCERPT_BYTES_MAX)];
    let text = String::from_utf8_lossy(cut);
    let dots = if cut.len() < bytes.len() {
        " [...]"
    } else {
        ""
    };
    format!("{}{dots}", text.trim())
}

#[cfg(test)]
mod tests {
    //! A converter that says "failed" must never be booked as a success because of how it spells its answer, and a
    //! report must never be lost because it has a word in common with the protocol.

    use super::*;

    fn outcome(stdout: &str) -> Outcome {
        understand(stdout.as_bytes()).outcome
    }

    #[test]
    fn a_bare_report_is_kept_in_the_bytes_it_was_written_in() {
        let text = "{ \"b\": 1.50,\n \"a\" : [ 1e2 ] }";
        let said = understand(format!("\u{feff}\n{text}\r\n").as_bytes());
        assert_eq!(said.outcome, Outcome::Success);
        assert_eq!(said.reports, [text.as_bytes()]);
    }

    #[test]
    fn a_report_inside_an_answer_is_kept_in_the_bytes_it_was_written_in() {
        let said = understand(
            br#"{"status":"success","report":{"x": 1.50 },"reports":[{"y":2},[3]],"serial":"SN1","part":"","retry_after_s":null}"#,
        );
        let texts: Vec<&[u8]> = said.reports.iter().map(Vec::as_slice).collect();
        assert_eq!(
            texts,
            [&br#"{"x": 1.50 }"#[..], &br#"{"y":2}"#[..], &b"[3]"[..]]
        );
        assert_eq!(said.unit.serial.as_deref(), Some("SN1"));
        assert_eq!(said.unit.part, None);
    }

    #[test]
    fn a_report_with_a_status_of_its_own_stays_a_report() {
        let text = r#"{"status":"failed","serial":"SN1","steps":[]}"#;
        let said = understand(text.as_bytes());
        assert_eq!(said.outcome, Outcome::Success);
        assert_eq!(said.reports, [text.as_bytes()]);
        assert_eq!(
            outcome(r#"{"status":"Passed","error":null}"#),
            Outcome::Success
        );
    }

    #[test]
    fn a_failure_with_a_member_too_many_is_still_a_failure() {
        let said = understand(br#"{"status":"failed","error":"no header","took":3}"#);
        assert_eq!(said.outcome, Outcome::Failed);
        assert_eq!(said.error.as_deref(), Some("no header"));
        assert_eq!(outcome(r#"{"status":"skipped"}"#), Outcome::Skipped);
        assert_eq!(
            outcome(r#"{"status":"rejected","serial":"SN1"}"#),
            Outcome::Rejected
        );
    }

    #[test]
    fn nothing_and_garbage_are_failures_that_show_what_was_written() {
        for (stdout, shown) in [
            ("", "wrote nothing"),
            (" \n", "wrote nothing"),
            ("42", "neither an answer nor a report"),
            ("null", "neither an answer nor a report"),
            ("Traceback: boom", "Traceback: boom"),
            ("{} {}", "not one JSON value"),
            ("{\"a\":", "not one JSON value"),
            (
                r#"{"status":"success","error":7}"#,
                "the answer is malformed",
            ),
            (
                r#"{"status":"failed","status":"success","report":{}}"#,
                "malformed",
            ),
            (r#"{"status":"success","post_action":"burn"}"#, "malformed"),
        ] {
            let said = understand(stdout.as_bytes());
            assert_eq!(said.outcome, Outcome::Failed, "{stdout}");
            let error = said.error.expect("a reason");
            assert!(error.contains(shown), "{stdout}: {error}");
        }
        let said = understand(b"\xff\xfe{}");
        assert!(said.error.expect("a reason").contains("not UTF-8"));
    }

    #[test]
    fn success_without_a_report_is_told_and_failure_without_a_reason_gets_one() {
        let said = understand(br#"{"status":"success","report":null}"#);
        assert_eq!(said.outcome, Outcome::Success);
        assert_eq!(said.warnings.len(), 1);
        let said = understand(br#"{"status":"failed","error":" "}"#);
        assert!(said.error.expect("a reason").contains("without a reason"));
    }

    #[test]
    fn more_than_an_event_can_hold_is_a_failure_or_cut_and_never_lost() {
        let reports = vec!["{}"; REPORTS_MAX + 1].join(",");
        let said =
            understand(format!(r#"{{"status":"success","reports":[{reports}]}}"#).as_bytes());
        assert_eq!((said.outcome, said.reports.len()), (Outcome::Failed, 0));
        assert!(said.error.expect("a reason").contains("at most 200"));
        let reports = vec!["{}"; REPORTS_MAX].join(",");
        assert_eq!(
            outcome(&format!(r#"{{"status":"success","reports":[{reports}]}}"#)),
            Outcome::Success
        );

        let warnings = vec![serde_json::Value::from("\u{1}".repeat(1000)); 90];
        let serial = "ä".repeat(100_000);
        let answer =
            serde_json::json!({"status":"success","report":{},"warnings":warnings,"serial":serial});
        let said = understand(answer.to_string().as_bytes());
        assert!(written_bytes(said.unit.serial.as_deref().expect("given")) <= UNIT_BYTES_MAX);
        let bytes: usize = said
            .warnings
            .iter()
            .map(|warning| written_bytes(warning))
            .sum();
        assert!(bytes < WARNINGS_BYTES_MAX + 100, "{bytes}");
        assert_eq!(
            said.warnings.last().map(String::as_str),
            Some("and 89 more warnings")
        );
    }

    #[test]
    fn an_absurd_wait_is_bounded_and_no_number_panics() {
        for (seconds, wait) in [
            ("60", Some(Duration::from_secs(60))),
            ("1e300", None),
            ("-1", None),
            ("1e9", Some(RETRY_AFTER_MAX)),
        ] {
            let text = format!(r#"{{"status":"suspended","retry_after_s":{seconds}}}"#);
            assert_eq!(understand(text.as_bytes()).retry_after, wait, "{seconds}");
        }
    }

    #[test]
    fn a_failing_exit_keeps_the_converters_own_reason_but_never_its_claim_of_success() {
        let said = understand_failure(br#"{"status":"rejected","error":"not ours"}"#);
        assert_eq!(said.map(|said| said.outcome), Some(Outcome::Rejected));
        assert_eq!(
            understand_failure(br#"{"status":"success","report":{}}"#),
            None
        );
        assert_eq!(understand_failure(br#"{"x":1}"#), None);
    }
}
