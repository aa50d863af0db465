//! Finds the end of the log when a store is opened, and distinguishes a torn tail from damage.
//!
//! A group is written only after the group before it is durable. So a frame that fails its checksum
//! is
//!
//! - **damage**, if an intact frame of a *later group* (or a later journal file) proves that it had
//!   been durable,
//! - a **torn tail** otherwise: the group was in flight and was never acknowledged.
//!
//! The journal alone cannot tell damage in the very last group from a torn write. The caller
//! compares with the index, which knows how far the log was durable.

mod decision;
mod recover;
mod scan;
#[cfg(test)]
mod tests;
mod torn_tail;

pub(crate) use recover::{Found, recover};
pub(crate) use torn_tail::{TornTail, cut};
