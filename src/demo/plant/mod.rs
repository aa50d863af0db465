//! Generates the files of a small plant's test stations. One seed gives equal files on every
//! machine.
//!
//! Uses only the standard library and chrono, so that benches can include this folder unchanged
//! (`#[path]`).
#![allow(
    unused_imports,
    reason = "benches include this folder and use one function of it"
)]

mod clock;
mod file;
mod firmware;
mod functional;
mod ict;
mod random;
mod route;
#[cfg(test)]
mod tests;
mod unit;
mod week;

pub(crate) use file::{FIRMWARE_FOLDER, FUNCTIONAL_FOLDER, ICT_FOLDER, PlantFile};
pub(crate) use unit::STORY_SERIAL;
pub(crate) use week::{ict_file, plant};
