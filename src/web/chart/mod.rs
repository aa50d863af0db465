//! Charts as SVG that the server draws: from numbers to shapes, without a script.
//!
//! A chart has a title and a description, a table with the same numbers, and each shape leads to
//! the list behind its number. Classes say what a shape means; style sheets give it a colour. What
//! fails is hatched, so that nobody needs to see colours.

mod columns;
mod scale;

pub(in crate::web) use columns::{Column, ColumnChart, Layer, Part, Words};
pub(in crate::web) use scale::per_mille;
