//! Chooses the thread that runs the writer. The writer thread batches concurrent callers. A caller
//! who is alone runs the writer inline, which saves two wake-ups.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Select, TryRecvError};

use crate::archive::appending::writer::Writer;
use crate::archive::messages::{Control, Request};
use crate::archive::state::health::{Health, PanicGuard};

/// The writer, behind a lock: one thread at a time runs it.
pub(in crate::archive) struct Leader {
    health: Arc<Health>,
    /// `None` once the writer was told to stop, or a thread panicked while it ran the writer.
    writer: Mutex<Option<Writer>>,
    /// Number of callers that wait for an acknowledgement.
    waiting: AtomicUsize,
    /// The writer thread has ended and takes no request any more.
    over: AtomicBool,
}

impl Leader {
    pub(in crate::archive) fn new(health: Arc<Health>, writer: Writer) -> Self {
        Self {
            health,
            writer: Mutex::new(Some(writer)),
            waiting: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Counts a caller as waiting until the returned guard is dropped.
    pub(in crate::archive) fn wait(&self) -> Waiting<'_> {
        let others = self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting {
            leader: self,
            is_alone: others == 0,
        }
    }

    /// Counts a record in flight as a waiting caller until the returned guard is dropped.
    ///
    /// A caller beside it is not alone, so it does not overtake the record.
    pub(in crate::archive) fn fly(self: &Arc<Self>) -> Flight {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Flight(Arc::clone(self))
    }

    /// Returns true once the writer thread has ended.
    ///
    /// A request handed in before is answered, or dropped with its reply. A request handed in later
    /// may stay in the channel for as long as the store is open.
    pub(in crate::archive) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Runs the writer thread: works until told to stop, or until every sender is gone.
    pub(in crate::archive) fn run(
        &self,
        requests: &Receiver<Request>,
        controls: &Receiver<Control>,
    ) {
        let _dropping = DropRequests {
            over: &self.over,
            requests,
        };
        let _dropping_writer = self.drop_on_panic("the writing thread");
        let mut something = Select::new();
        something.recv(controls);
        something.recv(requests);
        loop {
            something.ready();
            // Nothing is taken from the channels without the lock. A caller who runs the writer may
            // wait for an empty journal file from the same channel; taken out here, it would never
            // arrive.
            let Ok(mut turn) = self.writer.lock() else {
                // The panicking thread may not have noted its failure yet.
                self.health.fail(
                    "BUG: a thread panicked while it wrote; nothing more is written".to_owned(),
                );
                self.drop_writer();
                return;
            };
            let Some(writer) = &mut *turn else { return };
            let goes_on = match controls.try_recv() {
                Ok(control) => {
                    writer.control(control);
                    true
                }
                Err(TryRecvError::Empty) => match requests.try_recv() {
                    Ok(request) => writer.serve(request, || requests.try_recv().ok()),
                    Err(TryRecvError::Empty) => true,
                    Err(TryRecvError::Disconnected) => false,
                },
                Err(TryRecvError::Disconnected) => false,
            };
            if !goes_on {
                *turn = None;
                return;
            }
        }
    }
}

impl Leader {
    /// Drops a writer that a thread panicked with. The messages in its channels are dropped with it
    /// and with the writer thread, so every waiting caller gets an error.
    fn drop_writer(&self) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn drop_on_panic(&self, thread: &'static str) -> DropOnPanic<'_> {
        DropOnPanic {
            leader: self,
            failing: Some(self.health.guard(thread)),
        }
    }
}

/// Drops the requests in the channel when the writer thread ends. The channel keeps its messages
/// for as long as a sender exists, so their callers would wait for ever.
struct DropRequests<'a> {
    over: &'a AtomicBool,
    requests: &'a Receiver<Request>,
}

impl Drop for DropRequests<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        while self.requests.try_recv().is_ok() {}
    }
}

/// Drops the writer when the thread that runs it panics, after the reason was noted.
struct DropOnPanic<'a> {
    leader: &'a Leader,
    failing: Option<PanicGuard<'a>>,
}

impl Drop for DropOnPanic<'_> {
    fn drop(&mut self) {
        let panics = self.failing.take().is_some_and(|failing| failing.panics());
        if panics {
            self.leader.drop_writer();
        }
    }
}

/// A caller that waits for an acknowledgement.
pub(in crate::archive) struct Waiting<'a> {
    leader: &'a Leader,
    is_alone: bool,
}

