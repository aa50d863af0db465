//! Interprets a server's answer: accepted, refused or to be retried, and after which delay. It
//! sends nothing.

use std::time::Duration;

use crate::convert::Json;
use crate::host::config::endpoint::bare;
use crate::time::Timestamp;

/// Maximum bytes of a report id that is accepted from a server.
const REPORT_ID_BYTES_MAX: usize = 200;
/// The delay after the first failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest delay while a server does not answer.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// The longest delay of other reports because of one report that a server cannot accept.
const WAIT_FOR_REPORT_MAX: Duration = Duration::from_secs(60);
/// The delay while a person has to fix something.
const WAIT_FOR_PERSON: Duration = Duration::from_secs(60);
/// The longest delay that a server may request.
const ASKED_MAX: Duration = Duration::from_secs(3600);

/// A server's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Answer {
    pub(in crate::host) status: u16,
    /// The headers `Retry-After`, `Location` and `Content-Type`, unchanged.
    pub(in crate::host) retry_after: Option<String>,
    pub(in crate::host) location: Option<String>,
    pub(in crate::host) content_type: Option<String>,
    /// The beginning of the body.
    pub(in crate::host) body: Vec<u8>,
}

/// The meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) enum Meaning {
    /// The server has accepted the report, under this id if it returned one.
    Taken(Option<String>),
    /// The server will never accept this report.
    Refused { status: u16, text: String },
    /// A retry may succeed.
    TryAgain(Trouble),
}

/// Why a report was not accepted, and what that means for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Trouble {
    pub(in crate::host) with: With,
    pub(in crate::host) why: String,
    /// The delay that the server requested.
    pub(in crate::host) asked: Option<Duration>,
}

/// The cause of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum With {
    /// The server: other reports need not be tried.
    Server,
    /// Perhaps only this report: the next one may be accepted.
    Report,
    /// The setup: a person has to fix a token or an address.
    Setup,
}

impl Trouble {
    pub(in crate::host) fn new(with: With, why: impl Into<String>) -> Self {
        Self {
            with,
            why: why.into(),
            asked: None,
        }
    }

    /// Returns the delay after the `failures`-th failure in a row.
    ///
    /// `jitter`, from 0 to 1, spreads hosts that failed together.
    pub(in crate::host) fn wait(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let (least, most) = match self.with {
            With::Server => (FIRST_WAIT, WAIT_MAX),
            With::Report => (FIRST_WAIT, WAIT_FOR_REPORT_MAX),
            With::Setup => (WAIT_FOR_PERSON, WAIT_MAX),
        };
        let wait = least.saturating_mul(1 << doublings).min(most);
        let wait = wait.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        wait.max(self.asked.unwrap_or_default().min(ASKED_MAX))
    }
}

/// Interprets an answer. A date in `Retry-After` is measured from `now`.
pub(in crate::host) fn meaning(answer: &Answer, now: Timestamp) -> Meaning {
    let status = answer.status;
    let text = text(&answer.body);
    let said = |what: &str| {
        let text = if text.is_empty() { "no text" } else { &text };
        format!("{what} ({status}): {text}")
    };
    let again = |with, why: String| {
        Meaning::TryAgain(Trouble {
            with,
            why,
            asked: retry_after(answer.retry_after.as_deref(), now),
        })
    };
    match status {
        // A proxy or login page that answers in the server's place has not accepted anything.
        200..300 if is_page(answer) => again(
            With::Setup,
            format!(
                "the answer ({status}) is a web page: submit.url is not where reports are taken"
            ),
        ),
        200..300 if denies(answer) => again(
            With::Report,
            said("the server answers that it did not take the report"),
        ),
        200..300 => Meaning::Taken(report_id(&answer.body)),
        300..400 => {
            let to = answer.location.as_deref().map(bare).unwrap_or_default();
            again(
                With::Setup,
                format!(
                    "the server points elsewhere ({status}) {to}: redirects are not followed, set submit.url"
                ),
            )
        }
        401 | 403 | 407 => again(With::Setup, said("the server does not let this host in")),
        404 | 405 => again(With::Setup, said("reports are not taken at this address")),
        409 => match report_id(&answer.body) {
            Some(id) => Meaning::Taken(Some(id)),
            None => Meaning::Refused { status, text },
        },
        429 | 503 => again(With::Server, said("the server is busy")),
        408 | 425 => again(With::Report, said("the server did not wait")),
        400..500 => Meaning::Refused { status, text },
        _ => again(With::Report, said("the server failed")),
    }
}

