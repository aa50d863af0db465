//! The configuration as every door shows and changes it: fields of a form, changes, what came of
//! them.

mod apply;
mod fields;
mod form;

pub use apply::{Applied, AppliedObject, TakenUp, apply, check, draft};
pub use fields::{Entry, Field, Group, Input, Section, groups_of, name_of, sections_of};
pub use form::{Posted, changes_of};
