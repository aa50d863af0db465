//! What an open store consists of.

pub(super) mod backlog;
pub(super) mod compact_outcome;
pub(super) mod content_damage;
pub(super) mod contents;
pub(super) mod health;
pub(super) mod index_file;
pub(super) mod inline_record;
pub(super) mod journal_blobs;
pub(super) mod layers;
pub(super) mod leftovers;
pub(super) mod manifest;
pub(super) mod missing;
pub(super) mod pack_store;
pub(super) mod pins;
pub(super) mod placing;
pub(super) mod reclaimable;
pub(super) mod running_jobs;
pub(super) mod sign_ins;
pub(super) mod signing;
pub(super) mod store;
pub(super) mod tree_file;
pub(super) mod wake;
pub(super) mod watermark;
