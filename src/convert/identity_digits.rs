//! The beginning of a converter's identity, by which people name it.

use std::fmt;
use std::str::FromStr;

use crate::id::ConverterId;

/// Fewest digits that name an identity.
const DIGITS_MIN: usize = 6;
/// Digits of a whole identity.
const DIGITS_MAX: usize = 64;

/// Text that is not the beginning of an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the beginning of an identity, which has 6 to 64 hexadecimal digits")]
pub struct ParseIdentityError(String);

/// The first 6 to 64 hexadecimal digits of a converter's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityDigits(String);

impl IdentityDigits {
    /// Returns all digits of an identity.
    pub fn whole(id: ConverterId) -> Self {
        Self(id.to_string())
    }

    /// Returns true when the identity begins so.
    pub fn begin(&self, id: &ConverterId) -> bool {
        id.to_string().starts_with(&self.0)
    }
}

impl fmt::Display for IdentityDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for IdentityDigits {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, ParseIdentityError> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || !(DIGITS_MIN..=DIGITS_MAX).contains(&text.len()) {
            return Err(ParseIdentityError(text.to_owned()));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A short beginning would name other converters, too.
    #[test]
    fn six_hexadecimal_digits_name_an_identity_and_nothing_less_does() {
        let id = ConverterId::from_bytes([0xab; 32]);
        for text in ["ababab", "ABABABAB", &id.to_string()] {
            assert!(text.parse::<IdentityDigits>().expect("valid").begin(&id));
        }
        assert!(
            !"abcabc"
                .parse::<IdentityDigits>()
                .expect("valid")
                .begin(&id)
        );
        for wrong in ["", "ababa", "1.4.0", "ababgg", &"a".repeat(65), "аbabab"] {
            assert!(wrong.parse::<IdentityDigits>().is_err(), "{wrong}");
        }
        assert!(IdentityDigits::whole(id).begin(&id));
    }
}
