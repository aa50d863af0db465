//! A line of facts: a name, a value, and the list behind it.

use crate::web::pages::parts::Moment;

/// A name with its value.
#[derive(Default)]
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) text: String,
    /// The list that the text counts; empty where there is none.
    pub(super) href: String,
    /// When it was, beside the text.
    pub(super) at: Option<Moment>,
    /// "", good, odd or bad.
    pub(super) tone: &'static str,
    /// More to it, with its own list.
    pub(super) more: Option<Linked>,
}

/// Text that leads somewhere.
pub(super) struct Linked {
    pub(super) text: String,
    pub(super) href: String,
}

impl Fact {
    pub(super) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            ..Self::default()
        }
    }

    pub(super) fn href(mut self, href: impl Into<String>) -> Self {
        self.href = href.into();
        self
    }

    pub(super) fn at(mut self, at: Option<Moment>) -> Self {
        self.at = at;
        self
    }

    pub(super) fn tone(mut self, tone: &'static str) -> Self {
        self.tone = tone;
        self
    }

    pub(super) fn more(mut self, text: String, href: &str) -> Self {
        self.more = Some(Linked {
            text,
            href: href.to_owned(),
        });
        self
    }
}
