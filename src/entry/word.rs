//! The error of a text that is not one of a fixed set of words.

/// Text that is not one of a fixed set of words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not one of {allowed}")]
pub struct ParseWordError {
    text: String,
    allowed: String,
}

impl ParseWordError {
    pub(crate) fn new<'a>(text: &str, allowed: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            text: text.to_owned(),
            allowed: allowed.into_iter().collect::<Vec<_>>().join(", "),
        }
    }
}
