//! Tests how many worker processes a host runs: never more at work than its limits, none that has
//! had no work for long, and other limits after a reload.
#![cfg(all(target_os = "linux", feature = "cli"))]

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::plant::{Host, Plant, wait};
use rustix::process::{Pid, Signal, kill_process};

const LINES: [&str; 3] = ["one", "two", "three"];

/// A worker that notes when it begins and ends a conversion, and whose conversions overlap.
const WORKER: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
    echo "begin $1 $$" >> notes
    sleep 0.1
    echo "end $1 $$" >> notes
    echo "{\"id\":$id,\"status\":\"success\",\"report\":{\"pid\":$$}}"
done"#;

fn configuration(host: &str, of_each: [&str; 3]) -> String {
    let mut text = format!("[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\n{host}\n");
    for (name, more) in LINES.iter().zip(of_each) {
        let of_line = format!(
            "[[converter]]\nname = \"{name}\"\ncommand = [\"sh\", \"run.sh\", \"{name}\"]\nmode = \"worker\"\n\
             environment = \"sh\"\nbundle = [\"run.sh\"]\nwatch_folder = \"{name}\"\nsettle_s = 0\n\
             archive_enabled = true\npost_process = \"delete\"\n{more}\n"
        );
        text += &of_line;
    }
    text
}

fn plant(host: &str, of_each: [&str; 3]) -> Plant {
    let plant = Plant::new(WORKER, &configuration(host, of_each));
    for name in LINES {
        fs::create_dir(plant.path(name)).expect("made");
    }
    plant
}

fn drop_files(plant: &Plant, each: usize) {
    for name in LINES {
        for number in 0..each {
            plant.write(&format!("{name}/{number}.csv"), "unit");
        }
    }
}

fn is_done(plant: &Plant) -> bool {
    LINES.iter().all(|name| plant.names(name).is_empty())
}

/// Returns the number of processes that the host started and that still run.
fn processes(host: &Host) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", host.0.id())).expect("it runs");
    let children = tasks.flatten().map(|task| task.path().join("children"));
    let children = children.filter_map(|path| fs::read_to_string(path).ok());
    children.map(|line| line.split_whitespace().count()).sum()
}

/// Returns the most conversions at a time, in all and of each line, and the lines as they began.
fn account(plant: &Plant) -> (usize, BTreeMap<String, usize>, Vec<String>) {
    let (mut most, mut began) = (0, Vec::new());
    let mut most_of: BTreeMap<String, usize> = BTreeMap::new();
    let mut now: BTreeMap<String, usize> = BTreeMap::new();
    for note in fs::read_to_string(plant.path("notes"))
        .expect("notes")
        .lines()
    {
        let mut words = note.split(' ');
        let (what, line) = (words.next(), words.next().expect("a line"));
        let running = now.entry(line.to_owned()).or_default();
        if what == Some("begin") {
            *running += 1;
            let of_line = most_of.entry(line.to_owned()).or_default();
            *of_line = (*of_line).max(*running);
            began.push(line.to_owned());
        } else {
            *running -= 1;
        }
        most = most.max(now.values().sum());
    }
    (most, most_of, began)
}

/// A program that only one process may use was started four times by a host with four threads, and
/// a backlog of one line held up the others.
#[test]
fn no_limit_is_exceeded_and_no_line_waits_for_the_backlog_of_another() {
    let plant = plant("max_concurrent = 2", ["max_concurrent = 1", "", ""]);
    drop_files(&plant, 4);
    let host = plant.host();
    wait("all files", || is_done(&plant));
    let (most, most_of, began) = account(&plant);
    assert_eq!(most, 2);
    assert_eq!(most_of["one"], 1, "{began:?}");
    // All were archived long before the last was converted, so the lines took turns.
    let last = |line: &str| began.iter().rposition(|began| began == line).expect("ran");
    for line in LINES {
        assert!(last(line) >= began.len() - 5, "{line}: {began:?}");
    }
    assert!(processes(&host) <= 1 + 2 + 2);
    let status = plant.annals(&["host", "status", "--json"], 0);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    let one = &status["converters"][0];
    assert_eq!(
        (&one["workers"], &one["max_concurrent"]),
        (&1.into(), &1.into())
    );
}

/// Forty idle interpreters kept their memory for as long as the host ran.
#[test]
fn idle_workers_end_and_come_back_on_demand() {
    let plant = plant("worker_idle_s = 1", ["", "", "worker_idle_s = 600"]);
    let host = plant.host();
    drop_files(&plant, 1);
    wait("all files", || is_done(&plant));
    let began = Instant::now();
    wait("the end of two", || processes(&host) == 1);
    assert!(began.elapsed() < Duration::from_secs(30));
    drop_files(&plant, 1);
    wait("all files again", || is_done(&plant));
    wait("the end of two again", || processes(&host) == 1);
    let notes = fs::read_to_string(plant.path("notes")).expect("notes");
    let pids = |line: &str| {
        let of_line = notes
            .lines()
            .filter(|note| note.starts_with(&format!("begin {line} ")));
        of_line
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    assert_eq!(
        (pids("one"), pids("two"), pids("three")),
        (2, 2, 1),
        "{notes}"
    );
}

/// With `worker_idle_s = 0` there are never more processes than conversions.
#[test]
fn workers_that_end_with_their_conversion_never_exceed_the_hosts_limit() {
    let plant = plant("max_concurrent = 2\nworker_idle_s = 0", [""; 3]);
    drop_files(&plant, 3);
    let host = plant.host();
    wait("all files", || {
        is_done(&plant) || {
            assert!(processes(&host) <= 2);
            false
        }
    });
    assert_eq!(account(&plant).0, 2);
    wait("the end", || processes(&host) == 0);
}

#[test]
fn a_reload_changes_the_limits_and_keeps_workers_that_are_in_use() {
    let plant = plant("max_concurrent = 3", [""; 3]);
    let host = plant.host();
    wait("more workers than lines", || {
        if is_done(&plant) {
            drop_files(&plant, 6);
        }
        processes(&host) > 3
    });
    wait("all files", || is_done(&plant));
    let before = account(&plant);
    assert!(before.0 > 1, "{before:?}");
    fs::remove_file(plant.path("notes")).expect("removed");
    plant.write(
        "host.toml",
        &configuration("max_concurrent = 1\nworker_idle_s = 600", [""; 3]),
    );
    let pid = Pid::from_child(&host.0);
    kill_process(pid, Signal::HUP).expect("it runs");
    wait("surplus workers to end", || processes(&host) <= 3);
    drop_files(&plant, 3);
    wait("all files again", || is_done(&plant));
    assert_eq!(account(&plant).0, 1);
    assert_eq!(processes(&host), 3);
    plant.write("host.toml", &configuration("worker_idle_s = 0.1", [""; 3]));
    kill_process(pid, Signal::HUP).expect("it runs");
    wait("all workers to end", || processes(&host) == 0);
}
