//! Tests reprocess jobs that do not run through: killed, paused, cancelled, with failures. What was
//! tried keeps its result, nothing is done twice, and everybody sees how a job stands.
#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::process::{Child, Stdio};

use crate::plant::{Plant, wait};
use serde_json::Value;

/// Notes each run, and takes its time. Fails where a file says so.
const CONVERTER: &str = r#"echo "$1" >> runs
sleep 0.1
if [ -e fail ] && grep -q fails "$1"; then exit 1; fi
printf '{"content":"%s"}' "$(cat "$1")""#;

const CONFIGURATION: &str = r#"
[store]
path = "store"
[host]
min_free_disk_gb = 0
max_concurrent = 1
[[converter]]
name = "T"
command = ["sh", "run.sh", "{input}"]
bundle = ["run.sh"]
environment = "sh"
watch_folder = "in"
settle_s = 0
archive_enabled = true
"#;

const FILES: usize = 12;

/// Returns a plant whose store has files that no converter ran over.
fn plant() -> Plant {
    let plant = Plant::new(CONVERTER, CONFIGURATION);
    fs::create_dir_all(plant.path("files")).expect("made");
    for number in 0..FILES {
        let fails = if number % 4 == 0 { "fails" } else { "works" };
        plant.write(
            &format!("files/{number:02}.csv"),
            &format!("{fails} {number}"),
        );
    }
    plant.annals(&["archive", "files", "-c", "T"], 0);
    plant
}

fn runs(plant: &Plant) -> usize {
    let noted = fs::read_to_string(plant.path("runs")).unwrap_or_default();
    noted.lines().count()
}

fn wait_for_host(plant: &Plant) {
    wait("the host", || {
        let mut status = plant.command(&["host", "status"]);
        status.output().expect("started").status.success()
    });
}

fn reprocess(plant: &Plant) -> Child {
    reprocess_by(plant, "1")
}

