//! What the host has in hand: files that wait to be archived, to be converted, to be recorded.
//!
//! Three stages with threads of their own, so that archiving never waits for a slow converter. Each takes the most urgent first:
//! by the converter's priority, then the oldest. Only the last stage holds reports, and no more of them than so many bytes.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::lock;

/// Files in hand at a time; more stay in their folders until there is room.
const IN_HAND_MAX: usize = 16_384;
/// Bytes of reports that wait to be recorded; with more, no conversion is begun.
const UNRECORDED_BYTES_MAX: usize = 64 << 20;
/// Conversions that wait to be recorded.
const UNRECORDED_MAX: usize = 256;

/// Whose turn it is: the smallest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) priority: u8,
    pub(super) modified: SystemTime,
    pub(super) path: PathBuf,
}

/// The stages between a file's folder and the end of its way.
pub(super) struct Queue<Taken, Archived, Converted> {
    state: Mutex<State<Taken, Archived, Converted>>,
    stages: [Condvar; 3],
    idle: Condvar,
}

struct State<Taken, Archived, Converted> {
    to_archive: BTreeMap<Turn, (Instant, Taken)>,
    to_convert: BTreeMap<Turn, (Instant, Archived)>,
    to_record: VecDeque<(usize, Converted)>,
    unrecorded_bytes: usize,
    /// Every file from its being taken until it is let go.
    in_hand: HashSet<PathBuf>,
    at_work: [usize; 3],
    converters_max: usize,
    closed: bool,
}

/// A stage of a file's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Archiving = 0,
    Converting = 1,
    Recording = 2,
}

/// How much is in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lengths {
    pub(super) to_archive: usize,
    pub(super) archiving: usize,
    pub(super) to_convert: usize,
    pub(super) converting: usize,
    pub(super) to_record: usize,
    pub(super) recording: usize,
    /// How long the one that waits longest in a queue has waited there.
    pub(super) oldest: Duration,
}

/// Says by being dropped that a thread has done with a piece of work.
pub(super) struct AtWork<'a, Taken, Archived, Converted> {
    queue: &'a Queue<Taken, Archived, Converted>,
    stage: Stage,
}

impl<Taken, Archived, Converted> Drop for AtWork<'_, Taken, Archived, Converted> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.at_work[self.stage as usize] -= 1;
        if state.closed {
            for stage in &self.queue.stages {
                stage.notify_all();
            }
        } else if self.stage != Stage::Archiving {
            self.queue.stages[Stage::Converting as usize].notify_one();
        }
        if state.is_idle() {
            self.queue.idle.notify_all();
        }
    }
}

impl<Taken, Archived, Converted> State<Taken, Archived, Converted> {
    /// Nothing can come to this stage any more.
    fn is_over(&self, stage: Stage) -> bool {
        self.closed
            && self.to_archive.is_empty()
            && (stage == Stage::Archiving
                || self.at_work[0] == 0
                    && self.to_convert.is_empty()
                    && (stage == Stage::Converting
                        || self.at_work[1] == 0 && self.to_record.is_empty()))
    }

    fn is_idle(&self) -> bool {
        self.to_archive.is_empty()
            && self.to_convert.is_empty()
            && self.to_record.is_empty()
            && self.at_work == [0; 3]
    }

    fn may_convert(&self) -> bool {
        self.at_work[1] < self.converters_max
            && self.unrecorded_bytes < UNRECORDED_BYTES_MAX
            && self.to_record.len() < UNRECORDED_MAX
    }
}

impl<Taken, Archived, Converted> Default for Queue<Taken, Archived, Converted> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                to_archive: BTreeMap::new(),
                to_convert: BTreeMap::new(),
                to_record: VecDeque::new(),
                unrecorded_bytes: 0,
                in_hand: HashSet::new(),
                at_work: [0; 3],
                converters_max: 1,
                closed: false,
            }),
            stages: Default::default(),
            idle: Condvar::new(),
        }
    }
}

