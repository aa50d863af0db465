//! Builds the ordinals of a span while its terms are read in key order.

use crate::index::postings::{Bits, Low, Ranks};
use crate::index::tables::Field;
/// Builds the ordinals of a span while its terms are read in key order.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) ranks: Option<Ranks>,
    pub(super) finished: Vec<(Field, Column)>,
}

pub(super) struct Column {
    ordinals: Vec<u16>,
    terms: usize,
}

impl Columns {
    pub(super) fn push(&mut self, field: u8, members: &[Low]) {
        if field == Field::All as u8 {
            let mut all = Bits::none();
            for low in members {
                all.insert(*low);
            }
            self.ranks = Some(Ranks::of(all));
            return;
        }
        let ordered = Field::ORDERED.into_iter();
        let (Some(ranks), Some(field)) = (
            &self.ranks,
            ordered.into_iter().find(|ordered| *ordered as u8 == field),
        ) else {
            return;
        };
        if self.finished.last().is_none_or(|(last, _)| *last != field) {
            let column = Column {
                ordinals: vec![0; ranks.len()],
                terms: 0,
            };
            self.finished.push((field, column));
        }
        let Some((_, column)) = self.finished.last_mut() else {
            return;
        };
        // Each entry has one term in an ordered field, so a span has at most 65,536 terms.
        let ordinal = u16::try_from(column.terms).unwrap_or(u16::MAX);
        for low in members {
            if let Some(place) = column.ordinals.get_mut(ranks.rank(*low)) {
                *place = ordinal;
            }
        }
        column.terms += 1;
    }
}

impl Column {
    /// Returns the stored form: one byte for the width of an ordinal, then the ordinals.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.ordinals.len() * 2);
        if self.terms <= 256 {
            bytes.push(1);
            let narrow = |ordinal: &u16| ordinal.to_le_bytes()[0];
            bytes.extend(self.ordinals.iter().map(narrow));
        } else {
            bytes.push(2);
            bytes.extend(
                self.ordinals
                    .iter()
                    .flat_map(|ordinal| ordinal.to_le_bytes()),
            );
        }
        bytes
    }
}
