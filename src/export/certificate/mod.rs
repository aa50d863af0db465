//! Statements about single facts that a key signs and that anybody checks without a store: what a
//! conversion made of what ([`conversion`]), that a file is what came in ([`RestoreCertificate`]),
//! and what was destroyed ([`DestructionCertificate`]).
//!
//! The statement about a conversion is one of in-toto, in a
//! [DSSE envelope](crate::evidence::dsse). The two certificates are signed notes, so people can
//! read them as they are. Each carries the exact events it rests on, with the proof that they are
//! in the log. All values that come from outside stand in JSON quotes, so that no name looks like
//! another line.

mod conversion;
mod destruction;
mod error;
mod restore;
mod signing;
mod text;

pub use conversion::{CONVERSION_PREDICATE, ConversionSubject, conversion, read_conversion};
pub use destruction::{ContentFate, DestroyedContent, DestructionCertificate, Looked, NOT_LOOKED};
pub use error::{CertificateError, CertificateRefused, SignCertificateError};
pub use restore::{RestoreCertificate, RestoredAs};
pub use text::ProvenLine;

/// Returns true when a text begins as a restore certificate or a certificate of destruction does.
pub fn is_certificate(text: &str) -> bool {
    [restore::HEADER, destruction::HEADER]
        .iter()
        .any(|header| text.lines().next() == Some(header))
}
