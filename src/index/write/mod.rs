//! The checkpoint: an overlay into the tables, in one transaction.
//!
//! For every changed entry the row in the table is compared with the new one; the terms that came
//! and went say which posting lists change. Work is done span by span, in key order, and the three
//! groups of tables by three threads.

mod changes;
mod commit;
mod ordinals;
mod postings;
mod term_lists;
mod trigrams;

pub(super) use commit::{Extent, begin, commit};
