//! The option that somebody means who types one that a verb does not have.

use clap::{Arg, Command};

use crate::convert::suggest;

/// Words that people try as options, and what they may mean: the first that the verb has.
///
/// Each is options of the verb with the names of their values, as its help shows them, or else a
/// command.
const MEANT: [(&[&str], &[&str]); 42] = [
    (&["failed", "fail", "errors"], &["--status failed"]),
    (&["rejected"], &["--status rejected"]),
    (&["pending", "queued"], &["--status pending"]),
    (
        &["success", "ok", "passed", "succeeded"],
        &["--status success"],
    ),
    (&["suspended"], &["--status suspended"]),
    (&["skipped"], &["--status skipped"]),
    (&["state", "result", "verdict"], &["--status STATUS"]),
    (
        &["since", "start", "begin", "newer", "newer-than", "after"],
        &["--from DATE", "--from SEQ|DATE"],
    ),
    (
        &["until", "before", "end", "older", "older-than", "to"],
        &["--until DATE", "--to DATE", "--to SEQ|DATE"],
    ),
    (
        &["date", "day", "on", "when", "time", "between"],
        &[
            "--from DATE --until DATE",
            "--from DATE --to DATE",
            "--from SEQ|DATE --to SEQ|DATE",
        ],
    ),
    (
        &["reverse", "asc", "oldest", "oldest-first"],
        &["--sort id:asc"],
    ),
    (&["order", "order-by", "sort-by"], &["--sort FIELD[:DIR]"]),
    (
        &["n", "count", "max", "head", "top", "first", "lines"],
        &["--limit N"],
    ),
    (&["skip"], &["--offset N"]),
    (
        &[
            "output",
            "out",
            "o",
            "dest",
            "destination",
            "target",
            "dir",
            "directory",
            "folder",
            "into",
            "d",
        ],
        &["--to DIR", "--to NEW", "--output FILE"],
    ),
    (&["format", "fmt"], &["--output FORMAT"]),
    (&["csv"], &["--output csv"]),
    (&["wide", "long", "l", "full"], &["--output wide"]),
    (
        &["name", "filename", "file-name", "glob", "pattern"],
        &["--file GLOB"],
    ),
    (&["source", "source-path", "from-folder"], &["--path GLOB"]),
    (
        &["sn", "serial-number", "serialnumber", "dut", "uut", "unit"],
        &["--serial SERIAL"],
    ),
    (
        &["pn", "part-number", "partnumber", "product"],
        &["--part PART"],
    ),
    (&["tester", "machine", "line"], &["--station STATION"]),
    (&["step", "operation"], &["--process PROCESS"]),
    (&["type", "kind"], &["--converter NAME", "--type T"]),
    (&["tag", "tags", "labels"], &["--label L"]),
    (&["metadata", "attr", "attribute"], &["--meta K=V"]),
    (&["holds", "held"], &["--hold NAME"]),
    (
        &["grep", "search", "query", "contains", "match"],
        &["--text TEXT"],
    ),
    (&["deleted", "gone", "removed", "all", "a"], &["--purged"]),
    (
        &["fix", "repair", "heal", "mend"],
        &["annals repair --dry-run"],
    ),
    (
        &["force", "f", "overwrite", "replace"],
        &["--overwrite", "--yes"],
    ),
    (
        &["dryrun", "simulate", "preview", "pretend"],
        &["--dry-run"],
    ),
    (&["attempt", "attempts"], &["--report=ATTEMPT"]),
    (&["message", "m", "comment", "because"], &["--reason TEXT"]),
    (&["workers", "threads", "j", "parallel"], &["--jobs N"]),
    (&["tail", "watch"], &["--follow"]),
    (&["silent"], &["--quiet"]),
    (&["debug"], &["--verbose"]),
    (&["no-color", "nocolor", "no-colour"], &["--color never"]),
    (&["conf", "cfg", "configuration"], &["--config FILE"]),
    (
        &["db", "database", "repo", "repository", "archive"],
        &["--store DIR"],
    ),
];

