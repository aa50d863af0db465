//! What a damaged store says of itself: its damage is told, or did no harm.

use std::sync::Arc;

use annals::archive::{Archive, Depth};
use annals::disk::sim::SimDisk;
use annals::{ErrorKind, Result};

use super::golden::smallest;
use super::{Hourly, State};

/// What came of some damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The store is as it was, and verify finds nothing.
    Harmless,
    /// An error, a damage line or a finding says so.
    Told,
}

/// Opens a damaged store, reads all of it, and verifies it. It is as it was if it says one of
/// `sound`, the first of which is the newest. An error says that the damage went by unseen or did
/// worse.
pub fn look(disk: &SimDisk, sound: &[&State]) -> Result<Fate, String> {
    let archive = match Archive::open_on(Arc::new(disk.clone()), smallest(&Hourly::new())) {
        Ok(archive) => archive,
        Err(error) if error.message().contains("BUG") => return Err(error.to_string()),
        Err(_) => return Ok(Fate::Told),
    };
    let mut told = !archive.damage().is_empty();
    let observed = State::observe(&archive);
    match archive.verify(Depth::Deep) {
        Ok(report) => told |= !report.ok,
        Err(_) => told = true,
    }
    // A torn tail that was cut is told by an event.
    let leaves: Result<Vec<_>> = archive
        .events(annals::id::EventSeq(1), None)
        .and_then(Iterator::collect);
    match leaves {
        Ok(leaves) => {
            told |= leaves
                .iter()
                .any(|leaf| leaf.line.contains("annals.recovered"));
        }
        Err(_) => told = true,
    }
    let closed = archive.close();
    if let Err(error) = &closed
        && error.message().contains("BUG")
    {
        return Err(error.to_string());
    }
    match observed {
        Err(error) if error.kind() == ErrorKind::NotFound && !told => {
            Err(format!("it calls damaged content unknown: {error}"))
        }
        Err(_) => Ok(Fate::Told),
        Ok(_) if told => Ok(Fate::Told),
        Ok(state) if sound.contains(&&state) => Ok(Fate::Harmless),
        Ok(state) => Err(format!(
            "nothing is told, and {}",
            sound[0].difference(&state)
        )),
    }
}
