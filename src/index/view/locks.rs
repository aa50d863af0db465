//! Retention locks, and the clock that they count by.

use super::layers::View;
use crate::index::rows::LockRow;
use crate::time::Timestamp;
use std::sync::Arc;

impl View {
    /// Returns the retention locks in force, in the order in which they were placed.
    pub(crate) fn locks(&self) -> Arc<[LockRow]> {
        let mut newer = self.layers.iter();
        let newer = newer.find_map(|layer| layer.small.locks.clone());
        newer.unwrap_or_else(|| Arc::clone(&self.reader.locks))
    }

    /// Returns what a clock shows at `now` without the steps ahead that the log shows.
    pub(crate) fn without_steps(&self, now: Timestamp) -> Timestamp {
        now.plus_micros(self.totals().clock_ahead.saturating_neg())
    }
}
