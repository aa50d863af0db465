//! Where a verb is run: in this process, or by the owner of the store.

/// Where a verb is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Reach {
    /// Here: it needs no store, makes its own, or wants one nobody else owns.
    Here,
    /// By the owner of the store; here when there is none.
    Owner,
}
