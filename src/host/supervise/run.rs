//! The converter host at work: one pass over the watch folders, or look after look until it is told to stop.
//!
//! A file's way: settled, read and hashed, archived under an idempotency key, converted from the archived bytes, the
//! attempt recorded with where its reports are to go, the file cleared away. Archiving, converting and recording have threads of
//! their own. The outbox sends the reports. Those that no store holds are sent before anything of their conversion is recorded.
//! A crash between any two of these steps is caught up with by the next pass: the key finds the entry again, and an entry that
//! has its final attempt is not converted again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::convert::Cancel;
use crate::host::archives::Archives;
use crate::host::config::settings::Config;
use crate::host::observe::listen::{Asked, Listener};
use crate::host::observe::notice::{Hooks, Notice, RunSummary};
use crate::host::observe::status::HostState;
use crate::host::panics::caught;
use crate::host::pipeline::host::Host;
use crate::host::pipeline::look::{TICK, watched};
use crate::host::pipeline::threads::Workers;
use crate::host::pipeline::worker::Hand;
use crate::host::setup::Setup;
use crate::host::sources::watcher::Alarm;
use crate::host::sources::{listers, silent};
use crate::host::stop::Stop;
use crate::{Error, ErrorKind, Result};

/// The shortest pause between two looks, and at least as many times what a look takes: many files that appear one by one
/// are not looked at one by one.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_LOOKS: u32 = 4;
/// The longest of these pauses: one folder that is slow to answer does not slow down the others.
const PAUSE_MIN_MAX: Duration = Duration::from_secs(2);
/// Before work that panicked is begun again.
const AFTER_PANIC: Duration = Duration::from_secs(5);
/// What is still at work when it was told to end at once gets so long to do so.
pub(in crate::host) const LAST_MOMENT: Duration = Duration::from_secs(10);
/// How often a host that is stopping looks whether it is to end at once.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Makes one pass over all watch folders, waiting for fresh files to settle, and sends every report that waits once.
///
/// # Errors
/// When the configuration cannot be recorded. Everything else is in the summary.
pub fn run_once(
    archives: Archives,
    config: Config,
    cancel: &Cancel,
    hooks: &Hooks,
) -> Result<RunSummary> {
    let host = Arc::new(Host::new(archives, config)?);
    Ok(host.run_once(&cancel.into(), hooks))
}

