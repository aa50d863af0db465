//! `/login`: takes the key of a login link and gives a cookie for it. `/logout` takes it back.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_extra::extract::Query;
use serde::{Deserialize, Serialize};

use super::{Door, Guard, Scheme};
use crate::ErrorKind;
use crate::web::assets;
use crate::web::problem::Problem;
use crate::web::texts::Language;
use crate::web::visitor::{Peer, Visitor, ZONE_COOKIE, is_zone_name};

/// Tells the page's script that the cookie is good. A link in a mail comes without the cookie, but
/// what the page then asks for has it.
const SIGNED_IN: &str = "annals-signed-in";
/// The longest time zone name that is kept.
const ZONE_BYTES_MAX: usize = 64;

/// Returns the routes that sign in and out.
pub(in crate::web) fn routes(door: Door) -> Router {
    Router::new()
        .route("/login", get(page).post(sign_in))
        .route("/logout", post(sign_out))
        .with_state(door)
}

/// Sends somebody who is not signed in to the page that signs in; tells a program.
pub(super) fn ask(request: &Request) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let is_page = request.method() == Method::GET
        && text("accept").is_some_and(|accepted| accepted.contains("text/html"))
        && text("hx-request").is_none();
    if is_page {
        return (StatusCode::SEE_OTHER, [(header::LOCATION, login_for(path))]).into_response();
    }
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        ErrorKind::Refused,
        "nobody is signed in, or the session is over",
    )
    .hint("run annals serve for a login link; programs send Authorization: Bearer TOKEN");
    let mut answer = problem.into_response();
    let bearer = HeaderValue::from_static("Bearer");
    answer
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, bearer);
    if text("hx-request").is_some() {
        // A part of a page cannot be the page that signs in.
        let current = text("hx-current-url").and_then(|url| url.parse().ok());
        let path = current.as_ref().and_then(axum::http::Uri::path_and_query);
        let to = login_for(path.map_or("/", |path| path.as_str()));
        if let Ok(to) = HeaderValue::try_from(to) {
            answer.headers_mut().insert("hx-redirect", to);
        }
    }
    answer
}

fn login_for(path: &str) -> String {
    if path == "/" {
        return "/login".to_owned();
    }
    let encoded = askama::filters::urlencode_strict(path);
    let encoded = encoded.map_or_else(|_| String::new(), |text| text.to_string());
    format!("/login?to={encoded}")
}

/// What stands in the address of the page: where the visitor wanted to go.
#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    to: String,
}

/// Returns a place on this server. `//evil.example` and `/\evil.example` are none.
fn place(to: &str) -> &str {
    let is_path = to.starts_with('/')
        && !to[1..].starts_with(['/', '\\'])
        && !to.contains(|c: char| c.is_control());
    if is_path { to } else { "/" }
}

#[derive(Template)]
#[template(path = "login.html", config = "src/web/askama.toml")]
struct Login<'a> {
    language: Language,
    version: &'static str,
    to: &'a str,
    /// Says who is signed in, if somebody is.
    signed_in: Option<String>,
}

impl Login<'_> {
    fn say(&self, key: &str) -> &'static str {
        self.language.say(key)
    }
}

async fn page(
    State(guard): State<Arc<Guard>>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let admitted = guard.sign_in.who(&headers);
    let page = Login {
        language: visitor.language,
        version: assets::version(),
        to: place(&wanted.to),
        signed_in: admitted.as_ref().map(|who| {
            let values = [("account", who.account.as_str())];
            visitor.language.fill("login.signed_in", &values)
        }),
    };
    let html = page.render().map_err(|error| {
        let said = format!("this page cannot be written: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Io, &said)
    })?;
    let mut answer = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    if admitted.is_some() {
        answer
            .headers_mut()
            .insert(SIGNED_IN, HeaderValue::from_static("1"));
    }
    Ok(answer)
}

/// What the page's script sends.
#[derive(Deserialize)]
struct Shown {
    key: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    to: String,
}

/// Where the script goes on.
#[derive(Serialize)]
struct Welcome {
    to: String,
}

async fn sign_in(
    State(Door { guard, web }): State<Door>,
    peer: Peer,
    Json(shown): Json<Shown>,
) -> Result<Response, Problem> {
    let Some(session) = guard.sign_in.sign_in(&shown.key)? else {
        web.refused_sign_in(peer, "login link").await;
        guard.wrong.slow_down().await;
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::Refused,
            "this login link has been used, or is too old",
        )
        .hint("run annals serve again for a new one"));
    };
    let secure = match guard.scheme {
        Scheme::Http => "",
        Scheme::Https => "; Secure",
    };
    let name = guard.sign_in.cookie_name();
    let mut answer = Json(Welcome {
        to: place(&shown.to).to_owned(),
    })
    .into_response();
    let mut set = |line: String| {
        if let Ok(value) = HeaderValue::try_from(line) {
            answer.headers_mut().append(header::SET_COOKIE, value);
        }
    };
    set(format!(
        "{name}={}; Path=/; HttpOnly; SameSite=Strict{secure}",
        session.as_str()
    ));
    if shown.zone.len() <= ZONE_BYTES_MAX && is_zone_name(&shown.zone) {
        set(format!(
            "{ZONE_COOKIE}={}; Path=/; SameSite=Strict; Max-Age=31536000{secure}",
            shown.zone
        ));
    }
    Ok(answer)
}

async fn sign_out(State(guard): State<Arc<Guard>>, headers: HeaderMap) -> Response {
    guard.sign_in.sign_out(&headers);
    let name = guard.sign_in.cookie_name();
    let secure = match guard.scheme {
        Scheme::Http => "",
        Scheme::Https => "; Secure",
    };
    let gone = format!("{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{secure}");
    let to = HeaderValue::from_static("/login");
    let mut answer = StatusCode::NO_CONTENT.into_response();
    answer.headers_mut().insert("hx-redirect", to);
    if let Ok(gone) = HeaderValue::try_from(gone) {
        answer.headers_mut().insert(header::SET_COOKIE, gone);
    }
    answer
}
