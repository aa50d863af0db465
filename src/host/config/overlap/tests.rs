//! Tests that overlapping folders are refused, by any name, through links and mounts.

use std::os::unix::fs::symlink;

use super::*;
use crate::host::config::settings::Config;

struct Plant {
    dir: tempfile::TempDir,
}

impl Plant {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("folder");
        for name in ["in", "other", "store"] {
            fs::create_dir(dir.path().join(name)).expect("made");
        }
        for name in ["host.toml", "run.sh"] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        Self { dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn link(&self, to: &str, name: &str) {
        symlink(self.at(to), self.at(name)).expect("made");
    }

    fn config(&self, keys: &str) -> Config {
        let store = if keys.contains("[store]") {
            ""
        } else {
            "[store]\npath = \"store\"\n"
        };
        let text = format!(
            "{store}[[converter]]\nname = \"T\"\n\
             command = [\"sh\", \"run.sh\", \"{{input}}\"]\n{keys}\n"
        );
        Config::parse(&text, &self.at("host.toml")).expect("valid")
    }

    fn refused(&self, keys: &str) -> Option<String> {
        let checked = self.config(keys).check_folders(None);
        checked.err().map(|error| error.to_string())
    }
}

#[test]
fn folders_that_are_one_or_in_each_other_are_refused_whatever_they_are_called() {
    let plant = Plant::new();
    fs::create_dir(plant.at("in/sub")).expect("made");
    plant.link("in", "linked");
    plant.link("in/sub", "deep");
    plant.link("store", "archive");
    for (keys, named) in [
        (
            "watch_folder = \"in\"\ndone_folder = \"linked\"",
            ["done_folder", "watch_folder"],
        ),
        (
            "watch_folder = \"in\"\nerror_folder = \"linked\"",
            ["error_folder", "watch_folder"],
        ),
        (
            "watch_folder = \"linked\"\ndone_folder = \"in/sub\"",
            ["done_folder", "linked"],
        ),
        (
            "watch_folder = \"in\"\ndone_folder = \"deep\"",
            ["deep", "watch_folder"],
        ),
        // A folder that does not exist yet.
        (
            "watch_folder = \"in\"\ndone_folder = \"linked/a/b\"",
            ["done_folder", "lies in"],
        ),
        (
            "watch_folder = \"new\"\ndone_folder = \"./other/../new/x\"",
            ["done_folder", "new"],
        ),
        (
            "watch_folder = \"linked/new\"\ndone_folder = \"in/new\"",
            ["done_folder", "two names"],
        ),
        // A folder around the watch folder.
        (
            "watch_folder = \"in/sub\"\ndone_folder = \"in\"",
            ["done_folder", "holds"],
        ),
        ("watch_folder = \"archive\"", ["the store", "watch_folder"]),
        ("watch_folder = \"archive/packs\"", ["the store", "holds"]),
        (
            "watch_folder = \".\"\npatterns = [\"*.csv\"]",
            ["the configuration", "watch_folder"],
        ),
        (
            "watch_folder = \"in\"\ndone_folder = \"archive/done\"",
            ["done_folder", "the store"],
        ),
        (
            "watch_folder = \"in\"\narchive_folder = \"linked/own\"",
            ["archive_folder", "watch_folder"],
        ),
        (
            "watch_folder = \"in\"\narchive_folder = \"archive\"",
            ["archive_folder", "the store"],
        ),
        (
            "watch_folder = \"in\"\narchive_folder = \"archive/own\"",
            ["archive_folder", "the store"],
        ),
    ] {
        // Overlaps that the path texts alone show are refused earlier, by other checks.
        let text = format!(
            "[store]\npath = \"store\"\n[[converter]]\nname = \"T\"\n\
             command = [\"sh\", \"run.sh\", \"{{input}}\"]\n{keys}\n"
        );
        let told = match Config::parse(&text, &plant.at("host.toml")) {
            Ok(_) => plant
                .refused(keys)
                .unwrap_or_else(|| panic!("{keys} is allowed")),
            Err(errors) => {
                assert!(keys.contains("./other/.."), "{errors}");
                continue;
            }
        };
        for word in named {
            assert!(told.contains(word), "{keys}: {told}");
        }
    }
}

#[test]
fn a_needed_file_in_a_watch_folder_is_refused_by_its_key() {
    let plant = Plant::new();
    fs::write(plant.at("in/limits.json"), "{}").expect("written");
    let told = plant.refused("watch_folder = \"in\"\nbundle = [\"in/limits.json\"]");
    assert!(told.expect("refused").contains("bundle of converter 'T'"));
    fs::rename(plant.at("run.sh"), plant.at("in/run.sh")).expect("moved");
    symlink("in/run.sh", plant.at("run.sh")).expect("made");
    let told = plant.refused("watch_folder = \"in\"");
    assert!(told.expect("refused").contains("command of converter 'T'"));
    // The reported line is that of the key.
    let told = plant.refused("watch_folder = \"in\"").expect("refused");
    assert!(told.contains("host.toml:5: "), "{told}");
}

#[test]
fn what_does_not_overlap_is_allowed() {
    let plant = Plant::new();
    plant.link("other", "linked");
    let second = "[[converter]]\nname = \"U\"\ncommand = [\"sh\", \"run.sh\", \"{input}\"]";
    for keys in [
        "watch_folder = \"in\"\ndone_folder = \"linked\"\nerror_folder = \"other\"",
        "watch_folder = \"in\"\ndone_folder = \"inside\"",
        "watch_folder = \"in\"\narchive_folder = \"own\"",
        &format!(
            "watch_folder = \"in\"\n{second}\nwatch_folder = \"in\"\narchive_folder = \"own\""
        ),
        &format!("watch_folder = \"in\"\n{second}\nwatch_folder = \"in/special\""),
        // The open store may have another path than in the configuration.
        "watch_folder = \"in\"\n",
    ] {
        let config = plant.config(keys);
        plant.link("store", "opened");
        let checked = config.check_folders(Some(&plant.at("opened")));
        assert!(checked.is_ok(), "{keys}: {checked:?}");
        fs::remove_file(plant.at("opened")).expect("there");
    }
    // The open store is checked too.
    let opened = plant.config("watch_folder = \"in\"");
    assert!(opened.check_folders(Some(&plant.at("in"))).is_err());
}

#[test]
fn two_names_of_one_watch_folder_are_refused_and_nested_ones_where_folders_are_taken() {
    let plant = Plant::new();
    plant.link("in", "linked");
    let second = "[[converter]]\nname = \"U\"\ncommand = [\"sh\", \"run.sh\", \"{input}\"]";
    let both = format!("watch_folder = \"in\"\n{second}\nwatch_folder = \"linked\"");
    let told = plant.refused(&both).expect("refused");
    assert!(told.contains("'T'") && told.contains("'U'") && told.contains("same path"));
    let nested = format!(
        "watch_folder = \"in\"\ncomplete_marker = \"DONE\"\n{second}\nwatch_folder = \"in/x\""
    );
    assert!(plant.refused(&nested).is_some());
}

/// A folder may change after the start, when a share is mounted or a link is created.
#[test]
fn a_folder_that_appears_or_is_swapped_later_is_compared_again() {
    let plant = Plant::new();
    let config = plant.config("watch_folder = \"in\"\ndone_folder = \"done\"");
    let folders = CheckedFolders::default();
    let check = |name: &str| {
        let checked = folders.check(&plant.at(name), &config, None);
        checked.map_err(|error| error.kind())
    };
    assert_eq!((check("in"), check("done")), (Ok(()), Ok(())));
    plant.link("in", "done");
    assert_eq!(check("done"), Err(ErrorKind::Refused));
    assert_eq!(check("in"), Ok(()));
    fs::remove_file(plant.at("done")).expect("there");
    fs::create_dir(plant.at("done")).expect("made");
    assert_eq!(check("done"), Ok(()));
    // A link to the store replaces the watch folder.
    fs::remove_dir(plant.at("in")).expect("empty");
    plant.link("store", "in");
    assert_eq!(check("in"), Err(ErrorKind::Refused));
}
