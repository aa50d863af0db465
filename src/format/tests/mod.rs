//! Tests that involve several layouts.

mod format_page;
mod round_trip;
