//! Scans each watch folder on a thread of its own, so that a share that hangs holds up only itself.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::candidate::Candidate;
use super::silent::Silent;
use super::{clear, scan};
use crate::host::active_config::ActiveConfig;
use crate::host::archives::Archives;
use crate::host::config::settings::ConverterConfig;
use crate::host::panics::{self, lock};
use crate::id::ConverterId;
use crate::{Error, Result};

/// How long a look into all folders waits for those that are slow to answer. What they answer
/// later is taken at the next look.
pub(in crate::host) const SLOW: Duration = Duration::from_secs(2);
/// A folder that has not answered for so long is told of, and not waited for.
pub(in crate::host) const SILENT: Duration = Duration::from_secs(10);

/// What a converter's watch folder holds.
pub(in crate::host) struct FolderListing {
    /// Place of the converter in the configuration.
    pub(in crate::host) converter: usize,
    pub(in crate::host) folder: PathBuf,
    pub(in crate::host) result: Result<Found>,
}

/// What the scanner threads need of the host.
pub(in crate::host) struct ScanContext<'a> {
    pub(in crate::host) archives: &'a Archives,
    /// Where converters are made ready.
    pub(in crate::host) scratch: &'a Path,
    /// The folders that hold files which a converter could not convert. Who would convert them now
    /// is asked there too.
    pub(in crate::host) failed_in: HashSet<PathBuf>,
}

#[derive(Default)]
pub(in crate::host) struct Found {
    pub(in crate::host) candidates: Vec<Candidate>,
    /// What cannot be taken, and why.
    pub(in crate::host) refused: Vec<(PathBuf, Error)>,
    /// What belongs to files that are not there.
    pub(in crate::host) alone: Vec<PathBuf>,
    /// What the folder is called without links in its path.
    pub(in crate::host) real: Option<PathBuf>,
    /// Who its converter is now, where that was asked and could be told.
    pub(in crate::host) converter_id: Option<ConverterId>,
    /// What was wrong with what an earlier host had set aside.
    pub(in crate::host) set_aside: Vec<Error>,
}

/// The threads that scan the watch folders, one for each converter.
#[derive(Default)]
pub(in crate::host) struct FolderScanners {
    scanners: Mutex<BTreeMap<Key, FolderScanner>>,
    tidied: Tidied,
}

/// The watch folders where nothing is left set aside by an earlier host.
type Tidied = Arc<Mutex<HashSet<PathBuf>>>;

/// A converter's name and its watch folder.
type Key = (String, PathBuf);

/// What a thread is asked.
struct Question {
    active: Arc<ActiveConfig>,
    converter: usize,
    /// Who the converter is now is asked too.
    asks_identity: bool,
}

struct FolderScanner {
    ask: Sender<Question>,
    answers: Receiver<FolderListing>,
    /// When the question was asked that is not answered yet.
    asked: Option<(Instant, Arc<ActiveConfig>)>,
    /// It did not answer in time, and is not waited for before it does.
    is_late: bool,
}

impl FolderScanners {
    /// Looks into all folders, and returns what those hold that answered within `patience`.
    pub(in crate::host) fn look(
        &self,
        active: &Arc<ActiveConfig>,
        scan_context: &ScanContext<'_>,
        patience: Duration,
    ) -> Vec<FolderListing> {
        let mut scanners = lock(&self.scanners);
        let watched: Vec<(Key, usize)> = watched(&active.config.converters).collect();
        scanners.retain(|key, _| watched.iter().any(|(watched, _)| watched == key));
        let mut listed = Vec::new();
        for (key, converter) in &watched {
            let scanner = match scanners.get_mut(key) {
                Some(scanner) => scanner,
                None => match FolderScanner::start(key.1.clone(), scan_context, &self.tidied) {
                    Ok(scanner) => scanners.entry(key.clone()).or_insert(scanner),
                    Err(error) => {
                        listed.push(FolderListing {
                            converter: *converter,
                            folder: key.1.clone(),
                            result: Err(Error::io("start a thread for", &key.1, error)),
                        });
                        continue;
                    }
                },
            };
            let question = Question {
                active: Arc::clone(active),
                converter: *converter,
                asks_identity: scan_context.failed_in.contains(&key.1),
            };
            if scanner.asked.is_none() && scanner.ask.try_send(question).is_ok() {
                scanner.asked = Some((Instant::now(), Arc::clone(active)));
            }
        }
        let until = Instant::now() + patience;
        for (key, _) in &watched {
            let Some(scanner) = scanners.get_mut(key) else {
                continue;
            };
            let Some((_, of)) = &scanner.asked else {
                continue;
            };
            let left = if scanner.is_late {
                Duration::ZERO
            } else {
                until.saturating_duration_since(Instant::now())
            };
            let answer = scanner.answers.recv_timeout(left);
            scanner.is_late = answer.is_err();
            if let Ok(answer) = answer {
                // What was found under another configuration is looked for again.
                if Arc::ptr_eq(of, active) {
                    listed.push(answer);
                }
                scanner.asked = None;
            }
        }
        listed
    }

