//! Tests that a day is what clocks in the user's time zone showed, wherever the store is. A date
//! used to be midnight at today's UTC offset. In November, `--from 2026-07-01` therefore left out
//! an entry that the list showed as `2026-07-01 00:30`.

#![cfg(unix)]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use annals::archive::{Archive, NewEntry, Options};
use annals::entry::Unit;
use annals::time::{Clock, Timestamp};

/// A clock that shows the time it was set to.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }

    fn boot(&self) -> &'static str {
        "test"
    }
}

struct Plant {
    dir: tempfile::TempDir,
}

impl Plant {
    /// Makes a store with an entry for each of these times. The entry's serial is the time as text.
    fn new(times: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(SetClock(AtomicI64::new(0)));
        let options = Options::default().clock(Arc::<SetClock>::clone(&clock));
        let archive = Archive::create(dir.path().join("store"), options).expect("made");
        for written in times {
            let time: Timestamp = written.parse().expect("a time");
            clock.0.store(time.micros(), Ordering::Relaxed);
            let new = NewEntry::new("ICT").unit(Unit::default().serial(*written));
            archive.put(new, written.as_bytes()).expect("archived");
        }
        archive.close().expect("closed");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, zone: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", zone)
            .env("ANNALS_STORE", "store")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, zone: &str, args: &[&str]) -> Output {
        self.command(zone, args).output().expect("runs")
    }

    fn told(&self, zone: &str, args: &[&str]) -> String {
        let output = self.run(zone, args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{zone} {args:?}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Returns the listed serials, oldest first.
    fn listed(&self, zone: &str, args: &[&str]) -> Vec<String> {
        let all = [&["list", "--json", "--sort", "id:asc"], args].concat();
        let serial = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
            entry["serial"].as_str().expect("a serial").to_owned()
        };
        self.told(zone, &all).lines().map(serial).collect()
    }
}

/// A running host, which ends with the test.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        crate::ending::let_go(&mut self.0);
    }
}

/// Times just before and after midnight, in summer and in winter of both hemispheres, at offsets of
/// whole and half hours.
#[test]
fn a_list_of_a_day_holds_what_is_shown_with_that_day() {
    let times = [
        "2026-01-15T04:30:00Z",
        "2026-01-15T05:30:00Z",
        "2026-01-15T13:15:00Z",
        "2026-01-15T13:45:00Z",
        "2026-07-01T03:30:00Z",
        "2026-07-01T04:30:00Z",
        "2026-07-01T14:15:00Z",
        "2026-07-01T14:45:00Z",
        "2026-07-02T03:30:00Z",
        "2026-07-02T04:30:00Z",
    ];
    let plant = Plant::new(&times);
    for zone in [
        "America/New_York",
        "Australia/Adelaide",
        "Europe/Dublin",
        "UTC",
    ] {
        let shown = plant.told(zone, &["list", "-o", "wide", "--sort", "id:asc"]);
        for (day, next) in [
            ("2026-01-15", "2026-01-16"),
            ("2026-07-01", "2026-07-02"),
            ("2026-07-02", "2026-07-03"),
        ] {
            let listed = plant.listed(zone, &["--from", day, "--to", next]);
            let expected: Vec<&str> = times
                .into_iter()
                .filter(|time| {
                    let line = shown.lines().find(|line| line.contains(time));
                    line.is_some_and(|line| line.replace(time, "").contains(day))
                })
                .collect();
            assert_eq!(listed, expected, "{day} in {zone}:\n{shown}");
        }
    }
    let utc = plant.listed("Asia/Tokyo", &["--utc", "--from", "2026-07-02"]);
    assert_eq!(utc, &times[8..]);
}

/// `stats --by day` counted UTC days, so an evening in New York counted for the next day.
#[test]
fn stats_count_the_days_of_whoever_asks() {
    let plant = Plant::new(&[
        "2026-07-01T03:30:00Z",
        "2026-07-01T04:30:00Z",
        "2026-07-02T03:30:00Z",
    ]);
    let days = |zone: &str, args: &[&str]| {
        let told = plant.told(zone, &[args, &["stats", "--by", "day", "--json"]].concat());
        let stats: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        let groups = stats["groups"].as_array().expect("groups").iter();
        let group = |group: &serde_json::Value| {
            format!("{} {}", group["name"], group["entries"]).replace('"', "")
        };
        groups.map(group).collect::<Vec<String>>()
    };
    assert_eq!(
        days("America/New_York", &[]),
        ["2026-06-30 1", "2026-07-01 2"]
    );
    let utc = ["2026-07-01 2", "2026-07-02 1"];
    assert_eq!(days("UTC", &[]), utc);
    assert_eq!(days("America/New_York", &["--utc"]), utc);
}

/// A host in Japan must answer a client in New York with the days of New York.
#[test]
fn a_host_in_another_zone_answers_with_the_days_of_whoever_asks() {
    let plant = Plant::new(&[
        "2026-03-08T04:30:00Z",
        "2026-03-08T05:30:00Z",
        "2026-03-09T03:30:00Z",
        "2026-03-09T04:30:00Z",
    ]);
    let questions: [&[&str]; 4] = [
        &["list", "--from", "2026-03-08", "--to", "2026-03-09"],
        &["list", "--from", "yesterday", "--json"],
        &["stats", "--by", "day"],
        &["list", "--from", "2026-03-08 02:30"],
    ];
    let ask = || {
        let answers = questions.map(|question| {
            let output = plant.run("America/New_York", question);
            (output.status.code(), output.stdout, output.stderr)
        });
        answers.map(|(code, out, err)| (code, [out, err].concat()))
    };
    let alone = ask();
    let first = String::from_utf8_lossy(&alone[0].1);
    assert!(first.contains("2026-03-08 00:30:00") && first.contains("2026-03-08 23:30:00"));
    assert_eq!(
        (first.matches("2026-03-0").count(), alone[0].0),
        (2 + 2, Some(0)),
        "{first}"
    );
    // On that day the clocks of New York went from 02:00 to 03:00.
    assert_eq!(alone[3].0, Some(2));

    let config = "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\n\
                  command = [\"cat\", \"{input}\"]\nwatch_folder = \"in\"\narchive_enabled = true\n";
    fs::create_dir(plant.path("in")).expect("made");
    fs::write(plant.path("host.toml"), config).expect("written");
    let mut command = plant.command("Asia/Tokyo", &["host", "run", "host.toml"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut host = Host(command.spawn().expect("starts"));
    let began = Instant::now();
    while plant.run("UTC", &["host", "status"]).status.code() != Some(0) {
        let is_going = matches!(host.0.try_wait(), Ok(None));
        assert!(
            is_going && began.elapsed() < Duration::from_mins(1),
            "the host is not ready"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ask(), alone);
}

/// `01/03/2026` was silently taken as the third of January, by `list` and by a purge.
#[test]
fn a_date_that_could_be_two_is_refused_wherever_a_date_is_read() {
    let plant = Plant::new(&["2026-03-01T12:00:00Z"]);
    for args in [
        &["list", "--from", "01/03/2026"][..],
        &["list", "--to", "1.3.2026"],
        &["restore", "--to", "back", "--from", "01/03/2026"],
        &[
            "retention",
            "preview",
            "--older-than",
            "30d",
            "--now",
            "03/01/2027",
        ],
    ] {
        let output = plant.run("America/New_York", args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("which number is the day"), "{args:?}: {said}");
        assert!(said.contains("2026-03-01"), "{args:?}: {said}");
    }
}
