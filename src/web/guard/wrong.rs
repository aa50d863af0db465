//! Wrong secrets: whoever tries many waits for each answer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::time::Stopwatch;

/// Wrong secrets of a minute that are answered at once.
const AT_ONCE: u32 = 5;
/// How long each further one waits for its answer.
const WAIT: Duration = Duration::from_millis(500);
const MINUTE: Duration = Duration::from_mins(1);

/// Counts wrong secrets. Right ones never wait.
pub(super) struct Wrong(Mutex<(Stopwatch, u32)>);

impl Default for Wrong {
    fn default() -> Self {
        Self(Mutex::new((Stopwatch::start(), 0)))
    }
}

impl Wrong {
    /// Counts a wrong secret, and waits if there were many of late.
    pub(super) async fn slow_down(&self) {
        if self.count() > AT_ONCE {
            tokio::time::sleep(WAIT).await;
        }
    }

    /// Counts a wrong secret. Returns how many there were in this minute.
    fn count(&self) -> u32 {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.0.elapsed() >= MINUTE {
            *counted = (Stopwatch::start(), 0);
        }
        counted.1 = counted.1.saturating_add(1);
        counted.1
    }
}
