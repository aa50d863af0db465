//! A store was set back to an older copy, and a signed log was to show it. But the key lay in the
//! store and was set back with it, or nobody had made one. These tests run the program as a person
//! does, with a home folder of its own.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

struct Plant {
    dir: tempfile::TempDir,
}

impl Plant {
    fn new() -> Self {
        let plant = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(plant.path("home")).expect("made");
        fs::write(plant.path("a.csv"), "SN1").expect("written");
        plant
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_annals"))
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("ANNALS_STORE", "store")
            .stdin(Stdio::null())
            .output()
            .expect("runs")
    }

    /// Runs the program, which must end with this exit code. Returns stdout and stderr.
    fn annals(&self, args: &[&str], exit: i32) -> (String, String) {
        let output = self.run(args);
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {told}");
        (String::from_utf8(output.stdout).expect("UTF-8"), told)
    }

    fn archive(&self) {
        self.annals(&["archive", "a.csv", "-c", "ICT"], 0);
    }

    fn files_below(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(folder)).expect("there");
        entries.map(|entry| entry.expect("there").path()).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

const KEYS: &str = "home/.local/share/annals/keys";

#[test]
fn a_store_is_signed_from_its_first_record_on() {
    let plant = Plant::new();
    let (made, _) = plant.annals(&["init", "store", "--json"], 0);
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let vkey = made["vkey"].as_str().expect("a key").to_owned();
    let [file] = &plant.files_below(KEYS)[..] else {
        panic!("one key");
    };
    assert_eq!(made["key_file"].as_str(), file.to_str());
    let mode = fs::metadata(file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    plant.archive();
    assert_eq!(plant.annals(&["key", "show"], 0).0.trim(), vkey);
    let (note, _) = plant.annals(&["checkpoint"], 0);
    assert!(
        note.starts_with("annals/") && note.contains("\u{2014} annals/"),
        "{note}"
    );
    // Nothing came since, so it is the same one.
    assert_eq!(
        plant.annals(&["checkpoint", "--publish", "given"], 0).0,
        note
    );
    assert_eq!(
        fs::read_to_string(plant.path("given")).expect("there"),
        format!("{note}\n")
    );
    let (said, _) = plant.annals(&["verify"], 0);
    assert!(
        said.contains("signed up to event") && said.contains(&vkey),
        "{said}"
    );
    plant.annals(&["verify", "--vkey", &vkey], 0);
    plant.annals(&["key", "init"], 5);
    // The secret is nowhere in the store, and is never printed.
    let secret = fs::read_to_string(file).expect("readable");
    let secret = secret
        .lines()
        .nth(1)
        .expect("the key")
        .rsplit('+')
        .next()
        .expect("a part");
    let found = Command::new("grep")
        .args(["-r", "-a", "-q", secret])
        .arg(plant.path("store"))
        .status();
    assert_eq!(found.expect("grep runs").code(), Some(1));
}

#[test]
fn a_store_without_a_key_can_be_signed_later() {
    let plant = Plant::new();
    plant.annals(&["init", "store", "--no-key"], 0);
    plant.archive();
    assert!(plant.annals(&["verify"], 0).0.contains("not signed"));
    plant.annals(&["checkpoint"], 5);
    plant.annals(&["key", "show"], 4);
    let (_, told) = plant.annals(&["key", "init", "--key-file", "store/key"], 5);
    assert!(told.contains("lies in the store"), "{told}");
    plant.annals(&["key", "init"], 0);
    assert!(plant.annals(&["verify"], 0).0.contains("signed up to"));
}

/// Machines of a line are installed with a home folder that cannot be written.
#[test]
fn without_a_place_for_a_key_the_store_is_made_nevertheless() {
    let plant = Plant::new();
    fs::write(plant.path("home/.local"), "no folder").expect("written");
    let (_, told) = plant.annals(&["init", "store"], 0);
    assert!(
        told.contains("not signed") && told.contains("key init"),
        "{told}"
    );
    plant.archive();
    plant.annals(&["verify"], 0);
}

#[test]
fn keys_take_over_from_one_another() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    let first = plant.annals(&["key", "show"], 0).0;
    let second = plant.annals(&["key", "rotate"], 0).0;
    assert_ne!(first, second);
    assert_eq!(plant.files_below(KEYS).len(), 2, "the old one is kept");
    plant.archive();
    assert_eq!(plant.annals(&["key", "show"], 0).0, second);
    plant.annals(&["verify", "--vkey", second.trim()], 0);
    let (said, _) = plant.annals(&["verify", "--vkey", first.trim()], 6);
    assert!(said.contains("UNTRUSTED-KEY"), "{said}");
    // It is not lost while it is there.
    plant.annals(&["key", "lost", "--reason", "gone"], 5);
    fs::remove_dir_all(plant.path(KEYS)).expect("removed");
    plant.annals(&["key", "rotate"], 4);
    plant.annals(&["key", "lost", "--reason", "the disk died"], 0);
    plant.archive();
    plant.annals(&["verify"], 0);
    let (lost, _) = plant.annals(&["events", "--type", "key.lost"], 0);
    assert!(lost.contains("the disk died"), "{lost}");
}

#[test]
fn a_store_that_was_taken_back_is_not_written_until_somebody_says_so() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    copy(&plant.path("store"), &plant.path("older"));
    plant.archive();
    fs::remove_dir_all(plant.path("store")).expect("removed");
    fs::rename(plant.path("older"), plant.path("store")).expect("renamed");
    let (_, told) = plant.annals(&["archive", "a.csv", "-c", "ICT"], 6);
    assert!(
        told.contains("ROLLED-BACK") && told.contains("confirm-move"),
        "{told}"
    );
    let (said, _) = plant.annals(&["verify"], 6);
    assert!(said.contains("ROLLED-BACK"), "{said}");
    plant.annals(&["confirm-move"], 0);
    plant.archive();
    plant.annals(&["verify"], 0);
    let (events, _) = plant.annals(&["events", "--type", "store.continued"], 0);
    assert_eq!(events.lines().count(), 1);
}

