//! What the kernel counts: processor time, bytes that a device got, bytes that files take.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Result;

/// Where a device's statistics have the sectors that were written.
const SECTORS_WRITTEN: usize = 6;
/// And how many requests it has not answered yet.
const IN_FLIGHT: usize = 8;

/// Seconds of processor time this thread had.
pub(crate) fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Bytes that the device below `dir` has been given to write so far, after everything on it was
/// made to go there. It counts for everybody who uses the device.
pub(crate) fn device_written_bytes(dir: &Path) -> Result<u64> {
    rustix::fs::syncfs(fs::File::open(dir)?)?;
    Ok(device_count(dir, SECTORS_WRITTEN)? * 512)
}

/// One of the numbers the kernel keeps of the device below `dir`.
fn device_count(dir: &Path, nth: usize) -> Result<u64> {
    let device = fs::metadata(dir)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let counts = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat"))?;
    let count = counts
        .split_whitespace()
        .nth(nth)
        .ok_or("the device does not count what it does")?;
    Ok(count.parse()?)
}

/// Waits until the device below `dir` has nothing left to do: nobody's turn begins with what the
/// one before left behind. Blocks of removed files are discarded long after the removal.
pub(crate) fn settle(dir: &Path) -> Result<()> {
    const LOOK_EVERY: Duration = Duration::from_millis(10);
    const QUIET_LOOKS: u32 = 20;
    rustix::fs::syncfs(fs::File::open(dir)?)?;
    let mut quiet = 0;
    while quiet < QUIET_LOOKS {
        std::thread::sleep(LOOK_EVERY);
        quiet = if device_count(dir, IN_FLIGHT)? == 0 {
            quiet + 1
        } else {
            0
        };
    }
    Ok(())
}

/// What files take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The sum of their lengths.
    pub(crate) length: u64,
    /// The blocks that were given to them.
    pub(crate) allocated: u64,
}

/// What the files below `path` take for which `counts` says yes.
pub(crate) fn taken(path: &Path, counts: &dyn Fn(&Path) -> bool) -> Result<Taken> {
    let mut sum = Taken::default();
    for file in below(path)? {
        if counts(&file) {
            let known = fs::metadata(&file)?;
            sum.length += known.len();
            sum.allocated += known.blocks() * 512;
        }
    }
    Ok(sum)
}

/// All regular files below a folder, by name.
pub(crate) fn below(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// An empty folder.
pub(crate) fn fresh_dir(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        fs::remove_dir_all(path)?;
    }
    fs::create_dir_all(path)?;
    Ok(path.to_owned())
}
