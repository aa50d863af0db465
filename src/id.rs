//! The ids of stores, events, entries, blobs, packs and converters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {expected}")]
pub struct ParseIdError {
    text: String,
    expected: &'static str,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Returns the id with these bytes.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Returns the bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let mut text = [0; $bytes * 2];
                for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
                    pair[0] = DIGITS[usize::from(byte >> 4)];
                    pair[1] = DIGITS[usize::from(byte & 15)];
                }
                f.pad(str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $bytes];
                decode_hex(text, &mut bytes).ok_or_else(|| ParseIdError {
                    text: text.to_owned(),
                    expected: $expected,
                })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    Ok(Self(<[u8; $bytes]>::deserialize(deserializer)?))
                }
            }
        }
    };
}

hex_id!(
    /// The id of a store, drawn at random when the store is made.
    StoreId, 16, "a store id (32 hexadecimal digits)"
);
hex_id!(
    /// The id of a blob: the BLAKE3 hash of its plaintext.
    BlobId, 32, "a blob id (64 hexadecimal digits)"
);
hex_id!(
    /// The SHA-256 digest of a blob's plaintext, kept next to the BLAKE3 hash for auditors.
    Sha256, 32, "a SHA-256 digest (64 hexadecimal digits)"
);
hex_id!(
    /// The identity of a converter: the hash of its bundle, command and environment note.
    ConverterId, 32, "a converter identity (64 hexadecimal digits)"
);

impl BlobId {
    /// Returns the id of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}

impl Sha256 {
    /// Returns the digest of `content`.
    pub fn of(content: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(content).into())
    }
}

fn decode_hex(text: &str, out: &mut [u8]) -> Option<()> {
    let digits = text.as_bytes();
    if digits.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let high = (pair[0] as char).to_digit(16)?;
        let low = (pair[1] as char).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(())
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The greatest number. No store ever reaches it, so each number in use has a next one.
            pub const MAX: Self = Self(u64::MAX >> 1);

            /// Returns the next number.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                // No sign, and no leading zeros except in "0": each id has exactly one spelling.
                let plain = !text.is_empty()
                    && text.bytes().all(|byte| byte.is_ascii_digit())
                    && (text == "0" || !text.starts_with('0'));
                text.parse()
                    .ok()
                    .map(Self)
                    .filter(|number| plain && *number <= Self::MAX)
                    .ok_or_else(|| ParseIdError {
                        text: text.to_owned(),
                        expected: $expected,
                    })
            }
        }
    };
}

number_id!(
    /// The number of an event. The first event of a store is 1; 0 means "before everything".
    EventSeq, "an event number"
);
number_id!(
    /// The id of an archived source: the number of its `archived` event.
    EntryId, "an entry id (a decimal number)"
);
number_id!(
    /// The id of a reprocess job: the number of its `job.started` event.
    JobId, "a job id (a decimal number)"
);
number_id!(
    /// The number of a pack.
    PackId, "a pack number"
);

impl EntryId {
    /// Returns the event that archived this entry.
    pub const fn event(self) -> EventSeq {
        EventSeq(self.0)
    }
}

impl From<EventSeq> for EntryId {
    fn from(seq: EventSeq) -> Self {
        Self(seq.0)
    }
}

/// One run of a converter over an entry: 1 for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNo(pub u32);

impl fmt::Display for AttemptNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_id_survives_being_written_and_read() {
        let id = BlobId::of(b"unit 42");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("zz".parse::<BlobId>().is_err());
        assert!("Ä".repeat(32).parse::<BlobId>().is_err());
    }

    #[test]
    fn an_entry_id_has_one_spelling() {
        assert_eq!("42".parse(), Ok(EntryId(42)));
        for other in ["", "042", "+42", "-1", "4 2", "99999999999999999999"] {
            assert!(other.parse::<EntryId>().is_err(), "{other}");
        }
    }
}
