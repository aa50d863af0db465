//! Tests verbs while a host owns the store. They are sent to the host, and must print what they
//! would print without it. When client or host dies, the other continues or is told.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The most time that anything here may take, on any machine.
const PATIENCE: Duration = Duration::from_mins(1);

const CONFIG: &str = r#"[store]
path = "store"
[host]
min_free_disk_gb = 0
[[converter]]
name = "ICT"
version = "1.1.0"
watch_folder = "watch"
patterns = ["*.csv"]
command = ["sh", "ict.sh", "{input}"]
bundle = ["ict.sh"]
environment = "sh"
settle_s = 0
archive_enabled = true
post_process = "archive"
"#;

/// How outputs are compared. Times and durations are blurred only where a verb makes something new.
#[derive(Clone, Copy, PartialEq)]
enum Compare {
    Exactly,
    ButForTimes,
}
use Compare::{ButForTimes, Exactly};

struct Case {
    args: &'static [&'static str],
    stdin: &'static str,
    exit: i32,
    compare: Compare,
}

const fn case(args: &'static [&'static str], exit: i32, compare: Compare) -> Case {
    Case {
        args,
        stdin: "",
        exit,
        compare,
    }
}

/// Every verb that is sent to the owner. Several files are archived in no fixed order, with an
/// owner or without.
const CASES: &[Case] = &[
    case(
        &["archive", "one", "-c", "ICT", "--meta", "line=3"],
        0,
        ButForTimes,
    ),
    case(
        &["--json", "archive", "in/a.csv", "missing.csv", "-c", "ICT"],
        3,
        ButForTimes,
    ),
    Case {
        stdin: "from a pipe\n",
        ..case(
            &[
                "archive", "-", "--name", "dump.log", "-c", "FCT", "--key", "run-1",
            ],
            0,
            ButForTimes,
        )
    },
    case(
        &["report", "3", "report.json", "--report-id", "8f2c91aa"],
        0,
        ButForTimes,
    ),
    Case {
        stdin: "{\"sn\":\"SN1\"}",
        ..case(&["--json", "report", "3", "-"], 0, ButForTimes)
    },
    case(&["report", "999", "report.json"], 4, Exactly),
    case(&["report", "3", "--resubmit"], 4, Exactly),
    case(
        &["note", "3", "--label", "recall", "--reason", "ticket 881"],
        0,
        ButForTimes,
    ),
    case(
        &[
            "note",
            "999",
            "--label",
            "recall",
            "--reason",
            "a typing error",
        ],
        4,
        Exactly,
    ),
    case(&["list", "--label", "recall"], 0, Exactly),
    case(&["list"], 0, Exactly),
    case(
        &[
            "list",
            "-o",
            "wide",
            "--sort",
            "size:desc",
            "--limit",
            "2",
            "--color",
            "always",
        ],
        0,
        Exactly,
    ),
    case(
        &["--utc", "list", "--json", "--from", "yesterday"],
        0,
        Exactly,
    ),
    case(&["list", "--from", "no such day"], 2, Exactly),
    case(&["find", "SN1"], 0, Exactly),
    case(&["find", "nothing-of-that-name"], 4, Exactly),
    case(&["show", "3"], 0, Exactly),
    case(&["show", "3", "--json"], 0, Exactly),
    case(&["show", "999", "-v"], 4, Exactly),
    case(&["cat", "3"], 0, Exactly),
    case(&["cat", "3", "--report"], 0, Exactly),
    case(&["restore", "3", "--to", "back"], 0, Exactly),
    case(
        &[
            "--json",
            "restore",
            "3",
            "999",
            "--to",
            "./back/again",
            "--original-names",
        ],
        3,
        Exactly,
    ),
    case(&["diff", "3"], 0, Exactly),
    case(&["convert", "3", "--config", "host.toml"], 0, ButForTimes),
    case(&["convert", "3", "--config", "missing.toml"], 2, Exactly),
    case(
        &[
            "reprocess",
            "-c",
            "ICT",
            "--config",
            "host.toml",
            "--dry-run",
        ],
        0,
        Exactly,
    ),
    case(
        &[
            "--json",
            "reprocess",
            "3",
            "--config",
            "host.toml",
            "--reason",
            "again",
        ],
        0,
        ButForTimes,
    ),
    case(&["failures"], 0, Exactly),
    case(&["failures", "--json", "-c", "ICT"], 0, Exactly),
    case(&["promotion", "list"], 0, Exactly),
    case(&["promotion", "show", "no such one"], 4, Exactly),
    case(
        &[
            "convert",
            "test",
            "ICT",
            "--over",
            "all",
            "--config",
            "host.toml",
            "--json",
        ],
        0,
        ButForTimes,
    ),
    case(
        &["convert", "3", "--no-record", "--config", "host.toml"],
        0,
        ButForTimes,
    ),
    case(&["job", "changes", "999"], 4, Exactly),
    case(&["list", "--suspicious"], 0, Exactly),
    case(&["job", "list"], 0, Exactly),
    case(&["job", "show", "999"], 4, Exactly),
    case(
        &[
            "retention",
            "preview",
            "--max-count",
            "1",
            "--plan",
            "plan.json",
        ],
        0,
        Exactly,
    ),
    case(&["retention", "apply", "--max-count", "1"], 5, Exactly),
    case(
        &["retention", "apply", "--max-count", "1", "--yes", "--json"],
        0,
        ButForTimes,
    ),
    case(&["retention", "pending"], 0, Exactly),
    case(&["retention", "locks", "--json"], 0, Exactly),
    case(&["retention", "explain", "3", "--json"], 0, Exactly),
    case(
        &["retention", "undo", "no-plan", "--reason", "a slip"],
        4,
        Exactly,
    ),
    case(
        &[
            "retention",
            "lock",
            "law",
            "--keep",
            "10y",
            "--mode",
            "governance",
            "--reason",
            "law",
        ],
        0,
        ButForTimes,
    ),
    case(
        &["view", "save", "Failed", "--status", "failed"],
        0,
        ButForTimes,
    ),
    case(&["view", "list"], 0, Exactly),
    case(&["view", "drop", "Failed"], 4, Exactly),
    case(&["list", "--view", "Failed"], 4, Exactly),
    case(&["hold", "list", "--json"], 0, Exactly),
    case(
        &["hold", "add", "3", "--name", "audit", "--reason", "IATF"],
        0,
        ButForTimes,
    ),
    case(
        &["hold", "release", "recall", "--reason", "closed"],
        0,
        ButForTimes,
    ),
    case(&["privacy", "declare", "meta.line"], 0, ButForTimes),
    case(&["privacy", "declare", "source_name"], 2, Exactly),
    case(&["privacy", "show", "--json"], 0, Exactly),
    case(
        &[
            "erase", "3", "--field", "station", "--reason", "asked", "--yes",
        ],
        4,
        Exactly,
    ),
    case(&["compact", "--json"], 0, Exactly),
    case(&["backup", "saved", "--dry-run", "--json"], 0, Exactly),
    case(&["backup", "store/saved"], 5, Exactly),
    case(&["stats"], 0, Exactly),
    case(&["stats", "--by", "status", "--json"], 0, Exactly),
    case(&["stats", "--by", "day"], 0, Exactly),
    case(&["stats", "--by", "hour", "--json"], 0, Exactly),
    case(&["verify", "--deep"], 0, Exactly),
    case(&["verify", "--record"], 0, ButForTimes),
    case(&["review", "--from", "1", "--to", "3"], 0, Exactly),
    case(
        &[
            "review",
            "--to",
            "3",
            "--verdict",
            "accepted",
            "--reason",
            "weekly",
        ],
        0,
        ButForTimes,
    ),
    case(&["review", "--from", "999"], 4, Exactly),
    case(&["key", "show"], 4, Exactly),
    case(&["checkpoint"], 5, Exactly),
    case(&["prove", "3"], 5, Exactly),
    case(&["export", "bundle"], 5, Exactly),
    case(&["rebuild"], 0, Exactly),
    case(&["events", "--from", "1"], 0, Exactly),
    case(&["events", "--type", "archived", "--json"], 0, Exactly),
];

