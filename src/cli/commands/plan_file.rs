//! Plans of purges in files.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::cli::run::Failure;
use crate::retention::PurgePlan;
use crate::{Error, ErrorKind};

/// Writes a plan to a file, durably.
pub(super) fn write_plan(plan: &PurgePlan, file: &Path) -> std::io::Result<()> {
    let mut text = serde_json::to_string_pretty(plan)?;
    text.push('\n');
    let mut out = File::create(file)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()
}

/// Reads a plan from a file.
pub(super) fn read_plan(file: &Path) -> Result<PurgePlan, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::plain(Error::io("read the plan in", file, error)))?;
    let plan = serde_json::from_str(&text).map_err(|error| {
        Error::new(
            ErrorKind::Invalid,
            format!("{} is not a plan: {error}", file.display()),
        )
        .hint("make one with `annals retention preview ... --plan FILE`")
    })?;
    Ok(plan)
}
