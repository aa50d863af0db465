//! Times of an entry as distances from its archiving.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A time as its distance from the time the entry was archived at, in microseconds of the instant
/// and seconds of the offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Since(i64, i32);

impl Since {
    pub(super) fn new(at: Timestamp, archived: Timestamp) -> Self {
        Self(
            at.micros() - archived.micros(),
            at.offset_s() - archived.offset_s(),
        )
    }

    pub(super) fn at(self, archived: Timestamp) -> Timestamp {
        Timestamp::from_micros(archived.micros().saturating_add(self.0))
            .at_offset(archived.offset_s().saturating_add(self.1))
    }
}
