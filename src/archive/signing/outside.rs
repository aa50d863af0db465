//! A copy of the newest checkpoint outside of the store, and what it says about the log.
//!
//! Whoever puts an older copy of a store in its place, or changes the log and all its checksums,
//! does not change this copy as well. It is a file of the account that writes the store, so it
//! shows accidents and copied disks; against that account itself, give checkpoints away.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Result;
use crate::archive::files::event_line::decode;
use crate::archive::signing::checkpoint::advance;
use crate::archive::signing::declared::key_of;
use crate::event::Body;
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::note::{KeyName, NOTE_BYTES_MAX, Note, VerifierKey};
use crate::evidence::tree::Frontier;
use crate::id::{EventSeq, StoreId};
use crate::log::{LogFiles, LogReader};

/// What the names of these files end with.
const SUFFIX: &str = ".checkpoint";

/// A checkpoint that was kept.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Kept {
    path: PathBuf,
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

/// Keeps a checkpoint in place of the older one of its key.
///
/// Like `NEWEST`, it helps where it is there, and nothing depends on it.
pub(in crate::archive) fn keep(folder: &Path, store: &StoreId, signed: &SignedCheckpoint) {
    let Some(key) = signed.signed_by().first() else {
        return;
    };
    let path = folder.join(format!("{store}-{}{SUFFIX}", key.id()));
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

/// Returns the checkpoint of the most events that is kept for a store.
pub(in crate::archive) fn kept(folder: &Path, store: &StoreId) -> Option<Kept> {
    let own = KeyName::of_store(store);
    let of_store = format!("{store}-");
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let is_ours = name.starts_with(&of_store) && name.ends_with(SUFFIX);
        let is_short = entry.metadata().ok()?.len() <= NOTE_BYTES_MAX as u64;
        (is_ours && is_short).then(|| entry.path())
    });
    let kept = files.filter_map(|path| {
        let note = Note::parse(&fs::read(&path).ok()?).ok()?;
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        let is_own = checkpoint.origin.as_str() == own.as_str();
        is_own.then_some(Kept {
            path,
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
    log: &Arc<LogFiles>,
) -> std::result::Result<Option<Frontier>, String> {
    let Some(kept) = kept(folder, store) else {
        return Ok(None);
    };
    let last = log.last();
    match kept.compare(log, last) {
        Ok(Standing::Continues(tree)) => Ok(Some(tree)),
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
