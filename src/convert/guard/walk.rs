//! Reads a JSON document once and tells a sink what comes, without holding it as a tree.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The bytes that a number written as text has at most.
const NUMBER_BYTES_MAX: usize = 40;

/// What one scalar value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Number,
    Empty,
    Other,
}

/// A list or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    List,
    Object,
}

/// Is told what a document holds, in its order.
pub(super) trait Sink {
    /// A list or object begins.
    fn begin(&mut self, container: Container);
    /// The next value is this member of the object, or this item of the list.
    fn child(&mut self, child: Child<'_>);
    /// The value of the last `child` is a scalar; an empty list or object counts as one that is
    /// empty, after its end.
    fn scalar(&mut self, scalar: Scalar);
    /// The innermost list or object ends.
    fn end(&mut self);
}

/// A value within a list or object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child<'a> {
    Item(usize),
    Member(&'a str),
}

/// Reads a JSON document; `None` when it is none. The sink may have been told its beginning then.
pub(super) fn walk<S: Sink>(document: &[u8], sink: S) -> Option<S> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let mut json = serde_json::Deserializer::from_slice(document);
    let sink = RefCell::new(sink);
    let root = Node {
        sink: &sink,
        item: None,
    };
    root.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(sink.into_inner())
}

/// Returns what a text says: a number, nothing, or something else.
pub(super) fn scalar_of(text: &str) -> Scalar {
    let text = text.trim();
    if text.is_empty() {
        return Scalar::Empty;
    }
    let begins = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'n' | 'N');
    if !text.starts_with(begins) || text.len() > NUMBER_BYTES_MAX {
        return Scalar::Other;
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_nan() => Scalar::Empty,
        Ok(number) if number.is_finite() => Scalar::Number,
        Ok(_) | Err(_) => Scalar::Other,
    }
}

/// Reads one value.
struct Node<'a, S> {
    sink: &'a RefCell<S>,
    /// The place of the value in a list; `None` for other values.
    item: Option<usize>,
}

impl<S: Sink> Node<'_, S> {
    fn tell(&self, scalar: Scalar) {
        self.sink.borrow_mut().scalar(scalar);
    }

    fn begin(&self, container: Container) {
        self.sink.borrow_mut().begin(container);
    }

    fn end(&self, is_empty: bool) {
        self.sink.borrow_mut().end();
        if is_empty {
            self.tell(Scalar::Empty);
        }
    }
}

impl<'de, S: Sink> DeserializeSeed<'de> for Node<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if let Some(nth) = self.item {
            self.sink.borrow_mut().child(Child::Item(nth));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Node<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.tell(Scalar::Other);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.tell(Scalar::Number);
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.tell(Scalar::Number);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.tell(Scalar::Number);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.tell(scalar_of(text));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.tell(Scalar::Empty);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.begin(Container::List);
        let mut nth = 0;
        let item = |nth| Node {
            sink: self.sink,
            item: Some(nth),
        };
        while items.next_element_seed(item(nth))?.is_some() {
            nth += 1;
        }
        self.end(nth == 0);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.begin(Container::Object);
        let mut is_empty = true;
        while let Some(name) = members.next_key::<Name<'de>>()? {
            is_empty = false;
            self.sink.borrow_mut().child(Child::Member(&name.0));
            members.next_value_seed(Node {
                sink: self.sink,
                item: None,
            })?;
        }
        self.end(is_empty);
        Ok(())
    }
}

/// The name of a member, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_number_if_it_reads_as_one() {
        for number in ["1", " -1.5e3 ", "+2", ".5"] {
            assert_eq!(scalar_of(number), Scalar::Number, "{number}");
        }
        for empty in ["", "  ", "NaN", "nan"] {
            assert_eq!(scalar_of(empty), Scalar::Empty, "{empty}");
        }
        for other in ["PASS", "1 V", "inf", "2026-03-01", "-", "12a"] {
            assert_eq!(scalar_of(other), Scalar::Other, "{other}");
        }
    }
}
