//! Random numbers that are the same for the same seed on every machine.

/// What a stream of random numbers is for: each has its own, so that one more number here changes
/// nothing there.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Unit = 1,
    Route,
    Accidents,
    Functional,
    Firmware,
}

/// splitmix64: small, fast, the same everywhere.
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

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let high = (u128::from(self.next()) * u128::from(bound)) >> 64;
        usize::try_from(high).expect("less than a usize")
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// In `[0, 1)`.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// In `(-2, 2)`, mostly near 0.
    pub(super) fn bell(&mut self) -> f64 {
        (0..4).map(|_| self.share()).sum::<f64>() - 2.0
    }
}

pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
