//! Runs workers: one JSON line in, one JSON line out; restarted when they die or stall.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select_biased};

use crate::convert::process::{
    Cancel, Capture, Invocation, Process, STDOUT_BYTES_MAX, capture_stderr, exit_reason,
    with_stderr,
};
use crate::convert::protocol::{Conversion, WorkerRequest, excerpt, read_answer};

/// The delay before the second start; doubled with each failure in a row.
const RESTART_AFTER: Duration = Duration::from_millis(100);
/// The longest delay before a start.
const RESTART_AFTER_MAX: Duration = Duration::from_secs(10);
/// How long a worker may take to exit after its standard input was closed.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long a second worker is observed without a request after one died before its first answer.
const UNASKED_MIN: Duration = Duration::from_secs(1);
const UNASKED_MAX: Duration = Duration::from_secs(30);
/// Number of sources without any answer after which the converter is at fault, not the sources.
const SILENT_OVER: usize = 3;

/// A limited number of workers, each started when it is first needed.
///
/// The worker that was used last is used next, so that those that are not needed become idle.
pub(in crate::convert) struct Pool {
    slots: Mutex<Slots>,
    /// Holds a message while a slot may be free that somebody waits for.
    free: Sender<()>,
    freed: Receiver<()>,
    record: Mutex<Record>,
}

struct Slots {
    /// Workers that do nothing, and since when; the one that was used last is the last one.
    idle: Vec<(Instant, Worker)>,
    /// Number of workers that convert, or are just being ended.
    taken: usize,
    max: usize,
}

/// A worker that is taken from a pool. Dropping it frees its slot.
struct Taken<'a> {
    pool: &'a Pool,
    worker: Option<Worker>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut slots = lock(&self.pool.slots);
        slots.taken -= 1;
        if let Some(worker) = self.worker.take() {
            slots.idle.push((Instant::now(), worker));
        }
        drop(slots);
        // A full channel means that somebody is about to look anyway.
        let _ = self.pool.free.try_send(());
    }
}

/// What is known about the workers of a pool.
#[derive(Default)]
struct Record {
    has_answered: bool,
    /// Sources that got no answer, as long as no source has got one.
    unanswered: BTreeSet<String>,
}

impl Record {
    /// Records a source that got no answer. Returns true when there are so many that the converter
    /// is at fault.
    fn misses(&mut self, request: &WorkerRequest<'_>) -> bool {
        if self.has_answered {
            return false;
        }
        let source = request
            .entry
            .map_or_else(|| request.name.to_owned(), |entry| format!("entry {entry}"));
        if self.unanswered.len() < SILENT_OVER {
            self.unanswered.insert(source);
        }
        self.unanswered.len() >= SILENT_OVER
    }
}

impl Pool {
    pub(in crate::convert) fn new(workers: usize) -> Self {
        let (free, freed) = crossbeam_channel::bounded(1);
        Self {
            slots: Mutex::new(Slots {
                idle: Vec::new(),
                taken: 0,
                max: workers.max(1),
            }),
            free,
            freed,
            record: Mutex::default(),
        }
    }

    /// Changes the number of workers. Those that are too many end as soon as they are idle.
    pub(in crate::convert) fn set_workers(&self, workers: usize) {
        lock(&self.slots).max = workers.max(1);
        let _ = self.free.try_send(());
        self.end_surplus();
    }

    /// Ends the workers that have been idle for `time`.
    ///
    /// Returns how long it takes until the next one has been; `None` when none is idle.
    pub(in crate::convert) fn end_idle(&self, time: Duration) -> Option<Duration> {
        let mut slots = lock(&self.slots);
        let mut over = Vec::new();
        while slots
            .idle
            .first()
            .is_some_and(|(since, _)| since.elapsed() >= time)
        {
            over.push(slots.idle.remove(0).1);
        }
        let next = slots.idle.first();
        let next = next.map(|(since, _)| time.saturating_sub(since.elapsed()));
        self.end(slots, over);
        next
    }