/// Verbs that are not sent to an owner, with the reason.
const ASK_NOBODY: &[(&str, &str)] = &[
    ("init", "makes a store, and refuses a folder that is one"),
    ("repair", "refused while somebody owns the store"),
    (
        "serve",
        "goes on until it is told to end; see `web_security`",
    ),
    (
        "host",
        "is the owner, or asks how it is; see the tests below",
    ),
    (
        "restore-store",
        "makes a store, and refuses a folder that is one",
    ),
    (
        "confirm-move",
        "no host is started on a store that needs it",
    ),
    ("config", "needs no store"),
    ("demo", "makes its own store"),
    ("completions", "needs no store"),
    ("verify-export", "needs no store"),
    ("verify-proof", "needs no store"),
    ("man", "needs no store"),
    ("help", "needs no store"),
];

struct Plant {
    dir: tempfile::TempDir,
}

struct Host {
    child: Child,
}

impl Drop for Host {
    fn drop(&mut self) {
        crate::ending::let_go(&mut self.child);
    }
}

impl Plant {
    /// Makes a store with everything that verbs need, and the files around it.
    fn new() -> Self {
        let plant = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        for folder in ["in", "one", "watch"] {
            fs::create_dir_all(plant.path(folder)).expect("made");
        }
        for (name, content) in [
            ("host.toml", CONFIG),
            (
                "ict.sh",
                "printf '{\"status\":\"success\",\"report\":{\"sn\":\"%s\"}}' \"$(cat \"$1\")\"\n",
            ),
            ("in/a.csv", "SN1"),
            ("in/b.csv", "SN2"),
            ("more.csv", "SN3"),
            ("one/d.csv", "SN5"),
            ("report.json", "{\"sn\":\"SN1\",\"result\":\"P\"}"),
        ] {
            fs::write(plant.path(name), content).expect("written");
        }
        plant.done(&["init", "store", "--journal-size", "64K"]);
        plant.done(&["archive", "in", "-c", "ICT", "--serial", "SN1042"]);
        plant.done(&["report", "3", "report.json", "--report-id", "8f2c"]);
        plant.done(&["report", "3", "in/a.csv"]);
        plant.done(&[
            "hold", "add", "4", "--name", "recall", "--reason", "returns",
        ]);
        fs::write(plant.path("watch/c.csv"), "SN4").expect("written");
        plant.done(&["host", "run", "host.toml", "--once"]);
        plant.done(&["reprocess", "3", "--config", "host.toml"]);
        plant
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("plant").join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
        command
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "JST-9")
            .env("ANNALS_STORE", "store")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str], stdin: &[u8]) -> Output {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        let handed_in = stdin.to_owned();
        let handing = thread::spawn(move || {
            // A program that wants no more input closes its end.
            let _ = pipe.write_all(&handed_in);
        });
        let output = ended(child);
        handing.join().expect("no panic");
        output
    }

    fn done(&self, args: &[&str]) -> String {
        told(self.run(args, b""), 0, args)
    }

    /// Starts a host and waits until it answers with a good status.
    fn host(&self) -> Host {
        self.host_whose_status_is(0)
    }

    /// Starts a host and waits until its status has this exit code.
    fn host_whose_status_is(&self, code: i32) -> Host {
        let mut command = self.command(&["host", "run", "host.toml"]);
        let child = command.env("TZ", "UTC0").spawn().expect("starts");
        let mut host = Host { child };
        let began = Instant::now();
        loop {
            let asked = self.run(&["host", "status"], b"");
            match asked.status.code() {
                Some(exit) if exit == code => return host,
                _ if began.elapsed() > PATIENCE
                    || host.child.try_wait().expect("known").is_some() =>
                {
                    panic!("{}", String::from_utf8_lossy(&asked.stderr))
                }
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

fn ended(mut child: Child) -> Output {
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut all = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut all));
            all
        })
    };
    let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as _);
    let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as _);
    let (stdout, stderr) = (drain(stdout), drain(stderr));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("known") {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().expect("killed");
            panic!("it hangs");
        }
        thread::sleep(Duration::from_millis(2));
    };
    Output {
        status,
        stdout: stdout.join().expect("no panic"),
        stderr: stderr.join().expect("no panic"),
    }
}

