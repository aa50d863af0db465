//! Compares the documents with the program: every verb has a heading, every error kind has advice,
//! every link leads somewhere, and no line of prose is too long.
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

/// The most columns of a line of prose.
const COLUMNS_MAX: usize = 100;

/// Returns the pages outside docs, and all pages in docs.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "tools/converters/README.md",
    ]
    .into_iter()
    .map(PathBuf::from)
    .collect();
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

/// Returns the first words of the lines below headings in the help.
fn verbs() -> Vec<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_annals"))
        .arg("--help")
        .output()
        .expect("the program starts");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let (_, below) = help.split_once("\nFind\n").expect("a list of verbs");
    below
        .lines()
        .take_while(|line| !line.starts_with("Options"))
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

/// Returns the text of all sources. String literals that continue on the next line are joined.
fn sources() -> String {
    let mut folders = vec![root().join("src")];
    let mut joined = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(path).expect("UTF-8");
            let mut lines = text.split("\\\n");
            joined.push_str(lines.next().unwrap_or_default());
            lines.for_each(|line| joined.push_str(line.trim_start()));
        }
    }
    joined
}

#[test]
fn every_message_in_the_advice_is_one_of_the_program() {
    let page = text("docs/troubleshooting.md");
    let (_, table) = page.split_once("| the message says |").expect("a table");
    let messages: Vec<&str> = table
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| ")?.split(" | ").next())
        .collect();
    assert!(messages.len() >= 30, "{messages:?}");
    let sources = sources();
    for message in messages {
        // In a documented message "..." stands for names and numbers, and " / " separates two
        // messages.
        for part in message.split("...").flat_map(|part| part.split(" / ")) {
            let part = part.trim().trim_matches(['\'', '?', ';', ',', ' ']);
            assert!(sources.contains(part), "no message says '{part}'");
        }
    }
}

#[test]
fn every_type_of_event_is_in_the_format() {
    let page = text("docs/format.md");
    let source = text("src/event/mod.rs");
    let kinds: BTreeSet<&str> = source
        .split('"')
        .filter(|word| word.starts_with("annals.") && word.split('.').next_back() == Some("v1"))
        .collect();
    assert!(kinds.len() >= 15, "{kinds:?}");
    for kind in kinds {
        assert!(page.contains(&format!("\n| `{kind}` | ")), "{kind}");
    }
}

/// Returns the targets of the links in a page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

/// Returns the anchors of a page's headings, formed as GitHub forms them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        inside ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if inside || heading.len() == line.len() {
            continue;
        }
        let anchor = heading
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| {
                if c == ' ' {
                    '-'
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect();
        anchors.insert(anchor);
    }
    anchors
}

#[test]
fn every_link_between_pages_leads_to_a_page_and_a_heading() {
    let mut followed = 0;
    for page in pages() {
        let text = text(page.to_str().expect("UTF-8"));
        let folder = page.parent().expect("a folder");
        for link in links(&text).filter(|link| !link.starts_with("http")) {
            followed += 1;
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let there = match target {
                "" => root().join(&page),
                _ => root().join(folder).join(target),
            };
            assert!(there.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let linked = fs::read_to_string(&there).expect("a page");
                let known = anchors(&linked).contains(anchor);
                assert!(known, "{}: no heading for {link}", page.display());
            }
        }
    }
    assert!(followed >= 10, "{followed} links");
}

#[test]
fn every_room_of_the_source_is_in_the_design() {
    let page = text("docs/design.md");
    let (_, rooms) = page.split_once("\n## Rooms\n").expect("a section of rooms");
    for entry in fs::read_dir(root().join("src")).expect("src") {
        let path = entry.expect("src").path();
        // The plain values are named together; of them `entry` and `event` are folders.
        let is_value = path.ends_with("entry") || path.ends_with("event");
        if path.is_dir() && !is_value {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let row = format!("\n{name}/ ");
            assert!(rooms.contains(&row), "docs/design.md has no room '{name}'");
        }
    }
}

