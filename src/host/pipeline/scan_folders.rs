//! Scans all watch folders, takes the files that are ready, and reports why the others stay.
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::files::{FinalJob, PARKED, TakenFile};
use super::host::Host;
use super::memory::Recalled;
use super::worker::FileWorker;
use crate::Error;
use crate::host::active_config::ActiveConfig;
use crate::host::config::settings::{Config, ConverterConfig, Links, Subfolders, Writers};
use crate::host::file_id::FileId;
use crate::host::observe::stuck::StuckAt;
use crate::host::sources::candidate::{self, Candidate};
use crate::host::sources::open_files::OpenFiles;
use crate::host::sources::resting::RestingFolders;
use crate::host::sources::scanners::{self, FolderListing};
use crate::host::stop::Stop;
use crate::id::ConverterId;

/// The resolution of file system times, with a margin.
pub(in crate::host) const TICK: Duration = Duration::from_millis(20);

/// What a scan of the watch folders found.
#[derive(Default)]
pub(in crate::host) struct ScanResult {
    /// The time until the first of the changing files may be stable.
    pub(in crate::host) stable_in: Option<Duration>,
    /// Folders that could not be listed, with the reason.
    pub(in crate::host) troubles: Vec<String>,
    /// Folders that were listed, and which folder each is.
    listed: HashMap<PathBuf, Option<FileId>>,
    /// Items in them that cannot be taken.
    pub(in crate::host) refused: HashSet<PathBuf>,
    /// True when more files are ready than the queue holds.
    pub(in crate::host) more: bool,
    /// The folders that were listed, each with its path without links.
    real: Vec<(PathBuf, PathBuf)>,
    /// The current identities of converters with failed files, by their index in the configuration.
    identities: HashMap<usize, ConverterId>,
    /// Companions without their main file, and files whose companion another converter takes, with
    /// the reason.
    apart: Vec<(PathBuf, &'static str)>,
    /// Listed folders with something that waits for another scan.
    waiting: HashSet<PathBuf>,
    /// Numbers of finished files that lie in their folders.
    known: HashMap<PathBuf, usize>,
}

impl ScanResult {
    /// Returns true when a converter's identity certainly differs from `before`.
    fn is_another(&self, converter: usize, before: ConverterId) -> bool {
        let now = self.identities.get(&converter);
        now.is_some_and(|now| *now != before)
    }

    /// Returns the listed folders, which folder each is, and the number of finished files in it;
    /// `None` where something waits for another scan.
    pub(in crate::host) fn at_rest(
        &self,
    ) -> impl Iterator<Item = (&Path, Option<FileId>, Option<usize>)> {
        self.listed.iter().map(|(folder, id)| {
            let known = self.known.get(folder).copied().unwrap_or_default();
            let rests = !self.more && !self.waiting.contains(folder);
            (folder.as_path(), *id, rests.then_some(known))
        })
    }
}

impl Host {
    /// Scans all folders but those at rest, and takes the files that are ready.
    pub(in crate::host) fn scan_folders(
        &self,
        active: &Arc<ActiveConfig>,
        worker: &FileWorker,
        resting: &RestingFolders,
        patience: Duration,
    ) -> ScanResult {
        let mut looked = ScanResult::default();
        let candidates = list_candidates(active, worker, resting, &mut looked, patience);
        let at_rest = resting.known();
        self.counters.found(candidates.len() + at_rest);
        self.counters.known(at_rest);
        self.forget_all_but(&candidates, active, &looked);
        for (path, why) in &looked.apart {
            worker.left(path, why);
        }
        let mut open_files = None;
        let trials = self.trials(&candidates, active);
        let silent = self.silent();
        looked.waiting.extend(self.waiting_in(&candidates, active));
        for candidate in candidates {
            let path = candidate.path.clone();
            if worker.stop.is_asked() {
                worker.left(&path, "the host is stopping");
                continue;
            }
            if self.queue.contains(&path) {
                continue;
            }
            let config = &active.config.converters[candidate.converter];
            let folder = config.watch_folder.as_deref();
            if silent.iter().any(|silent| Some(&*silent.folder) == folder) {
                worker.left(&path, "its folder does not answer");
                continue;
            }
            let (failures, tried) = match self.memory.recall(&candidate) {
                Recalled::Fresh => (0, 0),
                Recalled::Again { failures } => (failures, 0),
                Recalled::Parked {
                    failures,
                    trials: tried,
                } => {
                    let converter = &config.converter.name;
                    if self.stopped.is_stopped(converter) && trials.get(converter) != Some(&path) {
                        worker.left(&path, PARKED);
                        continue;
                    }
                    (failures, tried)
                }
                Recalled::FailedBy(by) if looked.is_another(candidate.converter, by) => (0, 0),
                Recalled::Known => {
                    self.counters.known(1);
                    if let Some(folder) = folder {
                        *looked.known.entry(folder.to_owned()).or_default() += 1;
                    }
                    continue;
                }
                Recalled::FailedBy(_) => {
                    self.counters.known(1);
                    continue;
                }
                Recalled::Left(why) => {
                    worker.left(&path, why);
                    continue;
                }
                Recalled::Clear(cleanup) => {
                    let taken = taken(candidate, active, 0, 0);
                    if self.queue.claim(&path) {
                        let position = taken.position();
                        let clear = FinalJob::Clear(Box::new(taken), Box::new(cleanup));
                        self.queue.push_to_clear(position, clear);
                    }
                    continue;
                }
            };
            if !self.memory.is_stable(&candidate, config) {
                let left = time_until_stable(&candidate, config, SystemTime::now());
                let soonest = looked.stable_in.map_or(left, |first| first.min(left));
                looked.stable_in = Some(soonest);
                worker.left(&path, "it may still be changing");
                continue;
            }
            if let Some(why) = not_yet(&candidate, active, &looked.real, &mut open_files) {
                worker.left(&path, &why);
                continue;
            }
            if !self.has_room(active, &worker.hooks) {
                worker.left(&path, "the disk is nearly full");
                continue;
            }
            let taken = taken(candidate, active, failures, tried);
            if !self.queue.take(taken.position(), taken) {
                looked.more = true;
                break;
            }
        }
        looked
    }