/// A backup was restored and tried out, and from then on the original could only be read: it looked
/// as if it had been taken back. What was advised made its owner throw it away.
#[test]
fn a_rehearsal_leaves_the_original_alone_and_a_moved_store_keeps_its_witness() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    copy(&plant.path("store"), &plant.path("older"));
    plant.annals(&["backup", "saved"], 0);
    plant.annals(&["restore-store", "saved", "--to", "rehearsal"], 0);
    plant.annals(&["verify", "--store", "rehearsal", "--record"], 0);
    plant.annals(
        &["--store", "rehearsal", "archive", "a.csv", "-c", "ICT"],
        0,
    );
    plant.archive();
    plant.annals(&["verify"], 0);
    plant.annals(&["verify", "--store", "rehearsal"], 0);

    fs::rename(plant.path("store"), plant.path("moved")).expect("moved");
    plant.annals(&["--store", "moved", "archive", "a.csv", "-c", "ICT"], 0);
    fs::remove_dir_all(plant.path("moved")).expect("removed");
    fs::rename(plant.path("older"), plant.path("moved")).expect("put there");
    let archive = ["--store", "moved", "archive", "a.csv", "-c", "ICT"];
    let (_, told) = plant.annals(&archive, 6);
    assert!(told.contains("ROLLED-BACK"), "{told}");
    let (_, told) = plant.annals(&["--store", "moved", "confirm-move"], 0);
    assert!(!told.contains("remove it"), "{told}");
    plant.annals(&archive, 0);
}

/// A store came back from a backup and said so, and was taken for one that somebody had set back.
#[test]
fn a_restored_store_goes_on_and_is_signed() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    plant.annals(&["backup", "saved"], 0);
    plant.archive();
    plant.archive();
    plant.annals(&["restore-store", "saved", "--to", "restored"], 0);
    plant.annals(&["-s", "restored", "verify"], 0);
    for _ in 0..5 {
        plant.annals(&["-s", "restored", "archive", "a.csv", "-c", "ICT"], 0);
    }
    let (said, _) = plant.annals(&["-s", "restored", "verify"], 0);
    assert!(said.contains("signed up to"), "{said}");
    // Put in the place of the original, it is the other history there.
    fs::rename(plant.path("store"), plant.path("original")).expect("moved");
    fs::rename(plant.path("restored"), plant.path("store")).expect("moved");
    plant.annals(&["archive", "a.csv", "-c", "ICT"], 0);
    fs::rename(plant.path("store"), plant.path("restored")).expect("moved");
    fs::rename(plant.path("original"), plant.path("store")).expect("moved");
    let (_, told) = plant.annals(&["archive", "a.csv", "-c", "ICT"], 6);
    assert!(
        told.contains("FORKED") || told.contains("ROLLED-BACK"),
        "{told}"
    );
}

