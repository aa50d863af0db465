//! `annals note`: adds a text, labels and corrections to entries.

use serde::Serialize;

use crate::archive::{Annotation, Snapshot};
use crate::cli::render::escape;
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::{Note, Unit};
use crate::id::{EntryId, EventSeq};
use crate::service::entries::no_entry;
use crate::service::entries::{note_words, notes_in_zone};
use crate::service::words::{parse_pair, to_meta};

/// Add a text, labels or corrected facts to entries
///
/// Nothing that is recorded is changed. The newer values answer queries; `annals show` has the
/// older ones too, with who corrected them, when and why, and `annals find` finds both serials.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals note 4711 --serial SN1042 --reason 'the scanner read O for 0'
  annals note 4711 4712 --label recall-26-04 --reason 'field returns, ticket 881'
  annals note 4711 --unlabel recall-26-04 --text 'retested, good' --reason 'ticket 881'")]
pub(crate) struct Args {
    /// The entries
    #[arg(value_name = "ID", required = true)]
    ids: Vec<EntryId>,
    /// What there is to say
    #[arg(long, value_name = "T")]
    text: Option<String>,
    /// A label to add; may be repeated
    #[arg(long, value_name = "L")]
    label: Vec<String>,
    /// A label to remove; may be repeated
    #[arg(long, value_name = "L")]
    unlabel: Vec<String>,
    /// The right serial number
    #[arg(long, value_name = "S")]
    serial: Option<String>,
    /// The right part number
    #[arg(long, value_name = "P")]
    part: Option<String>,
    /// The right test station
    #[arg(long, value_name = "S")]
    station: Option<String>,
    /// The right test process
    #[arg(long, value_name = "P")]
    process: Option<String>,
    /// Metadata that is right; may be repeated
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    meta: Vec<(String, String)>,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Serialize)]
struct Noted<'a> {
    id: EntryId,
    event: EventSeq,
    labels: &'a [String],
    note: Option<&'a Note>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let Args {
        mut ids,
        text,
        label,
        unlabel,
        serial,
        part,
        station,
        process,
        meta,
        reason,
    } = args;
    let annotation = Annotation {
        text,
        labels: label,
        unlabels: unlabel,
        unit: Unit {
            serial,
            part,
            station,
            process,
        },
        meta: to_meta(meta, "--meta")?,
        reason,
    };
    annotation.check()?;
    ids.sort_unstable();
    ids.dedup();
    let archive = context.open_to_record()?;
    refuse_unknown(&ids, &archive.snapshot()?)?;
    for id in ids {
        let event = archive.annotate(id, annotation.clone())?;
        print(id, event, &archive.snapshot()?, context)?;
    }
    archive.close()?;
    Ok(Exit::Done)
}

/// Refuses ids that are not all there, so that no note is added to a part of them.
fn refuse_unknown(ids: &[EntryId], snapshot: &Snapshot) -> Result<(), Failure> {
    for &id in ids {
        if snapshot.entry(id)?.is_none() {
            return Err(no_entry(id).into());
        }
    }
    Ok(())
}

fn print(
    id: EntryId,
    event: EventSeq,
    snapshot: &Snapshot,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let entry = snapshot.entry(id)?.ok_or_else(|| no_entry(id))?;
    let notes = notes_in_zone(&entry.notes, &context.zone());
    let note = notes.iter().find(|note| note.event == event);
    if context.json() {
        return context.print_json(&Noted {
            id,
            event,
            labels: &entry.labels,
            note,
        });
    }
    let words = note.map(note_words).unwrap_or_default();
    context.print(format!("entry {id}: {}\n", escape(&words)))
}
