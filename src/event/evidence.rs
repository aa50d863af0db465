//! Facts about evidence: the keys that sign the log, and what they signed.

use serde::{Deserialize, Serialize};

use crate::id::EventSeq;

/// See [`Body::KeyCreated`](crate::event::Body::KeyCreated).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyCreated {
    /// The public part of the key, as `<name>+<id>+<base64>`.
    pub vkey: String,
}

/// See [`Body::KeyRotated`](crate::event::Body::KeyRotated).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyRotated {
    /// The statement that both keys signed.
    pub statement: String,
}

/// See [`Body::KeyLost`](crate::event::Body::KeyLost).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyLost {
    /// The statement that the new key signed.
    pub statement: String,
}

/// See [`Body::CheckpointCadence`](crate::event::Body::CheckpointCadence).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckpointCadence {
    /// A checkpoint is signed when so many events came since the one before.
    pub every_events: u64,
    /// A checkpoint is signed when the oldest event since the one before is so many seconds old.
    pub every_s: u64,
}

/// See [`Body::CheckpointSigned`](crate::event::Body::CheckpointSigned).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckpointSigned {
    /// The signed note: how many events the log had, and the root of the tree over them.
    pub note: String,
}

/// See [`Body::CheckpointTimestamped`](crate::event::Body::CheckpointTimestamped).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckpointTimestamped {
    /// The event with the checkpoint whose note was stamped.
    pub checkpoint: EventSeq,
    /// The server that was asked, without user and password.
    pub server: String,
    /// The token of RFC 3161 over the note, as base64 of its DER.
    pub token: String,
}