/// A customer asked for the record of one unit, and must not see those of other customers.
#[test]
fn the_proof_of_one_entry_holds_without_the_store_and_shows_no_other() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    for serial in ["OTHER-1", "SN1042", "OTHER-2"] {
        plant.annals(&["archive", "a.csv", "-c", "ICT", "--serial", serial], 0);
    }
    let (found, _) = plant.annals(&["find", "SN1042", "--json"], 0);
    let found: serde_json::Value =
        serde_json::from_str(found.lines().next().expect("one")).expect("JSON");
    let id = found["id"].to_string();
    plant.annals(&["prove", &id, "-o", "proof"], 0);
    plant.annals(&["prove", &id, "-o", "proof"], 5);
    plant.annals(&["prove", "999"], 4);
    let proof = fs::read_to_string(plant.path("proof")).expect("there");
    assert!(
        proof.contains("SN1042") && !proof.contains("OTHER"),
        "{proof}"
    );
    let vkey = plant.annals(&["key", "show"], 0).0;
    fs::rename(plant.path("store"), plant.path("away")).expect("renamed");
    let check = ["verify-proof", "proof", "--vkey", vkey.trim()];
    assert!(plant.annals(&check, 0).0.starts_with("PROVEN"));
    fs::write(plant.path("proof"), proof.replace("SN1042", "SN1043")).expect("written");
    assert!(plant.annals(&check, 6).0.starts_with("NOT-PROVEN"));
    fs::write(plant.path("proof"), "no proof").expect("written");
    assert!(plant.annals(&check, 6).0.starts_with("UNREADABLE"));
}

/// Runs a tool that an auditor has instead of annals. `None` when this machine lacks what it needs.
fn recipe(program: &str, script: &str, bundle: &Path, vkey: &str) -> Option<bool> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tools/evidence")
        .join(script);
    let ran = Command::new(program)
        .arg(script)
        .arg(bundle)
        .arg(vkey)
        .output()
        .ok()?;
    Some(ran.status.success())
}

#[test]
fn a_bundle_is_intact_for_annals_and_for_tools_without_it() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    for serial in ["SN1", "SN1042"] {
        plant.annals(&["archive", "a.csv", "-c", "ICT", "--serial", serial], 0);
    }
    plant.annals(&["export", "whole", "--with-blobs"], 0);
    plant.annals(&["export", "whole"], 5);
    plant.annals(&["export", "nobody", "--serial", "SN9"], 4);
    plant.annals(&["export", "one", "--serial", "SN1042"], 0);
    plant.annals(&["checkpoint", "--publish", "given"], 0);
    plant.annals(&["export", "later"], 0);
    plant.annals(&["verify"], 0);
    let vkey = plant.annals(&["key", "show"], 0).0;
    let vkey = vkey.trim();
    fs::rename(plant.path("store"), plant.path("away")).expect("renamed");
    for bundle in ["whole", "one", "later"] {
        let (said, told) = plant.annals(&["verify-export", bundle, "--vkey", vkey], 0);
        assert!(said.starts_with("INTACT:"), "{said}");
        // Each verb was a process of its own, and their clocks agree.
        assert!(!told.contains("goes back"), "{told}");
        for (program, script) in [("bash", "recipe.sh"), ("python3", "recipe.py")] {
            let held = recipe(program, script, &plant.path(bundle), vkey);
            assert_ne!(held, Some(false), "{script} {bundle}");
        }
    }
    let older = ["verify-export", "later", "--vkey", vkey, "--older", "given"];
    plant.annals(&older, 0);
    plant.annals(&["verify-export", "whole", "later", "--vkey", vkey], 0);
    let other = "annals/5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a+65a8c000+\
                 AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    let (said, _) = plant.annals(&["verify-export", "whole", "--vkey", other], 6);
    assert!(said.contains("UNTRUSTED-KEY"), "{said}");
    let lines = plant.path("whole/data/events.jsonl");
    let text = fs::read_to_string(&lines).expect("there");
    fs::write(&lines, text.replace("SN1042", "SN1043")).expect("written");
    let (said, _) = plant.annals(&["verify-export", "whole", "--vkey", vkey], 6);
    assert!(said.contains("TAMPERED"), "{said}");
    for (program, script) in [("bash", "recipe.sh"), ("python3", "recipe.py")] {
        let held = recipe(program, script, &plant.path("whole"), vkey);
        assert_ne!(held, Some(true), "{script}");
    }
}

