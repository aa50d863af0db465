//! The signing thread: makes checkpoints when they are due, and the last one at close.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::archive::handle::{Archive, Channels};
use crate::archive::signing::checkpoint::{Recorder, check_key};
use crate::archive::state::store::Store;
use crate::id::EventSeq;
use crate::time::Stopwatch;
use crate::{Error, Result};

/// How long to wait before a checkpoint that failed is tried again.
const RETRY: Duration = Duration::from_mins(1);

impl Archive {
    /// Starts the signing thread, if there is a key. Fails if it is not the key that the log names.
    pub(in crate::archive) fn start_signing(&self) -> Result<()> {
        let store = self.store();
        let Some(signer) = store.signing.signer().filter(|_| self.is_writable()) else {
            return Ok(());
        };
        check_key(store, signer.vkey())?;
        let channels = self.channels()?.clone();
        let store = Arc::clone(store);
        self.store().signing.start(|woken| {
            thread::Builder::new()
                .name("annals-signer".to_owned())
                .spawn(move || run(&store, &channels, &woken))
                .map_err(|error| Error::io("start", "a thread", error))
        })
    }
}

/// Makes checkpoints until the store is closed. Returns why the last one failed.
fn run(store: &Arc<Store>, channels: &Channels, woken: &Receiver<()>) -> Result<()> {
    let signing = &store.signing;
    let recorder = Recorder {
        store,
        channels,
        actor: None,
    };
    let mut since: Option<Stopwatch> = None;
    loop {
        let (covered, newest) = (signing.covered(), store.watermark.newest());
        let is_ending = signing.is_ending();
        if newest <= covered {
            if is_ending {
                return Ok(());
            }
            since = None;
            signing.wake_at(covered.next());
            if store.watermark.newest() <= covered && woken.recv().is_err() {
                return Ok(());
            }
            continue;
        }
        let cadence = signing.work().declared;
        let cadence = cadence.or(store.options.cadence).unwrap_or_default();
        let full = EventSeq(covered.0.saturating_add(cadence.every_events));
        let left = since
            .get_or_insert_with(Stopwatch::start)
            .left_of(cadence.every);
        if is_ending || newest >= full || left.is_zero() {
            match recorder.checkpoint() {
                Ok(_) => since = None,
                Err(error) if is_ending => return Err(error),
                Err(_) => drop(woken.recv_timeout(RETRY)),
            }
            continue;
        }
        signing.wake_at(full);
        if store.watermark.newest() < full {
            // Time is up, the log has come far enough, or the store is being closed.
            let _ = woken.recv_timeout(left);
        }
    }
}
