//! One entry: how its attempts differ, and which state of it somebody has seen.

mod comparison;
mod tag;

pub use comparison::{Compare, Compared, Comparison, configured_rules};
pub use tag::{entry_tag, refuse_changed};
