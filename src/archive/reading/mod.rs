//! What comes out.

pub(super) mod counts_by;
pub(super) mod entries;
mod evidence;
pub(super) mod failures;
pub(super) mod follow;
pub(super) mod notable;
pub(super) mod read;
pub(super) mod review;
pub(super) mod same_content;
pub(super) mod snapshot;
pub(super) mod views;
pub(super) mod why;
