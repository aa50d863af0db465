//! Tests converters that run as another user and without a network: what they cannot reach, what is
//! refused, and what is recorded about it.
//!
//! Only root can change the user, and files and system calls can be restricted only where the
//! kernel supports it. Elsewhere a test says that it was skipped.
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PYTHON: &str = "/usr/bin/python3";
const ANNALS: &str = env!("CARGO_BIN_EXE_annals");

/// A user that exists on every system.
const USER: &str = "nobody";

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// Makes a store, and a configuration of one converter with these settings that runs the Python
    /// program `code`.
    fn new(settings: &str, code: &str) -> Self {
        let bench = Self {
            dir: tempfile::tempdir().expect("folder"),
        };
        let here = bench.dir.path().display().to_string();
        let config = format!(
            "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"t\"\n\
             command = [\"{PYTHON}\", \"run.py\", \"{{input}}\"]\nbundle = [\"run.py\"]\nenvironment = \"python\"\n\
             watch_folder = \"in\"\nsettle_s = 0\narchive_enabled = true\n{settings}\n"
        );
        fs::create_dir(bench.path("in")).expect("made");
        for (name, text) in [
            ("host.toml", config.replace("HERE", &here)),
            ("run.py", code.replace("HERE", &here)),
            ("unit.csv", "1\n".to_owned()),
        ] {
            fs::write(bench.path(name), text).expect("written");
        }
        for (name, mode) in [(".", 0o755), ("run.py", 0o644)] {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(bench.path(name), mode).expect("set");
        }
        let made = bench.annals(&["init", "store"]);
        assert!(made.status.success(), "{made:?}");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(ANNALS);
        command
            .args(words)
            .current_dir(self.dir.path())
            .env("TMPDIR", self.path("tmp"))
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("ANNALS_STORE");
        command
    }

    fn annals(&self, words: &[&str]) -> Output {
        let _ = fs::create_dir(self.path("tmp"));
        self.command(words).output().expect("the program starts")
    }

    fn convert(&self) -> Value {
        let done = self.annals(&["--json", "convert", "unit.csv", "--config", "host.toml"]);
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
    }

    /// Converts a file and returns the report.
    fn report(&self) -> Value {
        let said = self.convert();
        assert_eq!(said["status"], "success", "{said}");
        said["reports"][0].clone()
    }

    fn check(&self) -> Value {
        let done = self.annals(&["--json", "host", "check", "host.toml"]);
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
    }

    /// Returns the only entry of the store.
    fn entry(&self) -> Value {
        let listed = self.annals(&["-s", "store", "list", "--json"]);
        let line = String::from_utf8(listed.stdout).expect("UTF-8");
        let entry: Value = serde_json::from_str(line.lines().next().expect("one")).expect("JSON");
        let shown = self.annals(&["-s", "store", "show", &entry["id"].to_string(), "--json"]);
        serde_json::from_slice(&shown.stdout).expect("JSON")
    }

    /// Returns what the host made for converters and has not removed.
    fn left(&self) -> Vec<PathBuf> {
        let items = fs::read_dir(self.path("tmp")).expect("folder");
        items.map(|item| item.expect("item").path()).collect()
    }
}

/// Returns true where the test can run: with Python, with a kernel that has all restrictions, and
/// as root if `needs_root`.
fn is_possible(needs_root: bool) -> bool {
    if !Path::new(PYTHON).exists() {
        println!("skipped: no {PYTHON}");
        return false;
    }
    if needs_root && !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return false;
    }
    let said = Bench::new("sandbox = \"enforce\"", "").check();
    let sandbox = said["converters"][0]["sandbox"].as_str().expect("text");
    if !sandbox.starts_with("enforced") {
        println!("skipped: the sandbox is {sandbox}");
        return false;
    }
    true
}

