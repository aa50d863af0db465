//! What a host remembers of files between two looks. Lost with the process, and with the file.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::files::Ending;
use super::host::Host;
use super::look::Looked;
use super::look::watched;
use crate::Error;
use crate::host::config::settings::ConverterConfig;
use crate::host::observe::stuck::StuckAt;
use crate::host::panics::lock;
use crate::host::setup::Setup;
use crate::host::sources::candidate::Candidate;
use crate::host::sources::look::Look;
use crate::id::ConverterId;

/// Before a file is looked at again over which a step panicked.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// What is known of a file from an earlier look or pass. Lost with the process, and with the file.
#[derive(Debug, Clone)]
pub(in crate::host) enum Memory {
    /// Seen, not yet taken.
    Seen { look: Look, since: Instant },
    /// Tried, and not to be tried again until then.
    Waiting {
        look: Look,
        until: Instant,
        failures: u32,
    },
    /// Done with, until its converter changes where that one could not convert it.
    Done {
        look: Look,
        failed_by: Option<ConverterId>,
    },
    /// Converted, but not yet cleared away.
    Uncleared { ending: Ending, until: Instant },
    /// Left because its converter cannot run, so often.
    Parked {
        look: Look,
        failures: u32,
        trials: u32,
    },
}

impl Memory {
    fn look(&self) -> &Look {
        match self {
            Self::Seen { look, .. }
            | Self::Waiting { look, .. }
            | Self::Done { look, .. }
            | Self::Parked { look, .. } => look,
            Self::Uncleared { ending, .. } => &ending.seen.look,
        }
    }
}

/// What an earlier look says about a file that has not changed since.
pub(in crate::host) enum Recalled {
    Fresh,
    /// Tried before, and due again.
    Again {
        failures: u32,
    },
    /// Its converter could not run.
    Parked {
        failures: u32,
        trials: u32,
    },
    Known,
    /// This converter could not convert it.
    FailedBy(ConverterId),
    Left(&'static str),
    Clear(Ending),
}

impl Host {
    /// Forgets the files that are not in their folders any more. What a folder holds that was not
    /// listed this time is not known.
    pub(in crate::host) fn forget_all_but(
        &self,
        candidates: &[Candidate],
        setup: &Setup,
        looked: &Looked,
    ) {
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
        lock(&self.memory).retain(|path, _| present.contains(path.as_path()) || may_be_there(path));
        self.troubles.retain(|path, at| match at {
            StuckAt::Looking => looked.refused.contains(path) || may_be_there(path),
            _ => present.contains(path) || looked.refused.contains(path) || may_be_there(path),
        });
    }

    /// For each converter that is to be tried again, the file to try it with: the one that was
    /// tried least often, so that a file that ends every converter does not hold up the line.
    pub(in crate::host) fn trials(
        &self,
        candidates: &[Candidate],
        setup: &Setup,
    ) -> HashMap<String, PathBuf> {
        let memory = lock(&self.memory);
        let mut least: HashMap<&str, (u32, &Path)> = HashMap::new();
        for candidate in candidates {
            let converter = setup.config.converters[candidate.converter]
                .converter
                .name
                .as_str();
            let Some(Memory::Parked { trials, .. }) = memory.get(&candidate.path) else {
                continue;
            };
            if self.lines.is_due(converter) {
                let first = least.entry(converter).or_insert((*trials, &candidate.path));
                if *trials < first.0 {
                    *first = (*trials, &candidate.path);
                }
            }
        }
        let owned =
            |(converter, (_, path)): (&str, (u32, &Path))| (converter.to_owned(), path.to_owned());
        least.into_iter().map(owned).collect()
    }

    /// A step over a file panicked where not even that could be told: it is left for a while.
    pub(in crate::host) fn forget_for_now(&self, path: &Path, error: &Error) {
        self.troubles.begin(path, "", StuckAt::Converting, error);
        self.books.trouble(path, error);
        let mut memory = lock(&self.memory);
        if let Some(look) = memory.get(path).map(|known| *known.look()) {
            let until = Instant::now() + AFTER_PANIC;
            let waiting = Memory::Waiting {
                look,
                until,
                failures: 0,
            };
            memory.insert(path.to_owned(), waiting);
        }
    }

    /// The folders with files that a converter could not convert.
    pub(in crate::host) fn failed_in(&self) -> HashSet<PathBuf> {
        let memory = lock(&self.memory);
        let failed = memory.iter().filter(|(_, known)| {
            matches!(
                known,
                Memory::Done {
                    failed_by: Some(_),
                    ..
                }
            )
        });
        failed
            .filter_map(|(path, _)| path.parent().map(Path::to_owned))
            .collect()
    }

    pub(in crate::host) fn remember(&self, path: &Path, memory: Memory) {
        lock(&self.memory).insert(path.to_owned(), memory);
    }

    pub(in crate::host) fn recall(&self, candidate: &Candidate) -> Recalled {
        let mut memory = lock(&self.memory);
        let Some(known) = memory.get(&candidate.path) else {
            return Recalled::Fresh;
        };
        if *known.look() != candidate.look {
            if !matches!(known, Memory::Seen { .. }) {
                memory.remove(&candidate.path);
            }
            return Recalled::Fresh;
        }
        match known {
            Memory::Seen { .. } => Recalled::Fresh,
            Memory::Done { failed_by, .. } => failed_by.map_or(Recalled::Known, Recalled::FailedBy),
            Memory::Waiting { until, .. } if Instant::now() < *until => {
                Recalled::Left("its next attempt is not due yet")
            }
            Memory::Waiting { failures, .. } => Recalled::Again {
                failures: *failures,
            },
            Memory::Parked {
                failures, trials, ..
            } => Recalled::Parked {
                failures: *failures,
                trials: *trials,
            },
            Memory::Uncleared { until, .. } if Instant::now() < *until => {
                Recalled::Left("it could not be cleared away yet")
            }
            Memory::Uncleared { ending, .. } => Recalled::Clear(ending.clone()),
        }
    }

    /// True when the file has been the same for the time its converter asks for.
    pub(in crate::host) fn is_settled(
        &self,
        candidate: &Candidate,
        config: &ConverterConfig,
    ) -> bool {
        let settle = config.settle;
        if candidate.look.age(SystemTime::now()) >= settle {
            return true;
        }
        let mut memory = lock(&self.memory);
        match memory.get(&candidate.path) {
            Some(Memory::Seen { look, since }) if *look == candidate.look => {
                since.elapsed() >= settle
            }
            Some(known) if *known.look() == candidate.look => true,
            _ => {
                memory.insert(
                    candidate.path.clone(),
                    Memory::Seen {
                        look: candidate.look,
                        since: Instant::now(),
                    },
                );
                settle.is_zero()
            }
        }
    }
}
