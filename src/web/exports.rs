//! Evidence bundles that are made for visitors: counted first, then written beside the store's own
//! temporary files, then handed out as one tar file.
//!
//! One is made at a time, and few are kept, each for an hour. What is not handed out by then, and
//! what a program that died has left, is removed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::archive::Archive;
use crate::disk::{Disk as _, FsDisk};
use crate::event::EntryRanges;
use crate::export::{Counted, Exported, What, WithContents};
use crate::service::evidence::{Also, BundleObject, Watch, count_bundle, write_bundle};
use crate::service::words::size;
use crate::time::Stopwatch;
use crate::web::fresh::fresh_name;
use crate::{Error, ErrorKind, Result};

/// How long a bundle is kept.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// The most bundles that are kept.
const KEPT_MAX: usize = 4;
/// What a bundle leaves free on the disk, which the store needs for what comes in.
const LEFT_FREE: u64 = 256 << 20;
/// How the folders of bundles begin.
const PREFIX: &str = "export-";

/// How far a bundle is.
#[derive(Debug)]
pub(in crate::web) enum Stage {
    /// The log is being read.
    Counting,
    /// This would be in it.
    Counted(Box<Counted>),
    /// It is being written.
    Writing(Box<Exported>),
    /// It is there.
    Ready(Box<Exported>, BundleObject),
    /// It could not be made.
    Failed(Error),
    /// Somebody did not want it.
    Cancelled,
}

/// A bundle that somebody asked for.
#[derive(Debug)]
pub(in crate::web) struct Export {
    /// The name under which it is kept.
    pub(in crate::web) id: String,
    /// Who asked for it; nobody else gets it.
    pub(in crate::web) account: String,
    /// The entries of a selection.
    pub(in crate::web) entries: Option<EntryRanges>,
    /// Whether contents go into it.
    pub(in crate::web) with: WithContents,
    folder: PathBuf,
    since: Stopwatch,
    stage: Mutex<Stage>,
    done: AtomicU64,
    total: AtomicU64,
    is_cancelled: AtomicBool,
}

/// All bundles that are kept.
#[derive(Debug, Default)]
pub(in crate::web) struct Exports {
    kept: Mutex<Vec<Arc<Export>>>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Exports {
    /// Removes what an earlier program has left.
    pub(in crate::web) fn begin(archive: &Archive) -> Self {
        let folders = std::fs::read_dir(place(archive)).into_iter().flatten();
        for folder in folders.flatten() {
            if folder.file_name().to_string_lossy().starts_with(PREFIX) {
                // It is tried again at the next start.
                let _ = std::fs::remove_dir_all(folder.path());
            }
        }
        Self::default()
    }

    /// Begins to count a bundle.
    ///
    /// # Errors
    /// `Refused` while another one is made, and when there is no key to sign with.
    pub(in crate::web) fn plan(
        &self,
        archive: &Archive,
        account: &str,
        what: What,
        with: WithContents,
    ) -> Result<Arc<Export>> {
        if !archive.signs() {
            let told = "there is no key here to sign a bundle with";
            return Err(Error::new(ErrorKind::Refused, told)
                .hint("make one with 'annals key init', or name it with --key-file FILE"));
        }
        let mut kept = self.kept();
        drop_old(&mut kept);
        refuse_second(&kept)?;
        let id = fresh_name()?;
        let export = Arc::new(Export {
            folder: place(archive).join(format!("{PREFIX}{id}")),
            id,
            account: account.to_owned(),
            entries: match &what {
                What::Selection { entries, .. } => Some(entries.clone()),
                What::Whole => None,
            },
            with,
            since: Stopwatch::start(),
            stage: Mutex::new(Stage::Counting),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            is_cancelled: AtomicBool::new(false),
        });
        while kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Arc::clone(&export));
        drop(kept);
        let (archive, own) = (archive.clone(), Arc::clone(&export));
        self.run(move || {
            let counted = count_bundle(&archive, what, with, &*own);
            own.set(counted.map(|counted| Stage::Counted(Box::new(counted))));
        })?;
        Ok(export)
    }

