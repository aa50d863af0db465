//! The help of the program: its verbs under headings, and an example for every verb below a verb.

use clap::{Arg, Command};

use super::render::{Style, wrap};

/// Columns that the help takes where nothing else is known.
pub(super) const WIDTH: usize = 80;

/// The verbs, by what people want to do.
const HEADINGS: [(&str, &[&str]); 6] = [
    (
        "Find",
        &[
            "find", "list", "show", "cat", "diff", "restore", "stats", "failures", "view",
        ],
    ),
    ("Archive", &["init", "archive", "report", "note"]),
    ("Convert", &["convert", "reprocess", "job", "promotion"]),
    (
        "Keep",
        &[
            "retention",
            "hold",
            "privacy",
            "erase",
            "compact",
            "backup",
            "restore-store",
            "confirm-move",
        ],
    ),
    (
        "Prove",
        &[
            "verify",
            "review",
            "key",
            "checkpoint",
            "prove",
            "verify-proof",
            "export",
            "verify-export",
            "events",
        ],
    ),
    (
        "Run",
        &[
            "host",
            "serve",
            "config",
            "repair",
            "rebuild",
            "demo",
            "completions",
            "man",
            "help",
        ],
    ),
];

/// Examples of verbs below a verb.
const EXAMPLES: [(&str, &str, &str); 46] = [
    ("view", "list", "annals view list"),
    (
        "view",
        "save",
        "annals view save 'Failed today' --status failed --from today",
    ),
    ("view", "drop", "annals view drop 'Failed today'"),
    ("job", "list", "annals job list"),
    ("job", "show", "annals job show 1164"),
    ("job", "watch", "annals job watch 1164"),
    ("job", "pause", "annals job pause 1164"),
    ("job", "resume", "annals job resume 1164 --config host.toml"),
    ("job", "cancel", "annals job cancel 1164"),
    (
        "job",
        "retry-failed",
        "annals job retry-failed 1164 --config host.toml",
    ),
    ("promotion", "list", "annals promotion list"),
    ("promotion", "show", "annals promotion show 'ICT CSV'"),
    (
        "promotion",
        "promote",
        "annals promotion promote 'ICT CSV' --config host.toml --reason 'ticket 7'",
    ),
    (
        "promotion",
        "revoke",
        "annals promotion revoke 'ICT CSV' 1170 --reason 'it was sound'",
    ),
    (
        "host",
        "run",
        "annals host run host.toml\n  annals host run host.toml --once",
    ),
    (
        "host",
        "init",
        "annals host init host.toml --folder in/ --converter 'python3 ict.py {input}'",
    ),
    ("host", "check", "annals host check host.toml"),
    (
        "host",
        "status",
        "annals host status\n  annals host status --json | jq .host.reasons",
    ),
    (
        "config",
        "show",
        "annals config show --origin --config host.toml",
    ),
    ("config", "init", "annals config init host.toml"),
    ("config", "check", "annals config check --config host.toml"),
    (
        "config",
        "schema",
        "annals config schema\n  annals config schema --json | jq -r .key",
    ),
    (
        "config",
        "set",
        "annals config set 'ICT CSV.timeout_s' 300 --config host.toml",
    ),
    (
        "config",
        "unset",
        "annals config unset 'ICT CSV.timeout_s' --config host.toml",
    ),
    (
        "retention",
        "preview",
        "annals retention preview -c 'ICT CSV' --older-than 1y --plan plan.json",
    ),
    (
        "retention",
        "apply",
        "annals retention apply --plan plan.json --reason 'policy 4'",
    ),
    ("retention", "explain", "annals retention explain 4711"),
    (
        "retention",
        "classes",
        "annals retention classes --config host.toml",
    ),
    ("retention", "locks", "annals retention locks"),
    (
        "retention",
        "unlock",
        "annals retention unlock contract --reason 'trial is over'",
    ),
    (
        "retention",
        "certificate",
        "annals retention certificate -o destroyed.certificate",
    ),
    (
        "retention",
        "what-if",
        "annals retention what-if tight.toml",
    ),
    ("retention", "pending", "annals retention pending"),
    (
        "retention",
        "undo",
        "annals retention undo PLAN --reason 'still needed'",
    ),
    (
        "retention",
        "finalize",
        "annals retention finalize PLAN --reason 'checked'",
    ),
    (
        "hold",
        "add",
        "annals hold add --serial SN1042 --name recall-26-04 --reason 'returns'",
    ),
    (
        "hold",
        "review",
        "annals hold review case-7 --until 2099-11-01 --reason 'still open'",
    ),
    (
        "hold",
        "release",
        "annals hold release recall-26-04 --reason 'recall closed'",
    ),
    ("hold", "list", "annals hold list"),
    ("privacy", "show", "annals privacy show"),
    (
        "privacy",
        "declare",
        "annals privacy declare meta.operator --reason 'agreement 7'",
    ),
    (
        "privacy",
        "withdraw",
        "annals privacy withdraw meta.operator --reason 'trial over'",
    ),
    ("key", "init", "annals key init"),
    (
        "key",
        "show",
        "annals key show\n  annals key show --pem > line3.pem",
    ),
    ("key", "rotate", "annals key rotate"),
    ("key", "lost", "annals key lost --reason 'the disk died'"),
];

