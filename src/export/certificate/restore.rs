//! The certificate of a restored file: it is what came in.

use std::fmt::Write;

use super::error::{CertificateError, CertificateRefused, SignCertificateError};
use super::signing::{open, sign};
use super::text::{Lines, ProvenLine, proven, quoted};
use crate::event::{Archived, Body, Event};
use crate::evidence::key::Signer;
use crate::evidence::note::{Note, TextLine, VerifierKey};
use crate::export::lines::event_of;
use crate::time::Timestamp;

/// The first line.
pub(super) const HEADER: &str = "annals restore certificate v1";

/// States that a file that was restored is what came in: its digests are those that were recorded
/// when it was archived, and the record is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreCertificate {
    /// The name of the log.
    pub origin: TextLine,
    /// Who restored it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The name under which it was restored.
    pub file: String,
    /// In which form.
    pub form: RestoredAs,
    /// The checks that were made, in words.
    pub checks: Vec<String>,
    /// The event that archived it.
    pub archived: ProvenLine,
}

/// In which form a content was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoredAs {
    /// As the file that it is.
    File,
    /// A main file and its companions, which were archived as one.
    Companions,
}

impl RestoredAs {
    const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Companions => "companions",
        }
    }
}

impl RestoreCertificate {
    /// Signs the certificate.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Note, SignCertificateError> {
        sign(self.text()?, signer)
    }

    /// Parses a certificate and verifies it: its signature, and that the event it rests on is in
    /// the log and says the same. Needs only keys that came another way.
    pub fn verify(bytes: &[u8], trusted: &[VerifierKey]) -> Result<Self, CertificateRefused> {
        let note = open(bytes, HEADER, trusted)?;
        let mut lines = Lines::of(note.text());
        lines.exactly(HEADER)?;
        let origin = lines.after("log ")?;
        let origin = TextLine::new(origin).map_err(|_| lines.wrong())?;
        let by = lines.quoted("restored by")?;
        let at = lines.parsed("restored at")?;
        let file = lines.quoted("file")?;
        let form = match lines.after("form ")? {
            "file" => RestoredAs::File,
            "companions" => RestoredAs::Companions,
            _ => return Err(lines.wrong()),
        };
        let mut checks = Vec::new();
        while lines.comes("checked") {
            checks.push(lines.quoted("checked")?);
        }
        // These repeat what the event says; they are compared as a whole below.
        while !lines.comes("event") {
            lines.skip()?;
        }
        let read = Self {
            origin,
            by,
            at,
            file,
            form,
            checks,
            archived: lines.proven()?,
        };
        let signed = read.archived.verify(trusted)?;
        let event = read
            .event()
            .map_err(|_| CertificateRefused::Contradiction)?;
        let is_here = event.seq.0 == read.archived.proof.index() + 1
            && signed.checkpoint().origin == read.origin;
        if !is_here || read.text().ok().as_deref() != Some(note.text()) {
            return Err(CertificateRefused::Contradiction);
        }
        Ok(read)
    }

    /// Returns the event that archived the file.
    pub fn event(&self) -> Result<Event, CertificateError> {
        event_of(self.archived.line.as_bytes()).ok_or(CertificateError::NoEvent)
    }

    fn text(&self) -> Result<String, CertificateError> {
        let event = self.event()?;
        let fact = archived(&event)?;
        let mut text = format!("{HEADER}\nlog {}\n", self.origin);
        quoted(&mut text, "restored by", &self.by);
        let _ = writeln!(text, "restored at {}", self.at);
        quoted(&mut text, "file", &self.file);
        let _ = writeln!(text, "form {}", self.form.name());
        for check in &self.checks {
            quoted(&mut text, "checked", check);
        }
        let _ = writeln!(text, "entry {}\narchived at {}", event.seq, event.time);
        quoted(&mut text, "name", &fact.source.name);
        let blob = &fact.blob;
        let _ = writeln!(
            text,
            "size {}\nsha256 {}\nblake3 {}",
            blob.size, blob.sha256, blob.blake3
        );
        proven(&mut text, &self.archived);
        Ok(text)
    }
}

/// Returns what an event says of the archived source.
pub(super) fn archived(event: &Event) -> Result<&Archived, CertificateError> {
    match &event.body {
        Body::Archived(fact) => Ok(fact),
        _ => Err(kind(event, "annals.archived.v1")),
    }
}

pub(super) fn kind(event: &Event, wanted: &'static str) -> CertificateError {
    CertificateError::Kind {
        seq: event.seq.0,
        kind: event.body.kind().to_owned(),
        wanted,
    }
}
