//! Guards against silent loss: finds results that are suspicious although the converter says
//! success.
//!
//! A result is measured ([`measure`]), and compared with what is expected of its converter, with
//! the attempt before, and with the newest other entries of the converter. Nothing is suspicious
//! only because a converter never has it.

mod examine;
mod judge;
mod measure;
mod siblings;
mod walk;
mod xml;

pub(crate) use examine::{examine, examine_alone};
pub use measure::measure;