    /// Returns the number of running processes.
    pub(in crate::convert) fn processes(&self) -> usize {
        let slots = lock(&self.slots);
        let idle = slots.idle.iter().filter(|(_, idle)| idle.running.is_some());
        idle.count() + slots.taken
    }

    /// Takes the next free worker, or waits for one. Returns `None` when cancelled.
    fn take(&self, cancel: &Cancel) -> Option<Taken<'_>> {
        loop {
            let mut slots = lock(&self.slots);
            if slots.taken < slots.max {
                slots.taken += 1;
                if slots.taken < slots.max {
                    // Another one may be waiting for the next slot.
                    let _ = self.free.try_send(());
                }
                let worker = slots.idle.pop().map(|(_, worker)| worker);
                return Some(Taken {
                    pool: self,
                    worker: Some(worker.unwrap_or_default()),
                });
            }
            drop(slots);
            select_biased! {
                recv(cancel.cancelled()) -> _ => return None,
                recv(self.freed) -> _ => {}
            }
        }
    }

    /// Ends idle workers until there are not more than there may be.
    fn end_surplus(&self) {
        let mut slots = lock(&self.slots);
        let surplus = (slots.taken + slots.idle.len()).saturating_sub(slots.max);
        let surplus = surplus.min(slots.idle.len());
        let over = slots
            .idle
            .drain(..surplus)
            .map(|(_, worker)| worker)
            .collect();
        self.end(slots, over);
    }

    /// Ends workers that were taken out of the slots. Their slots stay taken until they have ended,
    /// so that there are never more processes than slots.
    fn end(&self, mut slots: MutexGuard<'_, Slots>, mut over: Vec<Worker>) {
        slots.taken += over.len();
        drop(slots);
        for running in over.iter_mut().filter_map(|worker| worker.running.as_mut()) {
            // The end of their input tells all of them at once to finish.
            running.requests = None;
        }
        for mut worker in over {
            worker.running = None;
            let is_needed = worker.failures_in_a_row > 0;
            drop(Taken {
                pool: self,
                worker: Some(worker).filter(|_| is_needed),
            });
        }
    }

    /// Has the next free worker do one conversion. Returns `None` when cancelled.
    ///
    /// An error is a converter that cannot run: its program is missing, it dies without a request,
    /// or it has not answered once over several sources.
    pub(in crate::convert) fn convert(
        &self,
        invocation: &Invocation<'_>,
        request: WorkerRequest<'_>,
        cancel: &Cancel,
    ) -> io::Result<Option<Conversion>> {
        let Some(mut taken) = self.take(cancel) else {
            return Ok(None);
        };
        let worker = taken.worker.get_or_insert_default();
        let converted = worker.convert(invocation, &request, cancel);
        let converted = converted.and_then(|converted| match converted {
            Some(Answer::Given(conversion)) => {
                let mut record = lock(&self.record);
                record.has_answered = true;
                record.unanswered = BTreeSet::new();
                Ok(Some(conversion))
            }
            Some(Answer::Missing(failed)) => {
                if lock(&self.record).misses(&request) {
                    let why = failed.error.unwrap_or_default();
                    let why = format!("it has not answered once over {SILENT_OVER} sources: {why}");
                    return Err(io::Error::other(why));
                }
                Ok(Some(failed))
            }
            None => Ok(None),
        });
        drop(taken);
        self.end_surplus();
        converted
    }
}

/// One worker, running or not.
#[derive(Default)]
struct Worker {
    running: Option<Running>,
    failures_in_a_row: u32,
    last_id: u64,
}

/// The result of a request to a worker.
enum Answer {
    Given(Conversion),
    /// It died, timed out or wrote something else: a failed conversion with the reason.
    Missing(Conversion),
}

