//! The JSON objects that scripts rely on, where they differ from the archive's types.

use serde::Serialize;

use crate::archive::FoundContent;
use crate::entry::{Attempt, Entry, Meta, Note, PurgedPart, Retention, Status, Submission};
use crate::id::{BlobId, EntryId, Sha256};
use crate::service::time::Zone;
use crate::time::Timestamp;

/// An entry as one flat JSON object. Unknown members are null.
#[derive(Debug, Serialize)]
pub struct EntryObject<'a> {
    /// Its number, unique in the store.
    id: EntryId,
    /// The converter it was archived for.
    converter: &'a str,
    /// The version that the converter claimed when it was archived.
    converter_version: Option<&'a str>,
    /// The name of the source file, without its folder.
    source_name: &'a str,
    /// The whole path of the source file.
    source_path: &'a str,
    /// The bytes of the name in hexadecimal digits, where they are no UTF-8.
    source_name_hex: Option<&'a str>,
    /// When the source file was last changed.
    source_modified: Option<Timestamp>,
    /// When it was archived.
    archived_at: Timestamp,
    /// What became of it: the status of the last attempt that counts.
    status: Status,
    /// Bytes of the source.
    size: u64,
    /// Bytes that the source takes in the store.
    stored_size: u64,
    /// The BLAKE3 hash of the source.
    blake3: BlobId,
    /// The SHA-256 hash of the source.
    sha256: Sha256,
    /// The serial number of the unit.
    serial: Option<&'a str>,
    /// The part number of the unit.
    part: Option<&'a str>,
    /// The test station.
    station: Option<&'a str>,
    /// The test process.
    process: Option<&'a str>,
    /// Further facts, by name.
    meta: &'a Meta,
    /// The arguments that the converter gets for it, by name.
    arguments: &'a Meta,
    /// How long it is kept: a number of days, or for ever.
    retention: Retention,
    /// The idempotency key that it was archived with.
    key: Option<&'a str>,
    /// The id that a server gave its newest report.
    report_id: Option<&'a str>,
    /// The attempts to convert it, the oldest first.
    attempts: Vec<Attempt>,
    /// Whether a hold lies on it.
    held: bool,
    /// The names of the holds that lie on it.
    holds: &'a [String],
    /// When its bytes were purged.
    purged_at: Option<Timestamp>,
    /// The rule by which its bytes were purged.
    purged_by: Option<&'a str>,
    /// Until when its purge can be undone.
    final_at: Option<Timestamp>,
    /// Whether only its facts are kept, because its bytes were never stored.
    facts_only: bool,
    /// Contents that were purged while the rest is kept.
    purged_parts: Vec<PurgedPart>,
    /// Its labels.
    labels: &'a [String],
    /// What was added and corrected later, the oldest first.
    notes: Vec<Note>,
}

impl<'a> EntryObject<'a> {
    /// Returns the object of an entry, with its times in `zone`.
    pub fn new(entry: &'a Entry, zone: &Zone) -> Self {
        Self {
            id: entry.id,
            converter: &entry.converter,
            converter_version: entry.converter_version.as_deref(),
            source_name: &entry.source_name,
            source_path: &entry.source_path,
            source_name_hex: entry.source_name_hex.as_deref(),
            source_modified: entry.source_modified.map(|time| zone.exact(time)),
            archived_at: zone.exact(entry.archived_at),
            status: entry.status,
            size: entry.size,
            stored_size: entry.stored_size,
            blake3: entry.blake3,
            sha256: entry.sha256,
            serial: entry.unit.serial.as_deref(),
            part: entry.unit.part.as_deref(),
            station: entry.unit.station.as_deref(),
            process: entry.unit.process.as_deref(),
            meta: &entry.meta,
            arguments: &entry.arguments,
            retention: entry.retention,
            key: entry.key.as_deref(),
            report_id: entry.report_id.as_deref(),
            attempts: entry
                .attempts
                .iter()
                .map(|attempt| in_zone(attempt.clone(), zone))
                .collect(),
            held: !entry.holds.is_empty(),
            holds: &entry.holds,
            purged_at: entry.purged_at.map(|time| zone.exact(time)),
            purged_by: entry.purged_by.as_deref(),
            final_at: entry.final_at.map(|time| zone.exact(time)),
            facts_only: entry.facts_only,
            purged_parts: parts_in_zone(&entry.purged_parts, zone),
            labels: &entry.labels,
            notes: notes_in_zone(&entry.notes, zone),
        }
    }
}

/// An entry that was found, and which of its contents have the hash that was looked for.
#[derive(Debug, Serialize)]
pub struct FoundEntry<'a> {
    /// The entry.
    #[serde(flatten)]
    entry: EntryObject<'a>,
    /// Its contents that have the hash that was looked for.
    matches: Vec<FoundContent>,
}

impl<'a> FoundEntry<'a> {
    /// Returns the object of an entry. `contents` are what was found by hash, of all entries.
    pub fn new(entry: &'a Entry, contents: &[FoundContent], zone: &Zone) -> Self {
        let own = contents.iter().filter(|content| content.entry == entry.id);
        let matches = own.cloned().map(|mut content| {
            content.at = zone.exact(content.at);
            content.submitted_at = content.submitted_at.map(|at| zone.exact(at));
            content.purged_at = content.purged_at.map(|at| zone.exact(at));
            content
        });
        Self {
            entry: EntryObject::new(entry, zone),
            matches: matches.collect(),
        }
    }
}

