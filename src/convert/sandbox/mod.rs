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

use super::definition::{Bounds, Converter, Network, Sandbox};
use super::process;

#[cfg(target_os = "linux")]
mod account;
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

/// The account of a converter, where there is one to change to.
#[cfg(target_os = "linux")]
pub(super) use account::Account;

/// Where no process can change its account.
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {}

#[cfg(not(target_os = "linux"))]
impl Account {
    fn find(_: &super::definition::RunAs) -> Result<Self, String> {
        Err("only on Linux a converter can run as another user".to_owned())
    }
}

impl Bounds {
    /// Why these bounds cannot be enforced here though no converter must run without them; `None` where they can.
    ///
    /// Files that a sandbox cannot close are no such reason: each attempt is recorded with what held.
    pub fn unenforceable(&self) -> Option<String> {
        unenforceable(self)
    }

    /// What is enforced here, in a few words each, as it is recorded with each attempt.
    pub fn enforced(&self) -> Vec<String> {
        enforced(self)
    }
}

impl Converter {
    /// The first of its files that the account of `run_as` may not read, or of its folders that it may not enter.
    pub fn unreadable(&self) -> Option<PathBuf> {
        unreadable(self)
    }
}

fn unenforceable(bounds: &Bounds) -> Option<String> {
    let launcher = || {
        LAUNCHER.get().is_none().then(|| {
            "the program that runs the converters is no launcher (convert::be_launcher)".to_owned()
        })
    };
    if let Some(run_as) = &bounds.run_as
        && let Some(why) = launcher().or_else(|| Account::find(run_as).err())
    {
        return Some(format!("run_as = \"{run_as}\": {why}"));
    }
    if bounds.network == Network::None {
        let why = if bounds.sandbox == Sandbox::Off {
            Some(
                "it needs sandbox = \"enforce\", without which it has another process open its connections"
                    .to_owned(),
            )
        } else if !filters_calls() {
            Some("this system cannot filter system calls".to_owned())
        } else {
            launcher()
        };
        return why.map(|why| format!("network = \"none\": {why}"));
    }
    None
}

fn unreadable(converter: &Converter) -> Option<PathBuf> {
    let run_as = converter.bounds.run_as.as_ref()?;
    let account = Account::find(run_as).ok()?;
    let word = converter.command.first().map_or("", String::as_str);
    let program = find_program(&process::program(word, &converter.dir, &converter.bundle));
    let bundle = converter.bundle.iter().map(|name| converter.dir.join(name));
    let reads: Vec<PathBuf> = [converter.dir.clone()]
        .into_iter()
        .chain(bundle)
        .chain(program)
        .collect();
    first_unreadable(account, &reads)
}

#[cfg(target_os = "linux")]
fn first_unreadable(account: Account, reads: &[PathBuf]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let confinement = Confinement {
        account: Some(account),
        ..Confinement::default()
    };
    let mut command = confinement.launcher(None)?;
    command.arg("probe").args(reads).env_clear();
    let said = command.output().ok()?;
    let path = said.stdout;
    (!path.is_empty()).then(|| PathBuf::from(OsString::from_vec(path)))
}

#[cfg(not(target_os = "linux"))]
fn first_unreadable(account: Account, _: &[PathBuf]) -> Option<PathBuf> {
    match account {}
}

fn enforced(bounds: &Bounds) -> Vec<String> {
    let mut words = Vec::new();
    let none = bounds.network == Network::None;
    let files = match bounds.sandbox.enforcement() {
        Enforcement::Enforced(abi) | Enforcement::Partly(abi) => {
            Some(format!("files:landlock-{abi}"))
        }
        Enforcement::Not(_) => None,
    };
    let has_launcher = LAUNCHER.get().is_some();
    let is_filtered = has_launcher && filters_calls() && (files.is_some() || none);
    let is_account = has_launcher && bounds.run_as.is_some();
    let is_confined = files.is_some() || is_filtered || is_account;
    words.extend(files);
    words.extend(is_filtered.then(|| "system-calls".to_owned()));
    words.extend(is_confined.then(|| "capabilities".to_owned()));
    words.extend((is_filtered && none).then(|| "network".to_owned()));
    if let Some(run_as) = bounds.run_as.as_ref().filter(|_| is_account) {
        words.push(format!("user:{run_as}"));
    }
    words
}

