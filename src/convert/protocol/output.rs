//! Parses what a one-shot converter wrote to standard output.
//!
//! **One-shot output.** Standard output holds one JSON value. It is an *answer* (see [`answer`]),
//! or the *bare report* of a successful conversion, which is any other object or array.
//!
//! **Worker output** is always one answer on each line.

use super::conversion::{Conversion, excerpt};
use super::{answer, not_json};
use crate::entry::Outcome;

/// Parses the output of a one-shot converter that exited with success.
pub(crate) fn understand(stdout: &[u8]) -> Conversion {
    match read_output(stdout) {
        Ok(conversion) => conversion,
        Err(reason) => Conversion::failed(reason),
    }
}

fn read_output(stdout: &[u8]) -> Result<Conversion, String> {
    let text = not_json::decode(stdout)?;
    if text.is_empty() {
        return Err("exited with success but wrote nothing to standard output".to_owned());
    }
    not_json::one_value(text)?;
    if answer::is_answer(text) {
        return Ok(answer::read_lone_answer(text));
    }
    if !text.starts_with(['{', '[']) {
        return Err(format!(
            "standard output is neither an answer nor a report (an object or a list): {}",
            excerpt(stdout)
        ));
    }
    if answer::is_list_of_answers(text) {
        return Err(format!(
            "standard output is a list of answers; one answer is taken of a source, and several \
             reports go into its 'reports': {}",
            excerpt(stdout)
        ));
    }
    Ok(Conversion::bare(text))
}

/// Returns the answer in content that was submitted as a report, if it holds nothing but an
/// answer's members.
///
/// Content with a `status` among other members is a report, because it was submitted as one.
pub(crate) fn answer_for_report(content: &[u8]) -> Option<Conversion> {
    let text = not_json::decode(content).ok()?;
    answer::is_plain_answer(text).then(|| answer::read_lone_answer(text))
}

/// Parses the answer of a converter that exited with an error.
///
/// A success, or that there was nothing to do, is not believed after such an exit.
pub(in crate::convert) fn understand_failure(stdout: &[u8]) -> Option<Conversion> {
    let text = not_json::decode(stdout).ok()?;
    if !answer::is_answer(text) {
        return None;
    }
    let conversion = answer::read_lone_answer(text);
    let is_well = matches!(conversion.outcome, Outcome::Success | Outcome::Skipped);
    (!is_well).then_some(conversion)
}

#[cfg(test)]
mod tests {
    //! Checks two rules: a converter that says "failed" is never recorded as a success, however it
    //! spells its answer; and a report is never lost because it has a word in common with the
    //! protocol.

    use std::time::Duration;

    use super::*;
    use crate::convert::protocol::answer::{
        REPORTS_MAX, RETRY_AFTER_MAX, UNIT_BYTES_MAX, WARNINGS_BYTES_MAX, written_bytes,
    };
    use crate::convert::protocol::read_answer;

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

