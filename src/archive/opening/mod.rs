//! Making and opening a store, whatever happened to it.

pub(super) mod catch_up;
pub(super) mod create;
pub(super) mod identity;
pub(super) mod open;
pub(super) mod place;
