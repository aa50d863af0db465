//! Opens the store, listens, and answers until it is told to end.

use std::sync::Arc;

use serde::Serialize;

use super::arguments::Args;
use super::browser;
use crate::archive::{Access, Archive};
use crate::cli::owner::Endpoint;
use crate::cli::render::path_text;
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::store::State;
use crate::service::status::Role;
use crate::web::{Entrance, Secret, Server, Settings, Stop, Subject, TlsFiles};
use crate::{Error, ErrorKind};

/// What is printed about a page.
#[derive(Serialize)]
struct Served<'a> {
    url: &'a str,
    login: &'a str,
    token: &'a str,
}

pub(in crate::cli) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if let Some(lent) = context.owner().cloned() {
        return match lent.state.entrance() {
            Some(entrance) => {
                if args.asks_for_more_than_a_link() {
                    context.warn(
                        "the page is served already; how it is served changes only when that ends",
                    );
                }
                tell(entrance, &args, context)?;
                Ok(Exit::Done)
            }
            None => serve(&args, &lent.archive, &lent.state, context),
        };
    }
    let archive = context.open(Access::ReadWrite)?;
    let config = context.config_file();
    let config = config.as_deref().map(path_text).unwrap_or_default();
    let state = Arc::new(State::new(Role::Page, context.now(), config, Vec::new()));
    let endpoint = match Endpoint::open(&archive, &state, context.program().run_for_client) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            context.warn(format_args!(
                "nobody else can use the store in {} meanwhile: {error}",
                archive.dir().display()
            ));
            None
        }
    };
    let ended = serve(&args, &archive, &state, context);
    // Clients learn that the owner ends before the store is closed.
    drop(endpoint);
    archive.close()?;
    ended
}

fn serve(
    args: &Args,
    archive: &Archive,
    state: &State,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let is_client = context.owner().is_some();
    let tls = args.tls_certificate.as_deref().zip(args.tls_key.as_deref());
    let settings = Settings {
        listen: args.listen,
        tls: tls.map(|(certificate, key)| TlsFiles {
            certificate: context.path(certificate),
            key: context.path(key),
        }),
        names: args.names.clone(),
        token: Secret::random()?,
        account: context.caller_env().account(),
    };
    let subject = Subject {
        archive: archive.clone(),
        host: state.owner.host().cloned(),
        owner: Some(Arc::clone(&state.owner)),
        config: context.config_file(),
    };
    let (server, entrance) = Server::bind(settings).map_err(|error| taken(args, error))?;
    tell(&entrance, args, context)?;
    if !is_client {
        state.open_entrance(entrance);
    }
    let (cancel, stop) = (context.cancel_by_signal(), Stop::default());
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let served = server.run(subject, &stop);
            cancel.cancel();
            served
        });
        cancel.wait();
        stop.stop();
        serving
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    Ok(Exit::Done)
}

/// Prints where the page is, and how to get in.
fn tell(entrance: &Entrance, args: &Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let login = entrance.login_link(context.caller_env().account())?;
    let (url, token) = (entrance.url(), entrance.token());
    if context.json() {
        context.print_json(&Served {
            url: &url,
            login: &login,
            token,
        })?;
    } else {
        context.print(format!("{login}\n"))?;
        context.note(format_args!(
            "the link works once, for a quarter of an hour; run `annals serve` again for another"
        ));
    }
    context.flush()?;
    // The owner of the store may run as another user, without a screen.
    if args.open && (context.owner().is_some() || !browser::open(&login)) {
        context.note("no browser was started: open the link yourself");
    }
    Ok(())
}

/// Adds the next step to the error of an address that is in use.
fn taken(args: &Args, error: Error) -> Error {
    if error.kind() != ErrorKind::Io {
        return error;
    }
    let free = std::net::SocketAddr::new(args.listen.ip(), 0);
    error.hint(format!(
        "another program may have the port: --listen {free} takes any free one"
    ))
}
