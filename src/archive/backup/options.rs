//! How a backup is made or restored.

use std::fmt;
use std::sync::Arc;

use crate::archive::options::Progress;

/// What is done about damage that is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDamage {
    /// Nothing is taken over from a damaged store or backup: what was there before stays.
    #[default]
    Refuse,
    /// What can be read is taken over, and what is damaged is said to be.
    Accept,
}

/// Which files of a backup a run reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackupCheck {
    /// Those it copied. Of the others it compares the lengths.
    #[default]
    New,
    /// Every one.
    All,
}

/// Asked now and then whether the work is to end before it is done.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<StopFn>>);

type StopFn = dyn Fn() -> bool + Send + Sync;

impl Stop {
    /// Ends the work once `asked` answers true.
    pub fn when(asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(asked)))
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| asked())
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.0.is_some()).finish()
    }
}

/// How a backup is made or restored.
#[derive(Debug, Clone, Default)]
pub struct BackupOptions {
    /// Which files are read again.
    pub check: BackupCheck,
    /// What is done about damage.
    pub on_damage: OnDamage,
    /// Told how far the work has come.
    pub progress: Progress,
    /// Asked whether to end early.
    pub stop: Stop,
}