fn told(output: Output, code: i32, args: &[&str]) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Copies a folder, without sockets.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let kind = entry.file_type().expect("known");
        let to = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_file() {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Replaces the digits of times such as `2026-03-01T08:30:00.123456+01:00`, `2026-03-01 08:30:00`
/// and `"duration_ms":12` by dots.
fn blurred(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let is_time = rest.len() >= 19
            && "dddd-dd-dd?dd:dd:dd"
                .chars()
                .zip(rest)
                .all(|(pattern, c)| match pattern {
                    'd' => c.is_ascii_digit(),
                    '?' => matches!(c, 'T' | ' '),
                    sign => *c == sign,
                });
        if is_time {
            out.push_str("TIME");
            at += 19;
            while chars
                .get(at)
                .is_some_and(|c| c.is_ascii_digit() || ".+-:Z".contains(*c))
            {
                at += 1;
            }
            continue;
        }
        out.push(chars[at]);
        at += 1;
        let measured = ["duration_ms\":", "in ", "monotonicms\":"];
        if measured.iter().any(|word| out.ends_with(word)) {
            while chars.get(at).is_some_and(char::is_ascii_digit) {
                at += 1;
            }
        }
        // The plan id depends on the time at which the plan was made.
        if out.ends_with("plan_id\":\"") {
            while chars.get(at).is_some_and(char::is_ascii_hexdigit) {
                at += 1;
            }
        }
    }
    out
}

