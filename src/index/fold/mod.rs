//! Folds one event at a time into an overlay. The fold uses no clock, no randomness and no file,
//! only the state below.
//!
//! An event that names something that does not exist only advances the number of the last folded
//! event: an event of an old version must never stop a new version.

mod contents;
mod facts;
mod holds;
mod locks;
mod notes;
mod personal;
mod purges;
mod state;
mod views;
