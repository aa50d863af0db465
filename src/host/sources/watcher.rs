//! Tells in which watch folders something appeared, as far as the system tells it.
//!
//! Only a scan decides what is there. Events of a system are lost, folders are replaced, and
//! network shares send none, so a folder is [`Told::Surely`] only where all of this can be noticed.
//! The others are scanned again and again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::mounts::Mounts;
use crate::host::file_id::FileId;
use crate::host::panics::lock;

/// Watches folders for changes and wakes the scan.
pub(in crate::host) struct FolderWatcher {
    wake: Sender<()>,
    pub(in crate::host) wakeups: Receiver<()>,
    heard: Arc<Mutex<Heard>>,
    mounts: Mounts,
    watcher: Option<RecommendedWatcher>,
    /// The watched folders about which the system tells everything.
    sure: HashMap<PathBuf, FileId>,
    wanted: Vec<PathBuf>,
    /// Receives the watcher that is being set up for the current folders.
    coming: Option<Receiver<SetUp>>,
}

/// What the system's events say, since it was last asked for.
#[derive(Default)]
pub(in crate::host) struct Heard {
    /// Folders in which something may have appeared.
    folders: HashSet<PathBuf>,
    /// True after events were lost, or a watched folder was.
    lost: bool,
}

/// What can be said about the folders that were watched.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::host) enum Told {
    /// Something may have appeared in these.
    Folders(HashSet<PathBuf>),
    /// Something may have appeared anywhere.
    Anywhere,
}

/// The system's watcher, if there is one, and what it can watch.
#[derive(Default)]
struct SetUp {
    watcher: Option<RecommendedWatcher>,
    sure: HashMap<PathBuf, FileId>,
    /// The folders that cannot be watched, with the reason.
    unwatched: Vec<(PathBuf, String)>,
}

impl FolderWatcher {
    pub(in crate::host) fn new() -> Self {
        let (wake, wakeups) = bounded(1);
        Self {
            wake,
            wakeups,
            heard: Arc::default(),
            mounts: Mounts::of_system(),
            watcher: None,
            sure: HashMap::new(),
            wanted: Vec::new(),
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
        if wanted != self.wanted {
            self.wanted.clone_from(&wanted);
            self.sure.clear();
            let (done, coming) = bounded(1);
            self.coming = Some(coming);
            let (wake, heard) = (self.wake.clone(), Arc::clone(&self.heard));
            let work = move || {
                // The receiver is gone when other folders are wanted by now.
                let _ = done.send(set_up(wanted, wake, heard));
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
        let Some(come) = come else {
            return Vec::new();
        };
        self.watcher = come.watcher;
        self.sure = come.sure;
        self.coming = None;
        come.unwatched
    }

    /// Returns where something may have appeared since the last call.
    ///
    /// After events were lost, or something was mounted, the folders are watched anew.
    pub(in crate::host) fn told(&mut self) -> Told {
        let heard = std::mem::take(&mut *lock(&self.heard));
        if heard.lost || self.mounts.have_changed() {
            self.watch_anew();
            return Told::Anywhere;
        }
        Told::Folders(heard.folders)
    }

    /// Watches all folders anew with the next call of [`Self::watch`].
    pub(in crate::host) fn watch_anew(&mut self) {
        self.wanted.clear();
        self.sure.clear();
    }

    /// Returns which folder it is whose changes are told surely; `None` if that is not certain.
    pub(in crate::host) fn sure_of(&self, folder: &Path) -> Option<FileId> {
        self.sure.get(folder).copied()
    }
}

fn set_up(wanted: Vec<PathBuf>, wake: Sender<()>, heard: Arc<Mutex<Heard>>) -> SetUp {
    let roots: HashSet<PathBuf> = wanted.iter().cloned().collect();
    let hear = move |event: notify::Result<notify::Event>| {
        let is_news = lock(&heard).takes(event, &roots);
        if is_news {
            // A full channel means that a wake-up is pending already.
            let _ = wake.try_send(());
        }
    };
    let mut made = SetUp::default();
    match notify::recommended_watcher(hear) {
        Ok(mut watcher) => {
            for folder in wanted {
                // Asked first: a folder that is replaced meanwhile is another one than expected.
                let id = std::fs::metadata(&folder).map(|metadata| FileId::of(&metadata));
                match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    Ok(()) => {
                        let id = id
                            .ok()
                            .filter(|_| super::mounts::tells_all_changes(&folder));
                        made.sure.extend(id.map(|id| (folder, id)));
                    }
                    Err(error) => made.unwatched.push((folder, error.to_string())),
                }
            }
            made.watcher = Some(watcher);
        }
        Err(error) => {
            let why = error.to_string();
            let unwatched = wanted.into_iter().map(|folder| (folder, why.clone()));
            made.unwatched = unwatched.collect();
        }
    }
    made
}

impl Heard {
    /// Takes an event in. Returns true when the scan must learn of it.
    fn takes(&mut self, event: notify::Result<notify::Event>, roots: &HashSet<PathBuf>) -> bool {
        let Ok(event) = event else {
            self.lost = true;
            return true;
        };
        let is_of_root = || event.paths.iter().any(|path| roots.contains(path));
        let leaves = matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From))
        );
        if event.need_rescan() || leaves && is_of_root() {
            self.lost = true;
            return true;
        }
        if !brings_something(event.kind) {
            return false;
        }
        for path in &event.paths {
            self.folders.extend(path.parent().map(Path::to_owned));
            if roots.contains(path) {
                self.folders.insert(path.clone());
            }
        }
        true
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
    use std::time::Duration;

