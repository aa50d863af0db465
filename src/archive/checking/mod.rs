//! Looking for damage, and repairing it.

pub(super) mod known_damage;
pub(super) mod repair;
pub(super) mod verify;
