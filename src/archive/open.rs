//! Opening a store after whatever happened to it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{bounded, unbounded};

use crate::archive::backup::holds_backup;
use crate::archive::bounds;
use crate::archive::in_flight::{self, InFlight};
use crate::archive::place;
use crate::archive::rebuild::{self, Whole};
use crate::archive::sealer::{Job, Sealer};
use crate::archive::shared::{Shared, TMP_DIR};
use crate::archive::turns::Turns;
use crate::archive::writer::{Draft, Writer};
use crate::archive::{
    Access, Archive, Channels, Options, Threads, damage, folders, reclaim, witness,
};
use crate::disk::{Disk, DiskLock, OpenMode, PublishError, publish};
use crate::event::{Body, Recovered, StoreCreated, StoreOpened};
use crate::format::header::{self, HeaderError};
use crate::format::newest::{NEWEST_BYTES, decode as decode_newest, encode as encode_newest};
use crate::format::record::{self};
use crate::id::{BlobId, EventSeq, Sha256, StoreId};
use crate::index::{Index, IndexError};
use crate::log::{
    Appender, Found, FullJournal, JOURNAL_BYTES_MAX, Journal, JournalPlace, LiveFrame, LogFiles,
    TornTail, cut, journal_path, recover,
};
use crate::time::Stopwatch;
use crate::{Error, ErrorKind, Result};

/// The file that makes a folder a store.
pub const HEADER_FILE: &str = "FORMAT";
pub(super) const LOCK_FILE: &str = "LOCK";
pub(super) const INDEX_FILE: &str = "index.redb";
pub(super) const NEWEST_FILE: &str = "NEWEST";
pub(super) const QUARANTINE_DIR: &str = "quarantine";

