//! One consistent state to read: the newest overlays on top of the tables.

mod contents;
mod dump;
mod evidence;
mod layers;
mod locks;
mod personal;
mod queue;

pub(crate) use layers::View;
