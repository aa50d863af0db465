//! Runs a command line: parses it, runs its verb here or through the owner, returns an exit code.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

use super::command_line::{self, Cli};
use super::commands::{self, Reach, Verb};
use super::meant::meant;
use super::run::{Context, Exit, Failure, LOCK_WAIT, Program};
use super::store::{self, trust};
use super::usage::usage;
use super::{daemon, help, owner};
use crate::cli::caller::{CallerEnv, Stdin, Streams};
use crate::cli::store::LentStore;
use crate::convert::Cancel;
use crate::time::Stopwatch;

/// Runs the program with the arguments and streams of this process.
pub fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if matches!(
        Cli::read(std::env::args_os()),
        Ok(Cli { verb: Some(Verb::Host(host)), .. }) if host.goes_on()
    ) {
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
    command: command_line::command,
    help: |command, width, colour| help::page(command, width.unwrap_or(help::WIDTH), colour),
    meant: |word, command, above| meant(word, command, above, None),
};

/// Runs the program and returns its exit code. The first of `args` is the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: Streams<'_>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    run_here(&args, streams)
}

/// Runs a command line for this process.
fn run_here(args: &[OsString], streams: Streams<'_>) -> u8 {
    let caller_env = CallerEnv::of_process();
    let cli = match Cli::read(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, args, streams, &caller_env).code(),
    };
    let reach = cli.reach();
    let mut context = Context::new(cli.globals, streams, caller_env, PROGRAM);
    if reach == Reach::Owner
        && let Some(told) = store::outranked(&context.globals, context.caller_env())
    {
        context.warn(told);
    }
    let ended = match run_by_owner(args, reach, &mut context) {
        Ok(Some(code)) => return code,
        Ok(None) => run_verb(cli.verb, &mut context),
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
    let cli = match Cli::read(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, args, streams, &caller_env).code(),
    };
    let mut context = Context::for_client(cli.globals, streams, caller_env, PROGRAM, lent, cancel);
    let ended = run_verb(cli.verb, &mut context);
    finish(ended, context)
}

/// Runs a verb in this process. Without one, shows a glance at the store.
fn run_verb(verb: Option<Verb>, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match verb {
        Some(verb) => verb.run(context),
        None => commands::glance(context),
    }
}

/// Has the owner of the store run the verb, if there is an owner and the verb may run there.
///
/// Returns `None` when the verb must run in this process.
fn run_by_owner(
    args: &[OsString],
    reach: Reach,
    context: &mut Context<'_>,
) -> Result<Option<u8>, Failure> {
    // When the store cannot be determined, the verb itself reports the error.
    let (Reach::Owner, Ok(dir)) = (reach, context.locate()) else {
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
            &["frobnicate"][..],
            &["hold", "frobnicate"],
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
            &["--json", "hold"][..],
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

    /// People type the verbs of other programs, and serials where a number is wanted.
    #[test]
    fn what_was_meant_is_said_with_the_flags_that_were_given() {
        for (args, hint) in [
            (
                &["search", "SN1"][..],
                "`annals find SN1` may be what you mean",
            ),
            (
                &["-s", "my store", "ls"],
                "`annals -s 'my store' list` may be what you mean",
            ),
            (&["hold", "ls"], "`annals hold list` may be what you mean"),
            (&["show", "SN1"], "`annals find SN1` finds entries by it"),
            (
                &["restore", "SN 1", "--to", "x"],
                "`annals find 'SN 1'` finds entries by it",
            ),
            (&["frobnicate"], "`annals help` lists the verbs"),
        ] {
            let ran = annals(args);
            assert_eq!(ran.code, 2, "{args:?}");
            assert!(ran.stderr.contains(hint), "{args:?}: {}", ran.stderr);
        }
        for args in [&["help", "hold", "add"][..], &["help", "replay"], &["help"]] {
            assert_eq!(annals(args).code, 0, "{args:?}");
        }
        let ran = annals(&["help", "search"]);
        assert!(
            ran.code == 2 && ran.stderr.contains("annals find"),
            "{}",
            ran.stderr
        );
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
