//! Computes the key of a file's entry, and decides whether earlier attempts allow another one.

use std::path::Path;

use crate::archive::Archive;
use crate::entry::{Attempt, Entry, Outcome};
use crate::host::config::settings::Retry;
use crate::host::sources::file_meta::FileMeta;
use crate::id::{BlobId, ConverterId, EntryId};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

pub(in crate::host) fn entry(archive: &Archive, id: EntryId) -> Result<Entry> {
    archive.snapshot()?.entry(id)?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("entry {id} was acknowledged and is not there"),
        )
    })
}

/// Whether a file may be converted again, according to its entry's attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum History {
    None,
    /// The conversion is to be tried again now.
    Again,
    NotYet,
    Final(Outcome),
}

/// Decides whether a file may be converted again. `current` is the converter's identity now.
///
/// A failure under another identity is retried at once, however many attempts there were; so is a
/// suspicious success, unless `current` is `None`.
pub(in crate::host) fn history(
    entry: &Entry,
    current: Option<ConverterId>,
    retry: Retry,
    now: Timestamp,
) -> History {
    let Some(last) = entry.attempts.last() else {
        return History::None;
    };
    let is_open = is_failure(last.status) || !last.suspicious.is_empty();
    if is_open && is_of_another(last, current) {
        return History::Again;
    }
    let tried = tried_by(entry, current);
    let repeats = match last.status {
        Outcome::Suspended => true,
        Outcome::Failed => tried < retry.max_attempts,
        Outcome::Success | Outcome::Skipped | Outcome::Rejected => false,
    };
    if !repeats {
        return History::Final(last.status);
    }
    // The difference counts in both directions: a clock that was set back must not block a file for
    // years.
    let passed = now.micros().abs_diff(last.at.micros());
    if u128::from(passed) >= retry.delay.as_micros() {
        History::Again
    } else {
        History::NotYet
    }
}

/// Returns true for an outcome that sends a file to the error folder.
pub(super) fn is_failure(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Rejected)
}

/// Returns true for an attempt by another converter than the current one.
///
/// An attempt without a recorded identity may be by any converter.
fn is_of_another(attempt: &Attempt, current: Option<ConverterId>) -> bool {
    matches!((attempt.converter_id, current), (Some(by), Some(current)) if by != current)
}

/// Counts the attempts under the converter's current identity.
pub(super) fn tried_by(entry: &Entry, current: Option<ConverterId>) -> u32 {
    let attempts = entry.attempts.iter().rev();
    let own = attempts.take_while(|attempt| !is_of_another(attempt, current));
    u32::try_from(own.count()).unwrap_or(u32::MAX)
}

/// Returns the idempotency key of one content of one file for one converter. An equal key finds the
/// existing entry.
pub(in crate::host) fn key(
    converter: &str,
    path: &Path,
    meta: &FileMeta,
    content: &BlobId,
) -> String {
    let modified = Timestamp::from(meta.modified);
    let mut hasher = blake3::Hasher::new_derive_key("annals 2026-01 host intake key v1");
    for part in [
        converter.as_bytes(),
        path.as_os_str().as_encoded_bytes(),
        &meta.size.to_le_bytes(),
        &modified.micros().to_le_bytes(),
        content.as_bytes(),
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    format!("host:{}", hasher.finalize().to_hex())
}
