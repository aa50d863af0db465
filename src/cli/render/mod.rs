//! Renders output: tables, colours, sizes, JSON, differences, progress.

pub(super) mod changes;
pub(super) mod differences;
mod escape;
mod json;
mod numbers;
mod progress;
pub(super) mod reasons;
mod style;
mod table;

pub(super) use escape::{escape, escape_json};
pub(super) use json::{error_json, log_line, path_text, to_json};
pub(super) use numbers::{count, counted, duration, size};
pub(super) use progress::Meter;
pub(super) use style::Style;
pub(super) use table::{Canvas, Cell, Column, Table, facts};
