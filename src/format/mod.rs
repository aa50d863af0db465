//! Converts bytes to values and back: every layout that must stay readable in twenty years.
//!
//! This room uses no files and no clocks, and all of it is fuzzed.
//!
//! Everything is little-endian and checked with CRC32C. Each layout is documented once, as a table
//! of offsets, and a test compares it with fixed bytes.
#![expect(
    unreachable_pub,
    reason = "the room is private; what it offers its neighbours is still its public surface"
)]

pub mod bytes;
pub(crate) mod catalog;
pub(crate) mod disclosure;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod leaf;
pub(crate) mod newest;
pub mod pack;
pub mod pack_scan;
pub(crate) mod place;
pub mod record;
pub(crate) mod segment;

#[cfg(test)]
mod tests;
