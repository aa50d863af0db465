//! The converter host at work: one pass over the watch folders, or look after look until it is told to stop.
//!
//! A file's way: settled, read and hashed, archived under an idempotency key, converted from the archived bytes, the
//! attempt recorded with where its reports are to go, the file cleared away. Archiving, converting and recording have threads of
//! their own. The outbox sends the reports. Those that no store holds are sent before anything of their conversion is recorded.
//! A crash between any two of these steps is caught up with by the next pass: the key finds the entry again, and an entry that
//! has its final attempt is not converted again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use super::config::{Config, ConverterConfig};
use super::file::{Converted, Hand, PARKED, Ready, Taken, unsettled};
use super::guard::caught;
use super::intake::{self, Candidate, Writers};
use super::line::Lines;
use super::listen::Listener;
use super::listing::{self, Listed, Listers, Looking};
use super::lock;
use super::memory::{Memory, Recalled};
use super::notice::{FileError, Hooks, Notice, RunSummary};
use super::queue::{Queue, Silent};
use super::setup::{self, Setup};
use super::source;
use super::space::{Guard, Space, Turned};
use super::status::{About, Books, HostState, HostStatus, StoreStatus, SubmissionStatus};
use super::trouble::{StuckAt, Troubles};
use super::wake::Alarm;
use super::workers::Workers;
use super::writers::OpenFiles;
use crate::archive::{Archive, Stats};
use crate::convert::{self, Cancel};
use crate::disk::{Disk, FsDisk};
use crate::id::ConverterId;
use crate::time::{Clock, SystemClock};
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
const LAST_MOMENT: Duration = Duration::from_secs(10);
/// File systems keep time in ticks.
const TICK: Duration = Duration::from_millis(20);
/// How often a host that is stopping looks whether it is to end at once.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The stores that converters archive into.
#[derive(Clone, Default)]
pub struct Archives {
    shared: Option<Archive>,
    own: BTreeMap<PathBuf, Archive>,
}

impl Archives {
    /// One store for all; `None` when nothing is to be archived.
    pub fn shared(archive: Option<Archive>) -> Self {
        Self {
            shared: archive,
            own: BTreeMap::new(),
        }
    }

    /// Adds the store of the converters whose `archive_folder` this is.
    #[must_use]
    pub fn with_own(mut self, folder: PathBuf, archive: Archive) -> Self {
        self.own.insert(folder, archive);
        self
    }

    pub(super) fn of(&self, config: &ConverterConfig) -> Option<&Archive> {
        match &config.archive.folder {
            Some(folder) => self.own.get(folder),
            None => self.shared.as_ref(),
        }
    }

    /// The folder of the store for all.
    pub(super) fn shared_dir(&self) -> Option<&Path> {
        self.shared.as_ref().map(Archive::dir)
    }

    /// Every store, each once.
    pub fn iter(&self) -> impl Iterator<Item = &Archive> {
        self.shared.iter().chain(self.own.values())
    }
}

/// Tells a host to end. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    intake: Cancel,
    all: Cancel,
}

impl Stop {
    /// No more files are taken; conversions that run get `stop_within_s` to end.
    pub fn drain(&self) {
        self.intake.cancel();
    }

    /// Conversions that run are killed, and count as not begun.
    pub fn at_once(&self) {
        self.intake.cancel();
        self.all.cancel();
    }

    /// True once it was told, either way.
    pub fn is_asked(&self) -> bool {
        self.intake.is_cancelled()
    }

    pub(super) fn at_once_cancel(&self) -> &Cancel {
        &self.all
    }
}

/// Whoever cancels wants it to end at once.
impl From<&Cancel> for Stop {
    fn from(cancel: &Cancel) -> Self {
        Self {
            intake: cancel.clone(),
            all: cancel.clone(),
        }
    }
}

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

/// A converter host: configuration, converters ready to run, and what it remembers of files between passes.
pub struct Host {
    pub(super) archives: Archives,
    pub(super) scratch: PathBuf,
    pub(super) queue: Queue<Taken, Ready, Converted>,
    pub(super) books: Books,
    pub(super) troubles: Troubles,
    pub(super) lines: Lines,
    pub(super) listers: Listers,
    pub(super) purge_asked: AtomicBool,
    /// Asked what is wrong with the program around the host.
    surroundings: OnceLock<Box<Surroundings>>,
    setup: Mutex<Arc<Setup>>,
    /// Held while a configuration is checked and recorded.
    reloading: Mutex<()>,
    pub(super) memory: Mutex<HashMap<PathBuf, Memory>>,
    space: Guard,
}

type Surroundings = dyn Fn() -> Vec<String> + Send + Sync;

