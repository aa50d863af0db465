//! Handles signals, the supervisor and changes of the configuration file while a host works.

#[cfg(unix)]
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::arguments::Run;
use crate::Error;
use crate::cli::daemon::Supervisor;
#[cfg(unix)]
use crate::cli::daemon::{Signal, Signals};
use crate::cli::run::Exit;
use crate::cli::store;
use crate::convert::Cancel;
use crate::host::{Hooks, Host, Notice, Stop};

/// Time between two checks of the configuration file.
const CONFIG_LOOK_EVERY: Duration = Duration::from_secs(1);

/// A host and everything that is needed to run it.
pub(super) struct Service {
    pub(super) host: Arc<Host>,
    pub(super) stop: Stop,
    pub(super) args: Run,
    pub(super) signals: HostSignals,
    pub(super) supervisor: Supervisor,
}

#[cfg(unix)]
pub(super) type HostSignals = Signals;

#[cfg(not(unix))]
pub(super) type HostSignals = ();

/// The exit code of the signal that ended a host, if one did, and the exit code for its work.
pub(super) type Ended = (Option<Exit>, Exit);

/// Runs `work` while the host's signals, supervisor and configuration file are handled.
///
/// Returns the exit of the signal that ended the host, if one did.
#[cfg(unix)]
pub(super) fn while_listening(
    service: Service,
    hooks: &Hooks,
    work: impl FnOnce(),
) -> Result<Option<Exit>, Error> {
    let Service {
        host,
        stop,
        args,
        signals,
        supervisor,
    } = service;
    let (host, supervisor) = (&*host, &supervisor);
    signals.take_ends()?;
    let close = signals.closer();
    let over = Cancel::default();
    let ended_by = Mutex::new(None);
    thread::scope(|scope| {
        scope.spawn(|| {
            signals.hear(|signal| {
                let exit = match signal {
                    Signal::Hangup if args.once => return,
                    Signal::Hangup => return reload(host, &args.file, supervisor, hooks),
                    Signal::Interrupt => Exit::Interrupted,
                    Signal::Terminate => Exit::Terminated,
                };
                ended_by
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(exit);
                supervisor.stopping();
                if stop.is_asked() {
                    stop.at_once();
                } else {
                    stop.drain();
                }
            });
        });
        if let Some(beat) = supervisor.beat() {
            let over = &over;
            scope.spawn(move || {
                while over.sleep(beat) {
                    if host.is_alive() {
                        supervisor.alive();
                    }
                }
            });
        }
        if args.watch_config && !args.once {
            scope.spawn(|| {
                watch_config(&args.file, &over, || {
                    reload(host, &args.file, supervisor, hooks);
                });
            });
        }
        let worked = catch_unwind(AssertUnwindSafe(work));
        over.cancel();
        close();
        if let Err(panic) = worked {
            resume_unwind(panic);
        }
    });
    supervisor.stopping();
    Ok(ended_by
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

/// Runs `work` on systems without these signals. Ctrl-C ends the process there, which the store
/// survives.
#[cfg(not(unix))]
pub(super) fn while_listening(
    service: Service,
    hooks: &Hooks,
    work: impl FnOnce(),
) -> Result<Option<Exit>, Error> {
    let Service {
        host,
        args,
        supervisor,
        ..
    } = service;
    let (host, supervisor) = (&*host, &supervisor);
    let over = Cancel::default();
    thread::scope(|scope| {
        if args.watch_config && !args.once {
            scope.spawn(|| {
                watch_config(&args.file, &over, || {
                    reload(host, &args.file, supervisor, hooks);
                });
            });
        }
        work();
        over.cancel();
    });
    supervisor.stopping();
    Ok(None)
}

/// Reads the configuration again and applies it. Reports a configuration that is wrong.
fn reload(host: &Host, file: &Path, supervisor: &Supervisor, hooks: &Hooks) {
    supervisor.reloading();
    let loaded = store::load(file).inspect_err(|error| host.refuse_reload(error));
    let reloaded = loaded.and_then(|config| host.reload(config));
    match reloaded {
        Ok(()) => (hooks.notice)(&Notice::Reloaded),
        Err(error) => (hooks.notice)(&Notice::ReloadRefused { error: &error }),
    }
    supervisor.ready("");
}

/// Calls `reload` when the file has changed and was then unchanged for one interval.
pub(super) fn watch_config(file: &Path, over: &Cancel, reload: impl Fn()) {
    let look = || {
        let metadata = file.metadata().ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    };
    let (mut known, mut seen) = (look(), look());
    while over.sleep(CONFIG_LOOK_EVERY) {
        let now = look();
        if now.is_some() && now != known && now == seen {
            known = now;
            reload();
        }
        seen = now;
    }
}
