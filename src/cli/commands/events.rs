//! `annals events`: prints the exact lines of the log.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use crate::archive::{Access, Leaf, NextEvent};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EventSeq;
use crate::{Error, ErrorKind};

/// How often a follower looks for new events when nothing wakes it earlier.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Print the events as they stand in the log, one JSON line each
///
/// The lines are what hashes and signatures are made over, byte for byte; --json and --utc change
/// nothing.
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
                    context.print([leaf.bytes(), b"\n"].concat())?;
                }
            }
            NextEvent::TimedOut => {}
            NextEvent::Ended => break,
        }
    }
    Ok(Exit::Done)
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
