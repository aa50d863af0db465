//! Tests that all processes that a converter started end with it, whatever they did to leave its
//! process group.
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(settings: &str, script: &str) -> Self {
        let bench = Self {
            dir: tempfile::tempdir().expect("folder"),
        };
        let here = bench.dir.path().display().to_string();
        let config = format!(
            "[[converter]]\nname = \"t\"\nenvironment = \"sh\"\nbundle = [\"run.sh\"]\n{settings}\n"
        );
        fs::write(bench.path("host.toml"), config).expect("written");
        fs::write(bench.path("run.sh"), script.replace("HERE", &here)).expect("written");
        for unit in ["1.csv", "2.csv", "3.csv"] {
            fs::write(bench.path(unit), unit).expect("written");
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn convert(&self, units: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_annals"))
            .args(["--json", "convert", "--config", "host.toml"])
            .args(units)
            .current_dir(self.dir.path())
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("ANNALS_STORE")
            .output()
            .expect("the program starts")
    }

    /// Returns the file in `/proc` of the process whose number was written to `pid`.
    fn left(&self) -> PathBuf {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let number = fs::read_to_string(self.path("pid")).unwrap_or_default();
            if !number.trim().is_empty() {
                return Path::new("/proc").join(number.trim());
            }
            assert!(Instant::now() < until, "the converter left no process");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn check_gone(&self, what: &str) {
        let process = self.left();
        // A killed process may take a moment to disappear.
        let until = Instant::now() + Duration::from_secs(2);
        while process.exists() {
            assert!(Instant::now() < until, "{what}: it lives on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

const ONE_SHOT: &str = "command = [\"sh\", \"run.sh\", \"{input}\"]\n";

#[test]
fn a_process_in_a_session_of_its_own_ends_with_the_converter_that_timed_out() {
    let bench = Bench::new(
        &format!("{ONE_SHOT}timeout_s = 1"),
        "setsid sh -c 'echo $$ > HERE/pid; exec sleep 600' > /dev/null 2>&1 < /dev/null &\nsleep 600\n",
    );
    let done = bench.convert(&["1.csv"]);
    assert!(
        String::from_utf8_lossy(&done.stdout).contains("timed out"),
        "{done:?}"
    );
    bench.check_gone("a child with a session of its own");
}

#[test]
fn an_orphan_ends_with_the_converter_that_succeeded() {
    // Its parent ends at once, and it hides which converter it belongs to.
    let bench = Bench::new(
        ONE_SHOT,
        "(env -i setsid sh -c 'echo $$ > HERE/pid; exec sleep 600' > /dev/null 2>&1 < /dev/null &)\n\
         while [ ! -s HERE/pid ]; do sleep 0.01; done\necho '{}'\n",
    );
    let done = bench.convert(&["1.csv"]);
    assert!(done.status.success(), "{done:?}");
    bench.check_gone("an orphan");
}

/// Programs such as wine serve a converter from a process outside its process group. It must run on
/// while its converter runs, even when other processes of the converter end.
#[test]
fn what_a_running_worker_put_into_the_background_goes_on_until_the_worker_ends() {
    let worker = "(setsid sh -c 'echo $$ > HERE/pid; exec sleep 600' > /dev/null 2>&1 < /dev/null &)\n\
        while read -r line; do\n\
        id=$(printf %s \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\n\
        while [ ! -e HERE/other-ended ]; do sleep 0.01; done; sleep 0.5\n\
        kill -0 $(cat HERE/pid) && echo \"{\\\"id\\\":$id,\\\"status\\\":\\\"success\\\",\\\"report\\\":{}}\"\n\
        done\n";
    let bench = Bench::new(
        "mode = \"worker\"\ncommand = [\"sh\", \"run.sh\"]\nwatch_folder = \"in\"\nsettle_s = 0\ntimeout_s = 20\n\
         [[converter]]\nname = \"other\"\nenvironment = \"sh\"\nwatch_folder = \"other\"\nsettle_s = 0\n\
         command = [\"sh\", \"-c\", \"while [ ! -s HERE/pid ]; do sleep 0.01; done; touch HERE/other-ended; echo {}\", \"{input}\"]",
        worker,
    );
    let here = bench.dir.path().display().to_string();
    let config = fs::read_to_string(bench.path("host.toml")).expect("read");
    fs::write(bench.path("host.toml"), config.replace("HERE", &here)).expect("written");
    for folder in ["in", "other"] {
        fs::create_dir(bench.path(folder)).expect("made");
        fs::write(bench.path(folder).join("1.csv"), "1").expect("written");
    }
    let done = Command::new(env!("CARGO_BIN_EXE_annals"))
        .args(["host", "run", "host.toml", "--once"])
        .current_dir(bench.dir.path())
        .env_remove("HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("ANNALS_STORE")
        .output()
        .expect("the program starts");
    assert!(done.status.success(), "{done:?}");
    bench.check_gone("the background of a worker that ended");
}

/// A converter in its sandbox could make the host run verbs for it, outside the sandbox and with
/// the host's rights.
#[test]
fn a_converter_cannot_have_its_host_run_verbs_for_it() {
    let annals = env!("CARGO_BIN_EXE_annals");
    let script = format!(
        "'{annals}' -s HERE/store list > HERE/told 2>&1\necho $? > HERE/code\necho '{{}}'\n"
    );
    let settings = format!(
        "{ONE_SHOT}watch_folder = \"in\"\nsettle_s = 0\narchive_enabled = true\n[host]\nmin_free_disk_gb = 0\n[store]\npath = \"store\""
    );
    let bench = Bench::new(&settings, &script);
    fs::create_dir(bench.path("in")).expect("made");
    fs::write(bench.path("in/1.csv"), "1").expect("written");
    for words in [
        &["init", "store"][..],
        &["host", "run", "host.toml", "--once"],
    ] {
        let done = Command::new(annals)
            .args(words)
            .current_dir(bench.dir.path())
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("ANNALS_STORE")
            .output()
            .expect("the program starts");
        assert!(done.status.success(), "{done:?}");
    }
    let told = fs::read_to_string(bench.path("told")).expect("told");
    assert!(
        told.contains("a converter asks the host that runs it"),
        "{told}"
    );
    let code = fs::read_to_string(bench.path("code")).expect("told");
    assert_eq!(code.trim(), "5", "{told}");
}
