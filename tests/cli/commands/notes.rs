//! Facts that come later: a serial that the scanner misread, a label for a recall, a text. Both
//! values stay on record, the newer one answers, and nothing that was recorded is changed.

use std::fs;

use super::Plant;

/// Somebody corrected a serial by archiving the file again under the right one. Then there were two
/// entries for one unit, and the report on paper named a serial that nothing was found under.
#[test]
fn a_corrected_serial_is_found_under_both_and_the_older_one_stays_on_record() {
    let plant = Plant::new();
    let file = plant.file("in/a.csv", "volts,4.98\n");
    let id = plant.archive(&file, &["--serial", "SN1O42", "--meta", "line=3"]);
    let before = plant.run(&["events"]).expect(0).stdout;
    let id = id.to_string();
    let reason = "the scanner read O for 0";
    let noted = [
        "note", &id, "--serial", "SN1042", "--meta", "line=4", "--json",
    ];
    let noted = plant.run(&[&noted[..], &["--reason", reason]].concat());
    let noted = noted.expect(0).object();
    assert_eq!(noted["note"]["changes"][0]["fact"], "serial");
    assert_eq!(noted["note"]["changes"][0]["old"], "SN1O42");
    assert_eq!(noted["note"]["changes"][1]["fact"], "meta.line");
    assert_eq!(noted["note"]["changes"][1]["old"], "3");
    assert_eq!(noted["note"]["by"], "mia");

    let after = plant.run(&["events"]).expect(0).stdout;
    assert!(after.starts_with(&before), "no older line is changed");
    for rebuilt in [false, true] {
        if rebuilt {
            fs::remove_file(plant.path("store/index.redb")).expect("removed");
        }
        for text in ["SN1042", "SN1O42", "sn1o4"] {
            let found = plant.run(&["find", text, "--json"]).expect(0).object();
            assert_eq!(found["serial"], "SN1042", "{text}");
        }
        let listed = |filter: &[&str]| {
            let listed = plant.run(&[&["list", "--json"], filter].concat());
            listed.expect(0).objects().len()
        };
        assert_eq!(listed(&["--serial", "SN1042"]), 1);
        assert_eq!(listed(&["--serial", "SN1O42"]), 0);
        assert_eq!(listed(&["--meta", "line=4"]), 1);
        assert_eq!(listed(&["--text", "sn1o"]), 1);
        let shown = plant.run(&["show", &id, "--json"]).expect(0).object();
        assert_eq!(shown["notes"][0]["reason"], reason);
        assert_eq!(shown["timeline"][1]["type"], "annals.annotated.v1");
        let page = plant.run(&["show", &id]).expect(0);
        assert!(
            page.text().contains("serial: SN1O42 -> SN1042"),
            "{}",
            page.text()
        );
    }
    let key = plant.path("key").to_str().expect("UTF-8").to_owned();
    plant.run(&["key", "init", "--key-file", &key]).expect(0);
    let proof = plant.run(&["prove", &id, "--key-file", &key]).expect(0);
    assert!(
        proof.text().contains("annals.annotated.v1"),
        "{}",
        proof.text()
    );
}

/// The file still has the wrong serial: each reprocessing brought it back.
#[test]
fn a_converter_does_not_overwrite_what_a_person_corrected() {
    let plant = Plant::new();
    plant.file("host.toml", Plant::configuration("1.0"));
    plant.file(
        "run.sh",
        r#"echo '{"status":"success","serial":"WRONG","part":"P7","report":{"a":1}}'"#,
    );
    let file = plant.file("in/a.csv", "x\n");
    let id = plant.archive(&file, &[]).to_string();
    let convert = ["convert", &id, "-c", "T", "--config", "host.toml"];
    plant.run(&convert).expect(0);
    let note = ["note", &id, "--serial", "RIGHT", "--reason", "read by hand"];
    plant.run(&note).expect(0);
    plant.run(&convert).expect(0);
    let shown = plant.run(&["show", &id, "--json"]).expect(0).object();
    assert_eq!(
        (&shown["serial"], &shown["part"]),
        (&"RIGHT".into(), &"P7".into())
    );
    assert_eq!(shown["notes"][0]["changes"][0]["old"], "WRONG");
}

