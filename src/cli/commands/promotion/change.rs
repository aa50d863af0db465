//! `annals promotion promote` and `revoke`.

use serde::Serialize;

use crate::archive::{Access, Archive};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{IdentityDigits, register};
use crate::id::{ConverterId, EventSeq};
use crate::service::objects::PromotionObject;
use crate::service::promotions::{self, nothing_known};
use crate::{Error, ErrorKind, Result};

/// Make an identity current, whatever the gate says; also to go back to an older one
///
/// It converts live files from here on. `annals convert test NAME --promote` promotes one that
/// breaks nothing, with the evidence.
#[derive(Debug, clap::Args)]
pub(super) struct Promote {
    /// The converter
    #[arg(value_name = "NAME")]
    name: String,
    /// A recorded identity, by its first digits [default: the configured one, with --config]
    #[arg(long, value_name = "DIGITS")]
    identity: Option<IdentityDigits>,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Take a waiver back
#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// The converter
    #[arg(value_name = "NAME")]
    name: String,
    /// The waiver, as `promotion show` lists it
    #[arg(value_name = "WAIVER")]
    waiver: EventSeq,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Serialize)]
struct Revoked<'a> {
    converter: &'a str,
    revoked: EventSeq,
}

pub(super) fn promote(args: &Promote, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let id = match &args.identity {
        Some(digits) => recorded_identity(&archive, &args.name, digits)?,
        None => {
            let config = context.configuration()?;
            let converter = config.converter(&args.name).ok_or_else(|| {
                let told = format!("no converter '{}' is configured", args.name);
                Error::new(ErrorKind::NotFound, told)
                    .hint("name one that is, or a recorded one with --identity")
            })?;
            register(&archive, &converter.converter, None, &std::env::temp_dir())?
        }
    };
    promotions::promote(&archive, &args.name, id, &args.reason)?;
    let promotions = archive.promotions(&args.name)?;
    let closed = archive.close();
    let zone = context.zone();
    match promotions.last() {
        Some(last) if context.json() => context.print_json(&PromotionObject::of(last, &zone))?,
        _ => context.print(format!("{}: identity {id:.12} is current\n", args.name))?,
    }
    closed?;
    Ok(Exit::Done)
}

pub(super) fn revoke(args: &Revoke, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    archive.revoke_waiver(&args.name, args.waiver, &args.reason)?;
    let closed = archive.close();
    if context.json() {
        context.print_json(&Revoked {
            converter: &args.name,
            revoked: args.waiver,
        })?;
    } else {
        let told = format!("{}: waiver {} is revoked\n", args.name, args.waiver);
        context.print(told)?;
    }
    closed?;
    Ok(Exit::Done)
}

/// Returns the recorded identity of a converter whose digits begin so.
pub(super) fn recorded_identity(
    archive: &Archive,
    name: &str,
    digits: &IdentityDigits,
) -> Result<ConverterId> {
    let mut recorded = archive.converters()?;
    recorded.retain(|converter| converter.name == name);
    if recorded.is_empty() {
        return Err(nothing_known(name));
    }
    let hint = "`annals promotion show NAME` lists the identities";
    recorded.retain(|converter| digits.begin(&converter.converter_id));
    match recorded.as_slice() {
        [one] => Ok(one.converter_id),
        [] => {
            let told = format!("no identity of '{name}' begins with {digits}");
            Err(Error::new(ErrorKind::NotFound, told).hint(hint))
        }
        _ => {
            let told = format!("several identities of '{name}' begin with {digits}");
            Err(Error::new(ErrorKind::Invalid, told).hint(hint))
        }
    }
}
