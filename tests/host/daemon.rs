//! Tests a host as a service: stopped, reloaded, out of disk space, killed. Each file must be
//! archived once and each attempt recorded.
#![cfg(all(unix, feature = "cli"))]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A generous limit for one step on a busy machine; nothing should take that long.
const LONG: Duration = Duration::from_secs(30);

const CONVERTER: &str = r#"case "$(cat "$1")" in
    hang*) echo $$ > hanging; sleep 600 ;;
    slow*) echo $$ > slow; while [ ! -e go ]; do sleep 0.02; done; printf '{"sn":"slow"}' ;;
    bad*) echo "no header" >&2; exit 1 ;;
    *) printf '{"sn":"%s"}' "$(cat "$1")" ;;
esac"#;

struct Plant {
    dir: tempfile::TempDir,
}

/// A running host, which ends when it is dropped.
struct Host {
    child: Child,
}

impl Drop for Host {
    fn drop(&mut self) {
        crate::plant::ending::let_go(&mut self.child);
    }
}

impl Plant {
    fn new() -> Self {
        let plant = Self {
            dir: tempfile::tempdir().expect("folder"),
        };
        fs::create_dir(plant.path("in")).expect("made");
        fs::write(plant.path("run.sh"), CONVERTER).expect("written");
        plant.configure("", "");
        plant.annals(&["init", "store"], 0);
        plant
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn configure(&self, host: &str, converter: &str) {
        let disk = if host.contains("min_free_disk_gb") {
            ""
        } else {
            "min_free_disk_gb = 0"
        };
        let scan = if host.contains("scan_every_s") {
            ""
        } else {
            "scan_every_s = 0.1"
        };
        let text = format!(
            "[store]\npath = \"store\"\n[host]\n{disk}\n{scan}\n{host}\n[[converter]]\nname = \"T\"\n\
             command = [\"sh\", \"run.sh\", \"{{input}}\"]\nenvironment = \"sh\"\nbundle = [\"run.sh\"]\n\
             watch_folder = \"in\"\nsettle_s = 0\narchive_enabled = true\npost_process = \"archive\"\n\
             error_folder = \"error\"\n{converter}\n"
        );
        // Replaced by a rename, as an editor does it, so that nobody reads half of it.
        fs::write(self.path("host.new"), text).expect("written");
        fs::rename(self.path("host.new"), self.path("host.toml")).expect("renamed");
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.path("in").join(name), content).expect("written");
    }

    fn left_in(&self, folder: &str) -> usize {
        fs::read_dir(self.path(folder)).map_or(0, Iterator::count)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("ANNALS_STORE")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC");
        command
    }

