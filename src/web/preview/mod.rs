//! Shows a part of a source or report, without ever running or rendering it.
//!
//! A preview reads no more than it shows: a page of bytes for text, tables and hexadecimal digits,
//! a whole document only where it is small enough for a tree. Whatever is left out is said in exact
//! numbers. Content comes from test stations and converters, and may be hostile: depth, width and
//! length of everything are bounded, nothing is unpacked, and characters that would command or
//! reorder a page are shown as what they are.
//!
//! - `content`: what is read; `kind`: what it seems to be;
//! - `text`, `table`, `hex`: one page of bytes; `tree`: JSON and XML; `listing`: tar files;
//! - `visible`: text that shows its control characters.

mod content;
mod hex;
mod kind;
mod listing;
mod table;
mod text;
mod tree;
mod visible;

#[cfg(test)]
mod tests;

use crate::Result;

pub(in crate::web) use content::{Content, Span, Stored};
pub(in crate::web) use hex::HexRow;
pub(in crate::web) use kind::{Closed, TREE_BYTES_MAX, View};
pub(in crate::web) use listing::Listing;
pub(in crate::web) use table::Table;
pub(in crate::web) use text::Line;
pub(in crate::web) use tree::{Found, MEMBERS_MAX, Row, Tree};
pub(in crate::web) use visible::{cut, visible};

use kind::Guess;

/// The bytes that decide what a content is.
const BEGINNING_BYTES: usize = 8 << 10;

/// What part of a content is to be shown, as it stands in the address.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct Asked {
    /// The form; `None` for the one that fits best.
    pub(in crate::web) view: Option<View>,
    /// The page, counted from 1.
    pub(in crate::web) page: u64,
    /// The part of a tree, as a JSON pointer.
    pub(in crate::web) path: String,
    /// The first item of that part that is shown.
    pub(in crate::web) from: usize,
    /// What to look for in a tree; empty for nothing.
    pub(in crate::web) find: String,
}

/// A part of a content, ready to be shown.
#[derive(Debug)]
pub(in crate::web) struct Preview {
    /// Bytes of the whole content.
    pub(in crate::web) size: u64,
    /// The form it is shown in.
    pub(in crate::web) view: View,
    /// The forms that it can be shown in.
    pub(in crate::web) views: Vec<View>,
    pub(in crate::web) body: Body,
    /// Which bytes are shown; `None` when the whole was read.
    pub(in crate::web) span: Option<Span>,
    pub(in crate::web) remarks: Vec<Remark>,
}

#[derive(Debug)]
pub(in crate::web) enum Body {
    Empty,
    Tree(Tree),
    Found(Found),
    Table(Table),
    Text(Vec<Line>),
    Hex(Vec<HexRow>),
    Listing(Listing),
}

/// What a reader should know about what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Remark {
    /// It looks like JSON or XML, and is longer than a tree may be.
    TooLongForTree,
    /// It looks like JSON or XML and is not well-formed, or nested too deeply.
    NotWellFormed,
    /// It is of a form that is not opened here.
    NotOpened(Closed),
    /// So many bytes on this page are no UTF-8.
    NotUtf8(u64),
    /// The part of the tree that was asked for is not there.
    NoSuchPart,
}

/// Reads and arranges the part of a content that was asked for.
pub(in crate::web) fn preview(content: &dyn Content, name: &str, asked: &Asked) -> Result<Preview> {
    let size = content.size();
    let beginning = content.window(0, BEGINNING_BYTES)?;
    let guess = kind::guess(&beginning, name);
    let mut remarks = Vec::new();
    if let Some(closed) = guess.closed {
        remarks.push(Remark::NotOpened(closed));
    }
    let mut views = guess.views(size);
    let mut view = asked
        .view
        .filter(|view| views.contains(view))
        .unwrap_or(views[0]);
    if size == 0 {
        return Ok(Preview {
            size,
            view: View::Text,
            views: vec![View::Text],
            body: Body::Empty,
            span: None,
            remarks,
        });
    }
    if guess.is_document && size > TREE_BYTES_MAX && view == View::Text {
        remarks.push(Remark::TooLongForTree);
    }
    if view == View::Tree {
        let whole = content.window(0, usize::try_from(size).unwrap_or(usize::MAX))?;
        match tree::parse(&whole, guess.encoding) {
            Some(document) => {
                let (body, missing) = tree_body(&document, asked);
                if missing {
                    remarks.push(Remark::NoSuchPart);
                }
                return Ok(Preview {
                    size,
                    view,
                    views,
                    body,
                    span: None,
                    remarks,
                });
            }
            None => {
                remarks.push(Remark::NotWellFormed);
                views.retain(|view| *view != View::Tree);
                view = views[0];
            }
        }
    }
    let paged = paged(content, view, &guess, asked.page)?;
    if paged.not_utf8 > 0 && matches!(view, View::Text | View::Table) {
        remarks.push(Remark::NotUtf8(paged.not_utf8));
    }
    Ok(Preview {
        size,
        view,
        views,
        body: paged.body,
        span: paged.span,
        remarks,
    })
}

/// Returns a part of a tree, or what was found in it, and whether the part is missing.
fn tree_body(document: &tree::Document, asked: &Asked) -> (Body, bool) {
    if !asked.find.trim().is_empty() {
        return (Body::Found(document.find(asked.find.trim())), false);
    }
    match document.part(&asked.path, asked.from) {
        Some(part) => (Body::Tree(part), false),
        None => match document.part("", 0) {
            Some(whole) => (Body::Tree(whole), true),
            None => (Body::Empty, true),
        },
    }
}

/// One page of a content.
struct Paged {
    body: Body,
    span: Option<Span>,
    not_utf8: u64,
}

fn paged(content: &dyn Content, view: View, guess: &Guess, page: u64) -> Result<Paged> {
    if view == View::Listing {
        return Ok(Paged {
            body: Body::Listing(listing::list(content)?),
            span: None,
            not_utf8: 0,
        });
    }
    let bytes = match view {
        View::Hex => hex::PAGE_BYTES,
        View::Table => table::PAGE_BYTES,
        _ => text::PAGE_BYTES,
    };
    let size = content.size();
    let pages = size.div_ceil(bytes).max(1);
    let page = page.clamp(1, pages);
    let from = (page - 1) * bytes;
    let span = Span {
        from,
        to: (from + bytes).min(size),
        page,
        pages,
    };
    let (body, not_utf8) = match view {
        View::Hex => (Body::Hex(hex::rows(content, span)?), 0),
        View::Table => {
            let (table, not_utf8) = table::page(content, span, guess)?;
            (Body::Table(table), not_utf8)
        }
        _ => {
            let (lines, not_utf8) = text::page(content, span, guess.encoding)?;
            (Body::Text(lines), not_utf8)
        }
    };
    Ok(Paged {
        body,
        span: Some(span),
        not_utf8,
    })
}
