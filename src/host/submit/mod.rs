//! Sends reports to servers and records their answers.

pub(super) mod answer;
pub(super) mod http;
pub(super) mod outbox;
pub(super) mod timestamp;
