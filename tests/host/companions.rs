//! Tests sources that consist of a file and its companions: they are archived, converted and
//! cleared away together.
#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::plant::wait;

/// Reports what it finds beside the file it gets.
const CONVERTER: &str = r#"
dir=$(dirname "$1"); stem=$(basename "$1" .txt)
case "$(cat "$1")" in
    late*) echo late > "$WATCHED/$stem/late.txt" ;;
    more*) echo more > "$WATCHED/$stem.wav" ;;
    bad*) echo "no header" >&2; exit 1 ;;
esac
files=$(cd "$dir" && find . -type f | sort | tr '\n' ' ')
printf '{"sn":"%s","called":"%s","files":"%s"}' "$(basename "$1")" "$ANNALS_NAME" "$files"
"#;

const STEM: &str = "DUT [1] 10-02-51-3 UTC+0200";
const UNIT: &str = "DUT [1] 10-02-51-3 UTC+0200.txt";

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
        let mut more = String::new();
        for (key, default) in [
            ("settle_s", "settle_s = 0"),
            ("archive_enabled", "archive_enabled = true"),
            ("patterns", "patterns = [\"*.txt\"]"),
            ("companions =", "companions = [\"{stem}/\", \"{stem}.*\"]"),
        ] {
            if !converter.contains(key) {
                more.push_str(default);
                more.push('\n');
            }
        }
        let text = format!(
            "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\nscan_every_s = 0.1\n\
             [[converter]]\nname = \"T\"\ncommand = [\"sh\", \"run.sh\", \"{{input}}\"]\nenvironment = \"sh\"\n\
             bundle = [\"run.sh\"]\nwatch_folder = \"in\"\nerror_folder = \"error\"\n{more}{converter}\n"
        );
        self.write("host.toml", &text);
    }

    /// Puts a text file with its companion folder into the watch folder.
    fn unit(&self, stem: &str, text: &str) {
        let folder = self.path("in").join(stem);
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("values.txt"), format!("values of {stem}")).expect("written");
        fs::write(self.path("in").join(format!("{stem}.txt")), text).expect("written");
    }

    /// Returns every file below a folder.
    fn files(&self, folder: &str) -> Vec<String> {
        fn collect(at: &Path, root: &Path, into: &mut Vec<String>) {
            for item in fs::read_dir(at).into_iter().flatten() {
                let path = item.expect("item").path();
                if path.is_dir() {
                    collect(&path, root, into);
                } else {
                    let inside = path.strip_prefix(root).expect("inside");
                    into.push(inside.to_string_lossy().into_owned());
                }
            }
        }
        let root = self.path(folder);
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        files.sort();
        files
    }

    fn newest_id(&self) -> String {
        self.newest()["id"].to_string()
    }

    /// Returns the names of the sources with the statuses of their attempts, oldest first.
    fn entries(&self) -> Vec<String> {
        let listed = self.annals(&["list", "--json", "--sort", "id:asc"], 0);
        let told = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let attempts = entry["attempts"].as_array().expect("a list").iter();
            let statuses = attempts.map(|attempt| attempt["status"].as_str().expect("text"));
            let name = entry["source_name"].as_str().expect("text");
            format!("{name}: {}", statuses.collect::<Vec<_>>().join(", "))
        };
        listed.lines().map(told).collect()
    }
}

#[test]
fn a_text_and_its_folder_are_one_entry_that_comes_back_whole() {
    let plant = Plant::new("post_process = \"archive\"\nsandbox = \"enforce\"");
    plant.unit(STEM, "passed");
    fs::write(plant.path("in").join(format!("{STEM}.wav")), "sound").expect("written");
    fs::write(plant.path("in/other.wav"), "nobody's").expect("written");
    let said = plant.once(0);
    assert!(
        said.contains("the file it belongs to is not there"),
        "{said}"
    );
    assert_eq!(plant.files("in"), ["other.wav"]);
    assert_eq!(plant.entries(), [format!("{UNIT}.tar: success")]);
    let id = plant.newest_id();
    let report = plant.report(&id);
    assert_eq!(
        (&report["sn"], &report["called"]),
        (&UNIT.into(), &UNIT.into())
    );
    let files = format!("./{UNIT} ./{STEM}.wav ./{STEM}/values.txt ");
    assert_eq!(report["files"].as_str(), Some(&*files));

    // Years later, with the recorded converter.
    let recorded = [
        "reprocess",
        &id,
        "--config",
        "host.toml",
        "--json",
        "--compare-only",
    ];
    let recorded = [&recorded[..], &["--converter-version", "recorded"]].concat();
    let compared = plant.annals(&recorded, 0);
    assert!(compared.contains("\"unchanged\":1"), "{compared}");

    plant.annals(&["restore", &id, "--to", "back", "--original-names"], 0);
    let whole = [
        UNIT.to_owned(),
        format!("{STEM}.wav"),
        format!("{STEM}/values.txt"),
    ];
    assert_eq!(plant.files("back"), whole);
    let values = plant.path("back").join(STEM).join("values.txt");
    assert_eq!(
        fs::read_to_string(values).expect("there"),
        format!("values of {STEM}")
    );
    // Again: what is there and the same is passed over, what is missing comes back, and nothing
    // else is replaced unless that is asked for.
    let apart = format!("apart/{id}_{UNIT}");
    plant.annals(&["restore", &id, "--to", "apart"], 0);
    for (folder, restore) in [
        (
            "back",
            &["restore", &id, "--to", "back", "--original-names"][..],
        ),
        (&apart, &["restore", &id, "--to", "apart"]),
    ] {
        assert_eq!(plant.annals(restore, 0), "");
        fs::remove_dir_all(plant.path(folder).join(STEM)).expect("removed");
        plant.annals(restore, 0);
        assert_eq!(plant.files(folder), whole);
        let main = plant.path(folder).join(UNIT);
        let restored = fs::read(&main).expect("there");
        fs::write(&main, "mine").expect("written");
        plant.annals(restore, 1);
        assert_eq!(fs::read(&main).expect("there"), b"mine");
        fs::remove_dir_all(plant.path(folder).join(STEM)).expect("removed");
        plant.annals(&[restore, &["--overwrite", "always"]].concat(), 0);
        assert_eq!(fs::read(&main).expect("there"), restored);
        assert_eq!(plant.files(folder), whole);
    }
    let path = format!("back/{UNIT}");
    let tried = plant.annals(&["convert", &path, "--config", "host.toml"], 0);
    assert!(tried.contains(&*files), "{tried}");
    plant.annals(&["verify"], 0);
}

