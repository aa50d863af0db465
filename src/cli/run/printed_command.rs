//! Completes the commands that a run prints, so that each works as it is printed.

use std::path::Path;

use crate::cli::arguments::Globals;
use crate::cli::caller::CallerEnv;
use crate::cli::render::commands_in;
use crate::cli::store;
use crate::service::words::{in_shell, path_text};

/// Verbs that are about another store, or about none.
const OTHER_STORE: [&str; 10] = [
    "init",
    "restore-store",
    "demo",
    "help",
    "completions",
    "man",
    "verify-export",
    "verify-proof",
    "demo-converter",
    "VERB",
];

/// Verbs below `config` that read neither a store nor the configuration of the run.
const WITHOUT_FILE: [&str; 2] = ["init", "schema"];

/// The flags of a run that decide which store is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoreFlags {
    store: Option<String>,
    config: Option<String>,
    /// The key file, and whether other accounts are trusted.
    others: String,
    /// The configuration named by flag or environment.
    known_config: Option<String>,
}

impl StoreFlags {
    /// Returns the flags that were given to a run.
    pub(crate) fn of(globals: &Globals, from: &CallerEnv) -> Self {
        let word = |path: &Path| in_shell(&path_text(path)).into_owned();
        let config = globals.config.as_deref().map(word);
        let named = || store::config_file(globals, from).as_deref().map(word);
        let mut others = String::new();
        if let Some(file) = &globals.key_file {
            others = format!(" --key-file {}", word(file));
        }
        if globals.trust {
            others += " --trust";
        }
        Self {
            store: globals.store.as_deref().map(word),
            known_config: config.clone().or_else(named),
            config,
            others,
        }
    }

    /// Returns `text` with the flags in each of its commands that needs them.
    pub(crate) fn in_text(&self, text: &str) -> String {
        let mut out = String::new();
        let mut from = 0;
        for at in commands_in(text) {
            let command = self.command(&text[at.clone()]);
            out.push_str(&text[from..at.start]);
            from = at.end;
            // A command with words of a shell in apostrophes does not end at the next one.
            if out.ends_with('\'') && text[from..].starts_with('\'') && command.contains('\'') {
                out.pop();
                from += 1;
                out.extend(["`", command.as_str(), "`"]);
            } else {
                out.push_str(&command);
            }
        }
        out + &text[from..]
    }

    /// Returns named facts with the flags in each command of their values.
    pub(crate) fn in_facts<'a>(
        &self,
        facts: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Vec<(&'a str, String)> {
        let facts = facts.into_iter();
        facts
            .map(|(name, value)| (name, self.in_text(&value)))
            .collect()
    }

    /// Returns one command, which begins with `annals`, with the flags that it lacks.
    pub(crate) fn command(&self, line: &str) -> String {
        let mut rest = line.strip_prefix("annals").unwrap_or(line).to_owned();
        if let Some(config) = &self.known_config {
            for (wanted, filled) in [
                (" --config FILE", format!(" --config {config}")),
                (" host run FILE", format!(" host run {config}")),
                (" host check FILE", format!(" host check {config}")),
            ] {
                rest = rest.replace(wanted, &filled);
            }
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        let has = |flag: &str| {
            let with_value = format!("{flag}=");
            words
                .iter()
                .any(|word| *word == flag || word.starts_with(&with_value))
        };
        let needs_none = match words[..] {
            [] => true,
            ["config", below, ..] => WITHOUT_FILE.contains(&below),
            // `annals --help` and `annals --version`.
            [flag] => flag.starts_with('-') || OTHER_STORE.contains(&flag),
            [verb, ..] => OTHER_STORE.contains(&verb),
        };
        let mut flags = String::new();
        if !needs_none && !has("--help") && !has("-s") && !has("--store") {
            if let Some(store) = &self.store {
                flags = format!(" -s {store}");
            }
            // `annals host run host.toml` names the configuration, which names the store.
            let names_config = matches!(words[..], ["host", "run" | "check" | "init", _, ..]);
            if let Some(config) = self
                .config
                .as_ref()
                .filter(|_| !names_config && !has("--config"))
            {
                flags.extend([" --config ", config.as_str()]);
            }
            if !has("--key-file") && !has("--trust") {
                flags += &self.others;
            }
        }
        format!("annals{flags}{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(store: Option<&str>, config: Option<&str>) -> StoreFlags {
        StoreFlags {
            store: store.map(|store| in_shell(store).into_owned()),
            config: config.map(str::to_owned),
            known_config: config.map(str::to_owned),
            others: String::new(),
        }
    }

    /// A hint was copied to another folder's shell and answered with "no store".
    #[test]
    fn a_printed_command_names_the_store_that_this_run_was_given() {
        let given = flags(Some("my store"), Some("host.toml"));
        for (text, expected) in [
            (
                "`annals find X` looks",
                "`annals -s 'my store' --config host.toml find X` looks",
            ),
            (
                "have 'annals key init'",
                "have `annals -s 'my store' --config host.toml key init`",
            ),
            (
                "to go on: annals job resume 99",
                "to go on: annals -s 'my store' --config host.toml job resume 99",
            ),
            (
                "make one with `annals init DIR`",
                "make one with `annals init DIR`",
            ),
            ("see `annals --help`", "see `annals --help`"),
            ("`annals list --help` says", "`annals list --help` says"),
            ("`annals config init` prints", "`annals config init` prints"),
            ("`annals repair --store x`", "`annals repair --store x`"),
            (
                "`annals --config FILE reprocess --failure f`",
                "`annals -s 'my store' --config host.toml reprocess --failure f`",
            ),
            (
                "`annals --config other.toml reprocess 7`",
                "`annals -s 'my store' --config other.toml reprocess 7`",
            ),
            (
                "`annals host run line.toml --once`",
                "`annals -s 'my store' host run line.toml --once`",
            ),
            (
                "start one with `annals host run FILE`",
                "start one with `annals -s 'my store' host run host.toml`",
            ),
            ("nothing to run", "nothing to run"),
        ] {
            let told = given.in_text(text);
            assert_eq!(told, expected);
            assert_eq!(given.in_text(&told), told, "flags are added once");
            assert_eq!(flags(None, None).in_text(text), text);
        }
    }

    /// The rest of the command is not cut off when it has no store of its own.
    #[test]
    fn a_plain_store_leaves_the_quotation_marks_as_they_are() {
        let told = flags(Some("store"), None).in_text("run 'annals verify', or 'annals repair'");
        assert_eq!(
            told,
            "run 'annals -s store verify', or 'annals -s store repair'"
        );
    }
}
