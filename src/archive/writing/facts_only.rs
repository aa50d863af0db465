//! Entries of which only facts are kept: their content is hashed and not stored.

use std::io::Read;

use crate::archive::messages::Draft;
use crate::archive::writing::put::{NewEntry, fact};
use crate::blob::digests::Digests;
use crate::event::{BlobRef, Body};
use crate::{Error, Result};

/// Bytes that are hashed at a time.
const PIECE_BYTES: usize = 256 << 10;

/// What is kept of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Keep {
    /// Its content, with what is known of it.
    #[default]
    Content,
    /// Its length, its hashes and what is known of it. It cannot be read, restored or converted
    /// from the archive.
    FactsOnly,
}

/// Reads content to its end, and makes the fact that it existed.
pub(super) fn facts_draft(new: &NewEntry, mut content: impl Read) -> Result<(BlobRef, Draft)> {
    let mut digests = Digests::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match content.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => digests.update(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", &new.source.path, error)),
        }
    }
    let blob = digests.finish();
    let mut fact = fact(new, blob, 0);
    fact.facts_only = true;
    Ok((blob, Draft::fact(Body::Archived(fact))))
}

#[cfg(test)]
mod tests;
