//! The file `NEWEST`: a watermark outside the log that names the newest event at the time the store
//! was last closed.
//!
//! ```text
//! annals newest event
//! store 0123456789abcdef0123456789abcdef
//! event 00000000000000001042
//! crc32c 1a2b3c4d
//! ```
//!
//! Its length never changes, so it is overwritten in place. It is never synced and never required:
//! a missing, torn or old file is ignored. A file with a newer event than the log proves that the
//! log was replaced by an older copy.

use crate::id::{EventSeq, StoreId};

/// Length of the file in bytes.
pub(crate) const NEWEST_BYTES: usize = 102;

/// Encodes the content of the file.
pub(crate) fn encode(store: &StoreId, newest: EventSeq) -> String {
    let body = format!(
        "annals newest event\nstore {store}\nevent {:020}\n",
        newest.0
    );
    let crc = crc32c::crc32c(body.as_bytes());
    format!("{body}crc32c {crc:08x}\n")
}

/// Returns the event in the file, if the file is intact and belongs to this store.
pub(crate) fn decode(bytes: &[u8], store: &StoreId) -> Option<EventSeq> {
    let text = str::from_utf8(bytes).ok()?;
    let event = text.lines().nth(2)?.strip_prefix("event ")?;
    let newest = EventSeq(event.parse().ok()?);
    let possible = newest <= EventSeq::MAX;
    (possible && text == encode(store, newest)).then_some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_pinned_and_every_flipped_bit_makes_it_testify_nothing() {
        let store = StoreId::from_bytes([0x5a; 16]);
        let text = encode(&store, EventSeq(1042));
        assert_eq!(
            text,
            "annals newest event\nstore 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\nevent 00000000000000001042\ncrc32c cf4d2b38\n"
        );
        assert_eq!(text.len(), NEWEST_BYTES);
        assert_eq!(decode(text.as_bytes(), &store), Some(EventSeq(1042)));
        let other = StoreId::from_bytes([0x5b; 16]);
        assert_eq!(decode(text.as_bytes(), &other), None);
        let mut bytes = text.into_bytes();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bytes, &store), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        bytes.pop();
        assert_eq!(decode(&bytes, &store), None);
    }
}