/// What is closed to a converter's processes before they run its program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Confinement {
    /// Whom they run as; `None` is the host's own account.
    account: Option<Account>,
    /// The files they may touch; `None` is all their account may.
    access: Option<Access>,
    /// The calls of the system that they are refused.
    calls: Calls,
    /// Bytes of memory and of the longest file; the host itself could not limit a process of another account.
    limits: Option<(u64, u64)>,
}

/// The calls of the system that a converter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Calls {
    /// Those that type into the terminal that the host was started from.
    #[default]
    Terminal,
    /// Those, and all by which it would leave its sandbox.
    Sandbox,
    /// Those, and every socket.
    SandboxAndNetwork,
}

impl Calls {
    const ALL: [Self; 3] = [Self::Terminal, Self::Sandbox, Self::SandboxAndNetwork];

    fn word(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Sandbox => "sandbox",
            Self::SandboxAndNetwork => "network",
        }
    }
}

impl Confinement {
    /// What `converter` is held to while it reads what is in `input` and writes to `home`. `None` where nothing is closed.
    ///
    /// # Errors
    /// An account that is not there any more.
    pub(super) fn of(converter: &Converter, input: &Path, home: &Path) -> io::Result<Option<Self>> {
        let bounds = &converter.bounds;
        let access = Access::of(converter, input, home);
        let account = bounds.run_as.as_ref().map(Account::find).transpose();
        let confinement = Self {
            account: account.map_err(io::Error::other)?,
            calls: match (&access, bounds.network) {
                (_, Network::None) => Calls::SandboxAndNetwork,
                (Some(_), Network::Allowed) => Calls::Sandbox,
                (None, Network::Allowed) => Calls::Terminal,
            },
            access,
            limits: None,
        };
        if confinement == Self::default() {
            return Ok(None);
        }
        Ok(Some(Self {
            limits: Some((bounds.memory, bounds.file_size)),
            ..confinement
        }))
    }

    /// A command that closes everything else, and then becomes `program`; without one its arguments end there.
    pub(super) fn launcher(&self, program: Option<&Path>) -> Option<Command> {
        let mut command = Command::new(LAUNCHER.get()?);
        command.arg(LAUNCH).arg("calls").arg(self.calls.word());
        if let Some((memory, file_size)) = self.limits {
            command.arg("limits").arg(format!("{memory}:{file_size}"));
        }
        #[cfg(target_os = "linux")]
        if let Some(account) = self.account {
            command.arg("account").arg(account.to_string());
        }
        if let Some(access) = &self.access {
            for (word, paths) in [
                ("read", &access.read),
                ("list", &access.list),
                ("write", &access.write),
            ] {
                for path in paths {
                    command.arg(word).arg(path);
                }
            }
        }
        if let Some(program) = program {
            command.arg("--").arg(program);
        }
        Some(command)
    }
}

/// Gives a converter's private folder to its account: what is in `handed` for it alone, and the way to it. To be called
/// before any process of the account can know the folder.
pub(super) fn hand_over(bounds: &Bounds, folder: &Path, handed: &[&str]) -> io::Result<()> {
    let Some(run_as) = &bounds.run_as else {
        return Ok(());
    };
    let account = Account::find(run_as).map_err(io::Error::other)?;
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::PermissionsExt;
        for name in handed {
            account.hand_over(&folder.join(name))?;
        }
        // Last: until then nobody can get at what is being handed over. It stays the host's, who clears it away.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
    }
    #[cfg(not(target_os = "linux"))]
    match account {}
}

