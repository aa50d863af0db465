//! What an auditor asks for: who reviewed the log, who checked it, who took contents out of it, and
//! which purges were tried and refused.

use std::fs;

use serde_json::Value;

use super::Plant;

fn events(plant: &Plant, kind: &str) -> Vec<Value> {
    plant.run(&["events", "--type", kind]).expect(0).objects()
}

/// A plant with two entries, a hold, a note and a purge.
fn busy() -> Plant {
    let plant = Plant::new();
    for name in ["a", "b"] {
        let file = plant.file(&format!("in/{name}.csv"), name);
        plant.archive(&file, &[]);
    }
    let why = ["--reason", "audit"];
    plant
        .run(&[&["hold", "add", "3", "--name", "h"][..], &why].concat())
        .expect(0);
    plant
        .run(&[&["note", "3", "--label", "seen"][..], &why].concat())
        .expect(0);
    plant
        .run(&["retention", "apply", "--max-count", "0", "--yes"])
        .expect(0);
    plant
}

/// A review was a signature on paper, and nobody knew later what it had covered.
#[test]
fn a_review_covers_what_came_since_the_last_one_and_is_on_record() {
    let plant = busy();
    let before = plant.run(&["events"]).expect(0).stdout;
    let looked = plant.run(&["review", "--json"]).expect(0).object();
    assert_eq!(
        plant.run(&["events"]).expect(0).stdout,
        before,
        "looking records nothing"
    );
    assert_eq!(
        (&looked["from"], &looked["recorded"]),
        (&1.into(), &Value::Null)
    );
    assert_eq!(looked["counts"]["annals.archived.v1"], 2);
    let kinds: Vec<&str> = looked["notable"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|notable| notable["type"].as_str())
        .collect();
    for kind in ["hold.placed", "annotated", "purged"] {
        assert!(
            kinds.contains(&&*format!("annals.{kind}.v1")),
            "{kind}: {kinds:?}"
        );
    }
    let page = plant.run(&["review"]).expect(0);
    assert!(
        page.text().contains("older than") || page.text().contains("purged"),
        "{}",
        page.text()
    );

    let accept = [
        "review",
        "--verdict",
        "accepted",
        "--reason",
        "weekly",
        "--json",
    ];
    plant.run(&[&accept[..], &["--dry-run"]].concat()).expect(0);
    assert!(
        events(&plant, "reviewed").is_empty(),
        "a dry run records nothing"
    );
    let reviewed = plant.run(&accept).expect(0).object();
    let record = events(&plant, "reviewed").remove(0);
    assert_eq!(record["data"]["to"], looked["to"]);
    assert_eq!(record["data"]["verdict"], "accepted");
    assert_eq!(record["data"]["counts"], looked["counts"]);
    assert_eq!(record["authid"], "mia");

    // The next one begins with the review itself, also after the index was made again.
    fs::remove_file(plant.path("store/index.redb")).expect("removed");
    let next = plant.run(&["review", "--json"]).expect(0).object();
    let to = reviewed["to"].as_u64().expect("a number");
    assert_eq!(next["from"], to + 1);
    assert_eq!(next["counts"]["annals.reviewed.v1"], 1);
    plant.run(&["show", "3"]).expect(0);
}

#[test]
fn a_review_of_a_wrong_range_or_without_words_is_refused_and_not_recorded() {
    let plant = busy();
    for (args, code) in [
        (&["review", "--verdict", "accepted"][..], 2),
        (&["review", "--verdict", "fine", "--reason", "x"], 2),
        (&["review", "--reason", "x"], 2),
        (&["review", "--verdict", "finding", "--reason", " "], 2),
        (&["review", "--from", "no such day"], 2),
        (&["review", "--from", "9", "--to", "3"], 4),
        (&["review", "--from", "999"], 4),
        (&["review", "--to", "2001-01-01"], 4),
    ] {
        plant.run(args).expect(code);
    }
    assert!(events(&plant, "reviewed").is_empty());
    let dated = [
        "review",
        "--from",
        "yesterday",
        "--to",
        "tomorrow",
        "--json",
    ];
    assert_eq!(plant.run(&dated).expect(0).object()["from"], 1);
    let part = [
        "review",
        "--from",
        "3",
        "--to",
        "4",
        "--verdict",
        "finding",
        "--reason",
        "x",
    ];
    let told = plant.run(&part).expect(0);
    assert!(told.stderr.contains("events 1 to 2"), "{}", told.stderr);
}

