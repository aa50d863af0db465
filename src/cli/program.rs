//! Runs a command line: parses it, runs its verb here or through the owner, returns an exit code.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

use clap::error::ErrorKind as ClapErrorKind;
use clap::{CommandFactory, Parser};

use super::arguments::ColorWhen;
use super::command_line::Cli;
use super::commands::{Reach, Verb};
use super::render::error_json;
use super::run::{Context, Exit, Failure, LOCK_WAIT, Program, wants_colour};
use super::store::{self, trust};
use super::{daemon, owner};
use crate::ErrorKind;
use crate::cli::caller::{CallerEnv, Stdin, Streams};
use crate::cli::store::LentStore;
use crate::convert::Cancel;
use crate::time::Stopwatch;

/// Runs the program with the arguments and streams of this process.
pub fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if matches!(Cli::try_parse(), Ok(Cli { verb: Verb::Host(host), .. }) if host.goes_on()) {
        daemon::limit_allocator();
    }
    let mut stdout = BufWriter::with_capacity(1 << 16, io::stdout());
    let mut stderr = io::stderr();
    let streams = Streams {
        stdout_is_terminal: io::stdout().is_terminal(),
        stderr_is_terminal: stderr.is_terminal(),
        stdout: &mut stdout,
        stderr: &mut stderr,
        stdin: Stdin::of_process(),
    };
    let code = run(std::env::args_os(), streams);
    ExitCode::from(code)
}

/// The functions of the program that verbs may call.
const PROGRAM: Program = Program {
    run: run_here,
    run_for_client,
    command: Cli::command,
};

/// Runs the program and returns its exit code. The first of `args` is the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: Streams<'_>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    run_here(&args, streams)
}

/// Runs a command line for this process.
fn run_here(args: &[OsString], streams: Streams<'_>) -> u8 {
    let caller_env = CallerEnv::of_process();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, args, streams, &caller_env).code(),
    };
    let mut context = Context::new(cli.globals, streams, caller_env, PROGRAM);
    if cli.verb.reach() == Reach::Owner
        && let Some(told) = store::outranked(&context.globals, context.caller_env())
    {
        context.warn(told);
    }
    let ended = match run_by_owner(args, &cli.verb, &mut context) {
        Ok(Some(code)) => return code,
        Ok(None) => cli.verb.run(&mut context),
        Err(failure) => Err(failure),
    };
    finish(ended, context)
}

/// Runs a command line for a client, on a store that this process has open.
fn run_for_client(
    args: &[OsString],
    streams: Streams<'_>,
    caller_env: CallerEnv,
    lent: LentStore,
    cancel: Cancel,
) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, args, streams, &caller_env).code(),
    };
    let mut context = Context::for_client(cli.globals, streams, caller_env, PROGRAM, lent, cancel);
    let ended = cli.verb.run(&mut context);
    finish(ended, context)
}

/// Has the owner of the store run the verb, if there is an owner and the verb may run there.
///
/// Returns `None` when the verb must run in this process.
fn run_by_owner(
    args: &[OsString],
    verb: &Verb,
    context: &mut Context<'_>,
) -> Result<Option<u8>, Failure> {
    // When the store cannot be determined, the verb itself reports the error.
    let (Reach::Owner, Ok(dir)) = (verb.reach(), context.locate()) else {
        return Ok(None);
    };
    let waited = Stopwatch::start();
    let found = owner::find(&dir, LOCK_WAIT)?;
    if found.is_some() {
        trust::check_asking(&dir, context.trust())?;
    }
    context.lock_wait = waited.left_of(LOCK_WAIT);
    found
        .map(|owner| owner::ask(owner, args, LOCK_WAIT, context))
        .transpose()
}

/// Prints how a run ended and returns its exit code.
fn finish(ended: Result<Exit, Failure>, mut context: Context<'_>) -> u8 {
    context.meter.clear();
    context.tell_copied();
    let flushed = context.flush();
    let exit = match (ended, flushed) {
        (Err(Failure::ReaderGone), _) | (Ok(Exit::Done), Err(Failure::ReaderGone)) => Exit::Done,
        (Ok(exit), Ok(()) | Err(Failure::ReaderGone)) => exit,
        (Err(Failure::Error { error, exit }), _) | (Ok(_), Err(Failure::Error { error, exit })) => {
            context.error(&error);
            exit
        }
    };
    context.tell_damage();
    let exit = context.exit_for_damage(exit);
    context.interrupted().unwrap_or(exit.code())
}

