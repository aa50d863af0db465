//! Requests that a foreign page made a browser send, with the cookies of this server.
//!
//! A cookie with `SameSite=Strict` is not enough: a page on another port of this machine is of the
//! same site.

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};

use crate::ErrorKind;
use crate::web::problem::Problem;

/// The header that changing requests have. A foreign page cannot add it: its browser would ask
/// first, and get no permission.
pub(in crate::web) const OWN_HEADER: &str = "annals-request";

/// Content types of changing requests.
const CONTENT_TYPES: [&str; 3] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
];

/// Refuses a request that another page caused.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_own_site = match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => true,
        // A link on another page leads here. What it shows, only the visitor sees.
        Some(_) => is_reading && text("sec-fetch-mode") == Some("navigate"),
    };
    if !is_own_site {
        let site = text("sec-fetch-site").unwrap_or_default();
        return Err(refused(&format!(
            "another page caused this request: Sec-Fetch-Site is {site:?}"
        )));
    }
    if is_reading {
        return Ok(());
    }
    if let Some(origin) = headers.get(ORIGIN)
        && !is_own(origin.to_str().ok(), headers)
    {
        return Err(refused(&format!(
            "another page caused this request: Origin is {origin:?}"
        )));
    }
    if !headers.contains_key(OWN_HEADER) {
        return Err(
            refused("a request that changes something has the header Annals-Request: 1")
                .hint("programs send the token instead: Authorization: Bearer TOKEN"),
        );
    }
    let kind = text("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if headers.contains_key(CONTENT_TYPE) && !CONTENT_TYPES.contains(&kind) {
        return Err(refused(&format!("a body of type {kind:?} is not taken")));
    }
    Ok(())
}

/// Returns true for the origin that the request itself is sent to, which the guard has checked.
fn is_own(origin: Option<&str>, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let (Some(origin), Some(host)) = (origin, host) else {
        return false;
    };
    let name = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    name.is_some_and(|name| name.eq_ignore_ascii_case(host))
}

fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, ErrorKind::Refused, detail)
}
