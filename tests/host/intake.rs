//! Tests when a file is taken: not while it is open or empty, and once more after its converter was
//! corrected.
#![cfg(all(unix, feature = "cli"))]

use std::fs::{self, File};
use std::io::Write;

struct Plant {
    base: crate::plant::Plant,
}

impl std::ops::Deref for Plant {
    type Target = crate::plant::Plant;

    fn deref(&self) -> &crate::plant::Plant {
        &self.base
    }
}

impl Plant {
    fn new(more: &str) -> Self {
        let text = format!(
            "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\n\
             command = [\"sh\", \"run.sh\", \"{{input}}\"]\nenvironment = \"sh\"\nbundle = [\"run.sh\"]\n\
             watch_folder = \"in\"\nsettle_s = 0\narchive_enabled = true\npost_process = \"archive\"\n{more}\n"
        );
        Self {
            base: crate::plant::Plant::new("printf '{\"size\":%s}' $(wc -c < \"$1\")", &text),
        }
    }

    /// Runs the program to its end. Returns standard output and standard error.
    fn annals(&self, args: &[&str], exit: i32) -> String {
        let (out, err) = self.say(args, exit);
        out + &err
    }

    /// Returns the statuses of the attempts of the newest entry.
    fn attempts(&self) -> Vec<String> {
        let entry = self.newest();
        let attempts = entry["attempts"].as_array().expect("a list").iter();
        attempts
            .map(|attempt| attempt["status"].as_str().expect("text").to_owned())
            .collect()
    }
}

/// The converter lacked its limits. The operator corrected it and moved the file back from the
/// error folder.
#[test]
fn a_failed_file_that_comes_back_is_tried_again_by_a_corrected_converter() {
    let plant = Plant::new("error_folder = \"error\"");
    let sound = fs::read_to_string(plant.path("run.sh")).expect("there");
    fs::write(plant.path("run.sh"), "echo limits are missing >&2; exit 1").expect("written");
    fs::write(plant.path("in/a.csv"), "unit").expect("written");
    plant.once(3);
    let come_back =
        || fs::rename(plant.path("error/a.csv"), plant.path("in/a.csv")).expect("moved");

    // With the converter that failed it is not tried again, and the host says so.
    come_back();
    let said = plant.once(3);
    assert!(said.contains("was not tried again: entry"), "{said}");
    assert!(said.contains("1 done before (1 failed)"), "{said}");
    assert!(said.contains("1 failed before: `annals -s "), "{said}");
    assert!(said.contains("reprocess --status failed`"), "{said}");
    assert_eq!(plant.names("error"), ["a.csv"]);
    assert_eq!(plant.attempts(), ["failed"]);

    fs::write(plant.path("run.sh"), &sound).expect("written");
    come_back();
    let said = plant.once(0);
    assert!(said.contains("1 of 1 converted"), "{said}");
    assert!(plant.names("error").is_empty() && plant.names("in").is_empty());
    assert_eq!(plant.attempts(), ["failed", "success"]);

    assert_eq!(
        plant.annals(&["list", "--json"], 0).lines().count(),
        1,
        "one entry"
    );
}

/// Attempts by the old converter must not count against the corrected one.
#[test]
fn a_corrected_converter_has_all_its_attempts() {
    let plant = Plant::new("error_folder = \"error\"\nretry = { max_attempts = 2, delay_s = 0 }");
    fs::write(plant.path("run.sh"), "exit 1").expect("written");
    fs::write(plant.path("in/a.csv"), "unit").expect("written");
    plant.once(3);
    plant.once(3);
    assert_eq!(plant.names("error"), ["a.csv"]);
    fs::rename(plant.path("error/a.csv"), plant.path("in/a.csv")).expect("moved");
    fs::write(plant.path("run.sh"), "exit 2").expect("written");
    plant.once(3);
    assert_eq!(plant.names("in"), ["a.csv"], "it has one more");
    plant.once(3);
    assert_eq!(plant.names("error"), ["a.csv"]);
    assert_eq!(plant.attempts().len(), 4);
}

