//! Objects that have all of their fields.

use serde::Serialize;
use serde::ser::{Error, SerializeMap, Serializer};
use serde_json::Value;

/// An object in which a field that its value leaves out is null.
///
/// The types of the log leave out what is not stated, because their bytes are signed. Programs that
/// read an answer find every field instead.
#[derive(Debug, Clone)]
pub(crate) struct Complete<T> {
    value: T,
    fields: &'static [&'static str],
}

impl<T> Complete<T> {
    /// Returns the object of a value. `fields` are all fields that such a value can have.
    pub(crate) fn new(value: T, fields: &'static [&'static str]) -> Self {
        Self { value, fields }
    }
}

impl<T: Serialize> Serialize for Complete<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = serde_json::to_value(&self.value).map_err(S::Error::custom)?;
        let mut stated = match value {
            Value::Object(stated) => stated,
            Value::Null => serde_json::Map::new(),
            _ => return Err(S::Error::custom("no object")),
        };
        let mut map = serializer.serialize_map(None)?;
        for &field in self.fields {
            map.serialize_entry(field, &stated.remove(field))?;
        }
        for (field, value) in &stated {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

/// Returns the value of a text that the log has JSON in; the text itself where it has none.
#[cfg(feature = "host")]
pub(crate) fn json_in(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Value::Object(object),
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_stated_is_null() {
        let line = |value: Value| {
            serde_json::to_string(&Complete::new(value, &["a", "b"])).expect("an object")
        };
        let stated = serde_json::json!({"b": 1, "z": true});
        assert_eq!(line(stated), r#"{"a":null,"b":1,"z":true}"#);
        assert_eq!(line(Value::Null), r#"{"a":null,"b":null}"#);
        assert!(serde_json::to_string(&Complete::new(7, &["a"])).is_err());
    }
}
