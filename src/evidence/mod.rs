//! Proof that nothing recorded was changed: the Merkle tree over the event leaves.

pub mod tree;
