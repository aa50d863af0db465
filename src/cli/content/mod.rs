//! Archived content on its way out: its bytes, its file names, its companions.

mod access;
mod companions;
mod file_name;
mod read;

pub(super) use crate::service::entries::no_entry;
pub(super) use access::{note_access, open_to_hand_out};
pub(super) use companions::{Replaces, Unpacked};
pub(super) use file_name::{distinct, numbered, original, safe_name};
pub(super) use read::{copy, open_source, refuse_purged, refuse_purged_reports};