/// The fact every log begins with.
pub(super) fn created(store: StoreId) -> Draft {
    Draft::fact(Body::StoreCreated(StoreCreated {
        store,
        format: header::FORMAT_VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Opens the store in `disk`.
pub(super) fn open(disk: Arc<dyn Disk>, dir: PathBuf, options: Options) -> Result<Archive> {
    bounds::check(&options)?;
    let store = read_header(&*disk, &dir)?;
    let access = options.access;
    let lock = match take_lock(&*disk, &dir, options.lock_wait) {
        Ok(lock) => Some(lock),
        // On a read-only disk nobody else can be writing either.
        Err(error) if access == Access::ReadOnly && cannot_write(&error) => None,
        Err(error) => return Err(error),
    };
    let archive = open_locked(Arc::clone(&disk), dir, options, store, lock)?;
    if archive.handle.channels.is_some()
        && let Some(from) = place::notice(&*disk, &store)
    {
        // Nobody else has the handle yet.
        let _ = archive.handle.copied_from.set(from);
    }
    // What it cannot do is seen in the sums of the store, and done by the next purge.
    let _ = archive.end_purges();
    Ok(archive)
}

/// Opens the store in `disk`, which is `store`. Without a lock, which only one who looks may lack, nothing at all is written.
pub(super) fn open_locked(
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: Options,
    store: StoreId,
    lock: Option<Box<dyn DiskLock>>,
) -> Result<Archive> {
    let mut access = options.access;
    let mut damage = Vec::new();
    let files = LogFiles::open(&*disk, &store, &mut damage)?;
    let mode = match access {
        Access::ReadWrite => OpenMode::Write,
        Access::ReadOnly => OpenMode::Read,
    };
    let mut live = Vec::new();
    let mut inline = HashMap::new();
    let mut found = recover(
        &*disk,
        &store,
        files.sealed(),
        mode,
        |slot, offset, frame| {
            live.push(LiveFrame {
                seq: frame.header.seq,
                slot,
                generation: frame.header.generation,
                offset,
                frame_bytes: u32::try_from(frame.header.frame_bytes()).unwrap_or(u32::MAX),
            });
            note_records(slot, offset, frame, &mut inline);
        },
    )?;
    damage.append(&mut found.damage);
    let journals = found.full.iter().map(|(journal, _)| journal);
    for journal in journals.chain(found.current.iter().map(|(journal, _)| journal)) {
        files.add_journal(journal.slot, Arc::clone(&journal.file));
    }
    files.add_live(live);
    let files = Arc::new(files);
    let last = files.last();

    if !damage.is_empty() {
        access = Access::ReadOnly;
    }
    let mut index_file = IndexFile::of(access, lock.is_some() && damage.is_empty());
    let mut index = index_file.open(&disk, store, &options)?;
    // Both are written only up to what was durable. If one knows of more than the log holds, a torn tail is none.
    let applied = index.as_ref().and_then(|index| index.applied().ok());
    let witnesses = [
        ("the index", applied),
        (NEWEST_FILE, newest(&*disk, &store)),
    ];
    let witness = witnesses
        .into_iter()
        .find_map(|(name, seen)| Some((name, seen.filter(|seen| *seen > last)?)));
    if let Some((witness, seen)) = witness {
        damage.push(match &found.torn {
            Some(tail) => format!(
                "{}: event {} at byte {} does not check out, and {witness} knows that it was durable",
                journal_path(tail.slot).display(),
                last.next(),
                tail.offset
            ),
            None => format!(
                "the log ends with event {last}, and {witness} knows of event {seen}: it was taken back to an older copy, or \
                 its end was lost"
            ),
        });
        found.torn = None;
        access = Access::ReadOnly;
        // It is of no use any more; and nothing on disk is changed from here on.
        index = None;
        index_file = IndexFile::Untouched;
    }
    if access == Access::ReadWrite {
        folders::make_missing(&*disk)?;
        clear_tmp(&*disk)?;
        for path in &found.half_made {
            disk.remove(path)
                .map_err(|error| Error::io("remove", path, error))?;
        }
    }
    let recovered = match &found.current {
        Some((journal, _)) if access == Access::ReadWrite => match &found.torn {
            Some(tail) => Some(set_tail_aside(&*disk, journal, found.next_seq, tail)?),
            None => cut_and_not_recorded(&*disk, journal, found.next_seq)?,
        },
        _ => None,
    };
    if !damage.is_empty() {
        let whole_folders = folders::missing_of_log(&*disk);
        let of_another = witness::foreign_format(&*disk, store);
        // What explains the other lines comes first.
        damage.splice(0..0, of_another.into_iter().chain(whole_folders));
    }
    let options = Options { access, ..options };
    let mut packs = rebuild::pack_files(&*disk)?;
    if access == Access::ReadWrite {
        rebuild::remove_orphans(&*disk, &mut packs, files.sealed(), index.as_ref())?;
    }
    let whole = if damage.is_empty() {
        Whole::Every
    } else {
        Whole::Readable
    };
    let bring_up = |index, index_file: IndexFile| {
        rebuild::catch_up(&disk, &options, &files, &packs, index, last, whole, || {
            index_file.make(&disk, store, &options)
        })
    };
    let mut made_anew = false;
    let caught_up = loop {
        match bring_up(index.take(), index_file) {
            Err(error) if index_file == IndexFile::KeptIfPossible && cannot_write(&error) => {
                index_file = IndexFile::Untouched;
                // Making it anew was broken off: what is there now is of no use.
                if !made_anew {
                    index = index_file.open(&disk, store, &options)?;
                }
            }
            // Damage that shows only when its pages are read.
            Err(error) if is_index_damage(&error) && !made_anew => made_anew = true,
            caught_up => break caught_up?,
        }
    };
    let shared = Arc::new(Shared::new(
        Arc::clone(&disk),
        dir,
        store,
        options,
        files,
        damage,
        caught_up.index,
        caught_up.active,
        inline,
        caught_up.next_pack,
    )?);
    if shared.damage.is_empty() {
        // What cannot be told now is told by 'verify', and by the read that needs it.
        let content = damage::look(&shared, &packs).unwrap_or_default();
        let _ = shared.content_damage.set(content);
    }
    if access == Access::ReadOnly {
        return start(shared, None, lock);
    }
    let journal_bytes = shared.options.journal_bytes;
    let Found {
        full,
        current,
        free,
        slots,
        next_seq,
        stale_behind_end,
        ..
    } = found;
    let purged = shared.view().plans_stale_since();
    let begun_before = |current: &(Journal, u64)| current.0.header.first_seq <= purged;
    if free
        .iter()
        .any(|one| reclaim::is_stale(&shared, one, purged))
        || (stale_behind_end && current.as_ref().is_some_and(begun_before))
    {
        shared.set_stale_journal();
    }
    let (current, end) = current
        .ok_or_else(|| Error::new(ErrorKind::Damaged, "there is no journal file to go on in"))?;
    shared
        .files
        .add_journal(current.slot, Arc::clone(&current.file));
    let appender = Appender::resume(
        disk,
        store,
        journal_bytes,
        current,
        end,
        free,
        slots,
        next_seq,
    );
    let full = full
        .into_iter()
        .map(|(journal, last_seq)| FullJournal { journal, last_seq })
        .collect();
    let archive = start(shared, Some((appender, full)), lock)?;
    if next_seq == EventSeq(1) {
        // The power went between the header and the first event.
        archive.append(vec![created(store)])?;
    }
    if let Some(recovered) = recovered {
        archive.append(vec![Draft::fact(Body::Recovered(recovered))])?;
    }
    Ok(archive)
}

/// Starts the threads of a store that is open for writing.
pub(super) fn start(
    shared: Arc<Shared>,
    writing: Option<(Appender, Vec<FullJournal>)>,
    lock: Option<Box<dyn DiskLock>>,
) -> Result<Archive> {
    let threads = match writing {
        None => None,
        Some((appender, full)) => {
            let in_flight_bytes = shared.options.in_flight_bytes;
            let (requests, for_writer) = bounded(in_flight::RECORDS_MAX);
            let (controls, for_writer_too) = unbounded();
            let (jobs, for_sealer) = unbounded();
            let opened = StoreOpened {
                program: env!("CARGO_PKG_VERSION").to_owned(),
                host: host_name(),
                pid: std::process::id(),
                sync: "group-fdatasync".to_owned(),
            };
            for journal in full {
                jobs.send(Job::Seal(journal)).expect("the receiver is ours");
            }
            let writer = Writer::new(
                Arc::clone(&shared),
                appender,
                for_writer_too.clone(),
                jobs.clone(),
                opened,
            );
            let sealer = Sealer::new(Arc::clone(&shared), for_sealer, controls.clone());
            let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
                thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(work)
                    .map_err(|error| Error::io("start", "a thread", error))
            };
            let turns = Arc::new(Turns::new(Arc::clone(&shared), writer));
            let own = Arc::clone(&turns);
            let writer = spawn(
                "annals-writer",
                Box::new(move || own.run(&for_writer, &for_writer_too)),
            )?;
            let sealer = spawn("annals-sealer", Box::new(move || sealer.run()))?;
            let channels = Channels {
                turns,
                in_flight: Arc::new(InFlight::new(in_flight_bytes)),
                requests,
                controls,
                jobs,
            };
            Some(Threads {
                channels,
                writer,
                sealer,
            })
        }
    };
    Ok(Archive::assemble(shared, threads, lock))
}

/// Which store it is, or why it can't be opened.
pub(super) fn read_header(disk: &dyn Disk, dir: &Path) -> Result<StoreId> {
    let path = Path::new(HEADER_FILE);
    let shown = dir.join(path);
    let no_store = |what: &str| {
        Error::new(ErrorKind::NoStore, format!("{what} {}", dir.display()))
            .hint("make a store with 'annals init', or name one with --store")
    };
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && holds_backup(disk) => {
            let said = format!("{} is the backup of a store, not a store", dir.display());
            return Err(Error::new(ErrorKind::NoStore, said).hint(
                "'annals restore-store DIR --to NEW' makes a store of it; 'annals verify' checks it",
            ));
        }
        Err(error) => {
            return Err(match error.kind() {
                io::ErrorKind::NotFound if folders::hold_events(disk) => headless("missing", dir),
                io::ErrorKind::NotFound => no_store("there is no store in"),
                io::ErrorKind::NotADirectory => {
                    no_store("a store is a folder, and a file is what is at")
                }
                _ => Error::io("read", shown, error),
            });
        }
    };
    let size = file
        .size()
        .map_err(|error| Error::io("measure", &shown, error))?;
    let mut bytes = vec![0; usize::try_from(size.min(header::HEADER_BYTES_MAX)).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)
        .map_err(|error| Error::io("read", &shown, error))?;
    if bytes.iter().all(|byte| *byte == 0) && folders::hold_events(disk) {
        return Err(headless("empty", dir));
    }
    header::decode(&bytes).map_err(|error| {
        let kind = match error {
            HeaderError::NotAStore => ErrorKind::NoStore,
            HeaderError::Checksum => ErrorKind::Damaged,
            HeaderError::Version(_) | HeaderError::Feature(_) => ErrorKind::Unsupported,
        };
        let built = Error::new(
            kind,
            format!("cannot open the store in {}: {error}", dir.display()),
        );
        match kind {
            ErrorKind::Unsupported => {
                built.hint("use the version of annals that wrote it, or a newer one")
            }
            ErrorKind::Damaged => {
                built.hint("restore the file FORMAT from a copy; nothing else depends on it")
            }
            _ => built,
        }
    })
}

fn headless(how: &str, dir: &Path) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "the file {HEADER_FILE} in {} is {how}, and events of a store are there",
            dir.display()
        ),
    )
    .hint("bring FORMAT back from a copy, or have 'annals repair --store DIR' make it")
}

