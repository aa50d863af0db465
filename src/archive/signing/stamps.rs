//! Records time stamps over checkpoints.

use crate::archive::handle::Archive;
use crate::archive::state::signing::RecordedCheckpoint;
use crate::event::{Body, CheckpointTimestamped};
use crate::evidence::timestamp::{TimestampError, TimestampToken};
use crate::id::EventSeq;
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Records the time stamp that a server gave for a checkpoint, and returns the event. The next
    /// checkpoint covers it, so a stamp over that one holds up for this one as well.
    ///
    /// `server` is kept as it is: leave out user names and passwords.
    ///
    /// # Errors
    ///
    /// `Refused` when the stamp is over another text than the note of the checkpoint.
    pub fn record_timestamp(
        &self,
        checkpoint: &RecordedCheckpoint,
        token: &TimestampToken,
        server: &str,
    ) -> Result<EventSeq> {
        if !token.is_over(checkpoint.signed.to_string().as_bytes()) {
            let told = TimestampError::OtherText.to_string();
            return Err(Error::new(ErrorKind::Refused, told));
        }
        self.recorder()?
            .append(Body::CheckpointTimestamped(CheckpointTimestamped {
                checkpoint: checkpoint.event,
                server: server.to_owned(),
                token: token.to_base64(),
            }))
    }
}
