//! Values in words: numbers, sizes and pairs, and text from outside made safe to show.

mod escape;
mod json;
mod numbers;
mod pairs;
mod periods;
mod shell;
mod sizes;
mod values;

pub use escape::{escape, escape_json};
pub use json::{path_text, to_json};
pub use numbers::{count, counted, duration, size};
pub use pairs::{parse_pair, to_meta};
pub use periods::parse_retention;
pub use shell::in_shell;
pub use sizes::parse_size;
pub use values::{short, short_path};