    use super::*;

    fn settled(alarm: &mut FolderWatcher, folders: &[&Path]) -> Vec<(PathBuf, String)> {
        let mut unwatched = alarm.watch(folders.iter().copied());
        while alarm.coming.is_some() {
            std::thread::sleep(Duration::from_millis(1));
            unwatched.extend(alarm.watch(folders.iter().copied()));
        }
        unwatched
    }

    #[test]
    fn a_file_that_appears_rings_and_a_folder_that_is_not_there_is_told() {
        let dir = tempfile::tempdir().expect("folder");
        let missing = dir.path().join("missing");
        let mut alarm = FolderWatcher::new();
        let unwatched = settled(&mut alarm, &[dir.path(), &missing]);
        if alarm.watcher.is_none() {
            return;
        }
        assert_eq!(unwatched.len(), 1);
        assert_eq!(unwatched[0].0, missing);
        assert_eq!(alarm.sure_of(&missing), None);
        std::fs::write(dir.path().join("a"), "x").expect("written");
        let long = Duration::from_secs(30);
        assert!(alarm.wakeups.recv_timeout(long).is_ok());
        let Told::Folders(told) = alarm.told() else {
            panic!("one folder");
        };
        assert!(told.contains(dir.path()), "{told:?}");
        assert!(alarm.watch([dir.path(), &missing].into_iter()).is_empty());
    }

    /// A station that deletes and makes its folder anew was not heard of any more.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_watched_folder_that_is_replaced_is_watched_anew() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = dir.path().join("in");
        std::fs::create_dir(&folder).expect("made");
        let mut alarm = FolderWatcher::new();
        settled(&mut alarm, &[&folder]);
        if alarm.watcher.is_none() {
            return;
        }
        let long = Duration::from_secs(30);
        for _ in 0..2 {
            std::fs::rename(&folder, dir.path().join("old")).expect("moved");
            std::fs::create_dir(&folder).expect("made");
            while alarm.told() != Told::Anywhere {
                assert!(alarm.wakeups.recv_timeout(long).is_ok());
            }
            settled(&mut alarm, &[&folder]);
            std::fs::remove_dir(dir.path().join("old")).expect("removed");
            std::fs::write(folder.join("a"), "x").expect("written");
            // The end of the old folder may be told together with the new file.
            let is_told = |told| match told {
                Told::Folders(told) => told.contains(&folder),
                Told::Anywhere => true,
            };
            while !is_told(alarm.told()) {
                assert!(alarm.wakeups.recv_timeout(long).is_ok());
            }
            std::fs::remove_file(folder.join("a")).expect("removed");
            settled(&mut alarm, &[&folder]);
        }
    }

    /// The kernel drops events when too many come at once, and says only that it did.
    #[test]
    fn events_that_were_lost_may_have_been_of_any_folder() {
        let mut alarm = FolderWatcher::new();
        let lost = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert!(lock(&alarm.heard).takes(Ok(lost), &HashSet::new()));
        assert_eq!(alarm.told(), Told::Anywhere);
        assert_eq!(alarm.told(), Told::Folders(HashSet::new()));
    }
}
