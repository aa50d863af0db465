//! The kinds of example converters and their names.

use std::str::FromStr;

use crate::entry::ParseWordError;

/// One of the example converters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `ict_csv.py`
    Ict,
    /// `ict_csv_v1.py`, with its bug
    IctV1,
    /// `junit_xml.py`
    Junit,
    /// `jsonl_log.py`
    Jsonl,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Ict, Self::IctV1, Self::Junit, Self::Jsonl];

    /// Returns the name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ict => "ict",
            Self::IctV1 => "ict-v1",
            Self::Junit => "junit",
            Self::Jsonl => "jsonl",
        }
    }
}

impl FromStr for Kind {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| ParseWordError::new(text, Self::ALL.map(Self::name)))
    }
}
