//! Parses how long entries are kept, such as `90d` and `forever`.

use crate::entry::Retention;

/// Returns how long entries are kept. The error says the form that is expected.
pub fn parse_retention(text: &str) -> Result<Retention, String> {
    text.trim().parse().map_err(|_| {
        "expected a number of days or years with its unit, such as 90d, 10y or 90d1y, or forever"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever types 10 means days or years, and only they know which.
    #[test]
    fn a_period_without_a_unit_or_without_length_is_told_the_form() {
        assert_eq!(parse_retention("forever"), Ok(Retention::Forever));
        assert_eq!(
            parse_retention("90d1y"),
            Ok(Retention::Period { days: 90, years: 1 })
        );
        for text in ["10", "0d", "0y", "", "d", "10 d", "-1d"] {
            let told = parse_retention(text).expect_err(text);
            assert!(told.contains("such as 90d"), "{text}: {told}");
        }
    }
}
