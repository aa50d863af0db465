//! Tests of running converters.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::entry::{Meta, Outcome};
use crate::id::EntryId;

fn converter(dir: &Path, script: &str) -> Converter {
    fs::write(dir.join("run.sh"), script).expect("written");
    Converter::new("test", ["sh", "run.sh", "{input}"], dir)
        .bundle(["run.sh"])
        .environment("")
}

fn run(converter: Converter, name: &str, source: &[u8]) -> Result<Conversion> {
    let scratch = tempfile::tempdir().expect("folder");
    let runner = Runner::new(converter, 1, scratch.path())?;
    let request = Request {
        name,
        modified: Some(UNIX_EPOCH + Duration::from_secs(1_000_000_000)),
        store: None,
        entry: Some(EntryId(4711)),
        arguments: &runner.converter.arguments,
    };
    let said = runner.run(request, &mut &*source, &Cancel::default())?;
    drop(runner);
    assert_eq!(
        fs::read_dir(scratch.path()).expect("folder").count(),
        0,
        "temporary folders are removed"
    );
    Ok(said.expect("not cancelled"))
}

#[test]
fn a_converter_sees_the_content_the_name_and_the_time_of_the_source() {
    let dir = tempfile::tempdir().expect("folder");
    let script = r#"printf '["%s","%s","%s","%s","%s"]' "$(cat "$1")" "$(basename "$1")" \
        "$(date -u -r "$1" +%Y)" "$ANNALS_ENTRY" "$ANNALS_NAME""#;
    let said = run(converter(dir.path(), script), "../unit 42.csv", b"data").expect("ran");
    assert_eq!(said.error, None);
    assert_eq!(
        String::from_utf8_lossy(&said.reports[0]),
        r#"["data","unit 42.csv","2001","4711","../unit 42.csv"]"#
    );
}

#[test]
fn a_secret_never_shows_in_what_a_converter_complains_about() {
    let dir = tempfile::tempdir().expect("folder");
    let mut converter = converter(dir.path(), "echo \"$ANNALS_ARGUMENTS\" >&2; exit 1");
    let values = Meta::from([("token".into(), "s3\"cret".into())]);
    converter.arguments = Arguments::new(values, ["token".to_owned()]);
    let error = run(converter, "x", b"")
        .expect("ran")
        .error
        .expect("a reason");
    assert_eq!(error, r#"exited with code 1: {"token":"***"}"#);
}

#[test]
fn a_program_that_is_not_there_is_no_fault_of_the_source() {
    let dir = tempfile::tempdir().expect("folder");
    let mut converter = converter(dir.path(), "");
    converter.command[0] = "no-such-program-of-annals".into();
    let error = run(converter, "x", b"").expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::Converter);
    assert!(error.message().contains("no such program"), "{error}");
}

/// A script that lacks a program before its first run must not cost the sources an attempt.
#[test]
fn what_a_script_lacks_before_it_ran_once_is_no_fault_of_the_source() {
    let dir = tempfile::tempdir().expect("folder");
    let script =
        "case \"$(cat \"$1\")\" in good) echo '{}' ;; *) exec no-such-program-of-annals ;; esac";
    let runner = Runner::new(converter(dir.path(), script), 1, dir.path()).expect("made");
    let run = |source: &str| {
        let request = Request {
            name: "x",
            modified: None,
            store: None,
            entry: None,
            arguments: &runner.converter.arguments,
        };
        runner.run(request, &mut source.as_bytes(), &Cancel::default())
    };
    let error = run("bad").expect_err("it never ran");
    assert_eq!(error.kind(), ErrorKind::Converter);
    assert!(error.message().contains("exited with code 127"), "{error}");
    let outcome = |source: &str| {
        let ran = run(source).expect("ran");
        ran.map(|conversion| conversion.outcome)
    };
    assert_eq!(outcome("good"), Some(Outcome::Success));
    assert_eq!(
        outcome("bad"),
        Some(Outcome::Failed),
        "it runs, but not over this"
    );
}

#[test]
fn a_timeout_and_an_exit_code_are_reasons() {
    let dir = tempfile::tempdir().expect("folder");
    let mut slow = converter(dir.path(), "echo started >&2; sleep 60");
    slow.bounds.timeout = Duration::from_millis(2500);
    let said = run(slow, "x", b"").expect("ran");
    assert_eq!(said.outcome, Outcome::Failed);
    assert_eq!(
        said.error.as_deref(),
        Some("timed out after 2.5 s: started")
    );
    let said = run(converter(dir.path(), "echo '{\"x\":1}'; exit 2"), "x", b"").expect("ran");
    assert_eq!(said.error.as_deref(), Some("exited with code 2"));
}

#[test]
fn an_edited_converter_gets_a_new_identity_without_a_restart() {
    let dir = tempfile::tempdir().expect("folder");
    let runner = Runner::new(converter(dir.path(), "echo '{}'"), 1, dir.path()).expect("made");
    let before = runner.session().expect("there").identity.id;
    fs::write(dir.path().join("run.sh"), "echo '{\"edited\":true}'").expect("written");
    let after = runner.session().expect("there").identity.id;
    assert_ne!(before, after);
}

#[test]
fn a_python_worker_keeps_its_process_and_gets_its_arguments() {
    if std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let dir = tempfile::tempdir().expect("folder");
    let mut converter = converter(dir.path(), "");
    fs::write(
        dir.path().join("worker.py"),
        "import json, os, sys\n\
         for line in sys.stdin:\n    \
             q = json.loads(line)\n    \
             text = open(q['input']).read()\n    \
             report = {'pid': os.getpid(), 'text': text, 'op': q['arguments']['operation']}\n    \
             print(json.dumps({'id': q['id'], 'status': 'success', 'report': report, 'serial': q['name']}), flush=True)\n",
    )
    .expect("written");
    converter.command = vec!["python3".into(), "worker.py".into(), "{input}".into()];
    converter.bundle = vec!["worker.py".into()];
    converter.mode = Mode::Worker;
    converter.arguments = Arguments::new(Meta::from([("operation".into(), "10".into())]), []);
    let runner = Runner::new(converter, 1, dir.path()).expect("made");
    let mut pids = BTreeSet::new();
    for text in ["one", "two"] {
        let request = Request {
            name: text,
            modified: None,
            store: None,
            entry: None,
            arguments: &runner.converter.arguments,
        };
        let said = runner
            .run(request, &mut text.as_bytes(), &Cancel::default())
            .expect("ran")
            .expect("not cancelled");
        assert_eq!(said.error, None);
        assert_eq!(said.unit.serial.as_deref(), Some(text));
        let report: serde_json::Value = serde_json::from_slice(&said.reports[0]).expect("JSON");
        assert_eq!(report["text"], text);
        assert_eq!(report["op"], "10");
        pids.insert(report["pid"].to_string());
    }
    assert_eq!(pids.len(), 1);
}