fn parts_in_zone(parts: &[PurgedPart], zone: &Zone) -> Vec<PurgedPart> {
    let mut parts = parts.to_vec();
    for gone in &mut parts {
        gone.at = zone.exact(gone.at);
    }
    parts
}

/// Returns notes with their times in a zone.
pub fn notes_in_zone(notes: &[Note], zone: &Zone) -> Vec<Note> {
    let mut notes = notes.to_vec();
    for note in &mut notes {
        note.at = zone.exact(note.at);
    }
    notes
}

fn in_zone(mut attempt: Attempt, zone: &Zone) -> Attempt {
    attempt.at = zone.exact(attempt.at);
    for report in &mut attempt.reports {
        report.reported_at = report.reported_at.map(|time| zone.exact(time));
        match &mut report.submission {
            Some(Submission::Waiting { since: at, .. } | Submission::Rejected { at, .. }) => {
                *at = zone.exact(*at);
            }
            None => {}
        }
    }
    attempt
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::entry::{Outcome, Report, Unit, UnitGiven};
    use crate::id::AttemptNo;

    /// Returns an entry with one successful attempt.
    pub(crate) fn sample() -> Entry {
        let time = |text: &str| text.parse::<Timestamp>().expect("valid");
        let unit = Unit {
            serial: Some("SN1042".into()),
            part: Some("PCB-7".into()),
            ..Unit::default()
        };
        Entry {
            id: EntryId(4711),
            converter: "ICT CSV".into(),
            converter_version: Some("1.4.0".into()),
            source_name: "SN1042.csv".into(),
            source_path: "/data/ict/in/SN1042.csv".into(),
            source_name_hex: None,
            source_modified: Some(time("2026-03-01T08:29:58+01:00")),
            archived_at: time("2026-03-01T08:30:00+01:00"),
            status: Status::Success,
            size: 5_222,
            stored_size: 1_240,
            blake3: BlobId::of(b"source"),
            sha256: Sha256::of(b"source"),
            unit_given: UnitGiven::of(&unit),
            unit,
            meta: Meta::from([("line".into(), "3".into())]),
            arguments: Meta::from([("operation".into(), "10".into())]),
            retention: Retention::days(365),
            key: None,
            report_id: Some("R-9".into()),
            attempts: vec![Attempt {
                attempt: AttemptNo(1),
                status: Outcome::Success,
                at: time("2026-03-01T08:30:02+01:00"),
                converter: "ICT CSV".into(),
                converter_version: Some("1.4.0".into()),
                converter_id: None,
                arguments: Meta::new(),
                duration_ms: Some(1_540),
                error: None,
                warnings: vec!["no limits for step 3".into()],
                sandbox: vec!["files:landlock-6".into(), "system-calls".into()],
                job: None,
                reports: vec![Report {
                    blake3: BlobId::of(b"report"),
                    sha256: Sha256::of(b"report"),
                    size: 812,
                    report_id: Some("R-9".into()),
                    reported_at: Some(time("2026-03-01T08:30:03+01:00")),
                    submission: None,
                }],
                suspicious: Vec::new(),
                extent: None,
                superseded_by: None,
            }],
            holds: vec!["audit-2026".into()],
            purged_at: None,
            purged_by: None,
            final_at: None,
            facts_only: false,
            purged_parts: Vec::new(),
            cleared: None,
            labels: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn scripts_find_every_promised_member_of_an_entry() {
        let object = serde_json::to_value(EntryObject::new(&sample(), &Zone::Utc)).expect("json");
        let members: Vec<&str> = object
            .as_object()
            .expect("object")
            .keys()
            .map(String::as_str)
            .collect();
        for promised in [
            "id",
            "converter",
            "converter_version",
            "source_name",
            "source_path",
            "archived_at",
            "status",
            "size",
            "stored_size",
            "blake3",
            "sha256",
            "serial",
            "part",
            "station",
            "process",
            "meta",
            "report_id",
            "attempts",
            "held",
            "purged_at",
            "purged_by",
            "final_at",
            "facts_only",
            "purged_parts",
            "holds",
            "arguments",
            "retention",
            "key",
            "source_modified",
            "labels",
            "notes",
        ] {
            assert!(members.contains(&promised), "{promised} is missing");
        }
        assert_eq!(object["id"], 4711);
        assert_eq!(object["status"], "success");
        assert_eq!(object["serial"], "SN1042");
        assert_eq!(object["station"], serde_json::Value::Null);
        assert_eq!(object["held"], true);
        assert_eq!(object["archived_at"], "2026-03-01T07:30:00.000000+00:00");
        assert_eq!(object["retention"], "365d");
        let attempt = &object["attempts"][0];
        assert_eq!(attempt["attempt"], 1);
        assert_eq!(attempt["job"], serde_json::Value::Null);
        assert_eq!(
            attempt["reports"][0]["reported_at"],
            "2026-03-01T07:30:03.000000+00:00"
        );
        assert!(!members.contains(&"unit") && !members.contains(&"unit_given"));
    }

    #[test]
    fn without_utc_a_time_is_told_as_it_was_recorded() {
        let object =
            serde_json::to_value(EntryObject::new(&sample(), &Zone::named("UTC"))).expect("json");
        assert_eq!(object["archived_at"], "2026-03-01T08:30:00.000000+01:00");
    }
}