#[test]
fn a_verification_is_on_record_only_when_that_is_asked_for() {
    let plant = busy();
    let before = plant.run(&["events"]).expect(0).stdout;
    plant.run(&["verify"]).expect(0);
    assert_eq!(plant.run(&["events"]).expect(0).stdout, before);
    plant.run(&["verify", "--quick", "--record"]).expect(0);
    let record = events(&plant, "verified").remove(0);
    assert_eq!(record["data"]["depth"], "quick");
    assert_eq!(record["data"]["findings"], 0);
    assert_eq!(
        record["data"]["upto"].as_u64(),
        Some(before.split(|b| *b == b'\n').count() as u64 - 1)
    );
}

/// Somebody tried to purge what was held, five times, and nobody saw it.
#[test]
fn a_purge_that_was_refused_is_on_record_with_the_rule_that_refused_it() {
    let plant = Plant::new();
    let file = plant.file("in/a.csv", "a");
    plant.archive(&file, &[]);
    plant
        .run(&["retention", "apply", "--reason", "no rule", "--yes"])
        .expect(5);
    plant
        .run(&["retention", "apply", "--max-count", "0"])
        .expect(5);
    let plan = [
        "retention",
        "preview",
        "--max-count",
        "0",
        "--plan",
        "plan.json",
    ];
    plant.run(&plan).expect(0);
    plant
        .run(&["hold", "add", "3", "--name", "h", "--reason", "audit"])
        .expect(0);
    let apply = [
        "retention",
        "apply",
        "--plan",
        "plan.json",
        "--yes",
        "--reason",
        "yearly",
    ];
    plant.run(&apply).expect(5);
    let refused = events(&plant, "purge.refused");
    let why: Vec<&str> = refused
        .iter()
        .filter_map(|event| event["data"]["refusal"].as_str())
        .collect();
    assert_eq!(why, ["empty_policy", "not_confirmed", "hold"]);
    assert_eq!(refused[2]["data"]["count"], 1);
    assert_eq!(refused[2]["data"]["reason"], "yearly");
    plant.run(&["cat", "3"]).expect(0);
    // A preview changes nothing, whatever it says.
    plant.run(&["retention", "preview"]).expect(5);
    assert_eq!(events(&plant, "purge.refused").len(), 3);
}

#[test]
fn contents_that_are_handed_out_are_on_record_where_the_configuration_says_so() {
    let plant = Plant::new();
    let file = plant.file("in/a.csv", "a");
    plant.archive(&file, &[]);
    let quiet = plant.run(&["events"]).expect(0).stdout;
    plant.run(&["cat", "3"]).expect(0);
    plant.run(&["restore", "3", "--to", "back"]).expect(0);
    assert_eq!(
        plant.run(&["events"]).expect(0).stdout,
        quiet,
        "off by default"
    );

    let config = format!(
        "[evidence]\nrecord_access = true\n{}",
        Plant::configuration("1.0")
    );
    plant.file("host.toml", config);
    plant.file("run.sh", "");
    let with = ["--config", "host.toml"];
    plant.run(&[&["cat", "3"][..], &with].concat()).expect(0);
    plant.run(&[&["cat", "999"][..], &with].concat()).expect(4);
    let restore = ["restore", "3", "--to", "again"];
    plant.run(&[&restore[..], &with].concat()).expect(0);
    let accessed = events(&plant, "accessed");
    assert_eq!(accessed.len(), 2);
    assert_eq!(accessed[0]["data"]["how"], "cat");
    assert_eq!(accessed[0]["data"]["entries"], serde_json::json!([[3, 3]]));
    let to = accessed[1]["data"]["to"].as_str().expect("a folder");
    assert!(to.ends_with("again"), "{to}");

    let shown = plant.run(&["show", "3"]).expect(0);
    assert!(
        shown.text().contains("source handed out by cat"),
        "{}",
        shown.text()
    );

    // A host records the rule in the store; from then on it holds without a configuration, too.
    plant.run(&["host", "run", "host.toml", "--once"]);
    assert_eq!(
        events(&plant, "config.changed")
            .iter()
            .filter(|event| event["data"]["what"] == "evidence.record_access")
            .count(),
        1
    );
    plant.run(&["cat", "3"]).expect(0);
    assert_eq!(events(&plant, "accessed").len(), 3);
}
