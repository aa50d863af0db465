//! Which requests are answered. The guard stands before all routes.
//!
//! - `names`: the names of this server in `Host`;
//! - `sign_in`: the token, login links and sessions;
//! - `login`: the page that takes a login link, and signing out;
//! - `wrong`: slows down whoever tries many secrets;
//! - `origin`: requests that a foreign page made a browser send;
//! - `headers`: what every answer tells the browser to forbid.

mod headers;
mod login;
mod names;
mod origin;
mod sign_in;
mod wrong;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{FromRef, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub(in crate::web) use login::routes;
pub(in crate::web) use names::{Foreign, Names};
pub(crate) use sign_in::Secret;
pub(in crate::web) use sign_in::{Admitted, Proof, SignIn};
use wrong::Wrong;

use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::{Peer, SignedIn};
use crate::{ErrorKind, Result};

/// How the page is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(in crate::web) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Decides about each request.
pub(in crate::web) struct Guard {
    pub(in crate::web) names: Names,
    pub(in crate::web) sign_in: SignIn,
    pub(in crate::web) scheme: Scheme,
    wrong: Wrong,
    address: SocketAddr,
}

impl Guard {
    pub(in crate::web) fn new(
        address: SocketAddr,
        scheme: Scheme,
        names: Vec<String>,
        token: &Secret,
        account: String,
    ) -> Self {
        // Ports do not separate cookies: two servers on one machine need two names.
        let cookie = match scheme {
            Scheme::Http => format!("annals-session-{}", address.port()),
            Scheme::Https => format!("__Host-annals-session-{}", address.port()),
        };
        Self {
            names: Names::new(address, names),
            sign_in: SignIn::new(token, account, cookie),
            scheme,
            wrong: Wrong::default(),
            address,
        }
    }

    /// Returns the address of the first page.
    pub(in crate::web) fn url(&self) -> String {
        format!("{}://{}/", self.scheme.name(), self.address)
    }

    /// Returns a link that signs `account` in once.
    ///
    /// The key is in the fragment, which browsers send to no server and write into no log.
    pub(in crate::web) fn login_link(&self, account: String) -> Result<String> {
        let key = self.sign_in.new_key(account)?;
        Ok(format!("{}login#{}", self.url(), key.as_str()))
    }
}

/// The guard, and what it guards.
#[derive(Clone)]
pub(in crate::web) struct Door {
    pub(in crate::web) guard: Arc<Guard>,
    pub(in crate::web) web: Web,
}

impl FromRef<Door> for Arc<Guard> {
    fn from_ref(door: &Door) -> Self {
        Self::clone(&door.guard)
    }
}

impl FromRef<Door> for Web {
    fn from_ref(door: &Door) -> Self {
        door.web.clone()
    }
}

/// Lets a request through to the routes, or says why not.
pub(in crate::web) async fn stand(
    State(door): State<Door>,
    mut request: Request,
    next: Next,
) -> Response {
    let answer = match admit(&door, &request) {
        Ok(admitted) => {
            if let Some(Admitted { account, .. }) = admitted {
                request.extensions_mut().insert(SignedIn { account });
            }
            next.run(request).await
        }
        Err(refusal) => {
            // A session that is over is nothing that somebody tries.
            let has_token = request.headers().contains_key(header::AUTHORIZATION);
            if has_token && refusal.status() == StatusCode::UNAUTHORIZED {
                let peer = Peer::of(request.extensions());
                door.web.refused_sign_in(peer, "token").await;
                door.guard.wrong.slow_down().await;
            }
            refusal
        }
    };
    headers::forbid(answer)
}

/// Returns who is let through; nobody in particular where no sign-in is needed.
#[expect(clippy::result_large_err, reason = "a refusal is the answer itself")]
fn admit(door: &Door, request: &Request) -> Result<Option<Admitted>, Response> {
    let (guard, headers) = (&door.guard, request.headers());
    guard
        .names
        .check(request.uri(), headers, &door.web.listed_names())
        .map_err(|foreign| refuse_name(&foreign))?;
    let admitted = guard.sign_in.who(headers);
    let is_known = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE
    );
    // Who is signed in is told which methods this very address takes.
    if !is_known && admitted.is_none() {
        let problem = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::Invalid,
            "there are only GET, HEAD, POST, PUT and DELETE",
        );
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");
        return Err(([(header::ALLOW, allow)], problem).into_response());
    }
    let is_token = matches!(&admitted, Some(who) if who.proof == Proof::Token);
    if !is_token {
        origin::check(request).map_err(IntoResponse::into_response)?;
    }
    if admitted.is_none() && !is_open(request.uri().path()) {
        return Err(login::ask(request));
    }
    Ok(admitted)
}

/// Returns true for what is answered to anybody: whether the server is well, and the page that
/// signs in, with its style and script.
fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | "/login") || path.starts_with("/assets/")
}

fn refuse_name(foreign: &Foreign) -> Response {
    match foreign {
        Foreign::Malformed(how) => Problem::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::Invalid,
            &format!("a request names one valid Host: {how}"),
        )
        .into_response(),
        Foreign::Named(host) => Problem::new(
            StatusCode::FORBIDDEN,
            ErrorKind::Refused,
            &format!("this server is not called so: the request said \"Host: {host}\""),
        )
        .hint(
            "use the address that was printed, or allow the name: with --name of annals serve, \
             or listen_names in [host] of the configuration",
        )
        .into_response(),
    }
}
