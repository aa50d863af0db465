//! The words for rules, which stay in the log for good.

pub(crate) const EXPIRED: &str = "expired";
/// Not a rule by itself: states that entries with waiting reports are purged too.
pub(crate) const EVEN_WAITING: &str = "even-waiting";

/// Not a rule by itself: states that governance locks are bypassed.
pub(crate) const BYPASS_GOVERNANCE: &str = "bypass-governance";

pub(crate) fn older_than(micros: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    if micros % DAY == 0 {
        format!("older-than {}d", micros / DAY)
    } else {
        format!("older-than {}s", micros / 1_000_000)
    }
}

pub(crate) fn max_size(bytes: u64) -> String {
    format!("max-size {bytes}")
}

pub(crate) fn max_count(entries: u64) -> String {
    format!("max-count {entries}")
}

pub(crate) fn min_free_disk(bytes: u64) -> String {
    format!("min-free-disk {bytes}")
}
