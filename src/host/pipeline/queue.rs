//! The queues between the stages: files that wait to be archived, converted, recorded and cleared
//! away.
//!
//! Each stage has its own threads, so that archiving never waits for a slow converter. A stage
//! takes the most urgent file first: by the converter's priority, then the oldest. Only files that
//! wait to be recorded hold reports, and their total size is limited.
//!
//! No folder may occupy all threads of a stage. A step on a file that takes longer than its
//! patience makes its folder *silent*: no step is started there until that step ends. The thread of
//! that step no longer counts, so the host can replace it by another.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::from_history::FromHistory;
pub(super) use self::from_history::Precedence;
pub(in crate::host) use self::lengths::QueueLengths;
use super::steps::{BusySerial, RunningStep, Stage, conversions_by, is_next_of_serial, may_begin};
use super::waiting::{ByConverter, ByFolder, QueuePosition};
use crate::host::config::limits::ConverterLimits;
use crate::host::panics::lock;
use crate::host::sources::silent::Silent;

/// Maximum number of files in all queues; further ones stay in their folders until there is room.
const IN_HAND_MAX: usize = 16_384;
/// Maximum bytes of reports that wait to be recorded; above it, no conversion is started.
const UNRECORDED_BYTES_MAX: usize = 64 << 20;
/// Maximum number of conversions that wait to be recorded.
const UNRECORDED_MAX: usize = 256;

/// The queues of all stages, and the running steps.
pub(in crate::host) struct Queue<Taken, Archived, Converted> {
    state: Mutex<QueueState<Taken, Archived, Converted>>,
    stages: [Condvar; 3],
    idle: Condvar,
}

struct QueueState<Taken, Archived, Converted> {
    to_archive: ByFolder<Taken>,
    to_convert: ByConverter<Archived>,
    to_record: VecDeque<(usize, Converted)>,
    to_clear: ByFolder<Converted>,
    unrecorded_bytes: usize,
    /// All files from being taken until they are released.
    in_hand: HashSet<PathBuf>,
    running: BTreeMap<u64, RunningStep>,
    last_number: u64,
    /// Number of running steps that are not overdue, by stage.
    at_work: [usize; 3],
    /// Maximum number of threads of a stage that work for one folder.
    folder_max: usize,
    limits: ConverterLimits,
    from_history: FromHistory,
    /// Files whose order matters, from the beginning of their conversion until it is recorded.
    busy_serials: HashMap<PathBuf, BusySerial>,
    closed: bool,
}

/// A job for a thread of the last stage.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::host) enum RecordingJob<Converted> {
    Record(Converted),
    Clear(Converted),
}

/// Whether the thread of a step continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum ThreadFate {
    GoesOn,
    /// Its step was overdue, and another thread has replaced it.
    Replaced,
}

/// Marks a running step; dropping it ends the step.
pub(in crate::host) struct StepGuard<'a, Taken, Archived, Converted> {
    queue: &'a Queue<Taken, Archived, Converted>,
    number: u64,
}

impl<Taken, Archived, Converted> StepGuard<'_, Taken, Archived, Converted> {
    /// Ends the step, and returns whether its thread is still needed.
    pub(in crate::host) fn end(self) -> ThreadFate {
        let running = &self.queue.lock().running;
        let overdue = running.get(&self.number).is_some_and(|step| step.overdue);
        if overdue {
            ThreadFate::Replaced
        } else {
            ThreadFate::GoesOn
        }
    }
}

impl<Taken, Archived, Converted> Drop for StepGuard<'_, Taken, Archived, Converted> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        let Some(step) = state.running.remove(&self.number) else {
            return;
        };
        if !step.overdue {
            state.at_work[step.stage as usize] -= 1;
        }
        if state.closed || step.overdue {
            // A folder that answers again may have work for every stage.
            for stage in &self.queue.stages {
                stage.notify_all();
            }
        } else {
            self.queue.stages[step.stage as usize].notify_one();
            if step.stage == Stage::Recording {
                self.queue.stages[Stage::Converting as usize].notify_one();
            }
            if step.stage == Stage::Archiving && state.to_convert.is_ordered() {
                // A file may have waited for what was being archived before it.
                self.queue.stages[Stage::Converting as usize].notify_all();
            }
        }
        if state.is_idle() {
            self.queue.idle.notify_all();
        }
    }
}