#[test]
fn a_label_selects_entries_for_every_verb_that_takes_filters() {
    let plant = Plant::new();
    let ids: Vec<String> = ["a", "b", "c"]
        .map(|name| plant.file(&format!("in/{name}.csv"), name))
        .iter()
        .map(|file| plant.archive(file, &[]).to_string())
        .collect();
    let why = ["--reason", "ticket 881"];
    let label = [
        "note",
        &ids[0],
        &ids[1],
        "--label",
        "Recall 26",
        "--label",
        "checked",
    ];
    let noted = plant.run(&[&label[..], &why].concat()).expect(0);
    assert_eq!(noted.text().lines().count(), 2, "{}", noted.text());
    let listed = |args: &[&str]| {
        let listed = plant.run(&[&["list", "--json"], args].concat()).expect(0);
        listed.objects().len()
    };
    assert_eq!(listed(&["--label", "recall 26"]), 2);
    assert_eq!(listed(&["--label", "recall 26", "--label", "CHECKED"]), 2);
    assert_eq!(
        listed(&["--label", "recall"]),
        0,
        "a part of a label is no label"
    );
    let gone = ["note", &ids[1], "--unlabel", "CHECKED"];
    plant.run(&[&gone[..], &why].concat()).expect(0);
    assert_eq!(listed(&["--label", "recall 26", "--label", "checked"]), 1);
    let again = plant.run(&[&gone[..], &why].concat()).expect(4);
    assert!(again.stderr.contains("Recall 26"), "{}", again.stderr);

    let hold = [
        "hold",
        "add",
        "--label",
        "recall 26",
        "--name",
        "h",
        "--json",
    ];
    let held = plant.run(&[&hold[..], &why].concat()).expect(0).object();
    assert_eq!(held["entries"], 2);
    plant
        .run(&["restore", "--label", "recall 26", "--to", "back"])
        .expect(0);
    assert_eq!(fs::read_dir(plant.path("back")).expect("made").count(), 2);
    plant
        .run(&["restore", "--label", "nobody", "--to", "back"])
        .expect(4);
    let key = plant.path("key").to_str().expect("UTF-8").to_owned();
    plant.run(&["key", "init", "--key-file", &key]).expect(0);
    let export = [
        "export",
        "evidence",
        "--label",
        "recall 26",
        "--key-file",
        &key,
    ];
    plant.run(&export).expect(0);
    let lines = fs::read_to_string(plant.path("evidence/data/events.jsonl")).expect("written");
    assert_eq!(lines.matches("annals.annotated.v1\",\"subject").count(), 3);
    assert!(
        lines.contains(r#""filters":{"label":"recall 26"}"#),
        "{lines}"
    );
}

/// What is gone can still be spoken of: why it was purged too early, or where a copy lies.
#[test]
fn a_purged_entry_takes_notes_and_stays_purged() {
    let plant = Plant::new();
    let file = plant.file("in/a.csv", "x\n");
    let id = plant.archive(&file, &["--serial", "SN1"]).to_string();
    let purge = ["retention", "apply", "--max-count", "0", "--yes"];
    plant.run(&purge).expect(0);
    let note = [
        "note",
        &id,
        "--label",
        "copy at customer",
        "--reason",
        "asked by phone",
    ];
    plant.run(&note).expect(0);
    let listed = plant.run(&["list", "--purged", "--label", "copy at customer", "--json"]);
    assert_eq!(listed.expect(0).objects().len(), 1);
    assert!(
        plant
            .run(&["list", "--label", "copy at customer"])
            .expect(0)
            .stdout
            .is_empty()
    );
    plant.run(&["verify"]).expect(0);
}

#[test]
fn a_note_that_says_nothing_or_not_why_is_refused_and_records_nothing() {
    let plant = Plant::new();
    let file = plant.file("in/a.csv", "x\n");
    let id = plant.archive(&file, &[]).to_string();
    let before = plant.run(&["events"]).expect(0).stdout;
    let why = ["--reason", "why"];
    for (args, code) in [
        (vec!["note", &id, "--reason", "why"], 2),
        (vec!["note", &id, "--text", "x"], 2),
        (vec!["note", &id, "--text", "x", "--reason", "  "], 2),
        ([&["note", &id, "--text", " "][..], &why].concat(), 2),
        ([&["note", &id, "--serial", ""][..], &why].concat(), 2),
        ([&["note", &id, "--meta", "line="][..], &why].concat(), 2),
        ([&["note", &id, "--label", " a"][..], &why].concat(), 2),
        ([&["note", &id, "--label", "a\nb"][..], &why].concat(), 2),
        (
            [&["note", &id, "--label", "a", "--unlabel", "A"][..], &why].concat(),
            2,
        ),
        (
            [&["note", &id, "--meta", "k=1", "--meta", "k=2"][..], &why].concat(),
            2,
        ),
        ([&["note", &id, "999", "--text", "x"][..], &why].concat(), 4),
    ] {
        let refused = plant.run(&args).expect(code);
        assert!(refused.stdout.is_empty(), "{args:?}");
    }
    let long = "x".repeat(70_000);
    let long = ["note", &id, "--text", &long, "--reason", "why"];
    plant.run(&long).expect(2);
    assert_eq!(plant.run(&["events"]).expect(0).stdout, before);
}
