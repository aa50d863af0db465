//! Archived content on its way out: the record of it, its companions.

mod access;
mod companions;

pub(super) use access::{note_access, open_to_hand_out};
pub(super) use companions::{Replaces, Unpacked};
