//! Parses JSON without loss: numbers keep their digits, and repeated members are kept.
//!
//! Reports carry numbers that no machine number holds, such as an ICCID of 20 digits. Parsed into a
//! machine number, two different ones could become equal.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

/// Maximum depth of nesting.
const DEPTH_MAX: usize = 128;

/// One JSON value, compared by its meaning.
///
/// White space, the order of an object's members, and the spelling of a number or text do not
/// count.
#[derive(Debug, Clone)]
pub enum Json {
    /// The value `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number of any length.
    Number(Number),
    /// A text.
    Text(Text),
    /// An array.
    List(Vec<Json>),
    /// An object: its members in the order they are written, repeated ones included.
    Object(Vec<(Text, Json)>),
}

impl Json {
    /// Parses one JSON value. `None` when `bytes` are no JSON, or are nested deeper than 128
    /// levels.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let raw: &RawValue = serde_json::from_slice(bytes).ok()?;
        read(raw.get(), 0)
    }

    /// Creates a text.
    pub fn text(words: impl Into<String>) -> Self {
        Self::Text(Text(words.into().into_bytes()))
    }

    /// Returns the content of a text, or `None` for another type.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(text.words()),
            _ => None,
        }
    }

    /// Returns the first member with this name.
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let found = members.iter().find(|(known, _)| known.0 == name.as_bytes());
        found.map(|(_, value)| value)
    }
}

/// Parses a value; the recursion is bounded by `DEPTH_MAX`.
///
/// Each level scans its text again, which is cheaper than a tree of raw tokens.
fn read(text: &str, depth: usize) -> Option<Json> {
    if depth > DEPTH_MAX {
        return None;
    }
    let deeper = |raw: &RawValue| read(raw.get(), depth + 1);
    Some(match text.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            let read = members
                .into_iter()
                .map(|(name, value)| Some((name, deeper(value)?)));
            Json::Object(read.collect::<Option<_>>()?)
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Json::List(items.into_iter().map(deeper).collect::<Option<_>>()?)
        }
        b'"' => Json::Text(serde_json::from_str(text).ok()?),
        b't' => Json::Bool(true),
        b'f' => Json::Bool(false),
        b'n' => Json::Null,
        _ => Json::Number(Number(text.into())),
    })
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(old), Self::Bool(new)) => old == new,
            (Self::Number(old), Self::Number(new)) => old == new,
            (Self::Text(old), Self::Text(new)) => old == new,
            (Self::List(old), Self::List(new)) => old == new,
            (Self::Object(old), Self::Object(new)) => {
                let mut members = pairs(old, new).into_iter();
                old.len() == new.len() && members.all(|pair| pair.old == pair.new)
            }
            _ => false,
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(&text.words()),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    object.serialize_entry(&name.words(), value)?;
                }
                object.end()
            }
        }
    }
}

/// Writes the value on one line, with the original digits of numbers.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// A text of a JSON document. Halves of surrogate pairs, which are no characters, are kept
/// distinct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Vec<u8>);

impl Text {
    /// Creates a text of characters.
    pub fn of(words: &str) -> Self {
        Self(words.as_bytes().to_vec())
    }

    /// Returns the text for display; what is no character becomes U+FFFD.
    pub fn words(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(bytes.to_vec()))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                self.visit_bytes(text.as_bytes())
            }
        }
        // Read as bytes, because halves of surrogate pairs would be refused in a string.
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A number of a JSON document, compared by its decimal value: `1.0` is `1e0`, and `-0` is `0`.
#[derive(Debug, Clone)]
pub struct Number(Box<str>);

impl Number {
    /// Returns the digits as they are written.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
            || match (Decimal::of(&self.0), Decimal::of(&other.0)) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.clone().into_string()).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// The value of a number: its significant digits, and the power of ten of the last digit.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Parses a number. `None` when the exponent is too large to calculate with; such numbers are
    /// equal only if they are spelled alike.
    fn of(written: &str) -> Option<Self> {
        let (negative, rest) = match written.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent),
            None => (rest, "0"),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = [whole, fraction].concat().into_bytes();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        let significant = digits.iter().rposition(|digit| *digit != b'0');
        let Some(last) = significant else {
            return Some(Self {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            });
        };
        let trailing = digits.len() - last - 1;
        digits.truncate(last + 1);
        let exponent: i64 = exponent.parse().ok()?;
        let exponent = exponent
            .checked_sub(i64::try_from(fraction.len()).ok()?)?
            .checked_add(i64::try_from(trailing).ok()?)?;
        Some(Self {
            negative,
            digits,
            exponent,
        })
    }
}

