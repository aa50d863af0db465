//! Tests a whole host over its own folders: every outcome, retries, reloads, links, panics and
//! folders that hang.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::run::{LAST_MOMENT, run_once};
use crate::ErrorKind;
use crate::convert::Cancel;
use crate::entry::{Attempt, Entry, Meta, Outcome, Retention, Status, Unit, UnitGiven};
use crate::host::archives::Archives;
use crate::host::config::settings::{Config, Links, Retry};
use crate::host::observe::notice::{Hooks, Notice, RunSummary};
use crate::host::observe::status::HostState;
use crate::host::observe::stuck::StuckAt;
use crate::host::pipeline::history::{History, history, key};
use crate::host::pipeline::host::Host;
use crate::host::sources::fingerprint::Fingerprint;
use crate::host::sources::shape::Shape;
use crate::host::stop::Stop;
use crate::id::{AttemptNo, BlobId, EntryId, Sha256};
use crate::time::Timestamp;

/// A converter that answers according to the content of the file.
const CONVERTER: &str = r#"
    case "$(cat "$1")" in
        good*) printf '{"sn":"%s"}' "$ANNALS_NAME" ;;
        bad*) echo "no header" >&2; exit 1 ;;
        wait*) echo '{"status":"suspended","retry_after_s":3600}' ;;
        empty*) echo '{"status":"skipped"}' ;;
        ours*) echo '{"status":"rejected","error":"not ours"}' ;;
        zip*) echo '{"status":"success","report":{},"post_action":"zip"}' ;;
        slow*) printf '{"sn":1}'; echo more >> "$WATCHED"; ;;
    esac"#;

/// Runs a pass that does not wait for files to become stable.
fn pass(host: &Arc<Host>) -> RunSummary {
    let hooks = Hooks::default();
    let troubles = host.pass(&host.active(), &Stop::default(), &hooks);
    host.finish_scan(troubles, &hooks)
}

struct Plant {
    dir: tempfile::TempDir,
    config: String,
}

