//! Stage 4: clears a finished file away: moves, zips, deletes or keeps it, and records that.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use super::disposition::Disposition;
use super::files::{Cleanup, TakenFile};
use super::memory::Memory;
use super::worker::FileWorker;
use crate::convert::PostAction;
use crate::event::Clearing;
use crate::host::observe::notice::{Disposed, Notice};
use crate::host::observe::stuck::StuckAt;
use crate::host::panics::caught;
use crate::host::sources::clear;
use crate::id::{BlobId, EntryId};
use crate::{ErrorKind, Result};

impl FileWorker {
    pub(in crate::host) fn clear(&self, taken: &TakenFile, cleanup: Box<Cleanup>) {
        let path = &taken.candidate.path;
        let config = taken.config();
        match caught(|| self.dispose(taken, &cleanup)) {
            Ok(how) => {
                self.passed(taken, StuckAt::Clearing);
                let meta = cleanup.seen.meta;
                let failed_by = cleanup.failed_by;
                self.host
                    .memory
                    .remember(path, Memory::Done { meta, failed_by });
                if let Some(entry) = cleanup.entry {
                    self.record_cleared(taken, entry, &how);
                }
                (self.hooks.notice)(&Notice::Disposed { path, how: &how });
                self.host.queue.release(path);
            }
            Err(error) if error.kind() == ErrorKind::Changed => {
                self.leave(taken, "it changed while it was converted");
            }
            Err(error) => {
                if let Some(watched) = config.watch_folder.as_deref().or(path.parent()) {
                    self.host.scanners.look_for_set_aside(watched);
                }
                self.host.memory.remember(
                    path,
                    Memory::Uncleared {
                        cleanup: *cleanup,
                        until: Instant::now() + config.retry.delay,
                    },
                );
                let converter = &config.converter.name;
                self.host
                    .stuck
                    .begin(path, converter, StuckAt::Clearing, &error);
                self.trouble(path, &error);
                self.leave(taken, "it could not be cleared away");
            }
        }
    }

    /// Records what became of a file. Nothing waits until that is durable: the file is gone from
    /// its folder, whatever comes of the record.
    fn record_cleared(&self, taken: &TakenFile, entry: EntryId, how: &Disposed) {
        let (how, path) = match how {
            Disposed::Kept => return,
            Disposed::Deleted | Disposed::Archived => (Clearing::Removed, None),
            Disposed::Moved(path) => (Clearing::Moved, Some(path.as_path())),
            Disposed::Zipped(path) => (Clearing::Zipped, Some(path.as_path())),
        };
        let archive = self.host.archive_of(taken.config());
        let begun = archive.and_then(|archive| archive.begin_source_cleared(entry, how, path));
        if let Err(error) = begun {
            self.trouble(&taken.candidate.path, &error);
        }
    }

    fn dispose(&self, taken: &TakenFile, cleanup: &Cleanup) -> Result<Disposed> {
        let path = &taken.candidate.path;
        let config = taken.config();
        let source = taken.source(&cleanup.seen);
        let check = |target: &Path| taken.active.check_folder(target, &self.host.archives);
        let move_into = |target: &Path| {
            check(target)?;
            source.move_into(&taken.beside(target)).map(Disposed::Moved)
        };
        let action = match cleanup.disposition {
            Disposition::Retry | Disposition::Stay => return Ok(Disposed::Kept),
            Disposition::ToError => {
                return move_into(config.error_folder.as_deref().unwrap_or(Path::new("")));
            }
            Disposition::Post(action) => action,
        };
        let done = config.done_folder.as_deref();
        match (action, done) {
            (PostAction::Move, Some(done)) => move_into(done),
            (PostAction::Zip, Some(done)) => {
                check(done)?;
                source.zip_into(&taken.beside(done)).map(Disposed::Zipped)
            }
            // A file that should be archived is removed only once it is in the archive, whatever
            // the action is called.
            (PostAction::Delete | PostAction::Archive, _) if cleanup.entry.is_some() => {
                let archive = self.host.archive_of(config)?;
                let stored = |blob: &BlobId| {
                    archive
                        .read(blob)
                        .map(|reader| Box::new(reader) as Box<dyn Read>)
                };
                match source.read_back(stored) {
                    // The source was purged meanwhile, or only facts are kept of it, as the
                    // configuration says: the file need not be kept for it.
                    Err(error)
                        if error.kind() == ErrorKind::NotFound
                            && (cleanup.is_purged(archive)?
                                || config.archive.delete_facts_only
                                    && cleanup.is_facts_only(archive)?) =>
                    {
                        source.remove()?;
                        return Ok(Disposed::Deleted);
                    }
                    read_back => read_back?,
                }
                source.remove()?;
                if let (PostAction::Archive, Some(done)) = (action, done) {
                    let done = taken.beside(done);
                    clear::remove_leftover(path, &done, &cleanup.reports(archive)?)?;
                }
                Ok(Disposed::Archived)
            }
            (PostAction::Delete, _) => {
                source.remove()?;
                Ok(Disposed::Deleted)
            }
            // These actions are decided only where they are possible. If one is not, keeping the
            // file loses nothing.
            (PostAction::Keep | PostAction::Move | PostAction::Zip | PostAction::Archive, _) => {
                Ok(Disposed::Kept)
            }
        }
    }
}
