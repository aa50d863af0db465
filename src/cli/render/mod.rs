//! Renders output: tables, colours, sizes, JSON, differences, progress.

pub(super) mod changes;
mod commands;
pub(super) mod differences;
mod json;
mod progress;
pub(super) mod reasons;
mod sentences;
mod style;
mod table;

pub(super) use crate::service::words::{
    count, counted, duration, escape, escape_json, path_text, size, to_json,
};
pub(super) use commands::commands_in;
pub(super) use json::{error_json, log_line};
pub(super) use progress::Meter;
pub(super) use sentences::{PROSE_MAX, labelled, sentence, wrap};
pub(super) use style::Style;
pub(super) use table::{Canvas, Cell, Column, Table, facts};
