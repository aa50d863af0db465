//! `annals` without a verb: a glance at the store, or how to begin where there is none.

use serde::Serialize;

use crate::ErrorKind;
use crate::archive::Access;
use crate::cli::render::{Style, count, counted, facts, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::Status;
use crate::service::status::Glance;
use crate::time::Timestamp;

/// How to begin, for people without a store.
const BEGIN: &str = "\
annals is the archive of a converter host. To begin:
  annals init DIR                       make a store
  annals -s DIR archive PATH -c NAME    archive files into it
  annals -s DIR                         see what is in it
  annals demo DIR                       or look around in a sample plant
  annals --help                         all verbs
";

#[derive(Serialize)]
struct Object {
    store: String,
    entries: u64,
    pending: u64,
    success: u64,
    failed: u64,
    suspended: u64,
    skipped: u64,
    rejected: u64,
    purged: u64,
    waiting: u64,
    refused: u64,
    disk_bytes: u64,
    free_bytes: Option<u64>,
    verified_at: Option<Timestamp>,
    verify_findings: Option<u64>,
    holds: u64,
    held: u64,
    next: String,
}

/// Prints a glance at the store.
pub(in crate::cli) fn glance(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = match context.locate() {
        Ok(dir) => dir,
        Err(error) if error.kind() == ErrorKind::NoStore && !context.json() => {
            context.aside(BEGIN);
            return Ok(Exit::NoStore);
        }
        Err(error) => return Err(error.into()),
    };
    let store = path_text(&context.path(&dir));
    let archive = context.open(Access::ReadOnly)?;
    let glance = Glance::read(&context.desk(&archive))?;
    let (next, why) = glance.next();
    let next = context.command(next);
    let zone = context.zone();
    if context.json() {
        let Glance {
            entries,
            purged,
            waiting,
            refused,
            holds,
            held,
            ..
        } = glance;
        context.print_json(&Object {
            store,
            entries,
            pending: glance.of(Status::Pending),
            success: glance.of(Status::Success),
            failed: glance.of(Status::Failed),
            suspended: glance.of(Status::Suspended),
            skipped: glance.of(Status::Skipped),
            rejected: glance.of(Status::Rejected),
            purged,
            waiting,
            refused,
            disk_bytes: glance.disk_bytes,
            free_bytes: glance.free_bytes,
            verified_at: glance.verified.map(|(at, _)| zone.exact(at)),
            verify_findings: glance.verified.map(|(_, findings)| findings),
            holds,
            held,
            next,
        })?;
        return Ok(Exit::Done);
    }
    let canvas = context.canvas();
    let free = glance.free_bytes;
    let free = free.map_or_else(String::new, |free| format!(", {} free", size(free)));
    let verified = match glance.verified {
        None => "never, as far as the log says".to_owned(),
        Some((at, 0)) => format!("{}, intact", zone.long(at)),
        Some((at, findings)) => {
            format!(
                "{}, {}",
                zone.long(at),
                counted(findings, "finding", "findings")
            )
        }
    };
    let holds = match (glance.holds, glance.held) {
        (0, _) => "none".to_owned(),
        (holds, held) => format!("{}, on {}", count(holds), counted(held, "entry", "entries")),
    };
    let mut known = vec![("store", store), ("entries", count(glance.entries))];
    for status in [Status::Pending, Status::Failed, Status::Rejected] {
        known.push((status.name(), count(glance.of(status))));
    }
    known.extend([
        (
            "waiting",
            counted(glance.waiting, "report to submit", "reports to submit"),
        ),
        (
            "refused",
            counted(
                glance.refused,
                "entry with a report that the server refused",
                "entries with a report that the server refused",
            ),
        ),
        ("disk", format!("{}{free}", size(glance.disk_bytes))),
        ("verified", verified),
        ("holds", holds),
    ]);
    let text = facts(known, canvas);
    let next = Style::Bold.paint(&next, canvas.colour).into_owned();
    context.print(format!("{text}\n{why}:\n  {next}\n"))?;
    Ok(Exit::Done)
}