impl Host {
    /// Looks into the watch folders until told to stop, archives and converts what is in them, sends reports, purges what may go.
    ///
    /// Folders are listed anew each time: no file is missed for want of a notification, on no file system. `listener` answers
    /// `/healthz` and `/metrics`. A thread that hangs in a folder that does not answer is left behind.
    pub fn run(self: &Arc<Self>, listener: Option<Listener>, stop: &Stop, hooks: &Hooks) {
        self.tell_unsent(hooks);
        let hand = Hand {
            host: Arc::clone(self),
            stop: stop.clone(),
            hooks: hooks.clone(),
        };
        let over = Cancel::default();
        let mut workers = Workers::start(&hand, &self.setup());
        self.books.enter(HostState::Running);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let send = || self.send_all_the_while(&over, hooks);
                self.keep_on("sending reports", &over, hooks, send);
            });
            scope.spawn(|| {
                let purge = || self.purge_all_the_while(&over, hooks);
                self.keep_on("retention", &over, hooks, purge);
            });
            if let Some(listener) = &listener {
                scope.spawn(|| {
                    let asked = Asked {
                        status: &|| self.status(),
                        names: &|| self.setup().config.listen_names.clone(),
                    };
                    let answer = || listener.answer(&asked, &over);
                    self.keep_on("answering requests", &over, hooks, answer);
                });
            }
            self.keep_on("looking into the folders", &stop.intake, hooks, || {
                self.look_all_the_while(&mut workers, &hand);
            });
            self.end(&mut workers, &hand);
            over.cancel();
            self.setup().outbox_over.cancel();
        });
        // What was done since the last look.
        self.tell_passed(Vec::new(), hooks);
        self.books.enter(HostState::Idle);
    }

    /// Does work that goes on until `over`. When it panics, that is told, and it is begun again
    /// after a moment: the other work must not end with it.
    fn keep_on(&self, what: &'static str, over: &Cancel, hooks: &Hooks, mut work: impl FnMut()) {
        while !over.is_cancelled() {
            let worked = caught(|| {
                work();
                Ok(())
            });
            let Err(error) = worked else { return };
            let error = Error::new(error.kind(), format!("{what}: {error}"));
            self.books.failed(what, &error);
            // Whoever is told may be what panicked.
            let told = caught(|| {
                let path = &self.setup().config.path;
                (hooks.notice)(&Notice::Trouble {
                    path,
                    error: &error,
                });
                Ok(())
            });
            drop(told);
            over.sleep(AFTER_PANIC);
        }
    }

    fn look_all_the_while(self: &Arc<Self>, workers: &mut Workers, hand: &Hand) {
        let (stop, hooks) = (&hand.stop, &hand.hooks);
        let mut alarm = Alarm::new();
        while !stop.is_asked() {
            let setup = self.setup();
            workers.keep_up(hand, &setup);
            let silent = self.silent();
            let answering = watched(&setup.config)
                .filter(|folder| !silent.iter().any(|silent| silent.folder == *folder));
            for (path, why) in alarm.watch(answering) {
                let path = &path;
                (hooks.notice)(&Notice::Unwatched { path, why: &why });
            }
            let began = Instant::now();
            // Also where there is nothing to take: somebody may look at the state.
            self.has_room(&setup, hooks);
            let looked = self.look(&setup, hand, listers::SLOW);
            self.tell_passed(looked.troubles, hooks);
            let settled = looked.settles_in.map(|time| time + TICK);
            let soonest = (began.elapsed() * PAUSE_LOOKS).clamp(PAUSE_MIN, PAUSE_MIN_MAX);
            let mut pause = setup
                .config
                .scan_every
                .min(settled.unwrap_or(Duration::MAX));
            if looked.more {
                pause = PAUSE_MIN;
            }
            if stop.intake.sleep(soonest) {
                self.pause(pause.saturating_sub(soonest), &setup, &alarm, workers, hand);
            }
        }
    }

    /// Makes one pass, waiting for fresh files to settle, and sends every report that waits once.
    pub fn run_once(self: &Arc<Self>, stop: &Stop, hooks: &Hooks) -> RunSummary {
        let setup = self.setup();
        self.wait_for_settling(&setup, stop);
        let troubles = self.pass(&setup, stop, hooks);
        self.tell_unsent(hooks);
        setup.outbox.run_once(&stop.intake, &*hooks.notice);
        for (endpoint, why) in setup.outbox.troubles() {
            let error = Error::new(ErrorKind::Io, why);
            self.books.trouble(Path::new(endpoint), &error);
        }
        self.tell_passed(troubles, hooks)
    }

    /// Takes what is ready in all folders to its end. Answers which folders could not be looked into.
    pub(in crate::host) fn pass(
        self: &Arc<Self>,
        setup: &Arc<Setup>,
        stop: &Stop,
        hooks: &Hooks,
    ) -> Vec<String> {
        let hand = Hand {
            host: Arc::clone(self),
            stop: stop.clone(),
            hooks: hooks.clone(),
        };
        let mut workers = Workers::start(&hand, setup);
        let mut looked = self.look(setup, &hand, listers::SILENT);
        while looked.more && !stop.is_asked() {
            std::thread::sleep(PAUSE_MIN);
            workers.keep_up(&hand, setup);
            looked = self.look_for_more(setup, &hand);
        }
        for silent in self.listers.silent() {
            looked.troubles.push(silent::sentence(&silent));
        }
        if stop.is_asked() {
            self.end(&mut workers, &hand);
        }
        self.queue.close();
        while !self.queue.wait_until_idle(Instant::now() + LOOK_EVERY) {
            workers.keep_up(&hand, setup);
            if stop.is_asked() {
                self.end(&mut workers, &hand);
            }
        }
        workers.tell(&hand);
        workers.wait(LOOK_EVERY);
        looked.troubles
    }

    /// Waits until it is time for another look: a file appeared, another configuration is in force, or the pause is over.
    fn pause(
        &self,
        pause: Duration,
        setup: &Arc<Setup>,
        alarm: &Alarm,
        workers: &mut Workers,
        hand: &Hand,
    ) {
        let until = Instant::now() + pause;
        while !hand.stop.is_asked() && self.is_current(setup) {
            workers.keep_up(hand, setup);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || alarm.rung.recv_timeout(left.min(LOOK_EVERY)).is_ok() {
                return;
            }
        }
    }

    /// Lets go of what was not begun, and gives what was the time to end. What a folder that does
    /// not answer holds up is not waited for.
    fn end(&self, workers: &mut Workers, hand: &Hand) {
        let (stop, hooks) = (&hand.stop, &hand.hooks);
        self.books.enter(HostState::Stopping);
        for _ in self.queue.drop_waiting() {
            self.books.left();
        }
        self.queue.close();
        let setup = self.setup();
        let within = setup.config.stop_within;
        let converting = self.queue.lengths().converting as u64;
        (hooks.notice)(&Notice::Stopping { converting, within });
        let ends_by = |until: Instant, workers: &mut Workers, is_over: &dyn Fn() -> bool| {
            while !is_over() && Instant::now() < until {
                workers.keep_up(hand, &setup);
                if self.queue.wait_until_idle(Instant::now() + LOOK_EVERY) {
                    return true;
                }
            }
            false
        };
        let is_over = || stop.all.is_cancelled();
        if !ends_by(Instant::now() + within, workers, &is_over) {
            stop.at_once();
            // Converters are killed within this time; what goes on after it hangs.
            ends_by(Instant::now() + LAST_MOMENT, workers, &|| false);
        }
        let steps = self.queue.give_up();
        if steps > 0 {
            (hooks.notice)(&Notice::LeftBehind { steps });
        }
    }

    fn send_all_the_while(&self, over: &Cancel, hooks: &Hooks) {
        while !over.is_cancelled() {
            let setup = self.setup();
            setup.outbox.run(&setup.outbox_over, &*hooks.notice);
            // An outbox without endpoints has nothing to do at all.
            while !over.is_cancelled() && !setup.outbox_over.is_cancelled() {
                over.sleep(LOOK_EVERY);
            }
        }
    }

    /// Ends a look: sums up what was done since the one before.
    pub(in crate::host) fn tell_passed(&self, troubles: Vec<String>, hooks: &Hooks) -> RunSummary {
        let sent = self.setup().outbox.sent();
        let summary = self.books.scanned(sent, self.waiting(), troubles);
        (hooks.notice)(&Notice::Passed(&summary));
        summary
    }

    /// Tells of reports that nobody is going to send.
    fn tell_unsent(&self, hooks: &Hooks) {
        let setup = self.setup();
        let unsent = match setup.outbox.unsent(&self.archives) {
            Ok(unsent) => unsent,
            Err(error) => {
                let path = &setup.config.path;
                return (hooks.notice)(&Notice::Trouble {
                    path,
                    error: &error,
                });
            }
        };
        for (archive, converter) in unsent {
            let error = Error::new(
                ErrorKind::Invalid,
                format!("reports of converter '{converter}' wait to be submitted, and none of that name has a [converter.submit]"),
            )
            .hint("configure it, or let the reports wait");
            (hooks.notice)(&Notice::Trouble {
                path: archive.dir(),
                error: &error,
            });
        }
    }
}
