//! What a converter's processes may use: bytes by resource limits, files by Landlock, the rest of the system by filtered
//! system calls and no capabilities. And how much of it this system really enforces.
//!
//! A sandbox restricts the process that asks for it, so it takes a process between this one and the converter: the
//! *launcher*, which is the program that embeds the host, started again. See [`be_launcher`].

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::OnceLock;

use super::definition::{Bounds, Converter, Sandbox};
use super::process;

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod privileges;
#[cfg(target_os = "linux")]
mod system_calls;

/// The first argument that makes a program the launcher. No verb of any command line begins like this.
const LAUNCH: &str = "__launch-converter";
/// The exit code of a launcher that could not start the converter, and how its complaint begins.
const NOT_STARTED: u8 = 127;
const COMPLAINT: &str = "the converter cannot be started: os error ";

/// What every program needs: to be read and executed, never written. Of `/etc` only what is no secret; other people's
/// processes in `/proc` are closed by Landlock itself.
const SYSTEM: [&str; 33] = [
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/opt",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/fonts",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
];
/// How much of a sandbox is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enforcement {
    /// All of it, by a kernel that knows at least this version of Landlock.
    Enforced(u8),
    /// What this version of Landlock can do, and system calls are filtered where they can be.
    Partly(u8),
    /// Nothing, and why.
    Not(String),
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced(abi) => write!(f, "enforced (Landlock {abi})"),
            Self::Partly(abi) => write!(f, "partly enforced (Landlock {abi})"),
            Self::Not(reason) => write!(f, "not enforced: {reason}"),
        }
    }
}

impl Sandbox {
    /// How much of it is in force for converters that this process starts.
    pub fn enforcement(&self) -> Enforcement {
        match self {
            Self::Off => Enforcement::Not("sandbox = \"off\"".to_owned()),
            Self::Enforce { .. } if LAUNCHER.get().is_none() => Enforcement::Not(
                "the program that runs the converters is no launcher (convert::be_launcher)"
                    .to_owned(),
            ),
            Self::Enforce { .. } => by_kernel().clone(),
        }
    }
}

/// The files a converter may touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Access {
    /// Read and executed, with all that is below.
    read: Vec<PathBuf>,
    /// Folders whose names may be listed, and nothing below them read.
    list: Vec<PathBuf>,
    /// Read, written and executed, with all that is below.
    write: Vec<PathBuf>,
}

impl Access {
    /// What `converter` may touch while it reads what is in `input` and writes to `home`. `None` without a sandbox, or
    /// where there is none to be had.
    pub(super) fn of(converter: &Converter, input: &Path, home: &Path) -> Option<Self> {
        let Sandbox::Enforce { read, write } = &converter.bounds.sandbox else {
            return None;
        };
        if matches!(converter.bounds.sandbox.enforcement(), Enforcement::Not(_)) {
            return None;
        }
        let dir = &converter.dir;
        let word = converter.command.first().map_or("", String::as_str);
        let program = find_program(&process::program(word, dir, &converter.bundle));
        let system = SYSTEM.iter().map(PathBuf::from);
        let bundle = converter.bundle.iter().map(|name| dir.join(name));
        Some(Self {
            read: system
                .chain(program)
                .chain(bundle)
                .chain([input.to_owned()])
                .chain(read.iter().cloned())
                .collect(),
            // Interpreters list a program's folder to find its modules. What is not in the bundle stays closed: it is
            // not archived either.
            list: vec![dir.clone()],
            write: std::iter::once(home.to_owned())
                .chain(write.iter().cloned())
                .collect(),
        })
    }

    /// A command that closes everything else, and then becomes `program`.
    pub(super) fn launcher(&self, program: &Path) -> Option<Command> {
        let mut command = Command::new(LAUNCHER.get()?);
        command.arg(LAUNCH);
        for (word, paths) in [
            ("read", &self.read),
            ("list", &self.list),
            ("write", &self.write),
        ] {
            for path in paths {
                command.arg(word).arg(path);
            }
        }
        command.arg("--").arg(program);
        Some(command)
    }
}

/// The file that a program's name means, so that it may be read wherever it is.
fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return Some(program.to_owned());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The error of a launcher that could not start its converter, out of what it left behind.
pub(super) fn launch_error(status: Option<ExitStatus>, stderr: &str) -> Option<io::Error> {
    if status?.code() != Some(i32::from(NOT_STARTED)) {
        return None;
    }
    let number = stderr.trim().strip_prefix(COMPLAINT)?.parse().ok()?;
    Some(io::Error::from_raw_os_error(number))
}

