//! The store header: the file `FORMAT`, which names the store and the features needed to read it.
//!
//! It is text, so that a person who finds the folder in twenty years can read what it is:
//!
//! ```text
//! annals store
//! format 1
//! store 0123456789abcdef0123456789abcdef
//! needs
//! crc32c 1a2b3c4d
//! ```
//!
//! `needs` lists the features that a program must know to read the store, separated by spaces. A
//! program refuses a store with an unknown feature, and names the feature. The checksum covers all
//! bytes before its line.

use crate::id::StoreId;

/// The on-disk format that this version writes.
pub(crate) const FORMAT_VERSION: u16 = 1;
/// The largest header; a longer file is not a header.
pub(crate) const HEADER_BYTES_MAX: u64 = 4096;
/// The features that this version knows.
const KNOWN: [&str; 0] = [];

/// Text that is not a store header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("it is not the header of an annals store")]
    NotAStore,
    #[error("its checksum does not match")]
    Checksum,
    #[error("it is of format {0}, and this version of annals knows formats up to {FORMAT_VERSION}")]
    Version(u64),
    #[error("it needs '{0}', which this version of annals does not know")]
    Feature(String),
}

/// Encodes the header of a new store.
pub(crate) fn encode(store: &StoreId) -> String {
    let body = format!("annals store\nformat {FORMAT_VERSION}\nstore {store}\nneeds\n");
    let crc = crc32c::crc32c(body.as_bytes());
    format!("{body}crc32c {crc:08x}\n")
}

/// Decodes a header: returns the store's id, or why the store cannot be opened.
pub(crate) fn decode(bytes: &[u8]) -> Result<StoreId, HeaderError> {
    let text = str::from_utf8(bytes).map_err(|_| HeaderError::NotAStore)?;
    let mut lines = text.lines();
    if lines.next() != Some("annals store") {
        return Err(HeaderError::NotAStore);
    }
    let mut field = |name| {
        lines
            .next()
            .and_then(|line| line.strip_prefix(name))
            .map(str::trim)
            .ok_or(HeaderError::NotAStore)
    };
    let version: u64 = field("format ")?
        .parse()
        .map_err(|_| HeaderError::NotAStore)?;
    // A later format may have another layout, so the version is checked before the rest.
    if version != u64::from(FORMAT_VERSION) {
        return Err(HeaderError::Version(version));
    }
    let store = field("store ")?
        .parse()
        .map_err(|_| HeaderError::Checksum)?;
    let needs = field("needs")?;
    let crc = field("crc32c ")?;
    let covered = text.rfind("crc32c ").map_or("", |end| &text[..end]);
    if format!("{:08x}", crc32c::crc32c(covered.as_bytes())) != crc {
        return Err(HeaderError::Checksum);
    }
    if let Some(feature) = needs.split_whitespace().find(|name| !KNOWN.contains(name)) {
        return Err(HeaderError::Feature(feature.to_owned()));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> StoreId {
        StoreId::from_bytes([0x5a; 16])
    }

    #[test]
    fn the_bytes_of_a_header_are_pinned() {
        assert_eq!(
            encode(&store()),
            "annals store\nformat 1\nstore 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\nneeds\ncrc32c a5f67310\n"
        );
        assert_eq!(decode(encode(&store()).as_bytes()), Ok(store()));
    }

    #[test]
    fn a_newer_or_foreign_store_is_refused_by_name() {
        let newer = encode(&store()).replace("format 1", "format 7");
        assert_eq!(decode(newer.as_bytes()), Err(HeaderError::Version(7)));
        assert_eq!(decode(b"SQLite format 3\0"), Err(HeaderError::NotAStore));
        assert_eq!(decode(b""), Err(HeaderError::NotAStore));
        let body =
            "annals store\nformat 1\nstore 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\nneeds teleport\n";
        let needy = format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()));
        assert_eq!(
            decode(needy.as_bytes()),
            Err(HeaderError::Feature("teleport".into()))
        );
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let bytes = encode(&store()).into_bytes();
        // The last byte is the newline after the checksum, which carries no information.
        for bit in 0..(bytes.len() - 1) * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(decode(&damaged), Ok(store()), "bit {bit}");
        }
    }
}
