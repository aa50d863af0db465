//! What the text forms share: base64, hashes and numbers, each with exactly one spelling.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::tree::TreeHash;

/// Returns the standard base64 (RFC 4648, section 4) of `bytes`, with padding.
pub(super) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes what [`encode_base64`] writes; `None` for any other spelling of the same bytes.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Decodes base64 in the standard alphabet or that of URLs, as envelopes of other programs have it.
pub(super) fn decode_any_base64(text: &str) -> Option<Vec<u8>> {
    decode_base64(text).or_else(|| URL_SAFE.decode(text).ok())
}

/// Decodes the base64 of a hash.
pub(super) fn decode_hash(text: &str) -> Option<TreeHash> {
    // The length is checked first, so that a long line is not decoded for nothing.
    if text.len() != 44 {
        return None;
    }
    decode_base64(text)?.try_into().ok()
}

/// Decodes a decimal number without sign and leading zeros.
pub(super) fn decode_number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if !plain || padded {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two spellings of one value would let two different files mean the same checkpoint, and a
    /// comparison of files would then report a change that is none.
    #[test]
    fn each_value_has_one_spelling() {
        for number in ["0", "7", "10", "18446744073709551615"] {
            assert_eq!(decode_number(number).expect(number).to_string(), number);
        }
        for wrong in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1_0",
            "18446744073709551616",
            "٣",
        ] {
            assert_eq!(decode_number(wrong), None, "{wrong}");
        }
        assert_eq!(decode_base64("AQI="), Some(vec![1, 2]));
        // No padding, too much of it, bits that no encoder sets, blanks, the alphabet of URLs.
        for wrong in ["AQI", "AQI==", "AQJ=", " AQI=", "AQI=\n", "_-8="] {
            assert_eq!(decode_base64(wrong), None, "{wrong}");
        }
        let hash = [0xfb; 32];
        assert_eq!(decode_hash(&encode_base64(&hash)), Some(hash));
        for length in [0, 31, 33, 64] {
            assert_eq!(decode_hash(&encode_base64(&vec![1; length])), None);
        }
    }
}
