//! The order in which a converter is given its sources, and how a file name tells the serial.

use std::fmt;
use std::str::FromStr;

use crate::index::fold;

/// In which order a converter is given its sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Order {
    /// In any order, several at a time.
    #[default]
    Free,
    /// Sources of one serial number one after the other, in the order in which they were archived.
    ///
    /// A source whose serial is not known may have any, so nothing else runs beside it.
    Serial(Option<SerialInName>),
}

/// Finds the serial number in a file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialInName {
    text: String,
    before: Vec<Part>,
    after: Vec<Part>,
}

/// One part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Char(char),
    AnyChar,
    AnyText,
}

/// Text that is no pattern for a serial number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} must have {{serial}} once, such as \"{{serial}}_*.csv\"; * and ? stand for any text"
)]
pub struct ParseSerialInNameError(String);

const SERIAL: &str = "{serial}";

impl FromStr for SerialInName {
    type Err = ParseSerialInNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseSerialInNameError(text.to_owned());
        let (before, after) = text.split_once(SERIAL).ok_or_else(refused)?;
        if after.contains(SERIAL) || text.len() > 500 {
            return Err(refused());
        }
        let parts = |text: &str| -> Vec<Part> {
            let part = |c| match c {
                '*' => Part::AnyText,
                '?' => Part::AnyChar,
                c => Part::Char(c),
            };
            fold(text).chars().map(part).collect()
        };
        Ok(Self {
            text: text.to_owned(),
            before: parts(before),
            after: parts(after),
        })
    }
}

impl fmt::Display for SerialInName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl SerialInName {
    /// Returns the serial in a file name, in the form in which serials are compared. `None` when
    /// the name does not fit.
    ///
    /// What stands before the serial is as short as possible, and so is the serial.
    pub fn find(&self, name: &str) -> Option<String> {
        let name: Vec<char> = fold(name).chars().collect();
        let begins = matched_until(&self.before, &name);
        let after: Vec<Part> = self.after.iter().rev().copied().collect();
        let backwards: Vec<char> = name.iter().rev().copied().collect();
        let ends = matched_until(&after, &backwards);
        let length = name.len();
        for begin in (0..length).filter(|&begin| begins[begin]) {
            let mut last = begin + 1..=length;
            if let Some(end) = last.find(|&end| ends[length - end]) {
                return Some(name[begin..end].iter().collect());
            }
        }
        None
    }
}

/// Returns for each length whether the parts match so many characters of the beginning.
fn matched_until(parts: &[Part], text: &[char]) -> Vec<bool> {
    let mut matched = vec![false; text.len() + 1];
    matched[0] = true;
    for part in parts {
        let mut next = vec![false; matched.len()];
        match part {
            Part::AnyText => {
                let first = matched.iter().position(|&reached| reached);
                if let Some(first) = first {
                    next[first..].fill(true);
                }
            }
            Part::AnyChar | Part::Char(_) => {
                for (place, c) in text.iter().enumerate() {
                    let fits = *part == Part::AnyChar || *part == Part::Char(*c);
                    next[place + 1] = matched[place] && fits;
                }
            }
        }
        matched = next;
    }
    matched
}

impl Order {
    /// Returns the serial of a source as far as it is known before it is converted: from an earlier
    /// attempt or a note, or else from its name.
    pub(crate) fn serial_of(&self, known: Option<&str>, name: &str) -> Option<String> {
        match self {
            Self::Free => None,
            Self::Serial(in_name) => known
                .map(|serial| fold(serial).into_owned())
                .or_else(|| in_name.as_ref()?.find(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_serial_where_the_pattern_has_it() {
        let found = |pattern: &str, name: &str| {
            let pattern: SerialInName = pattern.parse().expect("a pattern");
            pattern.find(name)
        };
        assert_eq!(found("{serial}.csv", "SN1.CSV").as_deref(), Some("sn1"));
        assert_eq!(
            found("{serial}_*.csv", "SN1_a_b.csv").as_deref(),
            Some("sn1")
        );
        assert_eq!(
            found("ICT-*-{serial}.log", "ict-3-SN9.log").as_deref(),
            Some("sn9")
        );
        assert_eq!(found("??{serial}*", "ABSN").as_deref(), Some("s"));
        assert_eq!(found("{serial}_*.csv", "_a.csv"), None);
        assert_eq!(found("{serial}_*.csv", "SN1.csv"), None);
        let hostile = format!("{}{{serial}}{}", "*a".repeat(40), "b*".repeat(40));
        assert_eq!(found(&hostile, &"a".repeat(255)), None);
        for wrong in ["", "*.csv", "{serial}{serial}", "{sn}.csv"] {
            assert!(wrong.parse::<SerialInName>().is_err(), "{wrong}");
        }
    }
}
