//! Tests what is recorded of a source file that a host clears away.
#![cfg(all(unix, feature = "cli"))]

use serde_json::Value;

use crate::plant::Plant;

fn plant(top: &str, more: &str) -> Plant {
    let text = format!(
        "{top}\n[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\n\
         command = [\"sh\", \"run.sh\", \"{{input}}\"]\nenvironment = \"sh\"\nbundle = [\"run.sh\"]\n\
         watch_folder = \"in\"\nsettle_s = 0\narchive_enabled = true\n{more}\n"
    );
    let script = "grep -q bad \"$1\" && exit 1; printf '{}'";
    let plant = Plant::new(script, &text);
    plant.write("in/SN7.csv", "serial,SN7");
    plant
}

fn shown(plant: &Plant) -> Value {
    let id = plant.newest()["id"].to_string();
    let shown = plant.annals(&["show", &id, "--json"], 0);
    serde_json::from_str(&shown).expect("JSON")
}

fn words(plant: &Plant) -> String {
    let id = plant.newest()["id"].to_string();
    plant.annals(&["show", &id], 0)
}

/// A customer asks for the file of last week. The done folder had moved with the configuration, and
/// nobody could say where the file lay.
#[test]
fn an_entry_tells_where_its_file_went_when_the_host_cleared_it_away() {
    for (keys, how, place) in [
        (
            "post_process = \"move\"\ndone_folder = \"done\"",
            "moved",
            "done/SN7.csv",
        ),
        (
            "post_process = \"zip\"\ndone_folder = \"done\"",
            "zipped",
            "done/SN7.csv.zip",
        ),
        ("post_process = \"archive\"", "removed", ""),
        ("post_process = \"delete\"", "removed", ""),
        ("error_folder = \"error\"", "moved", "error/SN7.csv"),
    ] {
        let fails = keys.starts_with("error");
        let plant = plant("", keys);
        if fails {
            plant.write("in/SN7.csv", "bad");
        }
        plant.once(if fails { 3 } else { 0 });
        let shown = shown(&plant);
        let file = &shown["source_file"];
        assert_eq!(file["how"], how, "{shown}");
        match file["path"].as_str() {
            Some(path) => {
                assert!(path.ends_with(place) && path.starts_with('/'), "{path}");
                assert!(std::fs::metadata(path).is_ok(), "{path} is there");
            }
            None => assert_eq!(place, "", "{shown}"),
        }
        let last = shown["timeline"].as_array().expect("a list").last();
        let last = last.expect("events");
        assert_eq!(last["type"], "annals.source.cleared.v1", "{keys}");
        assert_eq!(last["event"], file["event"]);
        let words = words(&plant);
        assert!(words.contains(&format!("  source file  {how}")), "{words}");
        // A second pass has nothing to add.
        plant.once(0);
        assert_eq!(self::shown(&plant)["source_file"], *file);
    }
}

/// A file that stays where it was found is not said to have gone anywhere.
#[test]
fn a_file_that_is_kept_is_not_recorded_as_cleared_away() {
    let plant = plant("", "post_process = \"keep\"");
    plant.once(0);
    plant.once(0);
    assert_eq!(shown(&plant)["source_file"], Value::Null);
    assert!(!words(&plant).contains("source file"));
    assert_eq!(plant.annals(&["events", "--type", "source.cleared"], 0), "");
}

/// The done folder had the name of an operator in its path. The path of the source was personal and
/// erased, and the new path still told the name.
#[test]
fn where_a_file_went_is_as_personal_as_where_it_came_from() {
    let plant = plant(
        "[privacy]\npersonal = [\"source_path\"]",
        "post_process = \"move\"\ndone_folder = \"done-by-kari\"",
    );
    plant.once(0);
    let id = plant.newest()["id"].to_string();
    let told = |name: &str| plant.annals(&["events"], 0).contains(name);
    assert!(words(&plant).contains("done-by-kari/SN7.csv"));
    assert!(!told("done-by-kari/SN7.csv"), "in the log");
    let erase = [
        "erase",
        &id,
        "--field",
        "source_path",
        "--reason",
        "asked",
        "--yes",
    ];
    plant.annals(&erase, 0);
    let shown = shown(&plant);
    assert_eq!(shown["source_file"]["how"], "moved", "{shown}");
    assert_eq!(shown["source_file"]["path"], Value::Null, "{shown}");
    assert!(!words(&plant).contains("kari"));
    plant.annals(&["verify", "--deep"], 0);
}
