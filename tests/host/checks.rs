//! Tests what `host check` tells of a configuration, and which ones it takes.
#![cfg(all(unix, feature = "cli"))]

use std::fs;

use crate::plant::Plant;

/// Each of these was found only when files did not come, or went.
#[test]
fn a_check_tells_what_is_probably_not_meant() {
    let plant = Plant::empty();
    plant.annals(&["init", "store"], 0);
    plant.write("empty.toml", "[store]\npath = \"store\"\n");
    let (_, err) = plant.say(&["host", "check", "empty.toml"], 0);
    assert!(err.contains("there is no [[converter]]"), "{err}");

    fs::create_dir_all(plant.path("in/monday")).expect("made");
    let config = |more: &str| {
        let text = format!(
            "[store]\npath = \"store\"\n[[converter]]\nname = \"T\"\nwatch_folder = \"in\"\n{more}\n"
        );
        plant.write("host.toml", &text);
    };
    config(
        "command = [\"sh\", \"{input}\"]\nmode = \"worker\"\n[converter.submit]\n\
         url = \"http://127.0.0.1:9/\"\nheaders = { A = \"${ANNALS_TEST_UNSET}\" }",
    );
    let (_, err) = plant.say(&["host", "check", "host.toml"], 0);
    for told in [
        "nothing is archived: add archive_enabled = true",
        "{input} in its command stands for no file",
        "ANNALS_TEST_UNSET",
        "1 subfolder, such as monday, which are not read: set recursive = true",
    ] {
        assert!(err.contains(told), "{told}: {err}");
    }
    config(
        "command = [\"sh\", \"run.sh\", \"{input}\"]\narchive_enabled = false\nrecursive = true\n\
         post_process = \"move\"\ndone_folder = \"/proc/1/done\"",
    );
    let (out, err) = plant.say(&["host", "check", "host.toml"], 0);
    assert!(out.contains("in/**"), "{out}");
    assert!(
        err.contains("done_folder /proc/1/done is to be written"),
        "{err}"
    );
    assert!(!err.contains("nothing is archived"), "it is said: {err}");
    assert!(
        err.contains("its command names run.sh, which is not in"),
        "{err}"
    );
    config("command = [\"python9000\", \"{input}\"]\narchive_enabled = true\nrecursive = true");
    let (_, err) = plant.say(&["host", "check", "host.toml"], 1);
    assert!(err.contains("there is no program 'python9000'"), "{err}");
}

/// A path that a file manager copied is absolute. It is the same bundle file as the relative one.
#[test]
fn a_bundle_file_may_be_named_by_its_whole_path() {
    let plant = Plant::empty();
    plant.annals(&["init", "store"], 0);
    plant.write("run.sh", "printf '{}'");
    let converter = |file: &str| {
        format!(
            "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\n\
             command = [\"sh\", \"{file}\", \"{{input}}\"]\nbundle = [\"{file}\"]\nsettle_s = 0\n\
             watch_folder = \"in\"\narchive_enabled = true\npost_process = \"archive\"\n"
        )
    };
    let mut made = Vec::new();
    for file in ["run.sh", &plant.path("run.sh").to_string_lossy()] {
        plant.write("host.toml", &converter(file));
        fs::write(plant.path("in/a.csv"), file).expect("written");
        plant.once(0);
        made.push(plant.newest()["attempts"][0]["converter_id"].clone());
    }
    assert!(made[0].is_string(), "{made:?}");
    assert_eq!(made[0], made[1]);
    plant.write("host.toml", &converter("/etc/hostname"));
    let (_, err) = plant.say(&["host", "check", "host.toml"], 2);
    assert!(
        err.contains("must be below the configuration's folder"),
        "{err}"
    );
}
