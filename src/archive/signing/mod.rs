//! Signs the log: keys, checkpoints, and when they are made.

pub(super) mod certify;
pub(super) mod checkpoint;
pub(super) mod declared;
pub(super) mod keys;
pub(super) mod outside;
pub(super) mod prove;
mod stamps;
#[cfg(test)]
mod tests;
pub(super) mod worker;
