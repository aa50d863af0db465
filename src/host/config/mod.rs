//! The host's configuration: its keys, and how its file is read, checked and edited.

pub(super) mod bounds;
pub(super) mod check;
pub(super) mod companions;
pub(super) mod converter;
pub(super) mod edit;
pub(super) mod endpoint;
pub(super) mod limits;
pub(super) mod names;
pub(super) mod overlap;
pub(super) mod promotion;
pub(super) mod read;
mod retention;
pub(super) mod schema;
pub(super) mod scope;
pub(super) mod settings;
mod survey;
