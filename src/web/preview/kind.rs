//! Guesses what a content is from its first bytes, and how it can be shown.

use crate::convert::has_main_file;

/// The most bytes of a document that is shown as a tree.
pub(in crate::web) const TREE_BYTES_MAX: u64 = 2 << 20;

/// A form in which content is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum View {
    Tree,
    Table,
    Listing,
    Text,
    Hex,
}

impl View {
    /// Returns the word for it in addresses.
    pub(in crate::web) const fn word(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Table => "table",
            Self::Listing => "files",
            Self::Text => "text",
            Self::Hex => "hex",
        }
    }

    /// Returns the form that a word of an address names.
    pub(in crate::web) fn of_word(word: &str) -> Option<Self> {
        [
            Self::Tree,
            Self::Table,
            Self::Listing,
            Self::Text,
            Self::Hex,
        ]
        .into_iter()
        .find(|view| view.word() == word)
    }
}

/// A form that is recognised and never opened here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Closed {
    Compressed(&'static str),
    Picture(&'static str),
    Document(&'static str),
}

impl Closed {
    pub(in crate::web) const fn name(self) -> &'static str {
        match self {
            Self::Compressed(name) | Self::Picture(name) | Self::Document(name) => name,
        }
    }
}

/// How the characters of a text are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// What a content seems to be.
#[derive(Debug)]
pub(super) struct Guess {
    pub(super) encoding: Encoding,
    pub(super) closed: Option<Closed>,
    /// It begins like JSON or XML.
    pub(super) is_document: bool,
    pub(super) delimiter: Option<char>,
    is_text: bool,
    is_tar: bool,
    is_table_by_name: bool,
}

/// The beginnings of files that are not opened.
const CLOSED: &[(&[u8], Closed)] = &[
    (b"PK\x03\x04", Closed::Compressed("ZIP")),
    (b"PK\x05\x06", Closed::Compressed("ZIP")),
    (b"\x1f\x8b", Closed::Compressed("gzip")),
    (b"\x28\xb5\x2f\xfd", Closed::Compressed("Zstandard")),
    (b"7z\xbc\xaf\x27\x1c", Closed::Compressed("7-Zip")),
    (b"\xfd7zXZ\0", Closed::Compressed("xz")),
    (b"BZh", Closed::Compressed("bzip2")),
    (b"Rar!\x1a\x07", Closed::Compressed("RAR")),
    (b"\x89PNG\r\n", Closed::Picture("PNG")),
    (b"\xff\xd8\xff", Closed::Picture("JPEG")),
    (b"GIF8", Closed::Picture("GIF")),
    (b"%PDF-", Closed::Document("PDF")),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Closed::Document("Microsoft Office"),
    ),
];

/// The characters that separate columns, the likeliest first.
const DELIMITERS: [char; 4] = [';', ',', '\t', '|'];
/// How many lines decide about the delimiter.
const LINES_LOOKED_AT: usize = 20;

impl Guess {
    /// Returns the forms that fit, the best first.
    pub(super) fn views(&self, size: u64) -> Vec<View> {
        let mut views = Vec::new();
        if self.is_tar {
            views.push(View::Listing);
        }
        if self.is_document && size <= TREE_BYTES_MAX {
            views.push(View::Tree);
        }
        if self.delimiter.is_some() && self.is_table_by_name {
            views.push(View::Table);
        }
        if self.is_text {
            views.push(View::Text);
        }
        if self.delimiter.is_some() && !self.is_table_by_name {
            views.push(View::Table);
        }
        views.push(View::Hex);
        if !self.is_text && !self.is_tar {
            views.push(View::Text);
        }
        views
    }
}

/// Guesses what a content is.
pub(super) fn guess(beginning: &[u8], name: &str) -> Guess {
    let encoding = match beginning {
        [0xff, 0xfe, ..] => Encoding::Utf16Le,
        [0xfe, 0xff, ..] => Encoding::Utf16Be,
        _ => Encoding::Utf8,
    };
    let closed = CLOSED
        .iter()
        .find_map(|(begin, closed)| beginning.starts_with(begin).then_some(*closed));
    let is_tar = beginning.get(257..262) == Some(b"ustar") || has_main_file(beginning);
    let is_text = closed.is_none() && !is_tar && seems_text(beginning, encoding);
    let (text, _) = super::text::decode(beginning, encoding);
    let text = text.trim_start_matches('\u{feff}');
    let is_document = is_text && text.trim_start().starts_with(['{', '[', '<']);
    let extension = name.rsplit_once('.').map(|(_, end)| end.to_lowercase());
    let named_table = matches!(extension.as_deref(), Some("csv" | "tsv" | "tab"));
    let delimiter = (is_text && !is_document)
        .then(|| delimiter_of(text, if named_table { 1 } else { 2 }))
        .flatten();
    Guess {
        encoding,
        closed,
        is_document,
        delimiter: delimiter.map(|(delimiter, _)| delimiter),
        is_text,
        is_tar,
        is_table_by_name: named_table || delimiter.is_some_and(|(_, is_even)| is_even),
    }
}

/// Returns true unless the bytes hold what no text holds: zeros, or many controls.
fn seems_text(bytes: &[u8], encoding: Encoding) -> bool {
    if encoding != Encoding::Utf8 {
        return true;
    }
    let odd = bytes
        .iter()
        .filter(|byte| matches!(byte, 0x01..=0x08 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f))
        .count();
    !bytes.contains(&0) && odd * 20 <= bytes.len()
}

/// Returns the character that separates the columns of most of the first lines, and whether it
/// stands equally often in nearly all of them. Fewer than `least` lines tell nothing.
fn delimiter_of(text: &str, least: usize) -> Option<(char, bool)> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(LINES_LOOKED_AT)
        .collect();
    if lines.len() < least {
        return None;
    }
    let best = DELIMITERS.into_iter().rev().max_by_key(|delimiter| {
        let with = lines.iter().filter(|line| line.contains(*delimiter));
        with.count()
    })?;
    let counts: Vec<usize> = lines
        .iter()
        .map(|line| line.matches(best).count())
        .collect();
    let with = counts.iter().filter(|count| **count > 0).count();
    if with * 5 < lines.len() * 3 {
        return None;
    }
    let alike = counts.iter().filter(|count| **count == counts[0]).count();
    Some((best, counts[0] > 0 && alike * 10 >= counts.len() * 9))
}