/// A text file without companions must be archived as a plain file.
#[test]
fn a_text_alone_is_archived_as_it_is_unless_it_needs_more() {
    let plant = Plant::new("post_process = \"archive\"");
    fs::write(plant.path("in/alone.txt"), "passed").expect("written");
    plant.once(0);
    assert_eq!(plant.entries(), ["alone.txt: success"]);
    assert_eq!(plant.annals(&["cat", &plant.newest_id()], 0), "passed");

    plant.configure("post_process = \"archive\"\ncompanions_required = [\"{stem}/\"]");
    fs::write(plant.path("in/late.txt"), "passed").expect("written");
    let said = plant.once(0);
    assert!(
        said.contains("its companion {stem}/ is not there"),
        "{said}"
    );
    assert_eq!(plant.files("in"), ["late.txt"]);
    plant.unit("late", "passed");
    plant.once(0);
    assert!(plant.files("in").is_empty());
    assert_eq!(plant.entries()[1], "late.txt.tar: success");
}

#[test]
fn a_unit_is_not_taken_while_anything_of_it_changes() {
    let plant = Plant::new("post_process = \"archive\"\nsettle_s = 1.2");
    plant.unit("unit", "passed");
    let _host = plant.host();
    for number in 0..12 {
        std::thread::sleep(Duration::from_millis(120));
        let name = format!("in/unit/{number:02}.txt");
        fs::write(plant.path(&name), "x").expect("written before it was removed");
    }
    fs::write(plant.path("in/unit.wav.part"), "x").expect("written");
    std::thread::sleep(Duration::from_millis(1500));
    fs::rename(plant.path("in/unit.wav.part"), plant.path("in/unit.wav")).expect("still there");
    wait("the unit to be cleared away", || {
        plant.files("in").is_empty()
    });
    assert_eq!(plant.entries(), ["unit.txt.tar: success"]);
    let report = plant.report(&plant.newest_id());
    let files = report["files"].as_str().expect("text");
    assert!(
        files.contains("11.txt") && files.contains("unit.wav"),
        "{files}"
    );
}

/// The waveform arrived while the unit was converted. What is there now is another source, and no
/// part of it may be cleared away with the first.
#[test]
fn what_comes_during_the_conversion_keeps_all_of_the_unit() {
    for action in ["archive", "delete", "move", "zip"] {
        for text in ["late", "more"] {
            let plant = Plant::new(&format!(
                "post_process = \"{action}\"\ndone_folder = \"done\""
            ));
            plant.unit("unit", text);
            plant.once(0);
            let came = if text == "late" {
                "unit/late.txt"
            } else {
                "unit.wav"
            };
            let mut whole = ["unit.txt", "unit/values.txt", came];
            whole.sort_unstable();
            assert_eq!(plant.files("in"), whole, "{action}");
            assert!(plant.files("done").is_empty());
            let names: Vec<_> = fs::read_dir(plant.path("in")).expect("read").collect();
            assert!(names.len() <= 3, "nothing hidden is left: {names:?}");
        }
    }
}

