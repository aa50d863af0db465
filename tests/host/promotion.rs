//! Tests promotions on the real host: which identity of a converter is given live files, when a new
//! one takes its place, and what happens when the current one cannot run any more.
#![cfg(all(unix, feature = "cli"))]

use std::fs;

use crate::plant::{Host, Plant, wait};
use serde_json::Value;

/// Says which version it is. Takes its time where a file says so, and notes each run.
const FIRST: &str = r#"echo "first $(cat "$1")" >> runs
printf '{"by":"first","content":"%s"}' "$(cat "$1")""#;

/// Breaks what has no serial.
const BREAKS: &str = r#"echo "breaks $(cat "$1")" >> runs
grep -q SN "$1" || { echo "no serial" >&2; exit 1; }
printf '{"by":"breaks","content":"%s"}' "$(cat "$1")""#;

/// Breaks nothing.
const HOLDS: &str = r#"echo "holds $(cat "$1")" >> runs
printf '{"by":"holds","content":"%s"}' "$(cat "$1")""#;

const CONFIGURATION: &str = r#"
[store]
path = "store"
[host]
min_free_disk_gb = 0
scan_every_s = 0.1
[[converter]]
name = "T"
command = ["sh", "run.sh", "{input}"]
bundle = ["run.sh"]
environment = "sh"
watch_folder = "in"
settle_s = 0
archive_enabled = true
post_process = "archive"
"#;

const GATED: &str = "promotion = \"gated\"\n";
const TESTED: &str = "promotion = \"gated\"\ngate.over = \"90d\"\n";

fn plant(more: &str) -> Plant {
    Plant::new(FIRST, &format!("{CONFIGURATION}{more}"))
}

/// Puts a file into the watch folder and waits until it is converted. Returns who made its report.
fn convert(plant: &Plant, name: &str, content: &str) -> String {
    plant.write(&format!("in/{name}"), content);
    wait("a conversion", || {
        !plant.path(format!("in/{name}")).exists()
    });
    let listed = plant.annals(&["list", "--json", "--file", name, "--limit", "1"], 0);
    let entry: Value = serde_json::from_str(listed.trim()).expect("an entry");
    assert_eq!(entry["status"], "success", "{entry}");
    let report = plant.report(&entry["id"].to_string());
    report["by"].as_str().expect("a name").to_owned()
}

/// Replaces the converter in one step, as whoever rolls it out does.
fn edit(plant: &Plant, script: &str) {
    plant.write("run.sh.new", script);
    fs::rename(plant.path("run.sh.new"), plant.path("run.sh")).expect("renamed");
}

fn promotion(plant: &Plant) -> Value {
    let mut status = plant.command(&["host", "status", "--json"]);
    let status = status.output().expect("started").stdout;
    let status: Value = serde_json::from_slice(&status).unwrap_or_default();
    status["converters"][0]["promotion"].clone()
}

fn shown(plant: &Plant) -> Value {
    let shown = plant.annals(&["--json", "promotion", "show", "T"], 0);
    serde_json::from_str(&shown).expect("JSON")
}

fn id_of(plant: &Plant, name: &str) -> String {
    let listed = plant.annals(&["list", "--json", "--file", name, "--limit", "1"], 0);
    let entry: Value = serde_json::from_str(listed.trim()).expect("an entry");
    entry["id"].to_string()
}

fn host(plant: &Plant) -> Host {
    let host = plant.host();
    wait("the host", || {
        let mut status = plant.command(&["host", "status"]);
        status.output().expect("started").status.success()
    });
    host
}

/// Of several files that came first at once, all but one were left with an error.
#[test]
fn the_first_files_of_a_converter_share_its_first_identity() {
    let plant = plant(GATED);
    for number in 0..12 {
        plant.write(&format!("in/{number}.csv"), &format!("SN{number}"));
    }
    let ran = plant.annals(&["host", "run", "host.toml", "--once", "--json"], 0);
    let ran: Value = serde_json::from_str(ran.trim()).expect("JSON");
    assert_eq!(ran["converted"], 12, "{ran}");
    let promotions = shown(&plant)["promotions"].clone();
    assert_eq!(promotions.as_array().map(Vec::len), Some(1), "{promotions}");
}

