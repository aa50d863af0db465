//! Tests the guards against silent loss: a converter that says success and lost something is told
//! of wherever its result is seen, and no source goes that nobody else has.
#![cfg(all(unix, feature = "cli"))]

use crate::plant::{Plant, wait};
use serde_json::Value;

/// Makes as many steps as the file `steps` says, and fails over files that say so.
const CONVERTER: &str = r#"sn="$(cat "$1")"
case "$sn" in fails*) echo "line ${#sn}: no limits for '$sn' in $1" >&2; exit 1 ;; esac
[ -e no-serial ] || serial="\"serial\":\"$sn\","
printf '{"status":"success",%s"report":{"sn":"%s","steps":[' "$serial" "$sn"
n=$(cat steps)
for i in $(seq 1 "$n"); do
    [ "$i" = 1 ] || printf ,
    printf '{"name":"step %s of the functional test","value":%s.5}' "$i" "$i"
done
printf ']}}'"#;

fn plant(more: &str) -> Plant {
    let config = format!(
        "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\n\
         command = [\"sh\", \"run.sh\", \"{{input}}\"]\nbundle = [\"run.sh\", \"steps\"]\nenvironment = \"sh\"\n\
         watch_folder = \"in\"\nsettle_s = 0\npost_process = \"delete\"\n{more}"
    );
    let plant = Plant::empty();
    plant.write("run.sh", CONVERTER);
    plant.write("steps", "20");
    plant.write("host.toml", &config);
    plant.annals(&["init", "store"], 0);
    plant
}

const ARCHIVED: &str = "archive_enabled = true\n";

