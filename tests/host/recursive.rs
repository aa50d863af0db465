//! Tests watch folders that are read with their subfolders.
#![cfg(all(unix, feature = "cli"))]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::plant::{Plant, wait};

const CONVERTER: &str = "grep -q bad \"$1\" && { echo no header >&2; exit 1; }\n\
     printf '{\"sn\":\"%s\"}' \"$(cat \"$1\")\"\n";

fn plant(more: &str) -> Plant {
    let text = format!(
        "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\nscan_every_s = 0.1\n\
         [[converter]]\nname = \"T\"\ncommand = [\"sh\", \"run.sh\", \"{{input}}\"]\n\
         environment = \"sh\"\nbundle = [\"run.sh\"]\nwatch_folder = \"in\"\npatterns = [\"*.csv\"]\n\
         settle_s = 0\narchive_enabled = true\nerror_folder = \"error\"\nrecursive = true\n{more}\n"
    );
    Plant::new(CONVERTER, &text)
}

fn put(plant: &Plant, name: &str, content: &str) {
    let path = plant.path("in").join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, content).expect("written");
}

/// Returns the files below a folder, by their paths in it.
fn below(plant: &Plant, folder: &str) -> BTreeSet<String> {
    let root = plant.path(folder);
    let (mut found, mut ahead) = (BTreeSet::new(), vec![root.clone()]);
    while let Some(folder) = ahead.pop() {
        for item in fs::read_dir(folder).into_iter().flatten().flatten() {
            if item.file_type().expect("known").is_dir() {
                ahead.push(item.path());
            } else {
                let path = item.path();
                let path = path.strip_prefix(&root).expect("inside");
                found.insert(path.to_string_lossy().into_owned());
            }
        }
    }
    found
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn entries(plant: &Plant) -> Vec<Value> {
    let listed = plant.annals(&["list", "--json", "--limit", "1000"], 0);
    let lines = listed.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// A line writes a folder for each day, and the numbers of its units begin anew each day.
#[test]
fn equal_names_of_two_subfolders_stay_apart() {
    for (action, done) in [
        ("move", set(&["a.csv", "mon/a.csv", "tue/late/a.csv"])),
        (
            "zip",
            set(&["a.csv.zip", "mon/a.csv.zip", "tue/late/a.csv.zip"]),
        ),
        ("archive", set(&[])),
    ] {
        let plant = plant(&format!(
            "post_process = \"{action}\"\ndone_folder = \"done\""
        ));
        for (name, content) in [
            ("a.csv", "SN1"),
            ("mon/a.csv", "SN2"),
            ("tue/late/a.csv", "SN3"),
            ("mon/bad.csv", "bad 1"),
            ("tue/bad.csv", "bad 2"),
            ("mon/notes.txt", "of nobody"),
            (".stversions/a.csv", "old"),
            ("@eaDir/a.csv", "of a disk station"),
        ] {
            put(&plant, name, content);
        }
        // A folder that contains itself, by a link.
        symlink("..", plant.path("in/tue/loop")).expect("made");
        let said = plant.once(3);
        assert!(said.contains("3 of 5 converted"), "{action}: {said}");
        assert!(said.contains("mon/bad.csv failed (entry"), "{said}");
        assert!(said.contains("no header"), "{said}");
        assert_eq!(below(&plant, "done"), done, "{action}");
        assert_eq!(below(&plant, "error"), set(&["mon/bad.csv", "tue/bad.csv"]));
        let left = [
            ".stversions/a.csv",
            "@eaDir/a.csv",
            "mon/notes.txt",
            "tue/loop",
        ];
        assert_eq!(below(&plant, "in"), set(&left), "{action}");
        assert!(
            plant.path("in/tue/late").is_dir(),
            "a station may still write there"
        );
        assert_eq!(entries(&plant).len(), 5);
    }
}

/// A folder that is copied in, moved in, or made while the host runs.
#[test]
fn folders_that_come_while_the_host_runs_are_read() {
    let plant = plant("post_process = \"archive\"");
    let _host = plant.host();
    put(&plant, "first/1.csv", "SN1");
    wait("a new folder", || !plant.path("in/first/1.csv").exists());
    let elsewhere = plant.path("elsewhere");
    fs::create_dir_all(elsewhere.join("deep/er")).expect("made");
    fs::write(elsewhere.join("deep/er/2.csv"), "SN2").expect("written");
    fs::rename(&elsewhere, plant.path("in/moved")).expect("moved");
    wait("a folder moved in", || {
        !plant.path("in/moved/deep/er/2.csv").exists()
    });
    put(&plant, "first/3.csv", "SN3");
    wait("a later file", || !plant.path("in/first/3.csv").exists());
    assert_eq!(entries(&plant).len(), 3);
}

/// The host is killed in the middle of its work, and the next one goes on: each file is one entry
/// and arrives once.
#[test]
fn a_killed_host_loses_and_repeats_nothing_in_subfolders() {
    let plant = plant("post_process = \"move\"\ndone_folder = \"done\"");
    let mut names = BTreeSet::new();
    for unit in 0..120 {
        let name = format!("line{}/day{}/u{}.csv", unit % 4, unit % 3, unit / 12);
        put(&plant, &name, &format!("SN{unit}"));
        names.insert(name);
    }
    assert_eq!(names.len(), 120);
    for so_far in [10, 40, 70] {
        let mut host = plant.host();
        wait("some files", || below(&plant, "done").len() >= so_far);
        host.0.kill().expect("killed");
        host.0.wait().expect("ended");
    }
    plant.once(0);
    assert_eq!(below(&plant, "done"), names);
    assert_eq!(below(&plant, "in"), set(&[]));
    let paths: BTreeSet<String> = entries(&plant)
        .iter()
        .map(|entry| entry["source_path"].as_str().expect("a path").to_owned())
        .collect();
    assert_eq!(paths.len(), 120);
    assert_eq!(entries(&plant).len(), 120);
}

/// Files of a subfolder that cannot be read must not be forgotten silently, and the others go on.
#[test]
fn a_subfolder_that_cannot_be_listed_is_told_and_keeps_nobody_else() {
    use std::os::unix::fs::PermissionsExt;
    let plant = plant("post_process = \"archive\"");
    put(&plant, "closed/1.csv", "SN1");
    put(&plant, "open/2.csv", "SN2");
    let closed = plant.path("in/closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).expect("set");
    if fs::read_dir(&closed).is_ok() {
        println!("skipped: this account may read everything");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("set");
        return;
    }
    let said = plant.once(3);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("set");
    assert!(said.contains("in/closed"), "{said}");
    assert!(!plant.path("in/open/2.csv").exists());
}
