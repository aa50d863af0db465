//! Tests what a host does not remove by itself: sources of which only facts are kept, a large share
//! of a store, what can be undone, and what holds keep.
#![cfg(all(unix, feature = "host"))]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use annals::archive::{Archive, HoldOn, NewAttempt, NewEntry, NewHold, Options};
use annals::convert::Cancel;
use annals::entry::{Outcome, Status};
use annals::host::{Archives, Config, Hooks, Host, Notice, run_once};
use annals::query::{Filter, Query};

struct Plant {
    dir: tempfile::TempDir,
    archive: Archive,
}

impl Plant {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("folder");
        fs::create_dir(dir.path().join("in")).expect("made");
        fs::write(
            dir.path().join("run.sh"),
            "printf '{\"bytes\":%s}' \"$(wc -c < \"$1\")\"\n",
        )
        .expect("written");
        let archive = Archive::create(dir.path().join("store"), Options::default()).expect("made");
        Self { dir, archive }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, host: &str, keys: &str) -> Config {
        let text = format!(
            "[host]\nmin_free_disk_gb = 0\n{host}\n[[converter]]\nname = \"T\"\n\
             command = [\"sh\", \"run.sh\", \"{{input}}\"]\nbundle = [\"run.sh\"]\n\
             environment = \"sh\"\nwatch_folder = \"in\"\nsettle_s = 0\narchive_enabled = true\n{keys}\n"
        );
        Config::parse(&text, &self.at("host.toml")).expect("valid")
    }

    /// Makes one pass, and returns which files are told of as facts only, and whether they stay.
    fn pass(&self, keys: &str) -> Vec<bool> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let hooks = Hooks::new(move |notice| {
            if let Notice::FactsOnly { stays, .. } = notice {
                sink.lock().expect("no panic").push(*stays);
            }
        });
        let archives = Archives::shared(Some(self.archive.clone()));
        let config = self.config("", keys);
        run_once(archives, config, &Cancel::default(), &hooks).expect("ran");
        let told = told.lock().expect("no panic");
        told.clone()
    }

    fn host(&self, host: &str, keys: &str) -> Host {
        let archives = Archives::shared(Some(self.archive.clone()));
        Host::new(archives, self.config(host, keys)).expect("made")
    }

    fn entries(&self) -> u64 {
        self.archive
            .snapshot()
            .expect("there")
            .count(&Filter::default())
            .expect("counted")
    }
}

const MEBIBYTE: usize = 1 << 20;

/// A recording of gigabytes filled the store; a limit made the host delete it without a copy.
#[test]
fn a_source_that_is_too_large_is_converted_and_never_removed_unless_that_is_stated() {
    let plant = Plant::new();
    let put = |name: &str, bytes| {
        fs::write(plant.at("in").join(name), vec![b'x'; bytes]).expect("written");
    };
    put("small.csv", 100);
    put("huge.bin", 2 * MEBIBYTE);
    let keys = "archive_max_mb = 1\npost_process = \"delete\"";
    assert_eq!(plant.pass(keys), [true]);
    assert!(!plant.at("in/small.csv").exists());
    assert!(plant.at("in/huge.bin").exists());
    let listed = || {
        let snapshot = plant.archive.snapshot().expect("there");
        snapshot.query(&Query::default()).expect("listed").entries
    };
    let huge = || {
        let mut entries = listed();
        entries.retain(|entry| entry.source_name == "huge.bin");
        entries
    };
    let entry = huge().remove(0);
    assert!(entry.facts_only);
    assert_eq!(entry.status, Status::Success);
    let report = entry.attempts[0].reports[0].blake3;
    let report = plant.archive.read_all(&report, 99).expect("kept");
    assert_eq!(String::from_utf8_lossy(&report), "{\"bytes\":2097152}");
    // The next passes neither convert it again nor tell of it again.
    assert!(plant.pass(keys).is_empty());
    assert_eq!((huge().len(), huge()[0].attempts.len()), (1, 1));
    // It is moved where there is a folder for it.
    let moved = format!("{keys}\ndone_folder = \"done\"");
    plant.pass(&moved);
    assert!(!plant.at("in/huge.bin").exists() && plant.at("done/huge.bin").exists());
    // And removed where the configuration says so.
    put("gone.bin", 2 * MEBIBYTE + 1);
    let stated = format!("{keys}\ndelete_facts_only = true");
    assert_eq!(plant.pass(&stated), [false]);
    assert!(!plant.at("in/gone.bin").exists());
    // A higher limit stores the content of what comes again.
    put("huge.bin", 2 * MEBIBYTE);
    plant.pass("archive_max_mb = 3\npost_process = \"delete\"");
    assert!(!plant.at("in/huge.bin").exists());
    assert!(huge().iter().any(|entry| !entry.facts_only));
}

