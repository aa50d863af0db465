//! The example converters in Rust, for machines without Python. Their results equal those of the
//! programs in `tools/converters`.

mod answer;
mod ict;
mod jsonl;
mod junit;
mod kind;
mod report;
mod source;
mod suite;
#[cfg(test)]
mod tests;
mod uuid;
mod xml;

pub(crate) use answer::convert;
pub(crate) use kind::Kind;
pub(crate) use source::Arguments;