static LAUNCHER: OnceLock<PathBuf> = OnceLock::new();

/// Makes this program one that can put converters into a sandbox; to be called first thing in `main`.
///
/// A sandboxed converter is started by this very program, started again: then the call does that work and answers the
/// code to leave with. Otherwise it answers `None`, and `main` goes on. A program that does not call it runs converters
/// all the same; [`Sandbox::enforcement`] then says that there is no sandbox.
pub fn be_launcher() -> Option<ExitCode> {
    let mut words = env::args_os().skip(1);
    if words.next().as_deref() == Some(OsStr::new(LAUNCH)) {
        let failure = launch(words);
        // Parsed by `launch_error`; there is nobody else to tell.
        eprintln!("{COMPLAINT}{}", failure.raw_os_error().unwrap_or_default());
        return Some(ExitCode::from(NOT_STARTED));
    }
    // By this name it is the program that is running, even after its file was replaced by a newer version.
    let program = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        env::current_exe().ok()?
    };
    LAUNCHER.get_or_init(|| program);
    None
}

/// Closes everything but what `words` name, then becomes the program after `--`. Only returns when that fails.
fn launch(mut words: impl Iterator<Item = OsString>) -> io::Error {
    let unusable = || io::Error::from(io::ErrorKind::InvalidInput);
    let mut access = Access::default();
    loop {
        let Some(word) = words.next() else {
            return unusable();
        };
        let list = match word.to_str() {
            Some("--") => break,
            Some("read") => &mut access.read,
            Some("list") => &mut access.list,
            Some("write") => &mut access.write,
            _ => return unusable(),
        };
        list.extend(words.next().map(PathBuf::from));
    }
    let Some(program) = words.next() else {
        return unusable();
    };
    if let Err(error) = restrict(&access) {
        return error;
    }
    become_program(Command::new(program).args(words))
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

#[cfg(target_os = "linux")]
use kernel::restrict;

#[cfg(not(target_os = "linux"))]
fn restrict(_: &Access) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What the kernel can do; asked once.
fn by_kernel() -> &'static Enforcement {
    static KERNEL: OnceLock<Enforcement> = OnceLock::new();
    KERNEL.get_or_init(|| {
        #[cfg(target_os = "linux")]
        {
            kernel::enforcement()
        }
        #[cfg(not(target_os = "linux"))]
        {
            Enforcement::Not("only Linux has Landlock".to_owned())
        }
    })
}

/// Holds a process that was just started, and all it starts from now on, to its limits of memory and file size, and keeps
/// it from leaving core dumps.
#[cfg(target_os = "linux")]
pub(super) fn limit(child: &std::process::Child, bounds: &Bounds) -> io::Result<()> {
    use rustix::io::Errno;
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    for (resource, bytes) in [
        // Memory of its own that it may write. Not the whole address space: runtimes reserve far more than they use.
        (Resource::Data, bounds.memory),
        (Resource::Fsize, bounds.file_size),
        (Resource::Core, 0),
    ] {
        // What this process itself is held to cannot be raised.
        let most = getrlimit(resource)
            .maximum
            .map_or(bytes, |maximum| maximum.min(bytes));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        match prlimit(Some(Pid::from_child(child)), resource, limit) {
            Ok(_) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn limit(_: &std::process::Child, _: &Bounds) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    //! What the launcher does is tested through the program, in `tests/sandbox.rs`: a test's own process is no launcher.

    use super::*;

    #[test]
    fn without_a_launcher_nothing_claims_to_be_enforced() {
        let sandbox = Sandbox::Enforce {
            read: Vec::new(),
            write: Vec::new(),
        };
        let said = sandbox.enforcement().to_string();
        assert!(said.starts_with("not enforced: "), "{said}");
        assert!(said.contains("no launcher"), "{said}");
        let off = Sandbox::Off.enforcement().to_string();
        assert_eq!(off, "not enforced: sandbox = \"off\"");
    }

    #[test]
    fn a_launcher_without_a_program_or_with_strange_words_starts_nothing() {
        for words in [
            &[][..],
            &["read", "/x"],
            &["read", "/x", "--"],
            &["burn", "/x", "--", "sh"],
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
