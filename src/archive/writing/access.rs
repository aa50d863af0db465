//! Records which contents were handed out.

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::event::{Accessed, Body, EntryRanges};
use crate::id::EntryId;
use crate::{Error, ErrorKind, Result};

/// The most entries one event lists: so many ids always fit one leaf, however scattered they are.
const ACCESSED_PER_EVENT: usize = 1_000;
/// The longest destination that is recorded, in bytes.
const TO_BYTES_MAX: usize = 4 << 10;

/// The item of the recorded configuration that says whether accesses are recorded.
#[cfg(feature = "host")]
pub(crate) const RECORD_ACCESS: &str = "evidence.record_access";

impl Archive {
    /// Records that the contents of entries are handed out: `how` says by what, `to` where they go.
    /// Durable on `Ok`. Call it before the first byte is handed out.
    ///
    /// A large list is recorded as several events.
    pub fn record_access(&self, entries: &[EntryId], how: &str, to: Option<&str>) -> Result<()> {
        if how.trim().is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "an access needs to say how the contents were handed out",
            ));
        }
        for part in entries.chunks(ACCESSED_PER_EVENT) {
            let to = to.map(|to| to[..to.floor_char_boundary(TO_BYTES_MAX)].to_owned());
            self.append_fact(Draft::fact(Body::Accessed(Accessed {
                entries: EntryRanges::of(part.iter().copied()),
                count: part.len() as u64,
                how: how.to_owned(),
                to,
            })))?;
        }
        Ok(())
    }
}
