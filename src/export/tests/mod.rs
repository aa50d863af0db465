//! An owner gives a bundle away, and somebody changes it on the way, or the owner tries to tell
//! another story than the log. Each change has one verdict, and no change is ever green.

mod certificates;
mod derived;
mod million;
mod personal;
mod recipes;
mod sample;
mod stamps;
#[cfg(feature = "parquet")]
mod tables;
mod tampering;
mod writing;
