//! Opens a store after whatever happened to it: scan, judge, clean, catch up, start.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::bounds;
use crate::archive::files::folders::{self, HEADER_FILE, NEWEST_FILE, clear_tmp};
use crate::archive::files::header::read_header;
use crate::archive::files::lock::{is_locked, take_lock};
use crate::archive::files::pack_files::pack_files;
use crate::archive::files::place;
use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::opening::catch_up::{CatchUp, CaughtUp, Whole, catch_up};
use crate::archive::opening::identity;
use crate::archive::opening::orphans::remove_orphans;
use crate::archive::opening::stale_journal::has_stale_journal;
use crate::archive::opening::start::{created, start};
use crate::archive::opening::torn_tail::{cut_and_not_recorded, set_tail_aside};
use crate::archive::options::{Access, Options};
use crate::archive::signing::outside;
use crate::archive::state::content_damage::find_content_damage;
use crate::archive::state::index_file::{IndexAccess, IndexFile, cannot_write, is_index_damage};
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::reclaimable::purged_since;
use crate::archive::state::store::{Opened, Store};
use crate::archive::state::watermark;
use crate::disk::{Disk, DiskLock, FsDisk, OpenMode};
use crate::event::{Body, Recovered};
use crate::format::frame::Frame;
use crate::format::record;
use crate::id::{BlobId, EventSeq, StoreId};
use crate::index::Index;
use crate::log::{
    Appender, Found, FullJournal, JournalPlace, LiveFrame, LogFiles, journal_path, recover,
};
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Opens the store in `dir`. One process at a time may have it open for writing.
    ///
    /// A torn tail is cut off and recorded. A missing or damaged index is made again. A store whose
    /// log is damaged opens for reading only; [`Archive::damage`] says what was found.
    ///
    /// ```
    /// use annals::archive::{Archive, Options};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # Archive::builder().create(dir.path().join("store"))?.close()?;
    /// let archive = Archive::open(dir.path().join("store"), Options::default())?;
    /// assert!(archive.damage().is_empty());
    /// # archive.close()
    /// # }
    /// ```
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let dir = dir.as_ref();
        open(Arc::new(FsDisk::new(dir)), dir.to_owned(), options)
    }

    /// Opens a store on a disk of the caller's.
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self> {
        open(disk, PathBuf::new(), options)
    }

    /// Returns true when there is a store in `dir`.
    pub fn is_store(dir: impl AsRef<Path>) -> bool {
        dir.as_ref().join(HEADER_FILE).is_file()
    }

    /// Returns the id of the store in `dir`, without opening it.
    ///
    /// # Errors
    ///
    /// `NoStore` where there is none.
    pub fn id_of(dir: impl AsRef<Path>) -> Result<StoreId> {
        read_header(&FsDisk::new(dir.as_ref()), dir.as_ref())
    }

    /// Returns true while a handle of this process or another has the store in `dir` open.
    pub fn is_open(dir: impl AsRef<Path>) -> bool {
        let dir = dir.as_ref();
        // A folder that is no store gets no lock file.
        Self::is_store(dir) && is_locked(&FsDisk::new(dir))
    }
}

/// Opens the store in `disk`.
pub(super) fn open(disk: Arc<dyn Disk>, dir: PathBuf, options: Options) -> Result<Archive> {
    bounds::check(&options)?;
    let store = read_header(&*disk, &dir)?;
    let access = options.access;
    let lock = match take_lock(&*disk, &dir, options.lock_wait) {
        Ok(lock) => Some(lock),
        // On a read-only disk no other process can be writing either.
        Err(error) if access == Access::ReadOnly && cannot_write(&error) => None,
        Err(error) => return Err(error),
    };
    let archive = open_locked(Arc::clone(&disk), dir, options, store, lock)?;
    if archive.is_writable()
        && let Some(from) = place::notice(&*disk, &store)
    {
        archive.set_copied_from(from);
    }
    archive.start_signing()?;
    // An error here shows in the sums of the store, and the next purge does what is left.
    let _ = archive.end_purges();
    if archive.is_writable() {
        let _ = archive.end_erasures();
    }
    Ok(archive)
}

