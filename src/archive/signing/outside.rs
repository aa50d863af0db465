//! A copy of the newest checkpoint outside of the store, and what it says about the log.
//!
//! Whoever puts an older copy of a store in its place, or changes the log and all its checksums,
//! does not change this copy as well. It is a file of the account that writes the store, so it
//! shows accidents and copied disks; against that account itself, give checkpoints away.
//!
//! Each folder of a store has its own: a restored store that is tried out must not say of the
//! original that it was taken back.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Result;
use crate::archive::files::event_line::decode;
use crate::archive::files::place;
use crate::archive::signing::checkpoint::advance;
use crate::archive::signing::declared::key_of;
use crate::disk::Disk;
use crate::event::Body;
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::note::{KeyName, NOTE_BYTES_MAX, Note, VerifierKey};
use crate::evidence::tree::Frontier;
use crate::id::{EventSeq, StoreId};
use crate::log::{LogFiles, LogReader};

/// What the names of these files end with.
const SUFFIX: &str = ".checkpoint";
/// Bytes of the digest of a folder in these names.
const SEAT_BYTES: usize = 6;

/// A checkpoint that was kept.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Kept {
    path: PathBuf,
    /// The store and the key, as they stand in the name of the file.
    key: String,
    note: Note,
    checkpoint: Checkpoint,
}

/// How a log contradicts a checkpoint of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum Contradiction {
    /// Events that were signed are gone from its end.
    RolledBack,
    /// Its events are not the ones that were signed, and nobody signed them.
    Tampered,
    /// Its events are not the ones that were signed, and were signed with the same key.
    Forked,
}

/// What a log is to a checkpoint that was signed earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) enum Standing {
    /// It continues the one that was signed, whose tree this is.
    Continues(Frontier),
    /// It says itself that it goes on from before the checkpoint, as a restored store does.
    Explained,
    /// It is another one.
    Contradicts(Contradiction),
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RolledBack => "ROLLED-BACK: it was taken back to an older copy",
            Self::Tampered => "TAMPERED: events were changed, removed or inserted",
            Self::Forked => "FORKED: there are two histories, signed with one key",
        })
    }
}

/// The folder of a store, as it stands in the names of these files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seat(String);

impl Seat {
    fn of(path: &Path) -> Self {
        let text = path.as_os_str().as_encoded_bytes();
        let digest = blake3::derive_key("annals 2026-11 folder of a kept checkpoint v1", text);
        let digits = digest.iter().take(SEAT_BYTES);
        let add = |name, byte: &u8| format!("{name}{byte:02x}");
        Self(digits.fold(String::from("-"), add))
    }

    /// Returns where the store of a disk lies. A disk without a place has a name of its own.
    fn here(disk: &dyn Disk) -> Self {
        let place = disk.place();
        place.map_or(Self(String::new()), |place| Self::of(&place.path))
    }

    fn file_name(&self, key: &str) -> String {
        format!("{key}{}{SUFFIX}", self.0)
    }
}

/// Keeps a checkpoint of the store in `disk` in place of the older one of its key.
///
/// Like `NEWEST`, it helps where it is there, and nothing depends on it.
pub(in crate::archive) fn keep(
    folder: &Path,
    store: &StoreId,
    disk: &dyn Disk,
    signed: &SignedCheckpoint,
) {
    let Some(key) = signed.signed_by().first() else {
        return;
    };
    let key = format!("{store}-{}", key.id());
    let path = folder.join(Seat::here(disk).file_name(&key));
    let tmp = path.with_extension("tmp");
    // A full or read-only disk keeps the older checkpoint, which is still true.
    let written = fs::write(&tmp, signed.to_string());
    let _ = written.and_then(|()| fs::rename(&tmp, &path));
}

/// Appends a checkpoint to a file of checkpoints, each followed by an empty line.
pub(in crate::archive) fn publish(file: &Path, signed: &SignedCheckpoint) -> io::Result<()> {
    let mut out = OpenOptions::new().create(true).append(true).open(file)?;
    out.write_all(format!("{signed}\n").as_bytes())?;
    out.sync_all()
}

/// Returns the checkpoint of the most events that is kept for the store in `disk`. For one that was
/// moved here, it is the one of its last folder: another store may have been here before.
pub(in crate::archive) fn kept(folder: &Path, store: &StoreId, disk: &dyn Disk) -> Option<Kept> {
    let here = Seat::here(disk);
    let last = place::read(disk, store);
    let last = last.filter(|_| place::standing(disk, store) == place::Standing::Same);
    let last = last
        .map(|last| Seat::of(&last.path))
        .filter(|last| *last != here);
    last.and_then(|last| kept_for(folder, store, &last))
        .or_else(|| kept_for(folder, store, &here))
}

fn kept_for(folder: &Path, store: &StoreId, seat: &Seat) -> Option<Kept> {
    let own = KeyName::of_store(store);
    let of_store = format!("{store}-");
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let key = name.strip_suffix(SUFFIX)?.strip_suffix(&seat.0)?;
        let is_ours = key
            .strip_prefix(&of_store)
            .is_some_and(|key| !key.contains('-'));
        let is_short = entry.metadata().ok()?.len() <= NOTE_BYTES_MAX as u64;
        (is_ours && is_short).then(|| (entry.path(), key.to_owned()))
    });
    let kept = files.filter_map(|(path, key)| {
        let note = Note::parse(&fs::read(&path).ok()?).ok()?;
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        let is_own = checkpoint.origin.as_str() == own.as_str();
        is_own.then_some(Kept {
            path,
            key,
            note,
            checkpoint,
        })
    });
    kept.max_by_key(|kept| kept.checkpoint.size)
}

