//! An event-sourced, content-addressed archive for converter hosts.
//!
//! Factories test every unit they make; converter hosts turn the test stations' files into reports.
//! annals keeps every input byte and every fact about it, finds it by serial number years later,
//! runs the same or the corrected converter over any selection again, and shows what changed.
//!
//! ```
//! use annals::archive::{Archive, NewEntry};
//!
//! # fn main() -> annals::Result<()> {
//! # let dir = tempfile::tempdir().expect("a temporary folder");
//! # let dir = dir.path().join("store");
//! let archive = Archive::builder().create(&dir)?;
//! let new = NewEntry::new("ICT CSV").serial("SN1042");
//! // When the receipt is there, the bytes and the facts survive a power cut.
//! let receipt = archive.put(new, &b"serial,SN1042\nvolts,4.98\n"[..])?;
//!
//! let snapshot = archive.snapshot()?;
//! let found = snapshot.find("sn10", 100)?;
//! assert_eq!(found[0].id, receipt.id);
//! // Every piece is compared with its hash before it is handed out.
//! assert_eq!(archive.read_all(&found[0].blake3, 1 << 20)?, b"serial,SN1042\nvolts,4.98\n");
//! archive.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! [`docs::embedding`] shows the rest in five minutes: many files in flight, queries, events, and a
//! converter host in 60 lines.
//!
//! # Four sentences everything follows from
//!
//! 1. **The log is the truth.** Each fact is an immutable event with a sequence number.
//! 2. **Blobs are named by their content.** An event names only durable blobs.
//! 3. **The index is disposable.** It is always the fold of the log.
//! 4. **Deciding is pure, acting is in one place.** Plans are values that can be shown, compared
//!    and refused as stale.
//!
//! # Rooms
//!
//! | room | what it does | may know |
//! |---|---|---|
//! | [`id`], [`time`], [`event`], [`entry`], [`query`], [`Error`] | the vocabulary: plain values | each other |
//! | [`disk`] | the only file operations, with their durability contract | the vocabulary |
//! | `format` | bytes to values and back; see [`docs::format`] | the vocabulary |
//! | `index` | projections in redb | disk |
//! | [`retention`] | policy, holds and entries to a plan; deletes nothing | the vocabulary |
//! | [`evidence`] | the Merkle tree over events; keys, signed checkpoints, proofs | format |
//! | `blob` | digests, compression, chunks, packs | all above |
//! | `log` | journal, segments, recovery | all above |
//! | [`export`] | evidence bundles: writing, verifying, reports, certificates | disk, format, evidence |
//! | [`archive`] | the lock and the order of writes: put, read, query, purge, verify | all above |
#![cfg_attr(
    feature = "host",
    doc = "| [`convert`] | converters: identity, subprocesses, attempts, reprocessing | archive |"
)]
#![cfg_attr(
    feature = "host",
    doc = "| [`host`] | watch folders, intake, clearing away, the outbox | convert |"
)]
//! | `demo` | the sample plant of `annals demo`, its converters and its story | the vocabulary |
//! | `service` | what all doors have in common: dates, filters in words, JSON objects | host |
//! | `cli` | the `annals` program | everything |
//!
//! Never upward; `tests/architecture.rs` checks it. [`docs`] has the guides, the design and the
//! on-disk format.

pub mod archive;
mod blob;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod complete;
#[cfg(feature = "host")]
pub mod convert;
#[cfg(feature = "cli")]
mod demo;
pub mod disk;
pub mod entry;
mod error;
pub mod event;
pub mod evidence;
pub mod export;
mod format;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod fuzz;
#[cfg(feature = "host")]
pub mod host;
pub mod id;
mod index;
mod log;
pub mod query;
pub mod retention;
#[cfg(feature = "host")]
#[doc(hidden)]
pub mod service;
mod setters;
pub mod time;
#[cfg(feature = "serve")]
mod web;

pub use archive::Archive;
pub use error::{Error, ErrorKind, Result};

/// The documents, as they lie in the folder `docs`.
pub mod docs {
    #[doc = include_str!("../docs/archiving.md")]
    pub mod archiving {}
    #[doc = include_str!("../docs/backup.md")]
    pub mod backup {}
    #[doc = include_str!("../docs/cli.md")]
    pub mod cli {}
    #[doc = include_str!("../docs/compliance.md")]
    pub mod compliance {}
    #[doc = include_str!("../docs/converters.md")]
    pub mod converters {}
    #[doc = include_str!("../docs/design.md")]
    pub mod design {}
    #[doc = include_str!("../docs/embedding.md")]
    pub mod embedding {}
    #[doc = include_str!("../docs/evidence.md")]
    pub mod evidence {}
    #[doc = include_str!("../docs/format.md")]
    pub mod format {}
    #[doc = include_str!("../docs/glossary.md")]
    pub mod glossary {}
    #[doc = include_str!("../docs/host.md")]
    pub mod host {}
    #[doc = include_str!("../docs/json.md")]
    pub mod json {}
    #[doc = include_str!("../docs/names.md")]
    pub mod names {}
    #[doc = include_str!("../docs/performance.md")]
    pub mod performance {}
    #[doc = include_str!("../docs/privacy.md")]
    pub mod privacy {}
    #[doc = include_str!("../docs/promotion.md")]
    pub mod promotion {}
    #[doc = include_str!("../docs/recipes.md")]
    pub mod recipes {}
    #[doc = include_str!("../docs/reliability.md")]
    pub mod reliability {}
    #[doc = include_str!("../docs/reprocessing.md")]
    pub mod reprocessing {}
    #[doc = include_str!("../docs/retention.md")]
    pub mod retention {}
    #[doc = include_str!("../docs/security.md")]
    pub mod security {}
    #[doc = include_str!("../docs/troubleshooting.md")]
    pub mod troubleshooting {}
    #[doc = include_str!("../docs/verify-without-annals.md")]
    pub mod verify_without_annals {}
    #[doc = include_str!("../docs/web.md")]
    pub mod web {}
}

/// Its example is compiled and run as it stands.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
