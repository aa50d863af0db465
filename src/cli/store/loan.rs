//! A store that the process of its owner lends to a run.

use std::sync::Arc;

use super::owner_status::State;
use crate::archive::Archive;

/// A store that is open already, and what its owner tells of itself.
#[derive(Clone)]
pub(crate) struct LentStore {
    pub(crate) archive: Archive,
    pub(crate) state: Arc<State>,
}
