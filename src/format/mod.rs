//! Converts bytes to values and back: every layout that must still be readable in twenty years. It
//! uses no files and no clocks, and all of it is fuzzed.
//!
//! Everything is little-endian and checked with CRC32C. A layout is written once, as a table of
//! offsets, and pinned by a test on its golden bytes.
#![expect(
    unreachable_pub,
    reason = "the room is private; what it offers its neighbours is still its public surface"
)]

pub mod bytes;
pub(crate) mod catalog;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod leaf;
pub(crate) mod newest;
pub mod pack;
pub(crate) mod place;
pub mod record;
pub(crate) mod segment;

#[cfg(test)]
mod tests;
