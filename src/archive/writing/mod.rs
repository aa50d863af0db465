//! What goes in, and the thread that appends it.

pub(super) mod access;
pub(super) mod annotate;
pub(super) mod begin;
pub(super) mod head;
pub(super) mod jobs;
pub(super) mod key;
pub(super) mod pending;
pub(super) mod promotions;
pub(super) mod put;
pub(super) mod record;
pub(super) mod submission;
