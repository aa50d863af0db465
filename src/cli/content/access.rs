//! Records whose contents are handed out, where the configuration or the store asks for that.

use crate::Result;
use crate::archive::{Access, Archive, HandingOut};
use crate::cli::run::{Context, Failure};
use crate::event::Handed;
use crate::id::EntryId;
use crate::service::content::{AccessRecord, is_access_recorded, record_access};

/// Opens the store for a verb that hands out contents: for writing, where that is recorded.
///
/// A store that cannot be written is opened for reading: what is damaged must stay readable.
pub(crate) fn open_to_hand_out(context: &Context<'_>) -> Result<Archive> {
    let archive = context.open(Access::ReadOnly)?;
    if archive.can_write().is_ok() || !is_access_recorded(&context.desk(&archive))? {
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
/// `what` is handed out by the verb `how` to the destination `to`, and `entries` lists the entries
/// when they are needed.
pub(crate) fn note_access(
    archive: &Archive,
    what: Handed,
    how: &str,
    to: Option<&str>,
    entries: impl FnOnce() -> Result<Vec<EntryId>, Failure>,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let out = || {
        let mut out = HandingOut::new(what, entries()?, how);
        out.to = to.map(str::to_owned);
        Ok::<_, Failure>(out)
    };
    match record_access(&context.desk(archive), out)? {
        AccessRecord::NotAsked | AccessRecord::Recorded => {}
        AccessRecord::NotPossible(error) => context.warn(format_args!(
            "this access is not recorded: {}",
            error.message()
        )),
    }
    Ok(())
}
