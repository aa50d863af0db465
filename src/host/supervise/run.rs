//! The main loop of a host: one pass over the watch folders, or scans until it is told to stop.
//!
//! The way of a file: it stays unchanged, is read and hashed, archived under an idempotency key,
//! and converted from the archived bytes. Then the attempt is recorded, with the endpoint of its
//! reports, and the file is cleared away. Archiving, converting and recording have their own
//! threads. The outbox sends the reports; those that no store holds are sent before their
//! conversion is recorded.
//!
//! After a crash between any two of these steps, the next pass continues: the key finds the
//! existing entry, and an entry with a final attempt is not converted again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::select_biased;

use crate::convert::Cancel;
use crate::host::active_config::ActiveConfig;
use crate::host::archives::Archives;
use crate::host::config::settings::Config;
use crate::host::observe::listen::{Asked, Listener};
use crate::host::observe::notice::{Hooks, Notice, RunSummary};
use crate::host::observe::status::HostState;
use crate::host::panics::caught;
use crate::host::pipeline::host::Host;
use crate::host::pipeline::scan_folders::{ScanResult, TICK, watched};
use crate::host::pipeline::threads::{MAINTAIN_EVERY, WorkerThreads};
use crate::host::pipeline::turns::HostTurns;
use crate::host::pipeline::worker::FileWorker;
use crate::host::sources::resting::RestingFolders;
use crate::host::sources::watcher::FolderWatcher;
use crate::host::sources::{scanners, silent};
use crate::host::stop::Stop;
use crate::{Error, ErrorKind, Result};

