//! The store of a run: where it is, whether it may be used, and which damage of it is known.

pub(super) mod damage;
pub(crate) mod keys;
mod loan;
mod locate;
mod owner_status;
pub(super) mod trust;

pub(super) use loan::LentStore;
pub(super) use locate::{
    config_file, configuration, follow_file, key_file_named, load, locate, named, outranked,
};
pub(super) use owner_status::State;
