//! `annals init`: makes a store.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::archive::{Access, Archive, Options};
use crate::cli::caller::absolute;
use crate::cli::render::{escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store;
use crate::event::PersonalField;
use crate::id::StoreId;
use crate::service::words::in_shell;

/// Make a store; refuses a folder that is not empty
///
/// A key is made with it, outside of the store, that signs its log from the first record on.
/// `annals key` says more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  annals init /var/lib/annals")]
pub(crate) struct Args {
    /// Where; made if missing [default: the store that is named, else here]
    dir: Option<PathBuf>,
    /// Fields whose values can be erased, separated by commas; see `annals privacy`
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    personal: Vec<PersonalField>,
    /// Make no key: the log is not signed
    #[arg(long)]
    no_key: bool,
}

#[derive(Serialize)]
struct Made {
    store: StoreId,
    path: String,
    /// The verifier key; `null` when the log is not signed.
    vkey: Option<String>,
    key_file: Option<String>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut store = String::new();
    let dir = match args.dir {
        Some(dir) => {
            store = format!(" -s {}", in_shell(&path_text(&dir)));
            dir
        }
        None => store::named(&context.globals, context.caller_env())?
            .unwrap_or_else(|| PathBuf::from(".")),
    };
    let options = context.options(Access::ReadWrite).personal(args.personal);
    let signing = if args.no_key {
        Signing::Off
    } else {
        Signing::On
    };
    let (made, unsigned) = make(&dir, options, signing, context)?;
    if context.json() {
        context.print_json(&made)?;
    } else {
        context.print(format!("store {} in {}\n", made.store, escape(&made.path)))?;
        if let Some(file) = &made.key_file {
            context.note(format_args!(
                "its log is signed; the key is in {}",
                escape(file)
            ));
        }
        context.note(format_args!(
            "next: `annals{store} archive PATH -c CONVERTER`"
        ));
    }
    if let Some(why) = unsigned {
        context.warn(format_args!(
            "the log is not signed: {why}; 'annals{store} key init' makes a key later"
        ));
    }
    Ok(Exit::Done)
}

/// Whether the log of a new store is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signing {
    On,
    Off,
}

/// Makes a store whose log is signed, for a verb that needs one.
pub(super) fn make_signed(dir: &Path, context: &mut Context<'_>) -> Result<(), Failure> {
    let options = context.options(Access::ReadWrite);
    let (_, unsigned) = make(dir, options, Signing::On, context)?;
    if let Some(why) = unsigned {
        context.warn(format_args!("the log is not signed: {why}"));
    }
    Ok(())
}

/// Makes a store, and its key. Returns also why there is no key, if there should be one.
fn make(
    dir: &Path,
    options: Options,
    signing: Signing,
    context: &Context<'_>,
) -> Result<(Made, Option<String>), Failure> {
    let archive = Archive::create(dir, options)?;
    let mut made = Made {
        store: archive.store_id(),
        path: path_text(&absolute(dir)),
        vkey: None,
        key_file: None,
    };
    archive.close()?;
    if signing == Signing::Off {
        return Ok((made, None));
    }
    let place = context.key_place(&made.store)?;
    match place.make(&made.store, dir) {
        Ok(key) => {
            made.vkey = Some(key.verifier().to_string());
            made.key_file = place.file().ok().map(path_text);
            Ok((made, None))
        }
        // The store is there and works.
        Err(error) => Ok((made, Some(error.message().to_owned()))),
    }
}
