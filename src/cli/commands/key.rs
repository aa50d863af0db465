//! `annals key`: the key that signs the log.

use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;
use serde::Serialize;

use crate::archive::{Access, Archive};
use crate::cli::render::{escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store::keys::KeyPlace;
use crate::evidence::dsse;
use crate::evidence::key::SecretKey;
use crate::evidence::key_file;
use crate::id::EventSeq;
use crate::{Error, ErrorKind};

/// Make, show, rotate or replace the key that signs the log
///
/// The secret lies outside of the store, in a file that only its owner can read. Keep a copy of it
/// in a safe place. The verifier key is no secret: give it to everybody who is to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals key init
  annals key show
  annals key rotate
  annals key lost --reason 'the disk of line 3 died'")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key, and sign the log with it from now on
    Init,
    /// Print the verifier key that the log is signed with
    Show {
        /// As a public key in PEM form, for OpenSSL and for programs that read in-toto statements
        #[arg(long)]
        pem: bool,
    },
    /// Hand over to a new key; both sign that
    Rotate,
    /// Make a new key because the old one is gone
    Lost {
        /// How it was lost; recorded for good
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Serialize)]
struct Shown {
    vkey: String,
    pem: Option<String>,
    /// Where the secret is, as far as this verb looked for it.
    key_file: Option<String>,
    /// The event that says so, where one was recorded.
    event: Option<EventSeq>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::Init => init(context),
        Action::Show { pem } => show(pem, context),
        Action::Rotate => rotate(context),
        Action::Lost { reason } => lost(&reason, context),
    }
}

fn init(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open_unsigned(Access::ReadWrite)?;
    let place = context.key_place(&archive.store_id())?;
    if let Some(key) = archive.signing_key()? {
        let said = format!("the store is signed already, with the key {}", key.id());
        return Err(Error::new(ErrorKind::Refused, said)
            .hint("'annals key rotate' hands over to a new one, 'annals key lost' replaces it")
            .into());
    }
    let file = place.file()?;
    let key = if file.exists() {
        // It was made with the store, and nothing is signed with it yet.
        key_file::read(file).map_err(|error| not_read(file, &error))?
    } else {
        place.make(&archive.store_id(), archive.dir())?
    };
    let vkey = key.verifier().to_string();
    archive.begin_signing(Arc::new(key))?;
    let event = archive.checkpoint()?.event;
    finish(archive, vkey, file, Some(event), context)
}

fn show(pem: bool, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let place = context.key_place(&archive.store_id())?;
    let file = place.file().ok().filter(|file| file.exists());
    let vkey = match (archive.signing_key()?, file) {
        (Some(key), _) => key,
        // The first event that is recorded with it will say so.
        (None, Some(file)) => {
            let key = key_file::read(file).map_err(|error| not_read(file, &error))?;
            key.verifier().clone()
        }
        (None, None) => {
            return Err(Error::new(ErrorKind::NotFound, "the store is not signed")
                .hint("make a key with 'annals key init'")
                .into());
        }
    };
    if pem && !context.json() {
        context.print(dsse::pem(&vkey))?;
        return Ok(Exit::Done);
    }
    print(
        &Shown {
            vkey: vkey.to_string(),
            pem: pem.then(|| dsse::pem(&vkey)),
            key_file: file.map(path_text),
            event: None,
        },
        context,
    )
}

fn rotate(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let place = context.key_place(&archive.store_id())?;
    let file = place.file()?;
    let old = key_file::read(file).map_err(|error| not_read(file, &error))?;
    if archive
        .signing_key()?
        .is_some_and(|key| key != *old.verifier())
        || !archive.signs()
    {
        let said = format!("{} is not the key that signs this store", path_text(file));
        return Err(Error::new(ErrorKind::Refused, said)
            .hint("name the right one with --key-file FILE")
            .into());
    }
    replace(archive, &place, context, |archive, key| {
        archive.rotate_key(key)
    })
}

fn lost(reason: &str, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open_unsigned(Access::ReadWrite)?;
    let place = context.key_place(&archive.store_id())?;
    let current = archive.signing_key()?;
    if let Ok(found) = key_file::read(place.file()?)
        && current.is_some_and(|key| key == *found.verifier())
    {
        let said = format!("the key is not lost: it is in {}", path_text(place.file()?));
        return Err(Error::new(ErrorKind::Refused, said)
            .hint("'annals key rotate' hands over to a new one")
            .into());
    }
    replace(archive, &place, context, |archive, key| {
        archive.replace_lost_key(key, reason)
    })
}

/// Records a new key with `record`, and puts its file in place of the old one.
fn replace(
    archive: Archive,
    place: &KeyPlace,
    context: &mut Context<'_>,
    record: impl FnOnce(&Archive, Arc<SecretKey>) -> Result<EventSeq, Error>,
) -> Result<Exit, Failure> {
    let key = Arc::new(place.make_next(&archive.store_id(), archive.dir())?);
    let vkey = key.verifier().to_string();
    let event = match record(&archive, key) {
        Ok(event) => event,
        Err(error) => {
            // It may be on record after these: then the next verb finishes the hand-over.
            if !matches!(error.kind(), ErrorKind::Io | ErrorKind::Poisoned) {
                place.forget_next();
            }
            return Err(error.into());
        }
    };
    place.take_over()?;
    finish(archive, vkey, place.file()?, Some(event), context)
}

fn finish(
    archive: Archive,
    vkey: String,
    file: &Path,
    event: Option<EventSeq>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let closed = archive.close();
    let key_file = Some(path_text(file));
    print(
        &Shown {
            vkey,
            pem: None,
            key_file,
            event,
        },
        context,
    )?;
    context.note(
        "keep a copy of that file in a safe place, and give the line above to everybody who is \
         to check",
    );
    closed?;
    Ok(Exit::Done)
}

fn print(shown: &Shown, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if context.json() {
        context.print_json(shown)?;
        return Ok(Exit::Done);
    }
    context.print(format!("{}\n", shown.vkey))?;
    if let Some(file) = &shown.key_file {
        context.note(format_args!("its secret is in {}", escape(file)));
    }
    Ok(Exit::Done)
}

fn not_read(file: &Path, error: &key_file::KeyFileError) -> Error {
    let kind = if file.exists() {
        ErrorKind::Refused
    } else {
        ErrorKind::NotFound
    };
    Error::new(kind, error.to_string()).hint("name the right file with --key-file FILE")
}
