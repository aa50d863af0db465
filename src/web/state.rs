//! What all requests share: the store, the host that runs beside it, and the threads that may
//! block.

use std::path::PathBuf;
use std::sync::Arc;

use crate::Result;
use crate::archive::Archive;
use crate::host::Host;
use crate::web::problem::Problem;
use crate::web::selections::Selections;
use crate::web::visitor::Visitor;

/// What the page is about.
pub(crate) struct Subject {
    /// The open store.
    pub(crate) archive: Archive,
    /// The host that runs in this process, if one does.
    pub(crate) host: Option<Arc<Host>>,
    /// The configuration file, if one is known.
    pub(crate) config: Option<PathBuf>,
}

/// The state of the server. Clones share it.
#[derive(Clone)]
pub(in crate::web) struct Web {
    subject: Arc<Subject>,
    selections: Arc<Selections>,
}

impl Web {
    pub(in crate::web) fn new(subject: Subject) -> Self {
        Self {
            subject: Arc::new(subject),
            selections: Arc::default(),
        }
    }

    /// Returns the selections of all visitors.
    pub(in crate::web) fn selections(&self) -> &Arc<Selections> {
        &self.selections
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
        };
        match tokio::task::spawn_blocking(move || work(&desk)).await {
            Ok(done) => done.map_err(Problem::from),
            Err(_) => Err(Problem::panicked()),
        }
    }
}

/// What one request works with.
pub(in crate::web) struct Desk {
    /// The store; what is recorded through it names the visitor.
    pub(in crate::web) archive: Archive,
    pub(in crate::web) host: Option<Arc<Host>>,
    pub(in crate::web) config: Option<PathBuf>,
    pub(in crate::web) visitor: Visitor,
}