    /// A source must not be cleared as converted because its failure was written in capitals.
    #[test]
    fn what_was_meant_as_an_answer_is_never_booked_as_a_report() {
        for (stdout, why) in [
            (
                r#"{"status":"FAILED","error":"no limits"}"#,
                r#"status "FAILED""#,
            ),
            (
                r#"{"status":"FAILED","serial":"SN1","error":"no limits"}"#,
                "no limits",
            ),
            (r#"{"status":"Failed"}"#, r#"status "Failed""#),
            (
                r#"{"status":"fail","message":"no limits"}"#,
                r#"status "fail""#,
            ),
            (r#"{"status":"error"}"#, r#"status "error""#),
            (
                r#"{"status":"failed ","error":"no limits"}"#,
                r#"status "failed ""#,
            ),
            (r#"{"status":"SUCCESS","report":{}}"#, r#"status "SUCCESS""#),
            (r#"{"status":"ok","report":{}}"#, r#"status "ok""#),
            (r#"{"status":"","report":{}}"#, r#"status """#),
            (r#"{"status":null,"error":"no limits"}"#, "no status"),
            (r#"{"status":true,"report":{}}"#, "status true"),
            (r#"{"status":0,"report":{}}"#, "status 0"),
            (
                r#"{"status":["failed"],"report":{}}"#,
                r#"status ["failed"]"#,
            ),
            (r#"{"status":{"code":"failed"}}"#, "status {"),
            (
                r#"{"status":"failed","reason":"no limits"}"#,
                "reason: no limits",
            ),
            (r#"{"status":"Passed","steps":[]}"#, "goes into 'report'"),
            (r#"{"status":"success","steps":[]}"#, "goes into 'report'"),
            (r#"{"Status":"failed"}"#, "it is called 'status'"),
            (
                r#"{"STATUS":"success","report":{}}"#,
                "it is called 'status'",
            ),
            (
                r#"{" status ":"failed","steps":[]}"#,
                "it is called 'status'",
            ),
            (
                r#"{"status:":"failed","steps":[]}"#,
                "it is called 'status'",
            ),
            (r#"{"stauts":"failed","steps":[]}"#, "it is called 'status'"),
            (r#"{"error":"no limits"}"#, "no status"),
            (r#"{"error":"no limits","sn":"1"}"#, "no status"),
            (r#"{"error":{"code":5},"sn":"1"}"#, "no status"),
            (r#"{"ERROR":"no limits"}"#, "no status"),
            (r#"{"errors":["no limits"]}"#, "no status"),
            (r#"{"success":false,"message":"no limits"}"#, "no status"),
            (r#"{"ok":false}"#, "no status"),
            (r#"{"report":{"sn":"1"}}"#, "no status"),
            (r#"{"reports":[{"sn":"1"}],"serial":"1"}"#, "no status"),
            (r#"{"retryAfterS":60}"#, "no status"),
            (r#"{"post_action":"keep","sn":"1"}"#, "no status"),
            (
                r#"[{"status":"failed","error":"no limits"}]"#,
                "list of answers",
            ),
            (
                r#""{\"status\":\"failed\"}""#,
                "neither an answer nor a report",
            ),
            ("{\"status\":\"failed\"}\n{\"sn\":1}", "goes on after"),
        ] {
            let said = understand(stdout.as_bytes());
            let error = said.error.expect(stdout);
            assert_eq!(said.outcome, Outcome::Failed, "{stdout}");
            assert!(error.contains(why), "{stdout}: {error}");
            let has_reason = stdout.contains("no limits") && stdout.starts_with('{');
            assert!(
                !has_reason || error.contains("no limits"),
                "{stdout}: {error}"
            );
        }
    }

    #[test]
    fn an_answer_that_contradicts_itself_is_a_failure() {
        for (stdout, why) in [
            (
                r#"{"status":"success","report":{},"error":"no limits"}"#,
                "success with an error: no limits",
            ),
            (
                r#"{"status":"success","report":{},"error":7}"#,
                "'error' is no text: 7",
            ),
            (
                r#"{"status":"success","report":{},"eror":"x"}"#,
                "did you mean 'error'",
            ),
            (
                r#"{"status":"success","report":{},"errors":["x"]}"#,
                "did you mean 'error'",
            ),
            (
                r#"{"status":"success","report":{},"traceback":"x"}"#,
                "success with 'traceback'",
            ),
            (
                r#"{"status":"success","report":{},"ok":false}"#,
                "success with 'ok': false",
            ),
            (
                r#"{"status":"success","reprot":{"sn":"1"}}"#,
                "did you mean 'report'",
            ),
            (
                r#"{"status":"success","data":{"sn":"1"}}"#,
                "have no 'data'",
            ),
            (
                r#"{"status":"success","report":{},"Status":"failed"}"#,
                "called 'status'",
            ),
            (
                r#"{"status":"failed","status":"success","report":{}}"#,
                "'status' twice",
            ),
            (
                r#"{"status":"success","report":{},"report":{"sn":"1"}}"#,
                "'report' twice",
            ),
            (
                r#"{"status":"success","report":"done"}"#,
                "an object or a list, not \"done\"",
            ),
            (
                r#"{"status":"success","report":false}"#,
                "an object or a list, not false",
            ),
            (
                r#"{"status":"success","reports":{"sn":"1"}}"#,
                "'reports' is no list",
            ),
            (r#"{"status":"success","reports":[{},null]}"#, "not null"),
            (
                r#"{"status":"success","report":{},"post_action":"burn"}"#,
                "post_action \"burn\"",
            ),
            (
                r#"{"status":"success","report":{},"post_action":"Keep"}"#,
                "post_action \"Keep\"",
            ),
            (
                r#"{"status":"success","report":{},"post_acton":"keep"}"#,
                "did you mean 'post_action'",
            ),
            (
                r#"{"status":"success","report":{},"postAction":"keep"}"#,
                "called 'post_action'",
            ),
            (
                r#"{"status":"success","report":{},"serial":1042}"#,
                "'serial' is no text: 1042",
            ),
            (
                r#"{"status":"success","report":{},"warnings":"hot"}"#,
                "no list of texts",
            ),
            (
                r#"{"status":"suspended","retry_after_s":"60"}"#,
                "'retry_after_s' is no number",
            ),
            (
                r#"{"status":"suspended","error":"wait","error":"x"}"#,
                "'error' twice",
            ),
        ] {
            let said = understand(stdout.as_bytes());
            let error = said.error.expect(stdout);
            assert_eq!(said.outcome, Outcome::Failed, "{stdout}");
            assert!(error.contains(why), "{stdout}: {error}");
        }
    }

    #[test]
    fn a_report_with_words_of_the_protocol_in_it_stays_a_report() {
        for text in [
            r#"{"sn":"SN1","result":"Failed","root":{"status":"F","error":"no limits"}}"#,
            r#"{"type":"T","pn":"1","sn":"2","result":"P","uut":{"errorMessage":"x"}}"#,
            r#"{"dut_id":"1","outcome":"FAIL","phases":[{"status":"failed"}]}"#,
            r#"{"id":"r1","serial":"SN1","part":"P1","station":"S","process":"10"}"#,
            r#"{"created":1.5,"warnings":[{"message":"x"}],"tests":[]}"#,
            r#"{"success":false,"numFailedTests":1,"testResults":[]}"#,
            r#"{"error":null,"steps":[]}"#,
            r#"{"errors":1,"failures":2,"testsuites":[]}"#,
            r#"{"stats":{"failures":1},"results":[]}"#,
            r#"[{"name":"R1","status":"failed","error":"x"}]"#,
            r"[]",
            r"{}",
        ] {
            let said = understand(text.as_bytes());
            assert_eq!(said.error, None, "{text}");
            assert_eq!(said.reports, [text.as_bytes()]);
        }
    }

    #[test]
    fn a_member_too_many_is_left_out_with_a_warning() {
        let said = understand(br#"{"status":"failed","error":"no header","took":3}"#);
        assert_eq!(said.outcome, Outcome::Failed);
        assert_eq!(said.error.as_deref(), Some("no header"));
        assert_eq!(said.warnings, ["left out what answers do not have: 'took'"]);
        let said = understand(br#"{"status":"success","report":{},"port":3,"message":"done"}"#);
        assert_eq!(said.outcome, Outcome::Success);
        assert!(said.warnings[0].contains("'port', 'message'"));
        let said = understand(br#"{"status":"success","report":{},"ID":"R-1"}"#);
        assert_eq!(said.outcome, Outcome::Success);
        assert_eq!(outcome(r#"{"status":"skipped"}"#), Outcome::Skipped);
        assert_eq!(
            outcome(r#"{"status":"rejected","serial":"SN1"}"#),
            Outcome::Rejected
        );
    }

    /// The serial number in an invalid answer is kept, because it is how the source is found later.
    #[test]
    fn an_answer_that_is_not_believed_keeps_its_serial_and_its_reason() {
        let said = understand(br#"{"status":"FAILED","error":"no limits","serial":"SN1"}"#);
        assert_eq!(said.unit.serial.as_deref(), Some("SN1"));
        assert_eq!(
            said.error.as_deref(),
            Some(
                "the answer's status \"FAILED\" is none of success, failed, suspended, skipped, \
                 rejected: no limits"
            )
        );
        let worker = read_answer(r#"{"id":7,"status":"FAILED","error":"no limits"}"#);
        let (id, said) = worker.expect("an answer, so the worker goes on");
        assert_eq!((id, said.outcome), (Some(7), Outcome::Failed));
        // A worker on Windows may begin its output with a byte order mark.
        assert!(read_answer("\u{feff}{\"id\":1,\"status\":\"skipped\"}").is_ok());
        for text in [r#"{"id":"7","status":"success","report":{}}"#, "[7]", "{"] {
            assert!(read_answer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_and_garbage_are_failures_that_show_what_was_written() {
        for (stdout, shown) in [
            ("", "wrote nothing"),
            (" \n", "wrote nothing"),
            ("42", "neither an answer nor a report"),
            ("null", "neither an answer nor a report"),
            ("Traceback: boom", "Traceback: boom"),
            ("{} {}", "goes on after the JSON value"),
            ("{\"a\":", "ends in the middle"),
            ("{\"a\":NaN}", "NaN is not JSON: at $.a"),
        ] {
            let said = understand(stdout.as_bytes());
            assert_eq!(said.outcome, Outcome::Failed, "{stdout}");
            let error = said.error.expect("a reason");
            assert!(error.contains(shown), "{stdout}: {error}");
        }
        let said = understand(b"{\"a\":\"\xff\"}");
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
            ("1e300", Some(RETRY_AFTER_MAX)),
            ("1e400", Some(RETRY_AFTER_MAX)),
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
        assert_eq!(understand_failure(br#"{"status":"skipped"}"#), None);
        assert_eq!(understand_failure(br#"{"x":1}"#), None);
        let said = understand_failure(br#"{"status":"Rejected","error":"not ours"}"#);
        assert_eq!(said.map(|said| said.outcome), Some(Outcome::Failed));
    }
}