    /// Returns the folders of the sources that are not finished.
    fn waiting_in(&self, candidates: &[Candidate], active: &ActiveConfig) -> HashSet<PathBuf> {
        let waiting = candidates.iter().filter(|candidate| {
            self.queue.contains(&candidate.path)
                || !matches!(self.memory.recall(candidate), Recalled::Known)
        });
        let converters = &active.config.converters;
        let folders = waiting.filter_map(|waits| converters[waits.converter].watch_folder.clone());
        folders.collect()
    }

    /// Forgets the files that are no longer in their folders.
    ///
    /// Files of a folder that was not listed this time are kept, because its content is unknown.
    fn forget_all_but(&self, candidates: &[Candidate], active: &ActiveConfig, looked: &ScanResult) {
        let present: HashSet<&Path> = candidates
            .iter()
            .map(|candidate| candidate.path.as_path())
            .collect();
        let may_be_there = |path: &Path| {
            let folder = watch_folder_of(path, &active.config);
            folder.is_some_and(|folder| !looked.listed.contains_key(folder))
        };
        self.memory
            .retain(|path| present.contains(path) || may_be_there(path));
        self.stuck.retain(|path, at| match at {
            StuckAt::Looking => looked.refused.contains(path) || may_be_there(path),
            _ => present.contains(path) || looked.refused.contains(path) || may_be_there(path),
        });
    }

    /// Chooses, for each stopped converter whose next trial is due, the file to try it with.
    ///
    /// It is the file that was tried least often, so that a file that crashes every converter does
    /// not block the others.
    fn trials(&self, candidates: &[Candidate], active: &ActiveConfig) -> HashMap<String, PathBuf> {
        let mut least: HashMap<&str, (u32, &Path)> = HashMap::new();
        for candidate in candidates {
            let converter = active.config.converters[candidate.converter]
                .converter
                .name
                .as_str();
            let Some(trials) = self.memory.trials(&candidate.path) else {
                continue;
            };
            if self.stopped.is_due(converter) {
                let first = least.entry(converter).or_insert((trials, &candidate.path));
                if trials < first.0 {
                    *first = (trials, &candidate.path);
                }
            }
        }
        let owned =
            |(converter, (_, path)): (&str, (u32, &Path))| (converter.to_owned(), path.to_owned());
        least.into_iter().map(owned).collect()
    }

    /// Scans again in one pass for files that had no room in the queue. Files left are not counted
    /// twice.
    pub(in crate::host) fn scan_for_more(
        &self,
        active: &Arc<ActiveConfig>,
        worker: &FileWorker,
    ) -> ScanResult {
        let mut looked = ScanResult::default();
        let silent = self.silent();
        let mut open_files = None;
        let resting = RestingFolders::default();
        for candidate in list_candidates(active, worker, &resting, &mut looked, scanners::SLOW) {
            let config = &active.config.converters[candidate.converter];
            if !self.has_room(active, &worker.hooks) {
                break;
            }
            let folder = config.watch_folder.as_deref();
            if silent.iter().any(|silent| Some(&*silent.folder) == folder) {
                continue;
            }
            if self.memory.is_new(&candidate.path)
                && self.memory.is_stable(&candidate, config)
                && not_yet(&candidate, active, &looked.real, &mut open_files).is_none()
            {
                let taken = taken(candidate, active, 0, 0);
                if !self.queue.take(taken.position(), taken) {
                    looked.more = true;
                    break;
                }
            }
        }
        looked
    }

