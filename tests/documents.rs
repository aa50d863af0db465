//! Documents that nothing compares with the program describe another program within a year: a verb without a heading, an
//! error kind without advice, a link to a page that was renamed.
#![cfg(feature = "cli")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// README.md and the pages in docs.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    for entry in fs::read_dir(root().join("docs")).expect("docs") {
        let name = entry.expect("docs").file_name();
        if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "md")
        {
            pages.push(Path::new("docs").join(name));
        }
    }
    pages.sort();
    pages
}

/// The first words of the lines below "Commands:" in the help.
fn verbs() -> Vec<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_annals"))
        .arg("--help")
        .output()
        .expect("the program starts");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let (_, below) = help.split_once("Commands:\n").expect("a list of verbs");
    below
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_verb_has_a_heading_and_an_example_in_the_reference() {
    let page = text("docs/cli.md");
    let verbs = verbs();
    assert!(verbs.len() >= 17, "{verbs:?}");
    for verb in verbs {
        let heading = format!("\n## {verb}\n");
        let (_, rest) = page
            .split_once(&heading)
            .unwrap_or_else(|| panic!("docs/cli.md has no heading '## {verb}'"));
        let section = rest.split("\n## ").next().unwrap_or_default();
        assert!(
            section.contains(&format!("$ annals {verb}")),
            "'{verb}' has no example"
        );
    }
}

#[test]
fn every_kind_of_error_and_every_exit_code_has_advice() {
    let page = text("docs/troubleshooting.md");
    let source = text("src/error.rs");
    let kinds: Vec<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""))
        .filter_map(|(_, name)| name.strip_suffix("\","))
        .collect();
    assert!(kinds.len() >= 13, "{kinds:?}");
    for kind in kinds {
        assert!(page.contains(&format!("\n| `{kind}` | ")), "kind '{kind}'");
    }
    let source = text("src/cli/run/exit.rs");
    let (_, codes) = source.split_once("enum Exit {").expect("the exit codes");
    let codes: Vec<&str> = codes
        .lines()
        .take_while(|line| *line != "}")
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "))
        .map(|(_, code)| code)
        .collect();
    assert!(codes.len() >= 9, "{codes:?}");
    for code in codes {
        for place in ["docs/troubleshooting.md", "docs/cli.md"] {
            let row = format!("\n| {code} | ");
            assert!(text(place).contains(&row), "exit {code} in {place}");
        }
    }
}

#[test]
fn every_type_of_event_is_in_the_format() {
    let page = text("docs/format.md");
    let source = text("src/event.rs");
    let kinds: BTreeSet<&str> = source
        .split('"')
        .filter(|word| word.starts_with("annals.") && word.split('.').next_back() == Some("v1"))
        .collect();
    assert!(kinds.len() >= 15, "{kinds:?}");
    for kind in kinds {
        assert!(page.contains(&format!("\n| `{kind}` | ")), "{kind}");
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut followed = 0;
    for page in pages() {
        let text = text(page.to_str().expect("UTF-8"));
        let folder = page.parent().expect("a folder");
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            followed += 1;
            let target = link.split('#').next().unwrap_or_default();
            let there = root().join(folder).join(target);
            assert!(there.exists(), "{}: {link}", page.display());
        }
    }
    assert!(followed >= 10, "{followed} links");
}

#[test]
fn every_page_is_in_the_library_documentation_and_tells_commands_apart_from_rust() {
    let root = text("src/lib.rs");
    for page in pages().iter().filter(|page| page.starts_with("docs")) {
        let name = page.to_str().expect("UTF-8").replace('\\', "/");
        assert!(root.contains(&format!("../{name}\"")), "{name}");
        // Without a language, rustdoc takes a block for a test.
        let mut inside = false;
        for line in text(&name).lines().filter(|line| line.starts_with("```")) {
            inside = !inside;
            assert!(
                !inside || line.len() > 3,
                "{name}: a block without a language"
            );
        }
    }
}
