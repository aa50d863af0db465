//! The verb that somebody means who types one that does not exist.

mod options;

use clap::Command;

pub(super) use self::options::meant_option;
use crate::convert::suggest;
use crate::service::words::in_shell;

/// Words that people try, and the verb that does it. The rest of a line of a verb is what it takes.
const MEANT: [(&[&str], &str); 29] = [
    (
        &["search", "query", "grep", "lookup", "locate", "where"],
        "find TEXT",
    ),
    (
        &["ls", "dir", "entries", "all", "browse", "snapshots"],
        "list",
    ),
    (&["rejected"], "list --status rejected"),
    (
        &["info", "inspect", "describe", "details", "view-entry"],
        "show ID",
    ),
    (&["status", "health", "ps", "ping", "stop"], "host status"),
    (&["log", "history", "journal", "audit", "oplog"], "events"),
    (&["tail", "follow"], "events --follow"),
    (&["print", "dump", "type"], "cat ID"),
    (
        &[
            "extract", "get", "download", "checkout", "recover", "open", "mount", "unpack",
        ],
        "restore ID --to DIR",
    ),
    (
        &[
            "add", "put", "import", "ingest", "store", "save", "push", "upload", "create",
        ],
        "archive PATH -c CONVERTER",
    ),
    (&["new", "setup", "mkstore"], "init DIR"),
    (
        &[
            "delete", "rm", "remove", "del", "prune", "forget", "expire", "purge", "clean",
        ],
        "retention preview --older-than AGE",
    ),
    (&["gc", "vacuum", "optimize", "shrink", "defrag"], "compact"),
    (
        &["undo", "undelete", "restore-purged"],
        "retention undo PLAN --reason TEXT",
    ),
    (
        &["check", "fsck", "scrub", "validate", "test", "doctor"],
        "verify",
    ),
    (&["version", "ver", "about"], "--version"),
    (&["df", "du", "size", "usage", "count", "summary"], "stats"),
    (
        &["copy", "sync", "clone", "mirror", "snapshot"],
        "backup DIR",
    ),
    (
        &["run", "start", "daemon", "watch", "service"],
        "host run FILE",
    ),
    (
        &["web", "ui", "gui", "server", "dashboard", "page"],
        "serve --open",
    ),
    (&["errors", "failed", "problems", "troubles"], "failures"),
    (
        &["tag", "label", "annotate", "comment", "edit", "correct"],
        "note ID --reason TEXT",
    ),
    (
        &["freeze", "legal-hold", "keep", "pin"],
        "hold add ID --name NAME --reason TEXT",
    ),
    (&["retry", "rerun", "redo", "convert-again"], "reprocess ID"),
    (&["jobs"], "job list"),
    (&["holds"], "hold list"),
    (&["fix", "heal", "mend"], "repair --dry-run"),
    (&["reindex", "index"], "rebuild"),
    (&["compare"], "diff ID"),
];

/// Words that mean one entry when its number stands behind them.
const OF_ENTRY: [&str; 7] = [
    "history", "log", "journal", "audit", "timeline", "attempts", "status",
];

/// Words that people try below a verb, and those that may be meant.
const MEANT_BELOW: [(&[&str], &[&str]); 6] = [
    (&["ls", "all"], &["list", "show", "locks"]),
    (
        &["status", "info", "get", "cat"],
        &["show", "status", "list"],
    ),
    (
        &["new", "create", "place", "make"],
        &["add", "save", "init", "declare", "lock"],
    ),
    (
        &["rm", "remove", "delete", "lift", "end"],
        &["release", "drop", "unset", "unlock"],
    ),
    (
        &["run", "start", "go", "continue"],
        &["run", "resume", "apply"],
    ),
    (&["stop", "abort", "kill"], &["cancel", "pause"]),
];

/// Returns the command that `word`, which is no verb below `command`, probably means, without the
/// program's name. `above` is the path to `command`, and `next` is what stands behind the word.
pub(super) fn meant(
    word: &str,
    command: &Command,
    above: &[String],
    next: Option<&str>,
) -> Option<String> {
    let word = word.to_lowercase();
    let entry = next.filter(|next| next.parse::<u64>().is_ok());
    if let Some(entry) = entry.filter(|_| above.is_empty() && OF_ENTRY.contains(&&*word)) {
        return Some(format!("show {entry}"));
    }
    let below = |verb: &str| {
        let path = above.iter().map(String::as_str).chain([verb]);
        path.collect::<Vec<_>>().join(" ")
    };
    if above.is_empty() {
        let known = MEANT.iter().find(|(words, _)| words.contains(&&*word));
        if let Some((_, line)) = known {
            return Some(filled(line, next, entry));
        }
    } else {
        let known = MEANT_BELOW
            .iter()
            .find(|(words, _)| words.contains(&&*word));
        let verbs = known.iter().flat_map(|(_, verbs)| verbs.iter());
        let mut there = verbs.filter(|verb| command.find_subcommand(verb).is_some());
        if let Some(verb) = there.next() {
            return Some(below(verb));
        }
    }
    let names = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    suggest(&word, names.map(Command::get_name)).map(below)
}

/// Returns a line with what was typed in place of the entry or the text that it leaves open.
fn filled(line: &str, next: Option<&str>, entry: Option<&str>) -> String {
    let text = next.filter(|next| !next.starts_with('-'));
    match (line, text, entry) {
        ("find TEXT", Some(text), _) => format!("find {}", in_shell(text)),
        (_, _, Some(entry)) => {
            let words = line.split(' ');
            let words = words.map(|word| if word == "ID" { entry } else { word });
            words.collect::<Vec<_>>().join(" ")
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::command_line::Cli;

    #[test]
    fn a_word_that_people_try_leads_to_a_verb_that_exists() {
        let command = Cli::command();
        let mut tried = BTreeSet::new();
        for (words, line) in MEANT {
            let mut at = &command;
            for verb in line.split(' ').take_while(|word| !word.starts_with('-')) {
                if verb.chars().all(char::is_uppercase) {
                    break;
                }
                at = at.find_subcommand(verb).unwrap_or_else(|| panic!("{line}"));
            }
            for word in words {
                assert!(tried.insert(word), "{word} stands twice");
                assert!(command.find_subcommand(word).is_none(), "{word} is a verb");
                assert_eq!(meant(word, &command, &[], None).as_deref(), Some(line));
            }
        }
        let hold = command.find_subcommand("hold").expect("a verb");
        let above = ["hold".to_owned()];
        for (word, verb) in [
            ("ls", Some("hold list")),
            ("rm", Some("hold release")),
            ("relase", Some("hold release")),
            ("frobnicate", None),
        ] {
            assert_eq!(meant(word, hold, &above, None).as_deref(), verb, "{word}");
        }
        for (word, next, line) in [
            ("lst", None, "list"),
            ("history", None, "events"),
            ("history", Some("32"), "show 32"),
            ("print", Some("32"), "cat 32"),
            ("mount", Some("32"), "restore 32 --to DIR"),
            ("search", Some("SN 1"), "find 'SN 1'"),
            ("search", Some("--json"), "find TEXT"),
        ] {
            assert_eq!(
                meant(word, &command, &[], next).as_deref(),
                Some(line),
                "{word}"
            );
        }
    }
}
