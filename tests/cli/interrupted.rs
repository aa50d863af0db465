//! Tests SIGTERM from a service manager and Ctrl-C from a user. The program used to end at once.
//! Its converters, each in a process group of its own, worked on, and nothing reported it.

#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a busy machine, and far shorter than the converter would take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reports that it began, then works for longer than any test.
const SLOW: &str = "echo $$ > began\nexec sleep 600\n";
/// The corrected converter.
const QUICK: &str = "printf '{\"sn\":1}'\n";

struct Plant(tempfile::TempDir);

impl Plant {
    fn new() -> Self {
        let plant = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(plant.path("in")).expect("made");
        let began = plant.path("began");
        let slow = SLOW.replace("began", &began.to_string_lossy());
        fs::write(plant.path("run.sh"), slow).expect("written");
        fs::write(
            plant.path("host.toml"),
            "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\nstop_within_s = 0.2\n[[converter]]\nname = \"T\"\n\
             command = [\"sh\", \"run.sh\", \"{input}\"]\nenvironment = \"sh\"\nbundle = [\"run.sh\"]\nwatch_folder = \"in\"\n\
             settle_s = 0\narchive_enabled = true\npost_process = \"archive\"\n",
        )
        .expect("written");
        fs::write(plant.path("in/1.csv"), "unit 1").expect("written");
        assert!(plant.annals(&["init", "store"]).status.success());
        plant
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
        command.current_dir(self.0.path()).args(args);
        command
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("ANNALS_STORE")
            .stdin(Stdio::null());
        command
    }

    fn annals(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("ran")
    }

    /// Returns the host once its converter works, and the process number of the converter.
    fn host_at_work(&self) -> (Child, String) {
        let mut host = self.command(&["host", "run", "host.toml"]);
        host.stdout(Stdio::null()).stderr(Stdio::piped());
        let host = host.spawn().expect("started");
        let converter = wait_for(|| {
            let began = fs::read_to_string(self.path("began")).ok()?;
            let number = began.trim();
            (!number.is_empty()).then(|| number.to_owned())
        });
        (host, converter)
    }
}

fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(signal: &str, process: &str) {
    let sent = Command::new("kill").args([signal, process]).status();
    assert!(sent.expect("there is kill").success());
}

fn is_alive(process: &str) -> bool {
    // A process that ended but was not waited for counts as gone.
    let state = fs::read_to_string(Path::new("/proc").join(process).join("stat"));
    match state {
        Ok(state) => !state.contains(") Z "),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => {
            let probe = Command::new("kill").args(["-0", process]).output();
            probe.is_ok_and(|probe| probe.status.success())
        }
    }
}

#[test]
fn a_host_that_is_asked_to_end_ends_with_its_converters_and_the_next_takes_up_what_was_left() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let plant = Plant::new();
        let (mut host, converter) = plant.host_at_work();
        assert!(is_alive(&converter));
        send(signal, &host.id().to_string());
        let ended = wait_for(|| host.try_wait().expect("asked"));
        assert_eq!(ended.code(), Some(code), "{signal}");
        wait_for(|| (!is_alive(&converter)).then_some(()));

        // It was archived, its conversion counts as not begun, and the file is still in its place.
        assert!(plant.path("in/1.csv").exists());
        let listed = plant.annals(&["-s", "store", "list", "--json"]);
        let listed = String::from_utf8(listed.stdout).expect("text");
        assert_eq!(listed.lines().count(), 1, "{listed}");
        assert!(listed.contains("\"status\":\"pending\""), "{listed}");

        fs::write(plant.path("run.sh"), QUICK).expect("written");
        let once = plant.annals(&["host", "run", "host.toml", "--once"]);
        assert!(once.status.success(), "{once:?}");
        assert!(!plant.path("in/1.csv").exists());
        let listed = plant.annals(&["-s", "store", "list", "--json"]);
        let listed = String::from_utf8(listed.stdout).expect("text");
        assert_eq!(listed.lines().count(), 1, "{listed}");
        assert!(listed.contains("\"status\":\"success\""), "{listed}");
    }
}

/// The program waits for input that a user types, and has to react to a signal meanwhile.
#[test]
fn what_is_handed_in_by_hand_is_given_up_at_the_first_signal() {
    let plant = Plant::new();
    let mut archive = plant.command(&["-s", "store", "archive", "-", "--name", "a", "-c", "T"]);
    archive.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut archive = archive.spawn().expect("started");
    let mut stdin = archive.stdin.take().expect("a pipe");
    // More than a pipe holds, so the program has read some of it.
    stdin.write_all(&vec![b'x'; 1 << 20]).expect("read");
    // Not SIGINT, because a shell makes background processes ignore it.
    send("-TERM", &archive.id().to_string());
    let ended = wait_for(|| archive.try_wait().expect("asked"));
    assert_eq!(ended.signal(), Some(15));
    drop(stdin);
    let listed = plant.annals(&["-s", "store", "list", "--json"]);
    assert!(
        listed.status.success() && listed.stdout.is_empty(),
        "{listed:?}"
    );
}

/// Somebody stops the archiving of a large tree, and asks what is safe.
#[test]
fn archiving_that_is_stopped_sums_up_what_is_safe_and_goes_on_later() {
    let plant = Plant::new();
    for number in 0..3_000 {
        let name = plant
            .path("tree")
            .join(format!("{}/{number}.csv", number % 30));
        fs::create_dir_all(name.parent().expect("a folder")).expect("made");
        fs::write(name, format!("SN{number}")).expect("written");
    }
    let tree = ["-s", "store", "archive", "tree", "-c", "T", "--skip-known"];
    let mut archive = plant.command(&tree);
    archive.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut archive = archive.spawn().expect("started");
    let mut first = [0];
    let stdout = archive.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(stdout, &mut first).expect("a receipt");
    send("-TERM", &archive.id().to_string());
    let ended = archive.wait_with_output().expect("ended");
    assert_eq!(ended.status.code(), Some(143));
    let said = String::from_utf8(ended.stderr).expect("text");
    assert!(said.contains("stopped: these are safe"), "{said}");
    let receipts = String::from_utf8(ended.stdout)
        .expect("text")
        .lines()
        .count();
    assert!(receipts < 3_000);

    let listed =
        |plant: &Plant| plant.annals(&["-s", "store", "list", "--json", "--limit", "9999"]);
    let safe = String::from_utf8(listed(&plant).stdout).expect("text");
    assert_eq!(safe.lines().count(), receipts);
    let again = plant.annals(&tree);
    let said = String::from_utf8(again.stderr).expect("text");
    assert!(
        said.contains(&format!("{receipts} skipped, archived before")),
        "{said}"
    );
    let all = String::from_utf8(listed(&plant).stdout).expect("text");
    assert_eq!(all.lines().count(), 3_000);
}