/// Somebody copied the store and wrote both copies on. Each bundle is intact by itself.
#[test]
fn two_bundles_that_contradict_each_other_are_forked() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    copy(&plant.path("store"), &plant.path("twin"));
    plant.annals(&["archive", "a.csv", "-c", "ICT", "--serial", "SN1"], 0);
    plant.annals(&["export", "first"], 0);
    plant.annals(&["export", "part", "--serial", "SN1"], 0);
    // Without what the account remembers of the other copy.
    fs::remove_dir_all(plant.path("home/.local/state")).expect("there");
    fs::rename(plant.path("store"), plant.path("away")).expect("renamed");
    fs::rename(plant.path("twin"), plant.path("store")).expect("renamed");
    plant.annals(&["archive", "a.csv", "-c", "ICT", "--serial", "SN2"], 0);
    plant.annals(&["export", "second"], 0);
    let vkey = plant.annals(&["key", "show"], 0).0;
    let vkey = vkey.trim();
    for bundle in ["first", "second", "part"] {
        plant.annals(&["verify-export", bundle, "--vkey", vkey], 0);
    }
    for (a, b) in [("first", "second"), ("second", "first"), ("part", "second")] {
        let (said, _) = plant.annals(&["verify-export", a, b, "--vkey", vkey], 6);
        assert!(said.contains("both together: FORKED"), "{said}");
    }
    // A selection alone cannot show that it continues the other one.
    let (said, _) = plant.annals(&["verify-export", "first", "part", "--vkey", vkey], 6);
    assert!(said.contains("both together: INCOMPLETE"), "{said}");
}

/// A host, which does not outlive its test.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A host with its key in its configuration signs what a client records through it, and gives every
/// checkpoint away.
#[test]
fn a_host_signs_for_its_clients_and_publishes() {
    let plant = Plant::new();
    plant.annals(&["init", "store", "--key-file", "line3.key"], 0);
    fs::create_dir(plant.path("watch")).expect("made");
    let config = r#"
[store]
path = "store"
[evidence]
key_file = "line3.key"
publish = "given"
[host]
min_free_disk_gb = 0
[[converter]]
name = "ICT"
command = ["true", "{input}"]
watch_folder = "watch"
archive_enabled = true
"#;
    fs::write(plant.path("host.toml"), config).expect("written");
    let host = Command::new(env!("CARGO_BIN_EXE_annals"))
        .args(["host", "run", "host.toml"])
        .current_dir(plant.path(""))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut host = Host(host);
    let mut waited = 0;
    while plant.run(&["host", "status"]).status.code() != Some(0) {
        assert!(waited < 300, "the host does not answer");
        std::thread::sleep(std::time::Duration::from_millis(100));
        waited += 1;
    }
    plant.archive();
    let (note, _) = plant.annals(&["checkpoint"], 0);
    let given = fs::read_to_string(plant.path("given")).expect("published");
    assert!(given.contains(&note), "{given}");
    let vkey = plant.annals(&["key", "show"], 0).0;
    plant.annals(&["verify", "--vkey", vkey.trim()], 0);
    // Without the file, a hand-over is refused; with it, the host signs with the new key.
    plant.annals(&["key", "rotate"], 4);
    let (second, _) = plant.annals(&["key", "rotate", "--key-file", "line3.key"], 0);
    plant.archive();
    plant.annals(&["checkpoint"], 0);
    plant.annals(&["verify", "--vkey", second.trim()], 0);
    let pid = host.0.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(asked.expect("kill runs").success());
    host.0.wait().expect("ended");
    plant.annals(
        &["--key-file", "line3.key", "archive", "a.csv", "-c", "ICT"],
        0,
    );
    plant.annals(&["verify", "--vkey", second.trim()], 0);
}

