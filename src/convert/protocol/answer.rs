//! Distinguishes a converter's answer from a bare report, and reads the answer.
//!
//! **What is meant as an answer is never taken for a report.** An object is an answer when it has a
//! `status`, in upper or lower case; a `report`, `reports`, `retry_after_s` or `post_action`; an
//! `error` that is neither empty nor zero nor false; or nothing but complaints. A report that has a
//! member with such a name must be put into an answer's `report`.
//!
//! **Whatever is not understood is a failure.** The conversion fails, with the reason, for a status
//! that is none of the five words, a value of the wrong type, a repeated or misspelt member, and an
//! error beside a success. A member that is unknown and decides nothing is left out, with a
//! warning.

use std::time::Duration;

use serde_json::value::RawValue;

use super::conversion::{Conversion, PostAction, excerpt};
use super::json::{Members, Text};
use super::not_json::one_value;
use super::spelling::suggest;
use crate::entry::{Outcome, Status, Unit};

/// The longest retry delay that a converter may request.
pub(in crate::convert) const RETRY_AFTER_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes kept of all warnings of one conversion, and of each name of the unit, as written in an
/// event.
pub(in crate::convert) const WARNINGS_BYTES_MAX: usize = 8 << 10;
pub(in crate::convert) const UNIT_BYTES_MAX: usize = 512;
/// Maximum number of reports of one conversion. One event names all of them, and its size is
/// limited.
pub(in crate::convert) const REPORTS_MAX: usize = 200;
/// Maximum number of characters of a value that are shown in a reason.
const VALUE_CHARS_MAX: usize = 80;
/// Maximum number of unknown members that a warning names.
const NAMED_MAX: usize = 8;

/// The members that an answer may have.
const MEMBERS: [&str; 12] = [
    "id",
    "status",
    "report",
    "reports",
    "error",
    "warnings",
    "serial",
    "part",
    "station",
    "process",
    "retry_after_s",
    "post_action",
];

/// Members that decide what happens to the source or to its reports. To misspell one is a failure.
const DECISIVE: [&str; 5] = ["status", "report", "reports", "error", "post_action"];

/// Member names that programs use for complaints. An object with nothing else is no report.
const COMPLAINTS: [&str; 9] = [
    "errors",
    "exception",
    "traceback",
    "message",
    "msg",
    "reason",
    "detail",
    "success",
    "ok",
];

/// One member of an object, as it is written.
struct Member<'a> {
    name: String,
    /// The answer's member that this is, or that it was meant to be.
    known: Option<&'static str>,
    value: &'a RawValue,
}

impl Member<'_> {
    fn is_exact(&self) -> bool {
        self.known == Some(self.name.as_str())
    }

    /// Returns true when the value means something: it is neither empty nor zero nor false.
    fn says(&self) -> bool {
        let text = self.value.get();
        let inner = text.trim_matches(|c: char| c.is_whitespace() || "\"[]{}".contains(c));
        !matches!(inner, "" | "null" | "false" | "0")
    }

    fn is_container(&self) -> bool {
        self.value.get().starts_with(['{', '['])
    }
}

/// Returns the members of `text` if it is an object.
fn members(text: &str) -> Option<Vec<Member<'_>>> {
    let Members(members) = serde_json::from_str(text).ok()?;
    let each = members.into_iter().map(|(name, value)| {
        let name = name.words().into_owned();
        let mut member = Member {
            known: meant(&name),
            name,
            value,
        };
        // A container such as `stats` is not a misspelt `status`.
        let is_like = strsim::osa_distance(&letters(&member.name), "status") <= 1;
        if member.known.is_none() && is_like && !member.is_container() {
            member.known = Some("status");
        }
        member
    });
    Some(each.collect())
}

/// Returns the answer's member that has these letters, ignoring case and punctuation.
///
/// `id` must match exactly: many reports have an `ID`, and it decides nothing.
fn meant(name: &str) -> Option<&'static str> {
    let wanted = letters(name);
    let known = MEMBERS.into_iter().find(|known| letters(known) == wanted);
    known.filter(|known| *known != "id" || name == "id")
}