struct Running {
    process: Process,
    started: Instant,
    has_answered: bool,
    /// The channel to standard input; `None` once standard input is to be closed.
    requests: Option<Sender<Vec<u8>>>,
    answers: Receiver<Line>,
    stderr: Capture,
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

impl Worker {
    fn convert(
        &mut self,
        invocation: &Invocation<'_>,
        request: &WorkerRequest<'_>,
        cancel: &Cancel,
    ) -> io::Result<Option<Answer>> {
        if self
            .running
            .as_mut()
            .is_some_and(|running| running.process.has_exited())
        {
            // The worker died while it was idle, which is no conversion's fault.
            self.running = None;
            self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        }
        let running = match &mut self.running {
            Some(running) => {
                // Standard error about earlier files is discarded. What a new worker writes as it
                // starts is kept.
                running.stderr.clear();
                running
            }
            none => {
                if self.failures_in_a_row > 0 && !cancel.sleep(back_off(self.failures_in_a_row)) {
                    return Ok(None);
                }
                let started = Running::start(invocation);
                if started.is_err() {
                    self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                }
                none.insert(started?)
            }
        };
        self.last_id += 1;
        let request = WorkerRequest {
            id: self.last_id,
            ..*request
        };
        let started = Instant::now();
        let answered = running.ask(&request, invocation.bounds.timeout, cancel);
        let answer: fn(Conversion) -> Answer;
        let conversion = match answered {
            Ok(conversion) => {
                self.failures_in_a_row = 0;
                running.has_answered = true;
                answer = Answer::Given;
                conversion
            }
            Err(lost) => {
                let (had_answered, lived) = (running.has_answered, running.started.elapsed());
                let buried = self
                    .running
                    .take()
                    .map(|running| running.bury(&lost, invocation));
                if matches!(lost, Lost::Cancelled) {
                    return Ok(None);
                }
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                let reason = buried.transpose()?.unwrap_or_default();
                if matches!(lost, Lost::Gone) && !had_answered {
                    self.running = Running::outlives(invocation, lived, cancel)?;
                }
                answer = Answer::Missing;
                Conversion::failed(reason)
            }
        };
        Ok(Some(answer(Conversion {
            duration: started.elapsed(),
            ..conversion
        })))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn back_off(failures: u32) -> Duration {
    RESTART_AFTER
        .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
        .min(RESTART_AFTER_MAX)
}

/// Why a worker cannot be used any longer.
enum Lost {
    TimedOut(Duration),
    Gone,
    /// It exited without a request.
    Unasked,
    TooLong,
    Garbage(String),
    Cancelled,
}

impl Running {
    fn start(invocation: &Invocation<'_>) -> io::Result<Self> {
        let mut command = invocation.command()?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Process::start(invocation, command)?;
        let unpiped = || io::Error::other("a standard stream is not piped");
        let stdin = process.child().stdin.take().ok_or_else(unpiped)?;
        let stdout = process.child().stdout.take().ok_or_else(unpiped)?;
        let (wake, _) = crossbeam_channel::bounded(1);
        let stderr = capture_stderr(&mut process, wake)?;
        let (requests, to_write) = crossbeam_channel::bounded(1);
        spawn("annals-worker-input", move || write_all(stdin, &to_write))?;
        let (found, answers) = crossbeam_channel::bounded(1);
        spawn("annals-worker-output", move || read_lines(stdout, &found))?;
        Ok(Self {
            process,
            started: Instant::now(),
            has_answered: false,
            requests: Some(requests),
            answers,
            stderr,
        })
    }

    /// Starts another worker after one that died over its first source, and sends it no request.
    ///
    /// If this worker dies too, the source is not at fault: an error. If it lives longer than the
    /// first did, it is returned as the next worker. `None` when cancelled.
    fn outlives(
        invocation: &Invocation<'_>,
        lived: Duration,
        cancel: &Cancel,
    ) -> io::Result<Option<Self>> {
        let mut next = Self::start(invocation)?;
        let time = (lived * 2).clamp(UNASKED_MIN, UNASKED_MAX);
        let until = Instant::now() + time;
        while !next.process.has_exited() {
            if cancel.is_cancelled() {
                return Ok(None);
            }
            if Instant::now() >= until {
                return Ok(Some(next));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let reason = next.bury(&Lost::Unasked, invocation)?;
        Err(io::Error::other(reason))
    }

    fn ask(
        &self,
        request: &WorkerRequest<'_>,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Conversion, Lost> {
        let mut line =
            serde_json::to_vec(request).map_err(|error| Lost::Garbage(error.to_string()))?;
        line.push(b'\n');
        if let Some(requests) = &self.requests {
            // A worker that has exited is noticed below, by its closed output.
            let _ = requests.send_timeout(line, timeout);
        }
        let deadline = Instant::now() + timeout;
        loop {
            if cancel.is_cancelled() {
                return Err(Lost::Cancelled);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Lost::TimedOut(timeout));
            }
            let answer = select_biased! {
                recv(self.answers) -> answer => answer,
                recv(cancel.cancelled()) -> _ => return Err(Lost::Cancelled),
                default(left) => return Err(Lost::TimedOut(timeout)),
            };
            let line = match answer {
                Ok(Line::Whole(line)) => line,
                Ok(Line::TooLong) => return Err(Lost::TooLong),
                Err(_) => return Err(Lost::Gone),
            };
            let text = str::from_utf8(&line)
                .map(str::trim)
                .map_err(|_| Lost::Garbage(excerpt(&line)))?;
            if text.is_empty() {
                continue;
            }
            match read_answer(text).map_err(Lost::Garbage)? {
                (Some(id), conversion) if id == request.id => return Ok(conversion),
                (Some(id), _) if id < request.id => {}
                (id, _) => {
                    let id = id.map_or("none".to_owned(), |id| id.to_string());
                    return Err(Lost::Garbage(format!(
                        "the answer's id is {id}, not {}",
                        request.id
                    )));
                }
            }
        }
    }

    /// Ends a worker that failed and returns the reason. An error means that it never started.
    fn bury(mut self, lost: &Lost, invocation: &Invocation<'_>) -> io::Result<String> {
        // A worker that closed its output gets a moment to exit, because its exit code is the
        // better reason.
        if matches!(lost, Lost::Gone) {
            self.wait(FAREWELL);
        }
        let killed = !self.process.has_exited();
        let status = self.process.end();
        let until = Instant::now() + FAREWELL;
        while !self.stderr.is_closed() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let stderr = self.stderr.tail_text();
        if let Some(error) = invocation.launch_error(status, &stderr) {
            return Err(error);
        }
        let reason = match lost {
            Lost::TimedOut(after) => format!("timed out after {}", seconds(*after)),
            Lost::Gone if killed => "closed its output without answering".to_owned(),
            Lost::Gone => format!(
                "the worker {} before it answered",
                exit_reason(status).unwrap_or_else(|| "exited".to_owned())
            ),
            Lost::Unasked => format!(
                "the worker {} before it was asked anything",
                exit_reason(status).unwrap_or_else(|| "exited".to_owned())
            ),
            Lost::TooLong => too_much_output(),
            Lost::Garbage(what) => format!("the worker did not keep to the protocol: {what}"),
            Lost::Cancelled => "cancelled".to_owned(),
        };
        Ok(with_stderr(&reason, &stderr))
    }

    fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while !self.process.has_exited() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of its input tells a worker to finish. One that does not is killed when `process`
        // is dropped.
        self.requests = None;
        self.wait(FAREWELL);
    }
}

/// Returns the error message for a conversion that wrote too much.
pub(in crate::convert) fn too_much_output() -> String {
    format!(
        "wrote more than {} MiB to standard output",
        STDOUT_BYTES_MAX >> 20
    )
}

/// Formats a duration for an error message.
pub(in crate::convert) fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(|_| ())
}

fn write_all(mut stdin: impl Write, lines: &Receiver<Vec<u8>>) {
    for line in lines {
        // A worker that no longer reads is noticed by its closed output or by the timeout.
        if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn read_lines(stdout: impl Read, found: &Sender<Line>) {
    let limit = STDOUT_BYTES_MAX as u64;
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        match stdout.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(read) if read as u64 == limit && !line.ends_with(b"\n") => {
                let _ = found.send(Line::TooLong);
                return;
            }
            Ok(_) => {
                if found.send(Line::Whole(line)).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