/// A digit was lost in a configuration, and the host emptied the store within the hour.
#[test]
fn a_large_purge_waits_for_a_person_and_can_be_undone_where_that_is_stated() {
    let plant = Plant::new();
    for nth in 0..150_u64 {
        let content = nth.to_le_bytes();
        let new = NewEntry::new("T").serial(format!("SN{nth}"));
        let id = plant.archive.put(new, &content[..]).expect("archived").id;
        let done = NewAttempt::new(Outcome::Success, "T");
        plant.archive.record_attempt(id, done).expect("recorded");
    }
    let keys = "max_archive_count = 20";
    let waits = Arc::new(Mutex::new(0));
    let sink = Arc::clone(&waits);
    let hooks = Hooks::new(move |notice| {
        if let Notice::PurgeWaits { .. } = notice {
            *sink.lock().expect("no panic") += 1;
        }
    });
    let careful = plant.host("", keys);
    careful.apply_retention(&hooks);
    assert_eq!(plant.entries(), 150);
    assert_eq!(*waits.lock().expect("no panic"), 1);
    let status = careful.status().retention;
    assert_eq!(status.waiting.len(), 1);
    assert_eq!(status.waiting[0].entries, 130);
    assert!(status.error.is_none(), "{status:?}");

    let allowed = "retention_ask_above_percent = 100\nretention_grace_days = 7";
    let host = plant.host(allowed, keys);
    host.apply_retention(&hooks);
    assert_eq!(plant.entries(), 20);
    let status = host.status().retention;
    assert_eq!((status.waiting.len(), status.pending_entries), (0, 130));
    let pending = plant.archive.pending_purges().expect("listed");
    let undone = plant
        .archive
        .undo_purge(&pending[0].plan_id, "a digit was lost");
    assert_eq!(undone.expect("undone").entries, 130);
    assert_eq!(plant.entries(), 150);
}

/// Limits gave way to holds without a word, and reviews were forgotten.
#[test]
fn holds_that_need_a_look_are_told_by_the_status_of_the_host() {
    let plant = Plant::new();
    for nth in 0..5_u64 {
        let content = nth.to_le_bytes();
        plant
            .archive
            .put(NewEntry::new("T"), &content[..])
            .expect("archived");
    }
    let on = HoldOn::Matching(Filter::default().converter("T"));
    let day = "2020-01-01T00:00:00Z".parse().expect("a time");
    let hold = NewHold::new("recall", "field returns", on).review(day);
    plant.archive.hold(hold).expect("held");
    let host = plant.host("", "max_archive_count = 2");
    host.apply_retention(&Hooks::default());
    assert_eq!(plant.entries(), 5, "a hold beats every limit");
    let status = host.status().retention;
    assert_eq!((status.holds_overdue, status.limits_unmet), (1, 1));
    let told = status.holds.join("\n");
    assert!(
        told.contains("review of hold 'recall' is overdue"),
        "{told}"
    );
    assert!(told.contains("limit of 2 cannot be met"), "{told}");
}
