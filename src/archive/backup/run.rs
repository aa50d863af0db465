//! Runs a backup: copies what is new, replaces the list, then removes what left the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::copy::{self, CopyError, Digested};
use super::damage::finding;
use super::options::{BackupCheck, BackupOptions, OnDamage};
use super::outcome::BackupOutcome;
use super::plan::{BackupPlan, PlannedFile, Why, plan};
use super::source::StoreFiles;
use super::target::{Sealed, Target, refuse_other_past};
use crate::archive::checking::verify::report::Finding;
use crate::archive::files::folders::TMP_DIR;
use crate::archive::files::machine::host_name;
use crate::archive::handle::Archive;
use crate::format::catalog::{Catalog, CatalogFile};
use crate::{Error, ErrorKind, Result};

/// How often the store may remove a file during a run before the run gives up.
const PASSES_MAX: u32 = 16;
/// Returns the name that files are copied to first.
fn copying() -> PathBuf {
    Path::new(TMP_DIR).join("copying")
}

/// Why a pass over the files ended early.
enum Cut {
    /// The store removed a file that was to be copied, because it was compacted.
    Vanished,
    Stopped,
    Failed(Error),
}

impl From<Error> for Cut {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A file that a run copied, or found copied.
struct Taken {
    file: CatalogFile,
    /// This run copied it, and not an earlier one that was cut off.
    is_copied: bool,
}

/// A run of a backup, and what it has done so far.
struct Run<'a> {
    archive: &'a Archive,
    target: Target,
    options: &'a BackupOptions,
    /// Files that the backup held before, by their path in the store.
    known: BTreeMap<String, CatalogFile>,
    /// Files that this run took over, by their path in the store.
    taken: BTreeMap<String, Taken>,
    /// Folders in which files got their names.
    named: BTreeSet<PathBuf>,
    done_bytes: u64,
    bytes_copied: u64,
    files_mended: u64,
    bytes_checked: u64,
    findings: Vec<Finding>,
}

/// Brings a backup up to the store.
pub(super) fn run(
    archive: &Archive,
    mut target: Target,
    options: &BackupOptions,
) -> Result<BackupOutcome> {
    if options.check == BackupCheck::All {
        options.progress.report(0, 0, "checking the backup");
    }
    let mut bytes_checked = 0;
    let checked = match options.check {
        BackupCheck::New => Ok(()),
        BackupCheck::All => drop_damaged(&mut target, options, &mut bytes_checked),
    };
    let listed = target.seen.catalog.files.iter();
    let known = listed.map(|file| (file.store_path().to_owned(), file.clone()));
    let mut run = Run {
        archive,
        known: known.collect(),
        target,
        options,
        taken: BTreeMap::new(),
        named: BTreeSet::new(),
        done_bytes: 0,
        bytes_copied: 0,
        files_mended: 0,
        bytes_checked,
        findings: Vec::new(),
    };
    match checked {
        Ok(()) => {}
        Err(Cut::Failed(error)) => return Err(error),
        Err(Cut::Vanished | Cut::Stopped) => return Ok(run.cut_off()),
    }
    for _ in 0..PASSES_MAX {
        let source = StoreFiles::freeze(archive)?;
        refuse_other_past(&run.target.dir, &run.target.seen.catalog, &source)?;
        run.refuse_losses(&source)?;
        run.findings.clone_from(&source.findings);
        let plan = plan(&*archive.store().disk, &source, &run.target.seen)?;
        run.refuse_changes(&plan)?;
        match run.copy_all(&plan, &source) {
            Ok(()) if run.findings.is_empty() || options.on_damage == OnDamage::Accept => {
                return run.complete(&plan, &source);
            }
            Ok(()) => return Ok(run.incomplete()),
            Err(cut) => {
                // The incomplete copy is useless; the next run removes what stays.
                let _ = run.target.disk.remove(&copying());
                match cut {
                    Cut::Vanished => {}
                    Cut::Stopped => return Ok(run.cut_off()),
                    Cut::Failed(error) => return Err(error),
                }
            }
        }
    }
    Err(Error::new(
        ErrorKind::Refused,
        "the store was compacted again and again while it was copied",
    )
    .hint("back up again when the purge has ended; what was copied is not copied again"))
}

