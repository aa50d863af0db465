//! How many conversions may run at a time.

use std::collections::BTreeMap;

use super::settings::Config;

/// Limits on the number of conversions at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct ConverterLimits {
    pub(in crate::host) in_all: usize,
    /// The limits of converters, by their names.
    pub(in crate::host) each: BTreeMap<String, usize>,
}

impl Default for ConverterLimits {
    fn default() -> Self {
        Self {
            in_all: 1,
            each: BTreeMap::new(),
        }
    }
}

impl ConverterLimits {
    pub(in crate::host) fn of(&self, converter: &str) -> usize {
        self.each.get(converter).copied().unwrap_or(self.in_all)
    }
}

impl Config {
    pub(in crate::host) fn limits(&self) -> ConverterLimits {
        let each = self.converters.iter();
        let each = each.map(|config| (config.converter.name.clone(), config.max_concurrent));
        ConverterLimits {
            in_all: self.max_concurrent,
            each: each.collect(),
        }
    }
}