/// A corrected converter that refuses what the old one took must not convert one live file before
/// somebody has decided that. The gate must see it, name the entry, and let it through once it is
/// waived.
#[test]
fn what_breaks_is_not_promoted_until_it_is_waived() {
    let plant = plant(TESTED);
    let _host = host(&plant);
    assert_eq!(convert(&plant, "1.csv", "SN1"), "first");
    assert_eq!(convert(&plant, "2.csv", "none"), "first");
    let first = shown(&plant)["promotions"][0].clone();
    assert_eq!(
        (&first["grounds"], &first["reason"]),
        (&"first".into(), &"first".into())
    );

    edit(&plant, BREAKS);
    wait("the verdict", || promotion(&plant)["verdict"].is_string());
    let status = promotion(&plant);
    assert_eq!(status["verdict"], "refused: 1 entry that worked breaks");
    let broken = id_of(&plant, "2.csv");
    assert_eq!(status["broken"][0].to_string(), broken);
    assert_eq!(
        convert(&plant, "3.csv", "SN3"),
        "first",
        "the old one goes on"
    );
    assert_eq!(
        shown(&plant)["promotions"].as_array().map(Vec::len),
        Some(1)
    );

    let waive = ["--config", "host.toml", "promotion", "waive", "T", &broken];
    plant.annals(&[&waive[..], &["--reason", "rightly refused"]].concat(), 0);
    wait("the promotion", || promotion(&plant)["candidate"].is_null());
    assert_eq!(convert(&plant, "4.csv", "SN4"), "breaks");
    let promotions = shown(&plant)["promotions"].clone();
    let (last, evidence) = (&promotions[1], &promotions[1]["evidence"]);
    assert_eq!(
        (&last["grounds"], &last["before"]),
        (&"gate".into(), &promotions[0]["converter_id"])
    );
    assert_eq!(
        (&evidence["broken"], &evidence["waived"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        (&evidence["tried"], &evidence["changed"]),
        (&3.into(), &2.into())
    );
    assert_eq!(evidence["waivers"].as_array().map(Vec::len), Some(1));

    // Back to the one before: recorded, and in force for the next file.
    let before = last["before"].as_str().expect("an identity")[..12].to_owned();
    let back = [
        "promotion",
        "promote",
        "T",
        "--identity",
        &before,
        "--reason",
        "back",
    ];
    plant.annals(&back, 0);
    assert_eq!(convert(&plant, "5.csv", "SN5"), "first");
    plant.annals(&back, 5);
}

/// The gate runs in the background, and what breaks nothing is promoted without anybody's help.
#[test]
fn what_breaks_nothing_is_promoted() {
    let plant = plant(TESTED);
    let _host = host(&plant);
    assert_eq!(convert(&plant, "1.csv", "SN1"), "first");
    edit(&plant, HOLDS);
    wait("the promotion", || {
        shown(&plant)["promotions"].as_array().map(Vec::len) == Some(2)
    });
    assert_eq!(convert(&plant, "2.csv", "SN2"), "holds");
}

/// A person tests by hand, in the shadow: nothing is recorded, and the exit code says what came of
/// it.
#[test]
fn a_test_by_hand_records_nothing_and_its_exit_code_tells() {
    let plant = plant(GATED);
    plant.write("in/2.csv", "none");
    plant.once(0);
    plant.write("in/1.csv", "SN1");
    plant.once(0);
    let test = [
        "--json",
        "--config",
        "host.toml",
        "convert",
        "test",
        "T",
        "--over",
        "90d",
    ];
    let tested = |more: &[&str], exit| -> Value {
        let told = plant.annals(&[&test[..], more].concat(), exit);
        serde_json::from_str(&told).expect("JSON")
    };
    let events = || plant.annals(&["events"], 0).lines().count();
    let before = events();
    let list = ["--json", "--config", "host.toml", "list", "--outdated"];
    let outdated = || plant.annals(&list, 0).lines().count();
    let same = tested(&[], 0);
    assert_eq!(same["evidence"]["unchanged"], 2, "{same}");
    edit(&plant, BREAKS);
    let broken = tested(&[], 6);
    assert_eq!(broken["verdict"], "refused");
    assert_eq!(broken["reason"], "1 entry that worked breaks");
    let id = broken["broken"][0]["id"].to_string();
    assert_eq!(id, id_of(&plant, "2.csv"));
    assert_eq!(tested(&["--waive", &id], 0)["verdict"], "may_be_promoted");
    assert_eq!(
        tested(&["--waive-cause", "no serial"], 0)["evidence"]["waived"],
        1
    );
    let other = tested(&["--waive-cause", "other"], 6);
    assert_eq!(other["evidence"]["waived"], 0, "{other}");
    assert_eq!(tested(&["--sample", "1"], 0)["evidence"]["tried"], 1);
    plant.annals(&[&test[..], &["--serial", "nobody"]].concat(), 4);
    tested(&["--promote"], 6);
    assert_eq!(events(), before, "nothing was recorded");

    edit(&plant, HOLDS);
    assert_eq!(outdated(), 0, "the edited converter is not current yet");
    assert_eq!(tested(&["--promote"], 0)["promoted"], true);
    assert_eq!(outdated(), 2);
    assert_eq!(shown(&plant)["promotions"][1]["grounds"], "gate");
    plant.annals(&[&test[..], &["--promote"]].concat(), 5);
}

/// The bundle of the current identity is archived, but its interpreter may be gone. Then its files
/// must wait, and never go to an identity that nobody promoted.
#[test]
fn files_wait_when_the_current_identity_cannot_run() {
    let plant = plant("");
    let old = plant.path("old-sh");
    std::os::unix::fs::symlink("/bin/sh", &old).expect("linked");
    let config = format!("{CONFIGURATION}{GATED}");
    let of_old = config.replace("\"sh\", \"run.sh\"", &format!("{old:?}, \"run.sh\""));
    plant.write("host.toml", &of_old);
    let running = host(&plant);
    assert_eq!(convert(&plant, "1.csv", "SN1"), "first");
    drop(running);
    fs::remove_file(&old).expect("removed");
    plant.write("host.toml", &config);
    plant.write("run.sh", HOLDS);

    let _host = plant.host();
    plant.write("in/2.csv", "SN2");
    let stopped = || {
        let mut status = plant.command(&["host", "status", "--json"]);
        let status = status.output().expect("started").stdout;
        let status: Value = serde_json::from_slice(&status).unwrap_or_default();
        status["converters"][0]["stopped"]["reason"].clone()
    };
    wait("the line to stop", || stopped().is_string());
    let reason = stopped().to_string();
    assert!(reason.contains("old-sh"), "{reason}");
    assert!(plant.path("in/2.csv").exists());
    let entry = plant.newest();
    assert_eq!(
        entry["status"], "pending",
        "archived, and not tried: {entry}"
    );
    let runs = fs::read_to_string(plant.path("runs")).expect("runs");
    assert!(!runs.contains("holds"), "{runs}");

    let promote = ["--config", "host.toml", "promotion", "promote", "T"];
    plant.annals(&promote, 2);
    plant.annals(&[&promote[..], &["--reason", "old-sh is gone"]].concat(), 0);
    wait("the file", || !plant.path("in/2.csv").exists());
    assert_eq!(plant.report(&entry["id"].to_string())["by"], "holds");
}

/// A host that is killed in the middle of a test, and one whose converter is edited meanwhile, must
/// promote nothing that was not tested as it is.
#[test]
fn only_what_was_tested_is_promoted() {
    let plant = plant(TESTED);
    let running = host(&plant);
    for number in 0..8 {
        convert(&plant, &format!("{number}.csv"), &format!("SN{number}"));
    }
    let slow = |name: &str| format!("sleep 0.3\n{}", HOLDS.replace("holds", name));
    let tried = |name: &str| {
        let runs = fs::read_to_string(plant.path("runs")).unwrap_or_default();
        runs.lines().filter(|run| run.starts_with(name)).count()
    };
    edit(&plant, &slow("second"));
    wait("the test to begin", || tried("second") >= 2);
    let mut running = running;
    running.0.kill().expect("killed");
    running.0.wait().expect("over");
    drop(running);
    assert_eq!(
        shown(&plant)["promotions"].as_array().map(Vec::len),
        Some(1)
    );

    let before = tried("second");
    let _host = host(&plant);
    wait("the test to begin again", || tried("second") >= before + 2);
    edit(&plant, &slow("third"));
    wait("a promotion", || {
        shown(&plant)["promotions"].as_array().map(Vec::len) == Some(2)
    });
    let last = shown(&plant)["promotions"][1].clone();
    assert_eq!(last["evidence"]["tried"], 8, "all of it was tested: {last}");
    assert!(tried("third") >= 8);
    assert_eq!(convert(&plant, "last.csv", "SN9"), "third");
}

/// Files of a gated converter are archived and stay safe; a waiver that says nothing, or is for
/// everything and ever, is refused.
#[test]
fn a_waiver_needs_a_reason_a_scope_and_an_end() {
    let plant = plant(GATED);
    plant.write("in/1.csv", "SN1");
    plant.once(0);
    let id = id_of(&plant, "1.csv");
    let waive = |more: &[&str], exit| {
        let verb = ["--config", "host.toml", "promotion", "waive", "T"];
        plant.say(&[&verb[..], more].concat(), exit)
    };
    waive(&[&id], 2);
    waive(&[&id, "--reason", " "], 2);
    waive(&["--reason", "all of it"], 2);
    waive(&["999999", "--reason", "r"], 4);
    waive(&[&id, "--reason", "r", "--identity", "ffffff"], 4);
    waive(
        &[
            "--cause",
            "no serial",
            "--until",
            "2099-01-01",
            "--reason",
            "r",
        ],
        0,
    );
    waive(&["--file", "*.csv", "--reason", "r"], 0);
    let waivers = shown(&plant)["waivers"].clone();
    assert_eq!(waivers[0]["cause"], "no serial");
    assert!(waivers[0]["candidate"].is_null() && waivers[1]["candidate"].is_string());
    let first = waivers[0]["waiver"].to_string();
    let revoke = ["promotion", "revoke", "T", &first, "--reason", "wrong"];
    plant.annals(&revoke, 0);
    plant.annals(&revoke, 5);
    plant.annals(&["promotion", "revoke", "T", "1", "--reason", "wrong"], 4);
    assert!(shown(&plant)["waivers"][0]["revoked_by"].is_number());
    plant.annals(&["rebuild"], 0);
    assert!(shown(&plant)["waivers"][0]["revoked_by"].is_number());
    plant.annals(&["promotion", "show", "nobody"], 4);
}

/// Who looks at what another converter would make of an old file must leave no trace.
#[test]
fn a_conversion_without_record_changes_nothing() {
    let plant = plant("");
    plant.write("in/1.csv", "SN1");
    plant.once(0);
    let id = id_of(&plant, "1.csv");
    let trial = CONFIGURATION.replace("name = \"T\"", "name = \"Other\"");
    plant.write(
        "trial.toml",
        &trial
            .replace("[\"run.sh\"]", "[\"other.sh\"]")
            .replace("run.sh", "other.sh"),
    );
    plant.write("other.sh", HOLDS);
    let state = || -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![plant.path("store")];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(folder).expect("listed") {
                let path = item.expect("item").path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("index.redb") {
                    // The index is made from the rest, and every verb that opens it touches it.
                    let content = fs::read(&path).expect("read");
                    files.push((path.display().to_string(), content));
                }
            }
        }
        files.sort();
        files
    };
    let before = state();
    let convert = [
        "--json",
        "--config",
        "trial.toml",
        "convert",
        &id,
        "-c",
        "Other",
        "--no-record",
    ];
    let told = plant.annals(&convert, 0);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(
        (&told["recorded"], &told["verdict"]),
        (&false.into(), &"changed".into())
    );
    assert_eq!(told["reports"][0]["by"], "holds");
    assert_eq!(told["changes"][0]["path"], "/by");
    let after = state();
    let changed = after.iter().filter(|file| !before.contains(file));
    let changed: Vec<&str> = changed.map(|(name, _)| name.as_str()).collect();
    assert!(
        changed.is_empty() && before.len() == after.len(),
        "{changed:?}"
    );
}

