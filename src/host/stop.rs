//! Tells a host to stop.

use crate::convert::Cancel;

/// Tells a host to stop. All clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    pub(super) intake: Cancel,
    pub(super) all: Cancel,
}

impl Stop {
    /// Stops taking files. Running conversions may take `stop_within_s` to finish.
    pub fn drain(&self) {
        self.intake.cancel();
    }

    /// Kills running conversions. They count as never started.
    pub fn at_once(&self) {
        self.intake.cancel();
        self.all.cancel();
    }

    /// Returns true once the host was told to stop, either way.
    pub fn is_asked(&self) -> bool {
        self.intake.is_cancelled()
    }

    pub(in crate::host) fn at_once_cancel(&self) -> &Cancel {
        &self.all
    }
}

/// A cancellation stops the host at once.
impl From<&Cancel> for Stop {
    fn from(cancel: &Cancel) -> Self {
        Self {
            intake: cancel.clone(),
            all: cancel.clone(),
        }
    }
}
