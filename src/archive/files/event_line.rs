//! Decodes one line of the log and checks that it is the event its place promises.

use crate::event::Event;
use crate::format::leaf;
use crate::id::EventSeq;
use crate::log::LogError;
use crate::{Error, ErrorKind, Result};

/// Decodes a line of the log, which must be event `seq`.
pub(in crate::archive) fn decode(seq: EventSeq, line: &[u8]) -> Result<Event> {
    let damaged = |why: String| {
        Error::new(
            ErrorKind::Damaged,
            format!("event {seq} cannot be read: {why}"),
        )
    };
    let line = str::from_utf8(line).map_err(|error| damaged(error.to_string()))?;
    let event = leaf::decode(line).map_err(|error| damaged(LogError::from(error).to_string()))?;
    if event.seq != seq {
        return Err(damaged(format!("it calls itself {}", event.seq)));
    }
    Ok(event)
}
