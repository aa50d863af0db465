//! The lock of a store: one process at a time writes it.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::archive::files::folders::LOCK_FILE;
use crate::disk::{Disk, DiskLock};
use crate::time::Stopwatch;
use crate::{Error, ErrorKind, Result};

pub(in crate::archive) fn take_lock(
    disk: &dyn Disk,
    dir: &Path,
    wait: Duration,
) -> Result<Box<dyn DiskLock>> {
    const PAUSE: Duration = Duration::from_millis(20);
    let waited = Stopwatch::start();
    loop {
        let taken = disk
            .try_lock(Path::new(LOCK_FILE))
            .map_err(|error| Error::io("lock", dir.join(LOCK_FILE), error))?;
        if let Some(lock) = taken {
            return Ok(lock);
        }
        if waited.left_of(wait).is_zero() {
            return Err(Error::new(
                ErrorKind::Locked,
                format!("another process has the store in {} open", dir.display()),
            )
            .hint("wait until it is done, or stop it"));
        }
        thread::sleep(PAUSE);
    }
}

/// Returns true while a process holds the lock. Where the lock cannot be tried, none is assumed.
pub(in crate::archive) fn is_locked(disk: &dyn Disk) -> bool {
    matches!(disk.try_lock(Path::new(LOCK_FILE)), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Call, SimDisk};

    #[test]
    fn a_held_lock__is_refused_or_waited_for() {
        let disk = SimDisk::new();
        let take = |wait| take_lock(&disk, Path::new("store"), wait);
        let held = take(Duration::ZERO).expect("free");
        let told = take(Duration::ZERO).map(drop).expect_err("held");
        assert_eq!(told.kind(), ErrorKind::Locked);
        let tries = disk.census().of(Call::Lock);
        assert_eq!(tries, 2);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| take(Duration::from_mins(1)).map(drop));
            while disk.census().of(Call::Lock) < tries + 2 && !waiting.is_finished() {
                thread::yield_now();
            }
            drop(held);
            waiting.join().expect("no panic").expect("let in");
        });
    }
}
