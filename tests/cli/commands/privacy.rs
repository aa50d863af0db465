//! A person asks to be forgotten: what the store still knows of them afterwards, and what it says.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Plant;

const KARI: &str = "kari.nordmann";

/// Returns the files below a folder that hold a text as it is.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else {
            let bytes = fs::read(&path).expect("a file");
            if bytes.windows(text.len()).any(|at| at == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

fn personal_plant() -> Plant {
    let plant = Plant::without_store();
    let fields = "actor,meta.operator,source_path";
    plant.run(&["init", "--personal", fields]).expect(0);
    plant
}

/// Without a store of their own for it, people wrote names into a log that is kept for ever.
#[test]
fn a_request_to_forget_somebody_is_done_with_one_verb() {
    let plant = personal_plant();
    let path = plant.file(&format!("{KARI}/unit.csv"), "serial,SN1\n");
    let meta = format!("operator={KARI}");
    let id = plant.archive(&path, &["--meta", &meta]).to_string();
    let other = plant.file("b.csv", "serial,SN2\n");
    plant.archive(&other, &["--meta", "operator=ola"]);
    let events = plant.run(&["events"]).expect(0);
    assert!(!events.text().contains(KARI) && !events.text().contains("\"mia\""));
    let revealed = plant
        .run(&["events", "--reveal", "--type", "archived"])
        .expect(0);
    let first: Value =
        serde_json::from_str(revealed.text().lines().next().expect("one")).expect("JSON");
    assert_eq!(first["data"]["meta"]["operator"], KARI);
    assert_eq!(first["account"]["name"], "mia");
    let found = || {
        plant
            .run(&["list", "--text", KARI, "--json"])
            .expect(0)
            .objects()
            .len()
    };
    assert_eq!(found(), 1);

    let filter = [
        "erase",
        "--meta",
        &meta,
        "--field",
        "meta.operator",
        "--reason",
        "request 31",
    ];
    let planned = plant
        .run(&[&filter[..], &["--dry-run", "--json"]].concat())
        .expect(0);
    assert_eq!(planned.object()["values"], 1);
    plant.run(&filter).expect(5);
    let done = plant
        .run(&[&filter[..], &["--yes", "--json"]].concat())
        .expect(0)
        .object();
    assert_eq!(
        (&done["values"], &done["reason"]),
        (&1.into(), &"request 31".into())
    );
    let by = done["events"][0].as_u64().expect("an event");
    let path_field = [
        "erase",
        &id,
        "--field",
        "source_path",
        "--reason",
        "request 31",
        "--yes",
    ];
    plant.run(&path_field).expect(0);

    assert_eq!(files_with(&plant.path("store"), KARI), Vec::<String>::new());
    assert_eq!(found(), 0);
    let shown = plant.run(&["show", &id]).expect(0);
    let told = format!("meta.operator [erased: event {by}, request 31]");
    assert!(shown.text().contains(&told), "{}", shown.text());
    assert!(shown.text().contains("mia"), "{}", shown.text());
    let shown = plant.run(&["show", &id, "--json"]).expect(0).object();
    let states = shown["personal"].as_array().expect("values").iter();
    assert!(
        states.clone().all(|value| value["state"] == "erased"),
        "{shown}"
    );
    let verified = plant.run(&["verify", "--deep"]).expect(0);
    let erased = "erased by design, and recorded as erased: 2 personal values";
    assert!(verified.text().contains(erased), "{}", verified.text());
    plant.run(&path_field).expect(4);

    // Who leaves is forgotten by name; what the account did stays linked.
    let leave = ["erase", "--account", "mia", "--reason", "left", "--yes"];
    plant.run(&leave).expect(0);
    let accounts = plant.run(&["privacy", "show", "--json"]).expect(0).object();
    let accounts = accounts["accounts"].as_array().expect("accounts").clone();
    let first = accounts
        .iter()
        .find(|account| account["erased"].is_u64())
        .expect("erased");
    let shown = plant.run(&["show", &id]).expect(0);
    assert!(
        shown
            .text()
            .contains(first["pseudonym"].as_str().expect("text"))
    );
    plant.run(&["rebuild"]).expect(0);
    plant.run(&["verify", "--deep"]).expect(0);
}

/// To say "erased" while the log still has it would be a lie.
#[test]
fn what_was_recorded_in_the_clear_is_refused_with_what_can_be_done() {
    let plant = Plant::new();
    let path = plant.file("a.csv", "x");
    let meta = format!("operator={KARI}");
    let early = plant.archive(&path, &["--meta", &meta]).to_string();
    plant
        .run(&["privacy", "declare", "meta.operator"])
        .expect(0);
    let late = plant.archive(&path, &["--meta", &meta]).to_string();
    let erase = |more: &[&str]| {
        let args = [
            "erase",
            "--field",
            "meta.operator",
            "--reason",
            "asked",
            "--yes",
            "--json",
        ];
        plant.run(&[&args[..], more].concat())
    };
    let refused = erase(&[&early]).expect(5).error();
    let message = refused["message"].as_str().expect("text");
    assert!(
        message.contains(&format!("in the clear in event {early}")),
        "{message}"
    );
    erase(&[&early, &late]).expect(5);
    let done = erase(&["--meta", &meta]).expect(3).object();
    assert_eq!(done["in_the_clear"][0]["id"].to_string(), early);
    assert_eq!(done["entries"], 1);
    for (args, code) in [
        (&["privacy", "declare", "size"][..], 2),
        (&["privacy", "declare", "source_name"], 2),
        (&["erase", "--field", "serial", "--reason", "x"], 2),
        (&["erase", &late, "--account", "mia", "--reason", "x"], 2),
        (
            &["erase", "--account", "nobody", "--reason", "x", "--yes"],
            4,
        ),
        (
            &["erase", &late, "--field", "actor", "--reason", "x", "--yes"],
            2,
        ),
        (
            &[
                "erase",
                &late,
                "--field",
                "meta.operator",
                "--reason",
                " ",
                "--yes",
            ],
            4,
        ),
    ] {
        let ran = plant.run(args);
        assert_ne!(ran.code, 0, "{args:?}");
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    }
}

/// The host's file says what is personal, and its stores keep to it, whoever writes.
#[test]
fn a_configuration_declares_for_every_writer() {
    let plant = Plant::new();
    let privacy = "[privacy]\npersonal = [\"meta.operator\"]\n";
    plant.file("run.sh", "");
    plant.file("in/.keep", "");
    plant.file(
        "host.toml",
        format!("{}{privacy}", Plant::configuration("1.0")),
    );
    plant.run(&["host", "run", "host.toml", "--once"]).expect(0);
    let path = plant.file("a.csv", "x");
    let id = plant.archive(&path, &["--meta", "operator=kari"]);
    let line = plant.run(&["events", "--from", &id.to_string()]).expect(0);
    assert!(
        line.text().contains("_sd") && !line.text().contains("kari"),
        "{}",
        line.text()
    );
    plant.file("host.toml", "[privacy]\npersonal = [\"operator\"]\n");
    let told = plant
        .run(&["config", "check", "--config", "host.toml"])
        .expect(2);
    assert!(told.stderr.contains("meta.NAME"), "{}", told.stderr);
}