    /// Has the next look put back what is set aside in a watch folder: something went wrong there.
    pub(in crate::host) fn look_for_set_aside(&self, watched: &Path) {
        lock(&self.tidied).remove(watched);
    }

    /// The folders that have not answered for too long.
    pub(in crate::host) fn silent(&self) -> Vec<Silent> {
        let scanners = lock(&self.scanners);
        let silent = scanners.iter().filter_map(|((_, folder), scanner)| {
            let (asked, _) = scanner.asked.as_ref()?;
            (asked.elapsed() > SILENT).then(|| Silent {
                folder: folder.clone(),
                path: None,
                since: *asked,
            })
        });
        silent.collect()
    }
}

fn watched(converters: &[ConverterConfig]) -> impl Iterator<Item = (Key, usize)> {
    converters.iter().enumerate().filter_map(|(place, config)| {
        let folder = config.watch_folder.clone()?;
        Some(((config.converter.name.clone(), folder), place))
    })
}

impl FolderScanner {
    /// Starts the thread that looks into `watched`. It ends when nobody asks any more.
    fn start(
        watched: PathBuf,
        scan_context: &ScanContext<'_>,
        tidied: &Tidied,
    ) -> std::io::Result<Self> {
        let tidied = Arc::clone(tidied);
        let archives = scan_context.archives.clone();
        let scratch = scan_context.scratch.to_owned();
        let (ask, asked) = bounded::<Question>(1);
        let (answer, answers) = bounded(1);
        let work = move || {
            for question in asked {
                let Question {
                    active, converter, ..
                } = question;
                let result = panics::caught(|| {
                    active.check_folder(&watched, &archives)?;
                    let config = &active.config.converters[converter];
                    let mut found = list(config, &watched, converter, &tidied)?;
                    if question.asks_identity {
                        let runner = active.runner(converter, &scratch);
                        found.converter_id = runner.and_then(|runner| runner.converter_id()).ok();
                    }
                    Ok(found)
                });
                let listed = FolderListing {
                    converter,
                    folder: watched.clone(),
                    result,
                };
                if answer.send(listed).is_err() {
                    return;
                }
            }
        };
        let name = "annals-look".to_owned();
        std::thread::Builder::new().name(name).spawn(work)?;
        Ok(Self {
            ask,
            answers,
            asked: None,
            is_late: false,
        })
    }
}

pub(in crate::host) fn list(
    config: &ConverterConfig,
    watched: &Path,
    converter: usize,
    tidied: &Tidied,
) -> Result<Found> {
    let mut found = Found::default();
    // What is set aside later is being cleared away: only what an earlier host left is put back,
    // once. A folder that cannot be listed is told of below, and tidied when it can be.
    if !lock(tidied).contains(watched)
        && let Ok(troubles) = clear::recover(watched)
    {
        lock(tidied).insert(watched.to_owned());
        found.set_aside = troubles;
    }
    let scanned = scan::scan(config, watched, converter)
        .map_err(|error| Error::io("list", watched, error))?;
    found.candidates = scanned.candidates;
    found.refused = scanned.refused;
    found.alone = scanned.alone;
    // Asked here, because a share that does not answer holds up nothing but this thread.
    found.real = watched.canonicalize().ok();
    Ok(found)
}