    fn annals(&self, args: &[&str], exit: i32) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(args).output().expect("started");
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(exit), "{args:?}: {stderr}");
        String::from_utf8(stdout).expect("UTF-8")
    }

    fn start(&self, more: &[&str], with: impl FnOnce(&mut Command)) -> Host {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .expect("opened");
        let mut command = self.command(&[&["host", "run", "host.toml"], more].concat());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        with(&mut command);
        let host = Host {
            child: command.spawn().expect("started"),
        };
        self.wait("the host to run", || {
            let status = self.status();
            status["state"] == "running" && status["scans"].as_u64() > Some(0)
        });
        host
    }

    fn host(&self) -> Host {
        self.start(&[], |_| {})
    }

    fn status(&self) -> serde_json::Value {
        let asked = self
            .command(&["-s", "store", "host", "status", "--json"])
            .output();
        let stdout = asked.expect("started").stdout;
        serde_json::from_slice(&stdout).unwrap_or_default()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(
                began.elapsed() < LONG,
                "waited for {what}; the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the attempts of each entry, by the name of its source.
    fn entries(&self) -> BTreeMap<String, Vec<Vec<String>>> {
        let mut entries: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for line in self
            .annals(&["-s", "store", "list", "--json", "--limit", "10000"], 0)
            .lines()
        {
            let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let attempts = entry["attempts"].as_array().expect("a list");
            let statuses = attempts
                .iter()
                .map(|attempt| attempt["status"].as_str().expect("text").to_owned());
            let name = entry["source_name"].as_str().expect("text").to_owned();
            entries.entry(name).or_default().push(statuses.collect());
        }
        entries
    }
}

impl Host {
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    fn ended(mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("known") {
                return status.code();
            }
            assert!(began.elapsed() < LONG, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn is_running(pid: &Path) -> bool {
    let Ok(text) = fs::read_to_string(pid) else {
        return false;
    };
    let stat = fs::read_to_string(format!("/proc/{}/stat", text.trim())).unwrap_or_default();
    // A process that ended but was not waited for does not count as running.
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_host_that_is_killed_again_and_again_archives_each_file_once_and_records_each_attempt() {
    let plant = Plant::new();
    for number in 0..200 {
        let content = if number % 10 == 0 {
            format!("bad {number}")
        } else {
            format!("SN{number}")
        };
        plant.put(&format!("{number}.csv"), &content);
    }
    let mut seed = 7_u64;
    for _ in 0..5 {
        let mut host = plant.start(&[], |_| {});
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis((seed >> 33) % 150));
        crate::plant::ending::kill(&mut host.child);
    }
    plant.annals(&["host", "run", "host.toml", "--once"], 3);
    assert_eq!((plant.left_in("in"), plant.left_in("error")), (0, 20));
    let entries = plant.entries();
    assert_eq!(entries.len(), 200);
    for (name, found) in entries {
        assert_eq!(found.len(), 1, "{name} is archived once");
        assert_eq!(found[0].len(), 1, "{name} has one attempt: {found:?}");
    }
    plant.annals(&["-s", "store", "verify"], 0);
}

#[test]
fn a_host_that_is_told_to_stop_lets_conversions_end_and_kills_what_does_not() {
    let plant = Plant::new();
    plant.configure("stop_within_s = 60", "");
    let host = plant.host();
    plant.put("slow.csv", "slow");
    plant.wait("the conversion", || plant.path("slow").exists());
    host.signal("-TERM");
    plant.wait("the host to stop", || plant.log().contains("stopping"));
    plant.put("late.csv", "SN1");
    fs::write(plant.path("go"), "").expect("written");
    assert_eq!(host.ended(), Some(143));
    assert_eq!(plant.entries()["slow.csv"], [["success"]]);
    assert_eq!(plant.left_in("in"), 1, "what came too late is left");

    plant.configure("stop_within_s = 0.2", "");
    let host = plant.host();
    plant.put("hang.csv", "hang");
    plant.wait("the conversion", || is_running(&plant.path("hanging")));
    host.signal("-INT");
    assert_eq!(host.ended(), Some(130));
    plant.wait("the converter to be gone", || {
        !is_running(&plant.path("hanging"))
    });
    assert_eq!(
        plant.entries()["hang.csv"],
        [Vec::<String>::new()],
        "archived, and no attempt"
    );
    assert_eq!(plant.left_in("in"), 1);

    fs::remove_file(plant.path("hanging")).expect("there");
    plant.configure("stop_within_s = 3600", "");
    let host = plant.host();
    plant.wait("the conversion", || is_running(&plant.path("hanging")));
    host.signal("-TERM");
    plant.wait("the host to stop", || plant.status()["state"] == "stopping");
    host.signal("-TERM");
    assert_eq!(host.ended(), Some(143), "a second signal ends at once");
}

#[test]
fn a_configuration_is_taken_over_while_the_host_runs_and_a_wrong_one_is_not() {
    let plant = Plant::new();
    let host = plant.host();
    fs::write(plant.path("host.toml"), "[host]\nmax_concurent = 2\n").expect("written");
    host.signal("-HUP");
    plant.wait("the refusal", || {
        plant.status()["configuration"]["refused"].is_string()
    });
    plant.wait("the log", || plant.log().contains("max_concurrent"));
    plant.put("1.csv", "SN1");
    plant.wait("the file", || plant.left_in("in") == 0);

    plant.configure("max_concurrent = 2", "version = \"2\"");
    host.signal("-HUP");
    plant.wait("the other", || {
        plant.status()["configuration"]["refused"].is_null()
    });
    plant.put("2.csv", "SN2");
    plant.wait("the file", || plant.left_in("in") == 0);
    let versions = |name: &str| {
        let found = plant.annals(&["-s", "store", "list", "--json", "--file", name], 0);
        let entry: serde_json::Value = serde_json::from_str(&found).expect("one");
        entry["converter_version"].clone()
    };
    assert!(versions("1.csv").is_null());
    assert_eq!(versions("2.csv"), "2");
    let events = plant.annals(&["-s", "store", "events", "--type", "config.changed"], 0);
    assert!(
        events.lines().count() >= 4,
        "each change is on record: {events}"
    );
    drop(host);

    let _host = plant.start(&["--watch-config"], |_| {});
    plant.configure("max_concurrent = 2", "version = \"3\"");
    plant.wait("the file to be noticed", || {
        plant.log().contains("another configuration is in force")
            && plant
                .annals(&["-s", "store", "events", "--type", "config.changed"], 0)
                .contains("version = \\\"3\\\"")
    });
}

/// Its threads kept freed memory: after waves of 10,000 files the host held 181 MB, of which 57
/// were in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_host_keeps_little_of_what_its_threads_let_go_of_unless_somebody_says_otherwise() {
    let plant = Plant::new();
    for (said, holds) in [(None, "2"), (Some("5"), "5")] {
        let host = plant.start(&[], |command| {
            command
                .env_remove("MALLOC_ARENA_MAX")
                .env_remove("MALLOC_MMAP_THRESHOLD_")
                .env_remove("MALLOC_TRIM_THRESHOLD_")
                .env_remove("GLIBC_TUNABLES");
            if let Some(said) = said {
                command.env("MALLOC_ARENA_MAX", said);
            }
        });
        // This reads the process that was started, because its parent knows the host by its number.
        let environment = format!("/proc/{}/environ", host.child.id());
        let environment = fs::read_to_string(environment).expect("read");
        let wanted = format!("MALLOC_ARENA_MAX={holds}");
        assert!(environment.split('\0').any(|set| set == wanted));
        host.signal("-TERM");
        assert_eq!(host.ended(), Some(143));
    }
}

/// Reloading a host that was still opening its store ended it.
#[test]
fn a_host_that_is_told_to_reload_while_it_starts_starts() {
    let plant = Plant::new();
    // A warning is the first output of a host, before it opens its store.
    plant.configure(
        "",
        "[[converter]]\nname = \"U\"\ncommand = [\"true\", \"{input}\"]\nwatch_folder = \"in\"\npatterns = [\"*.none\"]\npost_process = \"delete\"",
    );
    let mut command = plant.command(&["host", "run", "host.toml"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let stderr = child.stderr.take().expect("piped");
    let mut host = Host { child };
    let mut lines = BufReader::new(stderr).lines();
    let warned = lines.next().expect("a line").expect("text");
    assert!(warned.contains("deleted"), "{warned}");
    host.signal("-HUP");
    let told = lines
        .map_while(Result::ok)
        .any(|line| line.contains("another configuration is in force"));
    assert!(told, "it ended: {:?}", host.child.try_wait());
    host.signal("-TERM");
    assert_eq!(host.ended(), Some(143));
}

#[test]
fn a_nearly_full_disk_stops_the_intake_is_told_everywhere_and_goes_on_by_itself() {
    let plant = Plant::new();
    plant.configure(&format!("min_free_disk_gb = 10000\n{LISTEN}"), "");
    keep_token(&plant);
    let host = plant.host();
    let address = address(&plant);
    plant.put("1.csv", "SN1");
    plant.wait("the state", || plant.status()["disk"]["state"] == "low");
    plant.annals(&["-s", "store", "host", "status"], 3);
    let (code, body) = get(&address, "/healthz");
    assert_eq!(code, 503);
    assert!(body.contains("min_free_disk_gb"), "{body}");
    assert!(
        get(&address, "/metrics")
            .1
            .contains("\nannals_disk_low 1\n")
    );
    plant.wait("the log", || plant.log().contains("disk low"));
    assert_eq!(plant.left_in("in"), 1);

    plant.configure(&format!("min_free_disk_gb = 0\n{LISTEN}"), "");
    host.signal("-HUP");
    plant.wait("the file", || plant.left_in("in") == 0);
    plant.wait("the status", || plant.status()["disk"]["state"] == "enough");
    plant.annals(&["-s", "store", "host", "status"], 0);
}

#[test]
fn health_and_metrics_are_told_to_whoever_asks_and_nothing_else() {
    let plant = Plant::new();
    plant.configure(LISTEN, "");
    keep_token(&plant);
    let _host = plant.host();
    let address = address(&plant);
    // Silent clients must not delay others, however many they are.
    let _silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(&address).expect("connected"))
        .collect();
    plant.put("1.csv", "SN1");
    plant.put("2.csv", "bad");
    plant.wait("the files", || plant.left_in("in") == 0);
    plant.wait("the numbers", || {
        let (code, text) = get(&address, "/metrics");
        let has = |line: &str| text.lines().any(|told| told == line);
        code == 200
            && has("annals_up 1")
            && has("annals_files_archived_total{converter=\"T\"} 2")
            && has("annals_files_converted_total{converter=\"T\",outcome=\"success\"} 1")
            && has("annals_files_converted_total{converter=\"T\",outcome=\"failed\"} 1")
            && has("annals_archive_seconds_count 2")
    });
    let (code, body) = get(&address, "/healthz?x");
    assert_eq!(
        (code, body.contains("\"status\":\"ok\"")),
        (200, true),
        "{body}"
    );
    assert_eq!(get_with(&address, "/healthz", "").0, 200);
    assert_eq!(get_with(&address, "/metrics", "").0, 401);
    assert_eq!(get_with(&address, "/", "").0, 401);
    let post = format!(
        "POST /metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(ask(&address, &post).0, 405);
    // A request that a foreign page caused through its own host name is not answered.
    let foreign = format!(
        "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    );
    let (code, body) = ask(&address, &foreign);
    assert_eq!((code, body.contains("annals_up")), (403, false), "{body}");
    assert!(ask(&address, &"x".repeat(100_000)).0 >= 400);
}

/// A limit that is smaller than what waits in the folder took entries before they were converted.
#[test]
fn what_may_go_is_purged_by_a_running_host_and_the_rule_is_on_record() {
    let plant = Plant::new();
    for number in 0..5 {
        plant.put(&format!("{number}.csv"), &format!("SN{number}"));
    }
    plant.configure("retention_every_h = 0.0001", "max_archive_count = 2");
    let _host = plant.host();
    plant.wait("the purge", || {
        let status = plant.status();
        plant.left_in("in") == 0
            && status["stores"][0]["entries"] == 2
            && status["retention"]["purged"] == 3
    });
    let purged = plant.annals(&["-s", "store", "events", "--type", "purged"], 0);
    assert!(
        purged.contains("retention of converter 'T': expired"),
        "{purged}"
    );
    assert!(purged.contains("max-count 2"), "{purged}");
    assert_eq!(plant.status()["converters"][0]["successful"], 5);
    assert!(!plant.log().contains("ERROR"), "{}", plant.log());
}

#[test]
fn a_full_disk_stops_no_purge_and_needs_no_file_to_be_noticed() {
    let plant = Plant::new();
    for number in 0..5 {
        plant.put(&format!("{number}.csv"), &format!("SN{number}"));
    }
    plant.annals(&["host", "run", "host.toml", "--once"], 0);
    plant.configure("min_free_disk_gb = 10000", "max_archive_count = 1");
    let _host = plant.host();
    plant.wait("the purge", || {
        let status = plant.status();
        status["disk"]["state"] == "low" && status["retention"]["purged"] == 4
    });
}

#[test]
fn files_are_archived_while_a_converter_takes_its_time() {
    let plant = Plant::new();
    plant.configure("max_concurrent = 1", "");
    plant.put("0.csv", "slow");
    let host = plant.host();
    plant.wait("the conversion", || plant.path("slow").exists());
    for number in 1..=20 {
        plant.put(&format!("{number}.csv"), &format!("SN{number}"));
    }
    plant.wait("the archive", || {
        let status = plant.status();
        status["converters"][0]["archived"] == 21 && status["queue"]["to_convert"] == 20
    });
    assert_eq!(plant.status()["queue"]["converting"], 1);
    fs::write(plant.path("go"), "").expect("written");
    plant.wait("the files", || plant.left_in("in") == 0);
    assert_eq!(plant.status()["converters"][0]["successful"], 21);
    host.signal("-TERM");
    assert_eq!(host.ended(), Some(143));
}

#[test]
fn a_supervisor_is_told_and_the_log_is_json_where_that_is_asked_for() {
    let plant = Plant::new();
    plant.configure("log = \"json\"", "");
    let socket = UnixDatagram::bind(plant.path("notify")).expect("bound");
    socket.set_read_timeout(Some(LONG)).expect("set");
    let heard = || {
        let mut line = [0; 200];
        let length = socket.recv(&mut line).expect("told");
        String::from_utf8_lossy(&line[..length]).into_owned()
    };
    let host = plant.start(&[], |command| {
        command
            .env("NOTIFY_SOCKET", plant.path("notify"))
            .env("WATCHDOG_USEC", "200000");
    });
    assert_eq!(heard(), "READY=1\nSTATUS=watching 1 folder");
    assert_eq!(heard(), "WATCHDOG=1");
    host.signal("-HUP");
    let until = |what: &str| while heard() != what {};
    until("RELOADING=1");
    plant.put("1.csv", "bad");
    plant.wait("the file", || plant.left_in("error") == 1);
    host.signal("-TERM");
    until("STOPPING=1");
    assert_eq!(host.ended(), Some(143));
    let log = plant.log();
    let objects: Vec<serde_json::Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let failed = objects
        .iter()
        .find(|object| object["message"] == "not converted");
    let failed = failed.unwrap_or_else(|| panic!("{log}"));
    assert_eq!(
        (&failed["converter"], &failed["outcome"]),
        (&"T".into(), &"failed".into())
    );
    assert!(
        failed["error"]
            .as_str()
            .is_some_and(|error| error.contains("no header"))
    );
}

/// An environment variable left in a shell made a host archive into the store of another plant.
#[test]
fn a_host_follows_its_file_and_says_which_other_store_was_named() {
    let plant = Plant::new();
    plant.annals(&["init", "other"], 0);
    let host = plant.start(&[], |command| {
        command.env("ANNALS_STORE", "other");
    });
    plant.put("1.csv", "SN1");
    plant.wait("the file", || plant.left_in("in") == 0);
    assert_eq!(plant.entries().len(), 1, "in the store that the file names");
    let told = plant.log();
    assert!(
        told.contains("ANNALS_STORE names other, which is ignored"),
        "{told}"
    );
    host.signal("-TERM");
    assert_eq!(host.ended(), Some(143));
    // A store named on the command line counts, and the host says so.
    let mut run = plant.command(&["-s", "other", "host", "run", "host.toml", "--once"]);
    let ran = run.output().expect("started");
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(
        told.contains("the store is other, as --store says"),
        "{told}"
    );
    let mut again = plant.command(&["--config", "host.toml", "list", "--json"]);
    let told = again
        .env("ANNALS_STORE", "other")
        .output()
        .expect("started");
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("as ANNALS_STORE says, and not"), "{told}");
}

/// A full log disk ended the host during the night, once with exit code 0. A log collector that
/// stopped reading would have blocked it at its 257th line.
#[test]
fn whether_anybody_takes_what_a_host_says_does_not_matter_to_it() {
    let plant = Plant::new();
    plant.configure("log = \"json\"", "");
    let unread = plant.start(&["-v"], |command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    for number in 0..400 {
        plant.put(&format!("{number}.csv"), &format!("SN{number}"));
    }
    plant.wait("the files", || plant.left_in("in") == 0);
    let told = |what: &str| {
        let reasons = plant.status()["reasons"].to_string();
        reasons.contains(what)
    };
    plant.wait("the log that nobody reads to be told of", || {
        told("standard error cannot be written to: nobody has read it")
    });
    plant.annals(&["-s", "store", "host", "status"], 3);
    unread.signal("-TERM");
    assert_eq!(unread.ended(), Some(143));

    let full = plant.start(&[], |command| {
        let full = || {
            fs::File::options()
                .write(true)
                .open("/dev/full")
                .expect("there")
        };
        command.stdout(full()).stderr(full());
    });
    plant.put("1.csv", "SN1");
    plant.wait("the file", || plant.left_in("in") == 0);
    plant.wait("the full disk to be told of", || {
        told("standard output cannot be written to") && told("standard error cannot be")
    });
    full.signal("-TERM");
    assert_eq!(full.ended(), Some(143));

    let mut gone = plant.start(&[], |command| {
        command.stdout(Stdio::piped());
    });
    drop(gone.child.stdout.take());
    for number in 2..4 {
        plant.put(&format!("{number}.csv"), "SN2");
        plant.wait("the file", || plant.left_in("in") == 0);
    }
    gone.signal("-TERM");
    assert_eq!(gone.ended(), Some(143));
}

/// Two files stayed in their folders for a month, while status and `/healthz` reported no problem.
#[test]
fn what_stays_for_another_reason_than_its_turn_is_named_everywhere_until_it_is_over() {
    let plant = Plant::new();
    plant.configure(
        LISTEN,
        "follow_symlinks = true\nretry = { max_attempts = 1, delay_s = 0.2 }",
    );
    // A file is in the place where the error folder should be made.
    fs::write(plant.path("error"), "").expect("written");
    std::os::unix::fs::symlink("loop.csv", plant.path("in/loop.csv")).expect("made");
    keep_token(&plant);
    let _host = plant.host();
    let address = address(&plant);
    plant.put("1.csv", "SN1");
    plant.put("2.csv", "bad");
    plant.wait("the reasons", || {
        let status = plant.status();
        let reasons = status["reasons"].to_string();
        status["stuck"]["count"] == 2
            && reasons.contains("1 file cannot be taken: ")
            && reasons.contains("1 file cannot be cleared away: ")
    });
    assert!(!plant.path("in/1.csv").exists(), "the others go on");
    let page = plant.annals(&["-s", "store", "host", "status"], 3);
    assert!(
        page.contains("in/loop.csv: ") && page.contains("in/2.csv: "),
        "{page}"
    );
    assert_eq!(get(&address, "/healthz").0, 503);
    let metrics = get(&address, "/metrics").1;
    assert!(
        metrics.contains("\nannals_files_stuck{converter=\"T\"} 2\n"),
        "{metrics}"
    );

    fs::remove_file(plant.path("error")).expect("there");
    fs::remove_file(plant.path("in/loop.csv")).expect("there");
    plant.wait("it to be over", || {
        let status = plant.status();
        status["stuck"]["count"] == 0 && status["reasons"] == serde_json::json!([])
    });
    assert_eq!((plant.left_in("in"), plant.left_in("error")), (0, 1));
    // The answer may be a moment old.
    plant.wait("health", || get(&address, "/healthz").0 == 200);
}

/// An update renamed the interpreter. By the morning the whole backlog was in the error folder, and
/// each file had a final failed attempt.
#[test]
fn a_converter_that_cannot_run_stops_its_line_keeps_its_files_and_goes_on_by_itself() {
    let plant = Plant::new();
    fs::create_dir(plant.path("other")).expect("made");
    plant.configure(
        "",
        "[[converter]]\nname = \"U\"\ncommand = [\"./later\", \"{input}\"]\nenvironment = \"sh\"\n\
         watch_folder = \"other\"\nsettle_s = 0\narchive_enabled = true\npost_process = \"archive\"\n\
         error_folder = \"error\"",
    );
    plant.annals(&["host", "check", "host.toml"], 1);
    let host = plant.host();
    for number in 0..20 {
        fs::write(plant.path(&format!("other/{number}.csv")), "SN").expect("written");
        plant.put(&format!("{number}.csv"), "SN");
    }
    plant.wait("the line to be stopped", || {
        let status = plant.status();
        let trials = status["converters"][1]["stopped"]["trials"].as_u64();
        trials > Some(1)
            && status["reasons"]
                .to_string()
                .contains("there is no such program")
    });
    plant.wait("the other line", || plant.left_in("in") == 0);
    assert_eq!((plant.left_in("other"), plant.left_in("error")), (20, 0));
    assert_eq!(plant.log().matches("a converter cannot run").count(), 1);
    for (more, exit) in [("--dry-run", 1), ("--json", 1)] {
        let args = ["--config", "host.toml", "reprocess", "-c", "U", more];
        let told = plant.annals(&args, exit);
        if more == "--json" {
            let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
            assert_eq!(
                (&told["not_tried"], &told["failed"]),
                (&20.into(), &0.into())
            );
        }
    }
    fs::write(plant.path("new"), "#!/bin/sh\necho '{}'\n").expect("written");
    let made = Command::new("chmod")
        .arg("700")
        .arg(plant.path("new"))
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    fs::rename(plant.path("new"), plant.path("later")).expect("renamed");
    plant.wait("the line to go on", || plant.left_in("other") == 0);
    let attempts: Vec<_> = plant.entries().into_values().flatten().collect();
    assert_eq!(attempts, vec![vec!["success".to_owned()]; 40]);
    plant.annals(&["-s", "store", "host", "status"], 0);
    host.signal("-TERM");
    assert_eq!(host.ended(), Some(143));
}

/// Returns the address at which the host says that it listens.
fn address(plant: &Plant) -> String {
    let told = plant.log();
    let (_, rest) = told
        .split_once("http://")
        .unwrap_or_else(|| panic!("{told}"));
    rest.split('/').next().expect("an address").to_owned()
}

/// What a host that is asked over HTTP has in its configuration.
const LISTEN: &str = "listen = \"127.0.0.1:0\"\ntoken_file = \"token\"";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Writes the file of the token that [`LISTEN`] names.
fn keep_token(plant: &Plant) {
    let file = plant.path("token");
    fs::write(&file, TOKEN).expect("written");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(file, private).expect("set");
}

/// Asks with the token of [`LISTEN`].
fn get(address: &str, path: &str) -> (u16, String) {
    get_with(address, path, &format!("Authorization: Bearer {TOKEN}\r\n"))
}

fn get_with(address: &str, path: &str, lines: &str) -> (u16, String) {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}\r\n"),
    )
}

fn ask(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(LONG)).expect("set");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    // A client that sends more than is read is disconnected after the answer.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.unwrap_or(0), body.to_owned())
}
