//! A plant for tests of the host: a folder with a watch folder, a converter, a configuration and a
//! store, and the program that runs over them.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses the part of the plant it needs"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub mod ending;

/// What a step may take on a machine that is busy with other things; nothing waits that long.
pub const LONG: Duration = Duration::from_secs(60);

/// A folder with a watch folder called `in`.
pub struct Plant {
    dir: tempfile::TempDir,
}

/// A host that ends when it is dropped.
pub struct Host(pub Child);

impl Drop for Host {
    fn drop(&mut self) {
        ending::let_go(&mut self.0);
    }
}

impl Plant {
    /// Makes the folder, without a store.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().expect("folder");
        fs::create_dir(dir.path().join("in")).expect("made");
        Self { dir }
    }

    /// Makes a plant with a converter's script, a configuration and a store.
    pub fn new(script: &str, config: &str) -> Self {
        let plant = Self::empty();
        plant.write("run.sh", script);
        plant.write("host.toml", config);
        plant.annals(&["init", "store"], 0);
        plant
    }

    /// Returns a plant with a store, and with `script` as its converter. `$WATCHED` in it becomes
    /// the path of the watch folder.
    pub fn watching(script: &str) -> Self {
        let plant = Self::empty();
        let watched = plant.path("in");
        plant.write(
            "run.sh",
            &script.replace("$WATCHED", &watched.to_string_lossy()),
        );
        plant.annals(&["init", "store"], 0);
        plant
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    /// Returns the program with arguments, in the plant's folder and over its store.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("ANNALS_STORE", "store")
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC");
        command
    }

    /// Runs the program to its end. Returns standard output and standard error.
    pub fn say(&self, args: &[&str], exit: i32) -> (String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(args).output().expect("started");
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert_eq!(status.code(), Some(exit), "{args:?}: {stderr}");
        (String::from_utf8(stdout).expect("UTF-8"), stderr)
    }

    /// Runs the program to its end. Returns standard output.
    pub fn annals(&self, args: &[&str], exit: i32) -> String {
        self.say(args, exit).0
    }

    /// Makes one pass. Returns all that is said.
    pub fn once(&self, exit: i32) -> String {
        let (out, err) = self.say(&["host", "run", "host.toml", "--once", "-v"], exit);
        out + &err
    }

    /// Starts a host.
    pub fn host(&self) -> Host {
        let mut command = self.command(&["host", "run", "host.toml"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Host(command.spawn().expect("started"))
    }

    /// Lists the names in a folder.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let items = fs::read_dir(self.path(folder)).into_iter().flatten();
        let mut names: Vec<String> = items
            .map(|item| item.expect("item").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Returns the newest entry.
    pub fn newest(&self) -> serde_json::Value {
        let listed = self.annals(&["list", "--json", "--limit", "1"], 0);
        serde_json::from_str(&listed).expect("one entry")
    }

    /// Returns the report of an entry.
    pub fn report(&self, id: &str) -> serde_json::Value {
        let report = self.annals(&["cat", id, "--report"], 0);
        serde_json::from_str(&report).expect("JSON")
    }
}

/// Waits until something has happened.
pub fn wait(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LONG, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
