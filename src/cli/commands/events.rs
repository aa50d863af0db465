//! `annals events`: prints the exact lines of the log.

use std::time::Duration;

use crate::archive::{Access, NextEvent};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EventSeq;
use crate::service::objects::{EventTypes, revealed};
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
    let types = EventTypes::named(args.kind.as_slice())?;
    if let Some(to) = args.to.filter(|to| *to < args.from) {
        let said = format!("there are no events from {} to {to}", args.from);
        return Err(Error::new(ErrorKind::Invalid, said)
            .hint("--to is the last event, not before --from")
            .into());
    }
    let archive = context.open(Access::ReadOnly)?;
    // Whoever polls asks for the event after the newest one.
    if args.from.0 > archive.newest().0 + 1 && !args.follow {
        context.warn(format_args!(
            "the newest event is {}; --follow waits for later ones",
            archive.newest()
        ));
    }
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
                if types.include_leaf(&leaf) {
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
