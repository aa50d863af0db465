//! Reads whether a new identity of a converter must be promoted before it converts live files.

use std::time::Duration;

use super::scope::Scope;

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
    /// How long ago the oldest of them was archived; `None` is any time.
    pub over: Option<Duration>,
}

const DAY_S: u64 = 86_400;

impl Promotion {
    /// Returns true if a new identity must be promoted first.
    pub fn is_gated(self) -> bool {
        self != Self::Free
    }

    /// Reads the keys of one converter. The error is a key with what is wrong with it.
    pub(super) fn read(scope: &Scope<'_>, archives: bool) -> Result<Self, (&'static str, String)> {
        if scope.text("promotion") != "gated" {
            return Ok(Self::Free);
        }
        if !archives {
            let why = "promotion = \"gated\" compares with archived entries, and needs archive_enabled = true and archive_source_files = true";
            return Err(("promotion", why.to_owned()));
        }
        let Some(over) = scope.optional_text("gate.over") else {
            return Ok(Self::Gated(None));
        };
        let over = read_over(&over).ok_or_else(|| {
            let why = format!(
                "gate.over = {over:?} must be a time such as \"90d\", \"12w\" or \"1y\", or \"all\""
            );
            ("gate.over", why)
        })?;
        Ok(Self::Gated(Some(GateSettings {
            sample: scope.whole("gate.sample"),
            over,
        })))
    }
}

/// Reads `90d`, `12w`, `1y` or `all`. `None` when it is none of them, `Some(None)` for `all`.
fn read_over(text: &str) -> Option<Option<Duration>> {
    if text == "all" {
        return Some(None);
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
    Some(Some(Duration::from_secs(number * days * DAY_S)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_looked_back_is_read_or_refused() {
        let days = |days| Some(Some(Duration::from_secs(days * DAY_S)));
        assert_eq!(read_over("90d"), days(90));
        assert_eq!(read_over("12w"), days(84));
        assert_eq!(read_over("1y"), days(366));
        assert_eq!(read_over("all"), Some(None));
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
