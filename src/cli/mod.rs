//! The `annals` program: reads arguments, runs one verb, prints data on stdout and the rest on
//! stderr.

mod arguments;
mod caller;
mod command_line;
mod commands;
mod content;
mod daemon;
mod entries;
mod help;
mod meant;
mod owner;
mod program;
mod render;
mod run;
mod store;
mod usage;

pub use caller::{Stdin, Streams};
pub use program::{main, run};
