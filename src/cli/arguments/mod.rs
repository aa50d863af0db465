//! Parses what follows a verb on the command line: flags and keys.

mod comparing;
mod globals;
mod vkey;

pub(super) use comparing::Comparing;
pub(super) use globals::{ColorWhen, Globals};
pub(super) use vkey::parse_vkey;
