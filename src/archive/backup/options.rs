//! How a backup is made or restored.

use std::fmt;
use std::sync::Arc;

use crate::archive::options::Progress;
use crate::setters::setters;

/// What a run does about damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnDamage {
    /// Nothing is copied from a damaged store or backup: what was there before stays.
    #[default]
    Refuse,
    /// What can be read is copied, and what is damaged is reported.
    Accept,
}

/// Which files of a backup a run reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BackupCheck {
    /// The files it copied. Of the others it compares the lengths.
    #[default]
    New,
    /// Every file.
    All,
}

/// Asked regularly whether a run is to end early.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<StopFn>>);

type StopFn = dyn Fn() -> bool + Send + Sync;

impl Stop {
    /// Ends the work once `asked` returns true.
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
#[non_exhaustive]
pub struct BackupOptions {
    /// Which files are read again.
    pub check: BackupCheck,
    /// What is done about damage.
    pub on_damage: OnDamage,
    /// Receives the progress of the work.
    pub progress: Progress,
    /// Asked whether to end early.
    pub stop: Stop,
}

setters! { BackupOptions {
    /// Sets which files are read again.
    check: [BackupCheck];
    /// Sets what is done about damage.
    on_damage: [OnDamage];
    /// Sets what receives the progress of the work.
    progress: [Progress];
    /// Sets what is asked whether to end early.
    stop: [Stop];
} }
