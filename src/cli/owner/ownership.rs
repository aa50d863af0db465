//! Refuses verbs that need a store without an owner.

use std::path::Path;
use std::time::Duration;

#[cfg(unix)]
use super::client::find;
#[cfg(not(unix))]
use super::unsupported::find;
use crate::{Error, ErrorKind, Result};

/// Refuses `what` while a host or another process owns the store.
pub(crate) fn refuse_if_owned(dir: &Path, what: &str) -> Result<()> {
    const ANSWER_WAIT: Duration = Duration::from_secs(2);
    let owner = find(dir, Duration::ZERO)?;
    match owner.filter(|owner| owner.answers(ANSWER_WAIT)) {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Refused,
            format!(
                "a host owns the store in {}: {what} while it runs",
                dir.display()
            ),
        )
        .hint("stop the host first; `annals host status` tells its process")),
    }
}