#[derive(Debug, PartialEq)]
struct Answer {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
    /// The content of the store and of the folders around it afterwards.
    left: Vec<String>,
}

fn answer(plant: &Plant, case: &Case, host: Option<Host>) -> Answer {
    let output = plant.run(case.args, case.stdin.as_bytes());
    drop(host);
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).expect("UTF-8");
        match case.compare {
            Exactly => text,
            ButForTimes => blurred(&text),
        }
    };
    let mut left: Vec<String> = [
        &["list", "--json", "--purged", "--utc"][..],
        &["hold", "list", "--json", "--utc"],
        &["job", "list", "--json", "--utc"],
    ]
    .iter()
    .map(|args| blurred(&plant.done(args)))
    .collect();
    if let Ok(names) = fs::read_dir(plant.path("back")) {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name();
        left.extend(names.map(|entry| name(entry).to_string_lossy().into_owned()));
        left[3..].sort();
    }
    Answer {
        exit: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        left,
    }
}

#[test]
fn every_verb_says_and_does_the_same_with_a_host_as_without() {
    let plant = Plant::new();
    let kept = plant.dir.path().join("kept");
    fs::rename(plant.path(""), &kept).expect("renamed");
    let anew = || {
        if plant.path("").exists() {
            fs::remove_dir_all(plant.path("")).expect("removed");
        }
        copy(&kept, &plant.path(""));
    };
    for case in CASES {
        anew();
        let alone = answer(&plant, case, None);
        anew();
        let host = plant.host();
        let asked = answer(&plant, case, Some(host));
        assert_eq!(
            alone.exit,
            Some(case.exit),
            "{:?}: {}",
            case.args,
            alone.stderr
        );
        assert_eq!(asked, alone, "{:?}", case.args);
    }
    println!("{} commands, each both ways", CASES.len());
}

#[test]
fn every_verb_is_compared_or_asks_nobody() {
    let help = Command::new(env!("CARGO_BIN_EXE_annals"))
        .arg("--help")
        .output();
    let help = String::from_utf8(help.expect("runs").stdout).expect("UTF-8");
    let (_, below) = help.split_once("\nFind\n").expect("a list of verbs");
    let verbs: BTreeSet<&str> = below
        .lines()
        .take_while(|line| !line.starts_with("Options"))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let compared = CASES.iter().filter_map(|case| {
        let verb = case.args.iter().find(|arg| !arg.starts_with('-'));
        verb.copied()
    });
    let known: BTreeSet<&str> = compared
        .chain(ASK_NOBODY.iter().map(|(verb, _)| *verb))
        .collect();
    assert_eq!(verbs, known);
}

