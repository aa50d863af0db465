//! The query engine: evaluates a filter as set operations on posting lists, span by span, and walks
//! the result in the requested order.

mod by_id;
mod by_term;
mod by_time;
mod counts_over;
mod group_by_term;
mod listing;
mod matcher;
mod on_entry;
mod ordinal_stream;
mod place;
mod search;
mod term_stream;
mod walk;

pub(in crate::index) use matcher::Matcher;
pub(crate) use on_entry::EntryMatcher;
