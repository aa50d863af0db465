//! What a store can prove, and the record of who looked at it: checkpoints, bundles, reviews,
//! accesses.

mod checkpoint;
mod export;
mod objects;
mod records;
mod review;

pub use checkpoint::{CheckpointObject, Signed, TimeStampObject, newest, sign_or_newest};
pub use export::{Also, BundleObject, Watch, count_bundle, what_of, write_bundle};
pub use objects::{
    AccessObject, CheckpointItem, ErasureObject, ExportObject, Item, ReviewObject, VerifiedObject,
};
pub use records::{Asked, Door, LOOKED_AT_MAX, Record, RecordPage, Records};
pub use review::{ReviewAnswer, edge};
