//! Handles the torn end of a journal: keeps a copy, cuts it off, and says what to record.

use std::io;
use std::path::Path;

use crate::archive::files::folders::{QUARANTINE_DIR, TMP_DIR};
use crate::disk::{Disk, OpenMode, PublishError, publish};
use crate::event::Recovered;
use crate::id::{EventSeq, Sha256};
use crate::log::{JOURNAL_BYTES_MAX, Journal, TornTail, cut, journal_path};
use crate::{Error, Result};

/// Keeps a copy of torn bytes, then cuts them off.
///
/// Torn bytes were never acknowledged. The copy helps to find out what happened, and is left out
/// when the disk has no room for it.
pub(in crate::archive) fn set_tail_aside(
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

/// Writes a copy, which gets its name only when all of it is durable.
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
        // On a full disk it must not stay. Elsewhere the next opening removes it.
        let _ = disk.remove(&tmp);
    }
    kept
}

/// Finds a tail that an earlier opening cut off without recording it, because of another fault.
///
/// Its copy is named after the next event, which would otherwise be the record of it.
pub(in crate::archive) fn cut_and_not_recorded(
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
        // A torn tail is never longer than its journal file.
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
