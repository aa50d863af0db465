//! Proves that no recorded event was changed: the Merkle tree over the event leaves.

pub mod tree;
