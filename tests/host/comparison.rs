//! Tests what counts when a corrected converter is compared with the one before: rules of the
//! configuration, what is proposed, and what a recorded job shows later.
#![cfg(all(unix, feature = "cli"))]

use std::fs;

use crate::plant::Plant;
use serde_json::{Value, json};

/// Prints its input path, an id and a version of its own, and what is in the file.
const CONVERTER: &str = r#"id=$(cat /proc/sys/kernel/random/uuid)
step() { printf '{"name":"%s","id":"%s","volts":%s}' "$1" "$(cat /proc/sys/kernel/random/uuid)" "$2"; }
printf '{"input":"%s","meta":{"uuid":"%s","version":"1.0.0"},"steps":[%s,%s]}' \
    "$1" "$id" "$(step BT1 "$(cat "$1")")" "$(step BT2 3.3)""#;

const CONFIGURATION: &str = r#"
[store]
path = "store"
[[converter]]
name = "T"
command = ["sh", "run.sh", "{input}"]
bundle = ["run.sh"]
environment = "sh"
"#;

const RULES: &str = r#"compare.ignore = ["/meta", "/steps/*/id"]
compare.tolerance = { "/steps/*/volts" = "1%" }
compare.keys = { "/steps" = "name" }
"#;

const FILES: usize = 5;

/// Returns a plant whose files were converted once.
fn plant() -> Plant {
    let plant = Plant::new(CONVERTER, CONFIGURATION);
    fs::create_dir_all(plant.path("files")).expect("made");
    for number in 0..FILES {
        plant.write(&format!("files/{number}.txt"), &format!("{number}.5"));
    }
    plant.annals(&["archive", "files", "-c", "T"], 0);
    reprocess(&plant, &["--jobs", "3"]);
    plant
}

/// Makes the converter's second version, with a list in another order and another value of the
/// first step of one file.
fn correct(plant: &Plant) {
    let old = fs::read_to_string(plant.path("run.sh")).expect("read");
    let new = old.replace("1.0.0", "1.1.0").replace(
        r#""$(step BT1 "$(cat "$1")")" "$(step BT2 3.3)""#,
        r#""$(step BT2 3.301)" "$(step BT1 "$(sed s/4.5/9.5/ "$1")")""#,
    );
    assert_ne!(old, new);
    plant.write("run.sh", &new);
}

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn reprocess(plant: &Plant, more: &[&str]) -> Value {
    let args = ["--json", "--config", "host.toml", "reprocess", "-c", "T"];
    object(&plant.annals(&[&args, more].concat(), 0))
}

fn numbers(result: &Value) -> [&Value; 2] {
    [&result["unchanged"], &result["changed"]]
}

fn places(result: &Value) -> Vec<&str> {
    let all = result["differences"].as_array().expect("a list");
    all.iter()
        .filter_map(|place| place["path"].as_str())
        .collect()
}

/// Reports that print the path of their input differed in every run.
#[test]
fn a_converter_sees_its_input_under_the_same_path_in_each_run() {
    let plant = plant();
    let result = reprocess(&plant, &["--compare-only", "--strict", "--jobs", "2"]);
    assert_eq!(places(&result), ["/meta/uuid", "/steps/*/id"], "{result}");
    // Several threads of `archive` take them in, in any order.
    let newest = plant.newest();
    let name = newest["source_name"].as_str().expect("a name");
    let input = plant.report(&newest["id"].to_string())["input"].clone();
    let input = input.as_str().expect("a path");
    assert!(input.ends_with(&format!("/in/{name}")), "{input}");
}

#[test]
fn generated_fields_are_proposed_and_rules_leave_them_out() {
    let plant = plant();
    let result = reprocess(&plant, &["--compare-only"]);
    assert_eq!(numbers(&result), [0, FILES]);
    let proposal = &result["proposal"];
    assert_eq!(numbers(proposal), [FILES, 0], "{result}");
    let proposed = proposal["rules"].as_array().expect("rules");
    let patterns: Vec<_> = proposed.iter().map(|rule| &rule["ignore"]).collect();
    assert_eq!(patterns, ["/meta/uuid", "/steps/*/id"]);
    let page = plant.annals(
        &[
            "--config",
            "host.toml",
            "reprocess",
            "-c",
            "T",
            "--compare-only",
        ],
        0,
    );
    let begin = page.find("compare.ignore = [").expect("a proposal");
    let end = begin + page[begin..].find("\n]\n").expect("its end") + 3;
    // What is proposed is valid where it is to be written.
    let config = format!("{CONFIGURATION}{}", &page[begin..end]);
    plant.write("host.toml", &config);
    let result = reprocess(&plant, &["--compare-only"]);
    assert_eq!(numbers(&result), [FILES, 0]);
    assert_eq!(result["proposal"], Value::Null);
    assert_eq!(result["ignored"][0]["rule"], "/meta/uuid", "{result}");
    assert_eq!(result["ignored"][1]["changes"], 2 * FILES);
    let strict = reprocess(&plant, &["--compare-only", "--strict"]);
    assert_eq!(numbers(&strict), [0, FILES]);
}

