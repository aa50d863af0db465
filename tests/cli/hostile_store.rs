//! Tests stores from an attacker, with links, pipes and files of terabytes in place of the store's
//! own files. Verbs once removed or wrote files outside such a store, waited for ever, or used all
//! memory.
//!
//! Each test makes a store, replaces something in it, and runs the verbs that a curious receiver
//! would run.
#![cfg(all(feature = "cli", unix))]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The most time a verb may take for a store of one entry, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most address space of a verb; most of it is reserved for threads.
const ADDRESSES_KIB: u32 = 1 << 20;

const VERBS: [&[&str]; 9] = [
    &["archive", "a.csv", "-c", "T"],
    &["list"],
    &["cat", "3"],
    &["stats"],
    &["events"],
    &["verify"],
    &["compact"],
    &["rebuild"],
    &["repair", "--yes"],
];

struct Handed {
    dir: tempfile::TempDir,
}

impl Handed {
    /// Makes a store with one entry, beside a folder that must stay untouched.
    fn new() -> Self {
        let handed = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(handed.path("elsewhere")).expect("made");
        fs::write(handed.path("elsewhere/doc"), "precious").expect("written");
        fs::write(handed.path("a.csv"), "serial,SN1").expect("written");
        assert_eq!(handed.run(&["init", "store"]), Some(0));
        assert_eq!(handed.run(VERBS[0]), Some(0));
        handed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a verb and returns its exit code; `None` when a signal ended it. Fails when it takes
    /// too long.
    fn run(&self, words: &[&str]) -> Option<i32> {
        // A verb that asks for too much memory for one entry is ended by a signal.
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                &format!("ulimit -v {ADDRESSES_KIB}; exec \"$0\" \"$@\""),
            ])
            .arg(env!("CARGO_BIN_EXE_annals"));
        if words[0] != "init" {
            command.args(["--store", "store"]);
        }
        let mut verb = command
            .args(words)
            .current_dir(self.dir.path())
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("ANNALS_STORE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = verb.try_wait().expect("waited for") {
                return status.code();
            }
            if Instant::now() > until {
                verb.kill().expect("killed");
                panic!("{words:?} did not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn run_all(&self, what: &str) {
        for words in VERBS {
            let code = self.run(words);
            assert!(code.is_some(), "{what}: {words:?} was ended by a signal");
            self.check_elsewhere(&format!("{what}: {words:?}"));
        }
    }

    fn check_elsewhere(&self, what: &str) {
        let names: Vec<_> = fs::read_dir(self.path("elsewhere"))
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["doc"], "{what}");
        let doc = fs::read_to_string(self.path("elsewhere/doc")).expect("read");
        assert_eq!(doc, "precious", "{what}");
    }
}

/// The names of a store's files and folders.
const NAMES: [&str; 9] = [
    "FORMAT",
    "LOCK",
    "NEWEST",
    "index.redb",
    "events",
    "journal",
    "packs",
    "quarantine",
    "tmp",
];

fn replace(path: &Path, with: impl FnOnce(&Path)) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("removed");
    } else {
        // Some exist only after the store was closed.
        let _ = fs::remove_file(path);
    }
    with(path);
}

#[test]
fn a_link_in_a_store_leads_no_verb_out_of_it() {
    for name in NAMES {
        let handed = Handed::new();
        let path = handed.path("store").join(name);
        let is_dir = path.is_dir();
        let target = if is_dir {
            "../elsewhere"
        } else {
            "../elsewhere/doc"
        };
        replace(&path, |path| symlink(target, path).expect("linked"));
        handed.run_all(name);
    }
}

#[test]
fn a_link_that_leads_nowhere_makes_no_verb_create_what_it_names() {
    for name in ["LOCK", "NEWEST", "index.redb"] {
        let handed = Handed::new();
        let path = handed.path("store").join(name);
        replace(&path, |path| {
            symlink("../elsewhere/new", path).expect("linked");
        });
        handed.run_all(name);
    }
}

#[test]
fn a_pipe_in_a_store_makes_no_verb_wait() {
    let mkfifo = |path: &Path| {
        let made = Command::new("mkfifo").arg(path).status().expect("started");
        assert!(made.success());
    };
    for name in ["FORMAT", "LOCK", "NEWEST", "index.redb", "journal", "tmp"] {
        let handed = Handed::new();
        replace(&handed.path("store").join(name), mkfifo);
        handed.run_all(name);
    }
    let handed = Handed::new();
    replace(&handed.path("store/journal/0000.journal"), mkfifo);
    handed.run_all("a journal file");
}

/// The copy of a torn tail was read as a whole, and the index allocated memory by its length. A
/// sparse file of 2 TB ended the program.
#[test]
fn files_of_terabytes_of_holes_cost_neither_time_nor_memory() {
    const TERABYTES: u64 = 14 << 40;
    let handed = Handed::new();
    let holes = |name: &str| {
        let file = fs::File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(handed.path("store").join(name))
            .expect("opened");
        if file.set_len(TERABYTES).is_err() {
            // Not every file system supports this length.
            file.set_len(1 << 40).expect("long");
        }
    };
    let next = 4;
    holes(&format!("quarantine/torn-{next}-5784"));
    holes("index.redb");
    handed.run_all("holes");
}
