//! What reprocess jobs changed, and what did not succeed in them.

mod digest;
mod retry;

pub use digest::{Digest, Digests, JudgedAttempt, VerdictWord, difference_of};
pub use retry::failed_entries;