fn put(plant: &Plant, numbers: std::ops::Range<u32>) {
    for number in numbers {
        plant.write(&format!("in/{number:03}.csv"), &format!("SN{number:03}"));
    }
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn list(plant: &Plant, filter: &str) -> Vec<Value> {
    lines(&plant.annals(&["--config", "host.toml", "list", filter, "--json"], 0))
}

/// Twelve files were converted well. The next release of the converter loses most steps.
fn break_after_twelve(more: &str) -> Plant {
    let plant = plant(more);
    put(&plant, 0..12);
    plant.once(0);
    assert_eq!(plant.names("in"), [""; 0]);
    assert_eq!(
        list(&plant, "--suspicious").len(),
        0,
        "nothing is suspicious so far"
    );
    plant.write("steps", "1");
    put(&plant, 12..15);
    plant
}

#[test]
fn a_converter_that_loses_steps_and_says_success_is_told_of() {
    let plant = break_after_twelve(ARCHIVED);
    let said = plant.once(3);
    assert!(said.contains("3 of 3 converted, 3 suspicious"), "{said}");
    // The archive has the sources, so they go their way.
    assert_eq!(plant.names("in"), [""; 0]);
    let suspicious = list(&plant, "--suspicious");
    assert_eq!(suspicious.len(), 3);
    for entry in &suspicious {
        assert_eq!(entry["status"], "success");
        let attempt = &entry["attempts"][0];
        let reason = "1 step; entries of this converter have 20 (median of the last 12)";
        assert_eq!(attempt["suspicious"][0], reason);
        assert_eq!(attempt["extent"]["steps"], 1);
    }
    let failures = lines(&plant.annals(&["failures", "--json"], 0));
    assert_eq!(failures[0]["kind"], "suspicious");
    assert_eq!(failures[0]["entries"], 3);
    let id = suspicious[0]["id"].to_string();
    let shown = plant.annals(&["show", &id], 0);
    assert!(
        shown.contains("suspicious in attempt 1: 1 step; entries"),
        "{shown}"
    );
    let stats = plant.annals(&["stats"], 0);
    assert!(
        stats.contains("suspicious   3: annals list --suspicious"),
        "{stats}"
    );

    // The mistake is mended, exactly these are converted again, and all is well.
    plant.write("steps", "20");
    let cause = failures[0]["cause"].as_str().expect("an id");
    let again = ["--config", "host.toml", "reprocess", "--failure", cause];
    let (out, _) = plant.say(&again, 0);
    assert!(out.contains("3 entries"), "{out}");
    assert_eq!(list(&plant, "--suspicious").len(), 0);
    assert_eq!(plant.annals(&["failures", "--json"], 0), "");
    let shown = plant.annals(&["show", &id], 0);
    assert!(shown.contains("superseded by attempt 2"), "{shown}");
    let old = plant.annals(&["cat", &id, "--report=1"], 0);
    assert!(!old.contains("step 2"), "the earlier report is still there");
    assert!(
        plant
            .annals(&["cat", &id, "--report"], 0)
            .contains("step 20")
    );
}

/// A station deletes what was converted, and nothing is archived.
#[test]
fn the_only_copy_of_a_suspicious_source_is_kept() {
    let unarchived = "expect = { steps_min = 10 }\n";
    for (folder, stays, moved) in [
        ("", vec!["000.csv", "001.csv"], vec![]),
        (
            "error_folder = \"error\"\n",
            vec![],
            vec!["000.csv", "001.csv"],
        ),
    ] {
        let plant = plant(&format!("{unarchived}{folder}"));
        plant.write("steps", "1");
        put(&plant, 0..2);
        plant.once(3);
        assert_eq!(plant.names("in"), stays);
        assert_eq!(plant.names("error"), moved);
    }
}

#[test]
fn on_suspicious_keeps_the_source_or_fails_the_attempt() {
    let kept = break_after_twelve(&format!("{ARCHIVED}on_suspicious = \"keep\"\n"));
    kept.once(3);
    assert_eq!(kept.names("in").len(), 3);
    // The next pass, and the next host, keep them too.
    kept.once(0);
    assert_eq!(kept.names("in").len(), 3);
    assert_eq!(
        list(&kept, "--suspicious")[0]["attempts"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    // Under a mended converter they are tried again, and go.
    kept.write("steps", "20");
    kept.once(0);
    assert_eq!(kept.names("in"), [""; 0]);
    assert_eq!(list(&kept, "--suspicious").len(), 0);

    let failing = format!("{ARCHIVED}on_suspicious = \"fail\"\nerror_folder = \"error\"\n");
    let failed = break_after_twelve(&failing);
    failed.once(3);
    assert_eq!(failed.names("error").len(), 3);
    let entry = &list(&failed, "--status=failed")[0];
    let attempt = &entry["attempts"][0];
    assert!(
        attempt["error"]
            .as_str()
            .is_some_and(|why| why.starts_with("suspicious: 1 step;"))
    );
    assert_eq!(
        attempt["reports"].as_array().map(Vec::len),
        Some(1),
        "its report is kept"
    );
    let failures = lines(&failed.annals(&["failures", "--json"], 0));
    assert!(
        failures
            .iter()
            .all(|failure| failure["kind"] == "suspicious"),
        "{failures:?}"
    );
}

#[test]
fn reprocessing_counts_suspicious_results_apart_and_can_fail_on_them() {
    let plant = plant(ARCHIVED);
    put(&plant, 0..12);
    plant.once(0);
    plant.write("no-serial", "");
    let compare = [
        "--config",
        "host.toml",
        "reprocess",
        "-c",
        "T",
        "--compare-only",
        "--json",
    ];
    let told: Value = serde_json::from_str(&plant.annals(&compare, 0)).expect("JSON");
    assert_eq!(
        (&told["suspicious"], &told["unchanged"]),
        (&12.into(), &12.into())
    );
    assert_eq!(told["suspicious_ids"].as_array().map(Vec::len), Some(12));
    let gate = [&compare[..], &["--fail-on-change"]].concat();
    plant.annals(&gate, 6);
    let id = told["suspicious_ids"][0].to_string();
    for more in [&["--no-record"][..], &[]] {
        let convert = [&["--config", "host.toml", "convert", &id][..], more].concat();
        let (_, err) = plant.say(&convert, 0);
        assert!(
            err.contains("suspicious: no serial; the attempt before had one"),
            "{err}"
        );
    }
}

#[test]
fn failures_are_counted_by_cause_over_last_attempts() {
    let plant = plant(ARCHIVED);
    for number in 0..5 {
        let serial = format!("fails{}", "x".repeat(number));
        plant.write(&format!("in/{number}.csv"), &serial);
    }
    put(&plant, 10..12);
    plant.once(3);
    let failures = lines(&plant.annals(&["failures", "--json"], 0));
    assert_eq!(failures.len(), 1, "{failures:?}");
    let failure = &failures[0];
    assert_eq!(
        (&failure["entries"], &failure["kind"]),
        (&5.into(), &"failed".into())
    );
    let text = failure["text"].as_str().expect("text");
    assert!(text.contains("line *: no limits for '*' in *"), "{text}");
    let cause = failure["cause"].as_str().expect("an id");
    assert_eq!(list(&plant, &format!("--failure={cause}")).len(), 5);
    let table = plant.annals(&["failures"], 0);
    assert!(table.contains(cause), "{table}");
    let wrong = plant.say(&["list", "--failure", "line 12"], 2).1;
    assert!(wrong.contains("annals failures"), "{wrong}");

    let again = ["--config", "host.toml", "reprocess", "--failure", cause];
    plant.say(&again, 3);
    let jobs = lines(&plant.annals(&["job", "list", "--json"], 0));
    let job = jobs[0]["job"].to_string();
    let shown: Value =
        serde_json::from_str(&plant.annals(&["job", "show", &job, "--json"], 0)).expect("JSON");
    assert_eq!(shown["causes"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["causes"][0]["entries"], 5);

    let mended = CONVERTER.replace("fails*", "never*");
    plant.write("run.sh", &mended);
    plant.say(&again, 0);
    let (out, err) = plant.say(&["failures"], 0);
    assert!(
        out.is_empty() && err.contains("the last attempt of every entry is well"),
        "{out}{err}"
    );
}

#[test]
fn what_an_older_converter_made_is_counted_and_selected() {
    let plant = plant(ARCHIVED);
    put(&plant, 0..4);
    plant.once(0);
    assert_eq!(list(&plant, "--outdated").len(), 0);
    plant.write("steps", "21");
    assert_eq!(list(&plant, "--outdated").len(), 4);
    // Without a configuration, the newest recorded converter counts as the one of now.
    assert_eq!(
        lines(&plant.annals(&["list", "--outdated", "--json"], 0)).len(),
        0
    );
    let stats = plant.annals(&["--config", "host.toml", "stats"], 0);
    assert!(
        stats.contains("4 entries were made by an older identity of T;"),
        "{stats}"
    );
    put(&plant, 4..5);
    plant.once(0);
    assert_eq!(
        lines(&plant.annals(&["list", "--outdated", "--json"], 0)).len(),
        4
    );
    let hold = [
        "--config",
        "host.toml",
        "hold",
        "add",
        "--outdated",
        "--name",
        "h",
        "--reason",
        "r",
    ];
    assert!(plant.annals(&hold, 0).contains("4 entries"));
    let again = ["--config", "host.toml", "reprocess", "--outdated"];
    assert!(plant.annals(&again, 0).contains("4 entries"));
    assert_eq!(list(&plant, "--outdated").len(), 0);
    plant.annals(&again, 4);
}

#[test]
fn a_host_tells_troubles_and_outdated_entries_in_its_status() {
    let plant = break_after_twelve(ARCHIVED);
    let _host = plant.host();
    let status = || {
        let out = plant.command(&["host", "status", "--json"]).output();
        serde_json::from_slice::<Value>(&out.expect("started").stdout).unwrap_or_default()
    };
    wait("the new files to be converted", || {
        status()["stores"][0]["troubles"][0]["entries"] == 3
    });
    let told = status();
    assert_eq!(told["converters"][0]["suspicious"], 3);
    assert_eq!(told["stores"][0]["outdated"][0]["entries"], 12);
    assert_eq!(told["stores"][0]["outdated"][0]["converter"], "T");
    let text = plant.annals(&["host", "status"], 0);
    assert!(text.contains("3 suspicious, T: * step; entries"), "{text}");
    assert!(
        text.contains("12 entries were made by an older identity of T;"),
        "{text}"
    );
}
