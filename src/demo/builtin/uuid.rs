//! UUID version 5 (RFC 9562) for report ids: the SHA-1 of a name space and a name.

use crate::id::Sha256;

/// The name space of report ids. `tools/converters/wsjf.py` must use an equal one.
const NAMESPACE: [u8; 16] = [
    0x6f, 0x1b, 0x3a, 0x52, 0x8c, 0x0d, 0x4e, 0x7e, 0x9a, 0x57, 0x1d, 0x2c, 0x64, 0xb0, 0xf3, 0xe8,
];

/// Returns the id of the report on `source`.
///
/// One source always gets one id, so a corrected report replaces the wrong one.
pub(super) fn report_id(source: &[u8]) -> String {
    let name = Sha256::of(source).to_string();
    let mut id = [0; 16];
    id.copy_from_slice(&sha1(&[&NAMESPACE, name.as_bytes()].concat())[..16]);
    id[6] = (id[6] & 0x0f) | 0x50;
    id[8] = (id[8] & 0x3f) | 0x80;
    let id = format!("{:032x}", u128::from_be_bytes(id));
    [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")
}

/// Computes SHA-1 (RFC 3174), which UUID version 5 requires. No security depends on it here.
#[expect(clippy::many_single_char_names, reason = "the names of the standard")]
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let bits = (message.len() as u64) * 8;
    let end = padded.len();
    padded[end - 8..].copy_from_slice(&bits.to_be_bytes());

    let mut state: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    for block in padded.chunks_exact(64) {
        let mut words = [0_u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        for at in 16..80 {
            let mixed = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
            words[at] = mixed.rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (at, word) in words.iter().enumerate() {
            let (choice, constant) = match at {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(choice)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(*word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (sum, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(add);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha1_gives_the_digests_of_the_standard_at_every_padding() {
        let hex = |message: &[u8]| {
            let digest = sha1(message);
            let (high, low) = digest.split_at(16);
            let high = u128::from_be_bytes(high.try_into().expect("16 bytes"));
            let low = u32::from_be_bytes(low.try_into().expect("4 bytes"));
            format!("{high:032x}{low:08x}")
        };
        assert_eq!(hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        for (length, digest) in [
            (55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
            (56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
            (63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
            (64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
            (80, "86f33652fcffd7fa1443e246dd34fe5d00e25ffd"),
        ] {
            assert_eq!(hex(&vec![b'a'; length]), digest, "{length}");
        }
    }
}