/// The shortest pause between two scans. It is also at least `PAUSE_LOOKS` times the duration of a
/// scan, so that files appearing one by one do not cause a scan each.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_LOOKS: u32 = 4;
/// The longest of these pauses, so that one slow folder does not slow down the others.
const PAUSE_MIN_MAX: Duration = Duration::from_secs(2);
/// The pause before work that panicked is restarted.
const AFTER_PANIC: Duration = Duration::from_secs(5);
/// How long running steps may take after the host was told to stop at once.
pub(super) const LAST_MOMENT: Duration = Duration::from_secs(10);
/// How often a host that is ending checks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Makes one pass over all watch folders, waiting for new files to become stable, and sends every
/// waiting report once.
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
    /// Scans the watch folders until told to stop; archives and converts files, sends reports, and
    /// purges.
    ///
    /// Each scan lists the folders completely, so no file depends on an event of the file system.
    /// `listener` serves `/healthz` and `/metrics`. A thread that hangs in a silent folder is left
    /// behind.
    pub fn run(self: &Arc<Self>, listener: Option<Listener>, stop: &Stop, hooks: &Hooks) {
        self.tell_unsent(hooks);
        self.grant_turns();
        let worker = FileWorker {
            host: Arc::clone(self),
            stop: stop.clone(),
            hooks: hooks.clone(),
        };
        let over = Cancel::default();
        let mut workers = WorkerThreads::start(&worker, &self.active());
        self.counters.enter(HostState::Running);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let send = || self.send_loop(&over, hooks);
                self.restart_on_panic("sending reports", &over, hooks, send);
            });
            scope.spawn(|| {
                let purge = || self.retention_loop(&over, hooks);
                self.restart_on_panic("retention", &over, hooks, purge);
            });
            scope.spawn(|| {
                let go_on = || self.job_loop(&over, hooks);
                self.restart_on_panic("reprocess jobs", &over, hooks, go_on);
            });
            scope.spawn(|| {
                let test = || self.gate_loop(&over, hooks);
                self.restart_on_panic("promotions", &over, hooks, test);
            });
            scope.spawn(|| {
                let stamp = || self.timestamp_loop(&over, hooks);
                self.restart_on_panic("time stamps", &over, hooks, stamp);
            });
            scope.spawn(|| {
                let pack = || self.idle_loop(&over, hooks);
                self.restart_on_panic("packing while idle", &over, hooks, pack);
            });
            scope.spawn(|| {
                let end = || self.idle_workers_loop(&over);
                self.restart_on_panic("ending idle workers", &over, hooks, end);
            });
            if let Some(listener) = &listener {
                scope.spawn(|| {
                    let asked = Asked {
                        status: &|| self.status(),
                        names: &|| self.active().config.listen_names.clone(),
                    };
                    let answer = || listener.answer(&asked, &over);
                    self.restart_on_panic("answering requests", &over, hooks, answer);
                });
            }
            self.restart_on_panic("looking into the folders", &stop.intake, hooks, || {
                self.scan_loop(&mut workers, &worker);
            });
            self.shut_down(&mut workers, &worker);
            over.cancel();
            self.active().outbox_over.cancel();
            if let Some(listener) = &listener {
                listener.wake();
            }
        });
        // Sums up the work since the last scan.
        self.finish_scan(Vec::new(), hooks);
        self.counters.enter(HostState::Idle);
    }

    /// Lets reprocess jobs take turns with files on their way.
    fn grant_turns(self: &Arc<Self>) {
        for archive in self.archives.iter() {
            archive.grant_turns(HostTurns(Arc::downgrade(self)));
        }
    }

    /// Runs background work until `over`, and restarts it after a panic. A panic in one kind of
    /// work must not end the others.
    fn restart_on_panic(
        &self,
        what: &'static str,
        over: &Cancel,
        hooks: &Hooks,
        mut work: impl FnMut(),
    ) {
        while !over.is_cancelled() {
            let worked = caught(|| {
                work();
                Ok(())
            });
            let Err(error) = worked else { return };
            let error = Error::new(error.kind(), format!("{what}: {error}"));
            self.counters.failed(what, &error);
            // The notice function itself may be what panicked.
            let told = caught(|| {
                let path = &self.active().config.path;
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

    fn scan_loop(self: &Arc<Self>, workers: &mut WorkerThreads, worker: &FileWorker) {
        let (stop, hooks) = (&worker.stop, &worker.hooks);
        let mut watcher = FolderWatcher::new();
        let mut resting = RestingFolders::default();
        let mut active = self.active();
        while !stop.is_asked() {
            if !self.is_current(&active) {
                active = self.active();
                resting = RestingFolders::default();
            }
            workers.maintain(worker, &active);
            let silent = self.silent();
            let answering = watched(&active.config)
                .filter(|folder| !silent.iter().any(|silent| silent.folder == *folder));
            resting.wake(&watcher.told(), Instant::now());
            resting.retain(|folder| self.scanners.is_tidied(folder));
            for (path, why) in watcher.watch(answering) {
                let path = &path;
                (hooks.notice)(&Notice::Unwatched { path, why: &why });
            }
            let began = Instant::now();
            // Checked even if there is no file to take, because the status shows the result.
            self.has_room(&active, hooks);
            let looked = self.scan_folders(&active, worker, &resting, scanners::SLOW);
            let_rest(
                &mut resting,
                &mut watcher,
                &looked,
                active.config.scan_every,
            );
            self.finish_scan(looked.troubles, hooks);
            let settled = looked.stable_in.map(|time| time + TICK);
            let soonest = (began.elapsed() * PAUSE_LOOKS).clamp(PAUSE_MIN, PAUSE_MIN_MAX);
            let mut pause = active
                .config
                .scan_every
                .min(settled.unwrap_or(Duration::MAX));
            if looked.more {
                pause = PAUSE_MIN;
            }
            if stop.intake.sleep(soonest) {
                self.pause(
                    pause.saturating_sub(soonest),
                    &active,
                    &watcher,
                    workers,
                    worker,
                );
            }
        }
    }

    /// Makes one pass, waiting for new files to become stable, and sends every waiting report once.
    pub fn run_once(self: &Arc<Self>, stop: &Stop, hooks: &Hooks) -> RunSummary {
        let active = self.active();
        self.wait_until_stable(&active, stop);
        let troubles = self.pass(&active, stop, hooks);
        self.tell_unsent(hooks);
        active.outbox.run_once(&stop.intake, &*hooks.notice);
        for (endpoint, why) in active.outbox.troubles() {
            let error = Error::new(ErrorKind::Io, why);
            self.counters.trouble(Path::new(endpoint), &error);
        }
        self.finish_scan(troubles, hooks)
    }

    /// Processes all files that are ready, to their end. Returns the folders that could not be
    /// scanned.
    pub(in crate::host) fn pass(
        self: &Arc<Self>,
        active: &Arc<ActiveConfig>,
        stop: &Stop,
        hooks: &Hooks,
    ) -> Vec<String> {
        let worker = FileWorker {
            host: Arc::clone(self),
            stop: stop.clone(),
            hooks: hooks.clone(),
        };
        let mut workers = WorkerThreads::start(&worker, active);
        let resting = RestingFolders::default();
        let mut looked = self.scan_folders(active, &worker, &resting, scanners::SILENT);
        while looked.more && !stop.is_asked() {
            std::thread::sleep(PAUSE_MIN);
            workers.maintain(&worker, active);
            looked = self.scan_for_more(active, &worker);
        }
        for silent in self.scanners.silent() {
            looked.troubles.push(silent::sentence(&silent));
        }
        if stop.is_asked() {
            self.shut_down(&mut workers, &worker);
        }
        self.queue.close();
        while !self.queue.wait_until_idle(Instant::now() + LOOK_EVERY) {
            workers.maintain(&worker, active);
            if stop.is_asked() {
                self.shut_down(&mut workers, &worker);
            }
        }
        workers.tell_silent(&worker);
        workers.wait(LOOK_EVERY);
        looked.troubles
    }

    /// Waits for the next scan: until a file appears, the configuration changes, or the pause is
    /// over.
    fn pause(
        &self,
        pause: Duration,
        active: &Arc<ActiveConfig>,
        watcher: &FolderWatcher,
        workers: &mut WorkerThreads,
        worker: &FileWorker,
    ) {
        let until = Instant::now() + pause;
        while !worker.stop.is_asked() && self.is_current(active) {
            workers.maintain(worker, active);
            let left = until.saturating_duration_since(Instant::now());
            // Steps and scans that hang are noticed here. Without any, nothing begins on its own.
            let wait = if self.queue.is_busy() || self.scanners.are_asked() {
                left.min(MAINTAIN_EVERY)
            } else {
                left
            };
            select_biased! {
                recv(worker.stop.intake.cancelled()) -> _ => return,
                recv(active.replaced.cancelled()) -> _ => return,
                recv(watcher.wakeups) -> _ => return,
                default(wait) => {}
            }
            if left.is_zero() {
                return;
            }
        }
    }

    /// Shuts the pipeline down: drops files that were not begun, and waits for running steps.
    ///
    /// Steps in folders that do not answer are left behind.
    fn shut_down(&self, workers: &mut WorkerThreads, worker: &FileWorker) {
        let (stop, hooks) = (&worker.stop, &worker.hooks);
        self.counters.enter(HostState::Stopping);
        for _ in self.queue.drop_waiting() {
            self.counters.left();
        }
        self.queue.close();
        let active = self.active();
        let within = active.config.stop_within;
        let converting = self.queue.lengths().converting as u64;
        (hooks.notice)(&Notice::Stopping { converting, within });
        let ends_by = |until: Instant, workers: &mut WorkerThreads, is_over: &dyn Fn() -> bool| {
            while !is_over() && Instant::now() < until {
                workers.maintain(worker, &active);
                if self.queue.wait_until_idle(Instant::now() + LOOK_EVERY) {
                    return true;
                }
            }
            false
        };
        let is_over = || stop.all.is_cancelled();
        if !ends_by(Instant::now() + within, workers, &is_over) {
            stop.at_once();
            // Converters are killed within this time; what still runs afterwards hangs.
            ends_by(Instant::now() + LAST_MOMENT, workers, &|| false);
        }
        let steps = self.queue.give_up();
        if steps > 0 {
            (hooks.notice)(&Notice::LeftBehind { steps });
        }
    }

    fn send_loop(&self, over: &Cancel, hooks: &Hooks) {
        while !over.is_cancelled() {
            let active = self.active();
            active.outbox.run(&active.outbox_over, &*hooks.notice);
            // An outbox without endpoints has no work. It is over when the host is, too.
            active.outbox_over.wait();
        }
    }

    /// Ends worker processes that had no work for long enough, until `over`.
    fn idle_workers_loop(&self, over: &Cancel) {
        while !over.is_cancelled() {
            let active = self.active();
            let next = active.end_idle_workers();
            select_biased! {
                recv(over.cancelled()) -> _ => return,
                recv(active.replaced.cancelled()) -> _ => {}
                default(next) => {}
            }
        }
    }

    /// Ends a scan: returns and announces the summary since the previous one.
    pub(super) fn finish_scan(&self, troubles: Vec<String>, hooks: &Hooks) -> RunSummary {
        let sent = self.active().outbox.sent();
        let summary = self.counters.scanned(sent, self.waiting(), troubles);
        (hooks.notice)(&Notice::Passed(&summary));
        summary
    }

    /// Sends notices about reports that no endpoint will send.
    fn tell_unsent(&self, hooks: &Hooks) {
        let active = self.active();
        let unsent = match active.outbox.unsent(&self.archives) {
            Ok(unsent) => unsent,
            Err(error) => {
                let path = &active.config.path;
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

/// Lets the folders rest that hold nothing to wait for, if the system tells of what appears there.
fn let_rest(
    resting: &mut RestingFolders,
    watcher: &mut FolderWatcher,
    looked: &ScanResult,
    scan_every: Duration,
) {
    let now = Instant::now();
    let mut is_replaced = false;
    for (folder, id, known) in looked.at_rest() {
        let watched = watcher.sure_of(folder);
        is_replaced |= watched.is_some() && watched != id;
        match known.filter(|_| watched.is_some() && watched == id) {
            Some(known) => resting.rest(folder, known, scan_every, now),
            None => resting.end(folder),
        }
    }
    if is_replaced {
        watcher.watch_anew();
    }
}
