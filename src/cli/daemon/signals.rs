//! The signals that a host listens to.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

use crate::{Error, Result};

/// What somebody wants of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    Terminate,
    Hangup,
}

/// Signals of this process, taken from now on.
pub(crate) struct Signals(iterator::Signals);

impl Signals {
    pub(crate) fn take() -> Result<Self> {
        let taken = iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]);
        let told = |error: io::Error| Error::io("listen to", "signals", error);
        taken.map(Self).map_err(told)
    }

    /// Ends the waiting for signals, from another thread.
    pub(crate) fn closer(&self) -> impl FnOnce() + Send + use<> {
        let handle = self.0.handle();
        move || handle.close()
    }

    /// Tells of each signal until closed.
    pub(crate) fn hear(mut self, mut on: impl FnMut(Signal)) {
        for signal in self.0.forever() {
            match signal {
                SIGHUP => on(Signal::Hangup),
                SIGTERM => on(Signal::Terminate),
                _ => on(Signal::Interrupt),
            }
        }
    }
}
