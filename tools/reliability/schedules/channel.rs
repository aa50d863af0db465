//! Channels with the face of the ones the engine uses, made of locks that the scheduler of thread
//! schedules sees.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::{Condvar, Mutex};

struct State<T> {
    queue: VecDeque<T>,
    senders: usize,
    receivers: usize,
    /// Told of every change, beside those who wait on the channel itself.
    watchers: Vec<Arc<Watcher>>,
}

struct Channel<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: Option<usize>,
}

/// Counts what happened to several channels.
#[derive(Default)]
struct Watcher {
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Watcher {
    fn tell(&self) {
        *self.changes.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    fn seen(&self) -> u64 {
        *self.changes.lock().unwrap()
    }

    fn wait_past(&self, seen: u64) {
        let mut changes = self.changes.lock().unwrap();
        while *changes == seen {
            changes = self.changed.wait(changes).unwrap();
        }
    }
}

impl<T> Channel<T> {
    fn change<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        let (changed, watchers) = {
            let mut state = self.state.lock().unwrap();
            (change(&mut state), state.watchers.clone())
        };
        self.changed.notify_all();
        watchers.iter().for_each(|watcher| watcher.tell());
        changed
    }
}

pub struct Sender<T>(Arc<Channel<T>>);
pub struct Receiver<T>(Arc<Channel<T>>);

pub struct SendError<T>(pub T);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    Empty,
    Disconnected,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvTimeoutError {
    Timeout,
    Disconnected,
}

impl<T> std::fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SendError")
    }
}

impl<T> SendError<T> {
    pub fn into_inner(self) -> T {
        self.0
    }
}

fn make<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        state: Mutex::new(State {
            queue: VecDeque::new(),
            senders: 1,
            receivers: 1,
            watchers: Vec::new(),
        }),
        changed: Condvar::new(),
        capacity,
    });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    make(None)
}

pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    make(Some(capacity))
}

impl<T> Sender<T> {
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        let mut state = self.0.state.lock().unwrap();
        loop {
            if state.receivers == 0 {
                return Err(SendError(message));
            }
            if self.0.capacity.is_none_or(|most| state.queue.len() < most) {
                break;
            }
            state = self.0.changed.wait(state).unwrap();
        }
        state.queue.push_back(message);
        drop(state);
        self.0.change(|_| ());
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let (taken, senders) = {
            let mut state = self.0.state.lock().unwrap();
            (state.queue.pop_front(), state.senders)
        };
        match (taken, senders) {
            (Some(message), _) => {
                self.0.change(|_| ());
                Ok(message)
            }
            (None, 0) => Err(TryRecvError::Disconnected),
            (None, _) => Err(TryRecvError::Empty),
        }
    }

    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    pub fn recv(&self) -> Result<T, RecvError> {
        let mut state = self.0.state.lock().unwrap();
        loop {
            if let Some(message) = state.queue.pop_front() {
                drop(state);
                self.0.change(|_| ());
                return Ok(message);
            }
            if state.senders == 0 {
                return Err(RecvError);
            }
            state = self.0.changed.wait(state).unwrap();
        }
    }

    /// Time passes when the others had their turn.
    pub fn recv_timeout(&self, _: Duration) -> Result<T, RecvTimeoutError> {
        for _ in 0..8 {
            match self.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => shuttle::thread::yield_now(),
            }
        }
        Err(RecvTimeoutError::Timeout)
    }

    /// Whether a receive would not wait.
    fn is_ready(&self) -> bool {
        let state = self.0.state.lock().unwrap();
        !state.queue.is_empty() || state.senders == 0
    }

    fn watch(&self, watcher: &Arc<Watcher>) {
        self.0.state.lock().unwrap().watchers.push(Arc::clone(watcher));
    }
}

/// Waits for the first of several channels.
#[derive(Default)]
pub struct Select<'a> {
    ready: Vec<Box<dyn Fn() -> bool + 'a>>,
    watcher: Arc<Watcher>,
}

impl<'a> Select<'a> {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        receiver.watch(&self.watcher);
        self.ready.push(Box::new(|| receiver.is_ready()));
        self.ready.len() - 1
    }

    pub fn ready(&mut self) -> usize {
        loop {
            let seen = self.watcher.seen();
            if let Some(first) = self.ready.iter().position(|is_ready| is_ready()) {
                return first;
            }
            self.watcher.wait_past(seen);
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.change(|state| state.senders += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.change(|state| state.senders -= 1);
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.change(|state| state.receivers += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // What is still in it is let go outside of the lock: it may hold ends of other channels.
        drop(self.0.change(|state| {
            state.receivers -= 1;
            match state.receivers {
                0 => std::mem::take(&mut state.queue),
                _ => VecDeque::new(),
            }
        }));
    }
}
