//! What goes for good, and how its bytes are freed.

mod by_class;
pub(super) mod clock_check;
pub(super) mod explain;
pub(super) mod footprint;
pub(super) mod grace;
pub(super) mod impact;
pub(super) mod locks;
pub(super) mod purge;
pub(super) mod reclaim;
mod refusal;
pub(super) mod traces;