/// An authority asked for one file and wanted to be sure that it is the one that came in.
#[test]
fn a_restored_file_and_its_certificate_are_checked_without_the_store() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    let id = first_id(&plant);
    plant.annals(&["restore", &id, "--to", "back", "--certificate"], 0);
    let vkey = plant.annals(&["key", "show"], 0).0;
    let vkey = vkey.trim();
    fs::rename(plant.path("store"), plant.path("away")).expect("renamed");
    let file = format!("back/{id}_a.csv");
    let certificate = format!("{file}.certificate");
    let check = ["verify-proof", &certificate, "--vkey", vkey];
    let (said, _) = plant.annals(&check, 0);
    assert!(
        said.starts_with("PROVEN") && said.contains("the same content"),
        "{said}"
    );
    assert!(
        said.contains("checked \"") && !said.contains("\nproof"),
        "{said}"
    );
    // A file that was changed after it was restored is not the one that came in.
    fs::write(plant.path(&file), "SN2").expect("written");
    let (said, _) = plant.annals(&check, 6);
    assert!(said.starts_with("NOT-PROVEN"), "{said}");
    fs::remove_file(plant.path(&file)).expect("removed");
    let (_, told) = plant.annals(&check, 0);
    assert!(told.contains("not compared"), "{told}");
    let content = ["--content", "a.csv"];
    plant.annals(&[&check[..], &content[..]].concat(), 0);
    // Without the key nothing is restored, so nobody has a file without its certificate.
    fs::rename(plant.path("away"), plant.path("store")).expect("renamed");
    fs::rename(plant.path(KEYS), plant.path("no-keys")).expect("renamed");
    plant.annals(&["restore", &id, "--to", "more", "--certificate"], 5);
    assert!(!plant.path("more").exists());
}

fn first_id(plant: &Plant) -> String {
    let (found, _) = plant.annals(&["find", "--same-as", "a.csv", "--json"], 0);
    let line = found.lines().last().expect("one");
    let found: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(found["matches"][0]["what"], "source");
    found["id"].to_string()
}

/// A customer had a report and asked what it was made of, and whether it is the one that was sent.
#[test]
fn a_report_is_found_and_its_conversion_stated() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    let id = first_id(&plant);
    plant.annals(&["prove", &id, "--in-toto"], 4);
    for (name, text) in [("one.json", "{\"sn\":1}"), ("other.json", "{\"sn\":2}")] {
        fs::write(plant.path(name), text).expect("written");
    }
    plant.annals(&["report", &id, "one.json", "--report-id", "R-1"], 0);
    let (found, _) = plant.annals(&["find", "--same-as", "one.json"], 0);
    assert!(
        found.contains("attempt 1, report 0") && found.contains("R-1"),
        "{found}"
    );
    plant.annals(&["find", "--same-as", "other.json"], 4);
    plant.annals(&["prove", &id, "--in-toto", "-o", "statement"], 0);
    plant.annals(&["prove", &id, "--in-toto", "--attempt", "7"], 4);
    let vkey = plant.annals(&["key", "show"], 0).0;
    let (pem, _) = plant.annals(&["key", "show", "--pem"], 0);
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
    let check = [
        "verify-proof",
        "statement",
        "--vkey",
        vkey.trim(),
        "--content",
    ];
    let of = |file: &str, exit: i32| plant.annals(&[&check[..], &[file]].concat(), exit).0;
    assert!(of("one.json", 0).starts_with("PROVEN: a signed in-toto statement"));
    assert!(of("a.csv", 0).starts_with("PROVEN"), "what it was made of");
    assert!(of("other.json", 6).starts_with("NOT-PROVEN"));
    let text = fs::read_to_string(plant.path("statement")).expect("there");
    fs::write(plant.path("statement"), text.replace("in-toto", "in.toto")).expect("written");
    assert!(of("one.json", 6).starts_with("NOT-PROVEN"));
}

