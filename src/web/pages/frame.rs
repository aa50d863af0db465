//! What all pages have around their content, and how a template becomes an answer.

use std::borrow::Borrow;
use std::sync::Arc;

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::parts::{Mark, Moment};
use crate::ErrorKind;
use crate::entry::Status;
use crate::service::time::{Every, Zone};
use crate::time::Timestamp;
use crate::web::assets;
use crate::web::problem::Problem;
use crate::web::texts::Language;
use crate::web::visitor::{Theme, Visitor};

/// A page that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Find,
    Entries,
    Failures,
    Jobs,
    Converters,
    Retention,
    Host,
    Evidence,
}

impl Place {
    const ALL: [Self; 8] = [
        Self::Find,
        Self::Entries,
        Self::Failures,
        Self::Jobs,
        Self::Converters,
        Self::Retention,
        Self::Host,
        Self::Evidence,
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Find => "/",
            Self::Entries => "/entries",
            Self::Failures => "/failures",
            Self::Jobs => "/jobs",
            Self::Converters => "/converters",
            Self::Retention => "/retention",
            Self::Host => "/host",
            Self::Evidence => "/evidence",
        }
    }

    fn name(self, language: Language) -> &'static str {
        match self {
            Self::Find => language.say("frame.nav_find"),
            Self::Entries => language.say("frame.nav_entries"),
            Self::Failures => language.say("frame.nav_failures"),
            Self::Jobs => language.say("frame.nav_jobs"),
            Self::Converters => language.say("frame.nav_converters"),
            Self::Retention => language.say("frame.nav_retention"),
            Self::Host => language.say("frame.nav_host"),
            Self::Evidence => language.say("frame.nav_evidence"),
        }
    }
}

/// What stands around the content of a page, and how the visitor reads values.
pub(super) struct Frame {
    pub(super) language: Language,
    pub(super) theme: Theme,
    /// The account that is signed in.
    pub(super) account: String,
    /// The name of the store.
    pub(super) store: Arc<str>,
    /// The heading of the page, also in the title of the window.
    pub(super) title: String,
    /// The command line that shows the same.
    pub(super) command: Option<String>,
    /// When the newest signed checkpoint was made.
    pub(super) checkpoint: Option<Moment>,
    /// The version of the assets.
    pub(super) version: &'static str,
    /// The version of the program.
    pub(super) program: &'static str,
    here: Option<Place>,
    zone: Zone,
    zone_name: Option<String>,
}

/// An entry of the navigation.
pub(super) struct NavigationEntry {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) is_here: bool,
}

impl Frame {
    pub(super) fn new(here: Place, visitor: &Visitor) -> Self {
        Self::around(Some(here), here.name(visitor.language), visitor)
    }

    /// Returns the frame of a page that the navigation does not lead to.
    pub(super) fn elsewhere(title: &str, visitor: &Visitor) -> Self {
        Self::around(None, title, visitor)
    }

    fn around(here: Option<Place>, title: &str, visitor: &Visitor) -> Self {
        Self {
            language: visitor.language,
            theme: visitor.theme,
            account: visitor.account.clone(),
            store: visitor.store.clone(),
            title: title.to_owned(),
            command: None,
            checkpoint: None,
            version: assets::version(),
            program: env!("CARGO_PKG_VERSION"),
            here,
            zone: visitor.zone(),
            zone_name: visitor.zone.clone(),
        }
    }

    /// Sets the heading; without it, it is the name of the place.
    pub(super) fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the command line that shows the same as the page.
    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    pub(super) fn say(&self, key: &str) -> &'static str {
        self.language.say(key)
    }

    pub(super) fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.language.fill(key, values)
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = NavigationEntry> {
        Place::ALL.into_iter().map(|place| NavigationEntry {
            path: place.path(),
            name: place.name(self.language),
            is_here: Some(place) == self.here,
        })
    }

    /// Whether the bar at the top has the search field: the first page has a larger one.
    pub(super) fn has_search(&self) -> bool {
        self.here != Some(Place::Find)
    }

    #[expect(clippy::unused_self, reason = "templates call it on the frame")]
    pub(super) fn languages(&self) -> [Language; 2] {
        Language::ALL
    }

    #[expect(clippy::unused_self, reason = "templates call it on the frame")]
    pub(super) fn themes(&self) -> [Theme; 3] {
        Theme::ALL
    }

    /// Returns what a theme is called.
    pub(super) fn theme_word(&self, theme: impl Borrow<Theme>) -> &'static str {
        theme.borrow().word(self.language)
    }

    /// Returns the zone of all times on the page.
    pub(super) fn zone_name(&self) -> &str {
        match &self.zone_name {
            Some(name) => name,
            None => self.say("frame.zone_of_server"),
        }
    }

    // Templates hand over references to fields: these take values and references.

    pub(super) fn moment(&self, time: impl Borrow<Timestamp>) -> Moment {
        Moment::new(*time.borrow(), &self.zone)
    }

    pub(super) fn mark(&self, status: impl Borrow<Status>) -> Mark {
        Mark::of(*status.borrow(), self.language)
    }

    /// Returns the mark of a result that lost something.
    pub(super) fn suspicious(&self) -> Mark {
        Mark::suspicious(self.language)
    }

    /// Returns what a period of the visitor's zone is called.
    pub(super) fn period(&self, every: Every, from: Timestamp) -> String {
        every.name(from, &self.zone)
    }

    /// Returns the day of the visitor's zone that a time is in.
    pub(super) fn date(&self, time: Timestamp) -> String {
        self.zone.day(time)
    }

    /// Returns a number with one decimal, with the decimal mark of the visitor's language.
    pub(super) fn decimal(&self, number: f64) -> String {
        let text = format!("{number:.1}");
        match self.language {
            Language::English => text,
            Language::German => text.replace('.', ","),
        }
    }

    /// Returns a count with the separators of the visitor's language.
    pub(super) fn count(&self, number: impl Borrow<u64>) -> String {
        self.language.count(*number.borrow())
    }

    /// Returns a size with the decimal mark of the visitor's language.
    pub(super) fn size(&self, bytes: impl Borrow<u64>) -> String {
        self.language.size(*bytes.borrow())
    }

    /// Returns a hash or a long name with its middle left out.
    #[expect(clippy::unused_self, reason = "templates call it on the frame")]
    pub(super) fn shortened(&self, text: &str) -> String {
        super::parts::shortened(text)
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