impl Waiting<'_> {
    /// Runs a request on this thread, if no other caller waits and no thread is writing. Otherwise
    /// gives the request back, for the writer thread. There several callers share one sync.
    pub(in crate::archive) fn try_run_inline(&self, request: Request) -> Result<(), Request> {
        if !self.is_alone {
            return Err(request);
        }
        let _dropping_writer = self.leader.drop_on_panic("a caller's thread");
        match self.leader.writer.try_lock().as_deref_mut() {
            Ok(Some(writer)) => {
                writer.serve(request, || None);
                Ok(())
            }
            Ok(None) | Err(_) => Err(request),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leader.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A record in flight, which counts as a waiting caller.
pub(in crate::archive) struct Flight(Arc<Leader>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::archive::{Archive, NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::time::{Clock, SystemClock, Timestamp};

    const WRITERS_OWN: &str = "annals-writer";

    /// Notes which thread asked for the time last: the thread that writes an event gives it its
    /// time.
    #[derive(Default)]
    struct Asked(Mutex<String>);

    impl Asked {
        fn by(&self) -> String {
            self.0.lock().expect("no panic").clone()
        }
    }

    impl Clock for Asked {
        fn now(&self) -> Timestamp {
            let name = thread::current().name().unwrap_or_default().to_owned();
            *self.0.lock().expect("no panic") = name;
            SystemClock.now()
        }

        fn monotonic_ms(&self) -> u64 {
            SystemClock.monotonic_ms()
        }

        fn boot(&self) -> &str {
            SystemClock.boot()
        }
    }

    fn store() -> (Archive, Arc<Asked>) {
        let asked = Arc::new(Asked::default());
        let options = Options {
            journal_bytes: 64 << 10,
            clock: Arc::<Asked>::clone(&asked),
            ..Options::default()
        };
        let archive = Archive::create_on(Arc::new(SimDisk::new()), options).expect("made");
        (archive, asked)
    }

    fn new() -> NewEntry {
        NewEntry {
            converter: "ICT".to_owned(),
            ..NewEntry::default()
        }
    }

    fn put(archive: &Archive, content: &[u8]) {
        archive.put(new(), content).expect("archived");
    }

    fn leader(archive: &Archive) -> &Leader {
        &archive.channels().expect("open for writing").leader
    }

    #[test]
    fn a_caller_alone__runs_the_writer_inline() {
        let (archive, asked) = store();
        let me = thread::current()
            .name()
            .expect("tests have names")
            .to_owned();
        // The writer's thread may hold the lock a moment longer than anybody waits for it.
        let until_it_is_free = || drop(leader(&archive).writer.lock().expect("no panic"));
        until_it_is_free();
        put(&archive, b"alone");
        assert_eq!(asked.by(), me);
        let another = leader(&archive).wait();
        put(&archive, b"one of two");
        assert_eq!(asked.by(), WRITERS_OWN);
        drop(another);
        until_it_is_free();
        put(&archive, b"alone again");
        assert_eq!(asked.by(), me);
    }

    #[test]
    fn a_caller_while_another_writes__is_queued() {
        let (archive, asked) = store();
        put(&archive, b"first");
        let turn = leader(&archive).writer.lock().expect("no panic");
        thread::scope(|scope| {
            let caller = scope.spawn(|| put(&archive, b"second"));
            let requests = &archive.channels().expect("open for writing").requests;
            while requests.is_empty() && !caller.is_finished() {
                thread::yield_now();
            }
            drop(turn);
        });
        assert_eq!(asked.by(), WRITERS_OWN);
    }

    /// A caller who runs the writer waits for a sealed journal file when all are full. The file
    /// comes through the channel that the writer thread watches, too. If that thread took it
    /// without the lock, both would wait for each other.
    #[test]
    fn an_inline_writer__gets_the_journal_file_it_waits_for() {
        let (archive, asked) = store();
        let (hold, held) = mpsc::channel::<()>();
        let sealer_waits = archive.clone();
        thread::scope(|scope| {
            // Nothing is sealed until this test lets go.
            let held_up = scope.spawn(move || {
                sealer_waits.run_in_background(move |_| {
                    let _ = held.recv();
                    Ok(())
                })
            });
            let (tell, told) = mpsc::channel();
            let caller = archive.clone();
            thread::Builder::new()
                .name("caller".to_owned())
                .spawn(move || {
                    let noise = (0_u64..)
                        .flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes().to_owned());
                    let bytes: Vec<u8> = noise.take(1 << 20).collect();
                    bytes
                        .chunks(16 << 10)
                        .for_each(|content| put(&caller, content));
                    let _ = tell.send(());
                })
                .expect("started");
            let early = told.recv_timeout(Duration::from_millis(300));
            assert!(early.is_err(), "more was taken than all journal files hold");
            assert_eq!(asked.by(), "caller");
            drop(hold);
            let done = told.recv_timeout(Duration::from_secs(60));
            assert!(
                done.is_ok(),
                "the caller and the writer's thread wait for each other"
            );
            held_up
                .join()
                .expect("no panic")
                .expect("held up and let go");
        });
        assert_eq!(asked.by(), "caller");
    }

    #[test]
    fn a_closed_store__has_no_writer() {
        let (archive, _) = store();
        let kept = archive.clone();
        archive.close().expect("closed");
        assert!(leader(&kept).writer.lock().expect("no panic").is_none());
        assert!(kept.put(new(), &b"late"[..]).is_err());
    }
}
