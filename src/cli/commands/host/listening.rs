//! What a host answers at `listen`: the page and the API, or `/healthz` and `/metrics` alone.

#[cfg(feature = "serve")]
use std::sync::Arc;

use crate::cli::run::Context;
use crate::cli::store::State;
use crate::host::{Archives, Config, Listener};
#[cfg(feature = "serve")]
use crate::web::{Entrance, Secret, Server, Settings, Stop as StopServer, Subject, TlsFiles};
use crate::{Error, Result};

/// A socket that listens before the host opens its stores, so that a wrong address ends it early.
#[expect(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub(super) enum Listening {
    Nowhere,
    /// For `/healthz` and `/metrics`.
    Health(Listener),
    /// For the page and the API.
    #[cfg(feature = "serve")]
    Page(Box<(Server, Entrance)>),
}

/// What answers while the host runs.
#[expect(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub(super) enum Open {
    Nothing,
    Health(Listener),
    #[cfg(feature = "serve")]
    Page(Box<(Server, Subject)>),
}

impl Listening {
    /// Listens where the configuration says.
    pub(super) fn begin(config: &Config, once: bool, context: &Context<'_>) -> Result<Self> {
        let Some(address) = config.listen.filter(|_| !once) else {
            return Ok(Self::Nowhere);
        };
        #[cfg(feature = "serve")]
        if address.ip().is_loopback() || config.tls.is_some() {
            let token = match &config.token_file {
                Some(file) => Secret::of_file(file)?,
                None => Secret::random()?,
            };
            let tls = config.tls.clone();
            let bound = Server::bind(Settings {
                listen: address,
                tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
                names: Vec::new(),
                token,
                account: context.caller_env().account(),
            });
            let hint = "choose another `listen` in [host], or leave it out";
            return Ok(Self::Page(Box::new(bound.map_err(
                |error| match error.next_step() {
                    Some(_) => error,
                    None => error.hint(hint),
                },
            )?)));
        }
        let _ = context;
        Listener::bind(address).map(Self::Health)
    }

    /// Returns what is said about it when the host starts.
    pub(super) fn told(&self) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::Health(listener) => {
                let address = listener.address()?;
                let mut told = format!("http://{address}/healthz and /metrics");
                if !address.ip().is_loopback() {
                    told += "; the page needs tls_certificate and tls_key here";
                }
                Some(told)
            }
            #[cfg(feature = "serve")]
            Self::Page(page) => {
                let url = page.1.url();
                Some(format!(
                    "{url} with /healthz and /metrics; `annals serve` prints a link that signs in"
                ))
            }
        }
    }

    /// Returns what answers about the opened stores. The page is that of the first store.
    pub(super) fn open(self, archives: &Archives, state: &State) -> Open {
        #[cfg(not(feature = "serve"))]
        let _ = (archives, state);
        match self {
            Self::Nowhere => Open::Nothing,
            Self::Health(listener) => Open::Health(listener),
            #[cfg(feature = "serve")]
            Self::Page(page) => {
                let (server, entrance) = *page;
                let (Some(archive), Some(host)) = (archives.iter().next(), state.owner.host())
                else {
                    return Open::Nothing;
                };
                let subject = Subject {
                    archive: archive.clone(),
                    config: Some(host.config().path),
                    host: Some(host.clone()),
                    owner: Some(Arc::clone(&state.owner)),
                };
                state.open_entrance(entrance);
                Open::Page(Box::new((server, subject)))
            }
        }
    }
}

impl Open {
    /// Answers while `work` goes on. Returns why the page could not be served, if so.
    pub(super) fn while_open(self, work: impl FnOnce(Option<Listener>)) -> Option<Error> {
        match self {
            Self::Nothing => {
                work(None);
                None
            }
            Self::Health(listener) => {
                work(Some(listener));
                None
            }
            #[cfg(feature = "serve")]
            Self::Page(page) => {
                let (server, subject) = *page;
                let stop = StopServer::default();
                std::thread::scope(|scope| {
                    let thread = std::thread::Builder::new().name("annals-web".to_owned());
                    let serving = thread.spawn_scoped(scope, || server.run(subject, &stop));
                    work(None);
                    stop.stop();
                    match serving {
                        // The panic hook has reported a panic.
                        Ok(serving) => serving.join().ok()?.err(),
                        Err(error) => Some(Error::io("start", "the thread of the page", error)),
                    }
                })
            }
        }
    }
}
