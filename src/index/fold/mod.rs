//! Folds one event at a time into an overlay. The fold uses no clock, no randomness and no file,
//! only the state below.
//!
//! An event that names something that does not exist only advances the place in the log: events of
//! an old version must never stop a new one.

mod contents;
mod facts;

mod state;