pub(super) fn take_lock(disk: &dyn Disk, dir: &Path, wait: Duration) -> Result<Box<dyn DiskLock>> {
    const PAUSE: Duration = Duration::from_millis(20);
    let waited = Stopwatch::start();
    loop {
        let taken = disk
            .try_lock(Path::new(LOCK_FILE))
            .map_err(|error| Error::io("lock", dir.join(LOCK_FILE), error))?;
        if let Some(lock) = taken {
            return Ok(lock);
        }
        if waited.left_of(wait).is_zero() {
            return Err(Error::new(
                ErrorKind::Locked,
                format!("another process has the store in {} open", dir.display()),
            )
            .hint("wait until it is done, or stop it"));
        }
        thread::sleep(PAUSE);
    }
}

/// True while somebody holds the lock. Where it cannot be asked for, nobody is taken to.
pub(super) fn is_locked(disk: &dyn Disk) -> bool {
    matches!(disk.try_lock(Path::new(LOCK_FILE)), Ok(None))
}

/// True when the disk refuses to be written, for good or for want of room.
fn cannot_write(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(refuses_writing)
}

/// True when the index is what is damaged, and making it anew the remedy.
fn is_index_damage(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<IndexError>())
        .is_some_and(IndexError::calls_for_rebuild)
}

