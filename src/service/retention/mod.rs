//! What goes, what stays and why: rules in words, plans, what a configuration would do, purges.

mod certificate;
mod configured;
mod explained;
mod frozen;
mod history;
mod items;
mod pending;
mod rules;
mod what_if;
mod words;

pub use certificate::{certify, unsigned};
pub use configured::{
    UnmetLimit, classes_without_entries, configured_policies, host_policies, unmet_limits,
};
pub use explained::{
    ClassObject, class_objects, explained_in_zone, lock_in_zone, locked_entries, policy_in_force,
    read_policy,
};
pub use frozen::{Frozen, FrozenObject, Plans, Previewed};
pub use history::{Ended, History, PurgeRecord, history};
pub use items::{ITEM_COLUMNS, ItemObject};
pub use pending::{Finalized, pending_in_zone, recorded_in_zone, unfreed};
pub use rules::{Rules, Stated};
pub use what_if::{
    Change, Compared, ConverterRow, Longer, Scalar, Side, WhatIf, WouldPurge, compare,
    is_about_retention,
};
pub use words::{kept, on_disk, rule_of, share, summary, things};