#[test]
fn every_source_and_tool_that_a_page_names_is_there() {
    let mut named = 0;
    for page in pages() {
        let text = text(page.to_str().expect("UTF-8"));
        // Code spans are between backticks, so every second part is inside one.
        for path in text.split('`').skip(1).step_by(2) {
            let path = path.split_whitespace().next().unwrap_or_default();
            let ours = ["src/", "tests/", "tools/", "fuzz/", "benches/"];
            if ours.iter().any(|folder| path.starts_with(folder)) {
                named += 1;
                let there = root().join(path).exists();
                assert!(there, "{}: there is no {path}", page.display());
            }
        }
    }
    assert!(named >= 30, "{named} paths");
}

/// Returns true if a source below `folder` with `part` in its path defines the function `name`.
fn defines(folder: &Path, part: &str, name: &str) -> bool {
    let inside = fs::read_dir(folder).expect("a folder");
    inside
        .map(|entry| entry.expect("an entry").path())
        .any(|path| {
            if path.is_dir() {
                return defines(&path, part, name);
            }
            let of_part = path.with_extension("").iter().any(|inside| inside == part);
            let text = || fs::read_to_string(&path).expect("UTF-8");
            of_part && text().contains(&format!("fn {name}("))
        })
}

/// Who is audited points at these tests, so none of them may be renamed or removed unnoticed.
#[test]
fn every_test_that_a_clause_names_is_there() {
    let page = text("docs/compliance.md");
    let spans = page.split('`').skip(1).step_by(2);
    let named: Vec<_> = spans.filter_map(|span| span.split_once("::")).collect();
    assert!(named.len() >= 20, "{named:?}");
    for (part, name) in named {
        let there = ["tests", "src"].map(|folder| defines(&root().join(folder), part, name));
        assert!(there.contains(&true), "there is no {part}::{name}");
    }
    assert!(!defines(
        &root().join("tests"),
        "crash",
        "a_test_that_is_not_there"
    ));
}

/// Returns the numbers of the lines of prose that have more than [`COLUMNS_MAX`] columns.
/// Tables and code blocks may be wider, and the target of a link does not count.
fn long_lines(text: &str) -> Vec<usize> {
    let mut inside = false;
    let mut long = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        if inside || fence || line.trim_start().starts_with('|') {
            continue;
        }
        let targets: usize = links(line).map(|target| target.chars().count()).sum();
        if line.chars().count() - targets > COLUMNS_MAX {
            long.push(index + 1);
        }
    }
    long
}

#[test]
fn no_line_of_prose_is_too_long() {
    for page in pages() {
        let long = long_lines(&text(page.to_str().expect("UTF-8")));
        assert!(long.is_empty(), "{}: lines {long:?}", page.display());
    }
}

#[test]
fn a_long_line_is_noticed_in_prose_only() {
    let full = "x".repeat(COLUMNS_MAX);
    let long = format!("{full}x");
    assert_eq!(long_lines(&format!("{full}\n{long}\n\n- {full}\n")), [2, 4]);
    let code = format!("```text\n{long}\n```\n  ```sh\n{long}\n  ```\n{long}\n");
    assert_eq!(long_lines(&code), [7]);
    assert!(long_lines(&format!("| {long} |\n")).is_empty());
    assert!(long_lines(&format!("see [a page]({long})\n")).is_empty());
    assert_eq!(long_lines(&format!("see [a page](a.md) {full}\n")), [1]);
}

#[test]
fn every_page_is_in_the_library_documentation_and_tells_commands_apart_from_rust() {
    let root = text("src/lib.rs");
    for page in pages().iter().filter(|page| page.starts_with("docs")) {
        let name = page.to_str().expect("UTF-8").replace('\\', "/");
        assert!(root.contains(&format!("../{name}\"")), "{name}");
        // rustdoc takes a block without a language for a test.
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
