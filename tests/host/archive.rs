//! Tests reprocessing and clearing away: a corrected converter runs over archived sources, every
//! change it makes is known, and no source is lost.
#![cfg(all(unix, feature = "host"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use annals::archive::{Archive, Options};
use annals::convert::{
    Cancel, Params, Reprocess, ReprocessResult, Step, StepOutcome, Which, reprocess, select,
};
use annals::entry::Status;
use annals::host::{Archives, Config, Hooks, Host, RunSummary, run_once};
use annals::id::EntryId;
use annals::query::Filter;
use annals::retention::{AsOf, Policy};

const WRONG: &str = r#"case "$(cat "$1")" in
    fails*) echo "no header" >&2; exit 1 ;;
    *) printf '{"sn":"%s","value":1}' "$(cat "$1")" ;;
esac"#;
const CORRECTED: &str = r#"printf '{"value":2,"sn":"%s"}' "$(cat "$1")""#;

struct Plant {
    dir: tempfile::TempDir,
    archive: Archive,
}

impl Plant {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("folder");
        fs::create_dir(dir.path().join("in")).expect("made");
        fs::write(dir.path().join("run.sh"), WRONG).expect("written");
        let archive = Archive::create(dir.path().join("store"), Options::default()).expect("made");
        Self { dir, archive }
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.dir.path().join("in").join(name), content).expect("written");
    }

    fn config(&self) -> Config {
        let text = "[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\ncommand = [\"sh\", \"run.sh\", \"{input}\"]\n\
                    bundle = [\"run.sh\"]\nenvironment = \"sh\"\nwatch_folder = \"in\"\nsettle_s = 0\n\
                    archive_enabled = true\npost_process = \"archive\"\nerror_folder = \"error\"\n\
                    arguments = { token = \"s3cret\" }\nsecret_arguments = [\"token\"]\n";
        Config::parse(text, &self.dir.path().join("host.toml")).expect("valid")
    }

    fn run(&self) -> RunSummary {
        let archives = Archives::shared(Some(self.archive.clone()));
        run_once(
            archives,
            self.config(),
            &Cancel::default(),
            &Hooks::default(),
        )
        .expect("ran")
    }

    fn left_in(&self, folder: &str) -> usize {
        fs::read_dir(self.dir.path().join(folder)).map_or(0, Iterator::count)
    }

    fn reprocess(&self, which: Which, compare_only: bool) -> (ReprocessResult, Vec<Step>) {
        let selection = select(&self.archive, &Filter::default()).expect("selected");
        let config = self.config();
        let converters: Vec<_> = config
            .converters
            .iter()
            .map(|config| config.converter.clone())
            .collect();
        let options = Reprocess::default()
            .which(which)
            .params(Params::Recorded)
            .jobs(2)
            .compare_only(compare_only)
            .reason("wrong limits")
            .scratch(scratch(self.dir.path()));
        let steps = Mutex::new(Vec::new());
        let result = reprocess(
            &self.archive,
            &selection,
            &converters,
            &options,
            &Cancel::default(),
            &|step| steps.lock().expect("no panic").push(step.clone()),
        )
        .expect("ran");
        (result, steps.into_inner().expect("no panic"))
    }
}

fn scratch(dir: &Path) -> PathBuf {
    let scratch = dir.join("scratch");
    fs::create_dir_all(&scratch).expect("made");
    scratch
}

