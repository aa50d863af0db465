//! Sources: finds them in the watch folders, reads them, and clears them away.

pub(super) mod candidate;
pub(super) mod clear;
pub(super) mod expected;
pub(super) mod file_meta;
pub(super) mod file_reading;
pub(super) mod fingerprint;
pub(super) mod groups;
mod mounts;
pub(super) mod open_files;
pub(super) mod parts;
pub(super) mod resting;
pub(super) mod scan;
pub(super) mod scanners;
pub(super) mod shape;
pub(super) mod silent;
pub(super) mod source;
pub(super) mod watcher;
