//! One process owns a store; who else wants something of it asks the owner, who runs the verb and sends back what it says.
//!
//! - [`wire`](self): what goes over the socket, byte by byte; `place`: where the socket is, and who may use it;
//! - `serve`: the owner's side; `ask`: the other, and `shown`, what of the answer reaches a terminal.
//!
//! The verb is the same code both ways, on the owner's open store, with the folder, variables, terminal and zone of who asks. So
//! the answer is the same by construction.

#[cfg(unix)]
mod ask;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod shown;
mod state;
#[cfg(unix)]
mod wire;

#[cfg(unix)]
pub(crate) use ask::{ask, find};
#[cfg(not(unix))]
pub(crate) use elsewhere::{Endpoint, ask, find};
#[cfg(unix)]
pub(crate) use serve::Endpoint;
pub(crate) use state::{State, Status, Watch};

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::archive::Archive;
use crate::{Error, ErrorKind, Result};

/// A store that is open already, and what its owner tells of itself.
#[derive(Clone)]
pub(crate) struct Borrowed {
    pub(crate) archive: Archive,
    pub(crate) state: Arc<State>,
}

/// Refuses what cannot be done while somebody owns the store.
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
