//! Opens the stores of a host, and serves them to clients.

use std::path::Path;
use std::sync::Arc;

use crate::archive::{Access, Archive, CopiedFrom};
use crate::cli::owner::{self, Endpoint};
use crate::cli::run::Context;
use crate::cli::store::State;
use crate::cli::store::trust::{self, Found};
use crate::host::{Archives, Config, ConverterConfig};
use crate::{Error, ErrorKind};

/// Serves every store of the host to clients.
///
/// Some network shares cannot hold a socket. The host then works without clients.
pub(super) fn serve_stores(
    archives: &Archives,
    state: &Arc<State>,
    context: &mut Context<'_>,
) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for archive in archives.iter() {
        match Endpoint::open(archive, state, context.program().run_for_client) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(error) => context.warn(format_args!(
                "nobody else can use the store in {} while the host runs: {error}",
                archive.dir().display()
            )),
        }
    }
    endpoints
}

/// Opens the stores of all archiving converters that watch a folder or have reports to send.
pub(super) fn open_stores(config: &Config, context: &Context<'_>) -> Result<Archives, Error> {
    let archiving = |converter: &&ConverterConfig| {
        (converter.watch_folder.is_some() || converter.submit.is_some())
            && converter.archive.archives()
    };
    let needs_shared = config
        .converters
        .iter()
        .filter(archiving)
        .any(|converter| converter.archive.folder.is_none());
    let what = "another cannot run on it";
    let shared = if needs_shared {
        let folder = context.locate()?;
        owner::refuse_if_owned(&folder, what)?;
        Some(open_original(&folder, config, context)?)
    } else {
        None
    };
    let mut archives = Archives::shared(shared);
    let mut opened: Vec<&Path> = Vec::new();
    for converter in config.converters.iter().filter(archiving) {
        let Some(folder) = converter.archive.folder.as_deref() else {
            continue;
        };
        if opened.contains(&folder) {
            continue;
        }
        owner::refuse_if_owned(folder, what)?;
        let archive = open_original(folder, config, context)?;
        context.note_damage(&archive)?;
        archives = archives.with_own(folder.to_owned(), archive);
        opened.push(folder);
    }
    Ok(archives)
}

/// Opens a store for a host, and refuses an unconfirmed copy of a store.
///
/// A warning would not be enough: a host writes for months, and nobody reads its first lines.
fn open_original(folder: &Path, config: &Config, context: &Context<'_>) -> Result<Archive, Error> {
    trust::check(folder, Found::Named, Access::ReadWrite, context.trust())?;
    let archive =
        context.open_signed(folder, Access::ReadWrite, config.evidence.publish.clone())?;
    match archive.copied_from() {
        None => Ok(archive),
        Some(from) => {
            let said = format!("no host is started on {}: {from}", folder.display());
            Err(Error::new(ErrorKind::Refused, said).hint(CopiedFrom::HINT))
        }
    }
}
