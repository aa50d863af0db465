//! The steps that the host's threads are working on, and which others may begin beside them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::waiting::QueuePosition;

/// The converter and the serial of a file whose order matters.
pub(super) type BusySerial = (Arc<str>, Option<Arc<str>>);

/// A step that a thread is working on.
pub(in crate::host) struct RunningStep {
    pub(super) stage: Stage,
    /// The file's position; `None` for a step that does not touch the file's folder.
    pub(super) position: Option<QueuePosition>,
    pub(super) since: Instant,
    pub(super) overdue: bool,
}

/// A stage of a file's way through the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::host) enum Stage {
    Archiving = 0,
    Converting = 1,
    /// Recording, and clearing away.
    Recording = 2,
}

/// Returns the number of conversions of files by a converter.
pub(super) fn conversions_by(running: &BTreeMap<u64, RunningStep>, converter: &str) -> usize {
    let steps = running.values();
    steps
        .filter(|step| step.is_conversion_by(converter))
        .count()
}

/// Returns true when another step of `stage` may start on a file of `folder`.
pub(super) fn may_begin(
    running: &BTreeMap<u64, RunningStep>,
    stage: Stage,
    folder: &Path,
    max: usize,
) -> bool {
    let steps = || running.values().filter(|step| step.is_in(folder));
    !steps().any(|step| step.overdue) && steps().filter(|step| step.stage == stage).count() < max
}

/// Returns true when no file that may come before this one, in the order of its serial, is being
/// converted, recorded or archived.
pub(super) fn is_next_of_serial(
    position: &QueuePosition,
    running: &BTreeMap<u64, RunningStep>,
    busy: &HashMap<PathBuf, BusySerial>,
) -> bool {
    let Some(place) = &position.in_order else {
        return true;
    };
    let is_excluded = busy.values().any(|(converter, serial)| {
        *converter == position.converter && place.excludes(serial.as_deref())
    });
    let mut before = running.range(..=place.queued_after).map(|(_, step)| step);
    !is_excluded && !before.any(|step| step.is_archiving_for(&position.converter))
}

impl RunningStep {
    /// Returns true for a file of this converter that is being archived.
    pub(super) fn is_archiving_for(&self, converter: &str) -> bool {
        let position = self.position.as_ref();
        self.stage == Stage::Archiving
            && !self.overdue
            && position.is_some_and(|position| *position.converter == *converter)
    }

    /// Returns true for a conversion by this converter that is not overdue.
    pub(super) fn is_conversion_by(&self, converter: &str) -> bool {
        let position = self.position.as_ref();
        self.stage == Stage::Converting
            && !self.overdue
            && position.is_some_and(|position| *position.converter == *converter)
    }

    pub(super) fn is_in(&self, folder: &Path) -> bool {
        let position = self.position.as_ref();
        position.is_some_and(|position| *position.folder == *folder)
    }
}