/// Returns what `option`, which `verb` does not have, probably means: options of the verb, or a
/// command.
pub(in crate::cli) fn meant_option(option: &str, verb: &Command) -> Option<String> {
    let word = option.trim_start_matches('-').to_lowercase();
    let word = word.split('=').next().unwrap_or_default();
    let known = MEANT.iter().filter(|(words, _)| words.contains(&word));
    let mut lines = known.flat_map(|(_, lines)| lines.iter());
    if let Some(line) = lines.find(|line| has_all(line, verb)) {
        return Some((*line).to_owned());
    }
    if word.chars().count() < 3 {
        return None;
    }
    let longs = verb.get_arguments().filter(|arg| !arg.is_hide_set());
    let near = suggest(word, longs.filter_map(Arg::get_long))?;
    Some(format!("--{near}"))
}

/// Returns true when each option in `line` is one of the verb and takes what the line says.
fn has_all(line: &str, verb: &Command) -> bool {
    let mut words = line.split(' ').peekable();
    if words.peek() == Some(&"annals") {
        return true;
    }
    let mut arg: Option<&Arg> = None;
    words.all(|word| {
        let Some(option) = word.strip_prefix("--") else {
            return arg.is_some_and(|arg| takes(arg, word));
        };
        let (long, value) = option
            .split_once('=')
            .map_or((option, None), |(long, value)| (long, Some(value)));
        arg = verb
            .get_arguments()
            .find(|arg| arg.get_long() == Some(long));
        arg.is_some_and(|arg| value.is_none_or(|value| takes(arg, value)))
    })
}

/// Returns true when an option takes a value of this name. A word with small letters is a value.
fn takes(arg: &Arg, word: &str) -> bool {
    let names = arg.get_value_names().unwrap_or_default();
    word.chars().any(char::is_lowercase) || names.iter().any(|name| name.as_str() == word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::command_line;

    fn all<'a>(command: &'a Command, found: &mut Vec<&'a Command>) {
        for verb in command.get_subcommands() {
            found.push(verb);
            all(verb, found);
        }
    }

    /// `list --failed` led to `--file`, and `list --before` to `--store`.
    #[test]
    fn an_option_that_people_try_leads_to_one_that_the_verb_has() {
        let mut command = command_line::command();
        command.build();
        for (verb, option, expected) in [
            ("list", "--failed", Some("--status failed")),
            ("list", "--before", Some("--to DATE")),
            ("list", "--since=today", Some("--from DATE")),
            ("list", "--until", Some("--to DATE")),
            ("restore", "--before", Some("--until DATE")),
            ("list", "--reverse", Some("--sort id:asc")),
            ("list", "--date", Some("--from DATE --to DATE")),
            ("list", "-n", Some("--limit N")),
            ("restore", "--output", Some("--to DIR")),
            ("restore", "--target", Some("--to DIR")),
            ("list", "--target", None),
            ("verify", "--fix", Some("annals repair --dry-run")),
            ("cat", "--attempt", Some("--report=ATTEMPT")),
            ("list", "--serail", Some("--serial")),
            ("list", "--frobnicate", None),
        ] {
            let at = command.find_subcommand(verb).expect("a verb");
            assert_eq!(
                meant_option(option, at).as_deref(),
                expected,
                "{verb} {option}"
            );
        }
    }

    #[test]
    fn each_word_stands_once_and_each_meaning_is_of_some_verb() {
        let mut command = command_line::command();
        command.build();
        let mut verbs = Vec::new();
        all(&command, &mut verbs);
        let mut tried = BTreeSet::new();
        for (words, lines) in MEANT {
            for word in words {
                assert!(tried.insert(word), "{word} stands twice");
            }
            for line in lines {
                assert!(verbs.iter().any(|verb| has_all(line, verb)), "{line}");
            }
        }
    }
}
