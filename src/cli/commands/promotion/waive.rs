//! `annals promotion waive`.

use serde::Serialize;

use super::change::recorded_identity;
use crate::archive::{Access, Archive};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{IdentityDigits, identity_of};
use crate::event::{ConverterWaived, EntryRanges};
use crate::id::{ConverterId, EntryId, EventSeq};
use crate::query::Filter;
use crate::service::entries::Filters;
use crate::service::entries::no_entry;
use crate::{Error, ErrorKind};

/// Let entries break with a new identity, for a reason
///
/// Name entries, filters, a cause, or several of these: then all must hold. It is for the
/// configured identity (--config), or for any until a date.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals --config host.toml promotion waive ICT 4711 --reason 'no serial: rightly refused'
  annals --config host.toml promotion waive ICT --cause 'no serial' --reason 'refused from now on'
  annals promotion waive ICT --part PCB-3 --until 2027-01-01 --reason 'no longer made'")]
pub(super) struct Waive {
    /// The converter
    #[arg(value_name = "NAME")]
    name: String,
    /// Entries by id
    #[arg(value_name = "ID")]
    ids: Vec<EntryId>,
    /// A part of the error that the new identity gives
    #[arg(long, value_name = "TEXT")]
    cause: Option<String>,
    /// For this recorded identity, by its first digits [default: the configured one]
    #[arg(long, value_name = "DIGITS", conflicts_with = "until")]
    identity: Option<IdentityDigits>,
    /// For any identity, before this date
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    filters: Filters,
}

#[derive(Serialize)]
struct Waived<'a> {
    converter: &'a str,
    waiver: EventSeq,
}

pub(super) fn waive(args: &Waive, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let stated = args.filters.to_filter(context.now(), &context.zone())?;
    let until = args
        .until
        .as_deref()
        .map(|text| context.when(text))
        .transpose()?;
    let archive = context.open(Access::ReadWrite)?;
    let filter = stated.in_store(&context.desk(&archive))?;
    let mut waived = ConverterWaived::new(&args.name, &args.reason);
    waived.candidate = match until {
        Some(_) => None,
        None => Some(candidate(args, &archive, context)?),
    };
    waived.until = until;
    waived.cause.clone_from(&args.cause);
    let snapshot = archive.snapshot()?;
    for id in &args.ids {
        if snapshot.entry(*id)?.is_none() {
            return Err(no_entry(*id).into());
        }
    }
    drop(snapshot);
    waived.entries = EntryRanges::of(args.ids.iter().copied());
    if filter != Filter::default() {
        let text = serde_json::to_string(&filter).map_err(|error| {
            Error::new(ErrorKind::Invalid, "the filter cannot be written down").caused_by(error)
        })?;
        waived.filter = Some(text);
    }
    let waiver = archive.waive(waived)?;
    let closed = archive.close();
    if context.json() {
        let converter = &args.name;
        context.print_json(&Waived { converter, waiver })?;
    } else {
        context.print(format!("{}: waiver {waiver} is recorded\n", args.name))?;
    }
    closed?;
    Ok(Exit::Done)
}

/// Returns the new identity that the waiver is for.
fn candidate(
    args: &Waive,
    archive: &Archive,
    context: &Context<'_>,
) -> Result<ConverterId, Failure> {
    if let Some(digits) = &args.identity {
        return Ok(recorded_identity(archive, &args.name, digits)?);
    }
    let config = context.configuration().map_err(|error| {
        error.hint("name the identity it is for: --config FILE, --identity DIGITS, or --until DATE")
    })?;
    let converter = config.converter(&args.name).ok_or_else(|| {
        let told = format!("no converter '{}' is configured", args.name);
        Error::new(ErrorKind::NotFound, told)
    })?;
    Ok(identity_of(&converter.converter)?)
}
