//! The content that a manifest describes: its size, and every blob it is made of.

use crate::blob::manifest::ManifestReader;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// The content that a manifest describes.
pub(in crate::archive) struct Manifest {
    /// Bytes of the content.
    pub(in crate::archive) size: u64,
    /// Every blob it is made of: chunks, and the manifest's own inner nodes.
    pub(in crate::archive) parts: Vec<BlobId>,
}

impl Manifest {
    /// Walks the whole tree below `root`. `fetch` reads the plaintext of an inner node.
    pub(in crate::archive) fn read(
        root: &[u8],
        mut fetch: impl FnMut(&BlobId) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let mut parts = Vec::new();
        let mut nodes = Vec::new();
        let reader = ManifestReader::new(root, |id: &BlobId| {
            nodes.push(*id);
            fetch(id)
        })
        .map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))?;
        let size = reader.total_len();
        for chunk in reader {
            let chunk = chunk.map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))?;
            parts.push(chunk.id);
        }
        parts.append(&mut nodes);
        Ok(Self { size, parts })
    }
}
