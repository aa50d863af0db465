//! `annals checkpoint`: signs the log up to now.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::archive::{Access, Archive, RecordedCheckpoint};
use crate::cli::run::{Context, Exit, Failure};
use crate::host::{ask_timestamp, without_login};
use crate::service::evidence::{CheckpointObject, Signed, TimeStampObject, sign_or_newest};

/// Print the newest signed checkpoint; make it if needed
///
/// It states how many events there are and the root of the tree over them. Given to somebody else,
/// it shows later that none of these events was changed or removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals checkpoint
  annals checkpoint --publish /mnt/quality/line3.checkpoints
  annals checkpoint --timestamp https://freetsa.org/tsr")]
pub(crate) struct Args {
    /// Also append it to this file, on a share or another disk
    #[arg(long, value_name = "FILE")]
    publish: Option<PathBuf>,
    /// Ask this time-stamp server (RFC 3161) for a stamp over it, and record that
    #[arg(long, value_name = "URL")]
    timestamp: Option<String>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let checkpoint = match sign_or_newest(&archive)? {
        Signed::Now(checkpoint) => checkpoint,
        Signed::Before(newest) => {
            context
                .warn("there is no key here to sign with: this is the newest checkpoint there is");
            newest
        }
    };
    let stamped = match &args.timestamp {
        Some(url) => Some(timestamp(&archive, &checkpoint, url)?),
        None => None,
    };
    let closed = archive.close();
    if let Some(file) = &args.publish {
        publish(&context.path(file), &checkpoint)?;
    }
    if context.json() {
        context.print_json(&CheckpointObject::new(&checkpoint).stamped(stamped))?;
    } else {
        context.print(checkpoint.signed.to_string())?;
        if let Some(stamped) = stamped {
            let renew = stamped.renew_before;
            let renew = renew.map(|time| format!("; stamp a later checkpoint before {time}"));
            context.note(format_args!(
                "stamped at {}: event {}{}",
                stamped.time,
                stamped.event,
                renew.unwrap_or_default()
            ));
        }
    }
    closed?;
    Ok(Exit::Done)
}

/// Asks for a time stamp over a checkpoint, and records it.
fn timestamp(
    archive: &Archive,
    checkpoint: &RecordedCheckpoint,
    url: &str,
) -> Result<TimeStampObject, Error> {
    let token = ask_timestamp(url, checkpoint.signed.to_string().as_bytes())?;
    let event = archive.record_timestamp(checkpoint, &token, &without_login(url))?;
    Ok(TimeStampObject {
        event,
        time: token.time(),
        renew_before: token.renew_before(),
    })
}

/// Appends a checkpoint to a file of checkpoints, each followed by an empty line.
fn publish(file: &Path, checkpoint: &RecordedCheckpoint) -> Result<(), Error> {
    let failed = |error| Error::io("append to", file, error);
    let mut out = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map_err(failed)?;
    out.write_all(format!("{}\n", checkpoint.signed).as_bytes())
        .and_then(|()| out.sync_all())
        .map_err(failed)
}
