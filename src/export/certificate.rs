//! Statements about single facts, as texts that a key can sign: what a conversion made of what,
//! what was given back, and what was destroyed. They are pure functions of events.

use std::fmt::Write;

use serde_json::json;

use crate::event::{Archived, Body, Event};
use crate::evidence::key::{SignError, Signer};
use crate::evidence::note::{Note, TextLine};
use crate::time::Timestamp;

/// The type of the predicate in a statement about a conversion.
pub const CONVERSION_PREDICATE: &str = "urn:annals:conversion:v1";

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
    /// An entry is not among the purged ones.
    #[error("entry {0} was not purged by these events")]
    NotPurged(u64),
    /// There are no events.
    #[error("there is nothing to certify")]
    Nothing,
}

/// Returns the in-toto statement (v1) about a conversion, as one line of JSON: these reports were
/// made of that source, by that converter.
///
/// The subjects are the reports. A failed conversion without reports has none, and says why.
pub fn conversion(source: &Event, attempt: &Event) -> Result<String, CertificateError> {
    let archived = archived(source)?;
    let Body::Converted(fact) = &attempt.body else {
        return Err(kind(attempt, "annals.converted.v1"));
    };
    if fact.entry.0 != source.seq.0 {
        return Err(CertificateError::Entry {
            converted: attempt.seq.0,
            entry: fact.entry.0,
            archived: source.seq.0,
        });
    }
    let subjects = (0..).zip(&fact.reports).map(|(number, report): (u32, _)| {
        json!({
            "name": format!("entry-{}-attempt-{}-report-{number}", fact.entry, fact.attempt),
            "digest": { "sha256": report.sha256, "blake3": report.blake3 },
        })
    });
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects.collect::<Vec<_>>(),
        "predicateType": CONVERSION_PREDICATE,
        "predicate": {
            "entry": fact.entry,
            "attempt": fact.attempt,
            "outcome": fact.outcome,
            "error": fact.error,
            "source": {
                "name": archived.source.name,
                "size": archived.blob.size,
                "digest": { "sha256": archived.blob.sha256, "blake3": archived.blob.blake3 },
            },
            "converter": {
                "name": fact.converter,
                "version": fact.converter_version,
                "identity": fact.converter_id,
                "arguments": fact.arguments,
            },
            "events": { "archived": source.seq, "converted": attempt.seq },
            "recorded": attempt.time,
        },
    });
    Ok(statement.to_string())
}

/// Returns the text of a restore certificate: these entries were given back on that day, each
/// equal to what was archived. The caller has compared each content with its hash.
pub fn restore(
    origin: &TextLine,
    entries: &[Event],
    by: &str,
    at: Timestamp,
) -> Result<String, CertificateError> {
    if entries.is_empty() {
        return Err(CertificateError::Nothing);
    }
    let mut text = format!("annals restore certificate v1\nlog {origin}\n");
    line(&mut text, "restored by", by);
    let _ = writeln!(text, "restored at {at}\nentries {}", entries.len());
    for event in entries {
        describe(&mut text, event, archived(event)?);
    }
    Ok(text)
}

/// Returns the text of a certificate of destruction: by these events, the content of these entries
/// was purged. `entries` are the events that archived them; the purged events may name more.
pub fn destruction(
    origin: &TextLine,
    purged: &[Event],
    entries: &[Event],
) -> Result<String, CertificateError> {
    if purged.is_empty() {
        return Err(CertificateError::Nothing);
    }
    let mut text = format!("annals certificate of destruction v1\nlog {origin}\n");
    for event in purged {
        let Body::PurgedEntries(fact) = &event.body else {
            return Err(kind(event, "annals.purged.v1"));
        };
        let _ = writeln!(text, "event {} at {}", event.seq, event.time);
        line(&mut text, "  by", &event.actor.id);
        line(&mut text, "  plan", &fact.plan_id);
        line(&mut text, "  rule", &fact.rule);
        line(&mut text, "  reason", &fact.reason);
        let _ = writeln!(
            text,
            "  entries {}, {} bytes:",
            fact.count, fact.bytes_logical
        );
        for (first, last) in fact.entries.ranges() {
            let _ = writeln!(text, "  from {first} to {last}");
        }
    }
    for event in entries {
        let named = purged.iter().any(|purged| match &purged.body {
            Body::PurgedEntries(fact) => fact.entries.contains(event.seq.into()),
            _ => false,
        });
        if !named {
            return Err(CertificateError::NotPurged(event.seq.0));
        }
        describe(&mut text, event, archived(event)?);
    }
    Ok(text)
}

/// Signs a text of this module. The note is what [`Note::verify`] takes.
pub fn sign(text: &str, signer: &dyn Signer) -> Result<Note, SignError> {
    let text = if text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    };
    let line = signer.sign(text.as_bytes())?;
    let wrong = || SignError::WrongSignature(signer.vkey().name().clone());
    // JSON and the quoted values of certificates have no control characters.
    let mut note = Note::new(text).map_err(|_| wrong())?;
    note.add(line).map_err(|_| SignError::TooManySigners)?;
    note.verify(std::slice::from_ref(signer.vkey()))
        .map_err(|_| wrong())?;
    Ok(note)
}

fn archived(event: &Event) -> Result<&Archived, CertificateError> {
    match &event.body {
        Body::Archived(fact) => Ok(fact),
        _ => Err(kind(event, "annals.archived.v1")),
    }
}

fn kind(event: &Event, wanted: &'static str) -> CertificateError {
    CertificateError::Kind {
        seq: event.seq.0,
        kind: event.body.kind().to_owned(),
        wanted,
    }
}

fn describe(text: &mut String, event: &Event, fact: &Archived) {
    let _ = writeln!(text, "entry {} archived at {}", event.seq, event.time);
    line(text, "  name", &fact.source.name);
    let _ = writeln!(text, "  size {}", fact.blob.size);
    let _ = writeln!(text, "  sha256 {}", fact.blob.sha256);
}

/// Adds a value as JSON text, in which no value can look like another line.
fn line(text: &mut String, name: &str, value: &str) {
    let quoted = serde_json::Value::from(value);
    let _ = writeln!(text, "{name} {quoted}");
}