/// Prints help and version on stdout, and a wrong command line as an error.
fn usage(
    error: &clap::Error,
    args: &[OsString],
    streams: Streams<'_>,
    caller_env: &CallerEnv,
) -> Exit {
    let for_reading = matches!(
        error.kind(),
        ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion
    );
    // The flags could not be parsed, so the raw arguments are searched.
    let flags = || {
        args.iter()
            .skip(1)
            .take_while(|arg| *arg != "--")
            .filter_map(|arg| arg.to_str())
    };
    let colour = if flags().any(|arg| arg == "--color=never") {
        ColorWhen::Never
    } else {
        ColorWhen::Auto
    };
    let rendered = error.render();
    if for_reading {
        let text = if wants_colour(colour, streams.stdout_is_terminal, caller_env) {
            rendered.ansi().to_string()
        } else {
            rendered.to_string()
        };
        let written = streams
            .stdout
            .write_all(text.as_bytes())
            .and_then(|()| streams.stdout.flush());
        return match written.map_err(Failure::stdout) {
            Ok(()) | Err(Failure::ReaderGone) => Exit::Done,
            Err(Failure::Error { exit, .. }) => exit,
        };
    }
    let text = if flags().any(|arg| arg == "--json") {
        let plain = rendered.to_string();
        let message = plain.split("\n\n").next().unwrap_or(&plain);
        let message = message.trim_start_matches("error: ").trim();
        let message = if error.kind() == ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            "no verb is given"
        } else {
            message
        };
        let words: Vec<&str> = message.split_whitespace().collect();
        error_json(
            ErrorKind::Invalid,
            &words.join(" "),
            Some("see `annals --help`"),
        )
    } else if wants_colour(colour, streams.stderr_is_terminal, caller_env) {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    };
    // When stderr fails too, only the exit code reports the error.
    let _ = streams.stderr.write_all(text.as_bytes());
    Exit::Usage
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ran {
        code: u8,
        stdout: String,
        stderr: String,
    }

    fn annals(args: &[&str]) -> Ran {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let args = std::iter::once("annals").chain(args.iter().copied());
        let code = run(
            args.map(OsString::from),
            Streams {
                stdout: &mut stdout,
                stderr: &mut stderr,
                stdin: Stdin::of_process(),
                stdout_is_terminal: false,
                stderr_is_terminal: false,
            },
        );
        Ran {
            code,
            stdout: String::from_utf8(stdout).expect("UTF-8"),
            stderr: String::from_utf8(stderr).expect("UTF-8"),
        }
    }

    #[test]
    fn help_and_version_are_data_and_succeed() {
        for args in [
            &["--help"][..],
            &["--version"],
            &["list", "--help"],
            &["hold", "add", "-h"],
        ] {
            let ran = annals(args);
            assert_eq!(ran.code, 0, "{args:?}");
            assert!(
                !ran.stdout.is_empty() && ran.stderr.is_empty(),
                "{args:?}: {}",
                ran.stderr
            );
        }
    }

    #[test]
    fn a_wrong_command_line_is_exit_2_and_says_nothing_on_stdout() {
        for args in [
            &[][..],
            &["frobnicate"],
            &["show", "x"],
            &["list", "--nope"],
        ] {
            let ran = annals(args);
            assert_eq!(ran.code, 2, "{args:?}");
            assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{args:?}");
        }
    }

    #[test]
    fn with_json_a_wrong_command_line_is_one_object_on_stderr() {
        for args in [
            &["--json"][..],
            &["show", "x", "--json"],
            &["--json", "frobnicate"],
        ] {
            let ran = annals(args);
            assert_eq!(ran.code, 2, "{args:?}");
            assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
            let object: serde_json::Value = serde_json::from_str(&ran.stderr).expect("JSON");
            assert_eq!(object["error"]["kind"], "invalid");
            assert!(object["error"]["message"].is_string() && object["error"]["hint"].is_string());
        }
    }

    #[test]
    fn a_reader_that_has_enough_is_no_error() {
        struct Closed;
        impl io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut stderr = Vec::new();
        let streams = Streams {
            stdout: &mut Closed,
            stderr: &mut stderr,
            stdin: Stdin::of_process(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        };
        let code = run(
            ["annals", "completions", "bash"].map(OsString::from),
            streams,
        );
        assert_eq!((code, stderr), (0, Vec::new()));
    }
}