impl<Taken, Archived, Converted> QueueState<Taken, Archived, Converted> {
    /// Returns true when no more jobs can reach this stage.
    fn is_over(&self, stage: Stage) -> bool {
        self.closed
            && !self.has_work(&self.to_archive)
            && (stage == Stage::Archiving
                || self.at_work[0] == 0
                    && self.to_convert.is_empty()
                    && (stage == Stage::Converting
                        || self.at_work[1] == 0
                            && self.to_record.is_empty()
                            // Running steps of this stage may still add files to be cleared away.
                            && self.at_work[2] == 0
                            && !self.has_work(&self.to_clear)))
    }

    /// Returns true when nothing runs or waits, except in silent folders.
    fn is_idle(&self) -> bool {
        !self.has_work(&self.to_archive)
            && self.to_convert.is_empty()
            && self.to_record.is_empty()
            && !self.has_work(&self.to_clear)
            && self.at_work == [0; 3]
    }

    /// Returns true when jobs wait outside of silent folders.
    fn has_work<Job>(&self, waiting: &ByFolder<Job>) -> bool {
        waiting.folders().any(|folder| !self.is_silent(folder))
    }

    fn may_convert(&self) -> bool {
        self.at_work[1] + self.from_history.in_all() < self.limits.in_all
            && self.unrecorded_bytes < UNRECORDED_BYTES_MAX
            && self.to_record.len() < UNRECORDED_MAX
    }

    fn is_silent(&self, folder: &Path) -> bool {
        self.steps_in(folder).any(|step| step.overdue)
    }

    fn steps_in(&self, folder: &Path) -> impl Iterator<Item = &RunningStep> {
        let steps = self.running.values();
        steps.filter(move |step| step.is_in(folder))
    }
}

impl<Taken, Archived, Converted> Default for Queue<Taken, Archived, Converted> {
    fn default() -> Self {
        Self {
            state: Mutex::new(QueueState {
                to_archive: ByFolder::default(),
                to_convert: ByConverter::default(),
                to_record: VecDeque::new(),
                to_clear: ByFolder::default(),
                unrecorded_bytes: 0,
                in_hand: HashSet::new(),
                running: BTreeMap::new(),
                last_number: 0,
                at_work: [0; 3],
                folder_max: usize::MAX,
                limits: ConverterLimits::default(),
                from_history: FromHistory::default(),
                busy_serials: HashMap::new(),
                closed: false,
            }),
            stages: Default::default(),
            idle: Condvar::new(),
        }
    }
}

