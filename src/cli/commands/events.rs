//! `annals events`: prints the exact lines of the log.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::archive::{Access, Archive, Leaf, NextEvent};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EventSeq;
use crate::{Error, ErrorKind};

/// How often a follower looks for new events when nothing wakes it earlier.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Print the events as they stand in the log, one JSON line each
///
/// The lines are what hashes and signatures are made over, byte for byte; --json and --utc change
/// nothing. With --reveal, personal values that are known are put in, so those lines are others.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals events --type archived
  annals events --from 4711 --to 4720
  annals events --follow | jq -r .type")]
pub(crate) struct Args {
    /// The first event
    #[arg(
        long,
        value_name = "SEQ",
        default_value = "1",
        hide_default_value = true
    )]
    from: EventSeq,
    /// The last event
    #[arg(long, value_name = "SEQ")]
    to: Option<EventSeq>,
    /// Only of this type, such as archived, purged or annals.archived.v1
    #[arg(long = "type", value_name = "T")]
    kind: Option<String>,
    /// Put personal values and names of accounts in, where they are known
    #[arg(long)]
    reveal: bool,
    /// Then wait for more
    #[arg(short, long)]
    follow: bool,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let mut events = archive.events_from(args.from);
    let last = match args.to {
        Some(to) if args.follow => to,
        Some(to) => to.min(archive.newest()),
        None if args.follow => EventSeq(u64::MAX),
        None => archive.newest(),
    };
    while events.position() <= last {
        let wait = if archive.newest() < events.position() {
            // Whoever reads along sees what there is before it waits.
            context.flush()?;
            context.tell_damage();
            LOOK_AGAIN
        } else {
            Duration::ZERO
        };
        let next = events.next_within(wait)?;
        context.check_cancelled()?;
        match next {
            NextEvent::Event(leaf) => {
                if args.kind.as_deref().is_none_or(|kind| is_of(&leaf, kind)) {
                    let line = if args.reveal {
                        revealed(&archive, &leaf)
                    } else {
                        None
                    };
                    let line = line.as_ref().map_or(leaf.bytes(), String::as_bytes);
                    context.print([line, b"\n"].concat())?;
                }
            }
            NextEvent::TimedOut => {}
            NextEvent::Ended => break,
        }
    }
    Ok(Exit::Done)
}

/// Returns the line of an event with its personal values, and with what became of the others.
/// `None` for an event without any.
fn revealed(archive: &Archive, leaf: &Leaf) -> Option<String> {
    let revealed = archive.reveal(leaf).ok()?;
    if revealed.values.is_empty() && revealed.account.is_none() {
        return None;
    }
    let mut line: Map<String, Value> = serde_json::from_str(&leaf.line).ok()?;
    line.insert("data".to_owned(), revealed.data()?);
    if let Some(account) = &revealed.account {
        line.insert("account".to_owned(), serde_json::to_value(account).ok()?);
    }
    if !revealed.values.is_empty() {
        let values = serde_json::to_value(&revealed.values).ok()?;
        line.insert("personal".to_owned(), values);
    }
    serde_json::to_string(&line).ok()
}

/// The members of an event that do not depend on its type.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Cow<'a, str>,
    pub(crate) time: crate::time::Timestamp,
    #[serde(borrow, default)]
    pub(crate) authid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) data: &'a serde_json::value::RawValue,
}

impl<'a> Envelope<'a> {
    pub(crate) fn of(leaf: &'a Leaf) -> Result<Self, Error> {
        serde_json::from_str(&leaf.line).map_err(|error| {
            Error::new(
                ErrorKind::Damaged,
                format!("event {} is not a valid leaf", leaf.seq),
            )
            .caused_by(error)
        })
    }
}

/// Returns true when the event is of type `kind`: in full, such as `annals.archived.v1`, or short,
/// such as `archived`.
fn is_of(leaf: &Leaf, kind: &str) -> bool {
    Envelope::of(leaf).is_ok_and(|envelope| envelope.kind == kind || bare(&envelope.kind) == kind)
}

/// Returns a type without `annals.` and its version, such as `.v1`.
pub(crate) fn bare(kind: &str) -> &str {
    let kind = kind.strip_prefix("annals.").unwrap_or(kind);
    match kind.rsplit_once(".v") {
        Some((name, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_may_be_named_without_its_frame() {
        let leaf = Leaf {
            seq: EventSeq(3),
            line: r#"{"specversion":"1.0","type":"annals.hold.placed.v1","time":"2026-03-01T08:30:00+01:00","data":{}}"#.into(),
            raw: None,
        };
        for kind in ["annals.hold.placed.v1", "hold.placed"] {
            assert!(is_of(&leaf, kind), "{kind}");
        }
        for kind in ["hold", "placed", "annals.hold.placed", ""] {
            assert!(!is_of(&leaf, kind), "{kind}");
        }
        assert_eq!(bare("annals.archived.v12"), "archived");
        assert_eq!(bare("org.example.thing"), "org.example.thing");
    }
}
