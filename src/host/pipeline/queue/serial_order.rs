//! Keeps files of one serial in the order of archiving, where their converter asks for it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Queue, QueuePosition, QueueState, RunningStep, Stage};

/// The converter and the serial of a file whose order matters.
pub(super) type InTurn = (Arc<str>, Option<Arc<str>>);

/// Returns true when no file that may come before this one, in the order of its serial, is being
/// converted, recorded or archived.
pub(super) fn is_in_turn(
    position: &QueuePosition,
    running: &BTreeMap<u64, RunningStep>,
    in_turn: &HashMap<PathBuf, InTurn>,
) -> bool {
    let Some(place) = &position.in_order else {
        return true;
    };
    let is_excluded = in_turn.values().any(|(converter, serial)| {
        *converter == position.converter && place.excludes(serial.as_deref())
    });
    let mut before = running.range(..=place.queued_after).map(|(_, step)| step);
    !is_excluded && !before.any(|step| step.is_archiving_for(&position.converter))
}

impl<Taken, Archived, Converted> Queue<Taken, Archived, Converted> {
    /// Lets the next file of the same serial be converted.
    pub(super) fn end_turn(&self, state: &mut QueueState<Taken, Archived, Converted>, path: &Path) {
        if state.in_turn.remove(path).is_some() {
            self.stages[Stage::Converting as usize].notify_all();
        }
    }
}
