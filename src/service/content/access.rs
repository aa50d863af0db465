//! Records whose contents are handed out, where the configuration or the store asks for that.

use crate::archive::HandingOut;
use crate::service::desk::Desk;
use crate::{Error, ErrorKind, Result};

/// What became of the record of an access.
#[derive(Debug)]
pub enum AccessRecord {
    /// Accesses are not recorded.
    NotAsked,
    /// It is recorded.
    Recorded,
    /// The store takes nothing more, and what is damaged must stay readable: this is why.
    NotPossible(Error),
}

/// Records that the contents of entries are handed out, if accesses are recorded. Call it before
/// the first byte is handed out.
///
/// `out` tells what is handed out, when that is needed.
pub fn record_access<E: From<Error>>(
    desk: &Desk,
    out: impl FnOnce() -> Result<HandingOut, E>,
) -> Result<AccessRecord, E> {
    if !is_access_recorded(desk)? {
        return Ok(AccessRecord::NotAsked);
    }
    match desk.archive.record_handing_out(&out()?) {
        Ok(()) => Ok(AccessRecord::Recorded),
        Err(error) if matches!(error.kind(), ErrorKind::ReadOnly | ErrorKind::Damaged) => {
            Ok(AccessRecord::NotPossible(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns whether accesses are recorded: the configuration in use says so, or the store does.
pub fn is_access_recorded(desk: &Desk) -> Result<bool> {
    let configured = desk.config();
    if configured.is_some_and(|config| config.evidence.record_access) {
        return Ok(true);
    }
    desk.archive.records_access()
}
