//! Computes both digests of a content in one pass.

use sha2::Digest;

use crate::event::BlobRef;
use crate::id::{BlobId, Sha256};

/// Number of bytes that both hashes process at a time, so that the second finds them in the cache.
const PIECE_BYTES: usize = 64 << 10;

/// BLAKE3, SHA-256 and length of the bytes seen so far.
#[derive(Debug, Clone, Default)]
pub struct Digests {
    blake3: blake3::Hasher,
    sha256: sha2::Sha256,
    size: u64,
}

impl Digests {
    /// Starts with no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the digests and length of a whole content.
    pub fn of(content: &[u8]) -> BlobRef {
        let mut digests = Self::new();
        digests.update(content);
        digests.finish()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.blake3.update(piece);
            self.sha256.update(piece);
        }
        self.size += bytes.len() as u64;
    }

    /// Returns the digests and length of all bytes.
    pub fn finish(self) -> BlobRef {
        BlobRef {
            blake3: BlobId::from_bytes(*self.blake3.finalize().as_bytes()),
            sha256: Sha256::from_bytes(self.sha256.finalize().into()),
            size: self.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_has_the_same_digests_whole_and_in_pieces() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut pieces = Digests::new();
        for piece in content.chunks(99_991) {
            pieces.update(piece);
        }
        let whole = Digests::of(&content);
        assert_eq!(pieces.finish(), whole);
        assert_eq!(whole.blake3, BlobId::of(&content));
        assert_eq!(whole.sha256, Sha256::of(&content));
        assert_eq!(whole.size, 800_000);
    }
}
