//! Tests what a converter can reach in its sandbox: what is declared, and nothing else. A converter
//! made for one machine read its limits from an undocumented folder, and wrote a log into the watch
//! folder, which was then converted too.
//!
//! Where the kernel has no Landlock, the refusals cannot be tested, but the warning about that can.
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Tries everything it can, and reports what succeeded.
const SCRIPT: &str = r#"
can() { if eval "$2" 2>/dev/null; then echo "\"$1\":true"; else echo "\"$1\":false"; fi; }
printf '{'
can source "cat '$1' > /dev/null"; printf ,
can bundle "cat limits.txt > /dev/null"; printf ,
can undeclared "cat undeclared.txt > /dev/null"; printf ,
can outside "cat '$OUTSIDE/secret' > /dev/null"; printf ,
can list_outside "ls '$OUTSIDE' > /dev/null"; printf ,
can temporary "echo x > \"\$TMPDIR/x\" && cat \"\$TMPDIR/x\" > /dev/null"; printf ,
can write_outside "echo x > '$OUTSIDE/new'"; printf ,
can remove_outside "rm '$OUTSIDE/secret'"; printf ,
can write_own_folder "echo x > new.txt"; printf ,
can change_source "echo x >> '$1'"; printf ,
can signal_host "kill -0 $PPID"
printf '}'
"#;

struct Bench {
    dir: tempfile::TempDir,
    outside: tempfile::TempDir,
}