/// Reads every file of a backup, and forgets those that are not as they were copied, so that the
/// run copies them again.
fn drop_damaged(
    target: &mut Target,
    options: &BackupOptions,
    checked: &mut u64,
) -> Result<(), Cut> {
    let total = target.seen.catalog.files.len() as u64;
    for (done, file) in (0..).zip(&target.seen.catalog.files) {
        options.progress.report(done, total, "checking the backup");
        let path = Path::new(&file.path);
        let compared = copy::compare(&*target.disk, path, &file.sha256, file.bytes, &options.stop);
        match compared {
            Ok(None) => *checked += file.bytes,
            Ok(Some(_)) => {
                target.seen.files.remove(&file.path);
            }
            Err(_) => return Err(Cut::Stopped),
        }
    }
    Ok(())
}

impl Run<'_> {
    fn accepts_damage(&self) -> bool {
        self.options.on_damage == OnDamage::Accept
    }

    /// Refuses to copy losses that the backup may not have.
    fn refuse_losses(&self, source: &StoreFiles) -> Result<()> {
        let before = self.target.seen.catalog.lost;
        if self.target.seen.catalog.event.0 == 0 || source.lost <= before || self.accepts_damage() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "a repair gave up {} contents of the store since the backup in {} was made, which \
                 may still have them",
                source.lost - before,
                self.target.dir.display()
            ),
        )
        .hint(
            "make a store of the backup with 'annals restore-store' and look for them; to replace \
             the backup nevertheless, add --accept-damage",
        ))
    }

    /// Refuses to replace files of the backup by others of the same names: only a repair changes a
    /// sealed file.
    fn refuse_changes(&self, plan: &BackupPlan) -> Result<()> {
        let changed = plan.new.iter().find(|file| file.why == Why::Changed);
        let Some(file) = changed.filter(|_| !self.accepts_damage()) else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "{} of the store is not what is in the backup in {}: a repair rebuilt it, or it was \
                 replaced",
                file.path,
                self.target.dir.display()
            ),
        )
        .hint(
            "run 'annals verify' on the store and on the backup; to take the store's files over \
             nevertheless, add --accept-damage",
        ))
    }

    fn copy_all(&mut self, plan: &BackupPlan, source: &StoreFiles) -> Result<(), Cut> {
        self.refuse_if_too_large(plan)?;
        self.done_bytes = 0;
        for file in &plan.new {
            if self.options.stop.is_asked() {
                return Err(Cut::Stopped);
            }
            let taken = self.taken.get(&file.path);
            if taken.is_some_and(|taken| taken.file.bytes == file.bytes) {
                self.done_bytes += file.bytes;
                continue;
            }
            self.take_over(file, plan, source)?;
        }
        Ok(())
    }

    /// Refuses at once when the disk has no room. Files that an earlier run left at full length are
    /// not counted.
    fn refuse_if_too_large(&self, plan: &BackupPlan) -> Result<()> {
        let is_missing = |file: &&PlannedFile| {
            self.target.seen.files.get(&file.path) != Some(&file.bytes)
                && !self.taken.contains_key(&file.path)
        };
        let needed: u64 = plan
            .new
            .iter()
            .filter(is_missing)
            .map(|file| file.bytes)
            .sum();
        let dir = self.target.dir.display();
        let free = self.target.disk.free_bytes();
        let free = free.map_err(|error| self.target.io("measure", Path::new(""), error))?;
        if needed <= free {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Full,
            format!("the disk of {dir} has {free} bytes left, and {needed} are to be copied"),
        )
        .hint(self.target.full_hint()))
    }

    /// Copies one file, or finds that an earlier run has.
    fn take_over(
        &mut self,
        file: &PlannedFile,
        plan: &BackupPlan,
        source: &StoreFiles,
    ) -> Result<(), Cut> {
        let Some(sealed) = Sealed::of(&file.path) else {
            return Ok(());
        };
        let listed = self.known.get(&file.path).cloned();
        let left = listed.is_none() && self.target.seen.files.get(&file.path) == Some(&file.bytes);
        let found = if left { self.adopt(file, plan)? } else { None };
        let is_copied = found.is_none();
        let (digested, at) = match found {
            Some(digested) => (digested, PathBuf::from(&file.path)),
            None => (self.copy_one(file, plan)?, copying()),
        };
        let damage = self.check(&at, sealed, source, &digested)?;
        if let Some(why) = &damage {
            self.findings.push(finding(&file.path, why));
        }
        let mut entry = CatalogFile {
            path: file.path.clone(),
            bytes: digested.bytes,
            tail: digested.tail,
            sha256: digested.sha256,
            damaged: damage.is_some(),
        };
        if let Some(listed) = listed {
            if listed.sha256 == digested.sha256 {
                entry.path = listed.path;
                self.files_mended += 1;
            } else if listed.path == file.path {
                // The earlier file of the backup stays until the list is replaced.
                entry.path = CatalogFile::unique_path(&file.path, &digested.sha256);
            }
        }
        if is_copied {
            if damage.is_some() && !self.accepts_damage() {
                let removed = self.target.disk.remove(&at);
                removed.map_err(|error| self.target.io("remove", &at, error))?;
                return Ok(());
            }
            self.name(&at, Path::new(&entry.path))?;
        }
        let taken = Taken {
            file: entry,
            is_copied,
        };
        self.taken.insert(file.path.clone(), taken);
        Ok(())
    }

    /// Returns the digest of a file that an earlier run left, if it equals the store's.
    fn adopt(&self, file: &PlannedFile, plan: &BackupPlan) -> Result<Option<Digested>, Cut> {
        let path = Path::new(&file.path);
        let store = &*self.archive.store().disk;
        let stop = &self.options.stop;
        let theirs = copy::read(store, path, stop, |_, _| Ok(()));
        let theirs = theirs.map_err(|error| self.cut(path, error))?;
        match copy::read(&*self.target.disk, path, stop, |_, _| Ok(())) {
            Ok(ours) if ours == theirs => {
                self.report(file.bytes, plan);
                Ok(Some(ours))
            }
            // A file that cannot be read is copied again.
            Ok(_) | Err(CopyError::Read(_) | CopyError::Vanished) => Ok(None),
            Err(other) => Err(self.cut(path, other)),
        }
    }

    fn copy_one(&mut self, file: &PlannedFile, plan: &BackupPlan) -> Result<Digested, Cut> {
        let path = Path::new(&file.path);
        let tmp = copying();
        let mut now = self.done_bytes;
        let progress = &self.options.progress;
        let copied = copy::copy(
            &*self.archive.store().disk,
            path,
            &*self.target.disk,
            &tmp,
            &self.options.stop,
            |bytes| {
                now += bytes;
                progress.report(now, plan.bytes_new, "copying");
            },
        );
        let copied = copied.map_err(|error| self.cut(path, error))?;
        self.done_bytes = now;
        self.bytes_copied += copied.bytes;
        Ok(copied)
    }

    fn report(&self, more: u64, plan: &BackupPlan) {
        let progress = &self.options.progress;
        progress.report(self.done_bytes + more, plan.bytes_new, "copying");
    }

    /// Reads a copy back.
    ///
    /// A damaged copy is the store's fault if its bytes are those that were read there. Otherwise
    /// it is the fault of the backup's disk.
    fn check(
        &mut self,
        at: &Path,
        sealed: Sealed,
        source: &StoreFiles,
        digested: &Digested,
    ) -> Result<Option<String>, Cut> {
        let mut before = match sealed {
            Sealed::Segment(first) => source.tree_before(first),
            Sealed::Pack(_) => None,
        };
        let (disk, stop) = (&*self.target.disk, &self.options.stop);
        let checked = copy::check(disk, at, sealed, &source.store, stop, &mut before);
        let wrong = checked.map_err(|error| self.cut(at, error))?;
        self.bytes_checked += digested.bytes;
        let Some(wrong) = wrong else {
            return Ok(None);
        };
        let compared = copy::compare(disk, at, &digested.sha256, digested.bytes, stop);
        match compared.map_err(|error| self.cut(at, error))? {
            None => Ok(Some(wrong)),
            Some(why) => {
                let path = self.target.dir.join(at);
                Err(Cut::Failed(
                    Error::new(
                        ErrorKind::Io,
                        format!(
                            "{} does not hold what was written to it: {why}",
                            path.display()
                        ),
                    )
                    .hint("the disk of the backup fails: use another one; the store is untouched"),
                ))
            }
        }
    }

    /// Renames a copy to its name.
    fn name(&mut self, tmp: &Path, path: &Path) -> Result<()> {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.reverse();
        for folder in folders {
            if !folder.as_os_str().is_empty() && !self.named.contains(folder) {
                let made = self.target.disk.make_dir(folder);
                made.map_err(|error| self.target.io("make", folder, error))?;
            }
            self.named.insert(folder.to_owned());
        }
        let renamed = self.target.disk.rename(tmp, path);
        renamed.map_err(|error| self.target.io("name", path, error))
    }

    fn cut(&self, path: &Path, error: CopyError) -> Cut {
        match error {
            CopyError::Vanished => Cut::Vanished,
            CopyError::Stopped => Cut::Stopped,
            CopyError::Read(error) => {
                Cut::Failed(Error::io("read", self.archive.dir().join(path), error))
            }
            CopyError::Write(error) => Cut::Failed(self.target.io("write", path, error)),
        }
    }

    /// Publishes the new list, and removes what is not on it.
    fn complete(mut self, plan: &BackupPlan, source: &StoreFiles) -> Result<BackupOutcome> {
        let mut files = plan.there.clone();
        let mut files_copied = 0;
        for file in &plan.new {
            if let Some(taken) = self.taken.remove(&file.path) {
                files_copied += u64::from(taken.is_copied);
                files.push(taken.file);
            }
        }
        if !self.findings.is_empty() {
            // Content that a damaged store lacks may be in files that seem to be gone.
            let gone: BTreeSet<&str> = plan.goes.iter().map(|gone| gone.path.as_str()).collect();
            let stays = |file: &&CatalogFile| gone.contains(file.path.as_str());
            files.extend(self.target.seen.catalog.files.iter().filter(stays).cloned());
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        for folder in &self.named {
            self.target.sync_dir(folder)?;
        }
        let place = self.archive.store().disk.place();
        let catalog = Catalog {
            store: source.store,
            event: source.event,
            root: source.root,
            lost: source.lost,
            made: self.archive.store().options.clock.now(),
            host: host_name(),
            folder: place.map_or_else(String::new, |place| place.path.display().to_string()),
            files,
        };
        self.target.publish_catalog(&catalog)?;
        let (files_removed, bytes_removed) = self.target.remove_others(&catalog)?;
        let (files, bytes) = sums(&catalog);
        Ok(BackupOutcome {
            complete: true,
            event: catalog.event,
            root: catalog.root,
            files,
            bytes,
            files_copied,
            files_there: files - files_copied,
            files_removed,
            bytes_removed,
            ..self.incomplete()
        })
    }

    /// Returns the outcome of a run that left the backup as before.
    fn incomplete(self) -> BackupOutcome {
        let before = &self.target.seen.catalog;
        let (files, bytes) = sums(before);
        BackupOutcome {
            store: before.store,
            complete: false,
            interrupted: false,
            event: before.event,
            previous: before.event,
            root: before.root,
            files,
            bytes,
            files_copied: self.taken.values().filter(|taken| taken.is_copied).count() as u64,
            bytes_copied: self.bytes_copied,
            files_mended: self.files_mended,
            files_there: 0,
            files_removed: 0,
            bytes_removed: 0,
            bytes_checked: self.bytes_checked,
            findings: self.findings,
        }
    }

    fn cut_off(self) -> BackupOutcome {
        BackupOutcome {
            interrupted: true,
            ..self.incomplete()
        }
    }
}

/// Returns how many files a backup has, and their bytes.
pub(super) fn sums(catalog: &Catalog) -> (u64, u64) {
    let bytes = catalog.files.iter().map(|file| file.bytes).sum();
    (catalog.files.len() as u64, bytes)
}