impl<Taken, Archived, Converted> Queue<Taken, Archived, Converted> {
    fn lock(&self) -> MutexGuard<'_, QueueState<Taken, Archived, Converted>> {
        lock(&self.state)
    }

    /// Opens the queues, with limits on parallel conversions and on threads of a stage in one
    /// folder.
    pub(in crate::host) fn open(&self, limits: ConverterLimits, folder_max: usize) {
        let mut state = self.lock();
        state.closed = false;
        state.limits = limits;
        state.folder_max = folder_max;
        drop(state);
        self.stages[Stage::Converting as usize].notify_all();
    }

    /// Sets the limits on parallel conversions.
    pub(in crate::host) fn set_limits(&self, limits: ConverterLimits) {
        self.lock().limits = limits;
        self.stages[Stage::Converting as usize].notify_all();
    }

    /// Closes the queues. Threads end when all files in them are done.
    pub(in crate::host) fn close(&self) {
        self.lock().closed = true;
        for stage in &self.stages {
            stage.notify_all();
        }
    }

    /// Drops the files that no thread works on and returns them. Converted files are still recorded
    /// and cleared away.
    pub(in crate::host) fn drop_waiting(&self) -> Vec<PathBuf> {
        let mut state = self.lock();
        let to_archive = std::mem::take(&mut state.to_archive);
        let to_convert = std::mem::take(&mut state.to_convert);
        let waiting = to_archive.paths().chain(to_convert.paths());
        let waiting: Vec<PathBuf> = waiting.map(Path::to_owned).collect();
        for path in &waiting {
            state.in_hand.remove(path);
        }
        waiting
    }

    /// Marks the steps that have taken too long, and returns the stage of each thread to replace.
    ///
    /// Files that wait for a step in such a folder are released.
    pub(super) fn mark_overdue(&self) -> Vec<Stage> {
        let mut state = self.lock();
        let mut replace = Vec::new();
        let mut folders = Vec::new();
        for step in state.running.values_mut().filter(|step| !step.overdue) {
            let Some(position) = &step.position else {
                continue;
            };
            if step.since.elapsed() > position.patience {
                step.overdue = true;
                replace.push(step.stage);
                folders.push(Arc::clone(&position.folder));
            }
        }
        for stage in &replace {
            state.at_work[*stage as usize] -= 1;
        }
        for folder in folders {
            let mut dropped = state.to_archive.remove(&folder);
            dropped.extend(state.to_convert.remove(&folder));
            for path in dropped {
                state.in_hand.remove(&path);
            }
        }
        if !replace.is_empty() {
            if state.is_idle() {
                self.idle.notify_all();
            }
            drop(state);
            for stage in &self.stages {
                stage.notify_all();
            }
        }
        replace
    }

    /// Makes all running steps count as overdue at once.
    #[cfg(test)]
    pub(in crate::host) fn overdue_at_once(&self) {
        for step in self.lock().running.values_mut() {
            if let Some(position) = &mut step.position {
                position.patience = std::time::Duration::ZERO;
            }
        }
    }

    /// Gives up everything that still runs when the host ends; returns the number of these steps.
    pub(in crate::host) fn give_up(&self) -> u64 {
        let mut state = self.lock();
        let mut left = 0;
        for step in state.running.values_mut() {
            step.overdue = true;
            left += 1;
        }
        state.at_work = [0; 3];
        left
    }

    /// Returns the folders where a step is overdue, each with its longest step.
    pub(in crate::host) fn silent(&self) -> Vec<Silent> {
        let state = self.lock();
        let mut silent: Vec<Silent> = Vec::new();
        for step in state.running.values().filter(|step| step.overdue) {
            let Some(position) = &step.position else {
                continue;
            };
            // Steps are numbered in the order they start, so the first one of a folder is the
            // oldest.
            if !silent.iter().any(|known| *known.folder == *position.folder) {
                silent.push(Silent {
                    folder: position.folder.to_path_buf(),
                    path: Some(position.path.clone()),
                    since: step.since,
                });
            }
        }
        silent
    }

    /// Returns true while a file is in a queue or a step is running, also in silent folders.
    pub(in crate::host) fn is_busy(&self) -> bool {
        let state = self.lock();
        !state.in_hand.is_empty() || !state.running.is_empty()
    }

    /// Waits until no file is in a queue, except in silent folders, or until `until`.
    ///
    /// Returns true when no file is left.
    pub(in crate::host) fn wait_until_idle(&self, until: Instant) -> bool {
        let state = self.lock();
        let left = until.saturating_duration_since(Instant::now());
        let waited = self
            .idle
            .wait_timeout_while(state, left, |state| !state.is_idle());
        waited.map_or_else(
            |poison| poison.into_inner().0.is_idle(),
            |(state, _)| state.is_idle(),
        )
    }

    /// Returns true when no file waits and no step runs.
    pub(in crate::host) fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    /// Takes a file for archiving; does nothing if it is taken already. Returns false when there is
    /// no room.
    pub(in crate::host) fn take(&self, position: QueuePosition, taken: Taken) -> bool {
        let mut state = self.lock();
        if state.in_hand.len() >= IN_HAND_MAX {
            return false;
        }
        if state.in_hand.insert(position.path.clone()) {
            state.to_archive.insert(position, taken);
            drop(state);
            self.stages[Stage::Archiving as usize].notify_one();
        }
        true
    }

    /// Takes a file directly for the last stage. Returns false when it is taken already.
    pub(super) fn claim(&self, path: &Path) -> bool {
        self.lock().in_hand.insert(path.to_owned())
    }

    /// Returns true for a file from being taken until it is released.
    pub(in crate::host) fn contains(&self, path: &Path) -> bool {
        self.lock().in_hand.contains(path)
    }

    /// Releases a file, so that the next scan considers its path again.
    pub(super) fn release(&self, path: &Path) {
        let mut state = self.lock();
        state.in_hand.remove(path);
        self.free_serial(&mut state, path);
    }

    /// Lets the next file of the same serial be converted.
    fn free_serial(&self, state: &mut QueueState<Taken, Archived, Converted>, path: &Path) {
        if state.busy_serials.remove(path).is_some() {
            self.stages[Stage::Converting as usize].notify_all();
        }
    }

    pub(super) fn push_archived(&self, mut position: QueuePosition, archived: Archived) {
        let mut state = self.lock();
        if let Some(place) = &mut position.in_order {
            place.queued_after = state.last_number;
        }
        state.to_convert.insert(position, archived);
        drop(state);
        self.stages[Stage::Converting as usize].notify_one();
    }

    /// Queues a converted file for recording; `bytes` is the size of its reports.
    pub(super) fn push_converted(&self, bytes: usize, converted: Converted) {
        let mut state = self.lock();
        state.unrecorded_bytes = state.unrecorded_bytes.saturating_add(bytes);
        state.to_record.push_back((bytes, converted));
        drop(state);
        self.stages[Stage::Recording as usize].notify_one();
    }

    pub(super) fn push_to_clear(&self, position: QueuePosition, converted: Converted) {
        let mut state = self.lock();
        self.free_serial(&mut state, &position.path);
        state.to_clear.insert(position, converted);
        drop(state);
        self.stages[Stage::Recording as usize].notify_one();
    }

    /// Waits for the next file to archive. Returns `None` when there will be none.
    pub(super) fn next_to_archive(
        &self,
    ) -> Option<(Taken, StepGuard<'_, Taken, Archived, Converted>)> {
        self.next(Stage::Archiving, |state| {
            let (running, max) = (&state.running, state.folder_max);
            let may = |folder: &Path| may_begin(running, Stage::Archiving, folder, max);
            let (position, taken) = state.to_archive.pop_first(may)?;
            Some((Some(position), taken))
        })
    }

    pub(super) fn next_to_convert(
        &self,
    ) -> Option<(Archived, StepGuard<'_, Taken, Archived, Converted>)> {
        self.next(Stage::Converting, |state| {
            if !state.may_convert() {
                return None;
            }
            let (running, limits, busy) = (&state.running, &state.limits, &state.busy_serials);
            let from_history = &state.from_history;
            // The bytes of an archived file come from the store, so a silent folder does not hold
            // it up.
            let may = |converter: &str| {
                conversions_by(running, converter) + from_history.of(converter)
                    < limits.of(converter)
            };
            let is_free = |position: &QueuePosition| is_next_of_serial(position, running, busy);
            let (position, ready) = state.to_convert.pop_first(may, is_free)?;
            if let Some(place) = &position.in_order {
                let serial = (Arc::clone(&position.converter), place.serial.clone());
                state.busy_serials.insert(position.path.clone(), serial);
            }
            Some((Some(position), ready))
        })
    }

    pub(super) fn next_to_record(
        &self,
    ) -> Option<(
        RecordingJob<Converted>,
        StepGuard<'_, Taken, Archived, Converted>,
    )> {
        self.next(Stage::Recording, |state| {
            if let Some((bytes, converted)) = state.to_record.pop_front() {
                state.unrecorded_bytes -= bytes;
                return Some((None, RecordingJob::Record(converted)));
            }
            let (running, max) = (&state.running, state.folder_max);
            let may = |folder: &Path| may_begin(running, Stage::Recording, folder, max);
            let (position, converted) = state.to_clear.pop_first(may)?;
            Some((Some(position), RecordingJob::Clear(converted)))
        })
    }

    fn next<Job>(
        &self,
        stage: Stage,
        mut pop: impl FnMut(
            &mut QueueState<Taken, Archived, Converted>,
        ) -> Option<(Option<QueuePosition>, Job)>,
    ) -> Option<(Job, StepGuard<'_, Taken, Archived, Converted>)> {
        let mut state = self.lock();
        loop {
            if let Some((position, job)) = pop(&mut state) {
                state.at_work[stage as usize] += 1;
                state.last_number += 1;
                let number = state.last_number;
                let step = RunningStep {
                    stage,
                    position,
                    since: Instant::now(),
                    overdue: false,
                };
                state.running.insert(number, step);
                drop(state);
                let queue = self;
                return Some((job, StepGuard { queue, number }));
            }
            if state.is_over(stage) {
                return None;
            }
            state = self.stages[stage as usize]
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(in crate::host) fn lengths(&self) -> QueueLengths {
        let state = self.lock();
        // Only the most urgent files are considered: queues may be long, and the age is queried
        // often.
        let oldest = state.to_archive.age().max(state.to_convert.age());
        let running = |stage: Stage| {
            let steps = state.running.values();
            steps.filter(|step| step.stage == stage).count()
        };
        QueueLengths {
            to_archive: state.to_archive.len(),
            archiving: running(Stage::Archiving),
            to_convert: state.to_convert.len(),
            converting: running(Stage::Converting),
            to_record: state.to_record.len() + state.to_clear.len(),
            recording: running(Stage::Recording),
            oldest,
        }
    }
}

mod from_history;
mod lengths;

#[cfg(test)]
mod tests;
