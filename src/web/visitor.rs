//! Who asks: the account that acts, and how its answers are written.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};

use crate::event::{Actor, ActorKind};
use crate::service::time::Zone;
use crate::web::state::Web;
use crate::web::texts::Language;

/// The cookie with the visitor's time zone, such as `Europe/Berlin`, which a script sets.
pub(in crate::web) const ZONE_COOKIE: &str = "annals-zone";
/// The cookie with the language that a visitor chose.
pub(in crate::web) const LANGUAGE_COOKIE: &str = "annals-language";
/// The cookie with the colours that a visitor chose.
const THEME_COOKIE: &str = "annals-theme";

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
    pub(in crate::web) theme: Theme,
    /// The name of the store that is looked at.
    pub(in crate::web) store: Arc<str>,
}

/// The colours of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::web) enum Theme {
    /// What the system of the visitor prefers.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(in crate::web) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Returns the name in the cookie and in the style sheet.
    pub(in crate::web) const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Returns what the browser may draw before it has the style sheet, so that a page does not
    /// flash in the other colours.
    pub(in crate::web) const fn schemes(self) -> &'static str {
        match self {
            Self::System => "light dark",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(in crate::web) fn word(self, language: Language) -> &'static str {
        match self {
            Self::System => language.say("frame.theme_system"),
            Self::Light => language.say("frame.theme_light"),
            Self::Dark => language.say("frame.theme_dark"),
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// The account of a session. The guard adds it to each request that it lets through.
#[derive(Debug, Clone)]
pub(in crate::web) struct SignedIn {
    pub(in crate::web) account: String,
}

/// The address that a request came from, for events. The server adds it to each request.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Peer(pub(in crate::web) IpAddr);

impl Peer {
    /// Returns the address of a request; an unspecified one where no server has added it.
    pub(in crate::web) fn of(extensions: &Extensions) -> Self {
        let unknown = Self(IpAddr::from([0, 0, 0, 0]));
        extensions.get().copied().unwrap_or(unknown)
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

impl Visitor {
    /// Returns who is named in the events that this visitor causes.
    pub(in crate::web) fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::User,
            id: self.account.clone(),
        }
    }

    /// Returns the zone that times are shown in: the visitor's, or the machine's if the browser
    /// has not told one.
    pub(in crate::web) fn zone(&self) -> Zone {
        Zone::of_tz(self.zone.as_deref().map(OsStr::new))
    }
}

/// Tells whether a text may be the name of a zone. A path is none: it would be read as a file.
pub(in crate::web) fn is_zone_name(text: &str) -> bool {
    let of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(of_names)
}

impl<S: Sync> FromRequestParts<S> for Visitor
where
    Web: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let web = Web::from_ref(state);
        let signed_in = parts.extensions.get::<SignedIn>();
        let accepted = parts.headers.get(ACCEPT_LANGUAGE);
        let accepted = accepted.and_then(|value| value.to_str().ok());
        Ok(Self {
            account: signed_in.map_or_else(|| UNNAMED.into(), |who| who.account.clone()),
            zone: cookie(&parts.headers, ZONE_COOKIE)
                .filter(|name| is_zone_name(name))
                .map(str::to_owned),
            language: cookie(&parts.headers, LANGUAGE_COOKIE)
                .and_then(Language::of_code)
                .or_else(|| accepted.map(Language::accepted))
                .unwrap_or_default(),
            theme: cookie(&parts.headers, THEME_COOKIE)
                .and_then(Theme::of_name)
                .unwrap_or_default(),
            store: web.store_name(),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// TZ may name a file, a cookie may not.
    #[test]
    fn the_cookie_with_the_zone_cannot_name_a_file() {
        for name in [
            "Europe/Berlin",
            "UTC",
            "Etc/GMT+3",
            "America/Port-au-Prince",
        ] {
            assert!(is_zone_name(name), "{name}");
        }
        for text in [
            "/etc/passwd",
            ":/etc/passwd",
            "../secret",
            "",
            "a.b",
            "a/../b",
        ] {
            assert!(!is_zone_name(text), "{text}");
        }
    }
}
