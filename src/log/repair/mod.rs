//! Repairs a damaged log: decides which files to write again, and from which events.
//!
//! Events that can be read are kept byte for byte under their numbers. A lost event is replaced by
//! a stand-in event that says so. So the log has no gaps, and readers need not know about repairs.

mod plan;
mod remains;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use plan::{LogMend, SpareEvents};
pub(crate) use remains::Remains;
