//! A hold as one object.

use serde::Serialize;

use crate::archive::Hold;
use crate::service::time::Zone;
use crate::time::Timestamp;

/// A hold, with whether it is to be reviewed.
#[derive(Debug, Clone, Serialize)]
pub struct HoldObject {
    /// The hold.
    #[serde(flatten)]
    hold: Hold,
    /// Whether the day is past at which somebody was to look whether it is still needed.
    overdue: bool,
}

impl HoldObject {
    /// Returns the object of a hold as of `now`, with its times in `zone`.
    pub fn new(hold: Hold, now: Timestamp, zone: &Zone) -> Self {
        let overdue = hold.is_overdue(now);
        let hold = Hold {
            placed_at: zone.exact(hold.placed_at),
            review: hold.review.map(|at| zone.exact(at)),
            ..hold
        };
        Self { hold, overdue }
    }
}
