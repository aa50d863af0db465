//! The position of an entry in an order.

use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::tables::Field;
use crate::index::terms;
use crate::query::{Cursor, Direction, Sort, SortField};
use std::cmp::Ordering;

/// The position of an entry in an order: by the bytes of its value, then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::index) struct Place {
    pub(in crate::index) value: Vec<u8>,
    pub(in crate::index) id: EntryId,
}

impl Place {
    /// Returns the position that a cursor stands for.
    pub(in crate::index) fn of(sort: Sort, cursor: &Cursor) -> Result<Self, IndexError> {
        let fits = match sort.field {
            SortField::Id => cursor.value.is_empty(),
            SortField::ArchivedAt => terms::time_of(&cursor.value).is_some(),
            _ => true,
        };
        if cursor.sort != sort || !fits {
            return Err(IndexError::OtherOrder);
        }
        Ok(Self {
            value: cursor.value.clone(),
            id: cursor.id,
        })
    }

    pub(in crate::index) fn compare(&self, other: &Self, direction: Direction) -> Ordering {
        let ascending = (&self.value, self.id).cmp(&(&other.value, other.id));
        match direction {
            Direction::Asc => ascending,
            Direction::Desc => ascending.reverse(),
        }
    }

    pub(in crate::index) fn comes_before(&self, other: &Self, direction: Direction) -> bool {
        self.compare(other, direction).is_lt()
    }
}

/// An order by the terms of a field.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) field: Field,
    pub(super) column: SortField,
    pub(super) direction: Direction,
    pub(super) after: Option<Place>,
}
