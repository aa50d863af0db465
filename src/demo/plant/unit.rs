//! One unit on its way through the plant: its product, its tester, its fault.

use super::clock::{DAY_S, DAYS, FIRST_SHIFT_S, seconds};
use super::random::{Random, Stream};

/// The serial number of the unit that the demonstration follows.
///
/// Its last ICT measurement failed, on a tester whose files the first version of the converter
/// reads wrong. Every plant of more than 17 units has it.
pub(crate) const STORY_SERIAL: &str = "K2510-00117";
pub(super) const STORY_INDEX: usize = 17;
const SERIAL_FIRST: usize = 100;

/// The measurement that fails on the in-circuit tester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Measurement(usize),
    LastMeasurement,
}

pub(super) struct Unit {
    pub(super) seed: u64,
    pub(super) index: usize,
    pub(super) serial: String,
    pub(super) product: &'static Product,
    pub(super) tester: &'static Tester,
    pub(super) ict_start_s: i64,
    pub(super) fault: Option<Fault>,
}

pub(super) struct Product {
    pub(super) part: &'static str,
    pub(super) revision: &'static str,
    pub(super) title: &'static str,
    pub(super) components: usize,
    pub(super) channels: usize,
    pub(super) suites: usize,
}

static PRODUCTS: [Product; 3] = [
    Product {
        part: "118-4402",
        revision: "C",
        title: "motor controller",
        components: 148,
        channels: 6,
        suites: 6,
    },
    Product {
        part: "118-4410",
        revision: "A",
        title: "motor controller, two axes",
        components: 156,
        channels: 9,
        suites: 7,
    },
    Product {
        part: "220-0107",
        revision: "B",
        title: "field bus gateway",
        components: 139,
        channels: 4,
        suites: 5,
    },
];

pub(super) struct Tester {
    pub(super) name: &'static str,
    pub(super) software: &'static str,
    pub(super) decimal: &'static str,
    pub(super) writes_total: bool,
}

static TESTERS: [Tester; 3] = [
    Tester {
        name: "ICT-01",
        software: "1.9.4",
        decimal: ".",
        writes_total: true,
    },
    Tester {
        name: "ICT-02",
        software: "1.9.4",
        decimal: ".",
        writes_total: true,
    },
    Tester {
        name: "ICT-03",
        software: "2.0.1",
        decimal: ",",
        writes_total: false,
    },
];

const OPERATORS: [&str; 4] = ["m.keller", "a.novak", "j.lindqvist", "s.okafor"];

impl Unit {
    pub(super) fn new(seed: u64, index: usize, units: usize) -> Self {
        let mut random = Random::of(seed, index, Stream::Unit);
        let per_day = units.div_ceil(DAYS).max(1);
        let (day, slot) = (index / per_day, index % per_day);
        let tester = &TESTERS[index % TESTERS.len()];
        let product = &PRODUCTS[(index / 24) % PRODUCTS.len()];
        let cycle_s = (8 * 3600) / (per_day / TESTERS.len() + 1).max(1);
        let ict_start_s = FIRST_SHIFT_S
            + seconds(day).saturating_mul(DAY_S)
            + seconds((slot / TESTERS.len()).saturating_mul(cycle_s))
            + seconds(random.below(240));
        let fault = match random.below(100) {
            _ if index == STORY_INDEX => Some(Fault::LastMeasurement),
            0..5 => Some(Fault::Measurement(random.below(product.components))),
            5..13 if !tester.writes_total => Some(Fault::LastMeasurement),
            5..7 => Some(Fault::LastMeasurement),
            _ => None,
        };
        Self {
            seed,
            index,
            serial: format!("K2510-{:05}", SERIAL_FIRST.saturating_add(index)),
            product,
            tester,
            ict_start_s,
            fault,
        }
    }

    pub(super) fn operator(&self) -> &'static str {
        OPERATORS[self.index / 7 % OPERATORS.len()]
    }
}