fn letters(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// Returns true when the JSON value `text` is an answer.
pub(in crate::convert) fn is_answer(text: &str) -> bool {
    let Some(members) = members(text) else {
        return false;
    };
    let shows = |member: &Member<'_>| match member.known {
        Some("status" | "retry_after_s" | "post_action") => true,
        Some("report" | "reports") => member.is_exact(),
        Some("error") => member.says(),
        _ => false,
    };
    let complains = |member: &Member<'_>| {
        COMPLAINTS.contains(&letters(&member.name).as_str())
            || matches!(member.known, Some("error" | "warnings"))
    };
    members.iter().any(shows)
        || (members.iter().any(complains)
            && members
                .iter()
                .all(|member| member.known.is_some() || complains(member)))
}

/// Returns true when the JSON value `text` has a status and no member that answers do not have.
pub(in crate::convert) fn is_plain_answer(text: &str) -> bool {
    members(text).is_some_and(|members| {
        let known = |name| members.iter().any(|member| member.known == Some(name));
        known("status") && members.iter().all(|member| member.known.is_some())
    })
}

/// Returns true when the JSON value `text` is an array that holds only answers.
pub(in crate::convert) fn is_list_of_answers(text: &str) -> bool {
    let items: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
    !items.is_empty() && items.iter().all(|item| is_plain_answer(item.get()))
}

