//! Tests folders as sources. A folder is complete when it contains a marker file.
#![cfg(all(unix, feature = "cli"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::plant::wait;

const MARKER: &str = "COMPLETE.marker";

/// Reports what it finds in the folder it gets.
const CONVERTER: &str = r#"
[ -d "$1" ] || { echo "$1 is no folder" >&2; exit 1; }
case "$(cat "$1/log.txt")" in
    late*) echo late > "$WATCHED/$(basename "$1")/images/late.png" ;;
    bad*) echo "no header" >&2; exit 1 ;;
esac
files=$(cd "$1" && find . -type f | sort | tr '\n' ' ')
printf '{"sn":"%s","called":"%s","files":"%s","log":"%s"}' "$(basename "$1")" "$ANNALS_NAME" "$files" "$(wc -c < "$1/log.txt")"
"#;

struct Plant {
    base: crate::plant::Plant,
}

impl std::ops::Deref for Plant {
    type Target = crate::plant::Plant;

    fn deref(&self) -> &crate::plant::Plant {
        &self.base
    }
}

impl Plant {
    fn new(converter: &str) -> Self {
        let plant = Self {
            base: crate::plant::Plant::watching(CONVERTER),
        };
        plant.configure(converter);
        plant
    }

    fn configure(&self, converter: &str) {
        let settle = if converter.contains("settle_s") {
            ""
        } else {
            "settle_s = 0"
        };
        let archives = if converter.contains("archive_enabled") {
            ""
        } else {
            "archive_enabled = true"
        };
        let text = format!(
            "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\nscan_every_s = 0.1\n\
             [[converter]]\nname = \"T\"\ncommand = [\"sh\", \"run.sh\", \"{{input}}\"]\nenvironment = \"sh\"\n\
             bundle = [\"run.sh\"]\nwatch_folder = \"in\"\ncomplete_marker = \"{MARKER}\"\nerror_folder = \"error\"\n\
             {settle}\n{archives}\n{converter}\n"
        );
        self.write("host.toml", &text);
    }

    fn once(&self, exit: i32) -> String {
        self.say(&["host", "run", "host.toml", "--once"], exit).1
    }

    fn unit(&self, name: &str, log: &str) -> PathBuf {
        let path = self.path("in").join(name);
        fs::create_dir_all(path.join("images")).expect("made");
        fs::write(path.join("log.txt"), log).expect("written");
        fs::write(path.join("images/front.png"), format!("front of {name}")).expect("written");
        path
    }

    fn complete(&self, name: &str, log: &str) -> PathBuf {
        let path = self.unit(name, log);
        fs::write(path.join(MARKER), "").expect("written");
        path
    }

    /// Returns the statuses of the attempts of each entry, by the name of its source.
    fn entries(&self) -> BTreeMap<String, Vec<Vec<String>>> {
        let mut entries: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for line in self
            .annals(&["list", "--json", "--limit", "10000"], 0)
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

    fn only_entry(&self) -> String {
        let listed = self.annals(&["list", "--json"], 0);
        let entry: serde_json::Value = serde_json::from_str(&listed).expect("one entry");
        entry["id"].to_string()
    }
}

const FILES: &str = "./COMPLETE.marker ./images/front.png ./log.txt ";

#[test]
fn a_complete_folder_is_one_entry_and_its_converter_is_given_the_folder() {
    let plant = Plant::new("post_process = \"archive\"\nsandbox = \"enforce\"");
    plant.complete("unit 1", "passed");
    plant.unit("unit 2", "passed");
    fs::write(plant.path("in/loose.csv"), "no folder").expect("written");
    plant.once(0);
    assert_eq!(plant.names("in"), ["loose.csv", "unit 2"]);
    assert_eq!(plant.entries()["unit 1.tar"], [["success"]]);
    let report = plant.report(&plant.only_entry());
    assert_eq!(
        (&report["sn"], &report["called"]),
        (&"unit 1".into(), &"unit 1".into())
    );
    assert_eq!(
        (&report["files"], &report["log"]),
        (&FILES.into(), &"6".into())
    );
    // Only the marker was missing.
    fs::write(plant.path("in/unit 2").join(MARKER), "").expect("written");
    plant.once(0);
    assert_eq!(plant.names("in"), ["loose.csv"]);
    assert_eq!(plant.entries().len(), 2);
    plant.annals(&["verify"], 0);
    let checked = plant.annals(&["host", "check", "host.toml"], 0);
    assert!(checked.contains(&format!("* with {MARKER}")), "{checked}");
}

#[test]
fn a_folder_that_grows_after_its_marker_is_waited_for() {
    let plant = Plant::new("post_process = \"archive\"\nsettle_s = 1.5");
    let unit = plant.complete("unit", "");
    let _host = plant.host();
    let log = "x".repeat(20);
    for written in 1..=log.len() {
        std::thread::sleep(Duration::from_millis(150));
        // A copying program sets the modification time back, so the host must compare size and
        // change time.
        fs::write(unit.join("log.txt"), &log[..written]).expect("written before it was removed");
        let file = fs::File::options().write(true).open(unit.join("log.txt"));
        file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH))
            .expect("set");
    }
    wait("the folder to be cleared away", || {
        plant.names("in").is_empty()
    });
    assert_eq!(plant.entries()["unit.tar"], [["success"]]);
    assert_eq!(plant.report(&plant.only_entry())["log"], "20");
}

