//! The preview of a source or a report, as a part of the page.

use askama::Template;

use super::address::Asked;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts::Moment;
use crate::web::preview::{self, Body, Closed, Found, Preview, Remark, Row, Tree, View};

/// A content that is shown.
#[derive(Template)]
#[template(path = "entry/content.html", config = "src/web/askama.toml")]
pub(super) struct ContentPart<'a> {
    frame: &'a Frame,
    /// What the content is called.
    name: String,
    /// Where it is downloaded.
    download: String,
    size: String,
    views: Vec<ViewLink>,
    remarks: Vec<String>,
    span: Option<SpanPart>,
    find: Option<FindPart>,
    body: &'a Body,
    asked: &'a Asked,
}

struct ViewLink {
    word: &'static str,
    href: String,
    is_here: bool,
}

/// Which bytes are shown, and the ways to others.
struct SpanPart {
    words: String,
    first: Option<String>,
    before: Option<String>,
    after: Option<String>,
    last: Option<String>,
}

/// The field that looks for a text in a tree.
struct FindPart {
    text: String,
    /// What the address has besides, as hidden fields.
    hidden: Vec<(String, String)>,
}

/// What is shown of a content: its name, its preview, and where it is downloaded.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) download: String,
    pub(super) preview: Preview,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates pass references"
)]
impl<'a> ContentPart<'a> {
    pub(super) fn new(frame: &'a Frame, asked: &'a Asked, shown: &'a Shown) -> Self {
        let preview = &shown.preview;
        let views = preview.views.iter().map(|view| ViewLink {
            word: view_word(*view, frame),
            href: asked.with(&[
                ("view", view.word()),
                ("page", ""),
                ("path", ""),
                ("first", ""),
                ("find", ""),
            ]),
            is_here: *view == preview.view,
        });
        let find = (preview.view == View::Tree).then(|| FindPart {
            text: asked.get("find").unwrap_or_default().to_owned(),
            hidden: asked.hidden(&["find", "path", "first", "page"]),
        });
        Self {
            frame,
            name: shown.name.clone(),
            download: shown.download.clone(),
            size: frame.size(preview.size),
            views: views.collect(),
            remarks: remarks(preview, frame),
            span: span(preview, frame, asked),
            find,
            body: &preview.body,
            asked,
        }
    }

    /// Returns the address of a part of the tree.
    fn part(&self, path: &str, first: &usize) -> String {
        let first = if *first == 0 {
            String::new()
        } else {
            first.to_string()
        };
        self.asked
            .with(&[("path", path), ("first", &first), ("find", "")])
    }

    /// Returns the address of a part of the tree, from its beginning.
    fn whole(&self, path: &str) -> String {
        self.part(path, &0)
    }

    fn without_find(&self) -> String {
        self.asked.with(&[("find", "")])
    }

    fn more(&self, left: &usize) -> String {
        let left = self.frame.count(*left as u64);
        self.frame.fill("entry.tree_more", &[("n", &left)])
    }

    fn columns(&self, left_out: &usize) -> String {
        let left_out = self.frame.count(*left_out as u64);
        self.frame
            .fill("entry.columns_left_out", &[("n", &left_out)])
    }

    fn broken(&self, why: &str) -> String {
        self.frame.fill("entry.listing_broken", &[("why", why)])
    }

    fn left_out(&self, chars: &usize) -> String {
        let count = self.frame.count(*chars as u64);
        self.frame.fill("entry.chars_left_out", &[("n", &count)])
    }

    fn members(&self, count: &usize, is_list: &bool) -> String {
        let shown = self.frame.count(*count as u64);
        let key = match (is_list, count) {
            (true, 1) => self.frame.say("entry.item"),
            (true, _) => self.frame.say("entry.items"),
            (false, 1) => self.frame.say("entry.member"),
            (false, _) => self.frame.say("entry.members"),
        };
        format!("{shown} {key}")
    }

    fn tree_range(&self, tree: &Tree) -> String {
        let shown = |number: usize| self.frame.count(number as u64);
        let last = tree.count.min(tree.from + preview::MEMBERS_MAX);
        self.frame.fill(
            "entry.tree_range",
            &[
                ("from", &shown(tree.from + 1)),
                ("to", &shown(last)),
                ("n", &shown(tree.count)),
            ],
        )
    }

    fn found_words(&self, found: &Found) -> String {
        let listed = self.frame.count(found.places.len() as u64);
        let count = self.frame.count(found.count as u64);
        match found.count {
            0 => self.frame.say("entry.found_none").to_owned(),
            all if all > found.places.len() => self
                .frame
                .fill("entry.found_more", &[("n", &count), ("listed", &listed)]),
            _ => self.frame.fill("entry.found", &[("n", &count)]),
        }
    }

    fn moment(&self, time: &crate::time::Timestamp) -> Moment {
        self.frame.moment(*time)
    }

    fn file_size(&self, size: &u64) -> String {
        self.frame.size(*size)
    }
}

fn view_word(view: View, frame: &Frame) -> &'static str {
    match view {
        View::Tree => frame.say("entry.view_tree"),
        View::Table => frame.say("entry.view_table"),
        View::Listing => frame.say("entry.view_files"),
        View::Text => frame.say("entry.view_text"),
        View::Hex => frame.say("entry.view_hex"),
    }
}

fn remarks(preview: &Preview, frame: &Frame) -> Vec<String> {
    let words = preview.remarks.iter().map(|remark| match remark {
        Remark::TooLongForTree => {
            let limit = frame.size(preview::TREE_BYTES_MAX);
            frame.fill("entry.remark_too_long", &[("limit", &limit)])
        }
        Remark::NotWellFormed => frame.say("entry.remark_not_well_formed").to_owned(),
        Remark::NotOpened(closed) => {
            let name = [("name", closed.name())];
            match closed {
                Closed::Compressed(_) => frame.fill("entry.remark_compressed", &name),
                Closed::Picture(_) => frame.fill("entry.remark_picture", &name),
                Closed::Document(_) => frame.fill("entry.remark_document", &name),
            }
        }
        Remark::NotUtf8(count) => {
            let count = frame.count(*count);
            frame.fill("entry.remark_not_utf8", &[("n", &count)])
        }
        Remark::NoSuchPart => frame.say("entry.remark_no_such_part").to_owned(),
    });
    words.collect()
}

fn span(preview: &Preview, frame: &Frame, asked: &Asked) -> Option<SpanPart> {
    let span = preview.span.filter(|span| span.pages > 1)?;
    let to = |page: u64| asked.with(&[("page", &page.to_string())]);
    let words = frame.fill(
        "entry.bytes_shown",
        &[
            ("from", &frame.count(span.from)),
            ("to", &frame.count(span.to - 1)),
            ("n", &frame.count(preview.size)),
            ("page", &frame.count(span.page)),
            ("pages", &frame.count(span.pages)),
        ],
    );
    Some(SpanPart {
        words,
        first: (span.page > 1).then(|| to(1)),
        before: (span.page > 1).then(|| to(span.page - 1)),
        after: (span.page < span.pages).then(|| to(span.page + 1)),
        last: (span.page < span.pages).then(|| to(span.pages)),
    })
}

/// Returns where the source of an entry is downloaded, or the report of an attempt.
pub(super) fn download_source(id: crate::id::EntryId) -> String {
    format!("/api/v1/entries/{id}/source")
}

pub(super) fn download_report(
    id: crate::id::EntryId,
    attempt: crate::id::AttemptNo,
    report: usize,
) -> String {
    format!("/api/v1/entries/{id}/reports/{attempt}/{report}")
}
