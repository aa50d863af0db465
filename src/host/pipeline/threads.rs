//! Runs the worker threads of all stages, and replaces threads that hang.
//!
//! The threads are not scoped, so a thread that hangs in a silent folder is left behind when the
//! host's run ends and, where the system allows it, when the process ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::steps::Stage;
use super::worker::FileWorker;
use crate::host::active_config::ActiveConfig;
use crate::host::observe::notice::Notice;
use crate::host::sources::silent;

/// Number of threads that archive, and of threads that record and clear away.
///
/// They mostly wait for a shared flush, so there are more of them than processors.
const THREADS: usize = 16;
/// Maximum number of them that work for one folder when there are several folders.
const THREADS_OF_FOLDER: usize = 12;
/// Time between two checks for steps that take too long.
pub(in crate::host) const MAINTAIN_EVERY: Duration = Duration::from_millis(250);

pub(in crate::host) struct WorkerThreads {
    threads: Vec<JoinHandle<()>>,
    /// Number of converting threads, without those that were replaced.
    converting: usize,
    looked: Instant,
    /// Silent folders that were reported, and since when they are silent.
    told: BTreeMap<PathBuf, Instant>,
}

impl WorkerThreads {
    pub(in crate::host) fn start(worker: &FileWorker, active: &Arc<ActiveConfig>) -> Self {
        let mut workers = Self {
            threads: Vec::new(),
            converting: 0,
            looked: Instant::now(),
            told: BTreeMap::new(),
        };
        let lines = active.config.converters.len();
        let folder_max = if lines > 1 {
            THREADS_OF_FOLDER
        } else {
            THREADS
        };
        worker.host.queue.open(active.config.limits(), folder_max);
        for _ in 0..THREADS {
            workers.spawn(Stage::Archiving, worker);
            workers.spawn(Stage::Recording, worker);
        }
        workers.convert(worker, active);
        workers
    }

    /// Starts missing threads, and sends notices of folders that stop answering or answer again.
    ///
    /// It is cheap, because it is called often.
    pub(in crate::host) fn maintain(&mut self, worker: &FileWorker, active: &Arc<ActiveConfig>) {
        self.convert(worker, active);
        if self.looked.elapsed() < MAINTAIN_EVERY {
            return;
        }
        self.looked = Instant::now();
        for stage in worker.host.queue.mark_overdue() {
            self.spawn(stage, worker);
        }
        self.tell_silent(worker);
        self.threads.retain(|thread| !thread.is_finished());
    }

    /// Sends one notice for each folder that stops answering, and one when it answers again.
    pub(in crate::host) fn tell_silent(&mut self, worker: &FileWorker) {
        let silent = worker.host.silent();
        for folder in &silent {
            if !self.told.contains_key(&folder.folder) {
                self.told.insert(folder.folder.clone(), folder.since);
                let error = silent::silence(folder);
                worker.host.counters.trouble(&folder.folder, &error);
                (worker.hooks.notice)(&Notice::FolderSilent {
                    path: &folder.folder,
                    error: &error,
                });
            }
        }
        self.told.retain(|path, since| {
            let still = silent.iter().any(|silent| silent.folder == *path);
            if !still {
                let after = since.elapsed();
                (worker.hooks.notice)(&Notice::FolderAnswers { path, after });
            }
            still
        });
    }

    /// Waits up to `time` for the threads to end; those that hang are left behind.
    pub(in crate::host) fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn convert(&mut self, worker: &FileWorker, active: &ActiveConfig) {
        while self.converting < active.config.max_concurrent {
            self.converting += 1;
            self.spawn(Stage::Converting, worker);
        }
    }

    fn spawn(&mut self, stage: Stage, worker: &FileWorker) {
        let worker = worker.clone();
        let (name, work): (_, fn(&FileWorker)) = match stage {
            Stage::Archiving => ("annals-archive", FileWorker::archive_all),
            Stage::Converting => ("annals-convert", FileWorker::convert_all),
            Stage::Recording => ("annals-record", FileWorker::record_all),
        };
        let thread = std::thread::Builder::new().name(name.to_owned());
        // If no thread can be started, there is one fewer; the next check tries again.
        if let Ok(thread) = thread.spawn(move || work(&worker)) {
            self.threads.push(thread);
        }
    }
}
