//! Facts about retention locks.

use serde::{Deserialize, Serialize};

use crate::entry::Period;

/// See [`Body::RetentionLocked`](crate::event::Body::RetentionLocked). A later one of the same name
/// makes the lock longer or stricter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetentionLocked {
    /// The lock's name.
    pub name: String,
    /// How long entries are kept at least, after they were archived.
    pub keep: Period,
    /// How strict it is.
    pub mode: LockMode,
    /// Only entries of these converters; of all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub converter: Vec<String>,
    /// Only entries that have, or ever had, all of these labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<String>,
    /// Why.
    pub reason: String,
}

/// See [`Body::RetentionUnlocked`](crate::event::Body::RetentionUnlocked).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetentionUnlocked {
    /// The lock's name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// How strict a retention lock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LockMode {
    /// It can be bypassed and removed, with a reason that is recorded.
    Governance,
    /// Nothing bypasses, shortens or removes it.
    Compliance,
}

impl LockMode {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Governance => "governance",
            Self::Compliance => "compliance",
        }
    }
}
