//! A file's way through the host: archived, converted, recorded, cleared away.

pub(super) mod archiving;
pub(super) mod clearing;
pub(super) mod converting;
pub(super) mod disposition;
pub(super) mod files;
pub(super) mod history;
pub(super) mod host;
pub(super) mod live_converter;
pub(super) mod memory;
pub(super) mod queue;
pub(super) mod recording;
pub(super) mod scan_folders;
pub(super) mod steps;
pub(super) mod stopped_converters;
pub(super) mod threads;
pub(super) mod turns;
pub(super) mod waiting;
pub(super) mod worker;