/// Adds to a description of the program what its derived one lacks.
pub(super) fn complete(mut command: Command) -> Command {
    for (above, verb, example) in EXAMPLES {
        command = command.mut_subcommand(above, |above| {
            above.mut_subcommand(verb, |verb| {
                let title = if example.contains('\n') {
                    "Examples"
                } else {
                    "Example"
                };
                verb.after_help(format!("{title}:\n  {example}"))
            })
        });
    }
    let page = page(&command, WIDTH, false);
    command.override_help(page)
}

/// Returns the help of the program itself: one line for each verb, under headings.
pub(super) fn page(command: &Command, width: usize, colour: bool) -> String {
    let heading = |text: &str| format!("\n{}\n", Style::Bold.paint(text, colour));
    let about = command.get_about().map(ToString::to_string);
    let mut text = paragraph(&about.unwrap_or_default(), width);
    text += &heading("Usage");
    text += &row("annals", "what is in the store, and what to do next", width);
    text += &row("annals VERB ...", "run a verb", width);
    text += &row(
        "annals help VERB",
        "all options of a verb, with examples",
        width,
    );
    for (title, verbs) in HEADINGS {
        text += &heading(title);
        for verb in verbs {
            // A verb is missing when its feature was left out.
            if let Some(verb) = command.find_subcommand(verb) {
                let about = verb.get_about().map(ToString::to_string);
                text += &row(verb.get_name(), &about.unwrap_or_default(), width);
            }
        }
    }
    text += &heading("Options of every verb");
    let is_shown = |arg: &&Arg| {
        let is_own = matches!(arg.get_id().as_str(), "help" | "version");
        !is_own && !arg.is_hide_short_help_set()
    };
    for arg in command.get_arguments().filter(is_shown) {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        let mut names: Vec<String> = short.into_iter().chain(long).collect();
        if names.len() > 1 && arg.get_action().takes_values() {
            names.pop();
        }
        let mut name = names.join(", ");
        let value = arg.get_value_names().and_then(|names| names.first());
        if let Some(value) = value.filter(|_| arg.get_action().takes_values()) {
            name.push(' ');
            name.push_str(value.as_str());
        }
        let about = arg.get_help().map(ToString::to_string);
        text += &row(&name, &about.unwrap_or_default(), width);
    }
    text += &row(
        "-h, --help",
        "Print help, of the program or of a verb",
        width,
    );
    text += &row("-V, --version", "Print the version", width);
    let after = command.get_after_help().map(ToString::to_string);
    for part in after.unwrap_or_default().split("\n\n") {
        text.push('\n');
        for line in part.lines() {
            text += &paragraph(line, width);
        }
    }
    text
}

/// Returns a name with what it means beside it.
fn row(name: &str, about: &str, width: usize) -> String {
    const BESIDE: usize = 19;
    let mut text = format!("  {name:<17}");
    let lines = wrap(about, width.saturating_sub(BESIDE).max(16));
    text.push_str(&lines.join(&format!("\n{:BESIDE$}", "")));
    text.push('\n');
    text
}

fn paragraph(text: &str, width: usize) -> String {
    wrap(text, width).join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::command_line::Cli;

    /// The help listed 45 verbs without order, and half of the lines broke.
    #[test]
    fn every_verb_stands_once_under_a_heading_in_one_line() {
        let command = Cli::command();
        let verbs: BTreeSet<&str> = command
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
            .map(Command::get_name)
            .collect();
        let listed: Vec<&str> = HEADINGS
            .iter()
            .flat_map(|(_, verbs)| verbs.iter().copied())
            .filter(|verb| cfg!(feature = "serve") || *verb != "serve")
            .collect();
        assert_eq!(listed.len(), verbs.len(), "each once");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), verbs);
        let page = page(&command, WIDTH, false);
        for line in page.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(!line.starts_with(&" ".repeat(18)), "wrapped: {line}");
        }
    }

    #[test]
    fn every_verb_and_every_verb_below_it_has_an_example() {
        fn look(command: &mut Command, above: &str) {
            let verbs = command.get_subcommands_mut();
            for verb in verbs.filter(|verb| !verb.is_hide_set()) {
                let name = format!("{above} {}", verb.get_name());
                let help = verb.render_help().to_string();
                assert!(help.contains("Example"), "{name} has no example");
                look(verb, &name);
            }
        }
        let mut command = complete(Cli::command());
        command.build();
        look(&mut command, "annals");
    }

    #[test]
    fn on_a_narrow_terminal_the_help_wraps_between_words() {
        let page = page(&Cli::command(), 40, false);
        for line in page
            .lines()
            .take_while(|line| !line.starts_with("Examples"))
        {
            assert!(line.chars().count() <= 40, "{line}");
        }
    }
}
