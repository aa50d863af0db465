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
    /// Takes the one that must not end a host that is still starting; the others do, at once.
    pub(crate) fn take_hangup() -> Result<Self> {
        iterator::Signals::new([SIGHUP])
            .map(Self)
            .map_err(not_taken)
    }

    /// Takes those that ask a host to end, too.
    pub(crate) fn take_ends(&self) -> Result<()> {
        let mut ends = [SIGINT, SIGTERM].iter();
        ends.try_for_each(|signal| self.0.add_signal(*signal))
            .map_err(not_taken)
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

fn not_taken(error: io::Error) -> Error {
    Error::io("listen to", "signals", error)
}
