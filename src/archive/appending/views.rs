//! Decides whether a view may be saved or dropped.

use crate::event::{ViewDropped, ViewSaved};
use crate::index::View;
use crate::{Error, ErrorKind, Result};

/// The most views of a store.
const VIEWS_MAX: usize = 500;

/// Returns true when the view is saved already, just so.
pub(super) fn is_saved(fact: &ViewSaved, view: &View) -> Result<bool> {
    let known = view.saved_view(&fact.name)?;
    Ok(known.is_some_and(|known| known.query == fact.query))
}

/// Refuses a new view when there are too many.
pub(super) fn may_save(fact: &ViewSaved, view: &View) -> Result<()> {
    let saved = view.saved_views()?;
    if saved.len() < VIEWS_MAX || saved.contains_key(&fact.name) {
        return Ok(());
    }
    let told = format!("there are {VIEWS_MAX} saved views already");
    Err(Error::new(ErrorKind::Refused, told).hint("drop one that nobody needs: `annals view list`"))
}

/// Refuses to drop a view that is not there.
pub(super) fn has_view(fact: &ViewDropped, view: &View) -> Result<()> {
    match view.saved_view(&fact.name)? {
        Some(_) => Ok(()),
        None => {
            let told = format!("there is no saved view '{}'", fact.name);
            Err(Error::new(ErrorKind::NotFound, told).hint("`annals view list` lists the views"))
        }
    }
}
