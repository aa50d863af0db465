//! Holds: what one lies on, as a person or a program says it, and the objects that answer.

use serde::Serialize;

use crate::archive::{Archive, Hold, HoldOn, NewHold, Snapshot};
use crate::host::Config;
use crate::id::EntryId;
use crate::query::{Filter, whole_filter_if_any};
use crate::service::desk::Desk;
use crate::service::entries::{Selected, no_entry, nothing_selected, refuse_unknown_converters};
use crate::service::objects::HoldObject;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// A hold that was placed, as an object.
#[derive(Debug, Serialize)]
pub struct Placed<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Why.
    pub reason: &'a str,
    /// On how many entries it lies.
    pub entries: u64,
    /// When somebody is to look whether it is still needed.
    pub review: Option<Timestamp>,
    /// The filter by which later entries come under it.
    #[serde(serialize_with = "whole_filter_if_any")]
    pub future: Option<Filter>,
}

/// A hold that was reviewed, as an object.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct Reviewed {
    /// What it is called.
    pub name: String,
    /// When somebody is to look again.
    #[cfg_attr(feature = "serve", schema(value_type = String))]
    pub review: Timestamp,
    /// Why it is still needed.
    pub reason: String,
}

/// A hold that was released, as an object.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct Released {
    /// What it was called.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Whether a hold by filters is also on entries that match later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only on those that match now.
    Now,
    /// Also on those that match later.
    NowAndLater,
}

/// Returns what a hold lies on.
///
/// # Errors
/// `NotFound` when one of the entries does not exist, so that no hold is placed on a part of them,
/// and for a converter that nobody knows.
pub fn held(
    selected: Selected,
    reach: Reach,
    snapshot: &Snapshot,
    config: Option<&Config>,
) -> Result<HoldOn> {
    match selected {
        Selected::Ids(ids) => {
            let ids = sorted(ids);
            for &id in &ids {
                if snapshot.entry(id)?.is_none() {
                    return Err(no_entry(id));
                }
            }
            Ok(HoldOn::Entries(ids))
        }
        Selected::Filter(filter) => {
            refuse_unknown_converters(&filter, snapshot, config)?;
            Ok(match reach {
                Reach::Now => HoldOn::Matching(*filter),
                Reach::NowAndLater => HoldOn::NowAndFuture(*filter),
            })
        }
    }
}

/// Returns ids in ascending order, each once.
pub fn sorted(mut ids: Vec<EntryId>) -> Vec<EntryId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Places a hold. Returns on how many entries it lies.
///
/// # Errors
/// `NotFound` when nothing matches; those of [`Archive::hold`].
pub fn place(archive: &Archive, new: NewHold) -> Result<u64> {
    let by_filter = matches!(new.on, HoldOn::Matching(_));
    archive.hold(new).map_err(|error| match error.kind() {
        ErrorKind::NotFound if by_filter => nothing_selected(),
        _ => error,
    })
}

/// Adds where the names of holds are listed to an error about a name that is not there.
pub fn with_list(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => error.hint("`annals hold list` lists the holds"),
        _ => error,
    }
}

/// Returns the hold of this name. Reads all entries if there is a hold.
pub fn named(desk: &Desk, name: &str) -> Result<Option<Hold>> {
    let holds = desk.archive.holds()?;
    Ok(holds.into_iter().find(|hold| hold.name == name))
}

/// Returns a hold as an object, with its times in the zone of the desk.
pub fn object(hold: Hold, desk: &Desk) -> HoldObject {
    HoldObject::new(hold, desk.now, &desk.zone)
}

/// Returns the error for a hold that is not there.
pub fn no_hold(name: &str) -> Error {
    let error = Error::new(ErrorKind::NotFound, format!("there is no hold '{name}'"));
    error.hint("`annals hold list` lists the holds")
}
