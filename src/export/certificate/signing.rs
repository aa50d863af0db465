//! Signs the text of a certificate, and opens one that somebody else signed.

use super::error::{CertificateError, CertificateRefused, SignCertificateError};
use super::text::Lines;
use crate::evidence::key::{SignError, Signer};
use crate::evidence::note::{Note, VerifierKey};

/// Signs the text of a certificate.
pub(super) fn sign(text: String, signer: &dyn Signer) -> Result<Note, SignCertificateError> {
    let mut note = Note::new(text).map_err(CertificateError::from)?;
    let line = signer.sign(note.text().as_bytes())?;
    let wrong = |_| SignError::WrongSignature(signer.vkey().name().clone());
    note.add(line).map_err(CertificateError::from)?;
    note.verify(std::slice::from_ref(signer.vkey()))
        .map_err(wrong)?;
    // What nobody could read is not handed out.
    Note::parse(note.to_string().as_bytes()).map_err(CertificateError::from)?;
    Ok(note)
}

/// Returns the note in `bytes`, once a trusted key of the log that it names has signed it.
pub(super) fn open(
    bytes: &[u8],
    header: &str,
    trusted: &[VerifierKey],
) -> Result<Note, CertificateRefused> {
    let note = Note::parse(bytes)?;
    let signed_by = note.verify(trusted)?;
    let mut lines = Lines::of(note.text());
    lines.exactly(header)?;
    let log = lines.after("log ")?;
    if !signed_by.iter().any(|key| key.name().as_str() == log) {
        return Err(CertificateRefused::OtherLog(log.to_owned()));
    }
    Ok(note)
}
