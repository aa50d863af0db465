//! `annals init`: makes a store.

use std::path::PathBuf;

use serde::Serialize;

use crate::archive::{Access, Archive};
use crate::cli::caller::absolute;
use crate::cli::render::{escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store;
use crate::id::StoreId;

/// Make a store; refuses a folder that is not empty
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  annals init /var/lib/annals")]
pub(crate) struct Args {
    /// Where; made if missing [default: the store that is named, else here]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Made {
    store: StoreId,
    path: String,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = match args.dir {
        Some(dir) => dir,
        None => store::named(&context.globals, context.caller_env())?
            .unwrap_or_else(|| PathBuf::from(".")),
    };
    let archive = Archive::create(&dir, context.options(Access::ReadWrite))?;
    let made = Made {
        store: archive.store_id(),
        path: path_text(&absolute(&dir)),
    };
    archive.close()?;
    if context.json() {
        context.print_json(&made)?;
    } else {
        context.print(format!("store {} in {}\n", made.store, escape(&made.path)))?;
        context.note("next: `annals archive PATH -c CONVERTER`");
    }
    Ok(Exit::Done)
}
