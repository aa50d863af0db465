//! Records whose contents are handed out, where the configuration or the store asks for that.

use crate::archive::{Access, Archive, RECORD_ACCESS};
use crate::cli::run::{Context, Failure};
use crate::id::EntryId;
use crate::{ErrorKind, Result};

/// Opens the store for a verb that hands out contents: for writing, where that is recorded.
///
/// A store that cannot be written is opened for reading: what is damaged must stay readable.
pub(crate) fn open_to_hand_out(context: &Context<'_>) -> Result<Archive> {
    let archive = context.open(Access::ReadOnly)?;
    if archive.can_write().is_ok() || !is_recorded(&archive, context)? {
        return Ok(archive);
    }
    drop(archive);
    match context.open(Access::ReadWrite) {
        Ok(archive) => Ok(archive),
        Err(_) => context.open(Access::ReadOnly),
    }
}

/// Records that the contents of entries are handed out, if accesses are recorded. Call it before
/// the first byte is handed out.
///
/// `how` is the verb, `to` the destination, and `entries` lists the entries when they are needed.
pub(crate) fn note_access(
    archive: &Archive,
    how: &str,
    to: Option<&str>,
    entries: impl FnOnce() -> Result<Vec<EntryId>, Failure>,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    if !is_recorded(archive, context)? {
        return Ok(());
    }
    match archive.record_access(&entries()?, how, to) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::ReadOnly | ErrorKind::Damaged) => {
            context.warn(format_args!(
                "this access is not recorded: {}",
                error.message()
            ));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns whether accesses are recorded: the configuration in use says so, or the store does.
fn is_recorded(archive: &Archive, context: &Context<'_>) -> Result<bool> {
    let configured = context.configuration();
    if configured.is_ok_and(|config| config.evidence.record_access) {
        return Ok(true);
    }
    let recorded = archive.recorded_config(RECORD_ACCESS)?;
    Ok(recorded.as_deref() == Some("true"))
}
