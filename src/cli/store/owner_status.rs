//! What the owner of a store has for its clients: its status, and the page that it serves.

use std::sync::Arc;
#[cfg(feature = "serve")]
use std::sync::OnceLock;

use crate::service::status::{Owner, Role, Watch};
use crate::time::Timestamp;
#[cfg(feature = "serve")]
use crate::web::Entrance;

/// The status of an owner, which it updates while it works, and the page that it serves.
pub(crate) struct State {
    pub(crate) owner: Arc<Owner>,
    #[cfg(feature = "serve")]
    entrance: OnceLock<Entrance>,
}

impl State {
    pub(crate) fn new(role: Role, since: Timestamp, config: String, watches: Vec<Watch>) -> Self {
        Self {
            owner: Arc::new(Owner::new(role, since, config, watches)),
            #[cfg(feature = "serve")]
            entrance: OnceLock::new(),
        }
    }

    /// Sets the page that this owner serves from now on.
    #[cfg(feature = "serve")]
    pub(crate) fn open_entrance(&self, entrance: Entrance) {
        // Setting fails only on a second call, which does not happen.
        let _ = self.entrance.set(entrance);
    }

    /// Returns the page that this owner serves, if it does.
    #[cfg(feature = "serve")]
    pub(crate) fn entrance(&self) -> Option<&Entrance> {
        self.entrance.get()
    }
}