/// A verdict must stay explainable after the configuration has changed.
#[test]
fn a_job_keeps_the_rules_that_it_was_judged_by() {
    let plant = plant();
    correct(&plant);
    plant.write("host.toml", &format!("{CONFIGURATION}{RULES}"));
    let result = reprocess(&plant, &["--reason", "new release"]);
    assert_eq!(numbers(&result), [FILES - 1, 1], "{result}");
    assert_eq!(places(&result), ["/steps/*/volts"]);
    let job = result["job"].to_string();
    plant.write("host.toml", CONFIGURATION);

    let shown = object(&plant.annals(&["--json", "job", "show", &job], 0));
    assert_eq!(
        shown["compare"],
        json!([{
            "converter": "T",
            "ignore": ["/meta", "/steps/*/id"],
            "tolerance": {"/steps/*/volts": "1%"},
            "keys": {"/steps": "name"},
            "strict": null,
        }])
    );
    let changes = object(&plant.annals(&["--json", "job", "changes", &job], 0));
    assert_eq!(numbers(&changes), [FILES - 1, 1], "{changes}");
    assert_eq!(changes["differences"], result["differences"]);
    let now = [
        "--config",
        "host.toml",
        "--json",
        "job",
        "changes",
        &job,
        "--current-rules",
    ];
    assert_eq!(numbers(&object(&plant.annals(&now, 0))), [0, FILES]);
    let listed = ["--json", "job", "changes", &job, "--path", "*/volts"];
    let listed = object(&plant.annals(&listed, 0));
    let entries = listed["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 1, "{listed}");
    assert_eq!(entries[0]["changes"][0]["within"], "BT1");
    assert_eq!(entries[0]["changes"][0]["old"], json!(4.5));
    let page = plant.annals(&["job", "changes", &job, "--path", "*/volts"], 0);
    assert!(page.contains("BT1"), "{page}");

    let id = entries[0]["id"].to_string();
    let diff = plant.annals(
        &["diff", &id, "--path", "/steps/1/volts", "--context", "2"],
        0,
    );
    assert!(diff.contains("in BT1") && diff.contains("name "), "{diff}");
    let ignoring = [
        "diff",
        &id,
        "--ignore",
        "*/id",
        "--ignore",
        "/meta",
        "--ignored",
    ];
    let diff = plant.annals(&ignoring, 0);
    assert!(
        diff.contains("LEFT OUT") && diff.contains("/meta/version"),
        "{diff}"
    );
    let unknown = plant.annals(&["job", "changes", "1"], 4);
    assert_eq!(unknown, "");
}

/// Every rule that cannot be used must be told at once, with its line.
#[test]
fn wrong_rules_are_told_with_their_lines() {
    let plant = Plant::new(CONVERTER, CONFIGURATION);
    let wrong = r#"compare.ignore = ["/a", "id", "/*"]
compare.tolerance = { "/a" = "5 mV" }
compare.keys = { "/steps" = "" }
compare.ignored = []
"#;
    plant.write("host.toml", &format!("{CONFIGURATION}{wrong}"));
    let (_, said) = plant.say(&["host", "check", "host.toml"], 2);
    for told in [
        "9: converter 'T': compare.ignore: \"id\" must begin with '/'",
        "9: converter 'T': compare.ignore: \"/*\" matches the whole report",
        "10: converter 'T': compare.tolerance: \"/a\": \"5 mV\" is no tolerance",
        "11: converter 'T': compare.keys: \"/steps\" needs the name of a member",
        "compare.ignored",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let given = ["diff", "1", "--ignore", "id"];
    let (_, said) = plant.say(&given, 2);
    assert!(said.contains("must begin with '/'"), "{said}");
}
