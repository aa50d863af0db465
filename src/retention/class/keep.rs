//! How long a part of an entry is kept, as it is written: `90d`, `1y6mo`, `forever`, `recorded`.

use std::fmt;
use std::str::FromStr;

use crate::entry::{ParseWordError, Period};

/// How long a part of an entry is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Keep {
    /// No rule of age selects it.
    #[default]
    Forever,
    /// As long as the retention that was recorded with each entry, after it was archived.
    Recorded,
    /// This long after the time that the class counts from.
    For(Period),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Recorded => f.write_str("recorded"),
            Self::For(period) => period.fmt(f),
        }
    }
}

impl FromStr for Keep {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text {
            "forever" => Ok(Self::Forever),
            "recorded" => Ok(Self::Recorded),
            _ => text.parse().map(Self::For).map_err(|_: ParseWordError| {
                ParseWordError::new(text, ["forever", "recorded", "90d", "2y", "1y6mo"])
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_survives_being_printed_and_read() {
        for text in [
            "90d", "2y", "1y6mo", "18y", "1y6mo10d", "forever", "recorded",
        ] {
            let keep: Keep = text.parse().expect(text);
            assert_eq!(keep.to_string(), text);
        }
        assert_eq!("2 weeks".parse(), Ok(Period::days(14)));
        assert_eq!(
            "18mo".parse::<Period>().expect("valid").to_string(),
            "1y6mo"
        );
        // `m` may be minutes, and "1.5y" a year and five.
        for wrong in [
            "",
            "0d",
            "90",
            "6m",
            "1.5y",
            "-1d",
            "99999999999d",
            "d",
            "4294967295y",
        ] {
            assert!(wrong.parse::<Keep>().is_err(), "{wrong}");
        }
    }
}
