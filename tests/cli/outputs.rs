//! Compares what every verb prints for people with the files in `tests/output`.
//!
//! Tables once cut the very serial that was searched for, and a hint named a folder `DIR`. Nobody
//! saw it, because tests only looked for single words. Here every verb runs on one small store, on
//! a terminal of 80 columns, and the whole picture is kept. `ANNALS_UPDATE=1` writes the files
//! anew.
#![cfg(all(feature = "cli", feature = "serve"))]

mod steady;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::json::prepare;
use super::terminal::show_on_terminal;
use steady::Steady;

/// The commands, in order.
const STEPS: &str = include_str!("outputs/steps.txt");

/// Verbs whose output is not kept: a story of a minute with hundreds of files, which other tests
/// play, and a page that `tests/help` keeps.
const NOT_KEPT: &[&str] = &["demo", "help"];

/// Every file has one time, and files are converted one by one. A host archives two files that it
/// finds at once in either order, so the steps give it one at a time.
const ORDERED: &str = "find . -type f -exec touch -d 2026-03-01T08:30:00Z {} + && \
    sed -i 's/^min_free_disk_gb.*/&\\nmax_concurrent = 1/' host.toml";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// Returns the text files of a folder below `tests`, by name without `.txt`.
fn pages(name: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder(name)).expect("the folder of the pages");
    let page = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy();
        (name.into_owned(), fs::read_to_string(&path).expect("text"))
    };
    entries
        .map(|entry| page(entry.expect("an entry").path()))
        .collect()
}

/// Returns the name of the page of help that tells about the command, such as `annals-hold-add`.
fn verb(command: &str, help: &BTreeMap<String, String>) -> String {
    let (_, call) = command.split_once("annals").expect("a call of the program");
    let mut name = "annals".to_owned();
    for word in call.split_whitespace().filter(|word| *word != "-q") {
        let longer = format!("{name}-{word}");
        if !help.contains_key(&longer) {
            break;
        }
        name = longer;
    }
    name
}

/// Runs a command in `dir` and returns what the terminal showed, and the exit code.
fn run(dir: &Path, command: &str) -> (String, i32) {
    let program = Path::new(env!("CARGO_BIN_EXE_annals"));
    let tools = program.parent().expect("a folder").display();
    let mut shell = Command::new("bash");
    shell
        .args(["-c", command])
        .current_dir(dir)
        .env_clear()
        .env("PATH", format!("{tools}:/usr/local/bin:/usr/bin:/bin"))
        .env("HOME", dir.join("home"))
        .env("USER", "mia")
        .env("TERM", "dumb")
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC")
        .env("ANNALS_STORE", dir.join("store"));
    let screen = show_on_terminal(80, shell);
    // A progress bar of a slow machine is overwritten by the line that stays.
    let stays = |line: &str| {
        let (_, last) = line.rsplit_once("\u{1b}[2K").unwrap_or(("", line));
        format!("{}\n", last.trim_end())
    };
    (screen.text.lines().map(stays).collect(), screen.code)
}

/// Runs all steps and returns the pages by verb, and the sub-verbs that were run.
fn play() -> (BTreeMap<String, String>, BTreeSet<String>) {
    let help = pages("help");
    // In /tmp, because lines with a path wrap where its length says.
    let dir = tempfile::Builder::new()
        .prefix("annals-")
        .rand_bytes(6)
        .tempdir_in("/tmp")
        .expect("a folder");
    prepare(dir.path());
    let (told, code) = run(dir.path(), ORDERED);
    assert_eq!(code, 0, "{told}");
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in STEPS.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            let (told, code) = run(dir.path(), command);
            assert_eq!(code, 0, "{command}: {told}");
            continue;
        }
        let (told, code) = run(dir.path(), line);
        let name = verb(line, &help);
        let first = |name: &str| match name.split('-').nth(1) {
            // Verbs of two words have no sub-verbs.
            Some(first)
                if help
                    .get(&format!("annals-{first}"))
                    .is_some_and(|page| has_verbs(page)) =>
            {
                format!("annals-{first}")
            }
            _ => name.to_owned(),
        };
        let page = shown.entry(first(&name)).or_default();
        if !page.is_empty() {
            page.push('\n');
        }
        let _ = write!(page, "$ {line}\n{told}");
        if code != 0 {
            let _ = writeln!(page, "[exit code {code}]");
        }
        seen.insert(name);
    }
    let name = dir.path().file_name().expect("a name").to_string_lossy();
    for page in shown.values_mut() {
        *page = Steady::new(&name).text(page);
    }
    (shown, seen)
}

/// Returns true for the help of a verb that has sub-verbs.
fn has_verbs(page: &str) -> bool {
    page.contains("\nCommands:\n")
}

/// Returns the lines that only one of two texts has, each block with the line before it.
fn difference(kept: &str, shown: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), shown.lines().collect());
    // How many lines are common to what follows a line of each.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut told) = (0, 0, String::new());
    let mut before = None;
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            before = Some(format!("line {}:\n  {}\n", i + 1, old[i]));
            (i, j) = (i + 1, j + 1);
            continue;
        }
        told.push_str(&before.take().unwrap_or_default());
        let is_gone = j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]);
        if is_gone {
            let _ = writeln!(told, "- {}", old[i]);
            i += 1;
        } else {
            let _ = writeln!(told, "+ {}", new[j]);
            j += 1;
        }
    }
    told
}

#[test]
fn what_every_verb_prints_is_what_was_agreed_on() {
    let tools = Command::new("jq").arg("--version").output();
    if !tools.is_ok_and(|ran| ran.status.success()) {
        println!("skipped: no jq, which the steps read ids with");
        return;
    }
    let (shown, seen) = play();
    let forgotten: Vec<String> = pages("help")
        .into_iter()
        .filter(|(name, page)| !has_verbs(page) && !seen.contains(name))
        .map(|(name, _)| name)
        .filter(|name| !NOT_KEPT.contains(&name.trim_start_matches("annals-")))
        .collect();
    assert!(forgotten.is_empty(), "no step runs {forgotten:?}");
    let dir = folder("output");
    if std::env::var_os("ANNALS_UPDATE").is_some() {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("a folder");
        for (name, page) in &shown {
            fs::write(dir.join(format!("{name}.txt")), page).expect("written");
        }
    }
    let kept = pages("output");
    let mut told = String::new();
    for name in kept.keys().chain(shown.keys()).collect::<BTreeSet<_>>() {
        let text = |pages: &BTreeMap<String, String>| pages.get(name).cloned().unwrap_or_default();
        let (kept, shown) = (text(&kept), text(&shown));
        if kept != shown {
            let difference = difference(&kept, &shown);
            let _ = write!(told, "\ntests/output/{name}.txt\n{difference}");
        }
    }
    assert!(
        told.is_empty(),
        "verbs print other text than what is kept (-: kept, +: printed).\n{told}\n\
         If that is meant, write the files anew and read their change:\n  \
         ANNALS_UPDATE=1 cargo test --all-features --test cli outputs::\n"
    );
}

#[test]
fn a_difference_is_shown_with_what_is_around_it() {
    let told = difference("a\nb\nc\nd\ne\n", "a\nb\nx\ny\nd\n");
    assert_eq!(told, "line 2:\n  b\n- c\n+ x\n+ y\nline 4:\n  d\n- e\n");
    assert_eq!(difference("a\n", "a\n"), "");
}
