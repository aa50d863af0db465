//! Recognises an event that stands for a lost one.

use crate::event::Body;
use crate::format::leaf;

/// The type of an event that stands for a lost one.
const LOST_KIND: &[u8] = b"annals.lost.v1";

/// Returns true for a line of the log that stands for a lost event.
pub(in crate::archive) fn is_lost(leaf: &[u8]) -> bool {
    // The type is checked before the line is decoded: every event passes here.
    let head = &leaf[..leaf.len().min(256)];
    let named = head.windows(LOST_KIND.len()).any(|part| part == LOST_KIND);
    named
        && str::from_utf8(leaf)
            .ok()
            .and_then(|line| leaf::decode(line).ok())
            .is_some_and(|event| matches!(event.body, Body::Lost(_)))
}
