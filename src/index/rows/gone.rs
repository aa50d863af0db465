//! The rows of parts of an entry that were purged while the rest stays.

use super::since::Since;
use crate::entry::Part;
use crate::id::AttemptNo;
use serde::{Deserialize, Serialize};

/// The row form of a [`PurgedPart`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct GoneRow<'a> {
    pub(super) part: GonePart,
    pub(super) at: Since,
    #[serde(borrow)]
    pub(super) by: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum GonePart {
    Source,
    Reports(AttemptNo),
    Superseded(AttemptNo),
}

impl GonePart {
    pub(super) fn part(self) -> Part {
        match self {
            Self::Source => Part::Source,
            Self::Reports(through) => Part::Reports { through },
            Self::Superseded(through) => Part::Superseded { through },
        }
    }

    pub(super) fn through(self) -> Option<AttemptNo> {
        self.part().through()
    }
}
