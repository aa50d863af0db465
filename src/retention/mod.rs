//! Makes purge plans from policies, holds and entries. Nothing here deletes.

mod plan;
mod policy;

pub use plan::{PlannedPurge, PurgePlan};
pub use policy::{AsOf, EmptyPolicy, Policy, Unsubmitted};

pub(crate) use plan::{Candidate, Leaving, Planner, Spared};
