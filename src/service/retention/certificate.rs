//! Certificates of destruction: what became of the contents that a purge took.

use crate::archive::Archive;
use crate::evidence::note::Note;
use crate::export::certificate::DestructionCertificate;
use crate::{Error, ErrorKind, Result};

/// Frees what a purge left, and signs what became of its contents. `plan` is that of the newest
/// purge if `None`.
///
/// # Errors
/// `NotFound` when there is no such purge; `Refused` while it can be undone, and without a key.
pub fn certify(archive: &Archive, plan: Option<&str>) -> Result<(DestructionCertificate, Note)> {
    // What could not be freed is named in the certificate.
    let freed = archive.free_purged_by(plan);
    if let Err(error) = freed
        && error.kind() == ErrorKind::NotFound
    {
        return Err(error);
    }
    archive.certify_destruction(plan)
}

/// Returns the error for a store that nothing is signed for.
pub fn unsigned() -> Error {
    Error::new(
        ErrorKind::Refused,
        "there is no key here to sign a certificate with",
    )
    .hint("make one with 'annals key init', or name it with --key-file FILE")
}
