//! Proves to strangers what was recorded, and that it was not changed since.

pub mod checkpoint;
pub mod key;
pub mod key_file;
pub mod note;
pub mod proof;
pub mod rotation;
mod text;
pub mod tlog_proof;
pub mod tree;
