//! Limits how many conversions start per second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::convert::process::Cancel;
use crate::{Error, ErrorKind, Result};

/// Limits how many conversions start per second.
pub(super) struct Pace {
    interval: Option<Duration>,
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>) -> Result<Self> {
        let interval = match rate {
            None => None,
            Some(rate) => Some(
                Duration::try_from_secs_f64(1.0 / rate)
                    .ok()
                    .filter(|_| rate > 0.0)
                    .ok_or_else(|| {
                        Error::new(
                            ErrorKind::Invalid,
                            format!("a rate of {rate} a second is impossible"),
                        )
                        .hint("give a number above 0, such as 5 or 0.5")
                    })?,
            ),
        };
        Ok(Self {
            interval,
            next: Mutex::new(Instant::now()),
        })
    }

    /// Waits until the next conversion may start. Returns false when cancelled.
    pub(super) fn wait(&self, cancel: &Cancel) -> bool {
        let Some(interval) = self.interval else {
            return true;
        };
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn.checked_add(interval).unwrap_or(turn);
            turn
        };
        cancel.sleep(turn.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_rate_is_refused_and_a_possible_one_is_kept() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
            let made = Pace::new(Some(rate));
            assert!(made.is_err() || rate.is_infinite(), "{rate}");
        }
        let pace = Pace::new(Some(20.0)).expect("possible");
        let started = Instant::now();
        for _ in 0..4 {
            assert!(pace.wait(&Cancel::default()));
        }
        assert!(started.elapsed() >= Duration::from_millis(140));
    }
}
