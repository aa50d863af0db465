//! The index against a model that keeps whole entries in a map and answers every question by
//! looking at all of them.
//!
//! Clocks jump, contents come back after they were purged, events name what does not exist,
//! checkpoints fall anywhere: whatever happens, the index must answer as the model does, and be the
//! same as one made anew from the events.

mod against_model;
mod cases;
mod facts;
mod live;
mod model;
mod questions;
mod queue;
