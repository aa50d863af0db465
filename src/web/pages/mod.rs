//! The pages: one file each. A page asks the store through `Web::work`, and fills a template.

pub(in crate::web) mod converters;
pub(in crate::web) mod entries;
mod entry;
pub(in crate::web) mod evidence;
mod failures;
mod find;
mod fragment;
mod frame;
#[cfg(test)]
mod gallery;
pub(in crate::web) mod holds;
pub(in crate::web) mod host;
pub(in crate::web) mod jobs;
mod parts;
mod periods;
mod refused;
mod remarks;
pub(in crate::web) mod retention;
pub(in crate::web) mod step;

pub(in crate::web) use entry::{entry, hold, note, release, summary};
pub(in crate::web) use failures::{failures, waive};
pub(in crate::web) use find::find;
pub(in crate::web) use refused::explain;
