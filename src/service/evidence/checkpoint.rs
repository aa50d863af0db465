//! Checkpoints as objects, and who may sign one.

use serde::Serialize;
use std::fmt::Display;

use crate::archive::{Archive, RecordedCheckpoint};
use crate::id::{EventSeq, Sha256};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// A checkpoint, as `annals checkpoint --json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct CheckpointObject {
    /// The event that records it.
    pub event: EventSeq,
    /// How many events it covers.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Sha256,
    /// The key that signed it.
    pub vkey: String,
    /// The signed note.
    pub note: String,
    /// A time stamp over it, where one was asked for with it.
    pub timestamp: Option<TimeStampObject>,
}

/// A time stamp over a checkpoint.
#[derive(Debug, Clone, Serialize)]
pub struct TimeStampObject {
    /// The event that records it.
    pub event: EventSeq,
    /// When the server says that the checkpoint was there.
    pub time: Timestamp,
    /// Before when a later checkpoint should be stamped.
    pub renew_before: Option<Timestamp>,
}

impl CheckpointObject {
    /// Returns the object of a checkpoint.
    pub fn new(checkpoint: &RecordedCheckpoint) -> Self {
        let signed = &checkpoint.signed;
        let key = signed.signed_by().first();
        Self {
            event: checkpoint.event,
            size: signed.checkpoint().size,
            root: Sha256::from_bytes(signed.checkpoint().root),
            vkey: key.map(ToString::to_string).unwrap_or_default(),
            note: signed.to_string(),
            timestamp: None,
        }
    }

    /// Adds a time stamp.
    #[must_use]
    pub fn stamped(mut self, timestamp: Option<TimeStampObject>) -> Self {
        self.timestamp = timestamp;
        self
    }
}

/// The checkpoint that somebody who asked for one gets.
#[derive(Debug)]
pub enum Signed {
    /// Everything acknowledged is signed.
    Now(RecordedCheckpoint),
    /// There is no key here to sign with. This is the newest checkpoint that there is.
    Before(RecordedCheckpoint),
}

/// Signs everything that is acknowledged; without a key, returns the newest checkpoint.
///
/// # Errors
/// `Refused` when the store was never signed.
pub fn sign_or_newest(archive: &Archive) -> Result<Signed> {
    if archive.signs() {
        return archive.checkpoint().map(Signed::Now);
    }
    let newest = archive.newest_checkpoint()?;
    let newest = newest.ok_or_else(|| not_signed(ErrorKind::Refused, "the store is not signed"))?;
    Ok(Signed::Before(newest))
}

/// Returns the newest checkpoint. Nothing is signed by looking.
///
/// # Errors
/// `NotFound` when there is none.
pub fn newest(archive: &Archive) -> Result<RecordedCheckpoint> {
    let newest = archive.newest_checkpoint()?;
    newest.ok_or_else(|| not_signed(ErrorKind::NotFound, "there is no checkpoint yet"))
}

fn not_signed(kind: ErrorKind, told: impl Display) -> Error {
    Error::new(kind, told.to_string()).hint("make a key with 'annals key init'")
}
