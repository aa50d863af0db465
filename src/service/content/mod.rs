//! Archived content for whoever asks: its bytes, its file names, the record of the access.

mod access;
mod file_name;
mod read;
mod report;

pub use access::{AccessRecord, is_access_recorded, record_access};
pub use file_name::{distinct, numbered, original, safe_name};
pub use read::{
    content_of, copy, open_source, refuse_purged, refuse_purged_reports, refuse_without_source,
};
pub use report::{OpenReport, WhichReport, open_report, report_of};
