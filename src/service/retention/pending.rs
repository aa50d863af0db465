//! Purges that can be undone, what a purge did, and bytes of a purge that were not freed.

use serde::Serialize;

use crate::archive::{PendingPurge, RecordedPurge};
use crate::service::time::Zone;
use crate::{Error, ErrorKind};

/// A purge that was made final before its time.
#[derive(Debug, Serialize)]
pub struct Finalized<'a> {
    /// The plan of the purge.
    pub plan_id: &'a str,
    /// What was freed.
    pub bytes_freed: u64,
}

/// Returns a purge that can be undone with its times in `zone`.
pub fn pending_in_zone(purge: PendingPurge, zone: &Zone) -> PendingPurge {
    PendingPurge {
        purged_at: zone.exact(purge.purged_at),
        final_at: zone.exact(purge.final_at),
        ..purge
    }
}

/// Returns what a purge did with its times in `zone`.
pub fn recorded_in_zone(recorded: RecordedPurge, zone: &Zone) -> RecordedPurge {
    let exact = |time: Option<crate::time::Timestamp>| time.map(|time| zone.exact(time));
    RecordedPurge {
        oldest_purged: exact(recorded.oldest_purged),
        newest_purged: exact(recorded.newest_purged),
        final_at: exact(recorded.final_at),
        ..recorded
    }
}

/// Returns the error for purged bytes that were not freed, with the command that frees them.
pub fn unfreed(error: &Error) -> Error {
    Error::new(
        error.kind(),
        format!(
            "the purge is on record, but its bytes are not freed yet: {}",
            error.message()
        ),
    )
    .hint(match error.kind() {
        ErrorKind::Full => {
            "free some space, then run `annals compact`; the next purge does it, too"
        }
        ErrorKind::Damaged => "see `annals verify`; once that is mended, run `annals compact`",
        _ => "run `annals compact`; the next purge does it, too",
    })
}
