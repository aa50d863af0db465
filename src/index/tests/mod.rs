//! Tests of the index against a model. The model keeps whole entries in a map and answers every
//! query by looking at all of them.
//!
//! Clocks jump, contents come back after a purge, events name what does not exist, and checkpoints
//! fall anywhere. The index must still answer as the model does, and must equal an index rebuilt
//! from the events.

mod against_model;
mod cases;
mod facts;
mod live;
mod model;
mod personal;
mod questions;
mod queue;