fn reprocess_by(plant: &Plant, jobs: &str) -> Child {
    let mut command = plant.command(&[
        "--json",
        "--config",
        "host.toml",
        "reprocess",
        "-c",
        "T",
        "--jobs",
        jobs,
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("started")
}

fn newest_job(plant: &Plant) -> Value {
    let listed = plant.annals(&["--json", "job", "list"], 0);
    let newest = listed.lines().next().expect("a job").to_owned();
    serde_json::from_str(&newest).expect("JSON")
}

/// Returns how many attempts each entry has in a job.
fn attempts_in(plant: &Plant, job: &Value) -> Vec<usize> {
    let listed = plant.annals(&["--json", "list", "--limit", "1000"], 0);
    let entries = listed.lines().map(|line| {
        let id = serde_json::from_str::<Value>(line).expect("JSON")["id"].to_string();
        plant.annals(&["--json", "show", &id], 0)
    });
    let of_entry = |shown: String| {
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let attempts = shown["attempts"].as_array().cloned().unwrap_or_default();
        attempts.iter().filter(|tried| tried["job"] == *job).count()
    };
    entries.map(of_entry).collect()
}

/// A job that was killed stayed open for ever, and a second run took all entries again.
#[test]
fn a_killed_job_goes_on_and_does_nothing_twice() {
    let plant = plant();
    let mut child = reprocess(&plant);
    wait("some conversions", || runs(&plant) >= 4);
    child.kill().expect("killed");
    child.wait().expect("over");

    let job = newest_job(&plant);
    assert_eq!(job["state"], "interrupted");
    let id = job["job"].to_string();
    let before = attempts_in(&plant, &job["job"]);
    assert!(before.iter().sum::<usize>() >= 2, "{before:?}");
    assert!(before.iter().sum::<usize>() < FILES, "{before:?}");
    // What came after its start is not part of the job.
    plant.write("files/late.csv", "works late");
    plant.annals(&["archive", "files/late.csv", "-c", "T"], 0);

    let ran = runs(&plant);
    let resumed = plant.annals(
        &["--json", "--config", "host.toml", "job", "resume", &id],
        0,
    );
    let resumed: Value = serde_json::from_str(&resumed).expect("JSON");
    assert_eq!(
        (&resumed["job"], &resumed["interrupted"]),
        (&job["job"], &false.into())
    );
    assert_eq!(
        (&resumed["total"], &resumed["processed"]),
        (&FILES.into(), &FILES.into())
    );
    assert_eq!(
        resumed["first"], FILES,
        "verdicts of the first run count, too: {resumed}"
    );
    let after = attempts_in(&plant, &job["job"]);
    assert_eq!(
        after.iter().filter(|&&tried| tried == 1).count(),
        FILES,
        "{after:?}"
    );
    assert_eq!(after.iter().sum::<usize>(), FILES, "{after:?}");
    assert_eq!(runs(&plant) - ran, FILES - before.iter().sum::<usize>());
    assert_eq!(newest_job(&plant)["state"], "finished");
    plant.annals(&["--config", "host.toml", "job", "resume", &id], 5);
    plant.annals(&["--config", "host.toml", "job", "resume", "999999"], 4);
    plant.annals(&["job", "pause", &id], 5);
    plant.annals(&["job", "cancel", &id], 5);
}

/// Whoever has a job in a host must be able to stop it from another terminal, and go on later.
#[test]
fn a_job_in_a_host_is_watched_paused_resumed_and_cancelled() {
    let plant = plant();
    let _host = plant.host();
    wait_for_host(&plant);
    let child = reprocess(&plant);
    wait("some conversions", || runs(&plant) >= 2);
    let job = newest_job(&plant);
    let id = job["job"].to_string();
    assert_eq!(
        (&job["state"], &job["processed"]),
        (&"running".into(), &Value::Null)
    );
    plant.annals(&["--config", "host.toml", "job", "resume", &id], 5);
    plant.annals(&["job", "pause", &id], 0);
    let ended = child.wait_with_output().expect("over");
    assert_eq!(ended.status.code(), Some(3));
    let result: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!(
        (&result["stopped"], &result["interrupted"]),
        (&"paused".into(), &true.into())
    );
    assert_eq!(newest_job(&plant)["state"], "paused");
    let ran = runs(&plant);

    let mut resumed =
        plant.command(&["--config", "host.toml", "job", "resume", &id, "--jobs", "1"]);
    let mut resumed = resumed
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    wait("another conversion", || runs(&plant) > ran);
    let watched = plant.annals(&["--json", "job", "watch", &id], 0);
    let watched: Value = serde_json::from_str(&watched).expect("JSON");
    assert_eq!(
        (&watched["state"], &watched["processed"]),
        (&"finished".into(), &FILES.into())
    );
    assert!(resumed.wait().expect("over").success());
    let tried = attempts_in(&plant, &job["job"]);
    assert_eq!(tried, [1; FILES]);

    let ran = runs(&plant);
    let child = reprocess(&plant);
    wait("some conversions", || runs(&plant) >= ran + 2);
    let second = newest_job(&plant)["job"].to_string();
    assert_ne!(second, id);
    plant.annals(&["job", "cancel", &second], 0);
    assert_eq!(
        child.wait_with_output().expect("over").status.code(),
        Some(3)
    );
    assert_eq!(newest_job(&plant)["state"], "cancelled");
    plant.annals(&["--config", "host.toml", "job", "resume", &second], 5);
}

/// A host that was killed had forgotten the job; whoever had started it had to notice.
#[test]
fn a_host_goes_on_with_the_job_that_it_was_killed_over() {
    let plant = plant();
    let mut host = plant.host();
    wait_for_host(&plant);
    let child = reprocess(&plant);
    wait("some conversions", || runs(&plant) >= 3);
    host.0.kill().expect("killed");
    host.0.wait().expect("over");
    assert!(!child.wait_with_output().expect("over").status.success());
    let job = newest_job(&plant);
    assert_eq!(job["state"], "interrupted");

    let host = plant.host();
    wait_for_host(&plant);
    // A host that is stopped leaves the job to the next one.
    let ran = runs(&plant);
    wait("another conversion", || runs(&plant) > ran);
    drop(host);
    assert_eq!(newest_job(&plant)["state"], "interrupted");
    let _host = plant.host();
    wait_for_host(&plant);
    wait("the end of the job", || {
        newest_job(&plant)["state"] == "finished"
    });
    assert_eq!(newest_job(&plant)["processed"], FILES);
    assert_eq!(attempts_in(&plant, &job["job"]), [1; FILES]);
}

/// After the cause is mended, only what failed runs again.
#[test]
fn what_failed_is_tried_again_by_a_job_of_its_own() {
    let plant = plant();
    plant.write("fail", "");
    plant.annals(
        &[
            "--config",
            "host.toml",
            "reprocess",
            "-c",
            "T",
            "--jobs",
            "4",
        ],
        3,
    );
    let old = newest_job(&plant);
    assert_eq!(old["failed"], 3);
    fs::remove_file(plant.path("fail")).expect("removed");
    let ran = runs(&plant);
    let id = old["job"].to_string();
    let again = plant.annals(
        &[
            "--json",
            "--config",
            "host.toml",
            "job",
            "retry-failed",
            &id,
            "--reason",
            "mended",
        ],
        0,
    );
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!((&again["total"], &again["fixed"]), (&3.into(), &3.into()));
    assert_eq!(runs(&plant) - ran, 3);
    let new = newest_job(&plant);
    assert_eq!(
        (&new["retry_of"], &new["reason"]),
        (&old["job"], &"mended".into())
    );
    // Nothing is left to retry, and that is told apart from success.
    plant.annals(
        &[
            "--config",
            "host.toml",
            "job",
            "retry-failed",
            &new["job"].to_string(),
        ],
        4,
    );
}

/// A program that only one process may use was started for a file while a job used it.
#[test]
fn files_and_a_job_together_keep_the_limits_and_files_come_first() {
    let plant = plant();
    plant.write(
        "run.sh",
        r#"echo "begin $$" >> notes
sleep 0.1
echo "end $$ $(cat "$1")" >> notes
printf '{"content":"%s"}' "$(cat "$1")""#,
    );
    let limited = CONFIGURATION
        .replace("max_concurrent = 1", "max_concurrent = 3")
        .replace("settle_s = 0", "settle_s = 0\nmax_concurrent = 1");
    plant.write("host.toml", &limited);
    let notes = || fs::read_to_string(plant.path("notes")).unwrap_or_default();
    let _host = plant.host();
    wait_for_host(&plant);
    let job = reprocess_by(&plant, "3");
    wait("the job", || notes().contains("end"));
    for number in 0..3 {
        plant.write(&format!("in/{number}.csv"), "live");
    }
    assert!(job.wait_with_output().expect("over").status.success());
    let notes = notes();
    let lines: Vec<&str> = notes.lines().collect();
    let kinds: Vec<_> = lines
        .iter()
        .filter_map(|note| note.split(' ').next())
        .collect();
    for pair in kinds.chunks(2) {
        assert_eq!(pair, ["begin", "end"], "two at once: {notes}");
    }
    let last_live = lines.iter().rposition(|note| note.ends_with("live"));
    let last = lines.iter().rposition(|note| note.contains("works"));
    assert!(
        last_live.expect("converted") < last.expect("converted"),
        "{notes}"
    );
}
