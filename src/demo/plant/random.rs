//! Random numbers that depend only on a seed, not on the machine.

/// The purpose of a stream of random numbers.
///
/// Each purpose has a separate stream, so that drawing more numbers for one changes no other.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Unit = 1,
    Route,
    Accidents,
    Functional,
    Firmware,
}

/// The splitmix64 generator: small, fast, and equal on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn of(seed: u64, index: usize, stream: Stream) -> Self {
        Self(seed ^ mix(stream as u64)).and(index)
    }

    pub(super) fn and(self, number: usize) -> Self {
        Self(mix(self.0 ^ mix(u64::try_from(number).unwrap_or(u64::MAX))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number below `bound`, which must not be 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let high = (u128::from(self.next()) * u128::from(bound)) >> 64;
        usize::try_from(high).expect("less than a usize")
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Returns a number in `[0, 1)`.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number in `(-2, 2)`, mostly near 0.
    pub(super) fn bell(&mut self) -> f64 {
        (0..4).map(|_| self.share()).sum::<f64>() - 2.0
    }
}

pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