fn is_page(answer: &Answer) -> bool {
    let start = answer.body.trim_ascii_start();
    let begins = |with: &[u8]| {
        let head = start.get(..with.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    let kind = answer.content_type.as_deref().unwrap_or_default();
    begins(b"<!doctype html")
        || begins(b"<html")
        || (kind.to_ascii_lowercase().contains("text/html") && begins(b"<"))
}

/// Returns true when the body of a good answer reports a failure. Some servers use one status for
/// everything.
fn denies(answer: &Answer) -> bool {
    let kind = answer.content_type.as_deref().unwrap_or_default();
    if kind.to_ascii_lowercase().contains("problem+json") {
        return true;
    }
    let Some(body) = Json::parse(&answer.body) else {
        let text = text(&answer.body).to_lowercase();
        return [
            "error",
            "failed",
            "failure",
            "exception",
            "<error",
            "<fault",
            "<exception",
        ]
        .iter()
        .any(|word| text.starts_with(word));
    };
    // A report with an id was accepted: a `status` beside it may be the unit's.
    let is_named = report_id(&answer.body).is_some();
    let objects = match &body {
        Json::List(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    objects.iter().any(|object| {
        let Json::Object(members) = object else {
            return false;
        };
        members.iter().any(
            |(name, value)| match name.words().to_ascii_lowercase().as_str() {
                "error" | "errors" => says_something(value),
                "success" | "ok" | "succeeded" | "issuccess" | "accepted" => {
                    *value == Json::Bool(false)
                        || value.as_text().is_some_and(|text| text == "false")
                }
                "status" if !is_named => is_bad_status(value),
                _ => false,
            },
        )
    })
}

fn says_something(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::Bool(true) => true,
        Json::Number(number) => number.digits().parse() != Ok(0.0),
        Json::Text(text) => !text.words().trim().is_empty(),
        Json::List(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
    }
}

fn is_bad_status(value: &Json) -> bool {
    match value {
        Json::Number(number) => number.digits().parse().is_ok_and(|code: u16| code >= 400),
        Json::Text(text) => matches!(
            text.words().trim().to_lowercase().as_str(),
            "error" | "fail" | "failed" | "failure" | "rejected" | "refused" | "denied" | "invalid"
        ),
        _ => false,
    }
}

/// Returns the id that a server gave the report: `ID`, `id` or `uuid` of the answer, or of the
/// first of several.
fn report_id(body: &[u8]) -> Option<String> {
    let answer = Json::parse(body)?;
    let one = match &answer {
        Json::List(several) => several.first()?,
        one => one,
    };
    let named = ["ID", "id", "Id", "uuid"]
        .iter()
        .find_map(|name| match one.member(name)? {
            Json::Text(id) => Some(id.words().trim().to_owned()),
            Json::Number(id) => Some(id.digits().to_owned()),
            _ => None,
        })?;
    let believed = !named.is_empty()
        && named.len() <= REPORT_ID_BYTES_MAX
        && !named.chars().any(char::is_control);
    believed.then_some(named)
}

/// Returns a body as one readable line.
fn text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

/// Parses seconds, or an HTTP date.
fn retry_after(value: Option<&str>, now: Timestamp) -> Option<Duration> {
    let value = value?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = Timestamp::from(chrono::DateTime::parse_from_rfc2822(value).ok()?);
    let micros = until.micros().saturating_sub(now.micros());
    Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T08:30:00+00:00".parse().expect("valid")
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            retry_after: None,
            location: None,
            content_type: None,
            body: body.into(),
        }
    }

    #[test]
    fn each_answer_means_one_thing() {
        let taken = |id: &str| Meaning::Taken(Some(id.to_owned()));
        let refused = |status, text: &str| Meaning::Refused {
            status,
            text: text.to_owned(),
        };
        for (status, body, expected) in [
            (200, r#"[{"ID":"R-1"},{"ID":"R-2"}]"#, taken("R-1")),
            (200, r#"{"id":17}"#, taken("17")),
            (
                200,
                r#"{"id":89470000000000000012}"#,
                taken("89470000000000000012"),
            ),
            (
                200,
                r#"{"id":"R-1","status":"Failed","error":null}"#,
                taken("R-1"),
            ),
            (
                200,
                r#"{"success":true,"errors":[],"status":"created"}"#,
                Meaning::Taken(None),
            ),
            (201, r#"{"uuid":" u-1 ","other":1}"#, taken("u-1")),
            (200, "", Meaning::Taken(None)),
            (204, "", Meaning::Taken(None)),
            (200, "\u{0}\u{1}garbage{", Meaning::Taken(None)),
            (200, r#"{"id":""}"#, Meaning::Taken(None)),
            (200, r#"{"id":"a\u0007b"}"#, Meaning::Taken(None)),
            (200, r#"{"id":{"x":1}}"#, Meaning::Taken(None)),
            (200, "[]", Meaning::Taken(None)),
            (400, "pn is\n missing\t", refused(400, "pn is missing")),
            (409, "conflict", refused(409, "conflict")),
            (409, r#"{"ID":"R-1"}"#, taken("R-1")),
            (413, "", refused(413, "")),
            (422, "no", refused(422, "no")),
        ] {
            assert_eq!(
                meaning(&answer(status, body), now()),
                expected,
                "{status} {body}"
            );
        }
        let problem = Answer {
            content_type: Some("application/problem+json".into()),
            ..answer(200, "{}")
        };
        let not_taken = meaning(&problem, now());
        assert!(matches!(not_taken, Meaning::TryAgain(_)), "{not_taken:?}");
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(201));
        assert_eq!(meaning(&answer(200, &long), now()), Meaning::Taken(None));
        for (status, body, expected) in [
            (200, "<!DOCTYPE html><p>log in", With::Setup),
            // Some servers answer 200 although they failed. The report must then be sent again.
            (200, r#"{"error":"database is down"}"#, With::Report),
            (
                200,
                r#"{"success":false,"message":"no such part"}"#,
                With::Report,
            ),
            (
                200,
                r#"[{"ID":"R-1"},{"errors":["no such part"]}]"#,
                With::Report,
            ),
            (200, r#"{"Status":"Failed"}"#, With::Report),
            (200, r#"{"took":3,"errors":true,"items":[]}"#, With::Report),
            (200, "Error: no such part", With::Report),
            (200, r#"{"status":503,"title":"busy"}"#, With::Report),
            (302, "", With::Setup),
            (401, "", With::Setup),
            (403, "", With::Setup),
            (404, "", With::Setup),
            (408, "", With::Report),
            (429, "", With::Server),
            (500, "oops", With::Report),
            (502, "", With::Report),
            (503, "", With::Server),
            (99, "", With::Report),
        ] {
            let Meaning::TryAgain(trouble) = meaning(&answer(status, body), now()) else {
                panic!("{status} is tried again");
            };
            assert_eq!(trouble.with, expected, "{status}");
            assert!(trouble.why.contains(&status.to_string()), "{}", trouble.why);
        }
    }

    #[test]
    fn a_redirect_tells_where_to_without_its_secrets() {
        let moved = Answer {
            location: Some("https://u:p@other/r?token=s".into()),
            ..answer(307, "")
        };
        let Meaning::TryAgain(trouble) = meaning(&moved, now()) else {
            panic!("not taken");
        };
        assert!(trouble.why.contains("https://other/r:"), "{}", trouble.why);
    }

    #[test]
    fn waits_grow_to_a_bound_and_are_as_long_as_the_server_asks() {
        let of =
            |with, failures, jitter| Trouble::new(with, "").wait(failures, jitter).as_secs_f64();
        let growing: Vec<f64> = (1..12)
            .map(|failures| of(With::Server, failures, 1.0))
            .collect();
        assert_eq!(&growing[..4], [1.0, 2.0, 4.0, 8.0]);
        assert!(growing.ends_with(&[256.0, 300.0, 300.0]));
        assert!((of(With::Server, 1, 0.0) - 0.5).abs() < 1e-9);
        assert!((of(With::Server, u32::MAX, 1.0) - 300.0).abs() < 1e-9);
        assert!((of(With::Report, 20, 1.0) - 60.0).abs() < 1e-9);
        assert!((of(With::Setup, 1, 1.0) - 60.0).abs() < 1e-9);
        for (value, seconds) in [
            ("7", 7),
            (" 7 ", 7),
            ("Sun, 01 Mar 2026 08:31:00 GMT", 60),
            ("Sun, 01 Mar 2026 08:29:00 GMT", 1),
            ("99999999999", 3600),
            ("soon", 1),
            ("-3", 1),
        ] {
            let busy = Answer {
                retry_after: Some(value.into()),
                ..answer(429, "")
            };
            let Meaning::TryAgain(trouble) = meaning(&busy, now()) else {
                panic!("not taken");
            };
            assert_eq!(trouble.wait(1, 1.0).as_secs(), seconds, "{value}");
        }
    }
}