fn refuses_writing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
    )
}

/// Remembers where the blobs of a frame lie.
fn note_records(
    slot: u32,
    offset: u64,
    frame: &crate::format::frame::Frame<'_>,
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

/// Keeps a copy of torn bytes, then cuts them off. What was torn was never acknowledged; the copy is for the curious, and
/// is left out when the disk has no room for it.
fn set_tail_aside(
    disk: &dyn Disk,
    journal: &Journal,
    next: EventSeq,
    tail: &TornTail,
) -> Result<Recovered> {
    let name = format!("{QUARANTINE_DIR}/torn-{next}-{}", tail.offset);
    let kept = keep_copy(disk, Path::new(&name), &tail.bytes);
    let quarantine = match kept {
        Ok(()) => Some(name),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) =>
        {
            None
        }
        Err(error) => return Err(Error::io("write", name, error)),
    };
    cut(&journal.file, tail)?;
    Ok(Recovered {
        journal: journal_path(tail.slot).display().to_string(),
        offset: tail.offset,
        bytes: tail.bytes.len() as u64,
        sha256: tail.sha256(),
        quarantine,
    })
}

/// The copy has its name only when all of it is durable.
fn keep_copy(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let tmp = Path::new(TMP_DIR).join("torn");
    disk.make_dir(Path::new(QUARANTINE_DIR))?;
    let kept = disk
        .open(&tmp, OpenMode::CreateNew)
        .and_then(|file| file.write_all_at(bytes, 0).and_then(|()| file.sync()))
        .and_then(|()| {
            publish(disk, &tmp, path).map_err(|error| match error {
                PublishError::Rename(error) | PublishError::SyncDir(error) => error,
            })
        });
    if kept.is_err() {
        // On a full disk it must not stay; elsewhere the next open clears it away.
        let _ = disk.remove(&tmp);
    }
    kept
}

