//! A look into all watch folders: takes the files that are ready, and says of the others why they stay.
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::files::{Converted, PARKED, Taken};
use super::host::Host;
use super::memory::Recalled;
use super::worker::Hand;
use crate::Error;
use crate::host::config::settings::{Config, ConverterConfig, Writers};
use crate::host::observe::stuck::StuckAt;
use crate::host::setup::Setup;
use crate::host::sources::candidate::{self, Candidate};
use crate::host::sources::listers::{self, Listed};
use crate::host::sources::open_files::OpenFiles;
use crate::host::stop::Stop;
use crate::id::ConverterId;

/// File systems keep time in ticks.
pub(in crate::host) const TICK: Duration = Duration::from_millis(20);

/// What a look into the folders found.
#[derive(Default)]
pub(in crate::host) struct Looked {
    /// When the first of the files that are still changing may have settled.
    pub(in crate::host) settles_in: Option<Duration>,
    /// Folders that could not be looked into.
    pub(in crate::host) troubles: Vec<String>,
    /// Folders that were.
    pub(in crate::host) listed: HashSet<PathBuf>,
    /// What is in them and cannot be taken.
    pub(in crate::host) refused: HashSet<PathBuf>,
    /// There were more files than can be in hand.
    pub(in crate::host) more: bool,
    /// The folders that were listed, and what each is called without links in its path.
    real: Vec<(PathBuf, PathBuf)>,
    /// Who the converters are now whose files failed.
    identities: HashMap<usize, ConverterId>,
    /// Files that are apart from what belongs to them, and why.
    apart: Vec<(PathBuf, &'static str)>,
}

impl Looked {
    /// True when a converter is certainly another one than `before`.
    fn is_another(&self, converter: usize, before: ConverterId) -> bool {
        let now = self.identities.get(&converter);
        now.is_some_and(|now| *now != before)
    }
}

impl Host {
    /// Looks into all folders and takes what is ready.
    pub(in crate::host) fn look(
        &self,
        setup: &Arc<Setup>,
        hand: &Hand,
        patience: Duration,
    ) -> Looked {
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
            let (failures, tried) = match self.memory.recall(&candidate) {
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
            if !self.memory.is_settled(&candidate, config) {
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

    /// Forgets the files that are not in their folders any more. What a folder holds that was not
    /// listed this time is not known.
    fn forget_all_but(&self, candidates: &[Candidate], setup: &Setup, looked: &Looked) {
        let present: HashSet<&Path> = candidates
            .iter()
            .map(|candidate| candidate.path.as_path())
            .collect();
        let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
        let watched: HashSet<&Path> = watched(&setup.config).collect();
        let may_be_there = |path: &Path| {
            let folder = folder(path);
            watched.contains(&*folder) && !looked.listed.contains(&folder)
        };
        self.memory
            .retain(|path| present.contains(path) || may_be_there(path));
        self.troubles.retain(|path, at| match at {
            StuckAt::Looking => looked.refused.contains(path) || may_be_there(path),
            _ => present.contains(path) || looked.refused.contains(path) || may_be_there(path),
        });
    }

    /// For each converter that is to be tried again, the file to try it with: the one that was
    /// tried least often, so that a file that ends every converter does not hold up the line.
    fn trials(&self, candidates: &[Candidate], setup: &Setup) -> HashMap<String, PathBuf> {
        let mut least: HashMap<&str, (u32, &Path)> = HashMap::new();
        for candidate in candidates {
            let converter = setup.config.converters[candidate.converter]
                .converter
                .name
                .as_str();
            let Some(trials) = self.memory.trials(&candidate.path) else {
                continue;
            };
            if self.lines.is_due(converter) {
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

    /// Another look in the same pass, at what there was no room for: what was left before is not left twice.
    pub(in crate::host) fn look_for_more(&self, setup: &Arc<Setup>, hand: &Hand) -> Looked {
        let mut looked = Looked::default();
        let silent = self.silent();
        let mut open_files = None;
        for candidate in scan(setup, hand, &mut looked, listers::SLOW) {
            let config = &setup.config.converters[candidate.converter];
            if !self.has_room(setup, &hand.hooks) {
                break;
            }
            let folder = config.watch_folder.as_deref();
            if silent.iter().any(|silent| Some(&*silent.folder) == folder) {
                continue;
            }
            if self.memory.is_new(&candidate.path)
                && self.memory.is_settled(&candidate, config)
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
    pub(in crate::host) fn wait_for_settling(&self, setup: &Arc<Setup>, stop: &Stop) {
        let now = SystemTime::now();
        let mut longest = Duration::ZERO;
        // A folder that cannot be listed is told of when it is listed for good.
        let listed = self
            .listers
            .look(setup, &self.looking(), listers::SILENT)
            .into_iter();
        for candidate in listed
            .filter_map(|listed| listed.result.ok())
            .flat_map(|found| found.candidates)
        {
            let config = &setup.config.converters[candidate.converter];
            if incomplete(&candidate, config, now).is_some() {
                continue;
            }
            self.memory.is_settled(&candidate, config);
            longest = longest.max(unsettled(&candidate, config, now));
        }
        if !longest.is_zero() {
            stop.intake.sleep(longest + TICK);
        }
    }
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
    let robbed = candidate::order(&mut candidates, &setup.config.converters);
    let why = "what belongs to it is another converter's";
    looked
        .apart
        .extend(robbed.into_iter().map(|path| (path, why)));
    candidates
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

pub(in crate::host) fn watched(config: &Config) -> impl Iterator<Item = &Path> {
    let converters = config.converters.iter();
    converters.filter_map(|converter| converter.watch_folder.as_deref())
}

/// How long a file must still stay the same before it is taken.
pub(in crate::host) fn unsettled(
    candidate: &Candidate,
    config: &ConverterConfig,
    now: SystemTime,
) -> Duration {
    config.settle.saturating_sub(candidate.look.age(now))
}