#[test]
fn a_corrected_converter_runs_over_what_the_wrong_one_converted() {
    let plant = Plant::new();
    plant.put("1.csv", "SN1");
    plant.put("2.csv", "SN2");
    plant.put("3.csv", "fails");
    let summary = plant.run();
    assert_eq!(summary.errors, []);
    assert_eq!(
        (summary.archived, summary.successful, summary.failed),
        (3, 2, 1)
    );
    assert_eq!((plant.left_in("in"), plant.left_in("error")), (0, 1));

    let (same, _) = plant.reprocess(Which::Recorded, true);
    assert_eq!((same.unchanged, same.changed, same.job), (3, 0, None));

    fs::write(plant.dir.path().join("run.sh"), CORRECTED).expect("written");
    let (dry, steps) = plant.reprocess(Which::Current, true);
    assert_eq!((dry.changed, dry.fixed), (2, 1));
    let changed: Vec<&str> = steps
        .iter()
        .filter_map(|step| match &step.outcome {
            StepOutcome::Ran { result, .. } => result.difference.changes.first(),
            _ => None,
        })
        .map(|change| change.path.as_str())
        .collect();
    assert_eq!(changed, ["/value", "/value"]);

    let (result, _) = plant.reprocess(Which::Current, false);
    assert_eq!(
        (
            result.processed,
            result.changed,
            result.fixed,
            result.broken
        ),
        (3, 2, 1, 0)
    );
    let job = result.job.expect("recorded");
    let known = plant.archive.job(job).expect("read").expect("known");
    assert_eq!(known.finished.map(|finished| finished.fixed), Some(1));

    let snapshot = plant.archive.snapshot().expect("taken");
    let ids = select(&plant.archive, &Filter::default())
        .expect("selected")
        .ids;
    assert_eq!(ids.len(), 3);
    for id in ids {
        let entry = snapshot.entry(id).expect("read").expect("there");
        assert_eq!(entry.status, Status::Success);
        assert_eq!(entry.attempts.len(), 2);
        assert_ne!(
            entry.attempts[0].converter_id,
            entry.attempts[1].converter_id
        );
        assert_eq!(entry.attempts[1].job, Some(job));
        assert_eq!(entry.arguments["token"], "***");
    }
    assert_eq!(plant.left_in("scratch"), 0);
}

#[test]
fn the_same_file_twice_is_one_entry_and_one_conversion_after_a_crash() {
    let plant = Plant::new();
    plant.put("1.csv", "SN1");
    let path = plant.dir.path().join("in/1.csv");
    let modified = fs::metadata(&path)
        .and_then(|m| m.modified())
        .expect("time");
    assert_eq!(plant.run().converted, 1);
    // The crash: everything was recorded, but the file was not removed yet.
    plant.put("1.csv", "SN1");
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_modified(modified))
        .expect("set");
    let second = plant.run();
    assert_eq!((second.archived, second.converted), (0, 0));
    assert_eq!(plant.left_in("in"), 0);
    let entries = select(&plant.archive, &Filter::default()).expect("selected");
    assert_eq!(entries.ids.len(), 1);
    let id: EntryId = entries.ids[0];
    let snapshot = plant.archive.snapshot().expect("taken");
    let entry = snapshot.entry(id).expect("read").expect("there");
    assert_eq!(entry.attempts.len(), 1);
}

/// A retention rule purged the entry between the conversion and the crash. The file then stayed for
/// good, and each scan failed on it.
#[test]
fn a_file_whose_entry_was_purged_before_it_was_cleared_away_is_cleared_away_all_the_same() {
    let plant = Plant::new();
    plant.put("1.csv", "SN1");
    let path = plant.dir.path().join("in/1.csv");
    let modified = fs::metadata(&path)
        .and_then(|m| m.modified())
        .expect("time");
    assert_eq!(plant.run().converted, 1);
    let none = Policy::default().max_count(0);
    let plan = plant.archive.plan_purge(&none, AsOf::Clock).expect("plan");
    let purged = plant.archive.purge(&plan, "made room").expect("purged");
    assert_eq!(purged.recorded.archives_purged, 1);
    plant.put("1.csv", "SN1");
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_modified(modified))
        .expect("set");
    let second = plant.run();
    assert_eq!(second.errors, []);
    assert_eq!((second.archived, second.converted), (0, 0));
    assert_eq!(plant.left_in("in"), 0);
}

#[test]
fn the_configuration_is_recorded_once_and_without_secrets() {
    let plant = Plant::new();
    plant.run();
    let recorded = plant.archive.recorded_config("host").expect("read");
    let at = plant.archive.snapshot().expect("taken").at();
    plant.run();
    assert!(recorded.is_some());
    assert_eq!(plant.archive.snapshot().expect("taken").at(), at);
    let section = plant
        .archive
        .recorded_config("converter \"T\"")
        .expect("read")
        .expect("recorded");
    assert!(section.contains("***") && !section.contains("s3cret"));
}

impl Plant {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the host once with these configuration keys, and returns the errors.
    fn run_with(&self, keys: &str) -> annals::Result<Vec<String>> {
        let text = format!("[host]\nmin_free_disk_gb = 0\n[defaults]\nsettle_s = 0\n{keys}");
        let config = Config::parse(&text, &self.at("host.toml")).expect("valid");
        let archives = Archives::shared(Some(self.archive.clone()));
        let summary = run_once(archives, config, &Cancel::default(), &Hooks::default())?;
        let errors = summary.errors.into_iter();
        Ok(errors.map(|error| error.error).collect())
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).expect("there")
    }
}

