//! Making and opening a store, whatever happened to it.

pub(super) mod builder;
pub(super) mod catch_up;
pub(super) mod confirm_move;
pub(super) mod create;
pub(super) mod disclosed;
pub(super) mod identity;
pub(super) mod open;
pub(super) mod orphans;
pub(super) mod rebuild;
pub(super) mod stale_journal;
pub(super) mod start;
pub(super) mod torn_tail;
