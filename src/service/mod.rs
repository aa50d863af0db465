//! What all doors have in common: dates, zones, filters in words, selections, the JSON objects.
//!
//! A door is a way for people and programs to ask an archive: the command line, an HTTP server.
//! What they say and print must mean the same at each, so it is said here once. Nothing here knows
//! of a terminal, a stream, or a parser of arguments.

pub mod content;
pub mod converters;
pub mod desk;
pub mod entries;
pub mod entry;
pub mod evidence;
pub mod failures;
pub mod holds;
pub mod jobs;
pub mod objects;
pub mod promotions;
pub mod reprocess;
pub mod retention;
pub mod settings;
pub mod status;
pub mod time;
pub mod words;