impl Bench {
    /// Makes a configuration of one converter with these settings.
    fn new(settings: &str) -> Self {
        let bench = Self {
            dir: tempfile::tempdir().expect("folder"),
            outside: tempfile::tempdir().expect("folder"),
        };
        let outside = bench.outside.path().display().to_string();
        let settings = settings.replace("OUTSIDE", &outside);
        let config = format!(
            "[[converter]]\nname = \"t\"\nbundle = [\"run.sh\", \"limits.txt\"]\nenvironment = \"sh\"\n{settings}\n"
        );
        for (name, text) in [
            ("host.toml", config),
            ("run.sh", SCRIPT.replace("$OUTSIDE", &outside)),
            ("limits.txt", "1".to_owned()),
            ("undeclared.txt", "1".to_owned()),
            ("unit.csv", "1".to_owned()),
        ] {
            fs::write(bench.path(name), text).expect("written");
        }
        fs::write(bench.outside.path().join("secret"), "1").expect("written");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn annals(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_annals"))
            .args(words)
            .current_dir(self.dir.path())
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("ANNALS_STORE")
            .output()
            .expect("the program starts")
    }

    fn convert(&self) -> Value {
        let done = self.annals(&["--json", "convert", "unit.csv", "--config", "host.toml"]);
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
    }

    /// Returns what `host check` says about the sandbox.
    fn enforcement(&self) -> String {
        let done = self.annals(&["--json", "host", "check", "host.toml"]);
        let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        said["converters"][0]["sandbox"]
            .as_str()
            .expect("a text")
            .to_owned()
    }

    /// Returns true where the sandbox is enforced. Elsewhere the attempt must record that it is
    /// not.
    fn is_enforced(&self) -> bool {
        let enforcement = self.enforcement();
        if enforcement.starts_with("enforced") {
            return true;
        }
        println!("skipped: the sandbox is {enforcement}");
        let warnings = self.convert()["warnings"].to_string();
        assert!(warnings.contains(&enforcement), "{warnings}");
        false
    }
}

const ONE_SHOT: &str = "command = [\"sh\", \"run.sh\", \"{input}\"]\n";

/// The script inside a loop, as a worker.
const WORKER: &str = r#"mode = "worker"
command = ["sh", "-c", "while read -r line; do id=$(printf %s \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/'); input=$(printf %s \"$line\" | sed 's/.*\"input\":\"\\([^\"]*\\)\".*/\\1/'); echo \"{\\\"id\\\":$id,\\\"status\\\":\\\"success\\\",\\\"report\\\":$(sh run.sh \"$input\" | tr -d '\\n')}\"; done"]
"#;

fn report(said: &Value) -> &Value {
    assert_eq!(said["status"], "success", "{said}");
    &said["reports"][0]
}

fn check_refusals(report: &Value) {
    for allowed in ["source", "bundle", "temporary"] {
        assert_eq!(report[allowed], true, "{allowed}: {report}");
    }
    for refused in [
        "undeclared",
        "outside",
        "list_outside",
        "write_outside",
        "remove_outside",
        "write_own_folder",
        "change_source",
        "signal_host",
    ] {
        assert_eq!(report[refused], false, "{refused}: {report}");
    }
}

#[test]
fn a_converter_touches_what_is_declared_and_nothing_else() {
    let bench = Bench::new(&format!("{ONE_SHOT}sandbox = \"enforce\""));
    if !bench.is_enforced() {
        return;
    }
    let said = bench.convert();
    check_refusals(report(&said));
    assert_eq!(said["warnings"], serde_json::json!([]));
    assert!(bench.outside.path().join("secret").exists());
}

#[test]
fn a_worker_reads_only_the_sources_it_is_given() {
    let bench = Bench::new(&format!("{WORKER}sandbox = \"enforce\""));
    if bench.is_enforced() {
        let mut report = report(&bench.convert()).clone();
        // Its parent is the shell of the loop, in its own sandbox.
        report["signal_host"] = false.into();
        check_refusals(&report);
    }
}

#[test]
fn what_more_it_needs_is_declared() {
    let bench = Bench::new(&format!(
        "{ONE_SHOT}sandbox = \"enforce\"\nread_paths = [\"undeclared.txt\"]\nwrite_paths = [\"OUTSIDE\"]"
    ));
    if !bench.is_enforced() {
        return;
    }
    let said = bench.convert();
    let report = report(&said);
    for allowed in [
        "undeclared",
        "outside",
        "list_outside",
        "write_outside",
        "remove_outside",
    ] {
        assert_eq!(report[allowed], true, "{allowed}: {report}");
    }
    assert_eq!(report["write_own_folder"], false, "{report}");
}

#[test]
fn without_a_sandbox_old_configurations_go_on_working() {
    let bench = Bench::new(ONE_SHOT);
    let said = bench.convert();
    let report = report(&said);
    for allowed in ["undeclared", "outside", "write_outside", "write_own_folder"] {
        assert_eq!(report[allowed], true, "{allowed}: {report}");
    }
    assert_eq!(bench.enforcement(), "not enforced: sandbox = \"off\"");
}

#[test]
fn a_missing_program_is_told_alike_with_and_without_a_sandbox() {
    let error = |settings: &str| {
        let bench = Bench::new(settings);
        let done = bench.annals(&["--json", "convert", "unit.csv", "--config", "host.toml"]);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        String::from_utf8(done.stderr).expect("UTF-8")
    };
    for mode in ["oneshot", "worker"] {
        let command =
            format!("command = [\"no-such-program\", \"{{input}}\"]\nmode = \"{mode}\"\n");
        let open = error(&command);
        let closed = error(&format!("{command}sandbox = \"enforce\""));
        assert!(open.contains("there is no such program"), "{open}");
        assert_eq!(open, closed);
    }
}

#[test]
fn a_declared_path_that_is_not_there_is_told_by_check() {
    let bench = Bench::new(&format!(
        "{ONE_SHOT}sandbox = \"enforce\"\nread_paths = [\"/no/such/interpreter\"]"
    ));
    let done = bench.annals(&["host", "check", "host.toml"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("/no/such/interpreter"), "{said}");
}

/// Tries what file rules cannot forbid, and what an ordinary converter must still be able to do.
const PROBE: &str = r#"
import ctypes, errno, json, os, resource, shutil, socket, sqlite3, subprocess, sys, tempfile, threading, zipfile
outside, listening = "OUTSIDE", "OUTSIDE/socket"
libc = ctypes.CDLL(None, use_errno=True)
def tried(call):
    try: return call() or "done"
    except OSError as error: return errno.errorcode.get(error.errno, str(error))
def connect():
    with socket.socket(socket.AF_UNIX) as s: s.connect(listening)
def limits_of_host(): resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (8, 8))
def renice_host(): os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)
def user_namespace():
    if libc.unshare(0x10000000): raise OSError(ctypes.get_errno(), "unshare")
