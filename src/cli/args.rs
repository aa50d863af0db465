//! Arguments that several verbs share: the global flags and the filters.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use super::commands::Verb;
use super::context::Context;
use super::sizes::parse_size;
use crate::entry::{Meta, Status};
use crate::id::{EntryId, JobId};
use crate::query::{Filter, Purged};
use crate::{Error, ErrorKind, Result};

/// The archive of a converter host: keeps every test-data file and every fact about it.
///
/// Sources and reports are kept by content, each fact as an event that is never changed. Find an entry by serial
/// number years later, get its bytes back, see what happened to it, and check that nothing was altered.
#[derive(Debug, Parser)]
#[command(
    name = "annals",
    version,
    max_term_width = 110,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
The store is --store, else ANNALS_STORE, else store.path of the configuration, else the nearest parent directory \
that is a store.

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
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

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

/// Which entries, by what is known of them. All that are stated must hold.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filters {
    #[command(flatten)]
    criteria: Criteria,
    #[command(flatten)]
    period: Period,
}

/// When an entry was archived.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Period {
    /// Archived at or after, such as 2026-03-01, yesterday, monday, 'last week', or 90d (ago)
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// Archived before; --from 2026-03-01 and this 2026-03-02 are that one day
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
}

/// The filters but for the dates, for a verb where `--to` is a place.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Criteria {
    /// Archived for this converter; may be repeated
    #[arg(short, long, value_name = "NAME")]
    converter: Vec<String>,
    /// pending, success, failed, suspended, skipped or rejected; may be repeated
    #[arg(long, value_delimiter = ',')]
    status: Vec<Status>,
    /// Serial number
    #[arg(long)]
    serial: Option<String>,
    /// Part number
    #[arg(long)]
    part: Option<String>,
    /// Test station
    #[arg(long)]
    station: Option<String>,
    /// Test process
    #[arg(long)]
    process: Option<String>,
    /// File name, with * ? [a-z]
    #[arg(long, value_name = "GLOB")]
    file: Option<String>,
    /// Metadata with exactly this value; may be repeated
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    meta: Vec<(String, String)>,
    /// Has an attempt of this reprocess job
    #[arg(long)]
    job: Option<JobId>,
    /// Part of the file name, serial, part, error, or a metadata value
    #[arg(long)]
    text: Option<String>,
}

impl Filters {
    /// The filter these arguments state; dates are understood as of now.
    pub(crate) fn to_filter(&self, context: &Context<'_>) -> Result<Filter> {
        self.criteria.to_filter(&self.period, context)
    }
}

impl Criteria {
    /// The filter these arguments state together with `period`.
    pub(crate) fn to_filter(&self, period: &Period, context: &Context<'_>) -> Result<Filter> {
        let date = |text: &Option<String>| text.as_deref().map(|t| context.when(t)).transpose();
        let (from, to) = (date(&period.from)?, date(&period.to)?);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "the period from {} to {} is empty",
                    context.zone().long(from),
                    context.zone().long(to)
                ),
            )
            .hint("the start is included, the end is not"));
        }
        Ok(Filter {
            ids: Vec::new(),
            converter: self.converter.clone(),
            converter_version: None,
            status: self.status.clone(),
            from,
            to,
            serial: self.serial.clone(),
            part: self.part.clone(),
            station: self.station.clone(),
            process: self.process.clone(),
            file: self.file.clone(),
            meta: self.meta.clone(),
            job: self.job,
            report_id: None,
            text: self.text.clone(),
            purged: Purged::Exclude,
        })
    }
}

/// Entries, named one by one or by what is known of them.
#[derive(Debug)]
pub(crate) enum Selected {
    Ids(Vec<EntryId>),
    Filter(Box<Filter>),
}

impl Selected {
    /// Refuses nothing at all, which would mean everything, and ids mixed with filters.
    pub(crate) fn of(ids: Vec<EntryId>, filter: Filter) -> Result<Self> {
        match (ids.is_empty(), filter.is_empty()) {
            (false, true) => Ok(Self::Ids(ids)),
            (true, false) => Ok(Self::Filter(Box::new(filter))),
            (true, true) => Err(Error::new(ErrorKind::Invalid, "no entries are named")
                .hint("give ids, or a filter such as --serial SN1042")),
            (false, false) => Err(
                Error::new(ErrorKind::Invalid, "ids and filters are both given")
                    .hint("give ids, or filters, not both"),
            ),
        }
    }
}

/// `K=V`, split at the first `=`.
pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as line=3".to_owned()),
    }
}

/// Pairs as metadata; a name given twice is refused rather than one value lost.
pub(crate) fn to_meta(pairs: Vec<(String, String)>, flag: &str) -> Result<Meta> {
    let mut meta = Meta::new();
    for (key, value) in pairs {
        if meta.contains_key(&key) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{flag} {key} is given twice"),
            ));
        }
        meta.insert(key, value);
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

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
            assert!(help.lines().count() < 60, "{name} explains too much");
            assert!(help.contains("Example"), "{name} has no example");
        }
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        let pair = |value: &str| ("line".to_owned(), value.to_owned());
        assert!(to_meta(vec![pair("1"), pair("2")], "--meta").is_err());
    }
}
