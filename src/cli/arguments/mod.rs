//! Parses what follows a verb on the command line: flags, dates, ages, sizes, pairs.

mod age;
mod comparing;
mod date;
mod globals;
mod pairs;
mod size;
mod vkey;

pub(super) use age::parse_age;
pub(super) use comparing::Comparing;
pub(super) use date::parse_when;
pub(super) use globals::{ColorWhen, Globals};
pub(super) use pairs::{parse_pair, to_meta};
pub(super) use size::parse_size;
pub(super) use vkey::parse_vkey;
