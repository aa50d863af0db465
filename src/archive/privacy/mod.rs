//! Personal values: which fields are personal, what the store knows of a value, and erasing it.

pub(super) mod declare;
pub(super) mod erase;
pub(super) mod plan;
pub(super) mod reveal;
