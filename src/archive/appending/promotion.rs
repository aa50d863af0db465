//! Decides whether a promotion or the end of a waiver may be recorded, and whether a fact about a
//! converter is known.

use super::views::is_saved;
use crate::event::{Body, ConverterPromoted, WaiverRevoked};
use crate::index::View;
use crate::{Error, ErrorKind, Result};

/// Refuses a promotion of an identity that is unknown, is current already, or was judged against
/// another one than the current one.
///
/// The writer asks this right before it records the promotion, so of two promotions that were
/// decided at the same time only one is recorded.
pub(super) fn may_promote(fact: &ConverterPromoted, view: &View) -> Result<()> {
    let (name, id) = (&fact.converter, fact.converter_id);
    let known = view.converter(&id)?;
    if known.is_none_or(|known| known.name != *name) {
        let told = format!("no identity {id:.16} of converter '{name}' is recorded");
        return Err(Error::new(ErrorKind::NotFound, told)
            .hint("`annals promotion show NAME` lists the identities that are"));
    }
    let current = view.promotions_of(name)?.current();
    if current == Some(id) {
        let told = format!("identity {id:.16} of converter '{name}' is current already");
        return Err(Error::new(ErrorKind::Refused, told));
    }
    if current != fact.before {
        let told = format!("another identity of converter '{name}' became current meanwhile");
        return Err(Error::new(ErrorKind::Refused, told)
            .hint("`annals promotion show NAME` says which; compare with that one"));
    }
    Ok(())
}

/// Returns true when the log says already what a converter is, what it runs on, or what a view
/// shows.
pub(super) fn is_known(body: &Body, view: &View) -> Result<bool> {
    Ok(match body {
        Body::ConverterRegistered(fact) => view.converter(&fact.converter_id)?.is_some(),
        Body::ConverterEnvironment(fact) => {
            let known = view.environments(&fact.converter_id)?;
            let last = known.last();
            last.is_some_and(|(_, runs_on)| *runs_on == fact.runs_on)
        }
        Body::ViewSaved(fact) => is_saved(fact, view)?,
        _ => false,
    })
}

/// Refuses to revoke what is no waiver of the converter, or was revoked before.
pub(super) fn may_revoke(fact: &WaiverRevoked, view: &View) -> Result<()> {
    let waivers = view.promotions_of(&fact.converter)?.waivers;
    let found = waivers.iter().find(|(waiver, _)| *waiver == fact.waiver);
    let (name, waiver) = (&fact.converter, fact.waiver);
    match found {
        None => {
            let told = format!("converter '{name}' has no waiver {waiver}");
            Err(Error::new(ErrorKind::NotFound, told)
                .hint("`annals promotion show NAME` lists the waivers"))
        }
        Some((_, Some(by))) => {
            let told = format!("waiver {waiver} was revoked by event {by}");
            Err(Error::new(ErrorKind::Refused, told))
        }
        Some((_, None)) => Ok(()),
    }
}