    /// Writes a bundle that was counted.
    ///
    /// # Errors
    /// `Refused` when it was not counted, or is being written already; `Full` when the disk has too
    /// little room: then nothing is recorded.
    pub(in crate::web) fn start(&self, archive: &Archive, export: &Arc<Export>) -> Result<()> {
        refuse_second(&self.kept())?;
        let mut stage = export.stage();
        let Stage::Counted(counted) = &*stage else {
            let told = "this bundle is not waiting to be written";
            return Err(Error::new(ErrorKind::Refused, told).hint("ask for it anew"));
        };
        refuse_too_large(&counted.exported, archive)?;
        let exported = Box::new(counted.exported.clone());
        let before = std::mem::replace(&mut *stage, Stage::Writing(exported.clone()));
        drop(stage);
        let Stage::Counted(counted) = before else {
            return Ok(());
        };
        let (archive, own) = (archive.clone(), Arc::clone(export));
        self.run(move || {
            let written = own.write(&archive, &counted);
            if written.is_err() {
                own.remove();
            }
            own.set(written.map(|bundle| Stage::Ready(exported, bundle)));
        })
    }

    fn run(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = std::thread::Builder::new().name("annals-web-export".to_owned());
        let thread = thread
            .spawn(work)
            .map_err(|error| Error::io("start", "a thread", error))?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// Returns a bundle of an account.
    ///
    /// # Errors
    /// `NotFound` when there is none, or no longer, or when somebody else asked for it.
    pub(in crate::web) fn get(&self, id: &str, account: &str) -> Result<Arc<Export>> {
        let mut kept = self.kept();
        drop_old(&mut kept);
        let found = kept
            .iter()
            .find(|export| export.id == id && export.account == account);
        found.cloned().ok_or_else(|| {
            let told = "there is no such bundle, or no longer";
            Error::new(ErrorKind::NotFound, told)
                .hint("bundles are kept for an hour, for whoever asked for them; ask anew")
        })
    }

    /// Removes what is no longer kept.
    pub(in crate::web) fn sweep(&self) {
        drop_old(&mut self.kept());
    }

    /// Ends the work, and removes all bundles.
    pub(in crate::web) fn stop(&self) {
        for export in self.kept().iter() {
            export.cancel();
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // What it did not end with is told where it was asked for.
            let _ = thread.join();
        }
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Arc<Export>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drop_old(kept: &mut Vec<Arc<Export>>) {
    kept.retain(|export| export.is_at_work() || export.since.elapsed() < KEPT_FOR);
}

/// Refuses to make two bundles at a time: each may need as much room as the disk has.
fn refuse_second(kept: &[Arc<Export>]) -> Result<()> {
    if kept.iter().any(|export| export.is_at_work()) {
        return Err(
            Error::new(ErrorKind::Refused, "another bundle is being made")
                .hint("wait until it is done, or cancel it"),
        );
    }
    Ok(())
}

/// Returns where the store keeps temporary files: on its own disk.
fn place(archive: &Archive) -> PathBuf {
    archive.dir().join("tmp")
}

/// Returns roughly how many bytes a bundle has: its lines, the report made from them, its contents.
pub(in crate::web) fn expected_bytes(exported: &Exported) -> u64 {
    let contents = exported.contents.map_or(0, |contents| contents.bytes);
    contents.saturating_add(exported.counts.bytes.saturating_mul(2))
}

fn refuse_too_large(exported: &Exported, archive: &Archive) -> Result<()> {
    let place = place(archive);
    let free = FsDisk::new(&place).free_bytes();
    let free = free.map_err(|error| Error::io("measure the room in", &place, error))?;
    let wanted = expected_bytes(exported).saturating_add(LEFT_FREE);
    if free >= wanted {
        return Ok(());
    }
    let told = format!(
        "the bundle needs {} while it is made, and the disk of the store has {} free",
        size(wanted),
        size(free)
    );
    Err(Error::new(ErrorKind::Full, told)
        .hint("write it to another disk with 'annals export', or select less"))
}

impl Export {
    pub(in crate::web) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many of how many events are done in this stage.
    pub(in crate::web) fn progress(&self) -> (u64, u64) {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (load(&self.done), load(&self.total))
    }

    /// Ends the work on it, and drops what there is.
    pub(in crate::web) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        let mut stage = self.stage();
        if !matches!(*stage, Stage::Counting | Stage::Writing(_)) {
            *stage = Stage::Cancelled;
            drop(stage);
            self.remove();
        }
    }

    fn is_at_work(&self) -> bool {
        matches!(*self.stage(), Stage::Counting | Stage::Writing(_))
    }

    fn set(&self, stage: Result<Stage>) {
        let is_cancelled = self.is_cancelled.load(Ordering::Relaxed);
        *self.stage() = match stage {
            _ if is_cancelled => {
                self.remove();
                Stage::Cancelled
            }
            Ok(stage) => stage,
            Err(error) => Stage::Failed(error),
        };
    }

    /// Returns the folder of the bundle itself, whose name people see in the tar file.
    fn bundle(&self) -> PathBuf {
        self.folder.join("bundle")
    }

    fn write(&self, archive: &Archive, counted: &Counted) -> Result<BundleObject> {
        let made = std::fs::create_dir_all(&self.folder);
        made.map_err(|error| Error::io("make", &self.folder, error))?;
        let bundle = self.bundle();
        write_bundle(
            archive,
            counted,
            Also::default(),
            &bundle,
            String::new(),
            self,
        )
    }

    fn remove(&self) {
        // What stays is removed at the next start.
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// Lists the files of a bundle that is ready, in the order of their names.
    ///
    /// # Errors
    /// `Refused` when it is not ready.
    pub(in crate::web) fn tar(&self) -> Result<BundleTar> {
        match &*self.stage() {
            Stage::Ready(_, bundle) => self.tar_of(bundle),
            _ => Err(Error::new(ErrorKind::Refused, "this bundle is not ready")),
        }
    }

    /// Returns the tar file of the bundle in the stage that the caller has locked.
    pub(in crate::web) fn tar_of(&self, bundle: &BundleObject) -> Result<BundleTar> {
        let root = self.bundle();
        let mut tar = BundleTar {
            name: format!("annals-evidence-{}", bundle.event),
            files: Vec::new(),
            root: root.clone(),
        };
        list(&root, Path::new(""), &mut tar.files)
            .map_err(|error| Error::io("list", &root, error))?;
        tar.files.sort();
        Ok(tar)
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Watch for Export {
    fn progress(&self, done: u64, total: u64, _: &str) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    fn go_on(&self) -> Result<()> {
        if self.is_cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Refused, "the export was cancelled"));
        }
        Ok(())
    }
}

fn list(root: &Path, below: &Path, files: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            list(root, &path, files)?;
        } else {
            files.push((path, entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// A bundle as a tar file, before it is written.
#[derive(Debug)]
pub(in crate::web) struct BundleTar {
    /// The folder in the tar file.
    pub(in crate::web) name: String,
    files: Vec<(PathBuf, u64)>,
    root: PathBuf,
}

/// Bytes of a block of a tar file.
const BLOCK: u64 = 512;

impl BundleTar {
    /// Returns the exact bytes of the tar file, so that a client notices one that is cut off.
    pub(in crate::web) fn bytes(&self) -> u64 {
        let files = self.files.iter();
        let blocks: u64 = files.map(|(_, size)| 1 + size.div_ceil(BLOCK)).sum();
        (blocks + 2) * BLOCK
    }

    /// Writes the tar file.
    ///
    /// # Errors
    /// When a file cannot be read or has another size than before, and when the client is gone.
    pub(in crate::web) fn write(&self, into: impl Write) -> Result<()> {
        let mut tar = tar::Builder::new(into);
        for (path, size) in &self.files {
            let file = self.root.join(path);
            let mut content =
                std::fs::File::open(&file).map_err(|error| Error::io("open", &file, error))?;
            let mut head = tar::Header::new_ustar();
            head.set_size(*size);
            head.set_mode(0o644);
            head.set_mtime(0);
            let name = Path::new(&self.name).join(path);
            let appended = tar.append_data(&mut head, name, &mut content);
            appended.map_err(|error| Error::io("send", &file, error))?;
        }
        let mut into = tar
            .into_inner()
            .map_err(|error| Error::io("send", &self.name, error))?;
        into.flush()
            .map_err(|error| Error::io("send", &self.name, error))
    }
}
