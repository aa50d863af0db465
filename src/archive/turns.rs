//! Whose turn it is to write: that of the writer's own thread, which gathers what several callers hand in, or that of a
//! caller who is alone. He would wait until that thread wakes, and then until it wakes him, for nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Select, TryRecvError};

use crate::archive::shared::{FailOnPanic, Shared};
use crate::archive::writer::{Control, Request, Writer};

/// The writer, for one thread at a time.
pub(super) struct Turns {
    shared: Arc<Shared>,
    /// Nothing once it was told to stop, or a thread panicked while it had it.
    writer: Mutex<Option<Writer>>,
    /// Callers who wait to hear that something is durable.
    waiting: AtomicUsize,
    /// The writer's own thread takes no request any more.
    over: AtomicBool,
}

impl Turns {
    pub(super) fn new(shared: Arc<Shared>, writer: Writer) -> Self {
        Self {
            shared,
            writer: Mutex::new(Some(writer)),
            waiting: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Counts the caller among those who wait, until the answer is dropped.
    pub(super) fn wait(&self) -> Waiting<'_> {
        let others = self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting {
            turns: self,
            is_alone: others == 0,
        }
    }

    /// Counts a record in flight among those that somebody waits for, until the answer is dropped.
    /// A caller beside it is not alone, and so does not overtake it.
    pub(super) fn fly(self: &Arc<Self>) -> Flight {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Flight(Arc::clone(self))
    }

    /// True once the writer's own thread has ended. A request that was handed in before that was seen is answered, or
    /// dropped with its reply; one that is handed in later may stay where it is for as long as the store is open.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// What the writer's own thread does: works until told to stop, or until nobody can ask any more.
    pub(super) fn run(&self, requests: &Receiver<Request>, controls: &Receiver<Control>) {
        let _dropping = DropRequests {
            over: &self.over,
            requests,
        };
        let _letting_go = self.let_go_on_panic("the writing thread");
        let mut something = Select::new();
        something.recv(controls);
        something.recv(requests);
        loop {
            something.ready();
            // Nothing is taken before it is this thread's turn: a caller who waits for an empty journal file, as the
            // writer, would wait for ever for one that was taken out of the channel here.
            let Ok(mut turn) = self.writer.lock() else {
                // Whoever it was may not have come to say so yet.
                self.shared.fail(
                    "BUG: a thread panicked while it wrote; nothing more is written".to_owned(),
                );
                self.let_go();
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

impl Turns {
    /// Drops a writer that a thread panicked with. What is in its channels is dropped with it and
    /// with the writer's own thread, so everybody who waits for an answer from there is told.
    fn let_go(&self) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn let_go_on_panic(&self, thread: &'static str) -> LetGoOnPanic<'_> {
        LetGoOnPanic {
            turns: self,
            failing: Some(FailOnPanic::new(&self.shared, thread)),
        }
    }
}

/// Drops what is in the channel of requests when the writer's own thread ends. The channel keeps its messages for as long as
/// anybody can send, so whoever waits for an answer would wait for ever.
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

/// Drops the writer when the thread that has it panics, after noting why.
struct LetGoOnPanic<'a> {
    turns: &'a Turns,
    failing: Option<FailOnPanic<'a>>,
}

impl Drop for LetGoOnPanic<'_> {
    fn drop(&mut self) {
        let panics = self.failing.take().is_some_and(|failing| failing.panics());
        if panics {
            self.turns.let_go();
        }
    }
}

/// A caller who waits to hear that something is durable.
pub(super) struct Waiting<'a> {
    turns: &'a Turns,
    is_alone: bool,
}

impl Waiting<'_> {
    /// Does what is asked here and now, if nobody else waits and nobody writes; else gives it back, for the writer's thread.
    /// Several callers share a sync there, so no turn is taken from it while there are more.
    pub(super) fn serve_if_alone(&self, request: Request) -> Result<(), Request> {
        if !self.is_alone {
            return Err(request);
        }
        let _letting_go = self.turns.let_go_on_panic("a caller's thread");
        match self.turns.writer.try_lock().as_deref_mut() {
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
        self.turns.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A record in flight, counted among those that somebody waits for.
pub(super) struct Flight(Arc<Turns>);

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

    /// Notes which thread asked for the time last: an event gets its time from the one who writes it.
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

    fn turns(archive: &Archive) -> &Turns {
        &archive.channels().expect("open for writing").turns
    }

    #[test]
    fn a_caller_who_is_alone_writes_himself_and_one_of_several_leaves_it_to_the_writers_thread() {
        let (archive, asked) = store();
        let me = thread::current()
            .name()
            .expect("tests have names")
            .to_owned();
        put(&archive, b"alone");
        assert_eq!(asked.by(), me);
        let another = turns(&archive).wait();
        put(&archive, b"one of two");
        assert_eq!(asked.by(), WRITERS_OWN);
        drop(another);
        put(&archive, b"alone again");
        assert_eq!(asked.by(), me);
    }

    #[test]
    fn a_caller_who_is_alone_does_not_wait_for_the_turn_of_another_but_is_served_after_it() {
        let (archive, asked) = store();
        put(&archive, b"first");
        let turn = turns(&archive).writer.lock().expect("no panic");
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

    /// A caller who writes waits for a sealed journal file to come back when all are full. It comes through the channel that
    /// the writer's thread watches, too: had that taken it before its turn, both would wait for each other.
    #[test]
    fn a_caller_who_writes_gets_the_journal_file_he_waits_for() {
        let (archive, asked) = store();
        let (hold, held) = mpsc::channel::<()>();
        let sealer_waits = archive.clone();
        thread::scope(|scope| {
            // Nothing is sealed until this test lets go.
            let held_up = scope.spawn(move || {
                sealer_waits.beside_the_sealer(move |_, _| {
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
    fn nobody_is_the_writer_of_a_store_that_was_closed() {
        let (archive, _) = store();
        let kept = archive.clone();
        archive.close().expect("closed");
        assert!(turns(&kept).writer.lock().expect("no panic").is_none());
        assert!(kept.put(new(), &b"late"[..]).is_err());
    }
}
