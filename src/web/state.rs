//! What all requests share: the store, the host that runs beside it, and the threads that may
//! block.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::Result;
use crate::archive::Archive;
use crate::event::Door;
use crate::host::{Host, HostStatus};
use crate::service::jobs::Digests;
use crate::service::reprocess::JobRunner;
use crate::service::retention::Plans;
use crate::service::status::{Owner, OwnerStatus};
use crate::time::Stopwatch;
use crate::web::exports::Exports;
use crate::web::figures::SharedFigures;
use crate::web::hub::Hub;
use crate::web::problem::Problem;
use crate::web::selections::Selections;
use crate::web::visitor::{Peer, Visitor};

/// How long the status of a host is reused.
const FRESH: Duration = Duration::from_millis(500);
/// Entries that are stepped through at a time, by all visitors.
const STEPS_MAX: usize = 2;

/// What the page is about.
pub(crate) struct Subject {
    /// The open store.
    pub(crate) archive: Archive,
    /// The host that runs in this process, if one does.
    pub(crate) host: Option<Arc<Host>>,
    /// What this process says about itself as the owner of the store.
    pub(crate) owner: Option<Arc<Owner>>,
    /// The configuration file, if one is known.
    pub(crate) config: Option<PathBuf>,
}

/// The state of the server. Clones share it.
#[derive(Clone)]
pub(in crate::web) struct Web {
    subject: Arc<Subject>,
    selections: Arc<Selections>,
    exports: Arc<Exports>,
    /// What the store is called.
    store_name: Arc<str>,
    hub: Arc<Hub>,
    /// What the host said about itself a moment ago.
    latest: Arc<Mutex<Option<(Stopwatch, HostStatus)>>>,
    jobs: Arc<JobRunner>,
    digests: Arc<Digests>,
    purges: Arc<Plans>,
    steps: Arc<Semaphore>,
    figures: Arc<SharedFigures>,
}

impl Web {
    pub(in crate::web) fn new(subject: Subject) -> Self {
        let store_name = store_name(subject.archive.dir());
        Self {
            hub: Arc::new(Hub::new(subject.archive.clone())),
            exports: Arc::new(Exports::begin(&subject.archive)),
            subject: Arc::new(subject),
            selections: Arc::default(),
            store_name,
            latest: Arc::default(),
            jobs: Arc::default(),
            digests: Arc::default(),
            purges: Arc::default(),
            steps: Arc::new(Semaphore::new(STEPS_MAX)),
            figures: Arc::default(),
        }
    }

    /// Ends what runs beside the requests: jobs, previews, comparisons. Waits for it.
    pub(in crate::web) fn stop(&self) {
        self.exports.stop();
        self.digests.stop();
        self.jobs.stop();
    }

