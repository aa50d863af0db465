//! One consistent state to read: the newest overlays on top of the tables.

mod contents;
mod dump;
mod evidence;
mod layers;
mod locks;
mod personal;
mod purges;
mod queue;
mod saved_views;

pub(crate) use layers::View;
pub(in crate::index) use layers::in_force;
