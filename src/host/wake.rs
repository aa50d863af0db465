//! Wakes the scan of the watch folders when something appears in one. The scan alone is the truth: where a system or a network
//! share tells nothing, files are found all the same, only later.

use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// Who wakes the scan.
pub(super) struct Alarm {
    ring: Sender<()>,
    pub(super) rung: Receiver<()>,
    watcher: Option<RecommendedWatcher>,
    watched: Vec<PathBuf>,
}

impl Alarm {
    pub(super) fn new() -> Self {
        let (ring, rung) = bounded(1);
        Self {
            ring,
            rung,
            watcher: None,
            watched: Vec::new(),
        }
    }

    /// Watches these folders and no others; answers those that cannot be watched, and why.
    pub(super) fn watch<'a>(
        &mut self,
        folders: impl Iterator<Item = &'a Path>,
    ) -> Vec<(PathBuf, String)> {
        let mut wanted: Vec<PathBuf> = folders.map(Path::to_owned).collect();
        wanted.sort();
        wanted.dedup();
        if wanted == self.watched {
            return Vec::new();
        }
        self.watched.clone_from(&wanted);
        let ring = self.ring.clone();
        let heard = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| brings_something(event.kind)) {
                // It rings already.
                let _ = ring.try_send(());
            }
        };
        let mut unwatched = Vec::new();
        match notify::recommended_watcher(heard) {
            Ok(mut watcher) => {
                for folder in wanted {
                    if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                        unwatched.push((folder, error.to_string()));
                    }
                }
                self.watcher = Some(watcher);
            }
            Err(error) => {
                self.watcher = None;
                unwatched.extend(wanted.into_iter().map(|folder| (folder, error.to_string())));
            }
        }
        unwatched
    }
}

/// What the host does itself, reading and removing, wakes nobody.
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
        let mut alarm = Alarm::new();
        let unwatched = alarm.watch([dir.path(), &missing].into_iter());
        if alarm.watcher.is_none() {
            return;
        }
        assert_eq!(unwatched.len(), 1);
        assert_eq!(unwatched[0].0, missing);
        std::fs::write(dir.path().join("a"), "x").expect("written");
        let long = std::time::Duration::from_secs(30);
        assert!(alarm.rung.recv_timeout(long).is_ok());
        assert!(alarm.watch([dir.path(), &missing].into_iter()).is_empty());
    }
}
