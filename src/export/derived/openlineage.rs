//! Conversions as run events of OpenLineage: two lines for each, what it read and what it made.
//!
//! Programs that draw lineage ask for a run id that is the same in both events, the same each
//! time, and a UUID; for the address of the schema; and for names that mean the same everywhere. So
//! the id is a digest of the event, and content is named by its digest.

use std::io::{self, Write};

use serde_json::{Value, json};
use sha2::Digest;

use super::origin::Origin;
use crate::entry::Outcome;
use crate::event::{BlobRef, Body, Converted, Event};
use crate::export::lines::{Lines, Next, Place, event_of};
use crate::id::EntryId;
use crate::time::Timestamp;

/// Which version of which schema the events have.
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/// The schema of facets of our own: any members are allowed.
const RUN_FACET: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet";
const DATASET_FACET: &str =
    "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetFacet";
const PRODUCER: &str = "urn:annals:export";

/// Writes the events of all conversions, in the order of the log.
pub(super) fn write(from: &Origin<'_>, to: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines::open(from.disk, from.events)?;
    // The source of an entry is read again, so that memory is bounded.
    let mut sources: Vec<(EntryId, Place)> = Vec::new();
    let mut line = Vec::new();
    while let Next::Line(place) = lines.next(&mut line)? {
        let Some(event) = event_of(&line) else {
            continue;
        };
        match &event.body {
            Body::Archived(_) => sources.push((event.seq.into(), place)),
            Body::Converted(fact) => {
                let at = sources.binary_search_by_key(&fact.entry, |(entry, _)| *entry);
                let source = match at {
                    Ok(at) => lines.event_at(sources[at].1)?,
                    Err(_) => None,
                };
                for run in run_events(from.log, source.as_ref(), &event, fact) {
                    serde_json::to_writer(&mut *to, &run)?;
                    to.write_all(b"\n")?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns the event of the start and that of the end of a conversion.
fn run_events(log: &str, source: Option<&Event>, attempt: &Event, fact: &Converted) -> [Value; 2] {
    let ended = match fact.outcome {
        Outcome::Success => "COMPLETE",
        Outcome::Failed | Outcome::Rejected => "FAIL",
        // Nothing was made, and nothing went wrong.
        Outcome::Suspended | Outcome::Skipped => "ABORT",
    };
    let took = fact.duration_ms.unwrap_or(0).saturating_mul(1_000);
    let took = i64::try_from(took).unwrap_or(i64::MAX);
    let began = Timestamp::from_micros(attempt.time.micros().saturating_sub(took));
    let inputs: Vec<Value> = match source.map(|event| &event.body) {
        Some(Body::Archived(archived)) => {
            vec![dataset(log, &archived.blob, Some(&archived.source.name))]
        }
        _ => Vec::new(),
    };
    let outputs = fact.reports.iter().map(|report| dataset(log, report, None));
    let outputs: Vec<Value> = outputs.collect();
    let none: &[Value] = &[];
    let event = |kind: &str, at: Timestamp, outputs: &[Value]| {
        json!({
            "eventType": kind,
            "eventTime": at.to_utc_string(),
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
            "run": {
                "runId": run_id(log, attempt),
                "facets": { "annals_conversion": facet(attempt, fact) },
            },
            "job": { "namespace": log, "name": fact.converter },
            "inputs": inputs,
            "outputs": outputs,
        })
    };
    [
        event("START", began, none),
        event(ended, attempt.time, &outputs),
    ]
}

fn facet(attempt: &Event, fact: &Converted) -> Value {
    json!({
        "_producer": PRODUCER,
        "_schemaURL": RUN_FACET,
        "entry": fact.entry,
        "attempt": fact.attempt,
        "event": attempt.seq,
        "outcome": fact.outcome,
        "error": fact.error,
        "converterVersion": fact.converter_version,
    })
}

fn dataset(log: &str, blob: &BlobRef, name: Option<&str>) -> Value {
    json!({
        "namespace": log,
        "name": format!("sha256:{}", blob.sha256),
        "facets": { "annals_content": {
            "_producer": PRODUCER,
            "_schemaURL": DATASET_FACET,
            "sha256": blob.sha256,
            "blake3": blob.blake3,
            "size": blob.size,
            "fileName": name,
        } },
    })
}

/// Returns a UUID of version 8, made of the digest of the log's name and the event's number.
fn run_id(log: &str, attempt: &Event) -> String {
    let digest = sha2::Sha256::digest(format!("annals conversion\n{log}\n{}\n", attempt.seq));
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}
