//! Handles signals that ask this process to end. The first one lets the verb end safely, a second
//! one ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::convert::Cancel;

/// Added to a signal's number for the exit code of a program that the signal ended.
const BY_SIGNAL: u8 = 128;

/// Watches for Ctrl-C and SIGTERM until the process ends.
pub(crate) struct Interrupt {
    /// The number of the first signal; 0 when none came.
    came: Arc<AtomicU8>,
}

impl Interrupt {
    /// Starts to watch: the first signal cancels `cancel` instead of ending the process.
    #[cfg(unix)]
    pub(crate) fn watch(cancel: Cancel) -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};

        let came = Arc::new(AtomicU8::new(0));
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        let first = Arc::clone(&came);
        std::thread::Builder::new()
            .name("annals-signals".to_owned())
            .spawn(move || {
                for signal in &mut signals {
                    let number = u8::try_from(signal).unwrap_or(u8::MAX);
                    if first.swap(number, Ordering::Relaxed) != 0 {
                        // A second signal ends the process at once. Nothing is lost.
                        let _ = signal_hook::low_level::emulate_default_handler(signal);
                    }
                    cancel.cancel();
                }
            })?;
        Ok(Self { came })
    }

    /// Fails, because on other systems a signal ends the process.
    #[cfg(not(unix))]
    pub(crate) fn watch(_cancel: Cancel) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns the exit code for the signal that came, if one did.
    pub(crate) fn code(&self) -> Option<u8> {
        match self.came.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(BY_SIGNAL.saturating_add(signal)),
        }
    }
}
