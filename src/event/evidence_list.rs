//! The lists in which events about evidence are found again.

use super::Body;

/// A list of events about evidence. An event is in one list at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum EvidenceList {
    /// Signed checkpoints.
    Checkpoints = 1,
    /// Time stamps over checkpoints.
    TimeStamps = 2,
    /// Keys: made, rotated, lost.
    Keys = 3,
    /// Evidence bundles that were made.
    Exports = 4,
    /// Reviews of a range of the log.
    Reviews = 5,
    /// Contents handed out at the command line.
    CommandLineAccesses = 6,
    /// Contents handed out through the page and the API.
    WebAccesses = 7,
    /// Sign-ins that were refused.
    RefusedSignIns = 8,
    /// Checks of the store for damage.
    Verifications = 9,
    /// Personal values that were erased.
    Erasures = 10,
}

impl EvidenceList {
    /// Every list.
    pub const ALL: [Self; 10] = [
        Self::Checkpoints,
        Self::TimeStamps,
        Self::Keys,
        Self::Exports,
        Self::Reviews,
        Self::CommandLineAccesses,
        Self::WebAccesses,
        Self::RefusedSignIns,
        Self::Verifications,
        Self::Erasures,
    ];

    /// Returns the list that a fact belongs to; `None` for those that are no evidence.
    pub fn of(body: &Body) -> Option<Self> {
        Some(match body {
            Body::CheckpointSigned(_) => Self::Checkpoints,
            Body::CheckpointTimestamped(_) => Self::TimeStamps,
            Body::KeyCreated(_) | Body::KeyRotated(_) | Body::KeyLost(_) => Self::Keys,
            Body::Exported(_) => Self::Exports,
            Body::Reviewed(_) => Self::Reviews,
            Body::Accessed(fact) if fact.is_refused() => Self::RefusedSignIns,
            Body::Accessed(fact) if fact.door.is_some() => Self::WebAccesses,
            Body::Accessed(_) => Self::CommandLineAccesses,
            Body::Verified(_) => Self::Verifications,
            Body::Erased(_) => Self::Erasures,
            _ => return None,
        })
    }
}
