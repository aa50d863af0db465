//! Encodes content for the journal.

use crate::blob::compression::Compressors;
use crate::format::record::{RECORD_HEADER_BYTES, RecordKind, encode_into};
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// Compresses `content` for the journal. Returns the encoded record, and how many bytes it stores.
pub(in crate::archive) fn inline_record(
    for_journal: &Compressors,
    id: BlobId,
    content: &[u8],
) -> Result<(Vec<u8>, u64)> {
    let raw_len = u32::try_from(content.len()).expect("inline content is below the chunk size");
    for_journal.compress(content, |packed| {
        let stored_bytes = packed.stored.len() as u64;
        let mut record = Vec::with_capacity(RECORD_HEADER_BYTES + packed.stored.len());
        encode_into(
            &mut record,
            &packed.record(RecordKind::Content, id, raw_len),
        )
        .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
        Ok((record, stored_bytes))
    })
}
