//! The thread that appends: what it decides, and what readers see of it.

pub(super) mod answer;
pub(super) mod clock_step;
pub(super) mod decide;
pub(super) mod in_flight;
pub(super) mod leader;
pub(super) mod locks;
pub(super) mod personal;
mod prepare;
mod promotion;
pub(super) mod publisher;
pub(super) mod purge_facts;
mod views;
pub(super) mod writer;
