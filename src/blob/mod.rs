//! Stores content and reads it back: digests, compression, chunks, manifests and packs.
#![expect(
    unreachable_pub,
    reason = "the room is private; what it offers its neighbours is still its public surface"
)]

pub mod chunker;
pub mod compression;
pub mod dictionary;
pub mod digests;
pub mod manifest;
pub mod pack_reader;
pub mod pack_writer;
pub mod stream;