/// What a look into the folders found.
#[derive(Default)]
pub(super) struct Looked {
    /// When the first of the files that are still changing may have settled.
    settles_in: Option<Duration>,
    /// Folders that could not be looked into.
    troubles: Vec<String>,
    /// Folders that were.
    pub(super) listed: HashSet<PathBuf>,
    /// What is in them and cannot be taken.
    pub(super) refused: HashSet<PathBuf>,
    /// There were more files than can be in hand.
    more: bool,
    /// The folders that were listed, and what each is called without links in its path.
    real: Vec<(PathBuf, PathBuf)>,
    /// Who the converters are now whose files failed.
    identities: HashMap<usize, ConverterId>,
    /// Files that are apart from what belongs to them, and why.
    apart: Vec<(PathBuf, &'static str)>,
}

impl Host {
    /// Makes a host and records its configuration in every store, where it differs from what is recorded there.
    ///
    /// # Errors
    /// `Invalid` when folders overlap, and when a store cannot record it.
    pub fn new(archives: Archives, config: Config) -> Result<Self> {
        config.check_folders(archives.shared_dir())?;
        config.check_bounds()?;
        for archive in archives.iter() {
            setup::record(archive, &config)?;
        }
        let scratch = std::env::temp_dir();
        convert::remove_abandoned(&scratch, SystemTime::now());
        remove_partials(&config);
        Ok(Self {
            setup: Mutex::new(Arc::new(Setup::new(&archives, config))),
            archives,
            scratch,
            queue: Queue::default(),
            books: Books::new(),
            troubles: Troubles::default(),
            lines: Lines::default(),
            listers: Listers::default(),
            purge_asked: AtomicBool::new(false),
            surroundings: OnceLock::new(),
            reloading: Mutex::default(),
            memory: Mutex::default(),
            space: Guard::default(),
        })
    }

    /// Puts another configuration in force, and records it. Conversions that run end under the one before; files that were taken
    /// and not begun are taken anew.
    ///
    /// # Errors
    /// `Refused` for what takes a restart, and when a store cannot record it. The configuration before stays in force then.
    pub fn reload(&self, config: Config) -> Result<()> {
        let _one_at_a_time = lock(&self.reloading);
        let old = self.setup();
        let changed = setup::refuse(&self.archives, &old.config, &config).and_then(|()| {
            self.archives
                .iter()
                .try_for_each(|archive| setup::record(archive, &config))
        });
        if let Err(error) = changed {
            self.refuse_reload(&error);
            return Err(error);
        }
        let new = Arc::new(old.changed(&self.archives, config));
        self.queue.set_converters_max(new.config.max_concurrent);
        *lock(&self.setup) = Arc::clone(&new);
        if !Arc::ptr_eq(&old.outbox, &new.outbox) {
            old.outbox_over.cancel();
        }
        self.books.reloaded(old.outbox.sent());
        // Whoever reloads may have mended what a converter lacked.
        self.lines.forget();
        Ok(())
    }

    /// Has `ask` asked for what is wrong with the program around the host, in words, whenever the
    /// host is asked how it is. Only the first call counts.
    pub fn ask_too(&self, ask: impl Fn() -> Vec<String> + Send + Sync + 'static) {
        // Another one has been set only where this is called twice.
        let _ = self.surroundings.set(Box::new(ask));
    }

