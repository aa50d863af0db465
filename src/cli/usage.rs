//! What is printed for help, the version and a wrong command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind as ClapErrorKind};

use super::arguments::{ColorWhen, Globals};
use super::caller::{CallerEnv, Streams};
use super::meant::{meant, meant_option};
use super::render::{PROSE_MAX, Style, error_json, labelled};
use super::run::{Exit, Failure, StoreFlags, terminal_width, wants_colour};
use super::{command_line, help};
use crate::ErrorKind;
use crate::service::words::in_shell;

/// What is wrong with a command line, where this program says it better than its parser, and what
/// to do about it.
#[derive(Debug, Default)]
struct Wrong {
    said: Option<String>,
    hint: Option<String>,
}

/// Prints help and version on stdout, and a wrong command line as an error.
pub(super) fn usage(
    error: &clap::Error,
    args: &[OsString],
    streams: Streams<'_>,
    caller_env: &CallerEnv,
) -> Exit {
    // The flags could not be parsed, so the raw arguments are searched.
    let has = |flag: &str| {
        args.iter()
            .skip(1)
            .take_while(|arg| *arg != "--")
            .any(|arg| arg == flag)
    };
    let is_plain = args.windows(2).any(|pair| pair == ["--color", "never"]);
    let when = if is_plain || has("--color=never") {
        ColorWhen::Never
    } else {
        ColorWhen::Auto
    };
    if matches!(
        error.kind(),
        ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion
    ) {
        let colour = wants_colour(when, streams.stdout_is_terminal, caller_env);
        let columns = streams
            .stdout_is_terminal
            .then(|| terminal_width(caller_env));
        let text = for_reading(error, args, columns, colour);
        let written = streams
            .stdout
            .write_all(text.as_bytes())
            .and_then(|()| streams.stdout.flush());
        return match written.map_err(Failure::stdout) {
            Ok(()) | Err(Failure::ReaderGone) => Exit::Done,
            Err(Failure::Error { exit, .. }) => exit,
        };
    }
    let colour = wants_colour(when, streams.stderr_is_terminal, caller_env);
    let Wrong { said, hint } = wrong(error, args);
    let flags = flags_in(args, caller_env);
    let hint = hint.map(|hint| flags.in_text(&hint));
    let rendered = error.render();
    let text = if has("--json") {
        let plain = rendered.to_string();
        let message = said.unwrap_or_else(|| {
            let message = plain.split("\n\n").next().unwrap_or(&plain);
            message.trim_start_matches("error: ").trim().to_owned()
        });
        let words: Vec<&str> = message.split_whitespace().collect();
        let hint = hint.unwrap_or_else(|| "see `annals --help`".to_owned());
        error_json(ErrorKind::Invalid, &words.join(" "), Some(&hint))
    } else {
        let columns = streams
            .stderr_is_terminal
            .then(|| terminal_width(caller_env));
        let line = |style: Style, label: &str, text: &str| {
            labelled(&style.paint(label, colour), label, text, columns)
        };
        let said = match said {
            Some(said) => line(Style::Bad, "error", &said),
            None if colour => rendered.ansi().to_string(),
            None => rendered.to_string(),
        };
        let hint = hint.map(|hint| line(Style::Good, " hint", &hint));
        said + &hint.unwrap_or_default()
    };
    // When stderr fails too, only the exit code reports the error.
    let _ = streams.stderr.write_all(text.as_bytes());
    Exit::Usage
}

/// Returns help or the version, laid out for a terminal of so many columns.
fn for_reading(
    error: &clap::Error,
    args: &[OsString],
    columns: Option<usize>,
    colour: bool,
) -> String {
    let rendered = error.render();
    let command = command_line::command();
    if rendered.to_string() == help::page(&command, help::WIDTH, false) {
        let columns = columns.map_or(help::WIDTH, |columns| columns.min(help::WIDTH));
        return help::page(&command, columns, colour);
    }
    // The parser has laid the help out for the terminal of this process, which may be another one.
    let columns = columns.map_or(PROSE_MAX, |columns| columns.min(PROSE_MAX));
    let mut command = command.term_width(columns);
    let rendered = match command.try_get_matches_from_mut(args) {
        Err(error) if error.kind() == ClapErrorKind::DisplayHelp => error.render(),
        _ => rendered,
    };
    if colour {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    }
}

