//! Makes purge plans from policies, holds and entries. Nothing here deletes.

mod class;
#[cfg(feature = "host")]
mod merged;
mod plan;
mod policy;
mod words;
mod zone;

pub use class::{Base, Class, Due, Keep, Keeps, PartDue, Undated};
pub use plan::{PlannedPurge, PurgePlan};
pub use policy::{AsOf, EmptyPolicy, GovernanceLocks, Policy, Unconverted, Unsubmitted};
pub use zone::{UnknownZone, Until, Zone};

pub(crate) use class::{Taken, Tally, due_parts, over, taken};
#[cfg(feature = "host")]
pub(crate) use class::{parse_bytes, unreachable};
pub(crate) use plan::{Candidate, Leaving, Planner, Spared};