/// Reads one answer and returns it with the id of its request.
///
/// # Errors
/// When it is no JSON object, or its `id` is no number: then it cannot be matched to a request.
pub(in crate::convert) fn read_answer(text: &str) -> Result<(Option<u64>, Conversion), String> {
    let text = text.trim_start_matches('\u{feff}');
    one_value(text)?;
    let members =
        members(text).ok_or_else(|| format!("the answer is no object: {}", shown(text)))?;
    let mut reading = Reading {
        members,
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    reading.check_names();
    let id = match reading.value("id") {
        None => None,
        Some(raw) => Some(raw.get().parse().map_err(|_| {
            format!(
                "the answer's id is {}, not the request's number",
                shown(raw.get())
            )
        })?),
    };
    Ok((id, reading.conversion()))
}

/// Reads an answer outside of a worker; its `id` is ignored.
pub(in crate::convert) fn read_lone_answer(text: &str) -> Conversion {
    let mut reading = Reading {
        members: members(text).unwrap_or_default(),
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    reading.check_names();
    reading.conversion()
}

/// An answer while it is being read.
struct Reading<'a> {
    members: Vec<Member<'a>>,
    /// Why the answer is not valid.
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Reading<'a> {
    fn fault(&mut self, reason: impl Into<String>) {
        self.faults.push(reason.into());
    }

    /// Adds a fault for each misspelt or repeated member.
    fn check_names(&mut self) {
        let mut faults = Vec::new();
        for (place, member) in self.members.iter().enumerate() {
            let Some(known) = member.known else { continue };
            if !member.is_exact() {
                faults.push(format!(
                    "the answer has '{}'; it is called '{known}'",
                    member.name
                ));
            } else if self.members[..place].iter().any(Member::is_exact_of(known)) {
                faults.push(format!("the answer has '{known}' twice"));
            }
        }
        self.faults.append(&mut faults);
    }

    /// Returns the value of a member, unless it is null.
    fn value(&self, name: &str) -> Option<&'a RawValue> {
        let found = self
            .members
            .iter()
            .find(|member| member.known == Some(name))?;
        Some(found.value).filter(|raw| raw.get() != "null")
    }

    fn conversion(mut self) -> Conversion {
        let status = self.status();
        let reports = self.reports();
        let said = self.error(status);
        let complaints = self.complaints();
        let unit = Unit {
            serial: self.name_of_unit("serial"),
            part: self.name_of_unit("part"),
            station: self.name_of_unit("station"),
            process: self.name_of_unit("process"),
        };
        let retry_after = self.retry_after();
        let post_action = self.post_action();
        self.check_unknown(status, reports.is_empty());
        if status == Some(Outcome::Success) && reports.is_empty() {
            let text = "the converter answered success without a report";
            self.warnings.push(text.to_owned());
        }
        self.warnings.extend(complaints);
        let (outcome, error) = match status {
            Some(status) if self.faults.is_empty() => (status, reason(status, said)),
            _ => {
                let mut reasons = self.faults.join("; ");
                if let Some(said) = said {
                    reasons = format!("{reasons}: {said}");
                }
                (Outcome::Failed, Some(excerpt(reasons.as_bytes())))
            }
        };
        Conversion {
            outcome,
            reports,
            error,
            warnings: bounded(self.warnings),
            unit,
            duration: Duration::ZERO,
            retry_after,
            post_action,
            ..Conversion::failed("")
        }
    }

    /// Returns the outcome that `status` names. `None` for any other word, which is a fault.
    fn status(&mut self) -> Option<Outcome> {
        let words = || {
            let known = Status::ALL[1..].iter().map(|status| status.name());
            known.collect::<Vec<_>>().join(", ")
        };
        let Some(raw) = self.value("status") else {
            self.fault(format!("the answer has no status ({})", words()));
            return None;
        };
        let status: Option<Outcome> = serde_json::from_str(raw.get()).ok();
        if status.is_none() {
            self.fault(format!(
                "the answer's status {} is none of {}",
                shown(raw.get()),
                words()
            ));
        }
        status
    }

    fn reports(&mut self) -> Vec<Vec<u8>> {
        let mut given: Vec<&RawValue> = Vec::new();
        given.extend(self.value("report"));
        if let Some(raw) = self.value("reports") {
            match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
                Ok(several) => given.extend(several),
                Err(_) => self.fault(format!("'reports' is no list: {}", shown(raw.get()))),
            }
        }
        let wrong = given.iter().find(|raw| !raw.get().starts_with(['{', '[']));
        if let Some(wrong) = wrong {
            self.fault(format!(
                "a report is an object or a list, not {}",
                shown(wrong.get())
            ));
            return Vec::new();
        }
        if given.len() > REPORTS_MAX {
            // Taking only some of the reports would record half a success.
            self.fault(format!(
                "the converter answered with {} reports; of one source at most {REPORTS_MAX} \
                 are taken",
                given.len()
            ));
            return Vec::new();
        }
        given
            .into_iter()
            .map(|raw| raw.get().as_bytes().to_vec())
            .collect()
    }

    /// Returns the converter's error message. A value that is no text is returned as it is written.
    fn error(&mut self, status: Option<Outcome>) -> Option<String> {
        let Some(raw) = self.value("error") else {
            return self
                .complaint()
                .filter(|_| status != Some(Outcome::Success));
        };
        let words = words(raw);
        if words.is_none() && status == Some(Outcome::Success) {
            self.fault(format!("'error' is no text: {}", shown(raw.get())));
        }
        let said = words.unwrap_or_else(|| raw.get().to_owned());
        let said = excerpt(said.as_bytes());
        if said.is_empty() {
            return self
                .complaint()
                .filter(|_| status != Some(Outcome::Success));
        }
        if status == Some(Outcome::Success) && self.faults.is_empty() {
            self.fault("the converter answered success with an error");
        }
        Some(said)
    }

    /// Returns an error message that stands under another name than `error`.
    fn complaint(&self) -> Option<String> {
        let complains = |member: &&Member<'_>| {
            let name = letters(&member.name);
            member.known.is_none() && member.says() && COMPLAINTS.contains(&name.as_str())
        };
        let member = self.members.iter().find(complains)?;
        let said = words(member.value).unwrap_or_else(|| member.value.get().to_owned());
        Some(excerpt(
            format!("{}: {said}", shown(&member.name)).as_bytes(),
        ))
    }

    fn complaints(&mut self) -> Vec<String> {
        let Some(raw) = self.value("warnings") else {
            return Vec::new();
        };
        let texts: Option<Vec<Text>> = serde_json::from_str(raw.get()).ok();
        let Some(texts) = texts else {
            self.fault(format!(
                "'warnings' is no list of texts: {}",
                shown(raw.get())
            ));
            return Vec::new();
        };
        let each = texts.iter().map(|text| excerpt(text.words().as_bytes()));
        each.collect()
    }

    fn name_of_unit(&mut self, name: &str) -> Option<String> {
        let raw = self.value(name)?;
        // A number is refused: it would have lost its leading zeros, and maybe its last digits.
        let Ok(mut words) = serde_json::from_str::<String>(raw.get()) else {
            self.fault(format!("'{name}' is no text: {}", shown(raw.get())));
            return None;
        };
        words.truncate(fitting_bytes(&words, UNIT_BYTES_MAX));
        Some(words).filter(|words| !words.trim().is_empty())
    }

    fn retry_after(&mut self) -> Option<Duration> {
        let raw = self.value("retry_after_s")?;
        let Ok(seconds) = raw.get().parse::<f64>() else {
            self.fault(format!(
                "'retry_after_s' is no number: {}",
                shown(raw.get())
            ));
            return None;
        };
        if seconds < 0.0 {
            let text = "'retry_after_s' lies in the past; the configured delay is used instead";
            self.warnings.push(text.to_owned());
            return None;
        }
        Some(
            Duration::try_from_secs_f64(seconds)
                .map_or(RETRY_AFTER_MAX, |wait| wait.min(RETRY_AFTER_MAX)),
        )
    }

    fn post_action(&mut self) -> Option<PostAction> {
        let raw = self.value("post_action")?;
        let action = serde_json::from_str(raw.get()).ok();
        if action.is_none() {
            self.fault(format!(
                "the answer's post_action {} is none of {}",
                shown(raw.get()),
                PostAction::ALL.map(PostAction::name).join(", ")
            ));
        }
        action
    }

    /// Checks for members that answers do not have.
    fn check_unknown(&mut self, status: Option<Outcome>, no_report: bool) {
        let succeeds = status == Some(Outcome::Success);
        let mut left_out = Vec::new();
        let mut faults = Vec::new();
        for member in self.members.iter().filter(|member| member.known.is_none()) {
            let name = shown(&member.name);
            let spelt = letters(&member.name);
            let like = suggest(&spelt, DECISIVE.into_iter()).filter(|_| member.says());
            let says_no = member.value.get().trim_matches('"') == "false";
            let denies = matches!(spelt.as_str(), "success" | "ok") && says_no;
            let complains = matches!(spelt.as_str(), "exception" | "traceback") && member.says();
            if let Some(like) = like {
                let value = shown(member.value.get());
                faults.push(format!(
                    "answers have no '{name}'; did you mean '{like}'? It says {value}"
                ));
            } else if succeeds && (denies || complains) {
                faults.push(format!(
                    "the converter answered success with '{name}': {}",
                    shown(member.value.get())
                ));
            } else {
                left_out.push(name);
            }
        }
        self.faults.append(&mut faults);
        if left_out.is_empty() {
            return;
        }
        left_out.truncate(NAMED_MAX);
        let names = left_out.join("', '");
        if status.is_none() || (succeeds && no_report) {
            self.fault(format!(
                "answers have no '{names}'; a report goes into 'report', as in \
                 {{\"status\": \"success\", \"report\": {{...}}}}"
            ));
        } else {
            self.warnings
                .push(format!("left out what answers do not have: '{names}'"));
        }
    }
}

