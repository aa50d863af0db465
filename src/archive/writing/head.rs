//! Reads the head of content, which for most is all of it, into a buffer that each thread keeps.

use std::cell::Cell;
use std::io::Read;

use crate::{Error, Result};

/// Extra room in the buffer for content of a known length, so that its end is found without growing
/// it.
const END_ROOM_BYTES: usize = 64;
/// Room in the buffer for content of unknown length. Most test-data files are shorter.
pub(super) const USUAL_BYTES: u64 = 16 << 10;
/// The largest buffer that a thread keeps for the next content.
const KEPT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// The buffer of the content that this thread read last. A new one for each file would cost a
    /// good part of what hashing the file costs.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads up to `stream_bytes` of the content of `path`, which has about `about` bytes. Less than
/// `stream_bytes` is all of it.
pub(super) fn read_head(
    path: &str,
    content: &mut impl Read,
    about: u64,
    stream_bytes: usize,
) -> Result<Vec<u8>> {
    // With room to spare, the end is found without the buffer growing.
    let room =
        usize::try_from(about).map_or(stream_bytes, |about| about.saturating_add(END_ROOM_BYTES));
    let mut head = BUFFER.try_with(Cell::take).unwrap_or_default();
    head.clear();
    head.reserve(room.min(stream_bytes));
    content
        .take(stream_bytes as u64)
        .read_to_end(&mut head)
        .map_err(|error| Error::io("read", path, error))?;
    Ok(head)
}

/// Keeps the buffer of [`read_head`] for the next content that this thread reads.
pub(super) fn give_back(head: Vec<u8>) {
    if head.capacity() <= KEPT_BYTES_MAX {
        // A thread that is ending keeps nothing.
        let _ = BUFFER.try_with(|buffer| buffer.set(head));
    }
}
