//! Reads whether a new identity of a converter must be promoted before it converts live files.

use std::time::Duration;

/// Whether a new identity of a converter converts live files at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Promotion {
    /// It does.
    Free,
    /// It does once it is promoted. Until then the current identity does, from its archived bundle.
    Gated(Option<GateSettings>),
}

/// How a host tests a new identity by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateSettings {
    /// Maximum number of entries that are tried.
    pub sample: usize,
    /// Which entries are chosen from.
    pub over: GateOver,
}

/// The entries over which a host tests a new identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateOver {
    /// All of its converter.
    All,
    /// Those that were archived so long ago at the most.
    Last(Duration),
}

const DAY_S: u64 = 86_400;

impl Promotion {
    /// Returns true if a new identity must be promoted first.
    pub fn is_gated(self) -> bool {
        self != Self::Free
    }

    /// Returns what the keys of one converter say. The error is a key with what is wrong with it.
    pub(super) fn of(
        is_gated: bool,
        archives: bool,
        over: Option<&str>,
        sample: usize,
    ) -> Result<Self, (&'static str, String)> {
        let over = match over {
            None => None,
            Some(text) => Some(read_over(text).ok_or_else(|| {
                let why = format!(
                    "gate.over = {text:?} must be a time such as \"90d\", \"12w\" or \"1y\", or \"all\""
                );
                ("gate.over", why)
            })?),
        };
        if !is_gated {
            return Ok(Self::Free);
        }
        if !archives {
            let why = "promotion = \"gated\" compares with archived entries, and needs archive_enabled = true and archive_source_files = true";
            return Err(("promotion", why.to_owned()));
        }
        let Some(over) = over else {
            return Ok(Self::Gated(None));
        };
        Ok(Self::Gated(Some(GateSettings { sample, over })))
    }
}

/// Reads `90d`, `12w`, `1y` or `all`. `None` when it is none of them.
fn read_over(text: &str) -> Option<GateOver> {
    if text == "all" {
        return Some(GateOver::All);
    }
    let number = text.strip_suffix(['d', 'w', 'y'])?;
    let days = match text.as_bytes().last()? {
        b'd' => 1,
        b'w' => 7,
        _ => 366,
    };
    let number: u64 = number
        .parse()
        .ok()
        .filter(|number| (1..=36_500).contains(number))?;
    Some(GateOver::Last(Duration::from_secs(number * days * DAY_S)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_looked_back_is_read_or_refused() {
        let days = |days| Some(GateOver::Last(Duration::from_secs(days * DAY_S)));
        assert_eq!(read_over("90d"), days(90));
        assert_eq!(read_over("12w"), days(84));
        assert_eq!(read_over("1y"), days(366));
        assert_eq!(read_over("all"), Some(GateOver::All));
        for wrong in [
            "",
            "d",
            "0d",
            "90",
            "-1d",
            "9é",
            "99999999999999999999y",
            "1h",
        ] {
            assert_eq!(read_over(wrong), None, "{wrong}");
        }
    }
}
