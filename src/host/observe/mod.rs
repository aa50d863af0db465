//! What a host reports about its work: notices, counters, health, metrics.

pub(super) mod counters;
pub(super) mod gates;
pub(super) mod http_host;
pub(super) mod listen;
pub(super) mod metrics;
pub(super) mod notice;
pub(super) mod space;
pub(super) mod status;
pub(super) mod stuck;
