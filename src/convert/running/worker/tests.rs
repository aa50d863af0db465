//! Checks that a worker which crashes over one file costs that file's attempt and nothing else.

use super::*;
use crate::convert::Bounds;
use crate::entry::{Meta, Outcome};

/// A worker that answers according to the name of the source.
const WORKER: &str = r#"
    while read -r line; do
        id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
        case "$line" in
            *crash*) echo "about to crash" >&2; exit 7 ;;
            *stall*) sleep 60 ;;
            *babble*) echo "hello there" ;;
            *stranger*) echo '{"id":999,"status":"success","report":{}}' ;;
            *late*) echo '{"id":0,"status":"failed","error":"stale"}'
                    echo "{\"id\":$id,\"status\":\"success\",\"report\":{\"pid\":$$}}" ;;
            *) echo "{\"id\":$id,\"status\":\"success\",\"report\":{\"pid\":$$}}" ;;
        esac
    done"#;

struct Bench {
    home: tempfile::TempDir,
    pool: Pool,
    script: &'static str,
}

impl Bench {
    fn new() -> Self {
        Self::of(WORKER)
    }

    fn of(script: &'static str) -> Self {
        Self {
            home: tempfile::tempdir().expect("folder"),
            pool: Pool::new(1),
            script,
        }
    }

    fn convert(&self, name: &str) -> Conversion {
        self.ask("sh", name).expect("sh starts")
    }

    fn ask(&self, program: &str, name: &str) -> io::Result<Conversion> {
        let bounds = Bounds {
            timeout: Duration::from_millis(if name == "stall" { 300 } else { 10_000 }),
            ..Bounds::default()
        };
        let invocation = Invocation {
            program: program.into(),
            arguments: vec!["-c".into(), self.script.into()],
            dir: self.home.path(),
            home: self.home.path(),
            variables: Vec::new(),
            bounds: &bounds,
            confinement: None,
        };
        let request = WorkerRequest {
            id: 0,
            input: "/in",
            name,
            arguments: &Meta::new(),
            entry: None,
        };
        let converted = self.pool.convert(&invocation, request, &Cancel::default());
        converted.map(|said| said.expect("not cancelled"))
    }
}

#[test]
fn one_process_serves_many_conversions() {
    let bench = Bench::new();
    let first = bench.convert("a");
    let second = bench.convert("late");
    assert_eq!(first.outcome, Outcome::Success);
    assert_eq!(first.reports, second.reports);
}

#[test]
fn a_crash_fails_that_attempt_with_its_reason_and_the_next_one_works() {
    let bench = Bench::new();
    let before = bench.convert("a");
    let crashed = bench.convert("crash");
    assert_eq!(crashed.outcome, Outcome::Failed);
    assert_eq!(
        crashed.error.as_deref(),
        Some("the worker exited with code 7 before it answered: about to crash")
    );
    let after = bench.convert("b");
    assert_eq!(after.outcome, Outcome::Success);
    assert_ne!(before.reports, after.reports);
}

#[test]
fn a_stalled_worker_is_killed_in_time_and_replaced() {
    let bench = Bench::new();
    let started = Instant::now();
    let stalled = bench.convert("stall");
    assert_eq!(stalled.error.as_deref(), Some("timed out after 0.3 s"));
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(bench.convert("a").outcome, Outcome::Success);
}

#[test]
fn babble_and_answers_to_nobody_are_failures() {
    let bench = Bench::new();
    let babbled = bench.convert("babble").error.expect("a reason");
    assert!(babbled.contains("hello there"), "{babbled}");
    let stranger = bench.convert("stranger").error.expect("a reason");
    assert!(stranger.contains("999"), "{stranger}");
    assert_eq!(bench.convert("a").outcome, Outcome::Success);
}

/// A missing module must not give every file of a backlog a final failed attempt.
#[test]
fn a_worker_that_dies_without_being_asked_is_no_fault_of_the_source() {
    let bench = Bench::of("echo start >> \"$HOME/starts\"; echo 'no module' >&2; exit 1");
    let started = Instant::now();
    for _ in 0..3 {
        let error = bench.ask("sh", "a").expect_err("it cannot run");
        let why = "the worker exited with code 1 before it was asked anything: no module";
        assert_eq!(error.to_string(), why);
    }
    assert!(
        started.elapsed() >= back_off(1) + back_off(2),
        "ever more slowly"
    );
    let starts = std::fs::read_to_string(bench.home.path().join("starts")).expect("started");
    assert_eq!(starts.lines().count(), 6, "one to ask and one to see");
}

/// The first file after a start may be one that kills every worker.
#[test]
fn a_source_that_kills_a_fresh_worker_fails_and_the_line_goes_on() {
    let bench = Bench::new();
    assert_eq!(bench.convert("crash").outcome, Outcome::Failed);
    assert_eq!(bench.convert("a").outcome, Outcome::Success);
    for name in ["crash 1", "crash 2", "crash 3", "crash 4"] {
        assert_eq!(bench.convert(name).outcome, Outcome::Failed);
    }
}

/// A program that is no worker reads forever and never answers.
#[test]
fn a_worker_that_never_answers_is_at_fault_after_some_sources_and_not_after_one() {
    let bench = Bench::of("while read -r line; do echo hello; done");
    for name in ["a", "a", "a", "b"] {
        assert_eq!(bench.convert(name).outcome, Outcome::Failed);
    }
    let error = bench.ask("sh", "c").expect_err("it is no worker");
    let told = "it has not answered once over 3 sources: ";
    assert!(error.to_string().starts_with(told), "{error}");
}

#[test]
fn a_worker_that_cannot_be_started_is_not_tried_again_at_once_either() {
    let bench = Bench::new();
    let started = Instant::now();
    for _ in 0..3 {
        let error = bench
            .ask("no-such-program-of-annals", "a")
            .expect_err("not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
    assert!(started.elapsed() >= back_off(1) + back_off(2));
    assert_eq!(bench.convert("a").outcome, Outcome::Success);
}

#[test]
fn waits_between_restarts_grow_to_a_bound() {
    assert_eq!(back_off(1), RESTART_AFTER);
    assert_eq!(back_off(3), RESTART_AFTER * 4);
    assert_eq!(back_off(u32::MAX), RESTART_AFTER_MAX);
}