    /// Takes note that a configuration was not even worth a try.
    pub fn refuse_reload(&self, error: &Error) {
        self.books.reload_refused(error.to_string());
    }

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
                    let answer = || listener.answer(self, &over);
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
            let looked = self.look(&setup, hand, listing::SLOW);
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
    fn pass(self: &Arc<Self>, setup: &Arc<Setup>, stop: &Stop, hooks: &Hooks) -> Vec<String> {
        let hand = Hand {
            host: Arc::clone(self),
            stop: stop.clone(),
            hooks: hooks.clone(),
        };
        let mut workers = Workers::start(&hand, setup);
        let mut looked = self.look(setup, &hand, listing::SILENT);
        while looked.more && !stop.is_asked() {
            std::thread::sleep(PAUSE_MIN);
            workers.keep_up(&hand, setup);
            looked = self.look_for_more(setup, &hand);
        }
        for silent in self.listers.silent() {
            looked.troubles.push(listing::sentence(&silent));
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
    fn tell_passed(&self, troubles: Vec<String>, hooks: &Hooks) -> RunSummary {
        let sent = self.setup().outbox.sent();
        let summary = self.books.scanned(sent, self.waiting(), troubles);
        (hooks.notice)(&Notice::Passed(&summary));
        summary
    }

    /// Looks into all folders and takes what is ready.
    fn look(&self, setup: &Arc<Setup>, hand: &Hand, patience: Duration) -> Looked {
        let mut looked = Looked::default();
        let candidates = scan(setup, hand, &mut looked, patience);
        self.books.found(candidates.len());
        self.forget_all_but(&candidates, setup, &looked);
        for (path, why) in &looked.apart {
            hand.left(path, why);
        }
        let mut open_files = None;
        let trials = self.trials(&candidates, setup);
        let silent = self.silent();
        for candidate in candidates {
            let path = candidate.path.clone();
            if hand.stop.is_asked() {
                hand.left(&path, "the host is stopping");
                continue;
            }
            if self.queue.has_in_hand(&path) {
                continue;
            }
            let config = &setup.config.converters[candidate.converter];
            let folder = config.watch_folder.as_deref();
            if silent.iter().any(|silent| Some(&*silent.folder) == folder) {
                hand.left(&path, "its folder does not answer");
                continue;
            }
            let (failures, tried) = match self.recall(&candidate) {
                Recalled::Fresh => (0, 0),
                Recalled::Again { failures } => (failures, 0),
                Recalled::Parked {
                    failures,
                    trials: tried,
                } => {
                    let converter = &config.converter.name;
                    if self.lines.is_stopped(converter) && trials.get(converter) != Some(&path) {
                        hand.left(&path, PARKED);
                        continue;
                    }
                    (failures, tried)
                }
                Recalled::FailedBy(by) if looked.is_another(candidate.converter, by) => (0, 0),
                Recalled::Known | Recalled::FailedBy(_) => {
                    self.books.known();
                    continue;
                }
                Recalled::Left(why) => {
                    hand.left(&path, why);
                    continue;
                }
                Recalled::Clear(ending) => {
                    let taken = taken(candidate, setup, 0, 0);
                    if self.queue.hold(&path) {
                        let turn = taken.turn();
                        let clear = Converted::Clear(Box::new(taken), Box::new(ending));
                        self.queue.push_to_clear(turn, clear);
                    }
                    continue;
                }
            };
            if !self.is_settled(&candidate, config) {
                let left = unsettled(&candidate, config, SystemTime::now());
                let soonest = looked.settles_in.map_or(left, |first| first.min(left));
                looked.settles_in = Some(soonest);
                hand.left(&path, "it may still be changing");
                continue;
            }
            if let Some(why) = not_yet(&candidate, setup, &looked.real, &mut open_files) {
                hand.left(&path, &why);
                continue;
            }
            if !self.has_room(setup, &hand.hooks) {
                hand.left(&path, "the disk is nearly full");
                continue;
            }
            let taken = taken(candidate, setup, failures, tried);
            if !self.queue.take(taken.turn(), taken) {
                looked.more = true;
                break;
            }
        }
        looked
    }

    /// Another look in the same pass, at what there was no room for: what was left before is not left twice.
    fn look_for_more(&self, setup: &Arc<Setup>, hand: &Hand) -> Looked {
        let mut looked = Looked::default();
        let silent = self.silent();
        let mut open_files = None;
        for candidate in scan(setup, hand, &mut looked, listing::SLOW) {
            let config = &setup.config.converters[candidate.converter];
            let known = lock(&self.memory).get(&candidate.path).cloned();
            if !self.has_room(setup, &hand.hooks) {
                break;
            }
            let folder = config.watch_folder.as_deref();
            if silent.iter().any(|silent| Some(&*silent.folder) == folder) {
                continue;
            }
            if matches!(known, None | Some(Memory::Seen { .. }))
                && self.is_settled(&candidate, config)
                && not_yet(&candidate, setup, &looked.real, &mut open_files).is_none()
            {
                let taken = taken(candidate, setup, 0, 0);
                if !self.queue.take(taken.turn(), taken) {
                    looked.more = true;
                    break;
                }
            }
        }
        looked
    }

    /// Sleeps as long as the youngest file needs.
    fn wait_for_settling(&self, setup: &Arc<Setup>, stop: &Stop) {
        let now = SystemTime::now();
        let mut longest = Duration::ZERO;
        // A folder that cannot be listed is told of when it is listed for good.
        let listed = self
            .listers
            .look(setup, &self.looking(), listing::SILENT)
            .into_iter();
        for candidate in listed
            .filter_map(|listed| listed.result.ok())
            .flat_map(|found| found.candidates)
        {
            let config = &setup.config.converters[candidate.converter];
            if incomplete(&candidate, config, now).is_some() {
                continue;
            }
            self.is_settled(&candidate, config);
            longest = longest.max(unsettled(&candidate, config, now));
        }
        if !longest.is_zero() {
            stop.intake.sleep(longest + TICK);
        }
    }

    fn looking(&self) -> Looking<'_> {
        Looking {
            archives: &self.archives,
            scratch: &self.scratch,
            failed_in: self.failed_in(),
        }
    }

    /// The folders that do not answer, or where a step does not end.
    pub(super) fn silent(&self) -> Vec<Silent> {
        let mut silent = self.queue.silent();
        for other in self.listers.silent() {
            if !silent.iter().any(|known| known.folder == other.folder) {
                silent.push(other);
            }
        }
        silent
    }

    /// How the host is. Asks the stores and disks, so not to be asked in a hurry.
    pub fn status(&self) -> HostStatus {
        let setup = self.setup();
        let mut submissions = SubmissionStatus {
            troubles: setup
                .outbox
                .troubles()
                .into_iter()
                .map(|(endpoint, why)| FileError {
                    path: endpoint.to_owned(),
                    error: why,
                })
                .collect(),
            ..SubmissionStatus::default()
        };
        let mut stores = Vec::new();
        for archive in self.archives.iter() {
            let mut store = StoreStatus {
                dir: archive.dir().to_owned(),
                entries: 0,
                failed: 0,
                stored_bytes: 0,
                free_bytes: FsDisk::new(archive.dir()).free_bytes().ok(),
                error: None,
            };
            let asked = archive.snapshot().and_then(|snapshot| {
                let stats = snapshot.stats()?;
                (store.entries, store.stored_bytes) = (stats.entries, stats.stored_bytes);
                store.failed = failed_of(&stats, &setup.config);
                let pending = snapshot.pending_submissions()?;
                submissions.waiting += pending.count;
                let oldest = submissions.oldest.into_iter().chain(pending.oldest).min();
                submissions.oldest = oldest;
                archive.can_write()?;
                match archive.known_damage()?.content.into_iter().next() {
                    None => Ok(()),
                    Some(line) => Err(Error::new(ErrorKind::Damaged, line)),
                }
            });
            store.error = asked.err().map(|error| error.to_string());
            stores.push(store);
        }
        let converters = setup.config.converters.iter().map(|config| {
            let folder = config.watch_folder.as_deref();
            (config.converter.name.as_str(), folder)
        });
        let mut reasons: Vec<String> = self.silent().iter().map(listing::sentence).collect();
        reasons.extend(self.lines.reasons());
        reasons.extend(self.troubles.reasons());
        reasons.extend(self.surroundings.get().into_iter().flat_map(|ask| ask()));
        self.books.status(About {
            reasons,
            stuck: self.troubles.status(),
            stuck_by_converter: self.troubles.by_converter(),
            silent: self.silent(),
            stopped: &|converter| self.lines.status(converter),
            converters: Box::new(converters),
            config: &setup.config.path,
            scan_every: setup.config.scan_every,
            lengths: self.queue.lengths(),
            submissions,
            disk: self.space.state(),
            stores,
        })
    }

    /// False when the host hangs: it runs, and has not looked into its folders for far too long.
    pub fn is_alive(&self) -> bool {
        self.books.is_alive(self.setup().config.scan_every)
    }

    /// The configuration in force.
    pub fn config(&self) -> Config {
        self.setup().config.clone()
    }

    pub(super) fn setup(&self) -> Arc<Setup> {
        Arc::clone(&lock(&self.setup))
    }

    pub(super) fn is_current(&self, setup: &Arc<Setup>) -> bool {
        Arc::ptr_eq(&lock(&self.setup), setup)
    }

    /// Who a converter is now.
    pub(super) fn identity(&self, setup: &Setup, converter: usize) -> Result<ConverterId> {
        setup.runner(converter, &self.scratch)?.converter_id()
    }

    /// Entries of the configured converters whose last attempt failed.
    pub fn failed_before(&self) -> u64 {
        let setup = self.setup();
        let failed = |archive: &Archive| {
            let stats = archive.snapshot().and_then(|snapshot| snapshot.stats());
            stats.map_or(0, |stats| failed_of(&stats, &setup.config))
        };
        self.archives.iter().map(failed).sum()
    }

    pub(super) fn archive_of(&self, config: &ConverterConfig) -> Result<&Archive> {
        self.archives
            .of(config)
            .ok_or_else(|| Error::new(ErrorKind::NoStore, "the store is not open any more"))
    }

    /// Whether files may be taken; tells when that changes.
    pub(super) fn has_room(&self, setup: &Setup, hooks: &Hooks) -> bool {
        let stores = self.archives.iter().map(Archive::dir);
        let scratch =
            Some(self.scratch.as_path()).filter(|_| self.archives.iter().next().is_none());
        let folders = stores.chain(scratch);
        let (space, turned) =
            self.space
                .look(folders, setup.config.min_free_disk, SystemClock.now());
        let trouble = space.trouble();
        match (turned, &trouble) {
            (Turned::Low, Some(error)) => {
                self.purge_asked.store(true, Ordering::Relaxed);
                if let Space::Low { folder, .. } = &space {
                    self.books.trouble(folder, error);
                }
                (hooks.notice)(&Notice::DiskLow { error });
            }
            (Turned::Enough, _) => {
                if let Space::Enough { free } = space {
                    let free = free.unwrap_or_default();
                    (hooks.notice)(&Notice::DiskEnough { free });
                }
            }
            _ => {}
        }
        trouble.is_none()
    }

    /// Reports that wait in any store. One that cannot be read says so elsewhere.
    fn waiting(&self) -> u64 {
        let count =
            |archive: &Archive| Some(archive.snapshot().ok()?.pending_submissions().ok()?.count);
        self.archives.iter().filter_map(count).sum()
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

impl Looked {
    /// True when a converter is certainly another one than `before`.
    fn is_another(&self, converter: usize, before: ConverterId) -> bool {
        let now = self.identities.get(&converter);
        now.is_some_and(|now| *now != before)
    }
}

/// Entries of the configured converters that failed, by the store's own count.
fn failed_of(stats: &Stats, config: &Config) -> u64 {
    let groups = stats.converters.iter();
    let own = groups.filter(|group| config.converter(&group.name).is_some());
    own.map(|group| group.failed).sum()
}

/// The files of all folders, the most urgent first.
fn scan(
    setup: &Arc<Setup>,
    hand: &Hand,
    looked: &mut Looked,
    patience: Duration,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let mut alone = Vec::new();
    for Listed {
        converter,
        folder,
        result,
    } in hand
        .host
        .listers
        .look(setup, &hand.host.looking(), patience)
    {
        let name = &setup.config.converters[converter].converter.name;
        let mut tell = |path: &Path, error: &Error| {
            let told = error.to_string();
            // A share that is gone for a night is told of once.
            if !hand.host.books.knows_trouble(&told) {
                hand.trouble(path, error);
            }
            looked.troubles.push(told);
        };
        match result {
            Ok(found) => {
                for error in &found.set_aside {
                    tell(&folder, error);
                }
                candidates.extend(found.candidates);
                alone.extend(found.alone);
                looked
                    .real
                    .extend(found.real.map(|real| (folder.clone(), real)));
                let identity = found.converter_id.map(|id| (converter, id));
                looked.identities.extend(identity);
                for (path, error) in found.refused {
                    if hand
                        .host
                        .troubles
                        .begin(&path, name, StuckAt::Looking, &error)
                    {
                        hand.trouble(&path, &error);
                    }
                    looked.refused.insert(path);
                }
                looked.listed.insert(folder);
            }
            Err(error) => tell(&folder, &error),
        }
    }
    if !alone.is_empty() {
        // Another converter of the folder may take them.
        let own = candidates.iter().map(|candidate| candidate.path.clone());
        let theirs = candidates.iter().flat_map(Candidate::companion_paths);
        let taken: HashSet<PathBuf> = own.chain(theirs).collect();
        let alone = alone.into_iter().filter(|path| !taken.contains(path));
        let why = "the file it belongs to is not there";
        looked.apart.extend(alone.map(|path| (path, why)));
    }
    let robbed = intake::order(&mut candidates, &setup.config.converters);
    let why = "what belongs to it is another converter's";
    looked
        .apart
        .extend(robbed.into_iter().map(|path| (path, why)));
    candidates
}

/// Removes what killed hosts were making in the folders beside the watched ones, in the background:
/// a share that does not answer must not hold up the start.
fn remove_partials(config: &Config) {
    for converter in &config.converters {
        let folders = [&converter.done_folder, &converter.error_folder];
        for folder in folders.into_iter().flatten() {
            let folder = folder.clone();
            let work = move || {
                source::remove_partials(&folder, SystemTime::now());
                // Of a report that was being removed there, or of a file with its companions that
                // was on its way there. A folder that is not there holds none.
                let _ = source::recover(&folder);
            };
            // Where no thread can be had they stay until the next start.
            let _ = std::thread::Builder::new()
                .name("annals-tidy".to_owned())
                .spawn(work);
        }
    }
}

/// What a source lacks, however long it stays as it is. Stations make files before they write them.
fn incomplete<'a>(
    candidate: &'a Candidate,
    config: &ConverterConfig,
    now: SystemTime,
) -> Option<&'a str> {
    let main = &candidate.main;
    if main.is_empty_file() && main.age(now) < config.empty_after {
        return Some("it is empty");
    }
    candidate.incomplete.as_deref()
}

/// Why a source that has settled is not to be taken yet, if so. The system is asked for open files
/// once a look, and not without need.
fn not_yet(
    candidate: &Candidate,
    setup: &Setup,
    real: &[(PathBuf, PathBuf)],
    open_files: &mut Option<OpenFiles>,
) -> Option<String> {
    let config = &setup.config.converters[candidate.converter];
    if let Some(why) = incomplete(candidate, config, SystemTime::now()) {
        return Some(why.to_owned());
    }
    if config.writers == Writers::Ignore {
        return None;
    }
    let open = open_files.get_or_insert_with(|| OpenFiles::below(real));
    let is_open = open.holds(candidate);
    is_open.then(|| "a program still has it open for writing".to_owned())
}

fn taken(candidate: Candidate, setup: &Arc<Setup>, failures: u32, trials: u32) -> Taken {
    Taken {
        candidate,
        setup: Arc::clone(setup),
        failures,
        trials,
        since: Instant::now(),
    }
}

pub(super) fn watched(config: &Config) -> impl Iterator<Item = &Path> {
    let converters = config.converters.iter();
    converters.filter_map(|converter| converter.watch_folder.as_deref())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;
    use crate::entry::{Attempt, Entry, Meta, Outcome, Retention, Status, Unit, UnitGiven};
    use crate::host::config::Retry;
    use crate::host::file::{History, history, key};
    use crate::host::intake::{Links, Shape};
    use crate::host::source::Fingerprint;
    use crate::id::{AttemptNo, BlobId, EntryId, Sha256};
    use crate::time::Timestamp;

    /// Answers by what the file says.
    const CONVERTER: &str = r#"
        case "$(cat "$1")" in
            good*) printf '{"sn":"%s"}' "$ANNALS_NAME" ;;
            bad*) echo "no header" >&2; exit 1 ;;
            wait*) echo '{"status":"suspended","retry_after_s":3600}' ;;
            empty*) echo '{"status":"skipped"}' ;;
            ours*) echo '{"status":"rejected","error":"not ours"}' ;;
            zip*) echo '{"status":"success","report":{},"post_action":"zip"}' ;;
            slow*) printf '{"sn":1}'; echo more >> "$WATCHED"; ;;
        esac"#;

    /// A pass that leaves what may still be changing.
    fn pass(host: &Arc<Host>) -> RunSummary {
        let hooks = Hooks::default();
        let troubles = host.pass(&host.setup(), &Stop::default(), &hooks);
        host.tell_passed(troubles, &hooks)
    }

    struct Plant {
        dir: tempfile::TempDir,
        config: String,
    }

    impl Plant {
        fn new(more: &str) -> Self {
            let dir = tempfile::tempdir().expect("folder");
            fs::create_dir(dir.path().join("in")).expect("made");
            fs::write(dir.path().join("run.sh"), CONVERTER).expect("written");
            let config = format!(
                "[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\ncommand = [\"sh\", \"run.sh\", \"{{input}}\"]\n\
                 environment = \"sh\"\nbundle = [\"run.sh\"]\nwatch_folder = \"in\"\nsettle_s = 0\n{more}\n"
            );
            Self { dir, config }
        }

        fn put(&self, name: &str, content: &str) -> PathBuf {
            let path = self.dir.path().join("in").join(name);
            fs::write(&path, content).expect("written");
            path
        }

        fn config(&self) -> Config {
            Config::parse(&self.config, &self.dir.path().join("host.toml")).expect("valid")
        }

        fn host(&self) -> Arc<Host> {
            Arc::new(Host::new(Archives::default(), self.config()).expect("made"))
        }

        fn run(&self) -> RunSummary {
            let cancel = Cancel::default();
            run_once(
                Archives::default(),
                self.config(),
                &cancel,
                &Hooks::default(),
            )
            .expect("ran")
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let Ok(items) = fs::read_dir(self.dir.path().join(folder)) else {
                return Vec::new();
            };
            let mut names: Vec<String> = items
                .map(|item| {
                    item.expect("item")
                        .file_name()
                        .to_string_lossy()
                        .into_owned()
                })
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn every_outcome_has_its_count_and_its_place() {
        let plant =
            Plant::new("post_process = \"move\"\ndone_folder = \"done\"\nerror_folder = \"error\"");
        for (name, content) in [
            ("1.csv", "good"),
            ("2.csv", "bad"),
            ("3.csv", "wait"),
            ("4.csv", "empty"),
            ("5.csv", "ours"),
            ("6.csv", "zip"),
            ("7.tmp", "good"),
        ] {
            plant.put(name, content);
        }
        let summary = plant.run();
        assert_eq!(
            summary,
            RunSummary {
                found: 6,
                converted: 6,
                successful: 2,
                failed: 1,
                suspended: 1,
                skipped: 1,
                rejected: 1,
                left: 1,
                ..RunSummary::default()
            }
        );
        assert_eq!(plant.names("in"), ["3.csv", "7.tmp"]);
        assert_eq!(plant.names("done"), ["1.csv", "4.csv", "6.csv.zip"]);
        assert_eq!(plant.names("error"), ["2.csv", "5.csv"]);
    }

    #[test]
    fn a_source_that_should_be_archived_and_is_not_is_never_deleted() {
        let archiving =
            "archive_enabled = true\narchive_required = false\npost_process = \"archive\"\n";
        let plant = Plant::new(archiving);
        plant.put("1.csv", "good");
        let summary = plant.run();
        let counts = (
            summary.successful,
            summary.archive_failed,
            summary.errors.len(),
        );
        assert_eq!(counts, (1, 1, 1));
        assert_eq!(plant.names("in"), ["1.csv"]);

        let plant = Plant::new(&format!("{archiving}error_folder = \"error\""));
        plant.put("1.csv", "good");
        plant.run();
        assert_eq!(plant.names("error"), ["1.csv"]);
    }

    #[test]
    fn a_source_that_must_be_archived_and_is_not_waits_and_says_so() {
        let plant = Plant::new("archive_enabled = true\nretry = { delay_s = 0 }\n");
        plant.put("1.csv", "good");
        let host = plant.host();
        for _ in 0..2 {
            let summary = pass(&host);
            let counts = (summary.converted, summary.archive_failed, summary.left);
            assert_eq!(counts, (0, 1, 1));
        }
        assert_eq!(plant.names("in"), ["1.csv"]);
        let status = host.status();
        assert_eq!(status.converters[0].archive_failed, 2);
        let stuck = &status.stuck.files[0];
        assert_eq!((stuck.at, status.stuck.count), (StuckAt::Archiving, 1));
        assert!(stuck.reason.contains("no store is open"), "{stuck:?}");
    }

    #[test]
    fn a_configuration_takes_over_between_files_and_a_wrong_one_does_not() {
        let plant = Plant::new("retry = { max_attempts = 2, delay_s = 0 }");
        plant.put("1.csv", "bad");
        let host = plant.host();
        assert_eq!(pass(&host).failed, 1);
        let moved = plant
            .config
            .replace("[host]", "[host]\nlisten = \"127.0.0.1:1\"");
        let moved = Config::parse(&moved, &plant.dir.path().join("host.toml")).expect("valid");
        assert_eq!(
            host.reload(moved).expect_err("refused").kind(),
            ErrorKind::Refused
        );
        assert!(host.status().configuration.refused.is_some());
        let better = Plant {
            config: format!("{}error_folder = \"error\"\n", plant.config),
            ..plant
        };
        host.reload(better.config()).expect("taken over");
        assert_eq!(host.status().configuration.refused, None);
        pass(&host);
        assert_eq!(better.names("error"), ["1.csv"]);
    }

    /// One file out of ten thousand met a panic, and the whole plant stood still.
    #[test]
    fn a_panic_over_one_file_costs_that_file_and_the_others_go_on() {
        let plant = Plant::new("post_process = \"delete\"");
        plant.put("1.csv", "good");
        plant.put("2.csv", "good");
        let host = plant.host();
        let hooks = Hooks::new(|notice| {
            let hit = matches!(notice, Notice::Converted { path, .. } if path.ends_with("1.csv"));
            assert!(!hit, "on purpose");
        });
        let stop = Stop::default();
        std::thread::scope(|scope| {
            scope.spawn(|| host.run(None, &stop, &hooks));
            until("the panic to be told", || host.status().stuck.count == 1);
            plant.put("3.csv", "good");
            until("the others to go", || plant.names("in") == ["1.csv"]);
            let stuck = host.status().stuck;
            assert!(stuck.files[0].reason.contains("on purpose"));
            until("it to turn health", || host.status().reasons.len() == 1);
            stop.drain();
        });
    }

    /// A share that was gone for a night stopped eleven lines, and the host called itself well.
    #[test]
    fn a_step_that_hangs_stops_its_folder_only_and_is_not_waited_for_at_the_end() {
        let line = "watch_folder = \"there\"\nsettle_s = 0\npost_process = \"delete\"";
        let plant = Plant::new(&format!(
            "post_process = \"delete\"\ntimeout_s = 0.1\n[[converter]]\nname = \"U\"\n\
             command = [\"sh\", \"run.sh\", \"{{input}}\"]\nenvironment = \"sh\"\nbundle = [\"run.sh\"]\n{line}"
        ));
        let there = plant.dir.path().join("there");
        fs::create_dir(&there).expect("made");
        for number in 0..30 {
            plant.put(&format!("{number}.csv"), "empty");
        }
        let host = plant.host();
        // A thread that hangs in a folder hangs there as one does that is told of a file's end.
        let (hold, held) = crossbeam_channel::bounded::<()>(0);
        let hooks = Hooks::new(move |notice| {
            if let Notice::Disposed { path, .. } = notice
                && path.parent().is_some_and(|folder| folder.ends_with("in"))
            {
                let _ = held.recv();
            }
        });
        let stop = Stop::default();
        std::thread::scope(|scope| {
            scope.spawn(|| host.run(None, &stop, &hooks));
            until("a file to hang", || host.status().queue.to_record > 0);
            fs::write(there.join("a.csv"), "good").expect("written");
            until("the other folder", || !there.join("a.csv").exists());
            host.queue.overdue_at_once();
            until("the folder to be told of", || {
                let status = host.status();
                status.silent_folders.len() == 1 && status.reasons[0].contains("has not answered")
            });
            fs::write(there.join("b.csv"), "good").expect("written");
            until("the other folder", || !there.join("b.csv").exists());
            let began = Instant::now();
            stop.drain();
            until("the host to end", || host.status().state == HostState::Idle);
            assert!(began.elapsed() < LAST_MOMENT, "{:?}", began.elapsed());
        });
        drop(hold);
    }

    fn until(what: &str, done: impl Fn() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "waited for {what}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_link_is_passed_over_unless_it_is_to_be_followed_and_its_target_stays() {
        let elsewhere = tempfile::tempdir().expect("folder");
        let target = elsewhere.path().join("1.csv");
        fs::write(&target, "good").expect("written");
        for (more, found) in [("", 0), ("follow_symlinks = true", 1)] {
            for action in ["delete\"", "move\"\ndone_folder = \"done\""] {
                let plant = Plant::new(&format!("post_process = \"{action}\n{more}"));
                let link = plant.dir.path().join("in/1.csv");
                std::os::unix::fs::symlink(&target, &link).expect("made");
                std::os::unix::fs::symlink("nowhere", plant.dir.path().join("in/2.csv"))
                    .expect("made");
                let summary = plant.run();
                assert_eq!(
                    (summary.found, summary.successful),
                    (found, found),
                    "{action}"
                );
                assert_eq!(summary.errors, []);
                assert_eq!(link.is_symlink(), found == 0);
                assert_eq!(fs::read_to_string(&target).expect("there"), "good");
                if found == 1 && action.starts_with("move") {
                    let moved = plant.dir.path().join("done/1.csv");
                    assert!(!moved.is_symlink());
                    assert_eq!(fs::read_to_string(moved).expect("moved"), "good");
                }
            }
        }
    }

    #[test]
    fn a_kept_file_is_converted_once_by_one_host_and_again_when_it_changes() {
        let plant = Plant::new("");
        let path = plant.put("1.csv", "good");
        let host = plant.host();
        let pass = || pass(&host);
        assert_eq!(pass().converted, 1);
        let second = pass();
        assert_eq!((second.converted, second.known), (0, 1));
        fs::write(&path, "good again").expect("written");
        assert_eq!(pass().converted, 1);
    }

    #[test]
    fn a_failure_is_tried_as_often_as_configured_and_then_set_aside() {
        let plant =
            Plant::new("error_folder = \"error\"\nretry = { max_attempts = 3, delay_s = 0 }");
        plant.put("1.csv", "bad");
        let host = plant.host();
        let pass = || pass(&host);
        for _ in 0..2 {
            let summary = pass();
            assert_eq!((summary.failed, summary.left), (1, 1));
            assert_eq!(plant.names("in"), ["1.csv"]);
        }
        assert_eq!(pass().failed, 1);
        assert_eq!(plant.names("error"), ["1.csv"]);
    }

    #[test]
    fn a_suspended_file_waits_as_long_as_its_converter_asked() {
        let plant = Plant::new("retry = { delay_s = 0 }");
        plant.put("1.csv", "wait");
        let host = plant.host();
        let pass = || pass(&host);
        assert_eq!(pass().suspended, 1);
        let second = pass();
        assert_eq!((second.converted, second.left), (0, 1));
    }

    #[test]
    fn a_fresh_file_is_left_until_it_settles_and_one_pass_waits_for_it() {
        let plant = Plant::new("post_process = \"delete\"");
        let slow = Plant {
            config: plant.config.replace("settle_s = 0", "settle_s = 0.4"),
            ..plant
        };
        slow.put("1.csv", "good");
        let host = slow.host();
        let pass = || pass(&host);
        assert_eq!(pass().left, 1);
        let started = Instant::now();
        assert_eq!(slow.run().successful, 1);
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(slow.names("in").is_empty());
    }

    #[test]
    fn a_file_that_grows_during_its_conversion_is_left() {
        let plant = Plant::new("post_process = \"delete\"");
        let path = plant.put("1.csv", "slow");
        let script = CONVERTER.replace("\"$WATCHED\"", &format!("'{}'", path.display()));
        fs::write(plant.dir.path().join("run.sh"), script).expect("written");
        let summary = plant.run();
        assert_eq!((summary.successful, summary.left), (1, 1));
        assert_eq!(fs::read_to_string(path).expect("there"), "slowmore\n");
    }

    #[test]
    fn a_converter_that_cannot_start_leaves_its_files_and_others_go_on() {
        let plant = Plant::new(
            "error_folder = \"error\"\npatterns = [\"*.csv\"]\n\
             [[converter]]\nname = \"gone\"\ncommand = [\"no-such-program-of-annals\", \"{input}\"]\nenvironment = \"x\"\n\
             watch_folder = \"in\"\nsettle_s = 0\nerror_folder = \"error\"\npatterns = [\"*.log\"]\n\
             [[converter]]\nname = \"nowhere\"\ncommand = [\"sh\", \"{input}\"]\nwatch_folder = \"missing\"\n",
        );
        plant.put("1.csv", "good");
        plant.put("2.log", "good");
        let summary = plant.run();
        assert_eq!(
            (summary.successful, summary.failed, summary.left),
            (1, 0, 1)
        );
        assert_eq!(summary.errors.len(), 2, "{:?}", summary.errors);
        assert_eq!(plant.names("in"), ["1.csv", "2.log"]);
    }

    #[test]
    fn a_nearly_full_disk_stops_the_taking_and_says_so_once() {
        let plant = Plant::new("post_process = \"delete\"");
        let plant = Plant {
            config: plant
                .config
                .replace("min_free_disk_gb = 0", "min_free_disk_gb = 10000"),
            ..plant
        };
        plant.put("1.csv", "good");
        plant.put("2.csv", "good");
        let summary = plant.run();
        assert_eq!(
            (summary.converted, summary.left, summary.errors.len()),
            (0, 2, 1)
        );
        assert_eq!(plant.names("in"), ["1.csv", "2.csv"]);
    }

    #[test]
    fn an_entry_with_its_final_attempt_is_not_converted_again() {
        let retry = Retry {
            max_attempts: 2,
            delay: Duration::from_secs(60),
        };
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let entry = |attempts: &[Outcome]| Entry {
            id: EntryId(1),
            converter: String::new(),
            converter_version: None,
            source_name: String::new(),
            source_path: String::new(),
            source_name_hex: None,
            source_modified: None,
            archived_at: at(0),
            status: Status::Pending,
            size: 0,
            stored_size: 0,
            blake3: BlobId::of(b""),
            sha256: Sha256::of(b""),
            unit: Unit::default(),
            unit_given: UnitGiven::default(),
            meta: Meta::new(),
            arguments: Meta::new(),
            retention: Retention::Forever,
            key: None,
            report_id: None,
            attempts: (1..)
                .zip(attempts)
                .map(|(number, outcome)| Attempt {
                    attempt: AttemptNo(number),
                    status: *outcome,
                    at: at(1000),
                    converter: String::new(),
                    converter_version: None,
                    converter_id: None,
                    arguments: Meta::new(),
                    duration_ms: None,
                    error: None,
                    warnings: Vec::new(),
                    sandbox: Vec::new(),
                    job: None,
                    reports: Vec::new(),
                })
                .collect(),
            holds: Vec::new(),
            purged_at: None,
            purged_by: None,
        };
        use Outcome::{Failed, Rejected, Success, Suspended};
        for (attempts, now, expected) in [
            (&[][..], 1000, History::None),
            (&[Success], 1000, History::Final(Success)),
            (&[Failed], 1030, History::NotYet),
            (&[Failed], 1060, History::Again),
            (&[Failed], 10, History::Again),
            (&[Failed, Failed], 1060, History::Final(Failed)),
            (&[Failed, Rejected], 1060, History::Final(Rejected)),
            (&[Suspended, Suspended, Suspended], 1060, History::Again),
        ] {
            assert_eq!(history(&entry(attempts), None, retry, at(now)), expected);
        }
    }

    #[test]
    fn a_key_is_the_same_for_the_same_file_and_for_nothing_else() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a.csv");
        fs::write(&path, "x").expect("written");
        let seen = Fingerprint::of(&path, &Shape::File(Links::Skip))
            .expect("read")
            .expect("there");
        let first = key("T", &path, &seen);
        assert_eq!(first, key("T", &path, &seen));
        assert_ne!(first, key("U", &path, &seen));
        assert_ne!(first, key("T", &dir.path().join("b.csv"), &seen));
        fs::write(&path, "y").expect("written");
        let other = Fingerprint::of(&path, &Shape::File(Links::Skip))
            .expect("read")
            .expect("there");
        assert_ne!(first, key("T", &path, &other));
    }
}