/// A tail that was cut off when the store was opened before, and whose record was lost to another fault: its copy is named
/// after the event that comes next, which would otherwise be the record of it.
fn cut_and_not_recorded(
    disk: &dyn Disk,
    journal: &Journal,
    next: EventSeq,
) -> Result<Option<Recovered>> {
    let dir = Path::new(QUARANTINE_DIR);
    let listed = disk
        .make_dir(dir)
        .and_then(|()| disk.list(dir))
        .map_err(|error| Error::io("list", dir, error))?;
    let prefix = format!("torn-{next}-");
    for file in listed {
        let offset = file.name.strip_prefix(&prefix).map(str::parse);
        let (Some(Ok(offset)), Ok(len)) = (offset, usize::try_from(file.len)) else {
            continue;
        };
        // What was torn is never longer than the file it was torn off.
        if file.len > journal.header.file_bytes.min(JOURNAL_BYTES_MAX) {
            continue;
        }
        let name = format!("{QUARANTINE_DIR}/{}", file.name);
        let mut bytes = vec![0; len];
        disk.open(Path::new(&name), OpenMode::Read)
            .and_then(|copy| copy.read_exact_at(&mut bytes, 0))
            .map_err(|error| Error::io("read", &name, error))?;
        return Ok(Some(Recovered {
            journal: journal_path(journal.slot).display().to_string(),
            offset,
            bytes: file.len,
            sha256: Sha256::of(&bytes),
            quarantine: Some(name),
        }));
    }
    Ok(None)
}

/// Removes what was being written when the store was last let go: nothing names it.
pub(super) fn clear_tmp(disk: &dyn Disk) -> Result<()> {
    let dir = Path::new(TMP_DIR);
    disk.make_dir(dir)
        .map_err(|error| Error::io("make", dir, error))?;
    for entry in disk
        .list(dir)
        .map_err(|error| Error::io("list", dir, error))?
    {
        if !entry.is_dir {
            let path = dir.join(entry.name);
            disk.remove(&path)
                .map_err(|error| Error::io("remove", &path, error))?;
        }
    }
    Ok(())
}

/// What may be done with the index file. It holds nothing that the log does not, so a handle that only looks may bring it
/// up to date as well, if it has the lock and the disk allows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IndexFile {
    /// Read and written.
    Kept,
    /// Written if that is possible.
    KeptIfPossible,
    /// Read; what would be written stays in memory.
    Untouched,
}

impl IndexFile {
    fn of(access: Access, locked_and_sound: bool) -> Self {
        match access {
            _ if !locked_and_sound => Self::Untouched,
            Access::ReadWrite => Self::Kept,
            Access::ReadOnly => Self::KeptIfPossible,
        }
    }

