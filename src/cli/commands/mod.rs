//! The verbs, one file or folder each: `Args` holds the arguments of a verb, and `run` runs it.

mod archive;
mod backup;
mod cat;
mod compact;
mod completions;
mod config;
mod confirm_move;
mod convert;
mod demo;
mod demo_converter;
mod diff;
mod events;
mod find;
mod hold;
mod host;
mod init;
mod job;
mod list;
mod man;
mod reach;
mod rebuild;
mod repair;
mod report;
mod reprocess;
mod restore;
mod restore_store;
mod retention;
mod show;
mod stats;
mod verb;
mod verify;

pub(super) use reach::Reach;
pub(super) use verb::Verb;
