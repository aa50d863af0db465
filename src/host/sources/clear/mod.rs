//! Clears sources away: moves, zips or removes them, and finishes what a killed host began.

mod actions;
mod aside;
mod attributes;
mod copies;
pub(in crate::host) mod dir;
mod group;
mod group_names;
mod leftover;
mod name;
mod partial;
mod place;
mod recover;
mod removal;
mod zip_archive;

pub(in crate::host) use actions::is_below;
pub(in crate::host) use leftover::remove_leftover;
pub(crate) use name::distinct as distinct_name;
pub(in crate::host) use partial::remove_partials;
pub(in crate::host) use recover::recover;

#[cfg(test)]
mod tests;
