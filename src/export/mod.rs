//! Evidence bundles: folders that show what a log says to people who trust neither its owner nor
//! this program.
//!
//! A bundle is a BagIt bag with the exact lines of the log, a signed checkpoint over the tree of
//! the whole log, and, if wanted, the contents that the lines name. Its last line is an `exported`
//! event that says what is in the bundle, so nothing can be taken out later. [`verify`] needs
//! nothing but the folder and a key that came another way; [`docs::verify_without_annals`] does the
//! same with tools that every system has.
//!
//! Writing takes three steps: a [`Tally`] counts the lines, the store records what it gives as an
//! event and signs a checkpoint, and [`write()`] makes the folder.
//!
//! ```
//! use annals::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
//! use annals::evidence::key::SecretKey;
//! use annals::evidence::note::KeyName;
//! use annals::evidence::tree::Frontier;
//! use annals::export::{self, NewBundle, Tally, Trust, Verdict, What, WithContents};
//! use annals::id::{EventSeq, StoreId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path().join("evidence");
//! # let store = StoreId::from_bytes([0x5a; 16]);
//! # let line = |seq: u64, kind: &str, data: &str| {
//! #     let head = format!(r#"{{"specversion":"1.0","id":"{seq}","source":"urn:annals:{store}""#);
//! #     let time = format!(r#""time":"2026-03-01T08:30:00.000000+00:00","sequence":"{seq:020}""#);
//! #     let who = r#""authtype":"user","authid":"kari","bootid":"b","monotonicms":"5""#;
//! #     format!(r#"{head},"type":"{kind}",{time},{who},"data":{data}}}"#)
//! # };
//! # let created = format!(r#"{{"store":"{store}","format":1,"program":"0.1.0"}}"#);
//! # let mut log = vec![line(1, "annals.store.created.v1", &created)];
//! let key = SecretKey::generate(KeyName::of_store(&store))?;
//! // The lines of the log come from the store.
//! let mut tally = Tally::new(What::Whole, WithContents::No);
//! for (seq, line) in (1..).zip(&log) {
//!     tally.add(EventSeq(seq), line.as_bytes())?;
//! }
//! let counted = tally.finish();
//! // The store records the result as an event, and signs.
//! let payload = serde_json::to_string(&counted.exported)?;
//! # log.push(line(2, export::Exported::KIND, &payload));
//! let mut tree = Frontier::new();
//! log.iter().for_each(|line| tree.push(line.as_bytes()));
//! let checkpoint = Checkpoint::of(key.verifier().name().into(), &tree);
//! let checkpoint = SignedCheckpoint::sign(checkpoint, &[&key])?;
//! let new = NewBundle {
//!     counted: &counted,
//!     checkpoint: &checkpoint,
//!     vkeys: &[key.verifier().clone()],
//!     derived: &[],
//!     read: &|_, _| Ok(()),
//!     disclose: None,
//!     progress: &|_, _| {},
//! };
//! let lines = (1..).map(EventSeq).zip(log.iter().map(|line| line.clone().into_bytes()));
//! export::write(&dir, &new, lines.map(Ok))?;
//!
//! // Somebody else has the folder, and the key from a contract.
//! let trust = Trust::in_keys([key.verifier().clone()]);
//! assert_eq!(export::verify(&dir, &trust, &|_, _| {}).verdict, Verdict::Intact);
//! # Ok(())
//! # }
//! ```
//!
//! [`docs::verify_without_annals`]: crate::docs::verify_without_annals

#![cfg_attr(
    test,
    allow(
        non_snake_case,
        reason = "test names: what is done, two underscores, what must hold"
    )
)]

pub(crate) mod bag;
pub mod certificate;
mod derived;
mod disclosed;
mod facts;
mod lines;
mod output;
mod proofs;
mod report;
mod scope;
mod select;
mod tally;
mod verify;
mod write;

pub use derived::Derived;
#[cfg(feature = "testing")]
pub(crate) use lines::Head;
pub use scope::{BUNDLE_FORMAT, ContentsCount, Counts, Exported, Scope};
pub use tally::{Counted, Tally, What, WithContents};
pub use verify::{
    BundleFinding, PairVerified, Trust, Verdict, Verified, verify, verify_on, verify_pair,
    verify_pair_on,
};
pub use write::{Bundled, Disclose, NewBundle, ReadContent, write, write_on};

#[cfg(test)]
mod tests;
