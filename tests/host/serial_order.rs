//! Tests converters that ask for `order = "serial"`: files of one unit are converted one after the
//! other, in the order in which they were archived; those of others at the same time.
#![cfg(all(unix, feature = "cli"))]

use std::collections::BTreeMap;
use std::fs;

use crate::plant::{Plant, wait};
use serde_json::Value;

/// Notes when it begins and ends over which entry.
const CONVERTER: &str = r#"echo "begin $ANNALS_ENTRY $ANNALS_NAME" >> notes
sleep 0.05
echo "end $ANNALS_ENTRY $ANNALS_NAME" >> notes
printf '{"name":"%s"}' "$ANNALS_NAME""#;

const CONFIGURATION: &str = r#"
[store]
path = "store"
[host]
min_free_disk_gb = 0
max_concurrent = 4
[[converter]]
name = "T"
command = ["sh", "run.sh", "{input}"]
bundle = ["run.sh"]
environment = "sh"
watch_folder = "in"
settle_s = 0
archive_enabled = true
post_process = "archive"
order = "serial"
serial_in_name = "{serial}_*.csv"
"#;

/// What the notes say of each serial and of all together.
struct Account {
    /// The entries of each serial as they began.
    began: BTreeMap<String, Vec<u64>>,
    /// Whether two of one serial ever ran at the same time.
    overlapped: bool,
    /// The most conversions at a time.
    most: usize,
    /// How often something ran beside a file without a serial.
    beside_unknown: usize,
}

fn account(plant: &Plant) -> Account {
    let mut account = Account {
        began: BTreeMap::new(),
        overlapped: false,
        most: 0,
        beside_unknown: 0,
    };
    let mut running: Vec<(u64, String)> = Vec::new();
    let notes = fs::read_to_string(plant.path("notes")).expect("notes");
    for note in notes.lines() {
        let mut words = note.split(' ');
        let (what, entry) = (words.next(), words.next().expect("an entry"));
        let entry: u64 = entry.parse().expect("a number");
        let name = words.next().expect("a name");
        let serial = name
            .split_once('_')
            .map_or("?", |(serial, _)| serial)
            .to_owned();
        if what == Some("end") {
            running.retain(|(other, _)| *other != entry);
            continue;
        }
        account.overlapped |= running.iter().any(|(_, other)| *other == serial);
        running.push((entry, serial.clone()));
        account.most = account.most.max(running.len());
        let has_unknown = running.iter().any(|(_, serial)| serial == "?");
        account.beside_unknown += usize::from(has_unknown && running.len() > 1);
        account.began.entry(serial).or_default().push(entry);
    }
    account
}

fn drop_files(plant: &Plant) {
    for number in 0..6 {
        for serial in ["SN1", "SN2", "SN3"] {
            plant.write(
                &format!("in/{serial}_{number}.csv"),
                &format!("{serial} {number}"),
            );
        }
    }
    plant.write("in/noserial.csv", "nobody knows");
}

fn check(plant: &Plant) {
    let account = account(plant);
    assert!(!account.overlapped, "two of one serial at a time");
    assert!(account.most > 1, "other serials run at the same time");
    assert_eq!(
        account.beside_unknown, 0,
        "a file without a serial runs alone"
    );
    for (serial, entries) in &account.began {
        assert!(entries.is_sorted(), "{serial}: {entries:?}");
    }
    let all: usize = account.began.values().map(Vec::len).sum();
    assert_eq!(all, 19, "every file had its turn");
}

/// A retest overtook the test before it, and the server took the older result for the newest.
#[test]
fn a_host_converts_the_files_of_one_unit_in_order() {
    let plant = Plant::new(CONVERTER, CONFIGURATION);
    drop_files(&plant);
    let _host = plant.host();
    wait("all files", || plant.names("in").is_empty());
    check(&plant);
}

#[test]
fn a_job_converts_the_entries_of_one_unit_in_order() {
    let plant = Plant::new(CONVERTER, CONFIGURATION);
    drop_files(&plant);
    plant.annals(&["archive", "in", "-c", "T"], 0);
    let job = [
        "--json",
        "--config",
        "host.toml",
        "reprocess",
        "-c",
        "T",
        "--jobs",
        "4",
    ];
    let told: Value = serde_json::from_str(&plant.annals(&job, 0)).expect("JSON");
    assert_eq!(told["successful"], 19, "{told}");
    check(&plant);
}

/// An order that cannot be kept, or a pattern that says nothing, must be refused before the first
/// file.
#[test]
fn an_order_without_what_it_needs_is_refused() {
    let plant = Plant::new(CONVERTER, CONFIGURATION);
    let check = |from: &str, to: &str, told: &str| {
        plant.write("host.toml", &CONFIGURATION.replace(from, to));
        let (_, err) = plant.say(&["host", "check", "host.toml"], 2);
        assert!(err.contains(told), "{err}");
    };
    check(
        "archive_enabled = true\npost_process = \"archive\"",
        "",
        "the order of archiving",
    );
    check("{serial}_*", "*", "{serial}");
    check("order = \"serial\"", "", "serial_in_name says nothing");
}
