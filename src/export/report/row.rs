//! The facts of one entry, as the report shows them.

use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::entry::{Status, Unit};
use crate::event::{Archived, Body, Event};
use crate::evidence::tree::TreeHash;
use crate::export::bag::EVENTS;
use crate::export::facts::Facts;
use crate::export::lines::{Lines, Next, event_of};
use crate::export::scope::Exported;
use crate::id::{EntryId, EventSeq, Sha256};

/// What the report is made of, beside the lines.
pub(in crate::export) struct Context<'a> {
    /// The folder of the bundle.
    pub(in crate::export) dir: &'a Path,
    /// What the lines say of each entry.
    pub(in crate::export) facts: &'a Facts,
    /// The payload of the last event.
    pub(in crate::export) exported: &'a Exported,
    /// The last event itself.
    pub(in crate::export) last: &'a Event,
    /// The name of the log in the checkpoint.
    pub(in crate::export) origin: &'a str,
    /// The root of the tree in the checkpoint.
    pub(in crate::export) root: TreeHash,
}

/// One entry.
pub(super) struct Row {
    pub(super) id: EntryId,
    pub(super) archived_at: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) converter: String,
    pub(super) unit: Unit,
    pub(super) size: u64,
    pub(super) sha256: Sha256,
    pub(super) status: Status,
    pub(super) attempts: u32,
    pub(super) report_id: String,
    /// How many facts changed what was first recorded, and the last event of them.
    pub(super) changes: u32,
    pub(super) last_change: EventSeq,
    /// The names of the holds on it.
    pub(super) holds: String,
    /// The event and the rule of the purge.
    pub(super) purged: Option<(EventSeq, String)>,
}

/// What a line is to the report.
pub(super) enum Item {
    /// An archived entry.
    Entry(Box<Row>),
    /// An event about more than one entry, or about none.
    Other(Box<Event>),
}

/// Which items a walk is for; the others are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Entries,
    Others,
}

impl Wanted {
    /// Returns false for a line that surely is none of these items, so that it need not be decoded.
    fn may_be(self, line: &[u8]) -> bool {
        match (self, kind_of(line)) {
            (_, None) => true,
            (Self::Entries, Some(kind)) => kind == b"annals.archived.v1",
            (Self::Others, Some(kind)) => !OF_ONE_ENTRY.contains(&kind),
        }
    }
}

/// The types of events that the rows of entries show.
const OF_ONE_ENTRY: [&[u8]; 5] = [
    b"annals.archived.v1",
    b"annals.converted.v1",
    b"annals.submit.intended.v1",
    b"annals.submit.rejected.v1",
    b"annals.reported.v1",
];

/// Returns the type of an event as it stands in a line, without decoding it; `None` for a line in
/// another form than events are written in.
fn kind_of(line: &[u8]) -> Option<&[u8]> {
    const MEMBER: &[u8] = b"\"type\":\"";
    let begins = line.starts_with(b"{\"specversion\":\"1.0\",\"id\":\"");
    let head = line.get(..200).filter(|_| begins)?;
    let at = head.windows(MEMBER.len()).position(|part| part == MEMBER)?;
    let kind = &head[at + MEMBER.len()..];
    let end = kind.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    (kind[end] == b'"').then(|| &kind[..end])
}

impl Context<'_> {
    /// Hands every entry, or every event about the store, to `take`, in the order of the log. A
    /// line that cannot be read is in the evidence, but not in the report.
    pub(super) fn each(
        &self,
        disk: &dyn Disk,
        wanted: Wanted,
        mut take: impl FnMut(Item) -> io::Result<()>,
    ) -> io::Result<()> {
        let path = self.dir.join(EVENTS);
        let (mut lines, again) = (Lines::open(disk, &path)?, Lines::open(disk, &path)?);
        let mut line = Vec::new();
        while let Next::Line(_) = lines.next(&mut line)? {
            if !wanted.may_be(&line) {
                continue;
            }
            let Some(event) = event_of(&line) else {
                continue;
            };
            match &event.body {
                Body::Archived(fact) if wanted == Wanted::Entries => {
                    let row = self.row(&event, fact, &again)?;
                    take(Item::Entry(Box::new(row)))?;
                }
                Body::Archived(_)
                | Body::Converted(_)
                | Body::SubmitIntended(_)
                | Body::SubmitRejected(_)
                | Body::Reported(_) => {}
                _ if wanted == Wanted::Others => take(Item::Other(Box::new(event)))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn row(&self, event: &Event, fact: &Archived, lines: &Lines) -> io::Result<Row> {
        let id = EntryId::from(event.seq);
        let known = self.facts.entry(id);
        let mut row = Row {
            id,
            archived_at: event.time.to_utc_string(),
            name: fact.source.name.clone(),
            path: fact.source.path.clone(),
            converter: fact.converter.clone(),
            unit: fact.unit.clone(),
            size: fact.blob.size,
            sha256: fact.blob.sha256,
            status: Status::Pending,
            attempts: 0,
            report_id: String::new(),
            changes: 0,
            last_change: EventSeq(0),
            holds: String::new(),
            purged: None,
        };
        let Some(known) = known else {
            return Ok(row);
        };
        row.attempts = known.attempts;
        row.changes = known.changes;
        row.last_change = known.last_change;
        row.status = known.outcome.map_or(Status::Pending, Status::from);
        row.holds = self.facts.holds_on(id).collect::<Vec<_>>().join("; ");
        let purge = self.facts.purge_of(known);
        row.purged = purge.map(|purge| (purge.seq, purge.rule.to_owned()));
        if let Some(place) = known.converted
            && let Some(event) = lines.event_at(place)?
            && let Body::Converted(attempt) = event.body
        {
            fill(&mut row.unit, attempt.unit);
        }
        if let Some(place) = known.reported
            && let Some(event) = lines.event_at(place)?
            && let Body::Reported(reported) = event.body
        {
            row.report_id = reported.report_id;
        }
        Ok(row)
    }
}

/// Adds what the last attempt detected to what was given when the entry was archived.
fn fill(unit: &mut Unit, detected: Unit) {
    let fields = [
        (&mut unit.serial, detected.serial),
        (&mut unit.part, detected.part),
        (&mut unit.station, detected.station),
        (&mut unit.process, detected.process),
    ];
    for (field, found) in fields {
        if field.is_none() {
            *field = found;
        }
    }
}
