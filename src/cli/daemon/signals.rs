//! The signals that a host handles.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

use crate::{Error, Result};

/// A request that a host receives as a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    Terminate,
    Hangup,
}

/// The handled signals of this process.
pub(crate) struct Signals(iterator::Signals);

impl Signals {
    /// Starts to handle SIGHUP, which must not end a host that is still starting.
    ///
    /// The other signals still end the process at once.
    pub(crate) fn take_hangup() -> Result<Self> {
        iterator::Signals::new([SIGHUP])
            .map(Self)
            .map_err(not_taken)
    }

    /// Starts to handle the signals that ask a host to end.
    pub(crate) fn take_ends(&self) -> Result<()> {
        let mut ends = [SIGINT, SIGTERM].iter();
        ends.try_for_each(|signal| self.0.add_signal(*signal))
            .map_err(not_taken)
    }

    /// Returns a function that ends [`Self::hear`] from another thread.
    pub(crate) fn closer(&self) -> impl FnOnce() + Send + use<> {
        let handle = self.0.handle();
        move || handle.close()
    }

    /// Calls `on` for each signal until closed.
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