/// The members of an object in the order they are written, repeated ones included. Values are not
/// parsed.
pub(in crate::convert) struct Members<'a>(pub(in crate::convert) Vec<(Text, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<Text, &RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// A member of one or both of two objects.
pub(in crate::convert) struct Pair<'a> {
    pub(in crate::convert) name: &'a Text,
    /// The position among the members with this name, counted from 1.
    pub(in crate::convert) nth: usize,
    pub(in crate::convert) old: Option<&'a Json>,
    pub(in crate::convert) new: Option<&'a Json>,
}

/// Pairs the members of two objects by name, sorted.
///
/// Repeated members keep their order, because programs differ in which of them they use.
pub(in crate::convert) fn pairs<'a>(
    old: &'a [(Text, Json)],
    new: &'a [(Text, Json)],
) -> Vec<Pair<'a>> {
    let mut named: BTreeMap<&Text, [Vec<&Json>; 2]> = BTreeMap::new();
    for (side, members) in [old, new].into_iter().enumerate() {
        for (name, value) in members {
            named.entry(name).or_default()[side].push(value);
        }
    }
    let each = named.into_iter().flat_map(|(name, [old, new])| {
        (0..old.len().max(new.len())).map(move |place| Pair {
            name,
            nth: place + 1,
            old: old.get(place).copied(),
            new: new.get(place).copied(),
        })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    //! Checks that two reports stay different when they differ only in a digit that no machine
    //! number holds, or in a repeated member that most parsers ignore.

    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).expect(text)
    }

    #[test]
    fn numbers_are_compared_by_their_exact_decimal_value() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.001", "1E-3"),
            ("-0", "0"),
            ("0e99999999999999999999", "0.00"),
            ("123400e-2", "1.234E+3"),
            ("1e400", "10e399"),
            (
                "0.1000000000000000055511151231257827",
                "1.000000000000000055511151231257827e-1",
            ),
        ] {
            assert_eq!(json(one), json(other), "{one} {other}");
        }
        for (one, other) in [
            ("89470000000000000012", "89470000000000000013"),
            ("9007199254740993", "9007199254740992.0"),
            ("0.1", "0.10000000000000000555"),
            ("1e400", "1e401"),
            ("1e400", "-1e400"),
            ("1e-400", "0"),
            ("1e99999999999999999999", "1e99999999999999999998"),
            ("1", "\"1\""),
        ] {
            assert_ne!(json(one), json(other), "{one} {other}");
        }
    }

    #[test]
    fn texts_are_compared_by_their_characters_however_escaped() {
        assert_eq!(json(r#""\u00e4\/\ud83d\ude00""#), json("\"ä/😀\""));
        // Python writes the bytes of a file name that are no UTF-8 as halves of surrogate pairs.
        assert_eq!(json(r#""\udce4""#), json(r#""\uDCE4""#));
        assert_ne!(json(r#""\udce4""#), json(r#""\udcf6""#));
        assert_ne!(json(r#"{"\udce4":1}"#), json(r#"{"\udcf6":1}"#));
        assert_ne!(json("\"a \""), json("\"a\""));
    }

    #[test]
    fn members_are_compared_each_as_often_as_it_is_there() {
        assert_eq!(
            json(r#"{"a":1,"b":2}"#),
            json(r#"{ "b" : 2.0, "\u0061":1}"#)
        );
        assert_eq!(
            json(r#"{"a":1,"b":0,"a":2}"#),
            json(r#"{"a":1,"a":2,"b":0}"#)
        );
        for other in [r#"{"a":2}"#, r#"{"a":3,"a":2}"#, r#"{"a":2,"a":1}"#] {
            assert_ne!(json(r#"{"a":1,"a":2}"#), json(other), "{other}");
        }
    }

    #[test]
    fn a_value_is_told_in_its_own_digits_on_one_line() {
        let text = "{\"b\": [89470000000000000012,\n 1.50, 1e400], \"a\": {}, \"a\": null}";
        let told = r#"{"b":[89470000000000000012,1.50,1e400],"a":{},"a":null}"#;
        assert_eq!(json(text).to_string(), told);
    }

    #[test]
    fn what_is_nested_too_deeply_is_no_value() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Json::parse(nested(100).as_bytes()).is_some());
        assert!(Json::parse(nested(100_000).as_bytes()).is_none());
        assert!(Json::parse(b"{} {}").is_none());
    }
}
