//! The query engine: a filter becomes set algebra over posting lists, span by span; a sort walks
//! the result in order.

mod by_id;
mod by_term;
mod by_time;
mod listing;
mod matcher;
mod ordinal_stream;
mod place;
mod search;
mod term_stream;
mod walk;