/// Reports differed after a station was moved to another Python, and nothing said that the recorded
/// converter had run on another one.
#[test]
fn a_replay_says_what_differs_from_the_environment_before() {
    use std::os::unix::fs::PermissionsExt;

    let plant = plant("");
    let interpreter = plant.path("lang");
    let install = |version: &str| {
        let program = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 'Lang {version}'; exit; }}\nexec sh \"$@\"\n"
        );
        fs::write(&interpreter, program).expect("written");
        fs::set_permissions(&interpreter, fs::Permissions::from_mode(0o755)).expect("set");
    };
    install("3.11.2");
    let program = format!("{interpreter:?}, \"run.sh\"");
    let config = CONFIGURATION.replace("\"sh\", \"run.sh\"", &program);
    plant.write("host.toml", &config.replace("environment = \"sh\"\n", ""));
    plant.write("in/1.csv", "SN1");
    plant.once(0);
    let id = id_of(&plant, "1.csv");
    let replay = |more: &[&str]| -> Value {
        let verb = ["--json", "--config", "host.toml", "reprocess", &id];
        let which = ["--converter-version", "recorded"];
        let told = plant.annals(&[&verb[..], &which, more].concat(), 0);
        serde_json::from_str(&told).expect("JSON")
    };
    let same = replay(&["--compare-only"]);
    assert_eq!(
        (&same["environment_differs"], &same["unchanged"]),
        (&0.into(), &1.into())
    );
    assert_eq!(same["environment_not_recorded"], 0);

    install("3.12.1");
    let differs = replay(&["--compare-only"]);
    assert_eq!(differs["environment_differs"], 1);
    assert_eq!(differs["environments"][0], "Lang 3.11.2 then, 3.12.1 now");
    let planned = replay(&["--dry-run"]);
    let told = "environment differs: Lang 3.11.2 then, 3.12.1 now";
    assert_eq!(planned["runs"][0]["environment"], told);
    replay(&[]);
    let shown = plant.annals(&["--json", "show", &id], 0);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["attempts"][1]["warnings"][0], told);
    assert_eq!(shown["ran_on"][0]["interpreter"], "Lang 3.11.2");
    assert_eq!(shown["ran_on"][1]["interpreter"], "Lang 3.12.1");
}
