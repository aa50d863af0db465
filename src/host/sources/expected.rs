//! A reader that fails at its end when the content is not what was read before.

use std::io::{self, Read};

use crate::id::BlobId;

/// Reads `content`, and fails at its end when its hash is not the expected one.
pub(in crate::host) struct Expected<Content> {
    content: Content,
    hasher: blake3::Hasher,
    blob: BlobId,
}

impl<Content> Expected<Content> {
    pub(in crate::host) fn new(content: Content, blob: BlobId) -> Self {
        Self {
            content,
            hasher: blake3::Hasher::new(),
            blob,
        }
    }
}

impl<Content: Read> Read for Expected<Content> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() {
            let found = BlobId::from_bytes(*self.hasher.finalize().as_bytes());
            if found != self.blob {
                return Err(io::Error::other("it changed while it was read"));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_than_expected_are_an_error_at_their_end() {
        let expected = BlobId::of(b"content");
        let read =
            |bytes: &'static [u8]| io::copy(&mut Expected::new(bytes, expected), &mut io::sink());
        assert_eq!(read(b"content").expect("the same"), 7);
        assert!(read(b"contend").is_err());
    }
}
