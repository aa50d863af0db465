//! Tests the command line as scripts in factories use it: verbs, output and exit codes must stay
//! stable.
#![cfg(feature = "cli")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

#[cfg(unix)]
mod audits;
#[cfg(unix)]
mod notes;
mod paths;
mod privacy;
mod repeats;
#[cfg(unix)]
mod verdicts;

/// A store in a temporary folder, and the program to run on it.
struct Plant {
    dir: TempDir,
}

struct Ran {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn text(&self) -> &str {
        str::from_utf8(&self.stdout).expect("UTF-8")
    }

    fn objects(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).expect("one object a line"))
            .collect()
    }

    fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{}", self.text());
        objects.remove(0)
    }

    fn error(&self) -> Value {
        let line = self.stderr.lines().next().expect("an error on stderr");
        let object: Value = serde_json::from_str(line).expect("JSON");
        object["error"].clone()
    }

    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stderr, self.text());
        self
    }
}

impl Plant {
    fn new() -> Self {
        let plant = Self::without_store();
        plant.run(&["init"]).expect(0);
        plant
    }

    fn without_store() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(&path, content).expect("file");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("ANNALS_STORE", self.path("store"))
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("ANNALS_CONFIG")
            .env("USER", "mia");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, b"")
    }

    fn run_with(&self, args: &[&str], stdin: &[u8]) -> Ran {
        ran(&mut self.command(args), stdin)
    }

    fn archive(&self, path: &str, more: &[&str]) -> u64 {
        let args = [&["archive", path, "-c", "ICT CSV", "--json"], more].concat();
        let receipt = self.run(&args).expect(0).object();
        receipt["id"].as_u64().expect("a number")
    }
}

