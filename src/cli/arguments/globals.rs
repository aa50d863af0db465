//! The flags that every verb takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::service::words::parse_size;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The store to work on
    #[arg(short, long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// The configuration file (or ANNALS_CONFIG)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON: one object, or one a line; errors too, on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no notes, warnings or progress; errors still
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more, such as what caused an error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) color: ColorWhen,
    /// Show times in UTC, and read dates as UTC
    #[arg(long, global = true)]
    pub(crate) utc: bool,
    /// Do not ask, do it
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// The file of the key that signs [default: one for each store, in the home folder]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) key_file: Option<PathBuf>,
    /// Use a store that belongs to another account as if it were one's own
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) trust: bool,
    /// Bytes of one journal file made from now on: 64K to 1G, 32M unless said otherwise
    #[arg(
        long,
        global = true,
        value_name = "SIZE",
        value_parser = parse_size,
        hide_short_help = true
    )]
    pub(crate) journal_size: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}