/// An empty file was taken. What was written to it later went to the error folder and was never
/// archived.
#[test]
fn an_empty_file_is_waited_for_and_never_moved_as_a_failure() {
    let plant = Plant::new("error_folder = \"error\"");
    fs::write(plant.path("in/a.csv"), "").expect("written");
    let said = plant.once(0);
    assert!(said.contains("it is empty"), "{said}");
    assert_eq!(plant.names("in"), ["a.csv"]);

    let config = fs::read_to_string(plant.path("host.toml")).expect("there");
    fs::write(plant.path("host.toml"), config + "empty_after_s = 0\n").expect("written");
    let sound = fs::read_to_string(plant.path("run.sh")).expect("there");
    fs::write(
        plant.path("run.sh"),
        format!("[ -s \"$1\" ] || exit 1; {sound}"),
    )
    .expect("written");
    plant.once(3);
    assert_eq!(
        plant.names("in"),
        ["a.csv"],
        "it stays where its station writes it"
    );
    assert!(plant.names("error").is_empty());
    fs::write(plant.path("in/a.csv"), "late").expect("written");
    plant.once(0);
    assert!(plant.names("in").is_empty());
    assert_eq!(
        plant
            .annals(&["list", "--status", "success", "--json"], 0)
            .lines()
            .count(),
        1
    );
}

/// A tester writes the head of a file, pauses for longer than `settle_s`, and writes the rest
/// through one handle.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_open_for_writing_is_taken_when_it_is_closed() {
    let plant = Plant::new("");
    let mut file = File::create(plant.path("in/a.csv")).expect("made");
    file.write_all(b"head").expect("written");
    let reader = File::open(plant.path("in/a.csv")).expect("there");
    let said = plant.once(0);
    assert!(
        said.contains("a program still has it open for writing"),
        "{said}"
    );
    assert_eq!(plant.names("in"), ["a.csv"]);
    file.write_all(b" and rest").expect("written");
    drop(file);
    // A program that only reads the file is not waited for.
    plant.once(0);
    drop(reader);
    assert!(plant.names("in").is_empty());
    let said = plant.annals(&["list", "--json"], 0);
    assert!(said.contains("\"size\":13"), "{said}");

    let held = File::create(plant.path("in/held.csv")).expect("made");
    (&held).write_all(b"log").expect("written");
    let config = fs::read_to_string(plant.path("host.toml")).expect("there");
    fs::write(
        plant.path("host.toml"),
        config + "wait_for_writers = false\n",
    )
    .expect("written");
    plant.once(0);
    assert!(plant.names("in").is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_or_unit_with_an_open_file_in_it_is_taken_when_that_is_closed() {
    for more in ["complete_marker = \"DONE\"", "companions = [\"{stem}/\"]"] {
        let plant = Plant::new(more);
        fs::create_dir(plant.path("in/unit")).expect("made");
        for name in ["in/unit.txt", "in/unit/DONE"] {
            fs::write(plant.path(name), "x").expect("written");
        }
        let held = File::create(plant.path("in/unit/trace")).expect("made");
        let said = plant.once(0);
        assert!(
            said.contains("a program still has it open for writing"),
            "{said}"
        );
        drop(held);
        plant.once(0);
        assert!(!plant.path("in/unit").exists());
    }
}

#[test]
fn an_unfinished_transfer_is_not_taken_and_the_finished_one_is() {
    let plant = Plant::new("ignore = [\"*.bak\"]");
    for name in [
        "a.csv.filepart",
        "b.csv.crdownload",
        "~$c.csv",
        "d.csv.part",
        "e.bak",
    ] {
        fs::write(plant.path("in").join(name), "x").expect("written");
    }
    let said = plant.once(0);
    assert!(said.contains("0 files found"), "{said}");
    fs::rename(plant.path("in/a.csv.filepart"), plant.path("in/a.csv")).expect("moved");
    plant.once(0);
    assert_eq!(plant.names("in").len(), 4);
}