/// Opens the store in `disk`, whose id is `id`. `lock` is `None` only for read-only access; then
/// nothing at all is written.
pub(in crate::archive) fn open_locked(
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: Options,
    id: StoreId,
    lock: Option<Box<dyn DiskLock>>,
) -> Result<Archive> {
    let mut scanned = scan(&*disk, &id, options.access)?;
    let mut signed = None;
    if options.access == Access::ReadWrite
        && scanned.damage.is_empty()
        && let Some(folder) = &options.checkpoint_copies
    {
        match outside::judge(folder, &id, &*disk, &scanned.log) {
            Ok(tree) => signed = tree,
            Err(contradicts) => scanned.damage.push(contradicts),
        }
    }
    let index_file = IndexFile::new(Arc::clone(&disk), id, options.index_cache_bytes);
    let judged = judge(
        &*disk,
        &id,
        &index_file,
        &options,
        lock.is_some(),
        &mut scanned,
    )?;
    let Scanned {
        log,
        found,
        in_journal,
        damage: log_damage,
    } = scanned;
    let is_writable = judged.access == Access::ReadWrite;
    let recovered = if is_writable {
        clean(&*disk, &found)?
    } else {
        None
    };
    let log_damage = explain(&*disk, id, log_damage);
    let mut packs = pack_files(&*disk)?;
    if is_writable {
        remove_orphans(&*disk, &mut packs, log.sealed(), judged.index.as_ref())?;
    }
    let journal = JournalBlobs::new(in_journal);
    let from = CatchUp {
        disk: &disk,
        progress: &options.progress,
        log: &log,
        packs: &packs,
        journal: &journal,
        last: log.last(),
        whole: if log_damage.is_empty() {
            Whole::Every
        } else {
            Whole::Readable
        },
    };
    let caught_up = catch_up_index(&from, &index_file, judged.index_access, judged.index)?;
    let (index, active) = (caught_up.index, caught_up.active);
    let store = Arc::new(Store::new(Opened {
        disk,
        dir,
        id,
        options: Options {
            access: judged.access,
            ..options
        },
        log,
        log_damage,
        index: LayeredIndex::new(index_file, is_writable, index, active)?,
        journal,
        next_pack: caught_up.next_pack,
    }));
    store.signing.work().tree = signed;
    if store.log_damage.is_empty() {
        // An error is reported by `verify`, and by the read that meets it.
        let (index, sealed) = (&store.index, store.log.sealed());
        let content = find_content_damage(index, &store.journal, sealed, &packs);
        let _ = store.content_damage.set(content.unwrap_or_default());
    }
    if is_writable {
        go_on(store, found, recovered, lock)
    } else {
        Ok(Archive::assemble(store, None, lock))
    }
}

/// What an opening found in the log.
struct Scanned {
    log: Arc<LogFiles>,
    found: Found,
    /// Places of the blobs in the journal.
    in_journal: HashMap<BlobId, JournalPlace>,
    /// What is damaged in the log, one line for each place.
    damage: Vec<String>,
}

/// Reads segments and journal files as they are.
fn scan(disk: &dyn Disk, store: &StoreId, access: Access) -> Result<Scanned> {
    let mut damage = Vec::new();
    let log = Arc::new(LogFiles::open(disk, store, &mut damage)?);
    let mode = match access {
        Access::ReadWrite => OpenMode::Write,
        Access::ReadOnly => OpenMode::Read,
    };
    let mut live = Vec::new();
    let mut in_journal = HashMap::new();
    let mut found = recover(disk, store, log.sealed(), mode, |slot, offset, frame| {
        live.push(LiveFrame {
            seq: frame.header.seq,
            slot,
            generation: frame.header.generation,
            offset,
            frame_bytes: u32::try_from(frame.header.frame_bytes())
                .expect("a frame fits a journal file"),
            leaf_hash: None,
        });
        note_records(slot, offset, frame, &mut in_journal);
    })?;
    damage.append(&mut found.damage);
    let journals = found.full.iter().map(|(journal, _)| journal);
    for journal in journals.chain(found.current.iter().map(|(journal, _)| journal)) {
        log.add_journal(journal.slot, Arc::clone(&journal.file));
    }
    log.add_live(live);
    Ok(Scanned {
        log,
        found,
        in_journal,
        damage,
    })
}

/// What may be done with a store, and its index if that is usable.
struct Judged {
    access: Access,
    index_access: IndexAccess,
    index: Option<Index>,
}

/// Compares the log with what is known about it elsewhere. A damaged log is only read.
fn judge(
    disk: &dyn Disk,
    store: &StoreId,
    file: &IndexFile,
    options: &Options,
    is_locked: bool,
    scanned: &mut Scanned,
) -> Result<Judged> {
    let Scanned {
        log, found, damage, ..
    } = scanned;
    let last = log.last();
    let access = if damage.is_empty() {
        options.access
    } else {
        Access::ReadOnly
    };
    let index_access = match access {
        _ if !is_locked || !damage.is_empty() => IndexAccess::ReadOnly,
        Access::ReadWrite => IndexAccess::Write,
        Access::ReadOnly => IndexAccess::WriteIfPossible,
    };
    let index = file.open(index_access)?;
    // Both watermarks are written only up to what was durable. Where one is ahead of the log, the
    // end of the log is no torn tail but damage.
    let applied = index.as_ref().and_then(|index| index.applied().ok());
    let watermarks = [
        ("the index", applied),
        (NEWEST_FILE, watermark::read(disk, store)),
    ];
    let ahead = watermarks
        .into_iter()
        .find_map(|(name, seen)| Some((name, seen.filter(|seen| *seen > last)?)));
    let Some((name, seen)) = ahead else {
        return Ok(Judged {
            access,
            index_access,
            index,
        });
    };
    damage.push(match found.torn.take() {
        Some(tail) => format!(
            "{}: event {} at byte {} does not check out, and {name} knows that it was durable",
            journal_path(tail.slot).display(),
            last.next(),
            tail.offset
        ),
        None => format!(
            "the log ends with event {last}, and {name} knows of event {seen}: it was taken back \
             to an older copy, or its end was lost"
        ),
    });
    // The index is not usable, and nothing on disk is changed from here on.
    Ok(Judged {
        access: Access::ReadOnly,
        index_access: IndexAccess::ReadOnly,
        index: None,
    })
}

