//! How much a suite looks at, and with which seed: `ANNALS_PROVE` and `ANNALS_SEED`.

/// How much a suite looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A sample, for every run of the tests.
    Sample,
    /// `ANNALS_PROVE=short`: what is run before every change is taken.
    Short,
    /// `ANNALS_PROVE=long`: hours.
    Long,
}

/// What `ANNALS_PROVE` asks for.
pub fn size() -> Size {
    match std::env::var("ANNALS_PROVE").as_deref() {
        Ok("short") => Size::Short,
        Ok("long") => Size::Long,
        Ok(other) => panic!("ANNALS_PROVE is '{other}', and can be 'short' or 'long'"),
        Err(_) => Size::Sample,
    }
}

/// What everything random follows from: `ANNALS_SEED`, or 7.
pub fn seed() -> u64 {
    std::env::var("ANNALS_SEED").map_or(7, |seed| seed.parse().expect("ANNALS_SEED is a number"))
}
