//! Tests that concern several layouts.

mod format_page;
mod round_trip;
