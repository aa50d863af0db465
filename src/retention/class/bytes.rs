//! Sizes as people write them, such as `500M` and `1.5GB`.

/// Returns the number of bytes that `text` means; K, M, G and T count in steps of 1024.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
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
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // Nine decimals resolve about one byte for G, and about a kilobyte for T.
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let decimals: u64 = format!("{fraction:0<9}").parse().ok()?;
    let bytes = (u128::from(whole) << shift) + ((u128::from(decimals) << shift) / 1_000_000_000);
    u64::try_from(bytes).ok()
}