impl Member<'_> {
    fn is_exact_of(known: &'static str) -> impl Fn(&Member<'_>) -> bool {
        move |member| member.name == known
    }
}

/// Returns why a conversion did not succeed, in the converter's own words if it gave any.
fn reason(status: Outcome, said: Option<String>) -> Option<String> {
    match status {
        Outcome::Failed | Outcome::Rejected => Some(
            said.unwrap_or_else(|| format!("the converter answered {status} without a reason")),
        ),
        _ => said,
    }
}

/// Returns the content of a JSON text, or `None` for another type.
fn words(raw: &RawValue) -> Option<String> {
    let text: Text = serde_json::from_str(raw.get()).ok()?;
    Some(text.words().into_owned())
}

/// Returns the beginning of a value, to be shown in a reason.
fn shown(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{} [...]", &text[..end]),
        None => text.to_owned(),
    }
}

/// Cuts the warnings to what fits into an event.
fn bounded(mut warnings: Vec<String>) -> Vec<String> {
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
    warnings
}

/// Returns the length in bytes of a text written as JSON.
pub(in crate::convert) fn written_bytes(text: &str) -> usize {
    2 + text.chars().map(written_char).sum::<usize>()
}

fn written_char(c: char) -> usize {
    match c {
        '"' | '\\' => 2,
        '\0'..='\x1f' => 6,
        c => c.len_utf8(),
    }
}

/// Returns the length in bytes of the longest beginning of a text that takes at most `max` bytes as
/// JSON.
fn fitting_bytes(text: &str, max: usize) -> usize {
    let mut written = 2;
    let first_too_many = text.char_indices().find(|(_, c)| {
        written += written_char(*c);
        written > max
    });
    first_too_many.map_or(text.len(), |(at, _)| at)
}