#[test]
fn a_link_or_pipe_in_a_folder_is_refused_by_its_name_and_the_folder_stays() {
    let plant = Plant::new("post_process = \"delete\"");
    let linked = plant.complete("linked", "passed");
    std::os::unix::fs::symlink("/etc/passwd", linked.join("images/back.png")).expect("made");
    let piped = plant.complete("piped", "passed");
    let made = Command::new("mkfifo").arg(piped.join("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()));
    plant.complete("sound", "passed");
    let told = plant.once(3);
    assert!(told.contains("images/back.png in it is a link"), "{told}");
    assert!(
        told.contains("pipe in it is a pipe, socket or device"),
        "{told}"
    );
    assert_eq!(plant.names("in"), ["linked", "piped"]);
    assert_eq!(plant.entries().len(), 1);
    assert!(Path::new("/etc/passwd").exists());
}

#[test]
fn a_file_that_comes_during_the_conversion_is_not_removed_and_nothing_around_it_is() {
    for action in ["archive", "delete", "move", "zip"] {
        let plant = Plant::new(&format!(
            "post_process = \"{action}\"\ndone_folder = \"done\""
        ));
        plant.complete("unit", "late");
        let told = plant.once(0);
        assert_eq!(plant.names("in"), ["unit"], "{action}: {told}");
        assert_eq!(plant.names("in/unit"), [MARKER, "images", "log.txt"]);
        assert_eq!(plant.names("in/unit/images"), ["front.png", "late.png"]);
        assert!(plant.names("done").is_empty());
        // The changed folder is taken like any other source. The late file is there, complete.
        let late = plant.path("in/unit/images/late.png");
        assert_eq!(fs::read_to_string(late).expect("there"), "late\n");
    }
}

#[test]
fn what_becomes_of_a_folder_is_what_the_configuration_says() {
    let plant = Plant::new("post_process = \"move\"\ndone_folder = \"done\"");
    fs::create_dir_all(plant.path("done/unit")).expect("made");
    let inode = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).expect("there").ino()
    };
    let before = inode(&plant.complete("unit", "passed"));
    plant.once(0);
    assert!(plant.names("in").is_empty());
    assert_eq!(plant.names("done"), ["unit", "unit (2)"]);
    assert!(
        plant.names("done/unit").is_empty(),
        "nobody else's is touched"
    );
    assert_eq!(inode(&plant.path("done/unit (2)")), before);
    assert_eq!(plant.names("done/unit (2)"), [MARKER, "images", "log.txt"]);

    plant.configure("post_process = \"zip\"\ndone_folder = \"zipped\"");
    plant.complete("unit", "zipped");
    plant.once(0);
    assert!(plant.names("in").is_empty());
    assert_eq!(plant.names("zipped"), ["unit.zip"]);

    plant.configure("post_process = \"archive\"");
    plant.complete("bad", "bad");
    plant.once(3);
    assert!(plant.names("in").is_empty());
    assert_eq!(plant.names("error"), ["bad"]);

    // Without an archive the folder is copied for its converter.
    plant.configure("post_process = \"delete\"\narchive_enabled = false");
    let entries = plant.entries();
    plant.complete("unit", "deleted");
    plant.once(0);
    assert!(plant.names("in").is_empty());
    assert_eq!(plant.entries(), entries);
}

#[test]
fn a_kept_folder_is_converted_once_by_each_host_that_comes_and_again_when_it_changes() {
    let plant = Plant::new("post_process = \"keep\"");
    let unit = plant.complete("unit", "passed");
    plant.once(0);
    plant.once(0);
    assert_eq!(plant.names("in"), ["unit"]);
    assert_eq!(plant.entries()["unit.tar"], [["success"]]);
    fs::write(unit.join("images/back.png"), "back").expect("written");
    plant.once(0);
    assert_eq!(plant.entries()["unit.tar"], [["success"], ["success"]]);
}

