//! Tests selections by path, and folders that come back as they were.
//!
//! A line wrote `a.csv` into a folder for each day. All of them came back side by side, as `a.csv`,
//! `a (2).csv` and so on, with the time of the restore.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::Plant;

/// A store with a folder of files that was archived whole, and a file beside it.
fn plant() -> Plant {
    let plant = Plant::new();
    for (name, content) in [
        ("line3/march/a.csv", "1"),
        ("line3/april/a.csv", "2"),
        ("line3/april/raw/b.txt", "3"),
        ("other/a.csv", "4"),
    ] {
        let path = plant.file(name, content);
        let file = File::options().write(true).open(path).expect("there");
        file.set_modified(changed()).expect("set");
    }
    plant
        .run(&["archive", "line3", "other", "-c", "T"])
        .expect(0);
    plant
}

fn changed() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_880_000)
}

#[test]
fn entries_are_selected_by_path_or_folder() {
    let plant = plant();
    for (pattern, entries) in [
        ("a.csv", 3),
        ("line3", 3),
        ("LINE3/april", 2),
        ("line3/*/a.csv", 2),
        ("line3/*.csv", 0),
        ("line3/**/*.txt", 1),
        ("april/**", 2),
        ("/line3", 0),
    ] {
        let list = plant.run(&["list", "--path", pattern, "--json"]).expect(0);
        assert_eq!(list.objects().len(), entries, "{pattern}");
    }
    plant.run(&["list", "--path", "[a"]).expect(2);
    let held = [
        "hold",
        "add",
        "--path",
        "line3/march",
        "--name",
        "m",
        "--reason",
        "r",
    ];
    plant.run(&held).expect(0);
    let held = plant.run(&["list", "--hold", "m", "--json"]).expect(0);
    assert_eq!(held.objects().len(), 1);
    plant
        .run(&["restore", "--path", "line4", "--to", "x"])
        .expect(4);
}

#[test]
fn a_folder_comes_back_with_its_folders_names_and_times() {
    let plant = plant();
    let restore = [
        "restore", "--path", "line3", "--to", "back", "--tree", "--json",
    ];
    plant.run(&restore).expect(0);
    for (name, content) in [
        ("march/a.csv", "1"),
        ("april/a.csv", "2"),
        ("april/raw/b.txt", "3"),
    ] {
        let path = plant.path("back").join(name);
        assert_eq!(fs::read_to_string(&path).expect(name), content);
        let at = fs::metadata(&path)
            .and_then(|it| it.modified())
            .expect("a time");
        assert_eq!(at, changed(), "{name}");
    }
    assert!(!plant.path("back/other").exists());
    let again = plant.run(&restore).expect(0);
    assert!(
        again.objects().iter().all(|file| file["unchanged"] == true),
        "{}",
        again.text()
    );
    plant
        .run(&[
            "restore",
            "--path",
            "line3",
            "--to",
            "y",
            "--tree",
            "--original-names",
        ])
        .expect(2);
}

#[test]
fn a_star_in_a_serial_stands_for_any_text() {
    let plant = Plant::new();
    for serial in ["K2510-00117", "K2510-00118", "X-00117"] {
        let file = plant.file("a.csv", serial);
        plant
            .run(&["archive", &file, "-c", "T", "--serial", serial])
            .expect(0);
    }
    for (serial, entries) in [
        ("k2510-*", 2),
        ("*00117", 2),
        ("*", 3),
        ("K2510-00117", 1),
        ("K2510", 0),
    ] {
        let list = plant.run(&["list", "--serial", serial, "--json"]).expect(0);
        assert_eq!(list.objects().len(), entries, "{serial}");
    }
}

/// `list -c TYPO` and `--limit 0` printed nothing, or "no entries", which sent people looking for
/// lost files.
#[test]
fn an_empty_list_says_why_and_what_would_help() {
    let plant = Plant::new();
    let empty = plant.run(&["list"]).expect(0);
    assert!(empty.stderr.contains("annals archive"), "{}", empty.stderr);
    let file = plant.file("SN1.csv", "1");
    plant
        .run(&["archive", &file, "-c", "ICT CSV", "--serial", "SN1"])
        .expect(0);
    for (args, told) in [
        (&["list", "-c", "ICT CVS"][..], "did you mean 'ICT CSV'?"),
        (&["list", "--serial", "SN"], "`annals find SN`"),
        (&["list", "--file", "SN1"], "--file '*SN1*'"),
        (&["list", "--limit", "0"], "--limit 0 lists nothing"),
        (&["list", "--offset", "9"], "--offset 9 passes over all"),
        (&["list", "--status", "failed"], "no entry matches all"),
        (&["events", "--from", "999"], "the newest event is"),
    ] {
        let ran = plant.run(args).expect(0);
        assert!(ran.stdout.is_empty(), "{args:?}");
        assert!(ran.stderr.contains(told), "{args:?}: {}", ran.stderr);
    }
    plant.run(&["list", "--file", "[a"]).expect(2);
    plant.run(&["events", "--from", "5", "--to", "2"]).expect(2);
    for gate in [
        &["verify", "--serial", "SN9"][..],
        &["failures", "-c", "ICT CVS"],
        &[
            "reprocess",
            "--serial",
            "SN9",
            "--fail-on-change",
            "--converter-version",
            "recorded",
        ],
    ] {
        plant.run(gate).expect(4);
    }
}
