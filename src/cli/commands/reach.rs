//! Whether a verb is run in this process or by the owner of the store.

/// The process that runs a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Reach {
    /// This process. The verb needs no store, makes one, or needs a store without an owner.
    Here,
    /// The owner of the store, or this process when there is none.
    Owner,
}
