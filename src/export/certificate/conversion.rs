//! The statement about a conversion: these reports were made of that source, by that converter.

use serde::Deserialize;
use serde_json::json;

use super::error::CertificateError;
use super::restore::{archived, kind};
use crate::event::{Body, ConverterRegistered, Event};
use crate::id::Sha256;

/// The type of the predicate in a statement about a conversion.
pub const CONVERSION_PREDICATE: &str = "urn:annals:conversion:v1";
/// The type of all statements of in-toto.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// Returns the in-toto statement (v1) about a conversion, as one line of JSON.
///
/// The subjects are the reports. `converter` is the record of the converter that ran, with the
/// files of its bundle; it is left out where the attempt names none.
pub fn conversion(
    source: &Event,
    attempt: &Event,
    converter: Option<&ConverterRegistered>,
) -> Result<String, CertificateError> {
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
    if fact.reports.is_empty() {
        return Err(CertificateError::NoReport(fact.attempt.0));
    }
    let subjects = (0..).zip(&fact.reports).map(|(number, report): (u32, _)| {
        json!({
            "name": format!("entry-{}-attempt-{}-report-{number}", fact.entry, fact.attempt),
            "digest": { "sha256": report.sha256, "blake3": report.blake3 },
        })
    });
    let known = converter.filter(|known| Some(known.converter_id) == fact.converter_id);
    let bundle = known.map(|known| {
        let files = known.bundle.iter().map(|file| {
            json!({
                "name": file.name,
                "digest": { "sha256": file.blob.sha256, "blake3": file.blob.blake3 },
            })
        });
        files.collect::<Vec<_>>()
    });
    let statement = json!({
        "_type": STATEMENT,
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
                "command": known.map(|known| &known.command),
                "mode": known.map(|known| &known.mode),
                "environment": known.map(|known| &known.environment),
                "bundle": bundle,
            },
            "sandbox": fact.sandbox,
            "events": { "archived": source.seq, "converted": attempt.seq },
            "recorded": attempt.time,
        },
    });
    Ok(statement.to_string())
}

/// A content that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversionSubject {
    /// What the statement calls it.
    pub name: String,
    /// Its digest.
    pub sha256: Sha256,
}

/// Reads the contents that a statement about a conversion names: the reports first, then the
/// source. `None` when it is not such a statement.
pub fn read_conversion(statement: &[u8]) -> Option<Vec<ConversionSubject>> {
    #[derive(Deserialize)]
    struct Statement {
        #[serde(rename = "_type")]
        kind: String,
        subject: Vec<Named>,
        #[serde(rename = "predicateType")]
        predicate_type: String,
        predicate: Predicate,
    }
    #[derive(Deserialize)]
    struct Predicate {
        source: Named,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
        digest: Digest,
    }
    #[derive(Deserialize)]
    struct Digest {
        sha256: Sha256,
    }
    let read: Statement = serde_json::from_slice(statement).ok()?;
    if read.kind != STATEMENT || read.predicate_type != CONVERSION_PREDICATE {
        return None;
    }
    let all = read.subject.into_iter().chain([read.predicate.source]);
    let named = all.map(|named| ConversionSubject {
        name: named.name,
        sha256: named.digest.sha256,
    });
    Some(named.collect())
}