fn converter(name: &str, command: &str, keys: &str) -> String {
    format!(
        "[[converter]]\nname = \"{name}\"\ncommand = [\"sh\", \"-c\", \"{command}\", \"{{input}}\"]\n\
         environment = \"sh\"\n{keys}\n"
    )
}

/// Two lines share a done folder. One had moved `SN7.json` there and archived nothing, the other
/// archived `SN7.csv`. The only copy of `SN7.json` was removed, unread and unreported.
#[test]
fn clearing_a_source_away_leaves_another_lines_file_of_its_stem_in_the_done_folder() {
    let plant = Plant::new();
    fs::create_dir(plant.at("json")).expect("made");
    fs::write(plant.at("json/SN7.json"), "{\"volts\":4.98}").expect("written");
    plant.put("SN7.csv", "serial,SN7");
    plant.put("SN8.csv", "serial,SN8");
    let lines = converter(
        "JSON",
        "echo {}",
        "watch_folder = \"json\"\npost_process = \"move\"\ndone_folder = \"done\"",
    ) + &converter(
        "CSV",
        "printf '{}'",
        "watch_folder = \"in\"\npost_process = \"archive\"\narchive_enabled = true\n\
         done_folder = \"done\"",
    );
    // A copy of the report of SN8 itself is cleaned up.
    fs::create_dir(plant.at("done")).expect("made");
    fs::write(plant.at("done/SN8.json"), "{}").expect("written");
    assert!(plant.run_with(&lines).expect("ran").is_empty());
    assert_eq!((plant.left_in("in"), plant.left_in("json")), (0, 0));
    assert_eq!(plant.text("done/SN7.json"), "{\"volts\":4.98}");
    assert!(!plant.at("done/SN8.json").exists());
}

/// The done folder led back into the watch folder through a link, and the only copy of a file was
/// removed. A link that appears while the host runs must be found too.
#[test]
fn a_done_folder_that_leads_into_the_watch_folder_takes_nothing_at_start_and_later() {
    let plant = Plant::new();
    plant.put("a.csv", "the only copy");
    let moves = converter(
        "T",
        "echo {}",
        "watch_folder = \"in\"\npost_process = \"move\"\ndone_folder = \"done\"",
    );
    std::os::unix::fs::symlink("in", plant.at("done")).expect("made");
    let refused = plant.run_with(&moves).expect_err("refused");
    assert_eq!(refused.kind(), annals::ErrorKind::Invalid);
    let told = refused.to_string();
    assert!(
        told.contains("done_folder") && told.contains("watch_folder"),
        "{told}"
    );
    assert_eq!(plant.text("in/a.csv"), "the only copy");

    // A running host must not accept this configuration either.
    let parse = |keys: &str| Config::parse(keys, &plant.at("host.toml")).expect("valid");
    let other = moves.replace("\"done\"", "\"other\"");
    let host = Host::new(Archives::default(), parse(&other)).expect("made");
    let refused = host.reload(parse(&moves)).expect_err("refused");
    assert_eq!(refused.kind(), annals::ErrorKind::Invalid);
    let in_force = host.config().converters.remove(0).done_folder;
    assert_eq!(in_force, Some(plant.at("other")));

    // The converter itself replaces the folder.
    fs::remove_file(plant.at("done")).expect("there");
    let swap = format!(
        "ln -s {} {}; echo {{}}",
        plant.at("in").display(),
        plant.at("done").display()
    );
    let swaps = moves.replace("echo {}", &swap);
    let troubles = plant.run_with(&swaps).expect("ran");
    assert!(
        troubles.iter().any(|told| told.contains("by two names")),
        "{troubles:?}"
    );
    assert_eq!(plant.text("in/a.csv"), "the only copy");
    assert_eq!(plant.left_in("in"), 1);
}

/// A host was killed while it cleared a file away. The file had been set aside, and no later host
/// took it.
#[test]
fn what_a_killed_host_had_set_aside_is_put_back_and_cleared_away_once() {
    let plant = Plant::new();
    plant.put("1.csv", "SN1");
    assert_eq!(plant.run().archived, 1);
    plant.put(".annals-0123456789abcdef.aside.1.csv", "SN1");
    plant.put(".annals-0123456789abcdef.aside.2.csv", "SN2");
    let second = plant.run();
    assert_eq!(second.errors, []);
    // The first has another modification time, so it is another file.
    assert_eq!((second.archived, second.successful), (2, 2));
    assert_eq!(plant.left_in("in"), 0);
}
