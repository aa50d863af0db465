//! The pages: one file each. A page asks the store through `Web::work`, and fills a template.

pub(in crate::web) mod entries;
mod entry;
mod find;
mod fragment;
mod frame;
#[cfg(test)]
mod gallery;
mod parts;
mod remarks;

pub(in crate::web) use entry::{entry, hold, note, release, summary};
pub(in crate::web) use find::find;
