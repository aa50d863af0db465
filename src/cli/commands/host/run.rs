//! `annals host run`: opens the stores, starts the host, and ends with the exit code of its work.

use std::sync::Arc;
use std::time::Duration;

use super::arguments::Run;
use super::configuration::{follow_file, watches, watching};
use super::listening::Listening;
use super::service::{HostSignals, Service};
use super::single_pass::run_single_pass;
use super::stores::{open_stores, serve_stores};
use super::summary::failed_before;
use super::until_stopped::run_until_stopped;
use crate::archive::Archive;
#[cfg(unix)]
use crate::cli::daemon::Signals;
use crate::cli::daemon::{Console, Log, Supervisor, Verbosity};
use crate::cli::render::{log_line, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store::{self, State};
use crate::host::{Archives, Config, Host, LogFormat, Stop};
use crate::service::status::Role;

/// How long a host that ends waits for its last lines to be written. A reader that stopped reading
/// is not waited for longer.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) fn run_host(args: Run, context: &mut Context<'_>) -> Result<Exit, Failure> {
    #[cfg(unix)]
    let signals = Signals::take_hangup()?;
    #[cfg(not(unix))]
    let signals = ();
    let config = store::load(&args.file)?;
    let told = follow_file(&args.file, &config, context);
    let format = if context.json() {
        LogFormat::Json
    } else {
        config.log
    };
    let console = (!args.once).then(|| {
        let data = if context.json() {
            LogFormat::Json
        } else {
            LogFormat::Text
        };
        Console::of_process(data, format)
    });
    if let Some(console) = &console {
        let err = console.err.clone();
        context.redirect_stderr(move |text| err.say(text));
    }
    for warning in told.iter().chain(&config.warnings) {
        context.warn(warning);
    }
    let last_words = console.clone();
    let ended = run_until_end(args, config, signals, console, format, context);
    if let (Err(_), Some(console)) = (&ended, last_words) {
        // The program ends as soon as the error is printed.
        context.redirect_stderr(move |text| {
            console.err.say(text);
            console.finish(LAST_WORDS);
        });
    }
    ended
}

/// Opens the stores and runs the host. Without a console it makes one pass.
fn run_until_end(
    args: Run,
    config: Config,
    signals: HostSignals,
    console: Option<Console>,
    format: LogFormat,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let listening = Listening::begin(&config, args.once, context)?;
    let verbosity = match (context.globals.quiet, context.globals.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Plain,
    };
    let archives = open_stores(&config, context)?;
    context.tell_damage();
    tell_unsigned(&archives, context)?;
    let state = Arc::new(State::new(
        Role::Host,
        context.now(),
        path_text(&config.path),
        watches(&config),
    ));
    let watching = watching(&config);
    let stores: Vec<Archive> = archives.iter().cloned().collect();
    let host = Arc::new(Host::new(archives.clone(), config)?);
    state.owner.ask(&host);
    let endpoints = serve_stores(&archives, &state, context);
    let failed = failed_before(host.failed_before());
    let service = Service {
        host,
        stop: Stop::default(),
        args,
        signals,
        supervisor: Supervisor::of_process(),
    };
    let (signalled, exit) = match console {
        None => {
            if let Some(failed) = failed {
                context.note(failed);
            }
            run_single_pass(service, state, context)?
        }
        Some(console) => {
            context.note(format_args!("{watching}; stop with Ctrl-C"));
            if let Some(told) = listening.told() {
                context.note(told);
            }
            if let Some(failed) = failed {
                context.note(failed);
            }
            // The notes are written before the host starts to work, if the streams accept them.
            console.finish(LAST_WORDS);
            let log = Log::new(format, verbosity, {
                let err = console.err.clone();
                move |line| err.say(log_line(&String::from_utf8_lossy(&line)))
            });
            let open = listening.open(&archives, &state);
            let ended = run_until_stopped(service, open, state, log, &console, context.json());
            context.redirect_stderr(move |text| {
                console.err.say(text);
                console.finish(LAST_WORDS);
            });
            ended?
        }
    };
    // Clients learn that the host ends before its stores are closed.
    drop(endpoints);
    close(stores, context)?;
    context.meter.clear();
    Ok(signalled.unwrap_or(exit))
}

/// Warns of signed stores whose key is not here.
fn tell_unsigned(archives: &Archives, context: &mut Context<'_>) -> Result<(), Failure> {
    for archive in archives.iter() {
        if !archive.signs() && archive.signing_key()?.is_some() {
            context.warn(
                "the log is signed, and there is no key here to go on with: name its file with \
                 key_file in [evidence]",
            );
        }
    }
    Ok(())
}

/// Closes the stores, and says which checkpoints were not made.
fn close(stores: Vec<Archive>, context: &mut Context<'_>) -> Result<(), Failure> {
    for archive in stores {
        let failure = archive.signing_failure();
        let dir = archive.dir().display().to_string();
        archive.close()?;
        if let Some(why) = failure {
            context.warn(format_args!("the newest checkpoint of {dir}: {why}"));
        }
    }
    Ok(())
}
