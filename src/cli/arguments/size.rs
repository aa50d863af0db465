//! Parses sizes as people write them, such as `500M` and `1.5GB`.

use crate::{Error, ErrorKind, Result};

const SIZE_HINT: &str =
    "write for example 500M, 10GB, 1.5GiB, or plain bytes; K, M, G and T count in steps of 1024";

/// Returns the number of bytes that `text` means.
pub(crate) fn parse_size(text: &str) -> Result<u64> {
    let refused =
        || Error::new(ErrorKind::Invalid, format!("'{text}' is not a size")).hint(SIZE_HINT);
    let folded = text.trim().to_lowercase();
    let digits_end = folded
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(folded.len());
    let (number, unit) = folded.split_at(digits_end);
    let shift = match unit.trim_start() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(refused()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // Nine decimals resolve about one byte for G, and about a kilobyte for T.
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return Err(refused());
    }
    let whole: u64 = whole.parse().map_err(|_| refused())?;
    let thousandths: u64 = format!("{fraction:0<9}").parse().map_err(|_| refused())?;
    let bytes = (u128::from(whole) << shift) + ((u128::from(thousandths) << shift) / 1_000_000_000);
    u64::try_from(bytes).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_in_steps_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("500M", 500 << 20),
            ("10GB", 10 << 30),
            ("10 GiB", 10 << 30),
            ("1.5gib", 3 << 29),
            ("2t", 2 << 40),
            ("18446744073709551615", u64::MAX),
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
            "18446744073709551616",
            "99999999999T",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