impl<Taken, Archived, Converted> Queue<Taken, Archived, Converted> {
    fn lock(&self) -> MutexGuard<'_, State<Taken, Archived, Converted>> {
        lock(&self.state)
    }

    /// Begins anew, with so many conversions at a time.
    pub(super) fn open(&self, converters_max: usize) {
        let mut state = self.lock();
        state.closed = false;
        state.converters_max = converters_max;
        drop(state);
        self.stages[Stage::Converting as usize].notify_all();
    }

    /// From now on so many conversions at a time.
    pub(super) fn set_converters_max(&self, converters_max: usize) {
        self.lock().converters_max = converters_max;
        self.stages[Stage::Converting as usize].notify_all();
    }

    /// Takes no more files; threads end when what is in hand is done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        for stage in &self.stages {
            stage.notify_all();
        }
    }

    /// Lets go of all that nobody is at work on, and says how many files that were. What was converted is still recorded.
    pub(super) fn drop_waiting(&self) -> usize {
        let mut state = self.lock();
        let waiting: Vec<PathBuf> = state
            .to_archive
            .keys()
            .chain(state.to_convert.keys())
            .map(|turn| turn.path.clone())
            .collect();
        state.to_archive.clear();
        state.to_convert.clear();
        for path in &waiting {
            state.in_hand.remove(path);
        }
        waiting.len()
    }

    /// Waits until nothing is in hand, or until then. True when nothing is.
    pub(super) fn wait_until_idle(&self, until: Instant) -> bool {
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

    /// Takes a file in hand, unless it is or there is no room. False when there is none.
    pub(super) fn take(&self, turn: Turn, taken: Taken) -> bool {
        let mut state = self.lock();
        if state.in_hand.len() >= IN_HAND_MAX {
            return false;
        }
        if state.in_hand.insert(turn.path.clone()) {
            state.to_archive.insert(turn, (Instant::now(), taken));
            drop(state);
            self.stages[Stage::Archiving as usize].notify_one();
        }
        true
    }

    /// Takes a file in hand that goes to the last stage at once; false when it is in hand.
    pub(super) fn hold(&self, path: &Path) -> bool {
        self.lock().in_hand.insert(path.to_owned())
    }

    /// True from a file's being taken until it is let go.
    pub(super) fn has_in_hand(&self, path: &Path) -> bool {
        self.lock().in_hand.contains(path)
    }

    /// Lets a file go: what its folder holds of it is looked at anew.
    pub(super) fn let_go(&self, path: &Path) {
        self.lock().in_hand.remove(path);
    }

    pub(super) fn push_archived(&self, turn: Turn, archived: Archived) {
        let mut state = self.lock();
        state.to_convert.insert(turn, (Instant::now(), archived));
        drop(state);
        self.stages[Stage::Converting as usize].notify_one();
    }

    /// `bytes` is what its reports take.
    pub(super) fn push_converted(&self, bytes: usize, converted: Converted) {
        let mut state = self.lock();
        state.unrecorded_bytes = state.unrecorded_bytes.saturating_add(bytes);
        state.to_record.push_back((bytes, converted));
        drop(state);
        self.stages[Stage::Recording as usize].notify_one();
    }

    /// Waits for something to archive; nothing when there will be none.
    pub(super) fn next_to_archive(
        &self,
    ) -> Option<(Taken, AtWork<'_, Taken, Archived, Converted>)> {
        self.next(Stage::Archiving, |state| {
            state.to_archive.pop_first().map(|(_, (_, taken))| taken)
        })
    }

    pub(super) fn next_to_convert(
        &self,
    ) -> Option<(Archived, AtWork<'_, Taken, Archived, Converted>)> {
        self.next(Stage::Converting, |state| {
            if !state.may_convert() {
                return None;
            }
            state.to_convert.pop_first().map(|(_, (_, ready))| ready)
        })
    }

    pub(super) fn next_to_record(
        &self,
    ) -> Option<(Converted, AtWork<'_, Taken, Archived, Converted>)> {
        self.next(Stage::Recording, |state| {
            let (bytes, converted) = state.to_record.pop_front()?;
            state.unrecorded_bytes -= bytes;
            Some(converted)
        })
    }

    fn next<Job>(
        &self,
        stage: Stage,
        mut pop: impl FnMut(&mut State<Taken, Archived, Converted>) -> Option<Job>,
    ) -> Option<(Job, AtWork<'_, Taken, Archived, Converted>)> {
        let mut state = self.lock();
        loop {
            if let Some(job) = pop(&mut state) {
                state.at_work[stage as usize] += 1;
                drop(state);
                return Some((job, AtWork { queue: self, stage }));
            }
            if state.is_over(stage) {
                return None;
            }
            state = self.stages[stage as usize]
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn lengths(&self) -> Lengths {
        let state = self.lock();
        let first = |since: Option<&Instant>| since.map_or(Duration::ZERO, Instant::elapsed);
        // The most urgent are looked at, not all: queues may be long, and an age is asked for often.
        let oldest = [
            first(state.to_archive.values().next().map(|(since, _)| since)),
            first(state.to_convert.values().next().map(|(since, _)| since)),
        ];
        Lengths {
            to_archive: state.to_archive.len(),
            archiving: state.at_work[0],
            to_convert: state.to_convert.len(),
            converting: state.at_work[1],
            to_record: state.to_record.len(),
            recording: state.at_work[2],
            oldest: oldest.into_iter().max().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Names = Queue<&'static str, &'static str, &'static str>;

    fn turn(priority: u8, seconds: u64, path: &str) -> Turn {
        Turn {
            priority,
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            path: path.into(),
        }
    }

    #[test]
    fn the_urgent_come_first_then_the_old_and_each_file_is_in_hand_once() {
        let queue = Names::default();
        for (priority, seconds, name) in [(5, 2, "b"), (5, 1, "a"), (1, 9, "urgent"), (5, 1, "a")] {
            assert!(queue.take(turn(priority, seconds, name), name));
        }
        queue.close();
        let mut order = Vec::new();
        while let Some((name, _at_work)) = queue.next_to_archive() {
            order.push(name);
        }
        assert_eq!(order, ["urgent", "a", "b"]);
        assert!(queue.has_in_hand(Path::new("a")));
        queue.let_go(Path::new("a"));
        assert!(!queue.has_in_hand(Path::new("a")));
    }

    #[test]
    fn a_stage_ends_only_when_nothing_can_come_from_the_one_before() {
        let queue = Names::default();
        queue.open(1);
        queue.take(turn(1, 1, "a"), "a");
        queue.close();
        let (name, at_work) = queue.next_to_archive().expect("one");
        assert!(queue.next_to_archive().is_none());
        std::thread::scope(|scope| {
            let later = scope.spawn(|| queue.next_to_convert().map(|(name, _)| name));
            queue.push_archived(turn(1, 1, name), name);
            drop(at_work);
            assert_eq!(later.join().expect("no panic"), Some("a"));
        });
        assert!(queue.next_to_convert().is_none());
        assert!(queue.next_to_record().is_none());
        assert!(queue.wait_until_idle(Instant::now()));
    }

    #[test]
    fn no_conversion_is_begun_while_too_much_waits_to_be_recorded() {
        let queue = Names::default();
        queue.open(4);
        queue.push_converted(UNRECORDED_BYTES_MAX, "large");
        queue.push_archived(turn(1, 1, "a"), "a");
        assert!(!queue.lock().may_convert());
        queue.next_to_record().expect("one");
        assert!(queue.lock().may_convert());
    }

    #[test]
    fn what_nobody_is_at_work_on_is_let_go_and_what_was_converted_is_kept() {
        let queue = Names::default();
        queue.open(1);
        queue.take(turn(1, 1, "a"), "a");
        queue.push_archived(turn(1, 1, "b"), "b");
        queue.push_converted(1, "c");
        assert_eq!(queue.drop_waiting(), 2);
        assert!(!queue.has_in_hand(Path::new("a")));
        assert_eq!(queue.next_to_record().map(|(name, _)| name), Some("c"));
    }

    #[test]
    fn there_is_no_room_for_more_files_than_so_many() {
        let queue = Names::default();
        for number in 0..IN_HAND_MAX {
            assert!(queue.take(turn(1, 1, &number.to_string()), ""));
        }
        assert!(!queue.take(turn(1, 1, "one more"), ""));
    }
}
