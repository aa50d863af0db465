//! The launcher: this program, started again, confines itself and becomes the converter.
//!
//! A process can only restrict itself, so a further process is needed between host and converter.
//! This *launcher* is the program that embeds the host, started again. See [`be_launcher`].

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use super::access::Access;
use super::confinement::Confinement;
#[cfg(target_os = "linux")]
use super::restrict::restrict;
use super::this_program::{LAUNCH, set_launcher};

/// The exit code of a launcher that could not start the converter, and how its message begins.
const NOT_STARTED: u8 = 127;
const COMPLAINT: &str = "the converter cannot be started: os error ";

/// Reads from a launcher's exit and message why it could not start its converter.
pub(in crate::convert) fn launch_error(
    status: Option<ExitStatus>,
    stderr: &str,
) -> Option<io::Error> {
    if status?.code() != Some(i32::from(NOT_STARTED)) {
        return None;
    }
    let number = stderr.trim().strip_prefix(COMPLAINT)?.parse().ok()?;
    Some(io::Error::from_raw_os_error(number))
}

/// Makes this program one that can put converters into a sandbox. Call it first in `main`.
///
/// The program is started again as the launcher of a sandboxed converter. In the launcher, the call
/// does the launcher's work and returns the exit code to leave with. Otherwise it returns `None`,
/// and `main` goes on. A program that does not call it runs converters without a sandbox, and
/// [`Sandbox::enforcement`](crate::convert::Sandbox::enforcement) then says so.
///
/// From then on, open files other than the standard streams are not passed on to any program.
pub fn be_launcher() -> Option<ExitCode> {
    // Files that the parent of this program had open would be open to converters too, and no
    // sandbox closes them later.
    #[cfg(target_os = "linux")]
    close_fds::set_fds_cloexec(3, &[]);
    let mut words = env::args_os().skip(1);
    if words.next().as_deref() == Some(OsStr::new(LAUNCH)) {
        let failure = launch(words);
        // Parsed by `launch_error`. Standard error is the only channel to the host here.
        eprintln!("{COMPLAINT}{}", failure.raw_os_error().unwrap_or_default());
        return Some(ExitCode::from(NOT_STARTED));
    }
    // This path names the running program, even after its file was replaced by a newer version.
    let program = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        env::current_exe().ok()?
    };
    set_launcher(program);
    None
}

/// Closes everything that `words` do not name, then becomes the program after `--`.
///
/// Returns only when that fails, or when the words end in paths to be probed.
fn launch(mut words: impl Iterator<Item = OsString>) -> io::Error {
    let unusable = || io::Error::from(io::ErrorKind::InvalidInput);
    let mut confinement = Confinement::default();
    let mut access: Option<Access> = None;
    let is_probe = loop {
        let Some(word) = words.next() else {
            return unusable();
        };
        let list = match word.to_str() {
            Some("--") => break false,
            Some("probe") => break true,
            Some("read") => &mut access.get_or_insert_default().read,
            Some("list") => &mut access.get_or_insert_default().list,
            Some("write") => &mut access.get_or_insert_default().write,
            Some(what @ ("calls" | "account" | "limits")) => {
                let value = words.next().unwrap_or_default();
                if confinement
                    .set(what, value.to_str().unwrap_or_default())
                    .is_none()
                {
                    return unusable();
                }
                continue;
            }
            _ => return unusable(),
        };
        list.extend(words.next().map(PathBuf::from));
    };
    confinement.access = access;
    let program = if is_probe { None } else { words.next() };
    if program.is_none() && !is_probe {
        return unusable();
    }
    if let Err(error) = restrict(&confinement) {
        return error;
    }
    match program {
        Some(program) => become_program(Command::new(program).args(words)),
        None => probe(words.map(PathBuf::from)),
    }
}

/// Writes the first path that this process may not read, or enter, to standard output.
#[cfg(unix)]
fn probe(paths: impl Iterator<Item = PathBuf>) -> io::Error {
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;
    for path in paths {
        let wanted = if path.is_dir() {
            rustix::fs::Access::EXEC_OK
        } else {
            rustix::fs::Access::READ_OK
        };
        if rustix::fs::access(&path, wanted).is_err() {
            let mut out = io::stdout();
            let written = out
                .write_all(path.as_os_str().as_bytes())
                .and_then(|()| out.flush());
            return written
                .err()
                .unwrap_or_else(|| io::ErrorKind::PermissionDenied.into());
        }
    }
    // No program was given.
    io::ErrorKind::NotFound.into()
}

#[cfg(not(unix))]
fn probe(_: impl Iterator<Item = PathBuf>) -> io::Error {
    io::ErrorKind::Unsupported.into()
}

#[cfg(unix)]
fn become_program(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt;
    command.exec()
}

#[cfg(not(unix))]
fn become_program(_: &mut Command) -> io::Error {
    io::ErrorKind::Unsupported.into()
}

#[cfg(not(target_os = "linux"))]
fn restrict(_: &Confinement) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    //! The launcher is tested through the program, in `tests/host/sandbox.rs`, because the process
    //! of a unit test is no launcher.

    use super::*;

    #[test]
    fn a_launcher_with_strange_words_starts_nothing() {
        for words in [
            &[][..],
            &["read", "/x"],
            &["read", "/x", "--"],
            &["burn", "/x", "--", "sh"],
            &["calls", "all", "--", "sh"],
            &["calls"],
            &["account", "0:0", "--", "sh"],
            &["account", "conv", "--", "sh"],
        ] {
            let error = launch(words.iter().map(OsString::from));
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{words:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_launchers_own_complaint_is_taken_for_one() {
        use std::os::unix::process::ExitStatusExt;
        let exit = |code: i32| Some(ExitStatus::from_raw(code << 8));
        let complaint = format!("{COMPLAINT}2\n");
        let error = launch_error(exit(127), &complaint).expect("taken");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(launch_error(exit(1), &complaint).is_none());
        assert!(launch_error(exit(127), "sh: nothing: not found").is_none());
    }
}
