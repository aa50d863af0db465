//! Tells a host to end.

use crate::convert::Cancel;

/// Tells a host to end. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    pub(super) intake: Cancel,
    pub(super) all: Cancel,
}

impl Stop {
    /// No more files are taken; conversions that run get `stop_within_s` to end.
    pub fn drain(&self) {
        self.intake.cancel();
    }

    /// Conversions that run are killed, and count as not begun.
    pub fn at_once(&self) {
        self.intake.cancel();
        self.all.cancel();
    }

    /// Returns true once it was told, either way.
    pub fn is_asked(&self) -> bool {
        self.intake.is_cancelled()
    }

    pub(in crate::host) fn at_once_cancel(&self) -> &Cancel {
        &self.all
    }
}

/// Whoever cancels wants it to end at once.
impl From<&Cancel> for Stop {
    fn from(cancel: &Cancel) -> Self {
        Self {
            intake: cancel.clone(),
            all: cancel.clone(),
        }
    }
}
