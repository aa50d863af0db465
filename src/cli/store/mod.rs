//! Which store a run is about, whether it may be used, and what is damaged of it.

pub(super) mod damage;
mod loan;
mod locate;
mod owner_status;
pub(super) mod trust;

pub(super) use loan::LentStore;
pub(super) use locate::{config_file, configuration, follow_file, load, locate, named, outranked};
pub(super) use owner_status::{State, Status, Watch};
