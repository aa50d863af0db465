//! The worker threads' loops: take a file from a stage's queue, do the stage's work, hand it on.
//!
//! Any step may be the last one before a crash. The next run continues, because the archive knows a
//! file by its key and its attempts.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::files::{Cleanup, FinalJob, PARKED, STOPPING, TakenFile};
use super::host::Host;
use super::memory::Memory;
use super::queue::{RecordingJob, ThreadFate};
use crate::Error;
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::observe::stuck::StuckAt;
use crate::host::panics::caught;
use crate::host::stop::Stop;

/// A worker thread of any stage.
#[derive(Clone)]
pub(in crate::host) struct FileWorker {
    pub(in crate::host) host: Arc<Host>,
    pub(in crate::host) stop: Stop,
    pub(in crate::host) hooks: Hooks,
}

impl FileWorker {
    /// Archives files until the queue is closed and empty.
    pub(super) fn archive_all(&self) {
        while let Some((taken, at_work)) = self.host.queue.next_to_archive() {
            let path = taken.candidate.path.clone();
            self.shielded(&path, || self.archive_one(taken));
            if at_work.end() == ThreadFate::Replaced {
                return;
            }
        }
    }

    /// Converts files until the queue is closed and empty.
    pub(super) fn convert_all(&self) {
        while let Some((ready, at_work)) = self.host.queue.next_to_convert() {
            let path = ready.taken.candidate.path.clone();
            self.shielded(&path, || self.convert_one(ready));
            if at_work.end() == ThreadFate::Replaced {
                return;
            }
        }
    }

    /// Records conversions and clears files away until the queues are closed and empty.
    pub(super) fn record_all(&self) {
        while let Some((last, at_work)) = self.host.queue.next_to_record() {
            let (RecordingJob::Record(converted) | RecordingJob::Clear(converted)) = last;
            let path = converted.taken().candidate.path.clone();
            self.shielded(&path, || match converted {
                FinalJob::Clear(taken, cleanup) => self.clear(&taken, cleanup),
                FinalJob::Record(ran) => self.record_one(*ran),
            });
            if at_work.end() == ThreadFate::Replaced {
                return;
            }
        }
    }

    pub(super) fn push_to_clear(&self, taken: TakenFile, cleanup: Box<Cleanup>) {
        let position = taken.position();
        let clear = FinalJob::Clear(Box::new(taken), cleanup);
        self.host.queue.push_to_clear(position, clear);
    }

    /// Does the work on one file. A panic in the work, or in a notice about it, affects only this
    /// file.
    fn shielded(&self, path: &Path, work: impl FnOnce()) {
        let worked = caught(|| {
            work();
            Ok(())
        });
        if let Err(error) = worked {
            // The notice of the failure panicked too, so only the counters record it.
            self.host.stuck.begin(path, "", StuckAt::Converting, &error);
            self.host.counters.trouble(path, &error);
            self.host.memory.leave_after_panic(path);
            self.host.queue.release(path);
        }
    }

    /// Returns why a step must not begin now; `None` if it may.
    pub(in crate::host) fn begin(&self, taken: &TakenFile) -> Option<&'static str> {
        if self.stop.is_asked() {
            Some(STOPPING)
        } else if !self.host.is_current(&taken.active) {
            Some("another configuration is in force")
        } else if !self.host.has_room(&taken.active, &self.hooks) {
            Some("the disk is nearly full")
        } else {
            None
        }
    }

    pub(in crate::host) fn wait(&self, taken: &TakenFile, time: Duration, failures: u32) {
        self.host.memory.remember(
            &taken.candidate.path,
            Memory::Waiting {
                meta: taken.candidate.meta,
                until: Instant::now() + time,
                failures,
            },
        );
    }

    /// Leaves a file after an error that may not be its fault. It is retried after the retry delay.
    pub(in crate::host) fn fail(&self, taken: &TakenFile, at: StuckAt, error: &Error) {
        let path = &taken.candidate.path;
        let config = taken.config();
        self.wait(taken, config.retry.delay, taken.failures);
        self.host
            .stuck
            .begin(path, &config.converter.name, at, error);
        self.trouble(path, error);
        self.leave(taken, "something went wrong");
    }

    /// Leaves a file whose converter cannot run. It stays without an attempt until the converter
    /// runs again.
    pub(super) fn park(&self, taken: &TakenFile) {
        let parked = Memory::Parked {
            meta: taken.candidate.meta,
            failures: taken.failures,
            trials: taken.trials + 1,
        };
        self.host.memory.remember(&taken.candidate.path, parked);
        self.leave(taken, PARKED);
    }

    pub(in crate::host) fn passed(&self, taken: &TakenFile, step: StuckAt) {
        self.host.stuck.passed(&taken.candidate.path, step);
    }

    pub(in crate::host) fn leave(&self, taken: &TakenFile, why: &str) {
        let path = &taken.candidate.path;
        self.left(path, why);
        self.host.queue.release(path);
    }

    pub(in crate::host) fn left(&self, path: &Path, why: &str) {
        self.host.counters.left();
        (self.hooks.notice)(&Notice::Left { path, why });
    }

    pub(in crate::host) fn trouble(&self, path: &Path, error: &Error) {
        self.host.counters.trouble(path, error);
        (self.hooks.notice)(&Notice::Trouble { path, error });
    }
}