/// Lets a converter's account read a private folder of the host's, and not change it.
pub(super) fn let_read(bounds: &Bounds, folder: &Path) -> io::Result<()> {
    let Some(run_as) = &bounds.run_as else {
        return Ok(());
    };
    let account = Account::find(run_as).map_err(io::Error::other)?;
    #[cfg(target_os = "linux")]
    {
        account.let_read(folder)
    }
    #[cfg(not(target_os = "linux"))]
    match account {}
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
    fn of(converter: &Converter, input: &Path, home: &Path) -> Option<Self> {
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
        let declared = read.iter().cloned().chain(bundle).chain(program);
        Some(Self {
            read: system
                .chain(declared.filter(|path| !is_writable(path, write)))
                .chain([input.to_owned()])
                .collect(),
            // Interpreters list a program's folder to find its modules. What is not in the bundle stays closed: it is
            // not archived either.
            list: vec![dir.clone()],
            write: std::iter::once(home.to_owned())
                .chain(
                    write
                        .iter()
                        .filter(|path| !is_writable(path, write))
                        .cloned(),
                )
                .collect(),
        })
    }
}

/// True when `path` lies in one of the folders that are open for writing. A rule for it would follow whatever link the
/// converter has put there in an earlier run; the rule for that folder covers it anyway.
fn is_writable(path: &Path, write: &[PathBuf]) -> bool {
    write.iter().filter(|folder| *folder != path).any(|folder| {
        path.starts_with(folder)
            || folder.canonicalize().is_ok_and(|folder| {
                let mut above = path.ancestors().skip(1);
                above.any(|above| above.canonicalize().is_ok_and(|above| above == folder))
            })
    })
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
///
/// Files that were open before, other than the standard streams, are not passed on to any program from then on.
pub fn be_launcher() -> Option<ExitCode> {
    // What whoever started this program had open would be open to converters too, and no sandbox closes it again.
    #[cfg(target_os = "linux")]
    close_fds::set_fds_cloexec(3, &[]);
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

/// Closes everything but what `words` name, then becomes the program after `--`. Only returns when that fails, or when the
/// words end in paths to be probed.
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

impl Confinement {
    /// Takes a value that [`Confinement::launcher`] has written; `None` for any other.
    fn set(&mut self, what: &str, value: &str) -> Option<()> {
        if what == "calls" {
            self.calls = Calls::ALL.into_iter().find(|calls| calls.word() == value)?;
            return Some(());
        }
        if what == "limits" {
            let (memory, file_size) = value.split_once(':')?;
            self.limits = Some((memory.parse().ok()?, file_size.parse().ok()?));
            return Some(());
        }
        #[cfg(target_os = "linux")]
        {
            self.account = Some(Account::from_numbers(value)?);
            Some(())
        }
        #[cfg(not(target_os = "linux"))]
        None
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
    // There is nothing to become.
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

#[cfg(target_os = "linux")]
use kernel::restrict;

#[cfg(target_os = "linux")]
fn filters_calls() -> bool {
    system_calls::can_be_filtered()
}

#[cfg(not(target_os = "linux"))]
fn filters_calls() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn restrict(_: &Confinement) -> io::Result<()> {
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
/// it from leaving core dumps. A launcher does this itself, before it becomes the program.
#[cfg(target_os = "linux")]
pub(super) fn limit(child: &std::process::Child, bounds: &Bounds) -> io::Result<()> {
    let child = rustix::process::Pid::from_child(child);
    set_limits(Some(child), bounds.memory, bounds.file_size)
}

/// Sets the limits of a process, or of this one.
#[cfg(target_os = "linux")]
fn set_limits(of: Option<rustix::process::Pid>, memory: u64, file_size: u64) -> io::Result<()> {
    use rustix::io::Errno;
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    for (resource, bytes) in [
        // Memory of its own that it may write. Not the whole address space: runtimes reserve far more than they use.
        (Resource::Data, memory),
        (Resource::Fsize, file_size),
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
        match prlimit(of, resource, limit) {
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
