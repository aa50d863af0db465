//! Sends reports to servers and records what they answer.

pub(super) mod answer;
pub(super) mod http;
pub(super) mod outbox;
