//! A store that its owner lends to a run within the owner's process.

use std::sync::Arc;

use super::owner_status::State;
use crate::archive::Archive;

/// An open store, and the status of its owner.
#[derive(Clone)]
pub(crate) struct LentStore {
    pub(crate) archive: Archive,
    pub(crate) state: Arc<State>,
}
