//! Makes a damaged log whole: decides which files have to be written again, and out of what.
//!
//! Events that can be read are kept byte for byte under their numbers. An event that is lost is
//! replaced by a stand-in that says so. So the log has no gaps, and readers need to know nothing of
//! repairs.

mod plan;
mod remains;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use plan::{LogMend, SpareEvents};
pub(crate) use remains::Remains;