    /// Returns the right to convert one entry without recording it; `None` while others do.
    pub(in crate::web) fn step_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.steps).try_acquire_owned().ok()
    }

    /// Returns the figures that open pages share.
    pub(in crate::web) fn figures(&self) -> &Arc<SharedFigures> {
        &self.figures
    }

    /// Returns the selections of all visitors.
    pub(in crate::web) fn selections(&self) -> &Arc<Selections> {
        &self.selections
    }

    /// Returns who tells new events.
    pub(in crate::web) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Returns the names that the configuration of the host lists for it.
    pub(in crate::web) fn listed_names(&self) -> Vec<String> {
        let host = self.subject.host.as_ref();
        host.map(|host| host.listen_names()).unwrap_or_default()
    }

    /// Returns what the host says about itself, if there is one. It may be a moment old, because
    /// asking costs more than answering.
    pub(in crate::web) async fn host_status(&self) -> Option<HostStatus> {
        let host = self.subject.host.clone()?;
        let latest = Arc::clone(&self.latest);
        let status = blocking(move || {
            let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(match &*latest {
                Some((since, status)) if since.elapsed() < FRESH => status.clone(),
                _ => {
                    let status = host.status();
                    *latest = Some((Stopwatch::start(), status.clone()));
                    status
                }
            })
        });
        status.await.ok()
    }

    /// Returns what the host and the process around it say; `None` when no host runs here.
    pub(in crate::web) async fn owner_status(&self) -> Option<OwnerStatus> {
        let host = self.host_status().await?;
        let owner = self.subject.owner.as_ref()?;
        Some(owner.status_with(Some(host)))
    }

    pub(in crate::web) fn store_name(&self) -> Arc<str> {
        self.store_name.clone()
    }

    /// Runs work on the store for a visitor, on a thread that may block.
    ///
    /// A visitor who goes away does not end the work: what is recorded is recorded whole.
    pub(in crate::web) async fn work<T: Send + 'static>(
        &self,
        visitor: &Visitor,
        work: impl FnOnce(&Desk) -> Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let desk = Desk {
            archive: self.subject.archive.lend(visitor.actor()),
            host: self.subject.host.clone(),
            config: self.subject.config.clone(),
            visitor: visitor.clone(),
            selections: Arc::clone(&self.selections),
            exports: Arc::clone(&self.exports),
            jobs: Arc::clone(&self.jobs),
            digests: Arc::clone(&self.digests),
            purges: Arc::clone(&self.purges),
        };
        blocking(move || work(&desk)).await
    }

    /// Records that somebody at an address was not let in, with what they tried.
    ///
    /// Where it cannot be recorded, such as on a full disk, they are not let in all the same.
    pub(in crate::web) async fn refused_sign_in(&self, from: Peer, how: &'static str) {
        let archive = self.subject.archive.clone();
        let record = move || archive.record_refused_sign_in(Door::Web, &from.0.to_string(), how);
        let _ = blocking(record).await;
    }

    /// Does what is due every minute: records the refused sign-ins that were counted, and removes
    /// what is kept no longer.
    pub(in crate::web) async fn record_sign_ins_waiting(&self) {
        let archive = self.subject.archive.clone();
        let exports = Arc::clone(&self.exports);
        let _ = blocking(move || {
            exports.sweep();
            archive.record_sign_ins_waiting()
        })
        .await;
    }

    /// Returns why the store cannot be written to, if it cannot.
    pub(in crate::web) async fn store_trouble(&self) -> Option<String> {
        let archive = self.subject.archive.clone();
        let trouble =
            blocking(move || Ok(archive.can_write().err().map(|error| error.to_string())));
        trouble
            .await
            .unwrap_or_else(|problem| Some(problem.detail().to_owned()))
    }
}

/// Runs work on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let (tell, told) = oneshot::channel();
    // Boxed, because otherwise all that a task consists of is compiled for each kind of work.
    let work: Box<dyn FnOnce() + Send> = Box::new(move || drop(tell.send(work())));
    tokio::task::spawn_blocking(work);
    match told.await {
        Ok(done) => done.map_err(Problem::from),
        Err(_) => Err(Problem::panicked()),
    }
}

/// What one request works with.
pub(in crate::web) struct Desk {
    /// The store; what is recorded through it names the visitor.
    pub(in crate::web) archive: Archive,
    pub(in crate::web) host: Option<Arc<Host>>,
    pub(in crate::web) config: Option<PathBuf>,
    pub(in crate::web) visitor: Visitor,
    /// The frozen selections of all visitors.
    pub(in crate::web) selections: Arc<Selections>,
    /// The evidence bundles of all visitors.
    pub(in crate::web) exports: Arc<Exports>,
    /// Runs jobs and previews.
    pub(in crate::web) jobs: Arc<JobRunner>,
    /// What jobs changed.
    pub(in crate::web) digests: Arc<Digests>,
    /// Plans of purges.
    pub(in crate::web) purges: Arc<Plans>,
}

/// Returns what a store is called: its folder within the one around it, because many stores lie in
/// a folder that is just called `store`.
fn store_name(dir: &Path) -> Arc<str> {
    let own = dir.file_name().unwrap_or_default().to_string_lossy();
    let around = dir.parent().and_then(Path::file_name);
    match around {
        Some(around) => format!("{}/{own}", around.to_string_lossy()).into(),
        None => own.into(),
    }
}
