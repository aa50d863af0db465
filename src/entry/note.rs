//! Facts that were added to an entry later: texts, labels and corrections.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::word::ParseWordError;
use crate::id::EventSeq;
use crate::time::Timestamp;

/// What somebody added to an entry after it was archived. Nothing that was recorded before is
/// changed: the note says what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Note {
    /// The event that recorded it.
    pub event: EventSeq,
    /// When it was recorded.
    pub at: Timestamp,
    /// The account that caused it.
    pub by: String,
    /// What there is to say about the entry.
    pub text: Option<String>,
    /// The labels that it added.
    pub labels: Vec<String>,
    /// The labels that it removed.
    pub unlabels: Vec<String>,
    /// The facts that it corrected. A fact that it only confirmed is not among them.
    pub changes: Vec<Correction>,
    /// Why.
    pub reason: String,
}

/// One fact of an entry that a note corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Correction {
    /// Which fact.
    pub fact: FactName,
    /// What was known before; `None` when nothing was.
    pub old: Option<String>,
    /// What is right.
    pub new: String,
}

/// A fact of an entry that a note can correct. Its text form is the name, and `meta.NAME` for
/// metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactName {
    /// The serial number.
    Serial,
    /// The part number.
    Part,
    /// The test station.
    Station,
    /// The test process.
    Process,
    /// The metadata of this name.
    Meta(String),
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial => f.write_str("serial"),
            Self::Part => f.write_str("part"),
            Self::Station => f.write_str("station"),
            Self::Process => f.write_str("process"),
            Self::Meta(name) => write!(f, "meta.{name}"),
        }
    }
}

impl FromStr for FactName {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text {
            "serial" => Ok(Self::Serial),
            "part" => Ok(Self::Part),
            "station" => Ok(Self::Station),
            "process" => Ok(Self::Process),
            _ => match text.strip_prefix("meta.") {
                Some(name) => Ok(Self::Meta(name.to_owned())),
                None => {
                    let known = ["serial", "part", "station", "process", "meta.NAME"];
                    Err(ParseWordError::new(text, known))
                }
            },
        }
    }
}

impl Serialize for FactName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FactName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_fact_survives_being_printed_and_read() {
        let names = ["serial", "part", "station", "process", "meta.line", "meta."];
        for name in names {
            assert_eq!(name.parse::<FactName>().expect("known").to_string(), name);
        }
        assert!("colour".parse::<FactName>().is_err());
    }
}
