//! What is said to be well, or the same, or done, must be: a failure told in other letters is a
//! failure, a report that differs in one digit is a change, and a gate that looked at nothing stays
//! shut.

use std::fs;

use serde_json::Value;

use super::{Plant, Ran};

/// A plant whose converter hands on what stands in the file: each file is what a converter wrote.
fn plant_of_outputs(outputs: &[(&str, &str)]) -> Plant {
    let plant = Plant::new();
    for (name, output) in outputs {
        plant.file(&format!("in/{name}.csv"), output);
    }
    let configuration = Plant::configuration("1.0");
    let cat = configuration.replace(r#"["sh", "run.sh", "{input}"]"#, r#"["cat", "{input}"]"#);
    plant.file("run.sh", "");
    plant.file("host.toml", cat);
    plant
}

/// A converter said FAILED in capitals because its limit file was missing. Each file was booked as
/// converted, its source was cleared away, and the complaint was submitted as the report.
#[test]
fn an_answer_that_is_not_understood_is_a_failure_and_its_source_is_kept_aside() {
    let plant = plant_of_outputs(&[
        (
            "capitals",
            r#"{"status":"FAILED","serial":"SN1","error":"no limits"}"#,
        ),
        ("other", r#"{"status":"error","error":"no limits"}"#),
        ("blank", r#"{"status":"failed ","error":"no limits"}"#),
        ("no_status", r#"{"error":"no limits"}"#),
        (
            "both",
            r#"{"status":"success","report":{},"error":"no limits"}"#,
        ),
        (
            "nan",
            r#"{"status":"success","report":{"steps":[{"no limits":NaN}]}}"#,
        ),
        ("well", r#"{"status":"success","report":{"sn":"1"}}"#),
    ]);
    let ended = plant
        .run(&["host", "run", "host.toml", "--once", "--json"])
        .expect(3)
        .object();
    assert_eq!(
        (&ended["failed"], &ended["successful"]),
        (&6.into(), &1.into()),
        "{ended}"
    );
    assert_eq!(plant.names_in("error").len(), 6);
    for entry in plant
        .run(&["list", "--status", "failed", "--json"])
        .objects()
    {
        let error = &entry["attempts"][0]["error"];
        let error = error.as_str().expect("a reason");
        assert!(error.contains("no limits"), "{error}");
    }
    let nan = plant.run(&["list", "--file", "nan.csv"]).expect(0);
    let wide = plant.run(&["list", "--file", "nan.csv", "--json"]).object();
    let error = wide["attempts"][0]["error"].as_str().expect("a reason");
    assert!(
        error.starts_with(
            "NaN is not JSON: at $.report.steps[0][\"no limits\"] (line 1, column 53)"
        ),
        "{error} {}",
        nan.text()
    );
    let found = plant.run(&["find", "SN1", "--json"]).expect(0).object();
    assert_eq!(found["status"], "failed", "found by what it said of itself");
}

/// An ICCID has 20 digits. A converter that got the last one wrong passed the gate, because machine
/// numbers have 16.
#[test]
fn a_report_that_differs_in_its_last_digit_or_in_a_doubled_member_is_a_change() {
    for (before, now, changes) in [
        (
            r#"{"iccid":89470000000000000012}"#,
            r#"{"iccid":89470000000000000013}"#,
            r#""/iccid","kind":"changed","old":89470000000000000012,"new":89470000000000000013,"#,
        ),
        (
            r#"{"a":1,"a":2}"#,
            r#"{"a":3,"a":2}"#,
            r#""/a","kind":"changed","old":1,"new":3,"#,
        ),
        (
            r#"{"a":1.50,"b":-0}"#,
            r#"{"b":0,"\u0061":15e-1}"#,
            r#""changes":[]"#,
        ),
    ] {
        let plant = plant_of_outputs(&[("1", before)]);
        plant.run(&["host", "run", "host.toml", "--once"]).expect(0);
        let id = plant.run(&["list", "--json"]).object()["id"].to_string();
        let configuration = fs::read_to_string(plant.path("host.toml")).expect("there");
        let script =
            configuration.replace(r#"["cat", "{input}"]"#, r#"["sh", "run.sh", "{input}"]"#);
        plant.file("host.toml", script);
        plant.file("run.sh", format!("echo '{now}'"));
        let reprocess = [
            "--config",
            "host.toml",
            "reprocess",
            &id,
            "--fail-on-change",
        ];
        let code = if changes == r#""changes":[]"# { 0 } else { 6 };
        plant
            .run(&[&reprocess[..], &["--compare-only"]].concat())
            .expect(code);
        let told = plant
            .run(&[&reprocess[..], &["--json"]].concat())
            .expect(code);
        let diff = plant.run(&["diff", &id, "--json"]).expect(0);
        assert!(diff.text().contains(changes), "{}", diff.text());
        let numbers = [before, now].map(|text| text.contains("89470000000000000012"));
        assert!(
            numbers == [false, false] || told.text().contains("89470000000000000013"),
            "{}",
            told.text()
        );
    }
}

/// A build server ran the gate with a typo in the converter's name; it compared nothing, said so,
/// and was green.
#[test]
fn a_gate_that_looked_at_nothing_does_not_open() {
    let plant = Plant::with_host();
    plant.run(&["host", "run", "host.toml", "--once"]).expect(3);
    plant.file("new.csv", "SN9;9");
    plant
        .run(&["archive", "new.csv", "-c", "T", "--meta", "new=1"])
        .expect(0);
    let before = plant.run(&["events"]).expect(0).stdout;
    for (args, message) in [
        (
            &["reprocess", "-c", "TT", "--fail-on-change"][..],
            "did you mean 'T'",
        ),
        (
            &["reprocess", "-c", "T", "-c", "TT", "--compare-only"],
            "did you mean 'T'",
        ),
        (
            &["reprocess", "--serial", "SN404", "--dry-run"],
            "no entry matches",
        ),
        (
            &["reprocess", "-c", "T", "--converter-version", "1.O"],
            "did you mean '1.0'",
        ),
        (
            &[
                "reprocess",
                "--meta",
                "new=1",
                "--compare-only",
                "--fail-on-change",
            ],
            "nothing was compared",
        ),
        (
            &["hold", "add", "-c", "TT", "--name", "n", "--reason", "r"],
            "did you mean 'T'",
        ),
        (
            &[
                "hold", "add", "--serial", "SN404", "--name", "n", "--reason", "r",
            ],
            "no entry",
        ),
        (&["restore", "-c", "TT", "--to", "back"], "did you mean 'T'"),
        (
            &["restore", "--serial", "SN404", "--to", "back"],
            "no entry matches",
        ),
        (
            &["retention", "preview", "-c", "TT", "--expired"],
            "did you mean 'T'",
        ),
        (
            &["retention", "apply", "-c", "TT", "--expired"],
            "did you mean 'T'",
        ),
    ] {
        let ran = plant
            .run(&[&["--config", "host.toml"], args].concat())
            .expect(4);
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
    }
    assert!(
        !plant.path("back").exists(),
        "no folder is made for nothing"
    );
    let in_other_letters = ["--config", "host.toml", "reprocess", "-c", "t", "--dry-run"];
    plant.run(&in_other_letters).expect(0);
    // A listing answers; so does a night on which nothing has expired.
    let listed = plant.run(&["list", "-c", "TT"]).expect(0);
    assert!(
        listed.stderr.contains("did you mean 'T'"),
        "{}",
        listed.stderr
    );
    plant
        .run(&["retention", "apply", "-c", "T", "--expired"])
        .expect(0);
    assert_eq!(
        plant.run(&["events"]).expect(0).stdout,
        before,
        "nothing was done"
    );
}

/// A reprocess counted failures for which no attempt is recorded, and the command it hinted at
/// listed nothing.
#[test]
fn every_failure_of_a_job_is_shown_with_its_reason() {
    let plant = Plant::with_host();
    plant.run(&["host", "run", "host.toml", "--once"]).expect(3);
    let with = ["--config", "host.toml", "reprocess", "-c", "T"];
    let job_of = |ran: &Ran| ran.object()["job"].to_string();
    let errors_of = |job: &str| {
        let shown = plant
            .run(&["job", "show", job, "--json"])
            .expect(0)
            .object();
        assert_eq!(shown["more_errors"], 0);
        shown["errors"].as_array().expect("a list").clone()
    };
    let failed = plant.run(&[&with[..], &["--json"]].concat()).expect(3);
    let errors = errors_of(&job_of(&failed));
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["attempt"], 2, "{errors:?}");

    let configuration = Plant::configuration("1.0").replace("[\"sh\"", "[\"no-such-sh\"");
    plant.file("host.toml", configuration);
    let untried = plant.run(&[&with[..], &["--json"]].concat()).expect(1);
    let job = job_of(&untried);
    let errors = errors_of(&job);
    assert!(!errors.is_empty());
    assert_eq!(untried.object()["not_tried"], errors.len());
    for error in &errors {
        assert_eq!(error["attempt"], Value::Null);
        let words = error["error"].as_str().expect("a reason");
        assert!(words.contains("no-such-sh"), "{words}");
    }
    let told = plant.run(&with).expect(1);
    let hint = told.stderr.split_once(" job show ").expect("a hint").1;
    let next = hint.lines().next().expect("a job");
    let page = plant.run(&["job", "show", next]).expect(0);
    assert!(page.text().contains("no-such-sh"), "{}", page.text());

    plant.file("host.toml", Plant::configuration("1.0"));
    let unsure = plant.run(&[&with[..], &["--ramp"]].concat()).expect(3);
    assert!(
        unsure.stderr.contains("stopped after 1 entry")
            && unsure.stderr.contains("is recorded as job"),
        "{}",
        unsure.stderr
    );
}

/// A script archived a file, saw exit code 6 because a pack of last year was missing, and archived
/// the file again.
#[test]
fn a_receipt_from_a_store_with_a_lost_pack_is_done_with_a_warning() {
    let plant = Plant::new();
    let noise: Vec<u8> = (0_u32..40_000)
        .flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes())
        .collect();
    plant.archive(&plant.file("wave.bin", &noise), &[]);
    fs::remove_dir_all(plant.path("store/packs")).expect("removed");
    let path = plant.file("new.csv", "new");
    let archived = plant
        .run(&["archive", &path, "-c", "T", "--json"])
        .expect(0);
    assert!(
        archived.stderr.contains("{\"warning\":"),
        "{}",
        archived.stderr
    );
    let id = archived.object()["id"].to_string();
    let reported = plant.run(&["report", &id, "--status", "skipped"]).expect(0);
    assert!(
        reported.stderr.contains("warning: the store is damaged"),
        "{}",
        reported.stderr
    );
    plant
        .run(&["report", "999", "--status", "skipped"])
        .expect(6);
    plant.run(&["list"]).expect(6);
    plant.run(&["host", "status"]).expect(6);
}

#[test]
fn a_file_in_place_of_a_folder_is_told_with_what_to_name() {
    let plant = Plant::new();
    let file = plant.file("file", "x");
    let inside = format!("{file}/x");
    for args in [
        &["backup", &file][..],
        &["backup", &inside],
        &["restore-store", &file, "--to", "new"],
        &["restore-store", "saved", "--to", &file],
    ] {
        let said = plant.run(args).expect(1).stderr;
        assert!(
            said.contains("is a file, and not a folder"),
            "{args:?}: {said}"
        );
        assert!(said.contains("hint: name "), "{args:?}: {said}");
    }
}
