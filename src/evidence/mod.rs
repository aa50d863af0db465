//! Proof that nothing recorded was changed: the Merkle tree over the event leaves.
#![expect(
    unreachable_pub,
    reason = "the room is private; what it offers its neighbours is still its public surface"
)]

pub mod tree;
