//! Parses sizes as people write them, such as `500M` and `1.5GB`.

use crate::retention::parse_bytes;
use crate::{Error, ErrorKind, Result};

const SIZE_HINT: &str =
    "write for example 500M, 10GB, 1.5GiB or 4096B; K, M, G and T count in steps of 1024";

/// Returns the number of bytes that `text` means.
///
/// A number needs a unit: whoever types 10 means gigabytes or megabytes, and not ten bytes.
pub fn parse_size(text: &str) -> Result<u64> {
    let refused =
        || Error::new(ErrorKind::Invalid, format!("'{text}' is not a size")).hint(SIZE_HINT);
    let bytes = parse_bytes(text).ok_or_else(refused)?;
    if text.contains(|c: char| c.is_ascii_alphabetic()) {
        return Ok(bytes);
    }
    let (told, text) = (format!("'{text}' has no unit"), text.trim());
    let hint = format!("write for example {text}GB, {text}MB, or {text}B for bytes");
    Err(Error::new(ErrorKind::Invalid, told).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_in_steps_of_1024() {
        for (text, bytes) in [
            ("0B", 0),
            ("1024b", 1024),
            ("500M", 500 << 20),
            ("10GB", 10 << 30),
            ("10 GiB", 10 << 30),
            ("1.5gib", 3 << 29),
            ("2t", 2 << 40),
            ("18446744073709551615B", u64::MAX),
        ] {
            assert_eq!(parse_size(text).expect(text), bytes, "{text}");
        }
        for text in [
            "",
            "GB",
            "-1",
            "1.GB",
            ".5G",
            "1.2.3K",
            "1 XB",
            "10",
            "0",
            "18446744073709551616B",
            "99999999999T",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
