//! The verbs of `annals host` and their flags.

use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::commands::reach::Reach;

/// Watch folders, archive and convert what appears in them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals host init
  annals host check host.toml
  annals host run host.toml --once
  annals host run host.toml
  annals host status --json")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    Init(Init),
    Run(Run),
    Check(Check),
    Status(Status),
}

impl Args {
    /// Returns true for a host that runs until it is stopped.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(crate) fn goes_on(&self) -> bool {
        matches!(&self.action, Action::Run(run) if !run.once)
    }

    /// Returns where the verb is run. Only the host itself knows its status.
    pub(crate) fn reach(&self) -> Reach {
        match self.action {
            Action::Init(_) | Action::Run(_) | Action::Check(_) => Reach::Here,
            Action::Status(_) => Reach::Owner,
        }
    }
}

/// Ask five questions, and write a configuration that runs
///
/// Each question has a default, and each answer is checked at once. A flag answers its question.
/// Nothing is written before the last answer, and nothing that is there is replaced. Written are
/// FILE, a store if there is none, the folder to watch, and annals.service for systemd.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a terminal every question needs its flag, or --yes, which takes the defaults. The store is --store, else \
'store' beside FILE.

Examples:
  annals host init
  annals host init line3.toml --folder /data/ict/in --pattern '*.csv' --converter 'python3 ict.py' --reports store --keep 10y")]
pub(super) struct Init {
    /// The configuration to write
    #[arg(value_name = "FILE", default_value = "host.toml")]
    pub(super) file: PathBuf,
    /// The folder to watch
    #[arg(long, value_name = "DIR")]
    pub(super) folder: Option<String>,
    /// Which files are taken, such as '*.csv'; several with spaces between
    #[arg(long, value_name = "PATTERN")]
    pub(super) pattern: Option<String>,
    /// The command that converts a file, such as 'python3 ict.py {input}'
    #[arg(long, value_name = "COMMAND")]
    pub(super) converter: Option<String>,
    /// Where reports go: store, or also the URL of a server
    #[arg(long, value_name = "WHERE")]
    pub(super) reports: Option<String>,
    /// How long files and reports are kept: 90d, 10y, 90d1y or forever
    #[arg(long, value_name = "PERIOD")]
    pub(super) keep: Option<String>,
}

/// Archive and convert what the watch folders hold, and go on watching
///
/// Every file is archived before it is converted, and cleared away only when it is safe. It may be
/// stopped at any moment, by any means: the next run takes up what was left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The store is --store, else store.path of FILE; ANNALS_STORE counts only where FILE names none. Reports of converters with a [converter.submit] wait in the store \
until the server takes them; with --once each is sent once.

Exit code 3 when some files could not be converted, or some reports not submitted; they are archived like the others.")]
pub(super) struct Run {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// One pass over all folders, then end
    #[arg(long)]
    pub(super) once: bool,
    /// Take the configuration over when its file changes, as on SIGHUP
    #[arg(long, conflicts_with = "once")]
    pub(super) watch_config: bool,
}

/// Say whether a host owns the store, and how it is
///
/// Exit code 3 when something keeps it from its work, such as a full disk; 4 when no host owns the
/// store, 11 when one does and does not answer.
#[derive(Debug, clap::Args)]
pub(super) struct Status {}

/// Check a configuration, and that its folders and files are there
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 2 for an invalid configuration, 1 when something it names is not there."
)]
pub(super) struct Check {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
}
