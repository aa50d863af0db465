//! Wakes the scan when something appears in a watch folder.
//!
//! Only the scan decides what is there. Where a system or a network share sends no events, files
//! are found by the next scan.

use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// Watches folders for changes and wakes the scan.
pub(in crate::host) struct FolderWatcher {
    wake: Sender<()>,
    pub(in crate::host) wakeups: Receiver<()>,
    watcher: Option<RecommendedWatcher>,
    watched: Vec<PathBuf>,
    /// Receives the watcher that is being set up for the current folders.
    coming: Option<Receiver<SetUp>>,
}

/// The system's watcher, if there is one, and the folders that cannot be watched.
type SetUp = (Option<RecommendedWatcher>, Vec<(PathBuf, String)>);

impl FolderWatcher {
    pub(in crate::host) fn new() -> Self {
        let (wake, wakeups) = bounded(1);
        Self {
            wake,
            wakeups,
            watcher: None,
            watched: Vec::new(),
            coming: None,
        }
    }

    /// Watches exactly these folders. Returns those that turned out not to be watchable since the
    /// last call, with the reason.
    ///
    /// Never blocks, because a share that does not answer must not hold up the others.
    pub(in crate::host) fn watch<'a>(
        &mut self,
        folders: impl Iterator<Item = &'a Path>,
    ) -> Vec<(PathBuf, String)> {
        let mut wanted: Vec<PathBuf> = folders.map(Path::to_owned).collect();
        wanted.sort();
        wanted.dedup();
        if wanted != self.watched {
            self.watched.clone_from(&wanted);
            let (done, coming) = bounded(1);
            self.coming = Some(coming);
            let wake = self.wake.clone();
            let work = move || {
                // The receiver is gone when other folders are wanted by now.
                let _ = done.send(set_up(wanted, wake));
            };
            // Without a thread there are no events, but the folders are still scanned regularly.
            let _ = std::thread::Builder::new()
                .name("annals-watch".to_owned())
                .spawn(work);
        }
        let come = self
            .coming
            .as_ref()
            .and_then(|coming| coming.try_recv().ok());
        let Some((watcher, unwatched)) = come else {
            return Vec::new();
        };
        self.watcher = watcher;
        self.coming = None;
        unwatched
    }
}

fn set_up(wanted: Vec<PathBuf>, wake: Sender<()>) -> SetUp {
    let heard = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| brings_something(event.kind)) {
            // A full channel means that a wake-up is pending already.
            let _ = wake.try_send(());
        }
    };
    match notify::recommended_watcher(heard) {
        Ok(mut watcher) => {
            let mut unwatched = Vec::new();
            for folder in wanted {
                if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    unwatched.push((folder, error.to_string()));
                }
            }
            (Some(watcher), unwatched)
        }
        Err(error) => {
            let why = error.to_string();
            let unwatched = wanted.into_iter().map(|folder| (folder, why.clone()));
            (None, unwatched.collect())
        }
    }
}

/// Returns true for an event that may bring a new file. The host's own reading and removing does
/// not wake the scan.
fn brings_something(kind: EventKind) -> bool {
    match kind {
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Any => true,
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Remove(_) | EventKind::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_appears_rings_and_a_folder_that_is_not_there_is_told() {
        let dir = tempfile::tempdir().expect("folder");
        let missing = dir.path().join("missing");
        let mut alarm = FolderWatcher::new();
        let mut unwatched = alarm.watch([dir.path(), &missing].into_iter());
        while alarm.coming.is_some() {
            std::thread::sleep(std::time::Duration::from_millis(1));
            unwatched.extend(alarm.watch([dir.path(), &missing].into_iter()));
        }
        if alarm.watcher.is_none() {
            return;
        }
        assert_eq!(unwatched.len(), 1);
        assert_eq!(unwatched[0].0, missing);
        std::fs::write(dir.path().join("a"), "x").expect("written");
        let long = std::time::Duration::from_secs(30);
        assert!(alarm.wakeups.recv_timeout(long).is_ok());
        assert!(alarm.watch([dir.path(), &missing].into_iter()).is_empty());
    }
}