/// Returns what is wrong with a command line and what to do. Commands lack the flags of the run.
fn wrong(error: &clap::Error, args: &[OsString]) -> Wrong {
    let stated = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let mut command = command_line::command();
    let above = verbs_in(args, &mut command);
    let path = above.join(" ");
    let at = above
        .iter()
        .fold(&command, |at, verb| at.find_subcommand(verb).unwrap_or(at));
    match error.kind() {
        ClapErrorKind::InvalidSubcommand => {
            let word = stated(ContextKind::InvalidSubcommand).unwrap_or_default();
            let said = [&above[..], &[word.to_owned()]].concat().join(" ");
            let mut words = args.iter().filter_map(|arg| arg.to_str());
            let next = words
                .by_ref()
                .find(|it| *it == word)
                .and_then(|_| words.next());
            let hint = match meant(word, at, &above, next) {
                Some(line) => format!("`annals {line}` may be what you mean"),
                None if above.is_empty() => "`annals help` lists the verbs".to_owned(),
                None => format!("`annals help {path}` lists the verbs below it"),
            };
            Wrong::new(format!("there is no verb '{said}'"), hint)
        }
        ClapErrorKind::UnknownArgument => {
            let option = stated(ContextKind::InvalidArg).unwrap_or_default();
            // A word too many is no option, and what begins with a dash may be searched for.
            if !option.starts_with('-') || path == "find" {
                return Wrong::default();
            }
            let hint = match meant_option(option, at) {
                Some(line) => format!("`{line}` may be what you mean"),
                None if above.is_empty() => "`annals --help` lists the options".to_owned(),
                None => format!("`annals help {path}` lists the options"),
            };
            let said = match &above[..] {
                [] => format!("there is no option '{option}'"),
                _ => format!("'{path}' has no option '{option}'"),
            };
            Wrong::new(said, hint)
        }
        ClapErrorKind::ValueValidation
            if stated(ContextKind::InvalidArg)
                .is_some_and(|arg| arg.contains("<ID>") || arg.contains("[ID]")) =>
        {
            let value = stated(ContextKind::InvalidValue).unwrap_or_default();
            let said = format!("'{value}' is no entry: entries have numbers");
            let shown = in_shell(value);
            let ids = numbers_in(args);
            let hint = if path == "restore" && is_path(value) && !ids.is_empty() {
                format!(
                    "`annals restore {} --to {shown}` may be what you mean",
                    ids.join(" ")
                )
            } else {
                format!("`annals find {shown}` finds entries by it")
            };
            Wrong::new(said, hint)
        }
        ClapErrorKind::MissingRequiredArgument if path == "cat" => match &numbers_in(args)[..] {
            [id, other, ..] => Wrong::new(
                "'cat' writes one entry".to_owned(),
                format!(
                    "`annals cat {other}` writes the other one, `annals cat {id} --report={other}` \
                     a report"
                ),
            ),
            _ => Wrong::default(),
        },
        ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ClapErrorKind::MissingSubcommand => {
            let is_json = args.iter().any(|arg| arg == "--json");
            let said = format!("'annals {path}' needs a verb below it");
            Wrong {
                said: is_json.then_some(said),
                hint: None,
            }
        }
        _ => Wrong::default(),
    }
}

impl Wrong {
    fn new(said: String, hint: String) -> Self {
        Self {
            said: Some(said),
            hint: Some(hint),
        }
    }
}

/// Returns the numbers of a command line, which are ids of entries.
fn numbers_in(args: &[OsString]) -> Vec<&str> {
    let words = args.iter().skip(1).filter_map(|arg| arg.to_str());
    words.filter(|word| word.parse::<u64>().is_ok()).collect()
}

/// Returns true for a word that looks like a folder.
fn is_path(word: &str) -> bool {
    word.starts_with(['.', '~']) || word.contains(['/', '\\'])
}

/// Returns the verbs that a command line names before the first word that is none.
fn verbs_in(args: &[OsString], command: &mut Command) -> Vec<String> {
    command.build();
    let mut at = &*command;
    let mut verbs = Vec::new();
    for word in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(below) = at.find_subcommand(word) {
            verbs.push(below.get_name().to_owned());
            at = below;
        }
    }
    verbs
}

/// Returns the flags that name a store in a command line that could not be parsed.
fn flags_in(args: &[OsString], caller_env: &CallerEnv) -> StoreFlags {
    let mut globals = Globals::default();
    let mut words = args.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(word) = words.next() {
        let mut next = || words.next().map(PathBuf::from);
        match word.to_str() {
            Some("-s" | "--store") => globals.store = next(),
            Some("--config") => globals.config = next(),
            Some("--key-file") => globals.key_file = next(),
            Some("--trust") => globals.trust = true,
            _ => {}
        }
    }
    StoreFlags::of(&globals, caller_env)
}
