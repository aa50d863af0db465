//! Keeps converters of a job ready to run.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Result;
use crate::convert::running::Runner;
use crate::id::ConverterId;

/// Maximum number of converters kept ready. A selection with more converter identities starts some
/// of them repeatedly.
const RUNNERS_MAX: usize = 8;

/// Identifies a converter within a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RunnerKey {
    Configured(String),
    Recorded(ConverterId),
}

/// Converters that are ready to run, the most recently used last.
#[derive(Default)]
pub(super) struct Runners(Mutex<VecDeque<Ready>>);

type Ready = (RunnerKey, Arc<Runner>);

impl Runners {
    pub(super) fn get(
        &self,
        key: RunnerKey,
        make: impl FnOnce() -> Result<Runner>,
    ) -> Result<Arc<Runner>> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = ready.iter().position(|(known, _)| *known == key);
        let (key, runner) = match place.and_then(|place| ready.remove(place)) {
            Some(known) => known,
            None => (key, Arc::new(make()?)),
        };
        if ready.len() >= RUNNERS_MAX {
            ready.pop_front();
        }
        ready.push_back((key, Arc::clone(&runner)));
        Ok(runner)
    }
}
