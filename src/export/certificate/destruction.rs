//! The certificate of destruction: what was purged, where it was looked for afterwards, and what
//! was not looked at.

use std::fmt::{self, Write};

use super::error::{CertificateError, CertificateRefused, SignCertificateError};
use super::restore::{archived, kind};
use super::signing::{open, sign};
use super::text::{Lines, ProvenLine, proven, quoted};
use crate::entry::Part;
use crate::event::{Body, Event, PurgedEntries};
use crate::evidence::key::Signer;
use crate::evidence::note::{Note, TextLine, VerifierKey};
use crate::export::lines::event_of;
use crate::id::{EntryId, Sha256};
use crate::time::Timestamp;

/// The first line.
pub(super) const HEADER: &str = "annals certificate of destruction v1";

/// What no certificate can speak of, because it lies outside of the store.
pub const NOT_LOOKED: [&str; 5] = [
    "backups of the store, and other copies of its folder",
    "files that were restored, exported, or submitted to a server",
    "the files in watch folders and wherever they were put afterwards",
    "blocks of the disk that files had before they were removed",
    "facts: names, serials, times and digests stay in the log",
];

/// States that the contents of entries were purged, where they were looked for afterwards, and what
/// became of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestructionCertificate {
    /// The name of the log.
    pub origin: TextLine,
    /// Who had it made.
    pub by: String,
    /// When it was looked for.
    pub at: Timestamp,
    /// The events that record the purge.
    pub purged: Vec<ProvenLine>,
    /// The events that archived the entries.
    pub entries: Vec<Event>,
    /// What became of the contents of these entries.
    pub contents: Vec<DestroyedContent>,
    /// Where they were looked for.
    pub looked: Vec<Looked>,
}

/// A content of a purged entry, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyedContent {
    /// The entry.
    pub entry: EntryId,
    /// What it was, such as `source`.
    pub what: String,
    /// Its digest.
    pub sha256: Sha256,
    /// Its length.
    pub size: u64,
    /// What became of it.
    pub fate: ContentFate,
}

/// What became of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentFate {
    /// It is in none of the places that were looked at.
    Destroyed,
    /// Other entries or converters name the same content, so often.
    Shared(u64),
    /// Nothing needs it, and it was found in so many places that were not freed yet.
    Waiting(u64),
}

impl fmt::Display for ContentFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destroyed => f.write_str("destroyed"),
            Self::Shared(others) => write!(f, "kept: named {others} times by something else"),
            Self::Waiting(places) => write!(f, "not freed yet: found in {places} places"),
        }
    }
}

/// A place where contents were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The place in words.
    pub place: String,
    /// How many files there are.
    pub files: u64,
    /// How many copies of purged contents that nothing needs were found there.
    pub found: u64,
}

impl DestructionCertificate {
    /// Returns true when every content is destroyed or belongs to something else as well.
    pub fn is_complete(&self) -> bool {
        let waits = |content: &DestroyedContent| matches!(content.fate, ContentFate::Waiting(_));
        !self.contents.iter().any(waits)
    }

    /// Signs the certificate.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Note, SignCertificateError> {
        sign(self.text()?, signer)
    }

    /// Verifies a certificate: its signature, and that the purges it names are in the log. Returns
    /// its text. Needs only keys that came another way.
    pub fn verify(bytes: &[u8], trusted: &[VerifierKey]) -> Result<String, CertificateRefused> {
        let note = open(bytes, HEADER, trusted)?;
        let mut lines = Lines::of(note.text());
        lines.exactly(HEADER)?;
        let origin = lines.after("log ")?;
        let mut purges = 0;
        while !lines.is_at_end() {
            if !lines.comes("event") {
                lines.skip()?;
                continue;
            }
            let purged = lines.proven()?;
            let signed = purged.verify(trusted)?;
            let event = event_of(purged.line.as_bytes());
            let is_purge = event.is_some_and(|event| {
                fact(&event).is_ok() && event.seq.0 == purged.proof.index() + 1
            });
            if !is_purge || signed.checkpoint().origin.as_str() != origin {
                return Err(CertificateRefused::Contradiction);
            }
            purges += 1;
        }
        if purges == 0 {
            return Err(CertificateRefused::Contradiction);
        }
        Ok(note.text().to_owned())
    }

    fn text(&self) -> Result<String, CertificateError> {
        if self.purged.is_empty() {
            return Err(CertificateError::Nothing);
        }
        let mut text = format!("{HEADER}\nlog {}\n", self.origin);
        quoted(&mut text, "made by", &self.by);
        let _ = writeln!(text, "made at {}", self.at);
        let mut events = Vec::new();
        for line in &self.purged {
            let event = event_of(line.line.as_bytes()).ok_or(CertificateError::NoEvent)?;
            purge(&mut text, &event, line)?;
            events.push(event);
        }
        for event in &self.entries {
            let is_named = |purged: &Event| {
                fact(purged).is_ok_and(|fact| fact.entries.contains(event.seq.into()))
            };
            if !events.iter().any(is_named) {
                return Err(CertificateError::NotPurged(event.seq.0));
            }
            let source = &archived(event)?.source;
            let _ = writeln!(text, "entry {} archived at {}", event.seq, event.time);
            quoted(&mut text, "name", &source.name);
            let id = EntryId::from(event.seq);
            for content in self.contents.iter().filter(|content| content.entry == id) {
                let _ = writeln!(
                    text,
                    "{}, {} bytes, sha256 {}: {}",
                    content.what, content.size, content.sha256, content.fate
                );
            }
        }
        for looked in &self.looked {
            let _ = writeln!(
                text,
                "looked at {}: {} files, {} found",
                looked.place, looked.files, looked.found
            );
        }
        for place in NOT_LOOKED {
            let _ = writeln!(text, "not looked at: {place}");
        }
        let verdict = if self.is_complete() {
            "all contents that nothing else needs are destroyed in the store"
        } else {
            "some contents are not freed yet; 'annals compact' frees them"
        };
        let _ = writeln!(text, "result: {verdict}");
        Ok(text)
    }
}

fn purge(text: &mut String, event: &Event, line: &ProvenLine) -> Result<(), CertificateError> {
    let fact = fact(event)?;
    let _ = writeln!(text, "purge {} at {}", event.seq, event.time);
    quoted(text, "by", &event.actor.id);
    quoted(text, "plan", &fact.plan_id);
    quoted(text, "rule", &fact.rule);
    quoted(text, "reason", &fact.reason);
    let _ = writeln!(text, "entries {}, {} bytes", fact.count, fact.bytes_logical);
    match fact.what() {
        Part::Entry => {}
        part => {
            let _ = writeln!(text, "of each the {part}");
        }
    }
    for (first, last) in fact.entries.ranges() {
        let _ = writeln!(text, "from {first} to {last}");
    }
    proven(text, line);
    Ok(())
}

fn fact(event: &Event) -> Result<&PurgedEntries, CertificateError> {
    match &event.body {
        Body::PurgedEntries(fact) => Ok(fact),
        _ => Err(kind(event, "annals.purged.v1")),
    }
}
