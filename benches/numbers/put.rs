//! Files into a store from many callers, each of whom waits for its receipt.

use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use annals::Archive;
use annals::archive::NewEntry;

use crate::Result;

/// Many callers, where nothing else is said.
pub(crate) const CALLERS: usize = 64;

/// Archives `files` from `callers` threads, each waiting for the receipt before it takes the next.
pub(crate) fn put_all(
    archive: &Archive,
    files: &[PathBuf],
    callers: usize,
    entry: impl Fn(usize) -> NewEntry + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let start = Barrier::new(callers);
    thread::scope(|scope| -> Result<()> {
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(|| -> annals::Result<()> {
                    start.wait();
                    loop {
                        let nth = next.fetch_add(1, Ordering::Relaxed);
                        let Some(path) = files.get(nth) else {
                            return Ok(());
                        };
                        archive.put_file(path, entry(nth))?;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        Ok(())
    })
}
