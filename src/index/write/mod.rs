//! The checkpoint: writes an overlay into the tables, in one transaction.
//!
//! For every changed entry the new row is compared with the row in the table. The terms that the
//! entry gained and lost decide which posting lists change. Work goes span by span in key order.
//! Three threads write the three groups of tables.

mod changes;
mod commit;
mod copy;
mod ordinals;
mod postings;
mod term_lists;
mod trigrams;

pub(super) use commit::{Extent, begin, commit};
pub(super) use copy::{bytes_of_copy, copy};
