//! What all pages have around their content, and how a template becomes an answer.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::ErrorKind;
use crate::web::assets;
use crate::web::problem::Problem;
use crate::web::texts::Language;
use crate::web::visitor::Visitor;

/// A page that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Find,
    Entries,
    Failures,
    Jobs,
    Retention,
    Converters,
    Host,
    Evidence,
}

impl Place {
    const ALL: [Self; 8] = [
        Self::Find,
        Self::Entries,
        Self::Failures,
        Self::Jobs,
        Self::Retention,
        Self::Converters,
        Self::Host,
        Self::Evidence,
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Find => "/",
            Self::Entries => "/entries",
            Self::Failures => "/failures",
            Self::Jobs => "/jobs",
            Self::Retention => "/retention",
            Self::Converters => "/converters",
            Self::Host => "/host",
            Self::Evidence => "/evidence",
        }
    }

    fn name(self, language: Language) -> &'static str {
        match self {
            Self::Find => language.say("common.nav_find"),
            Self::Entries => language.say("common.nav_entries"),
            Self::Failures => language.say("common.nav_failures"),
            Self::Jobs => language.say("common.nav_jobs"),
            Self::Retention => language.say("common.nav_retention"),
            Self::Converters => language.say("common.nav_converters"),
            Self::Host => language.say("common.nav_host"),
            Self::Evidence => language.say("common.nav_evidence"),
        }
    }
}

/// What stands around the content of a page.
pub(super) struct Frame {
    pub(super) language: Language,
    pub(super) version: &'static str,
    here: Place,
}

/// An entry of the navigation.
pub(super) struct NavigationEntry {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) is_here: bool,
}

impl Frame {
    pub(super) fn new(here: Place, visitor: &Visitor) -> Self {
        Self {
            language: visitor.language,
            version: assets::version(),
            here,
        }
    }

    pub(super) fn say(&self, key: &str) -> &'static str {
        self.language.say(key)
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = NavigationEntry> {
        Place::ALL.into_iter().map(|place| NavigationEntry {
            path: place.path(),
            name: place.name(self.language),
            is_here: place == self.here,
        })
    }
}

/// Returns a filled template as an answer. Data on it is not kept by browsers and proxies.
pub(super) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, html).into_response()
        }
        Err(error) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Io,
            &format!("this page cannot be written: {error}"),
        )
        .into_response(),
    }
}
