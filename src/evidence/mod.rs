//! Proves to strangers what was recorded, and that it was not changed since.

pub mod key;
pub mod key_file;
pub mod note;
mod text;
pub mod tree;