    /// The index as it is; `None` when it is missing or of no use and has to be made anew.
    pub(super) fn open(
        self,
        disk: &Arc<dyn Disk>,
        store: StoreId,
        options: &Options,
    ) -> Result<Option<Index>> {
        let path = Path::new(INDEX_FILE);
        let cache_bytes = options.index_cache_bytes;
        let opened = match disk.open(path, self.mode()) {
            Ok(file) if self == Self::Untouched => Index::open_scratch(file, store, cache_bytes),
            Ok(file) => Index::open(file, store, cache_bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if self == Self::KeptIfPossible && refuses_writing(&error) => {
                return Self::Untouched.open(disk, store, options);
            }
            Err(error) => return Err(Error::io("open", path, error)),
        };
        let error = match opened {
            Ok(index) => return Ok(Some(index)),
            Err(error) if error.calls_for_rebuild() => return Ok(None),
            Err(error) => Error::from(error),
        };
        if self == Self::KeptIfPossible && cannot_write(&error) {
            return Self::Untouched.open(disk, store, options);
        }
        Err(error)
    }

    fn mode(self) -> OpenMode {
        match self {
            Self::Kept | Self::KeptIfPossible => OpenMode::Write,
            Self::Untouched => OpenMode::Read,
        }
    }

    /// Makes an empty index, in place of the one that is there or in memory.
    fn make(self, disk: &Arc<dyn Disk>, store: StoreId, options: &Options) -> Result<Index> {
        match self {
            Self::Kept | Self::KeptIfPossible => make_index(disk, store, options),
            Self::Untouched => Ok(Index::in_memory(store)?),
        }
    }
}

/// Makes an empty index in place of the one that is there.
pub(super) fn make_index(disk: &Arc<dyn Disk>, store: StoreId, options: &Options) -> Result<Index> {
    let path = Path::new(INDEX_FILE);
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io("remove", path, error));
        }
        _ => {}
    }
    let file = disk
        .open(path, OpenMode::CreateNew)
        .map_err(|error| Error::io("create", path, error))?;
    let index = Index::create(file, store, options.index_cache_bytes)?;
    disk.sync_dir(Path::new(""))
        .map_err(|error| Error::io("sync", "the store's folder", error))?;
    Ok(index)
}

/// How far the log had come when it was last closed, as far as is known.
pub(super) fn newest(disk: &dyn Disk, store: &StoreId) -> Option<EventSeq> {
    let file = disk.open(Path::new(NEWEST_FILE), OpenMode::Read).ok()?;
    let mut bytes = [0; NEWEST_BYTES];
    file.read_exact_at(&mut bytes, 0).ok()?;
    decode_newest(&bytes, store)
}

/// Leaves a witness to how far the log has come. It is not synced: it is of use if it is there, and missed by nobody.
pub(super) fn testify(disk: &dyn Disk, store: &StoreId, newest: EventSeq) {
    let path = Path::new(NEWEST_FILE);
    let file = disk
        .open(path, OpenMode::Write)
        .or_else(|_| disk.open(path, OpenMode::CreateNew));
    if let Ok(file) = file {
        // A disk that is full or read-only keeps what was there, which is as true.
        let _ = file.write_all_at(encode_newest(store, newest).as_bytes(), 0);
    }
}

/// Bytes of the index file.
pub(super) fn index_bytes(disk: &dyn Disk) -> Result<u64> {
    let path = Path::new(INDEX_FILE);
    match disk.open(path, OpenMode::Read).and_then(|file| file.size()) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io("measure", path, error)),
    }
}

