//! Tests of a store through its public interface, most of them on a simulated disk. Whatever the
//! disk, a clock or a caller does, what was acknowledged must be there.
//!
//! One program, because linking one for each file takes longer than running most of them. Nothing
//! here may start a process or change the environment: what needs a program of its own, as
//! `tests/allocation.rs` does for its allocator, is a file of `tests`.

#[path = "../support/mod.rs"]
mod support;

mod acknowledgements;
#[cfg(feature = "tokio")]
mod asynchronous;
mod concurrency;
mod crash;
mod damage;
mod faults;
#[cfg(feature = "host")]
mod fuzz_corpus;
mod index_reads;
mod index_size;
mod limits;
mod model;
mod opening;
mod panics;
mod repair;
mod sizes;
mod subscription;
mod unreadable;
mod values;
