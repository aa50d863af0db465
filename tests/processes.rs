//! Tests many processes on one store. Only one at a time has it, each gets its turn or a clear
//! error, and nothing acknowledged is lost, whichever process is killed.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use annals::archive::{Archive, NewEntry, Options};
use annals::{Error, ErrorKind};

const PROCESSES: usize = 50;
/// The exit code for a store that another process owns.
const LOCKED: i32 = 11;

fn annals(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    command.env_clear().arg("--store").arg(store);
    command.stdin(Stdio::null());
    command
}

fn options() -> Options {
    Options::default().journal_bytes(64 << 10)
}

fn output(mut child: Child) -> (Option<i32>, String, String) {
    let (mut out, mut errors) = (String::new(), String::new());
    let pipes = (child.stdout.take(), child.stderr.take());
    if let (Some(mut stdout), Some(mut stderr)) = pipes {
        stdout.read_to_string(&mut out).expect("UTF-8");
        stderr.read_to_string(&mut errors).expect("UTF-8");
    }
    (child.wait().expect("it ends").code(), out, errors)
}

fn succeeded(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn kind(result: Result<Archive, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Two processes that both believe to own a store would destroy it.
#[test]
fn fifty_processes_that_race_to_archive_get_their_turn_or_are_told_to_wait() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = dir.path().join("store");
    succeeded(
        &annals(&store)
            .args(["init"])
            .arg(&store)
            .output()
            .expect("run"),
    );
    let running: Vec<Child> = (0..PROCESSES)
        .map(|nth| {
            let file = dir.path().join(format!("unit-{nth}.csv"));
            std::fs::write(&file, format!("serial;SN{nth}\n")).expect("written");
            annals(&store)
                .args(["--json", "--journal-size", "64K", "archive", "-c", "ICT"])
                .arg(file)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("started")
        })
        .collect();
    let mut acknowledged = BTreeSet::new();
    let mut told_to_wait = 0;
    for child in running {
        match output(child) {
            (Some(0), out, _) => {
                let receipt: serde_json::Value = serde_json::from_str(&out).expect("a receipt");
                assert!(
                    acknowledged.insert(receipt["id"].as_u64()),
                    "an id given twice"
                );
            }
            (Some(LOCKED), out, errors) => {
                assert!(out.is_empty() && errors.contains("locked"), "{errors}");
                told_to_wait += 1;
            }
            (code, _, errors) => panic!("{code:?}: {errors}"),
        }
    }
    let listed = succeeded(
        &annals(&store)
            .args(["--json", "list"])
            .output()
            .expect("run"),
    );
    let listed: BTreeSet<Option<u64>> = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["id"].as_u64())
        .collect();
    assert_eq!(listed, acknowledged);
    assert!(!acknowledged.is_empty());
    succeeded(
        &annals(&store)
            .args(["verify", "--deep"])
            .output()
            .expect("run"),
    );
    println!(
        "processes {PROCESSES}, acknowledged {}, told to wait {told_to_wait}, lost 0",
        acknowledged.len()
    );
}

/// A lock that outlives its owner must be removed by hand, and removing one that is still in use
/// loses data.
#[test]
fn the_lock_of_a_process_that_was_killed_is_free_at_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = dir.path().join("store");
    succeeded(
        &annals(&store)
            .args(["init"])
            .arg(&store)
            .output()
            .expect("run"),
    );
    let fifo = dir.path().join("endless");
    std::fs::create_dir(&fifo).expect("made");
    for nth in 0..400 {
        std::fs::write(fifo.join(format!("unit-{nth}.csv")), vec![b'x'; 20_000]).expect("written");
    }
    let mut holder = annals(&store)
        .args(["--json", "archive", "-c", "ICT"])
        .arg(&fifo)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    // Its first receipt shows that it owns the store.
    let mut first = [0];
    let mut stdout = holder.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("a receipt");
    holder.kill().expect("killed");
    holder.wait().expect("it ends");
    let archive = Archive::open(&store, options()).expect("the lock is free");
    archive
        .put(NewEntry::new("ICT"), &b"after it"[..])
        .expect("archived");
    archive.close().expect("closed");
}

/// A converter that outlives its host must not keep the store from being opened.
#[test]
fn a_child_that_outlives_its_parent_keeps_neither_lock_nor_files() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = dir.path().join("store");
    let archive = Archive::create(&store, options()).expect("made");
    let mut child = Command::new("sleep").arg("30").spawn().expect("started");
    assert_eq!(
        kind(Archive::open(&store, options())),
        Some(ErrorKind::Locked),
        "one at a time, also in one process"
    );
    if cfg!(target_os = "linux") {
        let files = std::fs::read_dir(format!("/proc/{}/fd", child.id())).expect("a process");
        for file in files {
            let target = std::fs::read_link(file.expect("an entry").path()).unwrap_or_default();
            assert!(!target.starts_with(&store), "{}", target.display());
        }
    }
    archive.close().expect("closed");
    let again = Archive::open(&store, options().lock_wait(Duration::ZERO));
    assert_eq!(kind(again), None, "the child has the lock");
    child.kill().expect("killed");
    child.wait().expect("it ends");
}
