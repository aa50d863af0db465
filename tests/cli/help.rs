//! Compares the help of the program and of every verb with the files in `tests/help`.
//!
//! A change of an option is seen there as people see it. `ANNALS_UPDATE=1` writes the files anew.
#![cfg(all(feature = "cli", feature = "serve"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn help(path: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_annals"))
        .arg("help")
        .args(path)
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{path:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Returns the first words of the lines with a verb, of the help of the program or of a verb.
fn verbs(help: &str) -> Vec<String> {
    let below = match (help.split_once("\nFind\n"), help.split_once("Commands:\n")) {
        (Some((_, below)), _) => below.split("\nOptions").next().unwrap_or_default(),
        (_, Some((_, below))) => below.split("\n\n").next().unwrap_or_default(),
        _ => return Vec::new(),
    };
    let rows = below
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    rows.filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn collect(path: &[String], pages: &mut BTreeMap<String, String>) {
    let page = help(path);
    for verb in verbs(&page) {
        collect(&[path, &[verb]].concat(), pages);
    }
    let name = [&["annals".to_owned()][..], path].concat().join("-");
    pages.insert(format!("{name}.txt"), page);
}

#[test]
fn the_help_of_every_verb_is_what_was_agreed_on() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    let mut pages = BTreeMap::new();
    collect(&[], &mut pages);
    assert!(pages.len() > 80, "{}", pages.len());
    if std::env::var_os("ANNALS_UPDATE").is_some() {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("a folder");
        for (name, page) in &pages {
            fs::write(dir.join(name), page).expect("written");
        }
    }
    let entries = fs::read_dir(&dir).expect("the folder of the pages");
    let kept: BTreeMap<String, String> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read_to_string(&path).expect("text"))
        })
        .collect();
    for (name, page) in &pages {
        assert_eq!(
            kept.get(name),
            Some(page),
            "{name}: set ANNALS_UPDATE=1 if the change is meant"
        );
    }
    assert_eq!(kept.len(), pages.len(), "a page of a verb that is gone");
}
