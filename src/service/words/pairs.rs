//! Parses arguments of the form `NAME=VALUE`.

use crate::entry::Meta;
use crate::{Error, ErrorKind, Result};

/// Parses `K=V`, split at the first `=`.
pub fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as line=3".to_owned()),
    }
}

/// Returns pairs as metadata, and refuses a name that is given twice.
pub fn to_meta(pairs: Vec<(String, String)>, flag: &str) -> Result<Meta> {
    let mut meta = Meta::new();
    for (key, value) in pairs {
        if meta.contains_key(&key) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{flag} {key} is given twice"),
            ));
        }
        meta.insert(key, value);
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_given_twice_is_refused() {
        let pair = |value: &str| ("line".to_owned(), value.to_owned());
        assert!(to_meta(vec![pair("1"), pair("2")], "--meta").is_err());
    }
}
