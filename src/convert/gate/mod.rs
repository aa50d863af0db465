//! Runs a new identity of a converter over archived entries without recording anything, and decides
//! whether it may take the place of the current one.

mod run;
mod sample;
mod verdict;
mod waived;

pub use run::{GateOptions, GateReport, gate, register};
pub use sample::sample;
pub use verdict::{BrokenEntry, GateVerdict};
pub use waived::Waivers;
