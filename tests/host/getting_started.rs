//! Tests the way from nothing to a host that runs: its questions, its template, its checks.
#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::path::Path;

use crate::plant::Plant;

const FLAGS: [&str; 8] = [
    "--folder",
    "data/in",
    "--pattern",
    "*.csv *.log",
    "--reports",
    "store",
    "--keep",
    "10y",
];

/// A technician answers five questions and drops a file. It must be converted, and nothing that was
/// there may be replaced.
#[test]
fn a_configuration_made_by_init_converts_a_file() {
    let plant = Plant::empty();
    plant.write("ict.sh", "printf '{\"sn\":\"%s\"}' \"$(cat \"$1\")\"");
    let mut args = vec![
        "host",
        "init",
        "line.toml",
        "-s",
        "store",
        "--converter",
        "sh 'ict.sh'",
    ];
    args.extend(FLAGS);
    let (out, err) = plant.say(&args, 0);
    assert!(
        out.contains("data/in") && out.contains("*.csv *.log"),
        "{out}"
    );
    assert!(err.contains("host run line.toml --once"), "{err}");
    let unit = fs::read_to_string(plant.path("annals.service")).expect("written");
    assert!(
        unit.contains(" host run ") && unit.contains("line.toml"),
        "{unit}"
    );

    fs::write(plant.path("data/in/a.csv"), "SN1").expect("written");
    fs::write(plant.path("data/in/b.txt"), "SN2").expect("written");
    plant.say(&["host", "run", "line.toml", "--once"], 0);
    let entry = plant.newest();
    assert_eq!(
        (&entry["source_name"], &entry["status"]),
        (&"a.csv".into(), &"success".into())
    );
    assert_eq!(plant.report(&entry["id"].to_string())["sn"], "SN1");
    // The converter is kept with it, so that this version can run again.
    plant.write("ict.sh", "exit 1");
    plant.annals(
        &[
            "reprocess",
            "-c",
            "Tester",
            "--converter-version",
            "recorded",
            "--config",
            "line.toml",
        ],
        0,
    );

    let before = fs::read_to_string(plant.path("line.toml")).expect("there");
    let (_, err) = plant.say(&args, 5);
    assert!(err.contains("line.toml is there already"), "{err}");
    assert_eq!(
        fs::read_to_string(plant.path("line.toml")).expect("there"),
        before
    );
}

/// A script has no terminal: it is told which answers are missing, and nothing is written.
#[test]
fn without_a_terminal_a_missing_answer_is_named_and_nothing_is_written() {
    let plant = Plant::empty();
    let before = plant.names(".");
    let (_, err) = plant.say(&["host", "init", "--folder", "in", "--keep", "90d"], 2);
    assert!(
        err.contains("--pattern, --converter, --reports missing"),
        "{err}"
    );
    let (_, err) = plant.say(&["host", "init", "-y", "--keep", "10"], 2);
    assert!(err.contains("--keep: '10'") && err.contains("90d"), "{err}");
    let (_, err) = plant.say(&["host", "init", "-y", "--converter", "python9000 a.py"], 2);
    assert!(err.contains("python9000"), "{err}");
    assert_eq!(plant.names("."), before);

    // The defaults run as well.
    plant.annals(&["host", "init", "-y", "-s", "store"], 0);
    fs::write(plant.path("in/a.csv"), "1\n2\n").expect("written");
    plant.say(&["host", "run", "host.toml", "--once"], 0);
    let entry = plant.newest();
    let report = plant.report(&entry["id"].to_string());
    assert_eq!(
        (&report["file"], &report["lines"]),
        (&"a.csv".into(), &2.into())
    );
}

#[test]
fn a_template_is_valid_and_replaces_nothing() {
    let plant = Plant::empty();
    let (_, err) = plant.say(&["config", "init", "host.toml"], 0);
    assert!(err.contains("annals host check host.toml"), "{err}");
    let text = fs::read_to_string(plant.path("host.toml")).expect("written");
    assert_eq!(plant.annals(&["config", "init"], 0), text);
    plant.annals(&["config", "check", "--config", "host.toml"], 0);
    plant.write("host.toml", "mine");
    plant.annals(&["config", "init", "host.toml"], 5);
    assert_eq!(
        fs::read_to_string(plant.path("host.toml")).expect("there"),
        "mine"
    );
}

/// The example of the documents, beside the converters that come with it.
#[test]
fn the_example_runs_with_the_converters_that_are_shipped() {
    if !Path::new("/usr/bin/python3").exists() {
        println!("skipped: no /usr/bin/python3");
        return;
    }
    let plant = Plant::empty();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["ict_csv.py", "annals_converter.py", "wsjf.py"] {
        fs::copy(root.join("tools/converters").join(name), plant.path(name)).expect("copied");
    }
    fs::copy(root.join("docs/host.example.toml"), plant.path("host.toml")).expect("copied");
    plant.annals(&["init", "store"], 0);
    plant.annals(&["host", "check", "host.toml"], 0);
    let lines = [
        "#ICT-REPORT;2.1",
        "Serial;SN1",
        "Part;P",
        "Revision;A",
        "Station;ICT-03",
        "Start;2026-03-03T00:14:22+01:00",
        "Name;Value;Unit;Low;High;Result",
        "R101;9.98;kOhm;9.9;10.1;PASS",
        "END;1;PASS;38.4",
    ];
    fs::write(plant.path("in/a.csv"), lines.join("\r\n") + "\r\n").expect("written");
    let text = fs::read_to_string(plant.path("host.toml")).expect("there");
    let text = text.replace("min_free_disk_gb = 5.0", "min_free_disk_gb = 0");
    plant.write("host.toml", &text.replace("listen = ", "# listen = "));
    let said = plant.once(0);
    assert!(said.contains("1 of 1 converted"), "{said}");
    assert_eq!(plant.newest()["serial"], "SN1");
}
