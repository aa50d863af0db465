//! Listening: connections and their limits, TLS, and stopping.
//!
//! All connections are served by one thread. What blocks runs on other threads, whose number is
//! limited.

mod bodies;
mod connection;
mod patience;
mod table;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use tokio::sync::watch;
use tokio::time::timeout;
use tower::Layer;

use crate::web::guard::{self, Door, Guard, Scheme, Secret};
use crate::web::routes::routes;
use crate::web::state::{Subject, Web};
use crate::{Error, ErrorKind, Result};
use table::LAST_ANSWERS;
use tls::Tls;
pub(crate) use tls::TlsFiles;

/// Most threads that do blocking work at a time. Further work waits.
const BLOCKING_THREADS_MAX: usize = 16;
/// How often refused sign-ins that were only counted are recorded.
const SIGN_INS_EVERY: Duration = Duration::from_mins(1);

/// How a server is set up.
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<TlsFiles>,
    /// Names besides those of this machine that `Host` may contain.
    pub(crate) names: Vec<String>,
    /// What programs sign in with.
    pub(crate) token: Secret,
    /// The account that the token stands for.
    pub(crate) account: String,
}

/// A server that listens, but does not answer yet.
pub(crate) struct Server {
    listener: TcpListener,
    tls: Option<Tls>,
    guard: Arc<Guard>,
}

/// Tells a server to stop. All clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stop {
    /// Ends [`Server::run`] after the answers that are being sent.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// The entrance of a page: where it is, and how people and programs get in.
#[derive(Clone)]
pub(crate) struct Entrance {
    guard: Arc<Guard>,
    token: Secret,
}

impl Entrance {
    /// Returns the address of the first page.
    pub(crate) fn url(&self) -> String {
        self.guard.url()
    }

    /// Returns a new link that signs `account` in once.
    pub(crate) fn login_link(&self, account: String) -> Result<String> {
        self.guard.login_link(account)
    }

    /// Returns what programs sign in with.
    pub(crate) fn token(&self) -> &str {
        self.token.as_str()
    }
}

impl Server {
    /// Listens on an address.
    ///
    /// # Errors
    /// When the address is in use, does not belong to this machine, or may be reached from other
    /// machines without TLS; when a certificate cannot be used.
    pub(crate) fn bind(settings: Settings) -> Result<(Self, Entrance)> {
        let Settings {
            listen,
            tls,
            names,
            token,
            account,
        } = settings;
        if !listen.ip().is_loopback() && tls.is_none() {
            return Err(open_to_all(listen));
        }
        let tls = tls.as_ref().map(Tls::read).transpose()?;
        let failed = |error| Error::io("listen on", listen.to_string(), error);
        let listener = TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let scheme = match tls {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        };
        let guard = Arc::new(Guard::new(address, scheme, names, &token, account));
        let entrance = Entrance {
            guard: Arc::clone(&guard),
            token,
        };
        let server = Self {
            listener,
            tls,
            guard,
        };
        Ok((server, entrance))
    }

    /// Answers requests about a subject until told to stop.
    pub(crate) fn run(self, subject: Subject, stop: &Stop) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("annals-web-work")
            .build()
            .map_err(|error| Error::io("serve", "the page", error))?;
        let web = Web::new(subject);
        let own = web.clone();
        let door = Door {
            guard: self.guard,
            web: web.clone(),
        };
        let routes = routes(web.clone()).merge(guard::routes(door.clone()));
        let service = from_fn_with_state(door, guard::stand).layer(routes);
        let stopped = stop.0.subscribe();
        let done = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            let ending = web.clone();
            let mut told = stopped.clone();
            tokio::spawn(async move {
                while timeout(SIGN_INS_EVERY, told.wait_for(|stop| *stop))
                    .await
                    .is_err()
                {
                    ending.record_sign_ins_waiting().await;
                }
                ending.hub().end();
            });
            table::accept(listener, self.tls, service, stopped).await;
            web.hub().end();
            Ok(())
        });
        // Jobs end before the store is closed: what they work on is killed, the rest waits.
        own.stop();
        // Work that does not end by then is left alone; what it records is recorded whole.
        runtime.shutdown_timeout(LAST_ANSWERS);
        done.map_err(|error| Error::io("serve", "the page", error))
    }
}

fn open_to_all(listen: SocketAddr) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("{listen} may be reached from other machines, and what is asked there could be read on the way"),
    )
    .hint(
        "give a certificate: --tls-certificate and --tls-key, or tls_certificate and tls_key in \
         [host]; or listen on 127.0.0.1",
    )
}
