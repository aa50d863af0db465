//! How a host ends: asked to, as a service manager asks, or killed.
//!
//! One that ends by itself leaves behind what it counted, where coverage is measured.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any host takes that is not held up by the converter of a test.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks it, and kills it when it does not end.
pub(crate) fn let_go(child: &mut Child) {
    let has_ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
    // A test may have ended it already.
    if !has_ended(child) {
        let mut ask = Command::new("kill");
        ask.arg(child.id().to_string()).stderr(Stdio::null());
        let begun = Instant::now();
        if ask.status().is_ok_and(|asked| asked.success()) {
            while !has_ended(child) && begun.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
    kill(child);
}

/// As `kill -9` does: it can do nothing about it.
pub(crate) fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
