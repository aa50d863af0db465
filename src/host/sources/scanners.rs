//! Scans each watch folder on its own thread, so that a share that hangs blocks only itself.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::candidate::Candidate;
use super::resting::RestingFolders;
use super::silent::Silent;
use super::{clear, scan};
use crate::host::active_config::ActiveConfig;
use crate::host::archives::Archives;
use crate::host::config::settings::ConverterConfig;
use crate::host::file_id::FileId;
use crate::host::panics::{self, lock};
use crate::id::ConverterId;
use crate::{Error, Result};

/// How long a scan of all folders waits for slow ones. Their later results are used by the next
/// scan.
pub(in crate::host) const SLOW: Duration = Duration::from_secs(2);
/// A folder that has not answered for this long is reported, and no longer waited for.
pub(in crate::host) const SILENT: Duration = Duration::from_secs(10);

/// What a converter's watch folder contains.
pub(in crate::host) struct FolderListing {
    /// The index of the converter in the configuration.
    pub(in crate::host) converter: usize,
    pub(in crate::host) folder: PathBuf,
    pub(in crate::host) result: Result<Found>,
}

/// What the scanner threads need from the host.
pub(in crate::host) struct ScanContext<'a> {
    pub(in crate::host) archives: &'a Archives,
    /// The folder in which converters get their temporary folders.
    pub(in crate::host) scratch: &'a Path,
    /// Folders with files that a converter could not convert. For these, the scanner threads also
    /// determine the current identity of the converter.
    pub(in crate::host) failed_in: HashSet<PathBuf>,
}

#[derive(Default)]
pub(in crate::host) struct Found {
    pub(in crate::host) candidates: Vec<Candidate>,
    /// Items that cannot be taken, with the reason.
    pub(in crate::host) refused: Vec<(PathBuf, Error)>,
    /// Companions without their main file.
    pub(in crate::host) alone: Vec<PathBuf>,
    /// The path of the folder without links.
    pub(in crate::host) real: Option<PathBuf>,
    /// Which folder it is.
    pub(in crate::host) id: Option<FileId>,
    /// The current identity of the converter, if it was requested and could be determined.
    pub(in crate::host) converter_id: Option<ConverterId>,
    /// Problems with what an earlier host had set aside.
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

/// A request to a scanner thread.
struct Question {
    active: Arc<ActiveConfig>,
    converter: usize,
    /// True if the converter's current identity is requested too.
    asks_identity: bool,
}

struct FolderScanner {
    ask: Sender<Question>,
    answers: Receiver<FolderListing>,
    /// When the open request was made, and under which configuration; `None` when all are answered.
    asked: Option<(Instant, Arc<ActiveConfig>)>,
    /// True after a request was not answered in time. Scans do not wait for this thread until it
    /// answers.
    is_late: bool,
}

impl FolderScanners {
    /// Scans all folders but those at rest, and returns the results of those that answered within
    /// `patience`.
    pub(in crate::host) fn look(
        &self,
        active: &Arc<ActiveConfig>,
        scan_context: &ScanContext<'_>,
        resting: &RestingFolders,
        patience: Duration,
    ) -> Vec<FolderListing> {
        let mut scanners = lock(&self.scanners);
        let watched: Vec<(Key, usize)> = watched(&active.config.converters).collect();
        scanners.retain(|key, _| watched.iter().any(|(watched, _)| watched == key));
        let mut listed = Vec::new();
        for (key, converter) in &watched {
            if resting.rests(&key.1) {
                continue;
            }
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
                asks_identity: scan_context
                    .failed_in
                    .iter()
                    .any(|in_it| in_it.starts_with(&key.1)),
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
                // Results for another configuration are discarded; the folder is scanned again.
                if Arc::ptr_eq(of, active) {
                    listed.push(answer);
                }
                scanner.asked = None;
            }
        }
        listed
    }

    /// Makes the next scan put back what is set aside in a watch folder, after something went wrong
    /// there.
    pub(in crate::host) fn look_for_set_aside(&self, watched: &Path) {
        lock(&self.tidied).remove(watched);
    }

    /// Returns true if nothing is left set aside in a watch folder.
    pub(in crate::host) fn is_tidied(&self, watched: &Path) -> bool {
        lock(&self.tidied).contains(watched)
    }

    /// Returns true while a scan has not been answered.
    pub(in crate::host) fn are_asked(&self) -> bool {
        let scanners = lock(&self.scanners);
        scanners.values().any(|scanner| scanner.asked.is_some())
    }

    /// Returns the folders that have not answered for too long.
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
    /// Starts the thread that scans `watched`. It ends when its requests end.
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
                        let identity = active.live_identity(converter, &archives, &scratch);
                        found.converter_id = identity.ok();
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
    // Only what an earlier host left is put back, and only once: what is set aside later is just
    // being cleared away. A folder that cannot be listed is reported below, and put in order once
    // it can be.
    if !lock(tidied).contains(watched)
        && let Ok(troubles) = clear::recover(watched)
    {
        lock(tidied).insert(watched.to_owned());
        found.set_aside = troubles;
        // A subfolder that cannot be listed is reported below, too.
        for folder in scan::folders_of(watched, config.subfolders).iter().skip(1) {
            let troubles = clear::recover(folder).unwrap_or_default();
            found.set_aside.extend(troubles);
        }
    }
    let scanned = scan::scan(config, watched, converter)
        .map_err(|error| Error::io("list", watched, error))?;
    found.candidates = scanned.candidates;
    found.refused = scanned.refused;
    found.alone = scanned.alone;
    // Done on this thread, because a share that does not answer then blocks nothing else.
    found.real = watched.canonicalize().ok();
    let metadata = watched.metadata().ok();
    found.id = metadata.map(|metadata| FileId::of(&metadata));
    Ok(found)
}
