//! Remembers whether this program can be started again as the launcher, and by which path.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The first argument that makes a program the launcher. It must not collide with any verb.
pub(super) const LAUNCH: &str = "__launch-converter";
static LAUNCHER: OnceLock<PathBuf> = OnceLock::new();

/// Returns the program to start as the launcher; `None` in a program that cannot be one.
pub(super) fn launcher() -> Option<&'static Path> {
    LAUNCHER.get().map(PathBuf::as_path)
}

/// Records that this program can be the launcher, and the path to start it by.
pub(super) fn set_launcher(program: PathBuf) {
    LAUNCHER.get_or_init(|| program);
}
