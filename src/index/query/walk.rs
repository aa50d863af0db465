//! Walks the matches of a search in an order, without sorting more than the page needs.
//!
//! Each span knows its own order. A heap merges the spans.
//!
//! - By id, the spans follow each other.
//! - By time, a span is opened only when its zone says that it may hold the next entry.
//! - By another column, a span gives its entries term by term while most of them match. Otherwise
//!   the walk picks the smallest ordinals among the matches. Terms are ordered in the table, so
//!   comparing ordinals compares two entries of one span.

use super::by_id::IdWalk;
use super::by_term::TermWalk;
use super::by_time::TimeWalk;
use super::place::{Order, Place};
use super::search::Search;
use crate::index::error::IndexError;
use crate::index::tables::Field;
use crate::query::{Sort, SortField};

/// Yields the matches in the tables in order, after a position.
pub(in crate::index) enum Walk<'a> {
    Ids(IdWalk<'a>),
    Times(TimeWalk<'a>),
    Terms(TermWalk<'a>),
}

impl<'a> Walk<'a> {
    pub(in crate::index) fn new(
        search: &'a Search<'a>,
        sort: Sort,
        after: Option<Place>,
    ) -> Result<Self, IndexError> {
        let direction = sort.direction;
        Ok(match Field::of(sort.field) {
            Some(field) => {
                let order = Order {
                    field,
                    column: sort.field,
                    direction,
                    after,
                };
                Self::Terms(TermWalk::new(search, order)?)
            }
            None if sort.field == SortField::ArchivedAt => {
                Self::Times(TimeWalk::new(search, direction, after.as_ref()))
            }
            None => Self::Ids(IdWalk::new(search, direction, after.as_ref())),
        })
    }

    pub(in crate::index) fn next(&mut self) -> Result<Option<Place>, IndexError> {
        match self {
            Self::Ids(walk) => walk.next(),
            Self::Times(walk) => walk.next(),
            Self::Terms(walk) => walk.next(),
        }
    }
}
