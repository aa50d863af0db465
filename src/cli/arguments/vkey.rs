//! Reads verifier keys that people hand over.

use crate::evidence::note::VerifierKey;
use crate::{Error, ErrorKind, Result};

/// Reads a verifier key, as `annals key show` prints it.
pub(in crate::cli) fn parse_vkey(text: &str) -> Result<VerifierKey> {
    VerifierKey::parse(text.trim()).map_err(|error| {
        Error::new(
            ErrorKind::Invalid,
            format!("this is no verifier key: {error}"),
        )
        .hint("'annals key show' prints it where the store is")
    })
}