#[test]
fn all_of_a_unit_goes_where_the_configuration_says() {
    let plant = Plant::new("post_process = \"move\"\ndone_folder = \"done\"");
    fs::create_dir_all(plant.path("done/unit")).expect("made");
    plant.unit("unit", "passed");
    plant.once(0);
    assert!(plant.files("in").is_empty());
    // When a name is taken, both get one new name, so that they still belong together.
    assert_eq!(plant.files("done"), ["unit (2).txt", "unit (2)/values.txt"]);

    plant.configure("post_process = \"zip\"\ndone_folder = \"zipped\"");
    plant.unit("unit", "zipped");
    plant.once(0);
    assert!(plant.files("in").is_empty());
    assert_eq!(plant.files("zipped"), ["unit.txt.zip"]);

    plant.configure("post_process = \"archive\"");
    plant.unit("bad", "bad");
    plant.once(3);
    assert!(plant.files("in").is_empty());
    assert_eq!(plant.files("error"), ["bad.txt", "bad/values.txt"]);

    // Without an archive the unit is copied for its converter.
    plant.configure("post_process = \"delete\"\narchive_enabled = false");
    let entries = plant.entries();
    plant.unit("unit", "deleted");
    plant.once(0);
    assert!(plant.files("in").is_empty());
    assert_eq!(plant.entries(), entries);
}

#[test]
fn a_companion_that_two_files_claim_is_nobodys_and_all_stays() {
    let plant = Plant::new("post_process = \"archive\"\npatterns = [\"*.txt\", \"*.csv\"]");
    plant.unit("unit", "passed");
    fs::write(plant.path("in/unit.csv"), "passed").expect("written");
    plant.unit("other", "passed");
    let said = plant.once(3);
    assert!(said.contains("unit.txt was left: unit.csv"), "{said}");
    assert_eq!(
        plant.files("in"),
        ["unit.csv", "unit.txt", "unit/values.txt"]
    );
    assert_eq!(plant.entries(), ["other.txt.tar: success"]);
}

#[test]
fn a_link_among_the_companions_keeps_the_unit_and_is_named() {
    let plant = Plant::new("post_process = \"delete\"");
    plant.unit("unit", "passed");
    std::os::unix::fs::symlink("/etc/passwd", plant.path("in/unit/back.txt")).expect("made");
    std::os::unix::fs::symlink("unit", plant.path("in/two.wav")).expect("made");
    fs::write(plant.path("in/two.txt"), "passed").expect("written");
    plant.unit("sound", "passed");
    let said = plant.once(3);
    assert!(!said.contains("is not there"), "{said}");
    assert!(said.contains("unit/back.txt in it is a link"), "{said}");
    assert!(said.contains("two.wav in it is a link"), "{said}");
    assert!(plant.files("in").contains(&"unit/values.txt".to_owned()));
    assert!(Path::new("/etc/passwd").exists());
}

#[test]
fn a_host_that_is_killed_again_and_again_takes_each_unit_once_and_whole() {
    let plant = Plant::new("post_process = \"move\"\ndone_folder = \"done\"");
    for number in 0..40 {
        plant.unit(&format!("unit{number}"), &format!("passed {number}"));
        fs::write(plant.path(format!("in/unit{number}.wav")), "sound").expect("written");
    }
    let mut seed = 5_u64;
    for _ in 0..6 {
        let mut host = plant.host();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis((seed >> 33) % 400));
        crate::plant::ending::kill(&mut host.0);
    }
    plant.once(0);
    assert!(plant.files("in").is_empty(), "{:?}", plant.files("in"));
    assert_eq!(plant.files("done").len(), 120, "{:?}", plant.files("done"));
    let entries = plant.entries();
    assert_eq!(entries.len(), 40, "{entries:?}");
    assert!(
        entries
            .iter()
            .all(|entry| entry.ends_with(".txt.tar: success")),
        "{entries:?}"
    );
    plant.annals(&["verify"], 0);
}

#[test]
fn a_worker_is_given_the_unit_as_it_lay_there() {
    let plant = Plant::new("post_process = \"archive\"\nmode = \"worker\"\nsandbox = \"enforce\"");
    let worker = r#"while read -r line; do
        id=${line#*\"id\":}; id=${id%%,*}
        input=${line#*\"input\":\"}; input=${input%%\"*}
        printf '{"id":%s,"status":"success","report":{"values":"%s"}}\n' "$id" "$(cat "${input%.txt}/values.txt")"
    done"#;
    fs::write(plant.path("run.sh"), worker).expect("written");
    plant.unit(STEM, "passed");
    plant.once(0);
    assert!(plant.files("in").is_empty());
    let values = plant.report(&plant.newest_id())["values"].clone();
    assert_eq!(values, format!("values of {STEM}"));
    let events = plant.annals(&["events", "--type", "converter.registered"], 0);
    assert!(events.contains("worker-companions"), "{events}");
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused_or_warned_of() {
    let plant = Plant::new(
        "companions = [\"*.wav\", \"{stem}/\"]\ncompanions_required = [\"{stem}.x\"]\ncomplete_marker = \"DONE\"",
    );
    let said = plant.say(&["host", "check", "host.toml"], 2).1;
    for told in [
        "\"*.wav\": it needs a {stem}",
        "\"{stem}.x\" is none of companions",
        "complete_marker and companions do not go together",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let other = "\n[[converter]]\nname = \"U\"\ncommand = [\"sh\", \"{input}\"]\nwatch_folder = \"in\"\npatterns = [\"*.wav\"]";
    plant.configure(other);
    let said = plant.say(&["host", "check", "host.toml"], 0).1;
    assert!(
        said.contains("may be companions of the files of converter 'T'"),
        "{said}"
    );
}