fn ran(command: &mut Command, stdin: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that does not read its input may have ended before the input is written.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    let output = child.wait_with_output().expect("the program ends");
    Ran {
        code: output.status.code().expect("no signal"),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn a_file_is_archived_found_shown_and_given_back_byte_for_byte() {
    let plant = Plant::new();
    let content = b"serial,SN1042\r\nvolts,4.98\r\n\0\xff";
    let path = plant.file("in/SN1042.csv", content);
    let receipt = plant
        .run(&[
            "archive",
            &path,
            "-c",
            "ICT CSV",
            "--version",
            "1.4.0",
            "--serial",
            "SN1042",
            "--part",
            "PCB-7",
            "--station",
            "ICT-3",
            "--process",
            "ICT",
            "--meta",
            "line=3",
            "--param",
            "operation=10",
            "--retention",
            "10y",
            "--json",
        ])
        .expect(0)
        .object();
    for member in [
        "path",
        "id",
        "blake3",
        "sha256",
        "size",
        "stored_size",
        "duplicate",
    ] {
        assert!(!receipt[member].is_null(), "{member}: {receipt}");
    }
    assert_eq!(receipt["path"], path.as_str());
    assert_eq!(receipt["size"], content.len());
    assert_eq!(receipt["duplicate"], false);
    let id = receipt["id"].as_u64().expect("a number").to_string();

    let entry = plant.run(&["--json", "list"]).expect(0).object();
    for member in [
        "id",
        "converter",
        "converter_version",
        "source_name",
        "source_path",
        "archived_at",
        "status",
        "size",
        "stored_size",
        "blake3",
        "sha256",
        "serial",
        "part",
        "station",
        "process",
        "meta",
        "report_id",
        "attempts",
        "held",
        "purged_at",
    ] {
        assert!(entry.get(member).is_some(), "{member}: {entry}");
    }
    assert_eq!(entry["status"], "pending");
    assert_eq!(entry["serial"], "SN1042");
    assert_eq!(entry["meta"]["line"], "3");
    assert_eq!(entry["source_name"], "SN1042.csv");
    assert_eq!(entry["retention"], "10y");

    let found = plant.run(&["find", "SN10", "--json"]).expect(0).object();
    assert_eq!(found["id"], receipt["id"]);
    let hash = receipt["blake3"].as_str().expect("text");
    plant.run(&["find", &hash[..12]]).expect(0);

    let shown = plant
        .run(&["show", &id, "--json", "--utc"])
        .expect(0)
        .object();
    assert_eq!(shown["timeline"][0]["type"], "annals.archived.v1");
    assert_eq!(shown["timeline"][0]["event"], receipt["id"]);
    assert!(
        shown["archived_at"]
            .as_str()
            .expect("text")
            .ends_with("+00:00")
    );
    let page = plant.run(&["show", &id]).expect(0);
    assert!(page.text().contains("SN1042") && page.text().contains("Timeline"));

    assert_eq!(plant.run(&["cat", &id]).expect(0).stdout, content);

    let restored = plant
        .run(&["restore", &id, "--to", "back", "--verify", "--json"])
        .expect(0)
        .object();
    assert_eq!(restored["sha256"], receipt["sha256"]);
    let back = plant.path(&format!("back/{id}_SN1042.csv"));
    assert_eq!(fs::read(back).expect("restored"), content);
    // Restoring again leaves what is the same, and never replaces what is not.
    plant.run(&["restore", &id, "--to", "back"]).expect(0);
    let back = format!("back/{id}_SN1042.csv");
    fs::write(plant.path(&back), "mine").expect("written");
    plant.run(&["restore", &id, "--to", "back"]).expect(1);
    assert_eq!(fs::read(plant.path(&back)).expect("there"), b"mine");
    plant
        .run(&["restore", &id, "--to", "back", "--overwrite", "always"])
        .expect(0);
    plant.run(&["verify"]).expect(0);
    plant.run(&["verify", "--quick"]).expect(0);
}

#[test]
fn a_report_is_recorded_beside_the_source_and_found_by_its_id() {
    let plant = Plant::new();
    let id = plant.archive(&plant.file("SN1.csv", "1"), &[]);
    let id = id.to_string();
    plant
        .run(&["report", &id, "--status", "failed", "--error", "no limits"])
        .expect(0);
    let recorded = plant
        .run_with(
            &[
                "report",
                &id,
                "-",
                "--report-id",
                "R-77",
                "--duration-ms",
                "12",
                "--json",
            ],
            b"{\"result\":\"P\"}",
        )
        .expect(0)
        .object();
    assert_eq!(
        (&recorded["id"], &recorded["attempt"]),
        (
            &Value::from(id.parse::<u64>().expect("number")),
            &Value::from(2)
        )
    );

    let entry = plant.run(&["find", "R-77", "--json"]).expect(0).object();
    assert_eq!(entry["status"], "success");
    assert_eq!(entry["report_id"], "R-77");
    assert_eq!(entry["attempts"][0]["error"], "no limits");
    assert_eq!(entry["attempts"][1]["duration_ms"], 12);
    assert_eq!(entry["attempts"][1]["reports"][0]["report_id"], "R-77");
    assert_eq!(
        plant.run(&["cat", &id, "--report"]).expect(0).stdout,
        b"{\"result\":\"P\"}"
    );
    assert_eq!(
        plant.run(&["cat", &id, "--report=2"]).expect(0).stdout,
        b"{\"result\":\"P\"}"
    );
    plant.run(&["cat", &id, "--report=1"]).expect(4);

    let shown = plant.run(&["show", &id, "--json"]).expect(0).object();
    let kinds: Vec<&str> = shown["timeline"]
        .as_array()
        .expect("array")
        .iter()
        .map(|moment| moment["type"].as_str().expect("text"))
        .collect();
    assert_eq!(
        kinds,
        [
            "annals.archived.v1",
            "annals.converted.v1",
            "annals.converted.v1",
            "annals.reported.v1"
        ]
    );
}

#[test]
fn a_directory_is_archived_whole_and_one_bad_path_does_not_stop_the_rest() {
    let plant = Plant::new();
    for number in 0..25 {
        plant.file(
            &format!("in/{}/SN{number}.csv", number % 3),
            format!("unit {number}"),
        );
    }
    let receipts = plant
        .run(&["archive", "in", "missing.csv", "-c", "ICT CSV", "--json"])
        .expect(3);
    assert_eq!(receipts.objects().len(), 25);
    assert_eq!(receipts.error()["kind"], "not_found");
    plant
        .run(&["archive", "missing.csv", "-c", "ICT CSV"])
        .expect(1);

    let listed = plant.run(&["list", "--json"]).expect(0).objects();
    assert_eq!(listed.len(), 25);
    let ids: Vec<u64> = listed
        .iter()
        .filter_map(|entry| entry["id"].as_u64())
        .collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first: {ids:?}");
    let csv = plant
        .run(&["list", "-o", "csv", "--sort", "source_name"])
        .expect(0);
    assert_eq!(csv.text().lines().count(), 26);

    let first = plant.run(&["list", "--limit", "10", "--json"]).expect(0);
    let more: Value = serde_json::from_str(&first.stderr).expect("where to go on");
    let cursor = more["next"].as_str().expect("a cursor");
    let rest = plant.run(&["list", "--after", cursor, "--json"]).expect(0);
    assert_eq!([first.objects(), rest.objects()].concat(), listed);

    let stats = plant.run(&["stats", "--json"]).expect(0).object();
    assert_eq!(stats["entries"], 25);
    assert_eq!(stats["converters"][0]["name"], "ICT CSV");
}

#[test]
fn the_same_content_is_a_new_entry_and_the_same_key_is_the_old_one() {
    let plant = Plant::new();
    let path = plant.file("SN1.csv", "same");
    let first = plant.archive(&path, &["--key", "run-1"]);
    let again = plant.archive(&path, &["--key", "run-1"]);
    assert_eq!(first, again);
    let args = ["archive", &path, "-c", "ICT CSV", "--json"];
    let copy = plant.run(&args).expect(0).object();
    assert_ne!(copy["id"], first);
    assert_eq!(copy["duplicate"], true);

    let piped = ["archive", "-", "--name", "dump.log", "-c", "FCT", "--json"];
    let piped = plant.run_with(&piped, b"from a pipe").expect(0).object();
    assert_eq!(piped["path"], "-");
    let found = plant
        .run(&["find", "dump.log", "--json"])
        .expect(0)
        .object();
    assert_eq!(found["source_name"], "dump.log");
    assert_eq!(
        plant
            .run(&["list", "-c", "FCT", "--json"])
            .expect(0)
            .objects()
            .len(),
        1
    );
}

#[test]
fn a_hold_keeps_an_entry_that_a_rule_would_let_go_and_what_went_stays_on_record() {
    let plant = Plant::new();
    let path = plant.file("a.csv", "a");
    let (held, goes) = (
        plant.archive(&path, &[]),
        plant.archive(&plant.file("b.csv", "b"), &[]),
    );
    plant
        .run(&[
            "hold",
            "add",
            &held.to_string(),
            "--name",
            "audit",
            "--reason",
            "IATF",
        ])
        .expect(0);
    let hold = plant.run(&["hold", "list", "--json"]).expect(0).object();
    assert_eq!(
        (&hold["name"], &hold["entries"]),
        (&Value::from("audit"), &Value::from(1))
    );

    plant.run(&["retention", "apply", "--yes"]).expect(5);
    let later = ["--older-than", "90d", "--now", "2100-01-01"];
    let preview = [
        &["retention", "preview", "--json", "--plan", "plan.json"],
        &later[..],
    ]
    .concat();
    let plan = plant.run(&preview).expect(0).object();
    assert_eq!(
        (&plan["count"], &plan["held_skipped"]),
        (&Value::from(1), &Value::from(1))
    );
    assert_eq!(plan["items"][0]["id"], goes);

    plant
        .run(&["retention", "apply", "--plan", "plan.json"])
        .expect(5);
    // A plan does not contain entries that were archived later. A hold may apply to an entry in it.
    let later_one = plant.archive(&plant.file("c.csv", "c"), &[]).to_string();
    let hold = [
        "hold", "add", &later_one, "--name", "late", "--reason", "seen",
    ];
    plant.run(&hold).expect(0);
    let stale = [
        "retention",
        "apply",
        "--plan",
        "plan.json",
        "--yes",
        "--json",
    ];
    assert_eq!(plant.run(&stale).expect(5).error()["kind"], "refused");

    plant
        .run(&["hold", "release", "late", "--reason", "over"])
        .expect(0);

    let apply = [
        &["retention", "apply", "--yes", "--reason", "space", "--json"],
        &later[..],
    ]
    .concat();
    let outcome = plant.run(&apply).expect(0).object();
    assert_eq!(outcome["archives_purged"], 2);
    assert_eq!(outcome["reason"], "space");
    assert_ne!(
        outcome["bytes_freed"], 0,
        "bytes that never left the journal count too"
    );
    assert_eq!(plant.run(&apply).expect(0).object()["archives_purged"], 0);

    let goes = goes.to_string();
    let gone = plant.run(&["cat", &goes, "--json"]).expect(4);
    assert!(
        gone.error()["message"]
            .as_str()
            .expect("text")
            .contains("purged")
    );
    assert_eq!(plant.run(&["list", "--json"]).expect(0).objects().len(), 1);
    assert_eq!(
        plant
            .run(&["list", "--purged", "--json"])
            .expect(0)
            .objects()
            .len(),
        3
    );
    let shown = plant.run(&["show", &goes, "--json"]).expect(0).object();
    assert!(shown["purged_at"].is_string() && shown["purged_by"].is_string());

    plant
        .run(&["hold", "release", "audit", "--reason", "over"])
        .expect(0);
    plant
        .run(&["hold", "release", "audit", "--reason", "over"])
        .expect(4);
    plant.run(&["compact"]).expect(0);
    plant.run(&["verify"]).expect(0);
}

/// Flips one bit of the byte at which `text` begins, in whichever file of that folder contains it.
fn flip_at(folder: &Path, text: &[u8]) {
    let files = fs::read_dir(folder).expect("readable");
    for path in files.map(|file| file.expect("readable").path()) {
        let mut bytes = fs::read(&path).expect("readable");
        let found = bytes.windows(text.len()).position(|bytes| bytes == text);
        if let Some(at) = found {
            bytes[at] ^= 1;
            return fs::write(&path, bytes).expect("written");
        }
    }
    panic!("no file of {} holds it", folder.display());
}

/// The disk returned a wrong bit, and from then on the store opened for reading only. `repair
/// --dry-run` must show what `repair` will do. What is lost is reported once and recorded, and the
/// store then works again.
#[test]
fn a_damaged_store_is_shown_what_a_repair_would_do_mended_and_goes_on() {
    let plant = Plant::new();
    for (name, content) in [("1.csv", "first"), ("2.csv", "second"), ("3.csv", "third")] {
        let path = plant.file(name, content);
        plant.archive(&path, &[]);
    }
    let sound = plant.run(&["repair"]).expect(0);
    assert_eq!(sound.text(), "nothing to repair\n");
    plant.run(&["repair", "--dry-run"]).expect(0);

    // The content of the event is in its frame.
    flip_at(&plant.path("store/journal"), b"second");
    plant.run(&["verify"]).expect(6);
    plant
        .run(&["archive", &plant.file("4.csv", "fourth"), "-c", "ICT CSV"])
        .expect(6);
    let shown = plant.run(&["repair", "--dry-run"]).expect(6);
    assert!(
        shown.text().contains("6 of 7 events; one is lost"),
        "{}",
        shown.text()
    );
    let plan = plant
        .run(&["repair", "--dry-run", "--json"])
        .expect(6)
        .object();
    assert_eq!(plan["mends"][0]["kind"], "log");
    assert_eq!(plan["lost_events"][0], serde_json::json!([5, 5]));

    let done = plant.run(&["repair"]).expect(3);
    for said in [
        "2 files are kept as they were, in quarantine/",
        "lost for good: 1 event, 0 contents",
    ] {
        assert!(done.text().contains(said), "{}", done.text());
    }
    assert_eq!(
        fs::read_dir(plant.path("store/quarantine"))
            .expect("there")
            .count(),
        4,
        "the two, what NEWEST said, and the inventory"
    );
    plant.run(&["verify"]).expect(0);
    let again = plant.run(&["repair", "--json"]).expect(0).object();
    assert_eq!(
        (&again["ok"], &again["mends"]),
        (&true.into(), &serde_json::json!([]))
    );
    assert_eq!(plant.run(&["list", "--json"]).expect(0).objects().len(), 2);
    plant
        .run(&[
            "archive",
            &plant.path("2.csv").to_string_lossy(),
            "-c",
            "ICT CSV",
        ])
        .expect(0);
}

/// A journal file was cut to a few bytes. `find` found nothing, `list` and `stats` showed no
/// entries, a preview would have purged nothing, and none of them reported damage.
#[test]
fn a_store_that_lost_its_journal_says_so_in_every_verb() {
    let plant = Plant::new();
    let path = plant.file("1.csv", "first");
    plant.archive(&path, &["--serial", "SN1"]);
    fs::File::options()
        .write(true)
        .open(plant.path("store/journal/0000.journal"))
        .and_then(|file| file.set_len(4_500))
        .expect("cut");
    let back = plant.path("back");
    let back = back.to_str().expect("UTF-8");
    for verb in [
        &["find", "SN1"][..],
        &["list"],
        &["list", "-q"],
        &["stats"],
        &["show", "3"],
        &["cat", "3"],
        &["diff", "3"],
        &["restore", "3", "--to", back],
        &["retention", "preview", "--max-count", "0"],
        &["retention", "apply", "--max-count", "0"],
        &["hold", "list"],
        &["hold", "add", "3", "--name", "audit", "--reason", "IATF"],
        &["hold", "release", "audit", "--reason", "over"],
        &["report", "3", "--status", "failed", "--error", "x"],
        &["archive", &path, "-c", "ICT CSV"],
        &["job", "list"],
        &["job", "show", "1"],
        &["events"],
        &["compact"],
        &["rebuild"],
    ] {
        let told = plant.run(verb).expect(6).stderr;
        assert!(told.contains("4500 bytes are left"), "{verb:?}: {told}");
        let told = plant.run(&[verb, &["--json"]].concat()).expect(6);
        let errors: Vec<Value> = told
            .stderr
            .lines()
            .map(|line| serde_json::from_str(line).expect("one object a line"))
            .collect();
        let is_damage = |object: &&Value| {
            object["error"]["kind"] == "damaged"
                && object["error"]["message"]
                    .as_str()
                    .is_some_and(|said| said.contains("4500 bytes are left"))
        };
        assert_eq!(errors.iter().filter(is_damage).count(), 1, "{verb:?}");
        let not_found = errors
            .iter()
            .any(|object| object["error"]["kind"] == "not_found");
        assert!(!not_found, "{verb:?}: {}", told.stderr);
    }
    // The output is usable all the same, and a wrong command line still gets its own exit code.
    let stats = plant.run(&["stats", "--json"]).expect(6).object();
    assert_eq!(stats["entries"], 0);
    plant.run(&["list", "--from", "no such day"]).expect(2);
}

/// The FORMAT file of another store was copied in. `repair` then took out journal and index: five
/// of six entries were gone, and stayed gone with the right FORMAT.
#[test]
fn a_format_of_another_store_is_told_mended_and_can_be_taken_back() {
    let plant = Plant::new();
    for name in ["1.csv", "2.csv"] {
        plant.archive(&plant.file(name, name), &[]);
    }
    plant.run(&["init", "other"]).expect(0);
    let format = plant.path("store/FORMAT");
    let right = fs::read(&format).expect("there");
    let wrong = fs::read(plant.path("other/FORMAT")).expect("there");
    fs::write(&format, &wrong).expect("written");
    let told = plant.run(&["list"]).expect(6).stderr;
    assert!(told.contains("bring the right FORMAT back"), "{told}");
    let shown = plant.run(&["repair", "--dry-run", "--json"]).expect(6);
    let plan = shown.object();
    assert_eq!(plan["mends"].as_array().map(Vec::len), Some(1));
    assert_eq!(plan["mends"][0]["kind"], "header");

    plant.run(&["repair"]).expect(0);
    assert_eq!(fs::read(&format).expect("there"), right);
    assert_eq!(plant.run(&["list", "--json"]).expect(0).objects().len(), 2);

    plant.run(&["repair", "--undo", "--dry-run"]).expect(0);
    assert_eq!(fs::read(&format).expect("there"), right);
    let undone = plant
        .run(&["repair", "--undo", "--json"])
        .expect(0)
        .object();
    assert_eq!(undone["put_back"][0]["path"], "FORMAT");
    assert_eq!(fs::read(&format).expect("there"), wrong);
    plant.run(&["repair", "--undo"]).expect(4);
    plant.run(&["repair"]).expect(0);
    assert_eq!(plant.run(&["list", "--json"]).expect(0).objects().len(), 2);
    plant.archive(&plant.file("3.csv", "3"), &[]);
    let refused = plant.run(&["repair", "--undo"]).expect(5).stderr;
    assert!(
        refused.contains("has changed since the repair"),
        "{refused}"
    );
}

/// Many tools do not copy empty folders. In such a copy every verb failed with `cannot list events`
/// and code 4, even `repair`.
#[test]
fn a_store_copied_without_its_empty_folders_is_the_store_it_was() {
    let plant = Plant::new();
    plant.archive(&plant.file("1.csv", "first"), &["--serial", "SN1"]);
    let empty = ["events", "packs", "tmp", "quarantine"];
    for folder in empty {
        fs::remove_dir(plant.path("store").join(folder)).expect("it is empty");
    }
    plant.run(&["find", "SN1"]).expect(0);
    plant.run(&["verify"]).expect(0);
    plant.run(&["repair", "--dry-run"]).expect(0);
    for folder in ["events", "packs"] {
        let made = plant.path("store").join(folder);
        assert!(!made.exists(), "{folder}: who looks changes nothing");
    }
    plant.archive(&plant.file("2.csv", "second"), &[]);
    for folder in empty {
        assert!(plant.path("store").join(folder).is_dir(), "{folder}");
    }
    plant
        .run(&["retention", "apply", "--max-count", "1", "--yes"])
        .expect(0);
    // A missing folder that should hold files is damage.
    for (folder, told) in [
        ("packs", "packs is missing"),
        ("events", "events is missing"),
    ] {
        let folder = plant.path("store").join(folder);
        let away = plant.path("away");
        fs::rename(&folder, &away).expect("moved");
        let said = plant.run(&["list"]).expect(6).stderr;
        assert!(said.contains(told), "{said}");
        fs::rename(&away, &folder).expect("moved back");
        plant.run(&["list"]).expect(0);
    }
}

/// Long content is in packs, apart from its event. When the content rots, the event stays and shows
/// what is missing.
#[test]
fn content_that_rots_in_its_pack_is_told_as_lost_and_its_entry_stays() {
    let plant = Plant::new();
    // Content that zstd cannot shorten is stored uncompressed in the pack.
    let noise: Vec<u8> = (0_u32..40_000)
        .flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes())
        .collect();
    let id = plant
        .archive(&plant.file("wave.bin", &noise), &[])
        .to_string();
    flip_at(&plant.path("store/packs/forever/none"), &noise[..32]);
    let mended = plant.run(&["repair", "--json"]).expect(3).object();
    assert_eq!(mended["ok"], false);
    assert_eq!(mended["lost_contents"].as_array().map(Vec::len), Some(1));
    assert_eq!(mended["mends"][0]["kind"], "pack");
    plant.run(&["show", &id]).expect(0);
    plant.run(&["restore", &id, "--to", "back"]).expect(6);
    plant.run(&["list"]).expect(0);
    plant.run(&["verify"]).expect(0);
}

#[test]
fn events_are_the_exact_lines_with_json_and_without() {
    let plant = Plant::new();
    let id = plant.archive(&plant.file("a.csv", "a"), &[]).to_string();
    let plain = plant.run(&["events"]).expect(0);
    let json = plant.run(&["events", "--json", "--utc"]).expect(0);
    assert_eq!(plain.stdout, json.stdout);
    assert_eq!(plain.objects()[0]["type"], "annals.store.created.v1");
    let one = plant.run(&["events", "--from", &id, "--to", &id]).expect(0);
    assert_eq!(one.objects().len(), 1);
    assert!(plain.text().contains(one.text()));
    let of_type = plant.run(&["events", "--type", "archived"]).expect(0);
    assert_eq!(of_type.stdout, one.stdout);
    plant.run(&["rebuild"]).expect(0);
    assert_eq!(plant.run(&["list", "--json"]).expect(0).objects().len(), 1);
}

#[test]
fn equal_original_names_both_come_back_and_a_hostile_one_stays_in_its_folder() {
    let plant = Plant::new();
    plant.archive(&plant.file("x/SN1.csv", "x"), &["--serial", "S"]);
    plant.archive(&plant.file("y/SN1.csv", "y"), &["--serial", "S"]);
    let restored = plant
        .run(&[
            "restore",
            "--serial",
            "S",
            "--to",
            "back",
            "--original-names",
            "--json",
        ])
        .expect(0);
    assert_eq!(restored.objects().len(), 2);
    assert!(plant.path("back/SN1.csv").is_file() && plant.path("back/SN1 (2).csv").is_file());

    let args = [
        "archive",
        "-",
        "--name",
        "../../evil\u{1b}[2J",
        "-c",
        "X",
        "--json",
    ];
    let id = plant.run_with(&args, b"e").expect(0).object()["id"].to_string();
    plant
        .run(&["restore", &id, "--to", "back", "--original-names"])
        .expect(1);
    let restored = plant
        .run(&["restore", &id, "--to", "back", "--json"])
        .expect(0)
        .object();
    let path = Path::new(restored["path"].as_str().expect("text"));
    assert_eq!(path.parent(), Some(Path::new("back")));
    let listed = plant.run(&["list"]).expect(0);
    assert!(!listed.text().contains('\u{1b}') && listed.text().contains("\\x1b"));
}

#[test]
fn bad_input_has_its_code_one_clear_error_and_no_data() {
    let plant = Plant::new();
    plant.archive(&plant.file("a.csv", "a"), &[]);
    for (code, kind, args) in [
        (2, "invalid", &["list", "--from", "gestern"][..]),
        (
            2,
            "invalid",
            &["list", "--from", "2026-03-02", "--to", "2026-03-01"],
        ),
        (2, "invalid", &["list", "--status", "lost"]),
        (2, "invalid", &["list", "--after", "nonsense"]),
        (2, "invalid", &["show", "abc"]),
        (2, "invalid", &["archive", "-", "-c", "X"]),
        (
            2,
            "invalid",
            &["archive", "a.csv", "-c", "X", "--retention", "soon"],
        ),
        (
            2,
            "invalid",
            &[
                "archive", "a.csv", "-c", "X", "--meta", "a=1", "--meta", "a=2",
            ],
        ),
        (2, "invalid", &["restore", "--to", "back"]),
        (2, "invalid", &["report", "1"]),
        (
            2,
            "invalid",
            &["hold", "add", "--name", "n", "--reason", "r"],
        ),
        (2, "invalid", &["compact", "--max-bytes", "much"]),
        (
            2,
            "invalid",
            &["retention", "preview", "--older-than", "soon"],
        ),
        (2, "invalid", &["frobnicate"]),
        (4, "not_found", &["show", "999999"]),
        (4, "not_found", &["cat", "999999"]),
        (4, "not_found", &["find", "nothing-like-this"]),
        (4, "not_found", &["restore", "999999", "--to", "back"]),
        (4, "not_found", &["report", "999999", "a.csv"]),
        (
            4,
            "not_found",
            &["hold", "add", "999999", "--name", "n", "--reason", "r"],
        ),
        (5, "refused", &["retention", "preview"]),
        (
            5,
            "refused",
            &["retention", "apply", "-c", "ICT CSV", "--yes"],
        ),
        (10, "no_store", &["--store", "nowhere", "list"]),
    ] {
        let ran = plant.run(&[&["--json"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert_eq!(ran.error()["kind"], kind, "{args:?}");
        assert!(ran.stdout.is_empty(), "{args:?}: {}", ran.text());
        assert_eq!(
            plant.run(args).code,
            code,
            "the same without --json: {args:?}"
        );
    }
}

#[test]
fn without_a_store_the_next_step_is_named() {
    let plant = Plant::without_store();
    let mut command = plant.command(&["--json", "list"]);
    let ran = ran(command.env_remove("ANNALS_STORE"), b"").expect(10);
    assert_eq!(ran.error()["kind"], "no_store");
    assert!(
        ran.error()["hint"]
            .as_str()
            .expect("text")
            .contains("annals init")
    );

    plant.file("full/something", "x");
    assert_ne!(plant.run(&["init", "full"]).code, 0);
    assert!(plant.path("full/something").is_file());
}

#[test]
fn a_store_is_found_from_a_folder_inside_it() {
    let plant = Plant::without_store();
    let store = plant.path("plant-a");
    plant
        .run(&["init", store.to_str().expect("UTF-8")])
        .expect(0);
    let inside = store.join("notes/deep");
    fs::create_dir_all(&inside).expect("folder");
    let mut command = plant.command(&["stats", "--json"]);
    command.env_remove("ANNALS_STORE").current_dir(inside);
    ran(&mut command, b"").expect(0);
}

/// Using a key again for another file returned code 1, as for a disk error. Every other refusal
/// returns 5.
#[test]
fn a_key_that_was_used_for_other_content_is_refused_like_anything_a_safety_rule_forbids() {
    let plant = Plant::new();
    let first = plant.file("a.csv", "a");
    let other = plant.file("b.csv", "b");
    plant.archive(&first, &["--key", "run-1"]);
    let args = [
        "archive", &other, "-c", "ICT CSV", "--key", "run-1", "--json",
    ];
    assert_eq!(plant.run(&args).expect(5).error()["kind"], "refused");
}

/// A converter that loses the second field, and its corrected version.
#[cfg(unix)]
const WRONG: &str = r#"case "$(cat "$1")" in
    broken*) echo "no serial number; asked with $ANNALS_ARGUMENTS" >&2; exit 1 ;;
    *) printf '{"sn":"%s"}' "$(cut -d';' -f1 "$1")" ;;
esac"#;
#[cfg(unix)]
const CORRECTED: &str =
    r#"printf '{"volts":%s,"sn":"%s"}' "$(cut -d';' -f2 "$1")" "$(cut -d';' -f1 "$1")""#;

#[cfg(unix)]
impl Plant {
    /// Makes a store with a converter host, and three files in the host's folder, one of them bad.
    fn with_host() -> Self {
        let plant = Self::new();
        for (name, content) in [
            ("in/1.csv", "SN1;1"),
            ("in/2.csv", "SN2;2"),
            ("in/3.csv", "broken;3"),
        ] {
            plant.file(name, content);
        }
        plant.file("run.sh", WRONG);
        plant.file("host.toml", Plant::configuration("1.0"));
        plant
    }

    fn configuration(version: &str) -> String {
        format!(
            r#"
[store]
path = "store"
[host]
min_free_disk_gb = 0
[[converter]]
name = "T"
version = "{version}"
command = ["sh", "run.sh", "{{input}}"]
bundle = ["run.sh"]
environment = "sh"
watch_folder = "in"
patterns = ["*.csv"]
settle_s = 0
archive_enabled = true
post_process = "archive"
error_folder = "error"
arguments = {{ token = "s3cret-word" }}
secret_arguments = ["token"]
"#
        )
    }

    fn correct_the_converter(&self) {
        self.file("run.sh", CORRECTED);
        self.file("host.toml", Self::configuration("1.1"));
    }

    fn names_in(&self, folder: &str) -> Vec<String> {
        let Ok(found) = fs::read_dir(self.path(folder)) else {
            return Vec::new();
        };
        let name = |item: std::io::Result<fs::DirEntry>| {
            item.expect("listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        let mut names: Vec<String> = found.map(name).collect();
        names.sort();
        names
    }
}

#[cfg(unix)]
#[test]
fn reports_that_no_server_takes_wait_and_every_verb_tells_of_them() {
    let plant = Plant::with_host();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    plant.file(
        "host.toml",
        format!(
            "{}[converter.submit]\nurl = \"http://me:s3cret-word@{address}/r?k=s3cret-word\"\n",
            Plant::configuration("1")
        ),
    );
    let check = ["host", "check", "host.toml", "--json"];
    let checked = plant.run(&check).expect(0).object();
    assert_eq!(
        checked["converters"][0]["submits_to"],
        format!("http://{address}/r")
    );
    let run = ["host", "run", "host.toml", "--once"];
    let ran = plant.run(&run).expect(3);
    let waiting = "2 reports waiting to be submitted";
    assert!(ran.text().contains(waiting), "{}", ran.text());
    let json = [&run[..], &["--json"]].concat();
    let summary = plant.run(&json).expect(1).object();
    assert_eq!(
        (&summary["reports_waiting"], &summary["reports_submitted"]),
        (&2.into(), &0.into())
    );
    let find = ["find", "1.csv", "--json"];
    let id = plant.run(&find).expect(0).object()["id"].to_string();
    let shown = plant.run(&["show", &id]).expect(0);
    for words in ["waits to be submitted since", "submit.intended"] {
        assert!(shown.text().contains(words), "{}", shown.text());
    }
    let shown = plant.run(&["show", &id, "--json"]).expect(0).object();
    let submission = &shown["attempts"][0]["reports"][0]["submission"];
    assert_eq!(
        (&submission["state"], &submission["endpoint"]),
        (&"waiting".into(), &format!("http://{address}/r").into())
    );
    plant.run(&["report", &id, "--resubmit"]).expect(4);
    let mixed = ["report", &id, "--resubmit", "--error", "x"];
    plant.run(&mixed).expect(2);
    let with = [
        "--config",
        "host.toml",
        "reprocess",
        &id,
        "--json",
        "--submit",
        "all",
    ];
    let again = plant.run(&with).expect(0).object();
    assert_eq!(again["submitted"], 1);
    plant
        .run(&[&with[..], &["--compare-only"]].concat())
        .expect(2);
    let events = plant.run(&["events"]).expect(0);
    assert!(!events.text().contains("s3cret-word"));
}

#[cfg(unix)]
#[test]
fn a_host_takes_what_lies_in_its_folder_once_and_records_no_secret() {
    let plant = Plant::with_host();
    plant.run(&["host", "check", "host.toml"]).expect(0);
    let run = ["host", "run", "host.toml", "--once", "--json"];
    let first = plant.run(&run).expect(3).object();
    for (member, number) in [
        ("found", 3),
        ("archived", 3),
        ("converted", 3),
        ("successful", 2),
        ("failed", 1),
    ] {
        assert_eq!(first[member], number, "{member}: {first}");
    }
    assert!(plant.names_in("in").is_empty());
    assert_eq!(plant.names_in("error"), ["3.csv"]);
    let second = plant.run(&run).expect(0).object();
    assert_eq!(
        (&second["found"], &second["archived"]),
        (&0.into(), &0.into())
    );
    let entries = plant.run(&["list", "--json"]).expect(0).objects();
    assert_eq!(entries.len(), 3);
    assert!(
        entries
            .iter()
            .all(|entry| entry["attempts"].as_array().expect("array").len() == 1)
    );

    let why = plant.run(&["list", "--status", "failed"]).expect(0);
    assert!(why.text().contains("no serial number"), "{}", why.text());
    let events = plant.run(&["events"]).expect(0);
    assert!(!events.text().contains("s3cret-word") && events.text().contains("***"));
    let shown = plant
        .run(&["--config", "host.toml", "config", "show", "--origin"])
        .expect(0);
    assert!(!shown.text().contains("s3cret-word") && shown.text().contains("# built in"));
}

#[cfg(unix)]
#[test]
fn a_corrected_converter_is_tried_then_run_and_what_it_changed_is_told() {
    let plant = Plant::with_host();
    plant.run(&["host", "run", "host.toml", "--once"]).expect(3);
    plant.correct_the_converter();
    let before = plant.run(&["events"]).expect(0).stdout;
    let reprocess = |verb: &str, more: &[&str]| {
        let args = [&["--config", "host.toml", "--json", verb, "-c", "T"], more].concat();
        plant.run(&args)
    };

    let plan = reprocess("reprocess", &["--dry-run"]).expect(0).object();
    assert_eq!(plan["runs"][0]["entries"], 3);
    assert_eq!(plan["runs"][0]["before"]["version"], "1.0");
    assert_eq!(plan["runs"][0]["now"]["version"], "1.1");
    let compared = reprocess("replay", &["--compare-only", "--fail-on-change"])
        .expect(6)
        .object();
    assert_eq!(compared["job"], Value::Null);
    assert_eq!(
        (&compared["changed"], &compared["fixed"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        plant.run(&["events"]).expect(0).stdout,
        before,
        "neither recorded anything"
    );

    let ramp = ["--ramp", "--yes", "--reason", "volts were lost"];
    let result = reprocess("reprocess", &ramp).expect(0).object();
    for (member, number) in [
        ("total", 3),
        ("processed", 3),
        ("successful", 3),
        ("failed", 0),
        ("skipped", 0),
        ("unchanged", 0),
        ("changed", 2),
        ("fixed", 1),
        ("broken", 0),
        ("submitted", 0),
    ] {
        assert_eq!(result[member], number, "{member}: {result}");
    }
    assert!(result["duration_ms"].is_u64() && result["errors"] == serde_json::json!([]));
    assert_eq!(result["differences"][0]["path"], "/volts");
    let job = result["job"].to_string();
    let shown = plant
        .run(&["job", "show", &job, "--json"])
        .expect(0)
        .object();
    assert_eq!(
        (&shown["state"], &shown["reason"], &shown["fixed"]),
        (&"finished".into(), &"volts were lost".into(), &1.into())
    );
    assert_eq!(
        plant
            .run(&["job", "list", "--json"])
            .expect(0)
            .objects()
            .len(),
        1
    );
    let of_job = plant.run(&["list", "--job", &job, "--json"]).expect(0);
    assert_eq!(of_job.objects().len(), 3);

    let id = plant.run(&["find", "1.csv", "--json"]).expect(0).object()["id"].to_string();
    let diff = plant.run(&["diff", &id, "--json"]).expect(0).object();
    assert_eq!(diff["verdict"], "changed");
    assert_eq!(
        diff["changes"],
        serde_json::json!([{
            "path": "/volts", "kind": "added", "old": null, "new": 1, "within": null, "rule": null,
        }])
    );
    let page = plant.run(&["diff", &id]).expect(0);
    assert!(page.text().contains("/volts"), "{}", page.text());

    // The old converter, run from its archived files, still makes its old report.
    let recorded = [
        "--config",
        "host.toml",
        "--json",
        "reprocess",
        &id,
        "--converter-version",
        "1.0",
        "--compare-only",
    ];
    let recorded = plant.run(&recorded).expect(0).object();
    assert_eq!(
        recorded["differences"][0]["example"],
        serde_json::json!({"id": id.parse::<u64>().expect("number"), "old": 1, "new": null})
    );
    let unsure = reprocess("reprocess", &["--ramp"]).expect(3);
    assert_eq!(
        unsure.object()["processed"],
        1,
        "nobody was there to say go on"
    );
}

#[cfg(unix)]
#[test]
fn one_conversion_by_hand_is_recorded_for_an_entry_and_printed_for_a_file() {
    let plant = Plant::with_host();
    let before = plant.run(&["events"]).expect(0).stdout;
    let convert = |what: &str| plant.run(&["--config", "host.toml", "convert", what]);
    let printed = convert("in/1.csv").expect(0);
    assert_eq!(printed.text(), "{\"sn\":\"SN1\"}\n");
    let failed = convert("in/3.csv").expect(1);
    assert!(failed.stdout.is_empty() && failed.stderr.contains("no serial number"));
    assert!(!failed.stderr.contains("s3cret-word"), "{}", failed.stderr);
    assert_eq!(plant.run(&["events"]).expect(0).stdout, before);

    plant.run(&["host", "run", "host.toml", "--once"]).expect(3);
    let id = plant.run(&["find", "1.csv", "--json"]).expect(0).object()["id"].to_string();
    let recorded = ["--config", "host.toml", "--json", "convert", &id];
    let recorded = plant.run(&recorded).expect(0).object();
    assert_eq!(
        (&recorded["attempt"], &recorded["status"]),
        (&2.into(), &"success".into())
    );
    assert_eq!(recorded["reports"][0]["sn"], "SN1");
    let unchanged = plant.run(&["diff", &id, "--json"]).expect(0).object();
    assert_eq!(unchanged["verdict"], "unchanged");
}

#[cfg(unix)]
#[test]
fn a_wrong_use_of_converters_has_its_code_and_runs_nothing() {
    let plant = Plant::with_host();
    plant.run(&["host", "run", "host.toml", "--once"]).expect(3);
    plant.file(
        "bad.toml",
        Plant::configuration("1").replace("watch_folder", "watch_foler"),
    );
    plant.file(
        "gone.toml",
        Plant::configuration("1").replace("\"in\"", "\"nowhere\""),
    );
    let id = plant.run(&["find", "1.csv", "--json"]).expect(0).object()["id"].to_string();
    let before = plant.run(&["events"]).expect(0).stdout;
    let with = ["--config", "host.toml"];
    for (code, kind, args) in [
        (2, "invalid", &["host", "run", "bad.toml", "--once"][..]),
        (2, "invalid", &["host", "check", "bad.toml"]),
        (2, "invalid", &["host", "run", "none.toml", "--once"]),
        (2, "invalid", &["--config", "bad.toml", "config", "check"]),
        (2, "invalid", &["config", "show"]),
        (2, "invalid", &["reprocess", &id]),
        (2, "invalid", &["convert", "in/1.csv"]),
        (2, "invalid", &[&with[..], &["reprocess"]].concat()),
        (
            2,
            "invalid",
            &[&with[..], &["reprocess", &id, "-c", "T"]].concat(),
        ),
        (
            2,
            "invalid",
            &[&with[..], &["reprocess", &id, "--submit", "all"]].concat(),
        ),
        (
            2,
            "invalid",
            &[&with[..], &["reprocess", &id, "--rate", "0/s"]].concat(),
        ),
        (
            2,
            "invalid",
            &[&with[..], &["reprocess", &id, "--jobs", "0"]].concat(),
        ),
        (
            4,
            "not_found",
            &[&with[..], &["reprocess", "999999"]].concat(),
        ),
        (
            4,
            "not_found",
            &[&with[..], &["convert", "999999"]].concat(),
        ),
        (
            4,
            "not_found",
            &[&with[..], &["convert", &id, "-c", "X"]].concat(),
        ),
        (4, "not_found", &["job", "show", "1"]),
        (4, "not_found", &["diff", &id]),
        (4, "not_found", &["diff", &id, "--attempt", "7"]),
        (4, "not_found", &["diff", "999999"]),
    ] {
        let ran = plant.run(&[&["--json"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert_eq!(ran.error()["kind"], kind, "{args:?}");
        assert!(ran.stdout.is_empty(), "{args:?}: {}", ran.text());
    }
    let line = plant.run(&["host", "check", "bad.toml"]).expect(2).stderr;
    assert!(
        line.contains("bad.toml:12") && line.contains("did you mean 'watch_folder'"),
        "{line}"
    );
    // The newline between two mistakes was escaped, so both were printed on one line.
    let twice = fs::read_to_string(plant.path("bad.toml")).expect("there") + "setle_s = 1\n";
    fs::write(plant.path("twice.toml"), twice).expect("written");
    let lines = plant.run(&["host", "check", "twice.toml"]).expect(2).stderr;
    let told = lines
        .lines()
        .filter(|line| line.starts_with("error: twice.toml:"));
    assert!(told.count() == 2 && !lines.contains("\\x0a"), "{lines}");
    let missing = plant
        .run(&["host", "check", "gone.toml", "--json"])
        .expect(1)
        .object();
    assert_eq!(missing["ok"], false);
    assert!(
        missing["missing"][0]
            .as_str()
            .expect("text")
            .contains("nowhere")
    );
    assert_eq!(plant.run(&["events"]).expect(0).stdout, before);
}

#[test]
fn the_demonstration_runs_where_there_is_no_python_and_leaves_the_callers_store_alone() {
    let plant = Plant::new();
    let own = plant.run(&["events"]).expect(0).stdout;
    let empty = plant.path("empty");
    fs::create_dir(&empty).expect("folder");
    let mut command = plant.command(&["demo", "plant-a", "--json"]);
    let steps = ran(command.env("PATH", &empty), b"").expect(0).objects();
    let commands: Vec<&str> = steps
        .iter()
        .map(|step| step["command"].as_str().expect("text"))
        .collect();
    assert!(commands.iter().any(|line| line.contains("reprocess")));
    let diff = commands.iter().position(|line| line.contains(" diff "));
    let output = steps[diff.expect("compared")]["output"]
        .as_str()
        .expect("text");
    assert!(output.contains("BT1 backup current"), "{output}");
    assert_eq!(plant.run(&["events"]).expect(0).stdout, own);
    let again = plant.run(&["demo", "plant-a", "--json"]).expect(5);
    assert_eq!(again.error()["kind"], "refused");

    let mut command = plant.command(&["-s", "plant-a/store", "verify", "--deep", "--json"]);
    let verified = ran(&mut command, b"").expect(0).object();
    assert_eq!(verified["ok"], true);
}

/// A machine with a dead battery had its clock years ahead, and the nightly purge removed
/// everything.
#[test]
fn a_purge_by_age_is_refused_when_the_clock_is_far_ahead_of_the_newest_event() {
    use annals::archive::{Archive, NewEntry, Options};
    use annals::time::{Clock, Timestamp};

    struct LongAgo;

    impl Clock for LongAgo {
        fn now(&self) -> Timestamp {
            "2020-03-01T08:30:00Z".parse().expect("a time")
        }

        fn monotonic_ms(&self) -> u64 {
            0
        }

        fn boot(&self) -> &'static str {
            "test"
        }
    }

    let plant = Plant::without_store();
    let options = Options::default().clock(std::sync::Arc::new(LongAgo));
    let archive = Archive::create(plant.path("store"), options).expect("made");
    let new = NewEntry::new("ICT");
    archive.put(new, &b"old"[..]).expect("archived");
    archive.close().expect("closed");

    let purge = [
        "retention",
        "apply",
        "--older-than",
        "90d",
        "--yes",
        "--json",
    ];
    let refused = plant.run(&purge).expect(5);
    let message = refused.error()["message"].to_string();
    assert!(message.contains("the clock may have jumped"), "{message}");
    let by_count = ["retention", "preview", "--max-count", "5"];
    plant.run(&by_count).expect(0);
    let sure = [&purge[..], &["--now", "2026-01-01"]].concat();
    let purged = plant.run(&sure).expect(0).object();
    assert_eq!(purged["archives_purged"], 1);
}

#[cfg(unix)]
#[test]
fn a_value_is_set_in_the_file_and_the_change_is_on_record_once_the_host_has_it() {
    let plant = Plant::with_host();
    let commented =
        Plant::configuration("1.0").replace("settle_s = 0", "settle_s = 0   # local disk");
    plant.file("host.toml", &commented);
    let run = ["host", "run", "host.toml", "--once"];
    plant.run(&run).expect(3);
    let set = |target: &str, value: &str| {
        plant.run(&[
            "config",
            "set",
            target,
            value,
            "--config",
            "host.toml",
            "--json",
        ])
    };

    let told = set("T.settle_s", "1").expect(0).object();
    assert_eq!(told["section"], "converter \"T\"");
    assert_eq!((&told["old"], &told["new"]), (&0.into(), &1.into()));
    let text = fs::read_to_string(plant.path("host.toml")).expect("there");
    assert_eq!(text, commented.replace("settle_s = 0 ", "settle_s = 1 "));
    assert_eq!(set("T.settle_s", "1").expect(0).object()["changed"], false);

    for (target, value, code, said) in [
        ("T.compression_level", "12", 2, "from 1 to 9, not 12"),
        ("T.setle_s", "1", 2, "did you mean 'settle_s'?"),
        ("X.settle_s", "1", 4, "there is no converter 'X'"),
    ] {
        let error = set(target, value).expect(code).error();
        let message = error["message"].as_str().expect("a text");
        assert!(message.contains(said), "{message}");
    }
    let secret = set("T.arguments.token", "other-s3cret").expect(0);
    assert!(!secret.text().contains("s3cret"), "{}", secret.text());
    let plain = plant.run(&["config", "set", "T.settle_s", "0", "--config", "host.toml"]);
    assert_eq!(
        plain.expect(0).text(),
        "converter \"T\": settle_s = 1 -> 0\n"
    );

    set("T.timeout_s", "30").expect(0);
    plant.run(&run).expect(0);
    let events = plant.run(&["events", "--type", "config.changed"]).expect(0);
    let text = events.text();
    assert!(text.contains("timeout_s = 30"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

/// A Mac archived `Prüfling` with ü as two characters, a Windows machine as one. A search on each
/// found only its own entry. Recorded names must stay as they were.
#[test]
fn a_name_is_found_in_whichever_way_its_letters_are_written() {
    let plant = Plant::new();
    let (composed, decomposed) = ("Pr\u{fc}fling ΟΔΟΣ", "Pru\u{308}fling ΟΔΟΣ");
    for (name, serial) in [
        (composed, "SN\u{e9}1"),
        (decomposed, "SNe\u{301}1"),
        ("other", "SNe1"),
    ] {
        let file = plant.file(&format!("in/{name}.csv"), name);
        let args = [
            "archive",
            &file,
            "-c",
            "Prüfstand",
            "--serial",
            serial,
            "--meta",
        ];
        let line = format!("line={name}");
        plant.run(&[&args[..], &[&line]].concat()).expect(0);
    }
    let names = |args: &[&str]| {
        let ran = plant.run(&[args, &["--json"]].concat());
        let objects = ran.expect(0).objects();
        let name = |object: &Value| object["source_name"].as_str().expect("text").to_owned();
        let mut names: Vec<String> = objects.iter().map(name).collect();
        names.sort();
        names
    };
    let both = [format!("{decomposed}.csv"), format!("{composed}.csv")];
    for args in [
        &["find", "PRÜFLING οδος.csv"][..],
        &["find", "pru\u{308}f"],
        &["find", "sn\u{e9}1"],
        &["find", "ＳＮé１"],
        &["list", "--file", "pru\u{308}f*οδος.csv"],
        &["list", "--file", "Pr?fling*"],
        &["list", "--serial", "SNe\u{301}1"],
        &["list", "--text", "ÜFLING οδο"],
    ] {
        assert_eq!(names(args), both, "{args:?}");
    }
    // Metadata is compared exactly, and names that look different stay different.
    assert_eq!(
        names(&["list", "--meta", &format!("line={composed}")]),
        both[1..]
    );
    assert_eq!(names(&["list", "--serial", "SNe1"]), ["other.csv"]);
    let of_all = names(&["list", "-c", "pru\u{308}fstand"]);
    assert_eq!(of_all.len(), 3);
    let plan = [
        "retention",
        "preview",
        "-c",
        "PRU\u{308}FSTAND",
        "--max-count",
        "0",
        "--json",
    ];
    assert_eq!(plant.run(&plan).expect(0).object()["count"], 3);
}
