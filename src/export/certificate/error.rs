//! Why statements are not made, and why they are not believed.

use crate::evidence::key::SignError;
use crate::evidence::note::{NoteError, VerifyError};
use crate::evidence::tlog_proof::{ProofRefused, TlogProofError};

/// Why no statement can be made of some events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// An event is of another type than the statement is about.
    #[error("event {seq} is of the type '{kind}', not '{wanted}'")]
    Kind {
        /// The event.
        seq: u64,
        /// Its type.
        kind: String,
        /// The type that belongs there.
        wanted: &'static str,
    },
    /// The events are not about one entry.
    #[error("event {converted} is about entry {entry}, not {archived}")]
    Entry {
        /// The event of the conversion.
        converted: u64,
        /// The entry that it is about.
        entry: u64,
        /// The entry that was given.
        archived: u64,
    },
    /// A statement about reports needs one.
    #[error("attempt {0} made no report, so there is nothing to state about one")]
    NoReport(u32),
    /// A line is no event.
    #[error("a line is no event that can be read")]
    NoEvent,
    /// An entry is not among the purged ones.
    #[error("entry {0} was not purged by these events")]
    NotPurged(u64),
    /// There are no events.
    #[error("there is nothing to certify")]
    Nothing,
    /// It is longer than a note can be.
    #[error("the certificate would be too long: {0}")]
    TooLong(#[from] NoteError),
}

/// Why a certificate does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateRefused {
    /// It is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// No trusted key signed it, or it was changed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The keys that signed are not those of the log it is about.
    #[error("no trusted key of '{0}' signed it")]
    OtherLog(String),
    /// A line is missing or is not the one that belongs there.
    #[error("line {0} of the certificate is not the one that belongs there")]
    Line(usize),
    /// A proof in it cannot be read.
    #[error(transparent)]
    Proof(#[from] TlogProofError),
    /// A proof in it does not hold.
    #[error(transparent)]
    NotProven(#[from] ProofRefused),
    /// It says something else than the event that it carries.
    #[error("it does not say what the event says that it carries")]
    Contradiction,
}

/// Why no certificate was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignCertificateError {
    /// There is nothing to sign.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}
