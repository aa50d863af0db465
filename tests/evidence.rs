//! A store was set back to an older copy, and a signed log was to show it. But the key lay in the
//! store and was set back with it, or nobody had made one. These tests run the program as a person
//! does, with a home folder of its own.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

struct Plant {
    dir: tempfile::TempDir,
}

impl Plant {
    fn new() -> Self {
        let plant = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(plant.path("home")).expect("made");
        fs::write(plant.path("a.csv"), "SN1").expect("written");
        plant
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_annals"))
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("ANNALS_STORE", "store")
            .stdin(Stdio::null())
            .output()
            .expect("runs")
    }

    /// Runs the program, which must end with this exit code. Returns stdout and stderr.
    fn annals(&self, args: &[&str], exit: i32) -> (String, String) {
        let output = self.run(args);
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {told}");
        (String::from_utf8(output.stdout).expect("UTF-8"), told)
    }

    fn archive(&self) {
        self.annals(&["archive", "a.csv", "-c", "ICT"], 0);
    }

    fn files_below(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(folder)).expect("there");
        entries.map(|entry| entry.expect("there").path()).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

const KEYS: &str = "home/.local/share/annals/keys";

#[test]
fn a_store_is_signed_from_its_first_record_on() {
    let plant = Plant::new();
    let (made, _) = plant.annals(&["init", "store", "--json"], 0);
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let vkey = made["vkey"].as_str().expect("a key").to_owned();
    let [file] = &plant.files_below(KEYS)[..] else {
        panic!("one key");
    };
    assert_eq!(made["key_file"].as_str(), file.to_str());
    let mode = fs::metadata(file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    plant.archive();
    assert_eq!(plant.annals(&["key", "show"], 0).0.trim(), vkey);
    let (note, _) = plant.annals(&["checkpoint"], 0);
    assert!(
        note.starts_with("annals/") && note.contains("\u{2014} annals/"),
        "{note}"
    );
    // Nothing came since, so it is the same one.
    assert_eq!(
        plant.annals(&["checkpoint", "--publish", "given"], 0).0,
        note
    );
    assert_eq!(
        fs::read_to_string(plant.path("given")).expect("there"),
        format!("{note}\n")
    );
    let (said, _) = plant.annals(&["verify"], 0);
    assert!(
        said.contains("signed up to event") && said.contains(&vkey),
        "{said}"
    );
    plant.annals(&["verify", "--vkey", &vkey], 0);
    plant.annals(&["key", "init"], 5);
    // The secret is nowhere in the store, and is never printed.
    let secret = fs::read_to_string(file).expect("readable");
    let secret = secret
        .lines()
        .nth(1)
        .expect("the key")
        .rsplit('+')
        .next()
        .expect("a part");
    let found = Command::new("grep")
        .args(["-r", "-a", "-q", secret])
        .arg(plant.path("store"))
        .status();
    assert_eq!(found.expect("grep runs").code(), Some(1));
}

#[test]
fn a_store_without_a_key_can_be_signed_later() {
    let plant = Plant::new();
    plant.annals(&["init", "store", "--no-key"], 0);
    plant.archive();
    assert!(plant.annals(&["verify"], 0).0.contains("not signed"));
    plant.annals(&["checkpoint"], 5);
    plant.annals(&["key", "show"], 4);
    let (_, told) = plant.annals(&["key", "init", "--key-file", "store/key"], 5);
    assert!(told.contains("lies in the store"), "{told}");
    plant.annals(&["key", "init"], 0);
    assert!(plant.annals(&["verify"], 0).0.contains("signed up to"));
}

/// Machines of a line are installed with a home folder that cannot be written.
#[test]
fn without_a_place_for_a_key_the_store_is_made_nevertheless() {
    let plant = Plant::new();
    fs::write(plant.path("home/.local"), "no folder").expect("written");
    let (_, told) = plant.annals(&["init", "store"], 0);
    assert!(
        told.contains("not signed") && told.contains("key init"),
        "{told}"
    );
    plant.archive();
    plant.annals(&["verify"], 0);
}

#[test]
fn keys_take_over_from_one_another() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    let first = plant.annals(&["key", "show"], 0).0;
    let second = plant.annals(&["key", "rotate"], 0).0;
    assert_ne!(first, second);
    assert_eq!(plant.files_below(KEYS).len(), 2, "the old one is kept");
    plant.archive();
    assert_eq!(plant.annals(&["key", "show"], 0).0, second);
    plant.annals(&["verify", "--vkey", second.trim()], 0);
    let (said, _) = plant.annals(&["verify", "--vkey", first.trim()], 6);
    assert!(said.contains("UNTRUSTED-KEY"), "{said}");
    // It is not lost while it is there.
    plant.annals(&["key", "lost", "--reason", "gone"], 5);
    fs::remove_dir_all(plant.path(KEYS)).expect("removed");
    plant.annals(&["key", "rotate"], 4);
    plant.annals(&["key", "lost", "--reason", "the disk died"], 0);
    plant.archive();
    plant.annals(&["verify"], 0);
    let (lost, _) = plant.annals(&["events", "--type", "key.lost"], 0);
    assert!(lost.contains("the disk died"), "{lost}");
}

#[test]
fn a_store_that_was_taken_back_is_not_written_until_somebody_says_so() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    copy(&plant.path("store"), &plant.path("older"));
    plant.archive();
    fs::remove_dir_all(plant.path("store")).expect("removed");
    fs::rename(plant.path("older"), plant.path("store")).expect("renamed");
    let (_, told) = plant.annals(&["archive", "a.csv", "-c", "ICT"], 6);
    assert!(
        told.contains("ROLLED-BACK") && told.contains("confirm-move"),
        "{told}"
    );
    let (said, _) = plant.annals(&["verify"], 6);
    assert!(said.contains("ROLLED-BACK"), "{said}");
    plant.annals(&["confirm-move"], 0);
    plant.archive();
    plant.annals(&["verify"], 0);
    let (events, _) = plant.annals(&["events", "--type", "store.continued"], 0);
    assert_eq!(events.lines().count(), 1);
}
