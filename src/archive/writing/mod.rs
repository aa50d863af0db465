//! What goes in, and the thread that appends it.

pub(super) mod access;
pub(super) mod annotate;
pub(super) mod begin;
mod cleared;
pub(super) mod facts_only;
pub(super) mod head;
pub(super) mod holds;
pub(super) mod jobs;
pub(super) mod key;
pub(super) mod pending;
pub(super) mod promotions;
pub(super) mod put;
pub(super) mod record;
mod regular_file;
pub(super) mod submission;
mod views;