impl Kept {
    /// Describes how a log contradicts this checkpoint, for people.
    pub(in crate::archive) fn describe(&self, how: Contradiction, last: EventSeq) -> String {
        format!(
            "the log ends with event {last}, and is not the one of {} events that {} has the \
             signed root of: {how}; if it goes on like this deliberately, say so once with 'annals \
             confirm-move'",
            self.checkpoint.size,
            self.path.display()
        )
    }

    /// Takes the file out of the comparison, and keeps it.
    pub(in crate::archive) fn set_aside(&self) {
        // If it cannot be renamed, the next opening explains it once more.
        let _ = fs::rename(&self.path, self.path.with_extension("superseded"));
    }

    /// Lets the file go with a store that was moved.
    fn follow(&self, disk: &dyn Disk) {
        let path = (self.path).with_file_name(Seat::here(disk).file_name(&self.key));
        if path != self.path {
            // The file in the old place is still true, and the next checkpoint makes a new one.
            let _ = fs::rename(&self.path, &path);
        }
    }

    /// Compares the log, whose last event is `last`, with this checkpoint.
    pub(in crate::archive) fn compare(
        &self,
        log: &Arc<LogFiles>,
        last: EventSeq,
    ) -> Result<Standing> {
        let size = EventSeq(self.checkpoint.size);
        let found = if size > last {
            Contradiction::RolledBack
        } else {
            let tree = advance(log, None, size)?;
            if tree.root() == self.checkpoint.root {
                return Ok(Standing::Continues(tree));
            }
            if self.is_signed_anew(log, last)? {
                Contradiction::Forked
            } else {
                Contradiction::Tampered
            }
        };
        Ok(if goes_on_from_before(log, size, last)? {
            Standing::Explained
        } else {
            Standing::Contradicts(found)
        })
    }

    /// Returns true when the log has a checkpoint of as many events or more that holds, by the key
    /// that signed this one.
    fn is_signed_anew(&self, log: &Arc<LogFiles>, last: EventSeq) -> Result<bool> {
        let mut keys: Vec<VerifierKey> = Vec::new();
        let mut tree = None;
        let mut reader = LogReader::new(Arc::clone(log), EventSeq(1), last);
        while let Some(leaf) = reader.next_leaf() {
            let (seq, line) = leaf?;
            let Ok(event) = decode(seq, &line) else {
                continue;
            };
            if let Some(Ok(key)) = key_of(&event.body) {
                let signed_this = self.note.verify(std::slice::from_ref(&key)).is_ok();
                keys.extend(signed_this.then_some(key));
            }
            let Body::CheckpointSigned(fact) = event.body else {
                continue;
            };
            if let Ok(signed) = SignedCheckpoint::open(fact.note.as_bytes(), &keys)
                && (self.checkpoint.size..seq.0).contains(&signed.checkpoint().size)
            {
                let size = EventSeq(signed.checkpoint().size);
                let there = advance(log, tree.take(), size)?;
                if there.root() == signed.checkpoint().root {
                    return Ok(true);
                }
                tree = Some(there);
            }
        }
        Ok(false)
    }
}

/// Returns true when the log says that it goes on from an event before `size`, so that what came
/// then in another copy of the store is no part of it. Once something was signed after that, it
/// counts no more.
fn goes_on_from_before(log: &Arc<LogFiles>, size: EventSeq, last: EventSeq) -> Result<bool> {
    let mut goes_on = false;
    let mut reader = LogReader::new(Arc::clone(log), EventSeq(1), last);
    while let Some(leaf) = reader.next_leaf() {
        let (seq, line) = leaf?;
        match decode(seq, &line).map(|event| event.body) {
            Ok(Body::StoreContinued(fact)) => goes_on |= fact.event < size,
            Ok(Body::CheckpointSigned(_)) => goes_on = false,
            _ => {}
        }
    }
    Ok(goes_on)
}

/// Compares the log of a store that is opened with the checkpoint that is kept for it. Returns the
/// tree up to that checkpoint, from which the next one grows, or the damage in one line.
pub(in crate::archive) fn judge(
    folder: &Path,
    store: &StoreId,
    disk: &dyn Disk,
    log: &Arc<LogFiles>,
) -> std::result::Result<Option<Frontier>, String> {
    let Some(kept) = kept(folder, store, disk) else {
        return Ok(None);
    };
    let last = log.last();
    match kept.compare(log, last) {
        Ok(Standing::Continues(tree)) => {
            kept.follow(disk);
            Ok(Some(tree))
        }
        Ok(Standing::Explained) => {
            kept.set_aside();
            Ok(None)
        }
        Ok(Standing::Contradicts(how)) => Err(kept.describe(how, last)),
        Err(error) => Err(format!(
            "the log cannot be compared with {}: {}",
            kept.path.display(),
            error.message()
        )),
    }
}
