//! Conversions of archived entries, by reprocess jobs, beside those of files on their way.
//!
//! Both share the limits on parallel conversions. Files come first. One conversion of a job at a
//! time may claim to be next, so that jobs come to an end beside a backlog that never does.

use std::sync::Arc;

use super::{Queue, QueueState, Stage, conversions_by};

/// The conversions of jobs that run, and the one that is next.
#[derive(Default)]
pub(super) struct FromHistory {
    /// The converter of each running conversion.
    running: Vec<Arc<str>>,
    /// The converter of the conversion that is next.
    next: Option<Arc<str>>,
}

/// Whether a conversion of a job waits behind files, or claims to be next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host::pipeline) enum Precedence {
    BehindFiles,
    Next,
}

impl FromHistory {
    /// Returns the number of conversions for which files leave room.
    pub(super) fn in_all(&self) -> usize {
        self.running.len() + usize::from(self.next.is_some())
    }

    /// Returns how many of them are by this converter.
    pub(super) fn of(&self, converter: &str) -> usize {
        let conversions = self.running.iter().chain(&self.next);
        conversions.filter(|name| ***name == *converter).count()
    }
}

impl<Taken, Archived, Converted> QueueState<Taken, Archived, Converted> {
    /// Returns true when files wait outside of silent folders.
    fn has_files(&self) -> bool {
        self.has_work(&self.to_archive) || !self.to_convert.is_empty() || !self.to_record.is_empty()
    }

    /// Returns how many conversions of jobs may run at a time, with the one that is next.
    ///
    /// A file that comes while jobs run finds room at once, where more than one conversion may.
    fn places_for_jobs(&self) -> usize {
        self.limits.in_all.saturating_sub(1).max(1)
    }

    /// Returns true when one more conversion of a job by `converter` exceeds no limit.
    fn has_room_for(&self, converter: &str, precedence: Precedence) -> bool {
        // The claim is its own, so there is room where the claim keeps it.
        let own = usize::from(precedence == Precedence::Next);
        let in_all = self.at_work[Stage::Converting as usize] + self.from_history.in_all() - own;
        let of_converter =
            conversions_by(&self.running, converter) + self.from_history.of(converter) - own;
        self.from_history.in_all() - own < self.places_for_jobs()
            && in_all < self.limits.in_all
            && of_converter < self.limits.of(converter)
    }
}

impl<Taken, Archived, Converted> Queue<Taken, Archived, Converted> {
    /// Begins a conversion of a job if it may start now, and returns whether it has begun.
    ///
    /// A conversion that is `Next` must have [claimed](Self::claim_next) it for `converter`.
    pub(in crate::host::pipeline) fn begin_from_history(
        &self,
        converter: &Arc<str>,
        precedence: Precedence,
    ) -> bool {
        let mut state = self.lock();
        let gives_way = precedence == Precedence::BehindFiles && state.has_files();
        if gives_way || !state.has_room_for(converter, precedence) {
            return false;
        }
        state.from_history.running.push(Arc::clone(converter));
        if precedence == Precedence::Next {
            state.from_history.next = None;
        }
        true
    }

    /// Ends a conversion of a job.
    pub(in crate::host::pipeline) fn end_from_history(&self, converter: &str) {
        let mut state = self.lock();
        let running = &mut state.from_history.running;
        if let Some(place) = running.iter().position(|name| **name == *converter) {
            running.swap_remove(place);
        }
        drop(state);
        self.stages[Stage::Converting as usize].notify_one();
    }

    /// Claims for a conversion of a job that it is next. Returns false if another one is, and if it
    /// does not wait for files but for conversions of jobs: then a claim would only keep a place
    /// empty.
    pub(in crate::host::pipeline) fn claim_next(&self, converter: &Arc<str>) -> bool {
        let mut state = self.lock();
        let jobs = &state.from_history;
        let may_claim = jobs.next.is_none()
            && jobs.running.len() < state.places_for_jobs()
            && jobs.of(converter) < state.limits.of(converter);
        if may_claim {
            state.from_history.next = Some(Arc::clone(converter));
        }
        may_claim
    }

    /// Gives the claim up.
    pub(in crate::host::pipeline) fn give_up_claim(&self) {
        self.lock().from_history.next = None;
        self.stages[Stage::Converting as usize].notify_all();
    }
}
