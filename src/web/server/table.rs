//! The open connections: how many there may be, and which is closed for a new one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::connection::{Served, serve};
use super::tls::Tls;
use crate::web::visitor::Peer;

/// Most connections at a time. The oldest that waits for a request is closed for a further one.
const CONNECTIONS_MAX: usize = 512;
/// How long requests may go on after the server was told to stop.
pub(super) const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// The pause after an error of the system, such as too few file handles.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A connection as the table sees it.
pub(super) struct Place {
    /// True until the last byte of an answer is sent.
    pub(super) is_busy: Arc<AtomicBool>,
    /// Tells the connection to close.
    pub(super) close: Notify,
    pub(super) peer: Peer,
}

/// The open connections by age.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<BTreeMap<u64, Arc<Place>>>>);

impl Table {
    fn places(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Place>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, for which the oldest idle connection is closed if there are too many.
    /// `None` when all are busy.
    fn take(&self, number: u64, peer: Peer) -> Option<Arc<Place>> {
        let mut places = self.places();
        if places.len() >= CONNECTIONS_MAX {
            let idle = |place: &Place| !place.is_busy.load(Ordering::Relaxed);
            let oldest = places.iter().find(|(_, place)| idle(place));
            let oldest = oldest.map(|(number, _)| *number)?;
            if let Some(place) = places.remove(&oldest) {
                place.close.notify_one();
            }
        }
        let place = Arc::new(Place {
            is_busy: Arc::default(),
            close: Notify::new(),
            peer,
        });
        places.insert(number, Arc::clone(&place));
        Some(place)
    }

    fn leave(&self, number: u64) {
        self.places().remove(&number);
    }
}

/// Serves connections until told to stop.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    service: impl Served,
    mut stopped: watch::Receiver<bool>,
) {
    let table = Table::default();
    let (all_gone, mut gone) = tokio::sync::mpsc::channel::<()>(1);
    for number in 0_u64.. {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        let Some(place) = table.take(number, Peer(peer.ip())) else {
            continue;
        };
        // Answers are small and written whole.
        let _ = stream.set_nodelay(true);
        let (table, service, tls) = (table.clone(), service.clone(), tls.clone());
        let (stopped, here) = (stopped.clone(), all_gone.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, service, &place, stopped).await,
                Some(tls) => {
                    let shaken = tokio::select! {
                        shaken = timeout(HANDSHAKE, tls.0.accept(stream)) => shaken.ok(),
                        () = place.close.notified() => None,
                    };
                    if let Some(Ok(stream)) = shaken {
                        serve(stream, service, &place, stopped).await;
                    }
                }
            }
            table.leave(number);
            drop(here);
        });
    }
    drop(all_gone);
    drop(listener);
    let _ = timeout(LAST_ANSWERS, gone.recv()).await;
}