#[test]
fn a_host_tells_how_it_is_and_what_cannot_be_done_while_it_runs_is_refused() {
    let plant = Plant::new();
    let none = plant.run(&["host", "status", "--json"], b"");
    assert!(told(none, 4, &["host", "status"]).starts_with("{\"running\":false"));
    let host = plant.host();
    let status = plant.done(&["host", "status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["running"], true);
    assert_eq!(status["pid"], host.child.id());
    assert_eq!(status["watches"][0]["converter"], "ICT");
    for args in [
        &["repair"][..],
        &["repair", "--dry-run"],
        &["init", "store"],
        &["host", "run", "host.toml", "--once"],
    ] {
        told(plant.run(args, b""), 5, args);
    }
    fs::write(plant.path("watch/new.csv"), "SN77").expect("written");
    let began = Instant::now();
    while plant.run(&["find", "new.csv"], b"").status.code() != Some(0) {
        assert!(
            began.elapsed() < PATIENCE,
            "the host goes on with its own work"
        );
    }
}

/// A host opened a store whose journal had lost its end, and answered every client as if the store
/// were complete.
#[test]
fn a_host_of_a_damaged_store_says_so_to_whoever_asks() {
    let plant = Plant::new();
    let journal = plant.path("store/journal/0001.journal");
    let bytes = fs::read(&journal).expect("there");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("events");
    // Cut half of the newest event.
    fs::write(&journal, &bytes[..end - 100]).expect("cut");
    let _host = plant.host_whose_status_is(6);
    for args in [
        &["host", "status"][..],
        &["list"],
        &["find", "SN1042"],
        &["find", "nothing-of-that-name"],
        &["stats"],
        &["retention", "preview", "--max-count", "0"],
        &["hold", "list"],
        &["events"],
        &["archive", "more.csv", "-c", "ICT"],
    ] {
        let output = plant.run(args, b"");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(6), "{args:?}: {said}");
        assert!(said.contains("bytes are left of"), "{args:?}: {said}");
    }
    let listed = plant.run(&["list", "--json"], b"");
    let listed = String::from_utf8_lossy(&listed.stdout).lines().count();
    assert_eq!(listed, 3, "what is left can be used");
}

/// A line cannot be stopped each night for its backup. What is copied while it runs must be the
/// state of a single moment.
#[test]
fn a_store_is_backed_up_while_its_host_runs_and_restored_beside_it() {
    let plant = Plant::new();
    let host = plant.host();
    let saved = ["--json", "backup", "saved"];
    let first = plant.done(&saved);
    let first: serde_json::Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(first["complete"], true);
    plant.done(&["archive", "more.csv", "-c", "ICT"]);
    let second = plant.done(&saved);
    let second: serde_json::Value = serde_json::from_str(&second).expect("JSON");
    assert_eq!(second["files_there"], first["files"]);
    assert!(second["event"].as_u64() > first["event"].as_u64());
    let listed = plant.done(&["list", "--json"]);
    drop(host);

    plant.done(&["verify", "-s", "saved"]);
    for verb in ["list", "repair"] {
        let refused = plant.run(&[verb, "-s", "saved"], b"");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("is the backup of a store"));
        told(refused, 10, &[verb]);
    }
    plant.done(&["restore-store", "saved", "--to", "restored"]);
    assert_eq!(plant.done(&["list", "--json", "-s", "restored"]), listed);
    plant.done(&["verify", "-s", "restored"]);
    told(
        plant.run(&["restore-store", "saved", "--to", "restored"], b""),
        5,
        &["restore-store"],
    );
    for name in ["saved", "saved/BACKUP", "restored", "restored/FORMAT"] {
        let found = fs::metadata(plant.path(name)).expect("there");
        let mode = found.permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{name} is private");
    }
}

