//! The fold: one event at a time into an overlay. No clock, no randomness, no file but the state
//! below.
//!
//! An event that names what does not exist changes nothing but the place in the log: what an old
//! program wrote must never stop a new one.

mod contents;
mod facts;

mod state;
