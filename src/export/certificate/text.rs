//! The lines of certificates: written, and read one after the other.

use std::fmt::Write;

use super::error::CertificateRefused;
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::note::VerifierKey;
use crate::evidence::tlog_proof::{ProofRefused, TlogProof};

/// An event with the proof that it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenLine {
    /// Its exact line.
    pub line: String,
    /// The proof.
    pub proof: TlogProof,
}

impl ProvenLine {
    /// Verifies that the line is in the log that one of the trusted keys signed.
    pub(super) fn verify(&self, trusted: &[VerifierKey]) -> Result<SignedCheckpoint, ProofRefused> {
        self.proof.verify(self.line.as_bytes(), trusted)
    }
}

/// Adds a value as JSON text, in which no value can look like another line.
pub(super) fn quoted(text: &mut String, name: &str, value: &str) {
    let quoted = serde_json::Value::from(value);
    let _ = writeln!(text, "{name} {quoted}");
}

/// Adds an event and its proof.
pub(super) fn proven(text: &mut String, proven: &ProvenLine) {
    quoted(text, "event", &proven.line);
    quoted(text, "proof", &proven.proof.to_string());
}

/// Reads the lines of a certificate one after the other.
pub(super) struct Lines<'t> {
    rest: &'t str,
    number: usize,
}

impl<'t> Lines<'t> {
    pub(super) const fn of(text: &'t str) -> Self {
        Self {
            rest: text,
            number: 0,
        }
    }

    /// Returns the next line, which begins with `name`, without it.
    pub(super) fn after(&mut self, name: &str) -> Result<&'t str, CertificateRefused> {
        self.number += 1;
        let wrong = CertificateRefused::Line(self.number);
        let (line, rest) = self.rest.split_once('\n').ok_or(wrong.clone())?;
        self.rest = rest;
        line.strip_prefix(name).ok_or(wrong)
    }

    pub(super) fn exactly(&mut self, line: &str) -> Result<(), CertificateRefused> {
        match self.after(line)? {
            "" => Ok(()),
            _ => Err(self.wrong()),
        }
    }

    /// Returns the value in the next line, which [`quoted`] wrote.
    pub(super) fn quoted(&mut self, name: &str) -> Result<String, CertificateRefused> {
        let value = self.after(&format!("{name} "))?;
        serde_json::from_str(value).map_err(|_| self.wrong())
    }

    /// Returns the next line, which must be a value in its usual text form.
    pub(super) fn parsed<T: std::str::FromStr>(
        &mut self,
        name: &str,
    ) -> Result<T, CertificateRefused> {
        let value = self.after(&format!("{name} "))?;
        value.parse().map_err(|_| self.wrong())
    }

    /// Returns true when the next line begins with `name`.
    pub(super) fn comes(&self, name: &str) -> bool {
        self.rest.starts_with(&format!("{name} "))
    }

    pub(super) fn proven(&mut self) -> Result<ProvenLine, CertificateRefused> {
        let line = self.quoted("event")?;
        let proof = TlogProof::parse(self.quoted("proof")?.as_bytes())?;
        Ok(ProvenLine { line, proof })
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Passes over the next line.
    pub(super) fn skip(&mut self) -> Result<(), CertificateRefused> {
        self.after("").map(drop)
    }

    /// Returns the error about the last line.
    pub(super) const fn wrong(&self) -> CertificateRefused {
        CertificateRefused::Line(self.number)
    }
}