#[test]
fn a_host_that_is_killed_again_and_again_makes_one_entry_of_each_folder() {
    let plant = Plant::new("post_process = \"archive\"");
    for number in 0..60 {
        let unit = plant.complete(&format!("unit{number}"), &format!("passed {number}"));
        for image in 0..20 {
            fs::write(unit.join(format!("images/{image}.png")), "image").expect("written");
        }
    }
    let mut seed = 11_u64;
    for _ in 0..8 {
        let mut host = plant.host();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis((seed >> 33) % 400));
        crate::plant::ending::kill(&mut host.0);
    }
    plant.once(0);
    assert!(plant.names("in").is_empty(), "{:?}", plant.names("in"));
    let entries = plant.entries();
    assert_eq!(entries.len(), 60);
    for (name, found) in entries {
        assert_eq!(
            found,
            [["success"]],
            "{name} is archived and converted once"
        );
    }
    plant.annals(&["verify"], 0);
}

#[test]
fn a_folder_is_reprocessed_and_restored_when_it_is_long_gone() {
    let plant = Plant::new("post_process = \"archive\"");
    plant.complete("unit", "passed");
    plant.once(0);
    assert!(plant.names("in").is_empty());
    let id = plant.only_entry();

    let recorded = ["--converter-version", "recorded", "--compare-only"];
    let reprocess = [
        &["reprocess", &id, "--config", "host.toml", "--json"],
        &recorded[..],
    ]
    .concat();
    let same = plant.annals(&reprocess, 0);
    let of = |text: &str| -> serde_json::Value {
        let last = text.lines().last().expect("a result");
        serde_json::from_str(last).expect("JSON")
    };
    assert_eq!(of(&same)["unchanged"], 1, "{same}");

    let corrected = "printf '{\"sn\":\"%s\",\"image\":\"%s\"}' \"$(basename \"$1\")\" \"$(cat \"$1/images/front.png\")\"";
    fs::write(plant.path("run.sh"), corrected).expect("written");
    let current = [
        "reprocess",
        &id,
        "--config",
        "host.toml",
        "--converter-version",
        "current",
        "--json",
    ];
    let changed = plant.annals(&current, 0);
    assert_eq!(of(&changed)["changed"], 1, "{changed}");
    let report = plant.report(&id);
    assert_eq!(
        (&report["sn"], &report["image"]),
        (&"unit".into(), &"front of unit".into())
    );
    // The recorded converter takes folders, whatever is configured today.
    let config = fs::read_to_string(plant.path("host.toml")).expect("there");
    let renamed = config.replace("name = \"T\"", "name = \"U\"");
    fs::write(plant.path("other.toml"), renamed).expect("written");
    let recorded = ["--converter-version", "recorded", "--compare-only"];
    let reprocess = [
        &["reprocess", &id, "--config", "other.toml", "--json"],
        &recorded[..],
    ]
    .concat();
    assert_eq!(of(&plant.annals(&reprocess, 0))["unchanged"], 1);

    plant.annals(&["convert", &id, "--config", "host.toml"], 0);
    plant.annals(&["restore", &id, "--to", "back", "--original-names"], 0);
    assert_eq!(plant.names("back"), ["unit.tar"]);
    let unpacked = plant.path("unpacked/again");
    fs::create_dir_all(&unpacked).expect("made");
    let tar = Command::new("tar")
        .args(["-xf", "../../back/unit.tar"])
        .current_dir(&unpacked)
        .status();
    assert!(tar.is_ok_and(|status| status.success()));
    assert_eq!(plant.names("unpacked/again"), [MARKER, "images", "log.txt"]);
    for source in ["unpacked/again", "back/unit.tar"] {
        let tried = plant.annals(&["convert", source, "-c", "T", "--config", "host.toml"], 0);
        assert!(tried.contains("front of unit"), "{tried}");
    }
}

#[test]
fn a_worker_is_given_folders_too() {
    let plant = Plant::new("post_process = \"archive\"\nmode = \"worker\"\nsandbox = \"enforce\"");
    let worker = r#"while read -r line; do
        id=${line#*\"id\":}; id=${id%%,*}
        input=${line#*\"input\":\"}; input=${input%%\"*}
        printf '{"id":%s,"status":"success","report":{"log":"%s","pid":%s}}\n' "$id" "$(cat "$input/log.txt")" $$
    done"#;
    fs::write(plant.path("run.sh"), worker).expect("written");
    plant.complete("unit", "passed");
    plant.once(0);
    assert!(plant.names("in").is_empty());
    assert_eq!(plant.report(&plant.only_entry())["log"], "passed");
    let id = plant.only_entry();
    let events = plant.annals(&["events", "--type", "converter.registered"], 0);
    assert!(events.contains("worker-folder"), "{id}: {events}");
}
