//! One run of the program: what its verb works with, what can end it, how it ends.

mod context;
mod entry_point;
mod exit;
mod interrupt;
mod printed_command;
mod terminal;
mod work_channel;

pub(super) use context::{Context, LOCK_WAIT};
pub(super) use entry_point::{Program, RunForClient};
pub(super) use exit::{Exit, Failure, Tally};
pub(super) use printed_command::StoreFlags;
pub(super) use terminal::{terminal_width, wants_colour};
pub(super) use work_channel::{work_in_background, work_in_background_or};
