//! The files of a store: their names, and what each of them says.

pub(super) mod backup_marker;
pub(super) mod event_line;
pub(super) mod folders;
pub(super) mod header;
pub(super) mod lock;
pub(super) mod lost_event;
pub(super) mod machine;
pub(super) mod pack_error;
pub(super) mod pack_files;
pub(super) mod place;
pub(super) mod tmp_names;