def environ_of_host():
    with open("/proc/%d/environ" % os.getppid(), "rb") as f: return "read" if f.read() else None
def work():
    made = tempfile.mkdtemp()
    shutil.copy2(sys.argv[1], made + "/copy"); os.chmod(made + "/copy", 0o600); os.utime(made + "/copy", (1, 1))
    with zipfile.ZipFile(made + "/a.zip", "w") as z: z.write(made + "/copy", "copy")
    shutil.copytree(made, made + "-2"); sqlite3.connect(made + "/db").execute("create table t (x)")
    t = threading.Thread(target=lambda: None); t.start(); t.join()
    a, b = socket.socketpair(); a.close(); b.close()
    return subprocess.run(["sh", "-c", "true"]).returncode or "done"
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
print(json.dumps({"status": "success", "report": {
    "chmod": tried(lambda: os.chmod(outside + "/secret", 0o777)),
    "utime": tried(lambda: os.utime(outside + "/secret", (1, 1))),
    "chown": tried(lambda: os.chown(outside, os.getuid(), os.getgid())),
    "connect": tried(connect), "limits_of_host": tried(limits_of_host), "renice_host": tried(renice_host),
    "user_namespace": tried(user_namespace), "environ_of_host": tried(environ_of_host), "work": tried(work),
    "capabilities": status["CapEff"].strip("0") + status["CapPrm"].strip("0"), "no_new_privs": status["NoNewPrivs"],
}}))
"#;

/// A converter in the sandbox made secret files readable for every user, had the host run commands
/// through its socket, and read the environment of a host running as root, with all its tokens.
/// None of this reads or writes a file that a rule covers.
#[test]
fn a_sandbox_holds_more_than_files_and_ordinary_work_goes_on() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if !Path::new("/usr/bin/python3").exists() {
        println!("skipped: no /usr/bin/python3");
        return;
    }
    let bench = Bench::new(
        "command = [\"/usr/bin/python3\", \"probe.py\", \"{input}\"]\nsandbox = \"enforce\"",
    );
    if !bench.is_enforced() {
        return;
    }
    let outside = bench.outside.path();
    let probe = PROBE.replace("OUTSIDE", &outside.display().to_string());
    fs::write(bench.path("probe.py"), probe).expect("written");
    let config = fs::read_to_string(bench.path("host.toml")).expect("read");
    let config = config.replace("\"run.sh\", ", "\"probe.py\", ");
    fs::write(bench.path("host.toml"), config).expect("written");
    let secret = outside.join("secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("private");
    let before = fs::metadata(&secret).expect("there");
    let _listener = std::os::unix::net::UnixListener::bind(outside.join("socket")).expect("bound");

    let said = bench.convert();
    let report = report(&said);
    for refused in ["connect", "limits_of_host", "renice_host", "user_namespace"] {
        assert_eq!(report[refused], "EPERM", "{refused}: {report}");
    }
    assert_ne!(report["environ_of_host"], "read", "{report}");
    assert_eq!(report["work"], "done", "{report}");
    assert_eq!(report["capabilities"], "", "{report}");
    assert_eq!(report["no_new_privs"], "1", "{report}");
    // These calls report success but have no effect.
    for pretended in ["chmod", "utime", "chown"] {
        assert_eq!(report[pretended], "done", "{pretended}: {report}");
    }
    let after = fs::metadata(&secret).expect("there");
    let of = |secret: &fs::Metadata| (secret.mode(), secret.mtime(), secret.ctime());
    assert_eq!(of(&after), of(&before));
}
