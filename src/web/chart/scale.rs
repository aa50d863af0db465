//! Scales: a round number at the top, and lengths that fit below it.

/// Returns the smallest of 1, 2, 5, 10, 20, 50 … that is not below `most`.
pub(super) fn round_top(most: u64) -> u128 {
    let most = u128::from(most);
    let mut power = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * power >= most {
                return factor * power;
            }
        }
        power *= 10;
    }
}

/// Returns the lengths of parts that stand on one another, where `top` is as long as `room`.
///
/// A part that is there can be seen: it has one unit at least, which the longest part gives up
/// where there is no room for it.
pub(super) fn lengths(parts: &[u64], top: u128, room: u64) -> Vec<u64> {
    let of = |part: &u64| {
        let exact = u128::from(*part) * u128::from(room) / top.max(1);
        let least = u64::from(*part > 0);
        u64::try_from(exact).unwrap_or(room).clamp(least, room)
    };
    let mut lengths: Vec<u64> = parts.iter().map(of).collect();
    let surplus = lengths.iter().sum::<u64>().saturating_sub(room);
    if let Some(longest) = lengths.iter_mut().max() {
        *longest = longest.saturating_sub(surplus);
    }
    lengths
}

/// Returns a share of a whole in thousandths, at least one where there is any.
pub(in crate::web) fn per_mille(part: u64, whole: u64) -> u64 {
    let exact = u128::from(part.min(whole)) * 1_000;
    let exact = exact.checked_div(u128::from(whole)).unwrap_or(0);
    u64::try_from(exact)
        .unwrap_or(1_000)
        .max(u64::from(part > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_round_and_never_below_the_highest() {
        for (most, top) in [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (214, 500)] {
            assert_eq!(round_top(most), top, "{most}");
        }
        assert!(round_top(u64::MAX) >= u128::from(u64::MAX));
    }

    /// One failure among ten thousand was too small to be drawn, and the day looked well.
    #[test]
    fn one_among_millions_is_still_seen() {
        assert_eq!(lengths(&[9_999_999, 1], 10_000_000, 120), [119, 1]);
        assert_eq!(lengths(&[0, 0], 1, 120), [0, 0]);
        assert_eq!(lengths(&[u64::MAX], u128::from(u64::MAX), 120), [120]);
        let many = lengths(&[1, 1, u64::MAX, 1], u128::from(u64::MAX) + 3, 120);
        assert_eq!(many.iter().sum::<u64>(), 120);
    }

    #[test]
    fn a_share_of_nothing_is_nothing() {
        assert_eq!(per_mille(0, 0), 0);
        assert_eq!(per_mille(1, 1_000_000_000), 1);
        assert_eq!(per_mille(u64::MAX, u64::MAX), 1_000);
        assert_eq!(per_mille(7, 3), 1_000);
    }
}
