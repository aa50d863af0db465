//! The input of a converter, and the facts it finds besides the report.

use std::collections::BTreeMap;

use serde::Serialize;

/// The arguments of the converter, as the protocol passes them.
pub(crate) type Arguments = BTreeMap<String, String>;

/// The facts known about the unit. They are kept when the conversion fails later.
#[derive(Debug, Default, Serialize)]
pub(super) struct Unit {
    pub(super) serial: String,
    pub(super) part: String,
    pub(super) station: String,
    pub(super) process: String,
    pub(super) warnings: Vec<String>,
}

/// Why there is no report: what is wrong, and where.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The file should be convertible, but it is cut short or contradicts itself.
    Failed(String),
    /// The file is not of the kind that this converter reads.
    Rejected(String),
    /// The file has nothing to report.
    Skipped(String),
}

pub(super) fn failed(message: impl Into<String>) -> Refusal {
    Refusal::Failed(message.into())
}

pub(super) fn rejected(message: impl Into<String>) -> Refusal {
    Refusal::Rejected(message.into())
}

pub(super) struct Source<'a> {
    pub(super) data: &'a [u8],
    pub(super) arguments: &'a Arguments,
}

impl<'a> Source<'a> {
    /// Returns the content as text, without its byte order mark.
    pub(super) fn text(&self) -> Result<&'a str, Refusal> {
        if self.data.is_empty() {
            return Err(rejected("the file is empty"));
        }
        if self.data.iter().all(|byte| b"\0 \t\r\n".contains(byte)) {
            return Err(rejected("the file holds only blanks or zero bytes"));
        }
        let text = str::from_utf8(self.data).map_err(|error| {
            failed(format!(
                "not UTF-8 text: byte {} cannot be decoded",
                error.valid_up_to()
            ))
        })?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// Returns the complete lines, and the rest after the last line end.
    ///
    /// The rest is empty unless the file is cut short.
    pub(super) fn lines(&self) -> Result<(Vec<&'a str>, &'a str), Refusal> {
        let text = self.text()?;
        let (whole, rest) = text
            .rsplit_once('\n')
            .map_or((None, text), |(whole, rest)| (Some(whole), rest));
        let bare = |line: &'a str| line.strip_suffix('\r').unwrap_or(line);
        let lines = whole.map_or(Vec::new(), |whole| whole.split('\n').map(bare).collect());
        Ok((lines, bare(rest)))
    }

    pub(super) fn argument(&self, name: &str) -> Option<&'a str> {
        self.arguments.get(name).map(String::as_str)
    }
}