/// Returns the number of [`USER`].
fn user_id() -> u32 {
    let passwd = fs::read_to_string("/etc/passwd").expect("read");
    let line = passwd.lines().find(|line| line.starts_with("nobody:"));
    let number = line.and_then(|line| line.split(':').nth(2));
    number.expect("there").parse().expect("a number")
}

/// Tries several things and reports for each `done` or the system's name of the error.
const PROBE: &str = r#"
import ctypes, errno, fcntl, json, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
inherited = [int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd) and int(fd) > 2]
def tried(call):
    try: return call() or "done"
    except OSError as error: return errno.errorcode.get(error.errno, str(error))
def ioctl(number):
    if libc.syscall(ctypes.c_long(16 if os.uname().machine == "x86_64" else 29), ctypes.c_long(0), ctypes.c_ulong(number), b"x") < 0:
        raise OSError(ctypes.get_errno(), "ioctl")
def opened(*what):
    socket.socket(*what).close()
def io_uring():
    if libc.syscall(ctypes.c_long(425), ctypes.c_long(4), ctypes.c_char_p(bytes(120))) < 0: raise OSError(ctypes.get_errno(), "x")
def pair():
    for end in socket.socketpair(): end.close()
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
source = os.stat(sys.argv[1])
print(json.dumps({"status": "success", "report": {
    "ids": list(os.getresuid()), "groups": os.getgroups(), "no_new_privs": status["NoNewPrivs"],
    "capabilities": [status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "become_root": tried(lambda: os.setresuid(0, 0, 0)), "join_root": tried(lambda: os.setgroups([0])),
    "source": open(sys.argv[1]).read(), "source_owner": source.st_uid,
    "way_in": oct(os.stat(os.path.dirname(sys.argv[1])).st_mode & 0o777),
    "home": oct(os.stat(os.environ["HOME"]).st_mode & 0o777),
    "temporary": tried(lambda: open(os.environ["TMPDIR"] + "/x", "w").write("x") and None),
    "types": tried(lambda: ioctl(0x5412)), "types_by_high_bits": tried(lambda: ioctl(0x5412 | 1 << 32)),
    "pastes": tried(lambda: ioctl(0x541C)),
    "tcp": tried(lambda: opened(socket.AF_INET)), "udp": tried(lambda: opened(socket.AF_INET, socket.SOCK_DGRAM)),
    "tcp6": tried(lambda: opened(socket.AF_INET6)), "raw": tried(lambda: opened(socket.AF_PACKET, socket.SOCK_RAW)),
    "unix": tried(lambda: opened(socket.AF_UNIX)), "netlink": tried(lambda: opened(socket.AF_NETLINK, socket.SOCK_RAW)),
    "vsock": tried(lambda: opened(socket.AF_VSOCK)), "queue": tried(io_uring), "pair": tried(pair),
    "inherited": inherited,
}}))
"#;

#[test]
fn a_converter_runs_as_its_user_and_cannot_become_another() {
    if !is_possible(true) {
        return;
    }
    for sandbox in ["off", "enforce"] {
        for mode in ["", "memory_mb = 512\n"] {
            let settings = format!("run_as = \"{USER}\"\nsandbox = \"{sandbox}\"\n{mode}");
            let bench = Bench::new(&settings, PROBE);
            let report = bench.report();
            let user = user_id();
            assert_eq!(report["ids"], json!([user, user, user]), "{report}");
            assert_eq!(report["groups"].as_array().expect("list").len(), 1);
            assert_ne!(report["groups"][0], 0, "{report}");
            assert_eq!(report["capabilities"], json!(["", "", "", "", ""]));
            assert_eq!(report["no_new_privs"], "1", "{report}");
            assert_eq!(report["become_root"], "EPERM", "{report}");
            assert_eq!(report["join_root"], "EPERM", "{report}");
            assert_eq!(report["source"], "1\n", "{report}");
            assert_eq!(report["source_owner"], user, "{report}");
            assert_eq!(report["way_in"], "0o700", "{report}");
            assert_eq!(report["home"], "0o700", "{report}");
            assert_eq!(report["temporary"], "done", "{report}");
            // Escapes from snap and bubblewrap: CVE-2017-5226, CVE-2019-7303, CVE-2023-1523.
            for typed in ["types", "types_by_high_bits", "pastes"] {
                assert_eq!(report[typed], "EPERM", "{typed}: {report}");
            }
            assert_eq!(bench.left(), Vec::<PathBuf>::new());
        }
    }
}

/// Whatever runs a converter, its user must exist, and must not be one that could undo the
/// restrictions.
#[test]
fn an_account_that_holds_nothing_is_refused() {
    if !is_possible(true) {
        return;
    }
    for (run_as, why) in [
        ("nobody-at-all", "there is no user 'nobody-at-all'"),
        ("root", "runs as root"),
        ("0:1", "runs as root"),
        ("nobody:root", "group of root"),
        ("4294967295:1", "number of no user"),
    ] {
        let bench = Bench::new(&format!("run_as = \"{run_as}\""), PROBE);
        fs::write(bench.path("in/1.csv"), "1").expect("written");
        let check = bench.check();
        assert_eq!(check["ok"], false, "{check}");
        assert!(check["missing"].to_string().contains(why), "{check}");
        for words in [
            &["host", "run", "host.toml", "--once"][..],
            &["convert", "unit.csv", "--config", "host.toml"],
        ] {
            let done = bench.annals(words);
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(!done.status.success(), "{words:?}: {said}");
            assert!(said.contains(why) && said.contains("run_as"), "{said}");
        }
    }
    let bench = Bench::new("run_as = \"a:b:c\"", PROBE);
    let done = bench.annals(&["host", "check", "host.toml"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("user or user:group"), "{said}");
}

#[test]
fn a_host_that_is_not_root_refuses_another_user() {
    use std::os::unix::process::CommandExt;
    if !is_possible(true) {
        return;
    }
    let bench = Bench::new("run_as = \"daemon\"", PROBE);
    let done = bench
        .command(&["host", "check", "host.toml"])
        .uid(user_id())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("only a host that runs as root"), "{said}");
}

/// A converter whose user could not read its bundle failed for every file of a night.
#[test]
fn a_bundle_that_its_user_may_not_read_is_named() {
    if !is_possible(true) {
        return;
    }
    let bench = Bench::new(&format!("run_as = \"{USER}\""), PROBE);
    let closed = fs::Permissions::from_mode(0o600);
    fs::set_permissions(bench.path("run.py"), closed).expect("set");
    fs::write(bench.path("in/1.csv"), "1").expect("written");
    let path = bench.path("run.py").display().to_string();
    let check = bench.check();
    assert!(check["missing"].to_string().contains(&path), "{check}");
    let done = bench.annals(&["host", "run", "host.toml", "--once"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains(&path), "{said}");
    assert!(bench.path("in/1.csv").exists());
    let listed = bench.annals(&["-s", "store", "list", "--status", "failed", "--json"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
}

/// Files that a converter makes belong to its user, and its processes may leave its process group
/// and its parent. All must be cleaned up.
#[test]
fn what_another_user_made_and_started_ends_with_it() {
    if !is_possible(true) {
        return;
    }
    const LEAVES: &str = r#"
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.environ.pop("HOME")
        os.execve("/bin/sleep", ["annals-left-HERE", "600"], {})
    os._exit(0)
home = os.environ["HOME"]
for name in ("a", "a/b"): os.mkdir(home + "/" + name)
for name in ("f", "a/f", "a/b/f"): open(home + "/" + name, "w").write("x")
os.symlink("/etc", home + "/a/etc")
os.chmod(home + "/a/b", 0)
print("{}")
"#;
    let bench = Bench::new(&format!("run_as = \"{USER}\""), LEAVES);
    fs::write(bench.path("in/1.csv"), "1").expect("written");
    let done = bench.annals(&["host", "run", "host.toml", "--once"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(bench.left(), Vec::<PathBuf>::new());
    let name = format!("annals-left-{}", bench.dir.path().display());
    let lives = || {
        let all = fs::read_dir("/proc").expect("folder").flatten();
        let mut lines = all.filter_map(|one| fs::read(one.path().join("cmdline")).ok());
        lines.any(|line| line.starts_with(name.as_bytes()))
    };
    let until = Instant::now() + Duration::from_secs(5);
    while lives() {
        assert!(Instant::now() < until, "a process of the user lives on");
        sleep(Duration::from_millis(20));
    }
}

/// The owner's socket asks the system for the user of a client. Even a process of a converter's
/// user that no host started must be refused.
#[test]
fn the_owner_of_a_store_answers_no_converters_user() {
    use std::os::unix::process::CommandExt;
    if !is_possible(true) {
        return;
    }
    let bench = Bench::new(&format!("run_as = \"{USER}\""), "print('{}')");
    let mut host = bench
        .command(&["host", "run", "host.toml"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let owner = bench.path("store/OWNER");
    let until = Instant::now() + Duration::from_secs(20);
    while !owner.exists() {
        assert!(Instant::now() < until, "the host does not answer");
        sleep(Duration::from_millis(20));
    }
    // The worst permissions that an operator could set.
    for (path, mode) in [(bench.path("store"), 0o755), (owner, 0o666)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    }
    let asked = bench
        .command(&["-s", "store", "--trust", "list"])
        .uid(user_id())
        .gid(user_id())
        .output()
        .expect("the program starts");
    host.kill().expect("ended");
    host.wait().expect("ended");
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(said.contains("belongs to another user"), "{asked:?}");
}

#[test]
fn a_converter_without_a_network_opens_no_socket() {
    if !is_possible(false) {
        return;
    }
    let bench = Bench::new("sandbox = \"enforce\"\nnetwork = \"none\"", PROBE);
    let report = bench.report();
    for closed in ["tcp", "tcp6", "udp", "raw", "unix", "netlink", "vsock"] {
        assert_eq!(report[closed], "EPERM", "{closed}: {report}");
    }
    assert_eq!(report["queue"], "ENOSYS", "{report}");
    assert_eq!(report["pair"], "done", "{report}");
    let open = Bench::new("sandbox = \"enforce\"", PROBE).report();
    for allowed in ["tcp", "udp"] {
        assert_eq!(open[allowed], "done", "{allowed}: {open}");
    }
}

#[test]
fn a_network_that_cannot_be_closed_is_refused() {
    let bench = Bench::new("network = \"none\"", "");
    let done = bench.annals(&["host", "check", "host.toml"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success(), "{said}");
    assert!(said.contains("needs sandbox = \"enforce\""), "{said}");
}

#[test]
fn each_attempt_records_what_was_enforced() {
    let is_root = rustix::process::geteuid().is_root();
    if !is_possible(false) {
        return;
    }
    let run_as = if is_root { "run_as = \"nobody\"\n" } else { "" };
    let user = is_root.then_some("user:nobody");
    let all = [
        "files:landlock-6",
        "system-calls",
        "capabilities",
        "network",
    ];
    for (settings, words) in [
        (
            format!("{run_as}sandbox = \"enforce\"\nnetwork = \"none\""),
            all.into_iter().chain(user).collect::<Vec<_>>(),
        ),
        ("sandbox = \"enforce\"".to_owned(), all[..3].to_vec()),
        (String::new(), Vec::new()),
    ] {
        let bench = Bench::new(&settings, "print('{}')");
        fs::write(bench.path("in/1.csv"), "1").expect("written");
        let done = bench.annals(&["host", "run", "host.toml", "--once"]);
        assert!(done.status.success(), "{done:?}");
        let entry = bench.entry();
        let id = entry["id"].to_string();
        assert_eq!(entry["attempts"][0]["sandbox"], json!(words), "{entry}");
        let page = bench.annals(&["-s", "store", "show", &id]);
        let page = String::from_utf8_lossy(&page.stdout).into_owned();
        let line = format!("sandbox of attempt 1: {}\n", words.join(" "));
        assert_eq!(page.contains(&line), !words.is_empty(), "{page}");
        assert_eq!(bench.check()["converters"][0]["enforced"], json!(words));
    }
}

/// runc left a folder of the host open in its containers (CVE-2024-21626). A host that was started
/// with open files passed them on, and a sandbox does not close files that are already open.
#[test]
fn files_that_the_host_was_started_with_are_not_passed_on() {
    if !is_possible(false) {
        return;
    }
    for sandbox in ["off", "enforce"] {
        let bench = Bench::new(&format!("sandbox = \"{sandbox}\""), PROBE);
        let _ = fs::create_dir(bench.path("tmp"));
        let done = Command::new("sh")
            .args(["-c", "exec 7< /etc/passwd 8>> kept; exec \"$0\" --json convert unit.csv --config host.toml", ANNALS])
            .current_dir(bench.dir.path())
            .env("TMPDIR", bench.path("tmp"))
            .output()
            .expect("the program starts");
        let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        assert_eq!(said["reports"][0]["inherited"], json!([]), "{said}");
    }
}

/// A container overwrote the program that had started it, which root ran the next time
/// (CVE-2019-5736). A workflow's task read the environment of its runner.
#[test]
fn a_converter_reaches_nothing_of_the_process_that_runs_it() {
    let is_root = rustix::process::geteuid().is_root();
    if !is_possible(false) {
        return;
    }
    const CODE: &str = r#"
import json, os
def tried(path, mode):
    try: open(path, mode).read(1)
    except OSError: return "closed"
    return "open"
host = "/proc/%d/" % os.getppid()
print(json.dumps({"status": "success", "report": {
    "program": tried(host + "exe", "r+b"), "memory": tried(host + "mem", "r+b"), "environment": tried(host + "environ", "rb"),
    "own_program": tried("ANNALS", "r+b"), "token": os.environ.get("TOKEN_OF_THE_HOST"),
}}))
"#;
    let run_as = is_root.then_some("run_as = \"nobody\"");
    for settings in ["sandbox = \"enforce\""].into_iter().chain(run_as) {
        let bench = Bench::new(settings, &CODE.replace("ANNALS", ANNALS));
        let done = bench
            .command(&["--json", "convert", "unit.csv", "--config", "host.toml"])
            .env("TMPDIR", bench.dir.path())
            .env("TOKEN_OF_THE_HOST", "secret")
            .output()
            .expect("the program starts");
        let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        let report = &said["reports"][0];
        for part in ["program", "memory", "environment", "own_program"] {
            assert_eq!(report[part], "closed", "{part}: {said}");
        }
        assert_eq!(report["token"], Value::Null, "{said}");
    }
}

/// Jenkins read a file for an argument that began with `@` (CVE-2024-23897). rsync and git took
/// names for options.
#[test]
fn a_name_that_looks_like_something_else_is_only_a_name() {
    if !is_possible(false) {
        return;
    }
    const CODE: &str = r#"
import json, os, sys
print(json.dumps({"status": "success", "report": [len(sys.argv), os.path.isabs(sys.argv[1]), os.environ["ANNALS_NAME"]]}))
"#;
    let bench = Bench::new("sandbox = \"enforce\"", CODE);
    for name in [
        "@unit.csv",
        "-rf",
        "--config=x",
        "$(id)",
        "${HOME}",
        "`id`",
        "a;id",
        "{input}",
        "%s%n",
        "a\nb",
    ] {
        fs::write(bench.path("in").join(name), name).expect("written");
    }
    let done = bench.annals(&["host", "run", "host.toml", "--once"]);
    assert!(done.status.success(), "{done:?}");
    let listed = bench.annals(&["-s", "store", "list", "--json"]);
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    assert_eq!(listed.lines().count(), 10, "{listed}");
    for line in listed.lines() {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let report = bench.annals(&["-s", "store", "cat", &entry["id"].to_string(), "--report"]);
        let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
        assert_eq!(report, json!([2, true, entry["source_name"]]), "{entry}");
    }
}

/// A program that is not a file of the bundle is asked for its version. That ran outside every
/// sandbox, as the host's user.
#[test]
fn a_program_is_asked_for_its_version_in_its_sandbox_too() {
    if !is_possible(false) {
        return;
    }
    let bench = Bench::new("sandbox = \"enforce\"\nread_paths = [\"HERE/tool\"]", "");
    let here = bench.dir.path().display().to_string();
    let tool =
        format!("#!/bin/sh\necho tool 1\necho x > {here}/escaped\n(echo {{}}) 2>/dev/null\n");
    fs::write(bench.path("tool"), tool).expect("written");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(bench.path("tool"), executable).expect("set");
    let config = fs::read_to_string(bench.path("host.toml")).expect("read");
    let config = config
        .replace(PYTHON, &format!("{here}/tool"))
        .replace("environment = \"python\"\n", "");
    fs::write(bench.path("host.toml"), config).expect("written");
    bench.convert();
    assert!(!bench.path("escaped").exists());
}

/// Flatpak opened the target of a link that the program itself had made (CVE-2024-42472,
/// CVE-2026-34078).
#[test]
fn a_link_in_a_writable_folder_opens_nothing() {
    if !is_possible(false) {
        return;
    }
    const CODE: &str = r#"
import json
try: said = open("HERE/out/logs/secret").read()
except OSError as error: said = "closed"
print(json.dumps({"status": "success", "report": {"secret": said}}))
"#;
    let secret = tempfile::tempdir().expect("folder");
    fs::write(secret.path().join("secret"), "secret").expect("written");
    for declared in [
        "write_paths = [\"HERE/out\", \"HERE/out/logs\"]",
        "write_paths = [\"HERE/out\"]\nread_paths = [\"HERE/out/logs\"]",
        "write_paths = [\"HERE/alias\"]\nread_paths = [\"HERE/out/logs\"]",
    ] {
        let bench = Bench::new(&format!("sandbox = \"enforce\"\n{declared}"), CODE);
        fs::create_dir(bench.path("out")).expect("made");
        symlink("out", bench.path("alias")).expect("linked");
        // As an earlier run left it.
        symlink(secret.path(), bench.path("out/logs")).expect("linked");
        assert_eq!(bench.report()["secret"], "closed", "{declared}");
    }
}

/// A recorded bundle is restored so that its user can read it but not change it.
#[test]
fn a_recorded_converter_runs_as_its_user_too() {
    if !is_possible(true) {
        return;
    }
    const CODE: &str = r#"
import json, os
try: changed = bool(open(__file__, "a"))
except OSError: changed = False
print(json.dumps({"status": "success", "report": {"user": os.getuid(), "changed": changed}}))
"#;
    let bench = Bench::new(&format!("run_as = \"{USER}\""), CODE);
    fs::write(bench.path("in/1.csv"), "1").expect("written");
    let done = bench.annals(&["host", "run", "host.toml", "--once"]);
    assert!(done.status.success(), "{done:?}");
    let id = &bench.entry()["id"].to_string();
    let words = [
        "-s",
        "store",
        "reprocess",
        id,
        "--converter-version",
        "recorded",
        "--config",
        "host.toml",
    ];
    let done = bench.annals(&words);
    assert!(done.status.success(), "{done:?}");
    let report = bench.annals(&["-s", "store", "cat", id, "--report"]);
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    assert_eq!(report, json!({"user": user_id(), "changed": false}));
    assert_eq!(
        bench.entry()["attempts"][1]["sandbox"][1],
        format!("user:{USER}")
    );
    assert_eq!(bench.left(), Vec::<PathBuf>::new());
}