impl Plant {
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("folder");
        fs::create_dir(dir.path().join("in")).expect("made");
        fs::write(dir.path().join("run.sh"), CONVERTER).expect("written");
        let config = format!(
            "[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\ncommand = [\"sh\", \"run.sh\", \"{{input}}\"]\n\
             environment = \"sh\"\nbundle = [\"run.sh\"]\nwatch_folder = \"in\"\nsettle_s = 0\n{more}\n"
        );
        Self { dir, config }
    }

    fn put(&self, name: &str, content: &str) -> PathBuf {
        let path = self.dir.path().join("in").join(name);
        fs::write(&path, content).expect("written");
        path
    }

    fn config(&self) -> Config {
        Config::parse(&self.config, &self.dir.path().join("host.toml")).expect("valid")
    }

    fn host(&self) -> Arc<Host> {
        Arc::new(Host::new(Archives::default(), self.config()).expect("made"))
    }

    fn run(&self) -> RunSummary {
        let cancel = Cancel::default();
        run_once(
            Archives::default(),
            self.config(),
            &cancel,
            &Hooks::default(),
        )
        .expect("ran")
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(items) = fs::read_dir(self.dir.path().join(folder)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = items
            .map(|item| {
                item.expect("item")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

#[test]
fn every_outcome_has_its_count_and_its_place() {
    let plant =
        Plant::new("post_process = \"move\"\ndone_folder = \"done\"\nerror_folder = \"error\"");
    for (name, content) in [
        ("1.csv", "good"),
        ("2.csv", "bad"),
        ("3.csv", "wait"),
        ("4.csv", "empty"),
        ("5.csv", "ours"),
        ("6.csv", "zip"),
        ("7.tmp", "good"),
    ] {
        plant.put(name, content);
    }
    let summary = plant.run();
    assert_eq!(
        summary,
        RunSummary {
            found: 6,
            converted: 6,
            successful: 2,
            failed: 1,
            suspended: 1,
            skipped: 1,
            rejected: 1,
            left: 1,
            ..RunSummary::default()
        }
    );
    assert_eq!(plant.names("in"), ["3.csv", "7.tmp"]);
    assert_eq!(plant.names("done"), ["1.csv", "4.csv", "6.csv.zip"]);
    assert_eq!(plant.names("error"), ["2.csv", "5.csv"]);
}

#[test]
fn a_source_that_should_be_archived_and_is_not_is_never_deleted() {
    let archiving =
        "archive_enabled = true\narchive_required = false\npost_process = \"archive\"\n";
    let plant = Plant::new(archiving);
    plant.put("1.csv", "good");
    let summary = plant.run();
    let counts = (
        summary.successful,
        summary.archive_failed,
        summary.errors.len(),
    );
    assert_eq!(counts, (1, 1, 1));
    assert_eq!(plant.names("in"), ["1.csv"]);

    let plant = Plant::new(&format!("{archiving}error_folder = \"error\""));
    plant.put("1.csv", "good");
    plant.run();
    assert_eq!(plant.names("error"), ["1.csv"]);
}

#[test]
fn a_source_that_must_be_archived_and_is_not_waits_and_says_so() {
    let plant = Plant::new("archive_enabled = true\nretry = { delay_s = 0 }\n");
    plant.put("1.csv", "good");
    let host = plant.host();
    for _ in 0..2 {
        let summary = pass(&host);
        let counts = (summary.converted, summary.archive_failed, summary.left);
        assert_eq!(counts, (0, 1, 1));
    }
    assert_eq!(plant.names("in"), ["1.csv"]);
    let status = host.status();
    assert_eq!(status.converters[0].archive_failed, 2);
    let stuck = &status.stuck.files[0];
    assert_eq!((stuck.at, status.stuck.count), (StuckAt::Archiving, 1));
    assert!(stuck.reason.contains("no store is open"), "{stuck:?}");
}

#[test]
fn a_configuration_takes_over_between_files_and_a_wrong_one_does_not() {
    let plant = Plant::new("retry = { max_attempts = 2, delay_s = 0 }");
    plant.put("1.csv", "bad");
    let host = plant.host();
    assert_eq!(pass(&host).failed, 1);
    let moved = plant
        .config
        .replace("[host]", "[host]\nlisten = \"127.0.0.1:1\"");
    let moved = Config::parse(&moved, &plant.dir.path().join("host.toml")).expect("valid");
    assert_eq!(
        host.reload(moved).expect_err("refused").kind(),
        ErrorKind::Refused
    );
    assert!(host.status().configuration.refused.is_some());
    let better = Plant {
        config: format!("{}error_folder = \"error\"\n", plant.config),
        ..plant
    };
    host.reload(better.config()).expect("taken over");
    assert_eq!(host.status().configuration.refused, None);
    pass(&host);
    assert_eq!(better.names("error"), ["1.csv"]);
}

/// A panic over one file must not stop the processing of others.
#[test]
fn a_panic_over_one_file_costs_that_file_and_the_others_go_on() {
    let plant = Plant::new("post_process = \"delete\"");
    plant.put("1.csv", "good");
    plant.put("2.csv", "good");
    let host = plant.host();
    let hooks = Hooks::new(|notice| {
        let hit = matches!(notice, Notice::Converted { path, .. } if path.ends_with("1.csv"));
        assert!(!hit, "on purpose");
    });
    let stop = Stop::default();
    std::thread::scope(|scope| {
        scope.spawn(|| host.run(None, &stop, &hooks));
        until("the panic to be told", || host.status().stuck.count == 1);
        plant.put("3.csv", "good");
        until("the others to go", || plant.names("in") == ["1.csv"]);
        let stuck = host.status().stuck;
        assert!(stuck.files[0].reason.contains("on purpose"));
        until("it to turn health", || host.status().reasons.len() == 1);
        stop.drain();
    });
}

/// A share that does not answer must stop only its own folder, and must show in the host's health.
#[test]
fn a_step_that_hangs_stops_its_folder_only_and_is_not_waited_for_at_the_end() {
    let line = "watch_folder = \"there\"\nsettle_s = 0\npost_process = \"delete\"";
    let plant = Plant::new(&format!(
        "post_process = \"delete\"\ntimeout_s = 0.1\n[[converter]]\nname = \"U\"\n\
         command = [\"sh\", \"run.sh\", \"{{input}}\"]\nenvironment = \"sh\"\nbundle = [\"run.sh\"]\n{line}"
    ));
    let there = plant.dir.path().join("there");
    fs::create_dir(&there).expect("made");
    for number in 0..30 {
        plant.put(&format!("{number}.csv"), "empty");
    }
    let host = plant.host();
    // A notice function that blocks stands in for a thread that hangs in a folder.
    let (hold, held) = crossbeam_channel::bounded::<()>(0);
    let hooks = Hooks::new(move |notice| {
        if let Notice::Disposed { path, .. } = notice
            && path.parent().is_some_and(|folder| folder.ends_with("in"))
        {
            let _ = held.recv();
        }
    });
    let stop = Stop::default();
    std::thread::scope(|scope| {
        scope.spawn(|| host.run(None, &stop, &hooks));
        until("a file to hang", || host.status().queue.to_record > 0);
        fs::write(there.join("a.csv"), "good").expect("written");
        until("the other folder", || !there.join("a.csv").exists());
        until("the folder to be told of", || {
            // Other files of the folder may hang meanwhile.
            host.queue.overdue_at_once();
            let status = host.status();
            status.silent_folders.len() == 1 && status.reasons[0].contains("has not answered")
        });
        host.queue.overdue_at_once();
        fs::write(there.join("b.csv"), "good").expect("written");
        until("the other folder", || !there.join("b.csv").exists());
        let began = Instant::now();
        stop.drain();
        until("the host to end", || host.status().state == HostState::Idle);
        assert!(began.elapsed() < LAST_MOMENT, "{:?}", began.elapsed());
    });
    drop(hold);
}

fn until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_link_is_passed_over_unless_it_is_to_be_followed_and_its_target_stays() {
    let elsewhere = tempfile::tempdir().expect("folder");
    let target = elsewhere.path().join("1.csv");
    fs::write(&target, "good").expect("written");
    for (more, found) in [("", 0), ("follow_symlinks = true", 1)] {
        for action in ["delete\"", "move\"\ndone_folder = \"done\""] {
            let plant = Plant::new(&format!("post_process = \"{action}\n{more}"));
            let link = plant.dir.path().join("in/1.csv");
            std::os::unix::fs::symlink(&target, &link).expect("made");
            std::os::unix::fs::symlink("nowhere", plant.dir.path().join("in/2.csv")).expect("made");
            let summary = plant.run();
            assert_eq!(
                (summary.found, summary.successful),
                (found, found),
                "{action}"
            );
            assert_eq!(summary.errors, []);
            assert_eq!(link.is_symlink(), found == 0);
            assert_eq!(fs::read_to_string(&target).expect("there"), "good");
            if found == 1 && action.starts_with("move") {
                let moved = plant.dir.path().join("done/1.csv");
                assert!(!moved.is_symlink());
                assert_eq!(fs::read_to_string(moved).expect("moved"), "good");
            }
        }
    }
}

#[test]
fn a_kept_file_is_converted_once_by_one_host_and_again_when_it_changes() {
    let plant = Plant::new("");
    let path = plant.put("1.csv", "good");
    let host = plant.host();
    let pass = || pass(&host);
    assert_eq!(pass().converted, 1);
    let second = pass();
    assert_eq!((second.converted, second.known), (0, 1));
    fs::write(&path, "good again").expect("written");
    assert_eq!(pass().converted, 1);
}

#[test]
fn a_failure_is_tried_as_often_as_configured_and_then_set_aside() {
    let plant = Plant::new("error_folder = \"error\"\nretry = { max_attempts = 3, delay_s = 0 }");
    plant.put("1.csv", "bad");
    let host = plant.host();
    let pass = || pass(&host);
    for _ in 0..2 {
        let summary = pass();
        assert_eq!((summary.failed, summary.left), (1, 1));
        assert_eq!(plant.names("in"), ["1.csv"]);
    }
    assert_eq!(pass().failed, 1);
    assert_eq!(plant.names("error"), ["1.csv"]);
}

#[test]
fn a_suspended_file_waits_as_long_as_its_converter_asked() {
    let plant = Plant::new("retry = { delay_s = 0 }");
    plant.put("1.csv", "wait");
    let host = plant.host();
    let pass = || pass(&host);
    assert_eq!(pass().suspended, 1);
    let second = pass();
    assert_eq!((second.converted, second.left), (0, 1));
}

#[test]
fn a_fresh_file_is_left_until_it_settles_and_one_pass_waits_for_it() {
    let plant = Plant::new("post_process = \"delete\"");
    let slow = Plant {
        config: plant.config.replace("settle_s = 0", "settle_s = 0.4"),
        ..plant
    };
    slow.put("1.csv", "good");
    let host = slow.host();
    let pass = || pass(&host);
    assert_eq!(pass().left, 1);
    let started = Instant::now();
    assert_eq!(slow.run().successful, 1);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(slow.names("in").is_empty());
}

#[test]
fn a_file_that_grows_during_its_conversion_is_left() {
    let plant = Plant::new("post_process = \"delete\"");
    let path = plant.put("1.csv", "slow");
    let script = CONVERTER.replace("\"$WATCHED\"", &format!("'{}'", path.display()));
    fs::write(plant.dir.path().join("run.sh"), script).expect("written");
    let summary = plant.run();
    assert_eq!((summary.successful, summary.left), (1, 1));
    assert_eq!(fs::read_to_string(path).expect("there"), "slowmore\n");
}

#[test]
fn a_converter_that_cannot_start_leaves_its_files_and_others_go_on() {
    let plant = Plant::new(
        "error_folder = \"error\"\npatterns = [\"*.csv\"]\n\
         [[converter]]\nname = \"gone\"\ncommand = [\"no-such-program-of-annals\", \"{input}\"]\nenvironment = \"x\"\n\
         watch_folder = \"in\"\nsettle_s = 0\nerror_folder = \"error\"\npatterns = [\"*.log\"]\n\
         [[converter]]\nname = \"nowhere\"\ncommand = [\"sh\", \"{input}\"]\nwatch_folder = \"missing\"\n",
    );
    plant.put("1.csv", "good");
    plant.put("2.log", "good");
    let summary = plant.run();
    assert_eq!(
        (summary.successful, summary.failed, summary.left),
        (1, 0, 1)
    );
    assert_eq!(summary.errors.len(), 2, "{:?}", summary.errors);
    assert_eq!(plant.names("in"), ["1.csv", "2.log"]);
}

#[test]
fn a_nearly_full_disk_stops_the_taking_and_says_so_once() {
    let plant = Plant::new("post_process = \"delete\"");
    let plant = Plant {
        config: plant
            .config
            .replace("min_free_disk_gb = 0", "min_free_disk_gb = 10000"),
        ..plant
    };
    plant.put("1.csv", "good");
    plant.put("2.csv", "good");
    let summary = plant.run();
    assert_eq!(
        (summary.converted, summary.left, summary.errors.len()),
        (0, 2, 1)
    );
    assert_eq!(plant.names("in"), ["1.csv", "2.csv"]);
}

#[test]
fn an_entry_with_its_final_attempt_is_not_converted_again() {
    let retry = Retry {
        max_attempts: 2,
        delay: Duration::from_secs(60),
    };
    let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
    let entry = |attempts: &[Outcome]| Entry {
        id: EntryId(1),
        converter: String::new(),
        converter_version: None,
        source_name: String::new(),
        source_path: String::new(),
        source_name_hex: None,
        source_modified: None,
        archived_at: at(0),
        status: Status::Pending,
        size: 0,
        stored_size: 0,
        blake3: BlobId::of(b""),
        sha256: Sha256::of(b""),
        unit: Unit::default(),
        unit_given: UnitGiven::default(),
        meta: Meta::new(),
        arguments: Meta::new(),
        retention: Retention::Forever,
        key: None,
        report_id: None,
        attempts: (1..)
            .zip(attempts)
            .map(|(number, outcome)| Attempt {
                attempt: AttemptNo(number),
                status: *outcome,
                at: at(1000),
                converter: String::new(),
                converter_version: None,
                converter_id: None,
                arguments: Meta::new(),
                duration_ms: None,
                error: None,
                warnings: Vec::new(),
                sandbox: Vec::new(),
                job: None,
                reports: Vec::new(),
                suspicious: Vec::new(),
                extent: None,
                superseded_by: None,
            })
            .collect(),
        holds: Vec::new(),
        purged_at: None,
        purged_by: None,
        final_at: None,
        facts_only: false,
        purged_parts: Vec::new(),
        cleared: None,
        labels: Vec::new(),
        notes: Vec::new(),
    };
    use Outcome::{Failed, Rejected, Success, Suspended};
    for (attempts, now, expected) in [
        (&[][..], 1000, History::None),
        (&[Success], 1000, History::Final(Success)),
        (&[Failed], 1030, History::NotYet),
        (&[Failed], 1060, History::Again),
        (&[Failed], 10, History::Again),
        (&[Failed, Failed], 1060, History::Final(Failed)),
        (&[Failed, Rejected], 1060, History::Final(Rejected)),
        (&[Suspended, Suspended, Suspended], 1060, History::Again),
    ] {
        assert_eq!(history(&entry(attempts), None, retry, at(now)), expected);
    }
}

#[test]
fn a_key_is_the_same_for_the_same_file_and_for_nothing_else() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("a.csv");
    fs::write(&path, "x").expect("written");
    let seen = Fingerprint::of(&path, &Shape::File(Links::Skip))
        .expect("read")
        .expect("there");
    let first = key("T", &path, &seen.meta, &seen.content);
    assert_eq!(first, key("T", &path, &seen.meta, &seen.content));
    assert_ne!(first, key("U", &path, &seen.meta, &seen.content));
    assert_ne!(
        first,
        key("T", &dir.path().join("b.csv"), &seen.meta, &seen.content)
    );
    fs::write(&path, "y").expect("written");
    let other = Fingerprint::of(&path, &Shape::File(Links::Skip))
        .expect("read")
        .expect("there");
    assert_ne!(first, key("T", &path, &other.meta, &other.content));
}
