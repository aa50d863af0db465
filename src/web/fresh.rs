//! Names that nobody can guess, for what is kept for a visitor.

use crate::{Error, ErrorKind, Result};

const NAME_BYTES: usize = 12;

/// Returns a new name.
///
/// # Errors
/// `Io` when the system has no random numbers.
pub(in crate::web) fn fresh_name() -> Result<String> {
    let mut bytes = [0; NAME_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        let told = format!("the system has no random numbers: {error}");
        Error::new(ErrorKind::Io, told)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
