//! Making a damaged log whole: which of its files have to be written anew, and out of what.
//!
//! What can be read is kept byte for byte under the number it has. Where an event is lost, another one that says so takes its
//! place, so that the log has no gaps and readers need to know nothing of repairs.

mod plan;
mod remains;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use plan::{LogMend, SpareEvents};
pub(crate) use remains::Remains;