/// A monitor asked for the host, and was content with a process that only served the page.
#[cfg(feature = "serve")]
#[test]
fn a_page_that_is_served_is_no_host() {
    let plant = Plant::new();
    let mut command = plant.command(&["serve", "--listen", "127.0.0.1:0"]);
    let page = Host {
        child: command.spawn().expect("starts"),
    };
    let began = Instant::now();
    let asked = loop {
        let asked = plant.run(&["host", "status"], b"");
        let said = String::from_utf8_lossy(&asked.stderr).into_owned();
        if said.contains("serves the page") {
            break asked;
        }
        assert!(began.elapsed() < PATIENCE, "{said}");
        thread::sleep(Duration::from_millis(20));
    };
    told(asked, 4, &["host", "status"]);
    let status = plant.run(&["host", "status", "--json"], b"");
    let status = told(status, 4, &["host", "status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["running"], false);
    assert_eq!(status["pid"], page.child.id());
}

/// A line's folder is copied as a template for the next line, with its store. Both stores would
/// then continue under one id.
#[test]
fn no_host_is_started_on_a_copied_store_until_somebody_confirms_it() {
    let plant = Plant::new();
    copy(&plant.path("store"), &plant.path("copy"));
    let config = CONFIG.replace("path = \"store\"", "path = \"copy\"");
    fs::write(plant.path("copy.toml"), config).expect("written");
    let run = ["-s", "copy", "host", "run", "copy.toml", "--once"];
    let refused = plant.run(&run, b"");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(5), "{said}");
    assert!(
        said.contains("is still there") && said.contains("confirm-move"),
        "{said}"
    );
    let archived = plant.run(&["-s", "copy", "archive", "more.csv", "-c", "ICT"], b"");
    let said = String::from_utf8_lossy(&archived.stderr).into_owned();
    assert!(
        archived.status.success() && said.contains("is a copy"),
        "{said}"
    );
    plant.done(&["-s", "copy", "confirm-move"]);
    plant.done(&run);
    plant.done(&["host", "run", "host.toml", "--once"]);
}

#[test]
fn a_host_that_was_killed_leaves_a_socket_nobody_trips_over() {
    let plant = Plant::new();
    crate::ending::kill(&mut plant.host().child);
    let socket = plant.path("store/OWNER");
    let kind = fs::symlink_metadata(&socket).expect("left").file_type();
    assert!(kind.is_socket());
    plant.done(&["find", "SN1"]);
    let _host = plant.host();
    plant.done(&["find", "SN1"]);
}

/// A purge must ask the user first, even when the host runs it.
#[test]
fn a_question_goes_through_to_the_person_at_the_terminal_and_back() {
    let plant = Plant::new();
    let _host = plant.host();
    let typed = |answer: &[u8]| {
        let verb = format!(
            "{} retention apply --max-count 1",
            env!("CARGO_BIN_EXE_annals")
        );
        let mut command = Command::new("script");
        command
            .args(["-qec", &verb, "/dev/null"])
            .current_dir(plant.path(""));
        command.env("ANNALS_STORE", "store").env("TERM", "dumb");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(answer).expect("typed");
        let output = ended(child);
        drop(pipe);
        Some((
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    };
    let Some((code, screen)) = typed(b"n\n") else {
        println!("skipped: there is no `script` here, which makes a terminal");
        return;
    };
    assert_eq!(code, Some(5), "{screen}");
    assert!(
        screen.contains("[y/N]") && screen.contains("nothing was done"),
        "{screen}"
    );
    let (code, screen) = typed(b"y\n").expect("there is `script`");
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("2 entries purged"), "{screen}");
}

/// What was printed as done must be done, and the exit code must tell a script that the rest is
/// not.
#[test]
fn who_asked_a_host_that_is_killed_is_told_and_does_not_hang() {
    let plant = Plant::new();
    let mut host = plant.host();
    let mut following = plant
        .command(&["events", "--follow"])
        .spawn()
        .expect("starts");
    let mut first = [0];
    let mut stdout = following.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("an event");
    // This one waits for its input and gets none.
    let mut piping = plant.command(&["archive", "-", "--name", "x", "-c", "ICT"]);
    let mut piping = piping.stdin(Stdio::piped()).spawn().expect("starts");
    let pipe = piping.stdin.take();
    thread::sleep(Duration::from_millis(500));
    crate::ending::kill(&mut host.child);
    drop(stdout);
    for child in [following, piping] {
        let output = ended(child);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(11), "{errors}");
        assert!(
            errors.contains("went away before this was done"),
            "{errors}"
        );
    }
    drop(pipe);
}

#[test]
fn an_owner_that_does_not_answer_is_exit_11() {
    let plant = Plant::new();
    let _silent = UnixListener::bind(plant.path("store/OWNER")).expect("bound");
    let output = plant.run(&["list"], b"");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    told(output, 11, &["list"]);
    assert!(errors.contains("does not answer"), "{errors}");
}

#[test]
fn an_owner_of_another_protocol_is_told_apart() {
    let plant = Plant::new();
    let listener = UnixListener::bind(plant.path("store/OWNER")).expect("bound");
    let answering = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody");
        stream.write_all(b"annals 99 7.0.0 4711\n").expect("told");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let output = plant.run(&["list"], b"");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    told(output, 1, &["list"]);
    assert!(
        errors.contains("annals 7.0.0") && errors.contains("protocol 99"),
        "{errors}"
    );
    answering.join().expect("no panic");
}

#[test]
fn clients_that_are_killed_leave_their_place_to_others() {
    let plant = Plant::new();
    let _host = plant.host();
    for _ in 0..40 {
        let mut following = plant
            .command(&["events", "--follow"])
            .spawn()
            .expect("starts");
        let mut stdout = following.stdout.take().expect("a pipe");
        stdout.read_exact(&mut [0]).expect("an event");
        following.kill().expect("killed");
        following.wait().expect("it ends");
    }
    let mut piping = plant.command(&["archive", "-", "--name", "half.csv", "-c", "ICT"]);
    let mut piping = piping.stdin(Stdio::piped()).spawn().expect("starts");
    let mut pipe = piping.stdin.take().expect("a pipe");
    pipe.write_all(&vec![b'x'; 1 << 20]).expect("handed in");
    piping.kill().expect("killed");
    piping.wait().expect("it ends");
    plant.done(&["verify"]);
    told(
        plant.run(&["find", "half.csv"], b""),
        4,
        &["find", "half.csv"],
    );
}

#[test]
fn more_than_are_let_in_are_told_to_come_again_and_the_others_are_served() {
    let plant = Plant::new();
    let _host = plant.host();
    let mut following: Vec<Child> = (0..32)
        .map(|_| {
            let mut child = plant
                .command(&["events", "--follow"])
                .spawn()
                .expect("starts");
            let mut stdout = child.stdout.take().expect("a pipe");
            stdout.read_exact(&mut [0]).expect("an event");
            child.stdout = Some(stdout);
            child
        })
        .collect();
    let output = plant.run(&["list"], b"");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    told(output, 11, &["list"]);
    assert!(errors.contains("busy"), "{errors}");
    for child in &mut following {
        child.kill().expect("killed");
        child.wait().expect("it ends");
    }
    let began = Instant::now();
    while plant.run(&["list"], b"").status.code() != Some(0) {
        assert!(began.elapsed() < PATIENCE);
    }
}

/// Test files can be megabytes long. The host must not hold any of them in memory as a whole.
#[test]
fn long_content_streams_both_ways_through_a_host_that_does_not_grow() {
    let plant = Plant::new();
    let host = plant.host();
    let mut state = 7_u64;
    let content: Vec<u8> = (0..48 << 20)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let args = ["--json", "archive", "-", "--name", "big.bin", "-c", "FCT"];
    let receipt = told(plant.run(&args, &content), 0, &args);
    let receipt: serde_json::Value = serde_json::from_str(&receipt).expect("JSON");
    let id = receipt["id"].to_string();
    let peak = || {
        let status = fs::read_to_string(format!("/proc/{}/status", host.child.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?
            .to_owned();
        line.trim()
            .trim_end_matches(" kB")
            .trim()
            .parse::<u64>()
            .ok()
    };
    let before = peak();
    assert!(
        plant.run(&["cat", &id], b"").stdout == content,
        "the same bytes"
    );
    if let (Some(before), Some(after)) = (before, peak()) {
        println!("peak of the host before cat {before} KiB, after {after} KiB");
        assert!(after < before + (16 << 10), "{before} {after}");
    }
}

#[test]
fn a_reader_that_has_enough_ends_the_verb_and_two_at_once_are_served() {
    let plant = Plant::new();
    let _host = plant.host();
    let mut events = plant
        .command(&["events", "--follow"])
        .spawn()
        .expect("starts");
    let archived: Vec<Child> = (0..2)
        .map(|_| {
            plant
                .command(&["archive", "in", "-c", "ICT"])
                .spawn()
                .expect("starts")
        })
        .collect();
    for child in archived {
        assert_eq!(ended(child).status.code(), Some(0));
    }
    let mut stdout = events.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("an event");
    drop(stdout);
    plant.done(&["archive", "more.csv", "-c", "ICT"]);
    assert_eq!(ended(events).status.code(), Some(0));
}

#[test]
fn another_user_is_refused_by_the_sockets_rights_and_by_the_owner_itself() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    let plant = Plant::new();
    let _host = plant.host();
    let program = plant.dir.path().join("annals");
    fs::copy(env!("CARGO_BIN_EXE_annals"), &program).expect("copied");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    };
    for path in [
        plant.dir.path(),
        &plant.path(""),
        &plant.path("store"),
        &program,
    ] {
        open(path, 0o755);
    }
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.env_clear().env("ANNALS_STORE", plant.path("store"));
        command
            .args(args)
            .uid(65534)
            .gid(65534)
            .output()
            .expect("runs")
    };
    for (mode, args, words) in [
        (0o600, &["list"][..], "another user's host"),
        (0o666, &["list"], "belongs to another account"),
        // The host itself refuses clients that trust it.
        (0o666, &["--trust", "list"], "belongs to another user"),
    ] {
        open(&plant.path("store/OWNER"), mode);
        let output = as_nobody(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        told(output, 5, args);
        assert!(errors.contains(words), "{errors}");
    }
}

/// What the system knows about the client is recorded, not only what the client claims.
#[test]
fn what_is_recorded_through_a_host_names_who_asked() {
    let plant = Plant::new();
    let _host = plant.host();
    let output = plant
        .command(&["archive", "more.csv", "-c", "ICT"])
        .env("USER", "nosuchuser")
        .output();
    told(output.expect("runs"), 0, &["archive"]);
    let events = plant.done(&["events", "--type", "archived"]);
    let last: serde_json::Value =
        serde_json::from_str(events.lines().last().expect("some")).expect("JSON");
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(last["authid"], format!("nosuchuser (uid:{uid})"));
}

#[test]
fn a_store_with_a_very_long_path_has_an_owner_too() {
    if !Path::new("/proc/self/fd").exists() {
        println!("skipped: the system has no names for open handles");
        return;
    }
    let plant = Plant::new();
    let long = plant.path(&format!("{0}/{0}/{0}/store", "x".repeat(100)));
    fs::create_dir_all(long.parent().expect("a parent")).expect("made");
    fs::rename(plant.path("store"), &long).expect("moved");
    let config = CONFIG.replace("path = \"store\"", &format!("path = {long:?}"));
    fs::write(plant.path("host.toml"), config).expect("written");
    let ask = |args: &[&str]| {
        let mut command = plant.command(args);
        command.env("ANNALS_STORE", &long).output().expect("runs")
    };
    let mut command = plant.command(&["host", "run", "host.toml"]);
    let child = command.env_remove("ANNALS_STORE").spawn().expect("starts");
    let _host = Host { child };
    let began = Instant::now();
    while ask(&["host", "status"]).status.code() != Some(0) {
        assert!(began.elapsed() < PATIENCE);
    }
    told(ask(&["find", "SN1"]), 0, &["find"]);
}