    /// Sleeps until the youngest file is stable.
    pub(in crate::host) fn wait_until_stable(&self, active: &Arc<ActiveConfig>, stop: &Stop) {
        let now = SystemTime::now();
        let mut longest = Duration::ZERO;
        // A folder that cannot be listed is reported by the scan itself.
        let listed = self
            .scanners
            .look(
                active,
                &self.scan_context(),
                &RestingFolders::default(),
                scanners::SILENT,
            )
            .into_iter();
        for candidate in listed
            .filter_map(|listed| listed.result.ok())
            .flat_map(|found| found.candidates)
        {
            let config = &active.config.converters[candidate.converter];
            if incomplete(&candidate, config, now).is_some() {
                continue;
            }
            self.memory.is_stable(&candidate, config);
            longest = longest.max(time_until_stable(&candidate, config, now));
        }
        if !longest.is_zero() {
            stop.intake.sleep(longest + TICK);
        }
    }
}

/// Lists the files of all folders, the most urgent first.
fn list_candidates(
    active: &Arc<ActiveConfig>,
    worker: &FileWorker,
    resting: &RestingFolders,
    looked: &mut ScanResult,
    patience: Duration,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let mut alone = Vec::new();
    for FolderListing {
        converter,
        folder,
        result,
    } in worker
        .host
        .scanners
        .look(active, &worker.host.scan_context(), resting, patience)
    {
        let name = &active.config.converters[converter].converter.name;
        let mut tell = |path: &Path, error: &Error| {
            let told = error.to_string();
            // A share that stays away for a night is reported only once.
            if !worker.host.counters.knows_trouble(&told) {
                worker.trouble(path, error);
            }
            looked.troubles.push(told);
        };
        match result {
            Ok(found) => {
                for error in &found.set_aside {
                    tell(&folder, error);
                }
                let waits = !found.set_aside.is_empty()
                    || !found.refused.is_empty()
                    || !found.alone.is_empty()
                    || !tells_of_sources(&active.config.converters[converter]);
                if waits {
                    looked.waiting.insert(folder.clone());
                }
                candidates.extend(found.candidates);
                alone.extend(found.alone);
                looked
                    .real
                    .extend(found.real.map(|real| (folder.clone(), real)));
                let identity = found.converter_id.map(|id| (converter, id));
                looked.identities.extend(identity);
                for (path, error) in found.refused {
                    if worker
                        .host
                        .stuck
                        .begin(&path, name, StuckAt::Looking, &error)
                    {
                        worker.trouble(&path, &error);
                    }
                    looked.refused.insert(path);
                }
                looked.listed.insert(folder, found.id);
            }
            Err(error) => tell(&folder, &error),
        }
    }
    if !alone.is_empty() {
        // Another converter of this folder may take them.
        let own = candidates.iter().map(|candidate| candidate.path.clone());
        let theirs = candidates.iter().flat_map(Candidate::companion_paths);
        let taken: HashSet<PathBuf> = own.chain(theirs).collect();
        let alone = alone.into_iter().filter(|path| !taken.contains(path));
        let why = "the file it belongs to is not there";
        looked.apart.extend(alone.map(|path| (path, why)));
    }
    let robbed = candidate::order(&mut candidates, &active.config.converters);
    let why = "what belongs to it is another converter's";
    looked.waiting.extend(
        robbed
            .iter()
            .filter_map(|path| watch_folder_of(path, &active.config).map(Path::to_owned)),
    );
    looked
        .apart
        .extend(robbed.into_iter().map(|path| (path, why)));
    candidates
}

/// Returns true if what happens in the watch folder itself tells of every source.
///
/// It does not tell of a marker or a file that appears inside of a folder, nor of what a link leads
/// to.
fn tells_of_sources(config: &ConverterConfig) -> bool {
    config.complete_marker.is_none()
        && config.links == Links::Skip
        && config.subfolders == Subfolders::Skip
}

/// Returns what a source still lacks. Stations create a file before they write it.
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

/// Returns why a stable source must not be taken yet, if so.
///
/// The list of open files is requested from the system at most once per scan, and only when needed.
fn not_yet(
    candidate: &Candidate,
    active: &ActiveConfig,
    real: &[(PathBuf, PathBuf)],
    open_files: &mut Option<OpenFiles>,
) -> Option<String> {
    let config = &active.config.converters[candidate.converter];
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

fn taken(
    candidate: Candidate,
    active: &Arc<ActiveConfig>,
    failures: u32,
    trials: u32,
) -> TakenFile {
    TakenFile {
        candidate,
        active: Arc::clone(active),
        failures,
        trials,
        since: Instant::now(),
    }
}

pub(in crate::host) fn watched(config: &Config) -> impl Iterator<Item = &Path> {
    let converters = config.converters.iter();
    converters.filter_map(|converter| converter.watch_folder.as_deref())
}

/// Returns the watch folder that a file lies in; the innermost, where one lies in another.
fn watch_folder_of<'a>(path: &Path, config: &'a Config) -> Option<&'a Path> {
    let around = config.converters.iter().filter_map(|converter| {
        let folder = converter.watch_folder.as_deref()?;
        let is_in_it = match converter.subfolders {
            Subfolders::Skip => path.parent() == Some(folder),
            Subfolders::Read => path.starts_with(folder),
        };
        is_in_it.then_some(folder)
    });
    around.max_by_key(|folder| folder.as_os_str().len())
}

/// Returns how long a file must still stay unchanged before it is taken.
fn time_until_stable(candidate: &Candidate, config: &ConverterConfig, now: SystemTime) -> Duration {
    config.settle.saturating_sub(candidate.meta.age(now))
}