/// The name of this machine, as its people call it.
#[cfg(unix)]
pub(crate) fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
pub(crate) fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Call, Fault, Repeat, SimDisk};
    use crate::event::Actor;
    use crate::format::frame::JOURNAL_HEADER_BYTES;
    use crate::log::JOURNAL_BYTES_MIN;

    fn options() -> Options {
        Options {
            actor: Actor::system(),
            journal_bytes: JOURNAL_BYTES_MIN,
            ..Options::default()
        }
    }

    fn kinds(archive: &Archive) -> Vec<String> {
        let events = archive.events(EventSeq(1), None).expect("readable");
        let kind = |leaf: crate::archive::Leaf| {
            let event: serde_json::Value = serde_json::from_str(&leaf.line).expect("JSON");
            event["type"].as_str().expect("text").to_owned()
        };
        events.map(|leaf| kind(leaf.expect("whole"))).collect()
    }

    /// The opening of the store used to be recorded before its making, and a power cut between the header and the first
    /// event left a store whose making was never recorded.
    #[test]
    fn event_1_is_the_making_of_the_store_also_after_a_power_cut_before_it() {
        let disk = SimDisk::new();
        let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
        assert_eq!(kinds(&archive), ["annals.store.created.v1"]);
        archive.close().expect("closed");

        // The header is there, the first frame never arrived, and nobody came to close the store.
        disk.lose(NEWEST_FILE).expect("there");
        let zeros = vec![0; 4096];
        disk.overwrite("journal/0000.journal", JOURNAL_HEADER_BYTES as u64, &zeros)
            .expect("overwritten");
        let archive = Archive::open_on(Arc::new(disk.clone()), options()).expect("opens");
        assert_eq!(kinds(&archive)[0], "annals.store.created.v1");
        archive.close().expect("closed");
        let archive = Archive::open_on(Arc::new(disk), options()).expect("opens");
        let made = |kind: &&String| *kind == "annals.store.created.v1";
        assert_eq!(kinds(&archive).iter().filter(made).count(), 1);
    }

    /// Nobody can be writing on a disk that nobody can write to; but whose lock is held must wait.
    #[test]
    fn who_only_looks_at_a_disk_that_cannot_be_written_to_needs_no_lock() {
        let disk = SimDisk::new();
        let made = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
        made.close().expect("closed");
        let open = |access| {
            let options = Options {
                access,
                ..options()
            };
            Archive::open_on(Arc::new(disk.clone()), options)
        };
        let fault = Fault::Kind(io::ErrorKind::ReadOnlyFilesystem);
        disk.fail_at(0, fault, Repeat::Sticky);
        let refused = open(Access::ReadWrite).map(drop).expect_err("to write");
        assert_eq!(refused.kind(), ErrorKind::ReadOnly);
        let reader = open(Access::ReadOnly).expect("to look");
        assert_eq!(kinds(&reader), ["annals.store.created.v1"]);
        drop(reader);
        disk.heal();
        let writer = open(Access::ReadWrite).expect("opens");
        let told = open(Access::ReadOnly).map(drop).expect_err("held");
        assert_eq!(told.kind(), ErrorKind::Locked);
        disk.fail_at(0, Fault::Os(5), Repeat::Once);
        let told = open(Access::ReadOnly).map(drop).expect_err("broken");
        assert_eq!(told.kind(), ErrorKind::Io);
        writer.close().expect("closed");
    }

    /// A deep look makes an index beside the one that is there, in memory where nothing may be written.
    #[test]
    fn a_damaged_store_that_was_to_be_written_to_is_looked_through_without_a_change() {
        let disk = SimDisk::new();
        let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
        for content in [b"first", b"other"] {
            let new = crate::archive::NewEntry {
                converter: "ICT".into(),
                ..Default::default()
            };
            archive.put(new, &content[..]).expect("archived");
        }
        archive.close().expect("closed");
        let first_frame = JOURNAL_HEADER_BYTES as u64 + 64;
        disk.flip_bit("journal/0000.journal", first_frame * 8)
            .expect("flipped");
        let archive = Archive::open_on(Arc::new(disk.clone()), options()).expect("to look");
        assert!(!archive.damage().is_empty());
        let before = disk.ops();
        let report = archive.verify(crate::archive::Depth::Deep).expect("looked");
        assert!(!report.ok);
        assert_eq!(disk.ops(), before, "{:?}", disk.describe_ops().last());
    }

    /// Who wrote is to be found out years later, also when several machines shared a disk.
    #[cfg(unix)]
    #[test]
    fn what_is_recorded_of_a_process_names_its_machine() {
        let node = rustix::system::uname();
        let node = node.nodename().to_string_lossy().into_owned();
        assert!(!node.is_empty());
        let archive = Archive::create_on(Arc::new(SimDisk::new()), options()).expect("made");
        let new = crate::archive::NewEntry {
            converter: "ICT".into(),
            ..Default::default()
        };
        archive.put(new, &b"x"[..]).expect("archived");
        let leaves: Vec<String> = archive
            .events(EventSeq(1), None)
            .expect("readable")
            .map(|leaf| leaf.expect("whole").line)
            .collect();
        let named = format!("\"host\":\"{node}\"");
        assert!(
            leaves.iter().any(|leaf| leaf.contains(&named)),
            "{leaves:?}"
        );
    }

    /// A folder is a store once its header is durable under its name, and not before.
    #[test]
    fn a_store_whose_header_got_no_durable_name_is_not_made() {
        let create = |disk: &SimDisk| Archive::create_on(Arc::new(disk.clone()), options());
        let mut refused = (0, 0);
        for calls in 0.. {
            let disk = SimDisk::new();
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            let made = create(&disk);
            let struck = disk.struck_census();
            if struck.total() == 0 {
                break;
            }
            let renaming = struck.of(Call::Rename);
            let naming = renaming + struck.on(Call::SyncDir, ".");
            if naming == 0 {
                continue;
            }
            let error = made.map(drop).expect_err("not made");
            assert_eq!(error.kind(), ErrorKind::Io, "call {calls}");
            assert!(disk.content(HEADER_FILE).is_err(), "call {calls}");
            if error.message().contains(HEADER_FILE) {
                refused.0 += renaming;
                refused.1 += naming - renaming;
            }
        }
        assert_eq!(refused, (1, 1));
    }

    #[test]
    fn who_may_wait_gets_the_lock_once_it_is_let_go_and_who_may_not_is_told_at_once() {
        let disk = SimDisk::new();
        let take = |wait| take_lock(&disk, Path::new("store"), wait);
        let held = take(Duration::ZERO).expect("free");
        let told = take(Duration::ZERO).map(drop).expect_err("held");
        assert_eq!(told.kind(), ErrorKind::Locked);
        let tries = disk.census().of(Call::Lock);
        assert_eq!(tries, 2);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| take(Duration::from_mins(1)).map(drop));
            while disk.census().of(Call::Lock) < tries + 2 && !waiting.is_finished() {
                thread::yield_now();
            }
            drop(held);
            waiting.join().expect("no panic").expect("let in");
        });
    }

    #[test]
    fn an_index_that_is_missing_takes_no_bytes_and_one_that_cannot_be_measured_is_told() {
        let disk = SimDisk::new();
        assert_eq!(index_bytes(&disk).expect("none"), 0);
        disk.plant(INDEX_FILE, &[0; 123]).expect("planted");
        assert_eq!(index_bytes(&disk).expect("there"), 123);
        for calls in [0, 1] {
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            let told = index_bytes(&disk).expect_err("unknown");
            assert_eq!(told.kind(), ErrorKind::Io);
            assert!(told.message().contains(INDEX_FILE), "{told}");
        }
    }

    /// The reason is the disk's, and not that the old index is in the way of the new one.
    #[test]
    fn an_index_that_cannot_be_removed_is_told_with_the_disks_own_reason() {
        let disk = SimDisk::new();
        disk.plant(INDEX_FILE, b"of no use").expect("planted");
        disk.fail_at(0, Fault::Os(5), Repeat::Once);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let store = StoreId::from_bytes([7; 16]);
        let told = make_index(&shared, store, &options()).map(drop);
        let told = told.expect_err("not removed");
        assert!(told.message().starts_with("cannot remove"), "{told}");
        assert_eq!(disk.content(INDEX_FILE).expect("there"), b"of no use");
    }
}
