//! A program that draws lineage reads a bundle. What it reads is no evidence, and nobody must take
//! it for that: not when it is there, not when it was changed.

use serde_json::Value;

use super::sample::{Plant, look, only, replace, reseal};
use crate::disk::sim::SimDisk;
use crate::entry::Outcome;
use crate::event::{Body, Converted};
use crate::export::lines::event_of;
use crate::export::{Derived, Verdict, What, WithContents};
use crate::id::Sha256;

const LINEAGE: &str = "b/not-evidence/openlineage.jsonl";
const README: &str = "b/not-evidence/README.txt";

fn with_lineage(plant: &mut Plant, what: What) -> SimDisk {
    plant.derived = vec![Derived::OpenLineage];
    plant.export(what, WithContents::No)
}

/// Adds a conversion that ended otherwise.
fn convert(plant: &mut Plant, outcome: Outcome) {
    let like = plant.lines.iter().find_map(|line| {
        let event = event_of(line.as_bytes())?;
        let Body::Converted(fact) = event.body else {
            return None;
        };
        Some(fact)
    });
    plant.record(Body::Converted(Converted {
        outcome,
        reports: Vec::new(),
        duration_ms: None,
        error: Some("a line break\nand \"quotes\"".to_owned()),
        ..like.expect("a conversion")
    }));
}

fn lineage(disk: &SimDisk) -> Vec<Value> {
    let text = String::from_utf8(disk.content(LINEAGE).expect("there")).expect("text");
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON")
}

/// Checks what the published schema of OpenLineage 2-0-2 requires of a `RunEvent`.
fn assert_valid(event: &Value) {
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    for required in ["eventTime", "producer", "schemaURL"] {
        assert!(text(&event[required]), "{required}: {event}");
    }
    let kinds = ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"];
    assert!(kinds.contains(&event["eventType"].as_str().expect("a text")));
    let time = event["eventTime"].as_str().expect("a text");
    assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
    let id = event["run"]["runId"].as_str().expect("a text");
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
    assert!(text(&event["job"]["namespace"]) && text(&event["job"]["name"]));
    let empty = Vec::new();
    let datasets = [&event["inputs"], &event["outputs"]];
    let datasets = datasets
        .iter()
        .flat_map(|list| list.as_array().unwrap_or(&empty));
    let datasets: Vec<&Value> = datasets.collect();
    assert!(
        datasets
            .iter()
            .all(|dataset| text(&dataset["namespace"]) && text(&dataset["name"]))
    );
    let owners = datasets.into_iter().chain([&event["run"], &event["job"]]);
    for facets in owners.filter_map(|owner| owner["facets"].as_object()) {
        for facet in facets.values() {
            assert!(
                text(&facet["_producer"]) && text(&facet["_schemaURL"]),
                "{facet}"
            );
        }
    }
}

#[test]
fn each_conversion__is_a_start_and_an_end_of_one_run() {
    let mut plant = Plant::busy();
    for outcome in [Outcome::Failed, Outcome::Skipped] {
        convert(&mut plant, outcome);
    }
    let disk = with_lineage(&mut plant, What::Whole);
    let events = lineage(&disk);
    events.iter().for_each(assert_valid);
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["eventType"].as_str())
        .collect();
    let ends = ["COMPLETE", "COMPLETE", "FAIL", "ABORT"];
    let expected: Vec<_> = ends
        .iter()
        .flat_map(|end| [Some("START"), Some(*end)])
        .collect();
    assert_eq!(kinds, expected);
    let mut runs = std::collections::BTreeSet::new();
    for pair in events.chunks(2) {
        assert_eq!(pair[0]["run"], pair[1]["run"]);
        assert_eq!(pair[0]["job"], pair[1]["job"]);
        assert!(pair[0]["eventTime"].as_str() <= pair[1]["eventTime"].as_str());
        runs.insert(pair[0]["run"]["runId"].to_string());
    }
    assert_eq!(runs.len(), 4, "each run has an id of its own");
    let source = format!("sha256:{}", Sha256::of(b"serial,SN1\n"));
    let report = format!("sha256:{}", Sha256::of(b"{\"sn\":1}"));
    assert_eq!(events[1]["inputs"][0]["name"], source);
    assert_eq!(events[1]["outputs"][0]["name"], report);
    // The same bytes for the same log, also of a selection where it has the same events.
    let again = with_lineage(&mut Plant::busy(), What::Whole);
    let part = with_lineage(&mut Plant::busy(), only(&[2]));
    assert_eq!(lineage(&again), lineage(&part));
    assert_eq!(again.content(LINEAGE).expect("there"), {
        let once_more = with_lineage(&mut Plant::busy(), What::Whole);
        once_more.content(LINEAGE).expect("there")
    });
    // A log without conversions has a file without lines.
    assert!(lineage(&with_lineage(&mut Plant::new(), What::Whole)).is_empty());
}

#[test]
fn what_is_no_evidence__says_so_and_is_covered_by_the_manifest() {
    let mut plant = Plant::busy();
    let disk = with_lineage(&mut plant, What::Whole);
    let trust = plant.trust();
    let found = look(&disk, &trust);
    assert!(found.ok, "{found:?}");
    assert!(
        found
            .notes
            .iter()
            .any(|note| note.contains("prove nothing")),
        "{:?}",
        found.notes
    );
    let verdict = |change: &dyn Fn(&SimDisk), hidden: bool| {
        let disk = disk.snapshot();
        change(&disk);
        if hidden {
            reseal(&disk);
        }
        look(&disk, &trust).verdict
    };
    for hidden in [false, true] {
        let readme = verdict(
            &|disk| replace(disk, README, b"This is evidence.\n"),
            hidden,
        );
        assert_eq!(readme, Verdict::Tampered);
        let gone = verdict(&|disk| disk.lose(README).expect("lost"), hidden);
        assert_eq!(gone, Verdict::Incomplete);
        let other = |disk: &SimDisk| replace(disk, "b/not-evidence/more.txt", b"x");
        assert_eq!(verdict(&other, hidden), Verdict::Tampered);
    }
    let changed = |disk: &SimDisk| replace(disk, LINEAGE, b"{}\n");
    assert_eq!(verdict(&changed, false), Verdict::Tampered);
    let gone = |disk: &SimDisk| disk.lose(LINEAGE).expect("lost");
    assert_eq!(verdict(&gone, false), Verdict::Incomplete);
    // With new manifests it is still what it says that it is: no evidence.
    assert!(verdict(&changed, true).is_ok() && verdict(&gone, true).is_ok());
    // The rest of the bundle is the same, with or without.
    plant.derived.clear();
    let mut plain = Plant::busy();
    let without = plain.export(What::Whole, WithContents::No);
    for (path, _) in without.files() {
        if !path.ends_with("tagmanifest-sha256.txt") {
            assert_eq!(
                without.content(&path).ok(),
                disk.content(&path).ok(),
                "{path}"
            );
        }
    }
}
