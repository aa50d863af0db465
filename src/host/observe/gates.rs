//! What a host knows of new identities that wait to be promoted, by converter.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::status::PromotionStatus;
use crate::host::panics::lock;

/// How promotions stand, by the names of converters.
#[derive(Default)]
pub(in crate::host) struct Gates(Mutex<BTreeMap<String, PromotionStatus>>);

impl Gates {
    pub(in crate::host) fn of(&self, converter: &str) -> Option<PromotionStatus> {
        lock(&self.0).get(converter).cloned()
    }

    /// Changes how the promotions of a converter stand.
    pub(in crate::host) fn set(&self, converter: &str, status: PromotionStatus) {
        lock(&self.0).insert(converter.to_owned(), status);
    }

    /// Forgets the converters for which `stays` is false.
    pub(in crate::host) fn retain(&self, stays: impl Fn(&str) -> bool) {
        lock(&self.0).retain(|converter, _| stays(converter));
    }
}
