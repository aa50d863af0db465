//! By how much two numbers may differ without counting as different.

use std::fmt;
use std::str::FromStr;

/// By how much two numbers may differ: an amount, or a percentage of the larger one.
///
/// The amount is calculated with decimally, as it is written: 0.3 and 0.4 are 0.1 apart. Numbers of
/// more than 30 digits are compared as machine numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tolerance {
    text: String,
    amount: Amount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Absolute(Scaled),
    /// A part of the larger of the two numbers: 0.5% is 0.005.
    Relative(Scaled),
}

/// A text that is no tolerance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no tolerance: write an amount such as 1e-9, or a percentage such as \"0.5%\"")]
pub struct ParseToleranceError(String);

impl FromStr for Tolerance {
    type Err = ParseToleranceError;

    fn from_str(text: &str) -> Result<Self, ParseToleranceError> {
        let wrong = || ParseToleranceError(text.chars().take(40).collect());
        let (number, is_percentage) = match text.strip_suffix('%') {
            Some(number) => (number.trim_end(), true),
            None => (text, false),
        };
        let mut number = Scaled::of(number).ok_or_else(wrong)?;
        if number.units < 0 {
            return Err(wrong());
        }
        let amount = if is_percentage {
            number.exponent -= 2;
            Amount::Relative(number)
        } else {
            Amount::Absolute(number)
        };
        Ok(Self {
            text: text.to_owned(),
            amount,
        })
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Tolerance {
    /// Returns true if both texts are numbers that differ by no more than this.
    pub fn allows(&self, old: &str, new: &str) -> bool {
        let (Some(a), Some(b)) = (machine_number(old), machine_number(new)) else {
            return false;
        };
        let exactly = match (Scaled::of(old.trim()), Scaled::of(new.trim())) {
            (Some(old), Some(new)) => self.allows_scaled(old, new),
            _ => None,
        };
        exactly.unwrap_or_else(|| match self.amount {
            Amount::Absolute(amount) => (a - b).abs() <= amount.to_machine(),
            Amount::Relative(part) => (a - b).abs() <= part.to_machine() * a.abs().max(b.abs()),
        })
    }

    /// Compares exactly; `None` when a number does not fit.
    fn allows_scaled(&self, old: Scaled, new: Scaled) -> Option<bool> {
        let scale = old.exponent.min(new.exponent);
        let (a, b) = (old.at(scale)?, new.at(scale)?);
        let apart = a.checked_sub(b)?.unsigned_abs();
        let (allowed, exponent) = match self.amount {
            Amount::Absolute(amount) => (amount.units.unsigned_abs(), amount.exponent),
            Amount::Relative(part) => (
                part.units
                    .unsigned_abs()
                    .checked_mul(a.unsigned_abs().max(b.unsigned_abs()))?,
                part.exponent.checked_add(scale)?,
            ),
        };
        let common = scale.min(exponent);
        Some(raised(apart, scale - common)? <= raised(allowed, exponent - common)?)
    }
}

fn raised(units: u128, zeros: i32) -> Option<u128> {
    if units == 0 {
        return Some(0);
    }
    units.checked_mul(10_u128.checked_pow(zeros.try_into().ok()?)?)
}

/// Returns the value of a text that is a finite number, as people and programs write numbers.
pub(super) fn machine_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let begins = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.');
    // `inf` and `nan` are no numbers here.
    if !text.starts_with(begins) || text.len() > 400 {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A decimal number: units times a power of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scaled {
    units: i128,
    exponent: i32,
}

impl Scaled {
    /// Parses a number of up to 30 digits with a moderate exponent.
    fn of(text: &str) -> Option<Self> {
        machine_number(text)?;
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.len() > 31 || exponent.abs() > 400 {
            return None;
        }
        Some(Self {
            units: digits.parse().ok()?,
            exponent: exponent - i32::try_from(fraction.len()).ok()?,
        })
    }

    fn at(self, exponent: i32) -> Option<i128> {
        if self.units == 0 {
            return Some(0);
        }
        let zeros = u32::try_from(self.exponent - exponent).ok()?;
        self.units.checked_mul(10_i128.checked_pow(zeros)?)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest machine number is wanted"
    )]
    fn to_machine(self) -> f64 {
        self.units as f64 * 10_f64.powi(self.exponent)
    }
}

#[cfg(test)]
mod tests {
    //! Checks that a limit of 0.1 allows 0.3 against 0.4, which machine numbers put further apart.

    use super::*;

    #[test]
    fn a_difference_as_large_as_the_tolerance_is_allowed() {
        for (tolerance, old, new, allowed) in [
            ("0.1", "0.3", "0.4", true),
            ("0.1", "0.3", "0.4000000000000001", false),
            ("1e-9", "4.97", "4.970000001", true),
            ("1e-9", "4.97", "4.9700000011", false),
            ("0", "1.0", "1", true),
            ("0", "1.0", "1.0001", false),
            ("0.5%", "200", "201", true),
            ("0.5%", "-200", "-201", true),
            ("0.5%", "200", "201.1", false),
            ("0.5%", "0", "0.0", true),
            ("50%", "-1", "1", false),
            ("1", "1e300", "1e300", true),
            ("1%", "1e300", "1.005e300", true),
            ("1%", "1e300", "1.02e300", false),
            ("1", "a", "a1", false),
            ("1", "inf", "inf", false),
            ("1", "", "", false),
            ("1", "1e400", "1e400", false),
            ("0.01", " 1.00 ", "1.01", true),
            (
                "1",
                "89470000000000000012345678901234567890",
                "89470000000000000012345678901234567891",
                true,
            ),
        ] {
            let told: Tolerance = tolerance.parse().expect(tolerance);
            assert_eq!(told.allows(old, new), allowed, "{tolerance}: {old} {new}");
            assert_eq!(told.allows(new, old), allowed, "{tolerance}: {new} {old}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for wrong in ["", "%", "-1", "5 mV", "inf", "nan", "1e999", "0,5", "-0.5%"] {
            assert!(wrong.parse::<Tolerance>().is_err(), "{wrong}");
        }
        assert_eq!(
            "0.5%".parse::<Tolerance>().expect("there").to_string(),
            "0.5%"
        );
    }
}
