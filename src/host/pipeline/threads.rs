//! The worker threads of all stages, and replacements for threads that hang.
//!
//! They are not scoped: one that hangs in a folder that does not answer is left behind, by the
//! host's run and, where the system allows it, by the end of the process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::queue::Stage;
use super::worker::FileWorker;
use crate::host::active_config::ActiveConfig;
use crate::host::observe::notice::Notice;
use crate::host::sources::silent;

/// Threads that archive, and as many that record and clear away. They mostly wait for the same
/// sync, so there are more than processors.
const THREADS: usize = 16;
/// How many of them one folder may have at work where there are several.
const THREADS_OF_FOLDER: usize = 12;
/// Between two looks for steps that take too long.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(in crate::host) struct WorkerThreads {
    threads: Vec<JoinHandle<()>>,
    /// Threads that convert, not those that were replaced.
    converting: usize,
    looked: Instant,
    /// The folders that do not answer, and since when, as far as that is told.
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
        let max_concurrent = active.config.max_concurrent;
        let lines = active.config.converters.len();
        let folder_max = if lines > 1 {
            THREADS_OF_FOLDER
        } else {
            THREADS
        };
        worker.host.queue.open(max_concurrent, folder_max);
        for _ in 0..THREADS {
            workers.spawn(Stage::Archiving, worker);
            workers.spawn(Stage::Recording, worker);
        }
        workers.convert(worker, active);
        workers
    }

    /// Starts missing threads, and sends notices of folders that stop answering or answer again. It
    /// is cheap and is called often.
    pub(in crate::host) fn maintain(&mut self, worker: &FileWorker, active: &Arc<ActiveConfig>) {
        self.convert(worker, active);
        if self.looked.elapsed() < LOOK_EVERY {
            return;
        }
        self.looked = Instant::now();
        for stage in worker.host.queue.mark_overdue() {
            self.spawn(stage, worker);
        }
        self.tell_silent(worker);
        self.threads.retain(|thread| !thread.is_finished());
    }

    /// Tells of folders that do not answer, and that do again, each once.
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

    /// Waits a moment for the threads to end; those that hang are left behind.
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
        // Without another thread there are fewer; they are asked for again when one hangs.
        if let Ok(thread) = thread.spawn(move || work(&worker)) {
            self.threads.push(thread);
        }
    }
}