/// Removes what was being written when the store was last open, and cuts off a torn tail. Returns
/// what is to be recorded of that tail.
fn clean(disk: &dyn Disk, found: &Found) -> Result<Option<Recovered>> {
    folders::make_missing(disk)?;
    clear_tmp(disk)?;
    for path in &found.half_made {
        disk.remove(path)
            .map_err(|error| Error::io("remove", path, error))?;
    }
    let Some((journal, _)) = &found.current else {
        return Ok(None);
    };
    match &found.torn {
        Some(tail) => set_tail_aside(disk, journal, found.next_seq, tail).map(Some),
        None => cut_and_not_recorded(disk, journal, found.next_seq),
    }
}

/// Puts explanations in front of the damage of a log: missing folders, and files of another store.
fn explain(disk: &dyn Disk, store: StoreId, mut damage: Vec<String>) -> Vec<String> {
    if !damage.is_empty() {
        let whole_folders = folders::missing_of_log(disk);
        let of_another = identity::foreign_format(disk, store);
        damage.splice(0..0, of_another.into_iter().chain(whole_folders));
    }
    damage
}

/// Brings the index up to the log. A damaged index is made again, once; where the disk cannot be
/// written, a handle for reading keeps what is newer in memory.
fn catch_up_index(
    from: &CatchUp<'_>,
    file: &IndexFile,
    mut access: IndexAccess,
    mut index: Option<Index>,
) -> Result<CaughtUp> {
    let mut is_made_again = false;
    loop {
        match catch_up(from, index.take(), || file.make(access)) {
            Err(error) if access == IndexAccess::WriteIfPossible && cannot_write(&error) => {
                access = IndexAccess::ReadOnly;
                // It was being made again and is incomplete, so it is not usable.
                if !is_made_again {
                    index = file.open(access)?;
                }
            }
            // Some damage shows only when pages are read.
            Err(error) if is_index_damage(&error) && !is_made_again => is_made_again = true,
            caught_up => return caught_up,
        }
    }
}

/// Continues in the current journal file, and records what the opening did.
fn go_on(
    store: Arc<Store>,
    found: Found,
    recovered: Option<Recovered>,
    lock: Option<Box<dyn DiskLock>>,
) -> Result<Archive> {
    let purged = purged_since(&store.index.view());
    if has_stale_journal(&*store.disk, &found, purged) {
        store.leftovers.set_stale_journal();
    }
    let (mut current, end) = found
        .current
        .ok_or_else(|| Error::new(ErrorKind::Damaged, "there is no journal file to go on in"))?;
    current.take_room(end);
    store
        .log
        .add_journal(current.slot, Arc::clone(&current.file));
    let id = store.id;
    let appender = Appender::resume(
        Arc::clone(&store.disk),
        id,
        store.options.journal_bytes,
        current,
        end,
        found.free,
        found.slots,
        found.next_seq,
    );
    let full = found
        .full
        .into_iter()
        .map(|(journal, last_seq)| FullJournal {
            bytes: journal.header.file_bytes,
            journal,
            last_seq,
        })
        .collect();
    let archive = start(store, appender, full, lock)?;
    if found.next_seq == EventSeq(1) {
        // The power failed between the header and the first event.
        archive.append(vec![created(id)])?;
    }
    if let Some(recovered) = recovered {
        archive.append(vec![Draft::fact(Body::Recovered(recovered))])?;
    }
    Ok(archive)
}

/// Notes where the blobs of a frame lie.
fn note_records(
    slot: u32,
    offset: u64,
    frame: &Frame<'_>,
    inline: &mut HashMap<BlobId, JournalPlace>,
) {
    let mut at = offset + frame.header.records_at() as u64;
    let mut rest = frame.records;
    while let Ok((header, _)) = record::decode(rest) {
        let bytes = header.record_len();
        inline.insert(
            header.id,
            JournalPlace {
                slot,
                generation: frame.header.generation,
                offset: at,
                bytes,
            },
        );
        at += u64::from(bytes);
        rest = &rest[bytes as usize..];
        if rest.is_empty() {
            break;
        }
    }
}

#[cfg(test)]
mod tests;
