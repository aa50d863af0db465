//! The whole command line: the verbs, the flags of all verbs, and the help of the program.

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches, Parser};

use super::arguments::Globals;
use super::commands::{Reach, Verb};
use super::help;
use super::render::PROSE_MAX;

/// The archive of a converter host: every test-data file and every fact about it.
///
/// Sources and reports are kept by content, each fact as an event that is never changed. Find an
/// entry by serial number years later, get its bytes back, see what happened to it, and check that
/// nothing was altered.
#[derive(Debug, Parser)]
#[command(
    name = "annals",
    version,
    term_width = PROSE_MAX,
    subcommand_value_name = "VERB",
    disable_help_subcommand = true,
    after_help = "\
The store is --store, else ANNALS_STORE, else store.path of the configuration, else the nearest \
parent directory that is a store.

Examples:
  annals init /var/lib/annals
  annals archive results/ -c 'ICT CSV' --serial SN1042
  annals find SN1042
  annals list --status failed --from yesterday
  annals restore 4711 --to back/

Exit codes: 0 done, 1 failed, 2 usage, 3 some items failed, 4 not found, 5 refused by a safety rule, \
6 damage found, 10 no store, 11 the store's owner does not answer."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

impl Cli {
    /// Reads a command line.
    pub(super) fn read<T>(args: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<OsString> + Clone,
    {
        let mut command = command();
        let mut matches = command.try_get_matches_from_mut(args)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }

    /// Returns which process runs the verb, or shows the glance at the store.
    pub(super) fn reach(&self) -> Reach {
        self.verb.as_ref().map_or(Reach::Owner, Verb::reach)
    }
}

/// Returns the description of the program, with the help that its derived one lacks.
pub(super) fn command() -> Command {
    help::complete(Cli::command())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_are_accepted_before_and_after_the_verb() {
        for args in [
            ["annals", "--json", "--store", "x", "stats"],
            ["annals", "stats", "--json", "--store", "x"],
            ["annals", "--json", "stats", "-s", "x"],
        ] {
            let cli = Cli::try_parse_from(args).expect("parses");
            assert!(cli.globals.json);
            assert_eq!(cli.globals.store, Some(PathBuf::from("x")));
        }
    }

    #[test]
    fn wrong_arguments_are_refused_before_a_store_is_touched() {
        for args in [
            &["annals", "frobnicate"][..],
            &["annals", "show", "abc"],
            &["annals", "show"],
            &["annals", "list", "--status", "lost"],
            &["annals", "list", "--sort", "colour"],
            &["annals", "list", "--meta", "nokey"],
            &["annals", "archive"],
            &["annals", "archive", "f", "-c", "x", "--level", "10"],
            &["annals", "hold", "add", "1", "--name", "n"],
            &["annals", "verify", "--quick", "--deep"],
            &["annals", "-q", "-v", "stats"],
        ] {
            let error = Cli::try_parse_from(args).expect_err("refused");
            assert_eq!(error.exit_code(), 2, "{args:?}");
        }
    }

    #[test]
    fn help_of_every_verb_is_short_and_has_an_example() {
        let mut command = Cli::command();
        command.build();
        for verb in command.get_subcommands_mut() {
            let name = verb.get_name().to_owned();
            let help = verb.render_help().to_string();
            assert!(help.lines().count() < 64, "{name} explains too much");
            assert!(help.contains("Example"), "{name} has no example");
        }
    }
}