/// A record of destruction said "erased", and half of the files were still in an old pack.
#[test]
fn a_certificate_of_destruction_says_what_became_of_each_content() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.annals(&["retention", "certificate"], 4);
    plant.archive();
    for name in ["b.csv", "c.csv"] {
        fs::write(plant.path(name), name).expect("written");
        plant.annals(&["archive", name, "-c", "ICT"], 0);
    }
    plant.archive();
    let apply = ["retention", "apply", "--max-count", "2", "--yes"];
    plant.annals(&[&apply[..], &["--certificate", "gone"]].concat(), 0);
    // The first one has the content of the last one; the second one is destroyed.
    let text = fs::read_to_string(plant.path("gone")).expect("there");
    assert_eq!(text.matches(": destroyed\n").count(), 1, "{text}");
    assert_eq!(text.matches(": kept: named 1 times").count(), 1, "{text}");
    assert!(text.contains("result: all contents") && text.contains("not looked at: backups"));
    let vkey = plant.annals(&["key", "show"], 0).0;
    let check = ["verify-proof", "gone", "--vkey", vkey.trim()];
    assert!(
        plant
            .annals(&check, 0)
            .0
            .contains("certificate of destruction")
    );
    fs::write(
        plant.path("gone"),
        text.replace("kept: named 1 times", "destroyed now"),
    )
    .expect("written");
    plant.annals(&check, 6);
    let (again, _) = plant.annals(&["retention", "certificate"], 0);
    assert!(again.contains(": destroyed\n"), "{again}");
    plant.annals(&["retention", "certificate", "-o", "gone"], 5);
    // Nothing is purged when the certificate could not be written.
    let apply = ["retention", "apply", "--max-count", "0", "--yes"];
    plant.annals(&[&apply[..], &["--certificate", "gone"]].concat(), 5);
    assert_eq!(plant.annals(&["list", "--json"], 0).0.lines().count(), 2);
}

/// `check` of another program said "no errors" for an archive that was not there.
#[test]
fn only_chosen_entries_are_verified_and_never_nothing() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.annals(&["archive", "a.csv", "-c", "ICT", "--serial", "SN1"], 0);
    plant.archive();
    let (said, _) = plant.annals(&["verify", "--serial", "SN1"], 0);
    assert!(said.contains("1 entry, 1 event (1 proven)"), "{said}");
    assert!(said.contains("not looked at: all other entries"), "{said}");
    for nothing in [&["--serial", "SN9"][..], &["99"], &["-c", "FCT"]] {
        let (said, _) = plant.annals(&[&["verify"], nothing].concat(), 4);
        assert!(!said.contains("intact"), "{said}");
    }
    let id = first_id(&plant);
    let (why, _) = plant.annals(&["show", &id, "--why"], 0);
    assert!(
        why.contains("shared content") && why.contains("forever"),
        "{why}"
    );
    plant.annals(
        &["hold", "add", &id, "--name", "recall", "--reason", "field"],
        0,
    );
    let (why, _) = plant.annals(&["show", &id, "--why", "--json"], 0);
    let why: serde_json::Value = serde_json::from_str(&why).expect("JSON");
    assert_eq!(why["may_go"], "blocked");
    assert_eq!(why["reasons"][1]["kind"], "hold");
}

/// An auditor had the first key from a contract, and a bundle of the time after it was handed over.
#[test]
fn a_bundle_is_believed_with_the_key_that_was_pinned_before_a_rotation() {
    let plant = Plant::new();
    plant.annals(&["init", "store"], 0);
    plant.archive();
    let first = plant.annals(&["key", "show"], 0).0;
    plant.annals(&["key", "rotate"], 0);
    plant.archive();
    plant.annals(&["export", "bundle"], 0);
    let check = ["verify-export", "bundle", "--vkey", first.trim()];
    let (said, told) = plant.annals(&check, 0);
    assert!(said.starts_with("INTACT"), "{said}");
    assert!(told.contains("took over from"), "{told}");
    assert!(!told.contains("clock"), "{told}");
    fs::remove_dir_all(plant.path(KEYS)).expect("removed");
    plant.annals(&["key", "lost", "--reason", "the disk died"], 0);
    plant.annals(&["export", "later"], 0);
    plant.annals(&["verify-export", "later", "--vkey", first.trim()], 6);
}
