//! Who asks: the account that acts, and how its answers are written.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};
use axum::http::request::Parts;

use crate::event::{Actor, ActorKind};
use crate::web::texts::Language;

/// The cookie with the visitor's time zone, such as `Europe/Berlin`, which a script sets.
pub(in crate::web) const ZONE_COOKIE: &str = "annals-zone";
/// The cookie with the language that a visitor chose.
pub(in crate::web) const LANGUAGE_COOKIE: &str = "annals-language";

/// The account that a request acts for, when the server has not said which.
const UNNAMED: &str = "web";

/// A visitor of the page, or a client of the API.
#[derive(Debug, Clone)]
pub(in crate::web) struct Visitor {
    /// The account that events name.
    pub(in crate::web) account: String,
    /// The name of the zone that times are shown in, as the browser told it; `None` before it did.
    pub(in crate::web) zone: Option<String>,
    pub(in crate::web) language: Language,
}

/// The account of a session. The guard adds it to each request that it lets through.
#[derive(Debug, Clone)]
pub(in crate::web) struct SignedIn {
    pub(in crate::web) account: String,
}

impl Visitor {
    /// Returns who is named in the events that this visitor causes.
    pub(in crate::web) fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::User,
            id: self.account.clone(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let signed_in = parts.extensions.get::<SignedIn>();
        let accepted = parts.headers.get(ACCEPT_LANGUAGE);
        let accepted = accepted.and_then(|value| value.to_str().ok());
        Ok(Self {
            account: signed_in.map_or_else(|| UNNAMED.into(), |who| who.account.clone()),
            zone: cookie(&parts.headers, ZONE_COOKIE).map(str::to_owned),
            language: cookie(&parts.headers, LANGUAGE_COOKIE)
                .and_then(Language::of_code)
                .or_else(|| accepted.map(Language::accepted))
                .unwrap_or_default(),
        })
    }
}

/// Returns the value of a cookie.
pub(in crate::web) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
