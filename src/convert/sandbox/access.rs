//! Lists the files that a converter may touch in its sandbox.

use std::path::{Path, PathBuf};

use crate::convert::converter::{Converter, Sandbox, find_program, program};

/// Paths that every program may read and execute, but never write.
///
/// Of `/etc` only what is no secret is listed. Landlock itself closes other processes in `/proc`.
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

/// The files that a converter may touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Access {
    /// Paths that may be read and executed, with everything below them.
    pub(super) read: Vec<PathBuf>,
    /// Folders whose names may be listed, without reading what is below them.
    pub(super) list: Vec<PathBuf>,
    /// Paths that may be read, written and executed, with everything below them.
    pub(super) write: Vec<PathBuf>,
}

impl Access {
    /// Returns what `converter` may touch while it reads from `input` and writes to `home`. `None`
    /// without a sandbox.
    pub(super) fn of(converter: &Converter, input: &Path, home: &Path) -> Option<Self> {
        let Sandbox::Enforce { read, write } = &converter.bounds.sandbox else {
            return None;
        };
        let dir = &converter.dir;
        let word = converter.command.first().map_or("", String::as_str);
        let program = find_program(&program(word, dir, &converter.bundle));
        let system = SYSTEM.iter().map(PathBuf::from);
        let bundle = converter.bundle.iter().map(|name| dir.join(name));
        let declared = read.iter().cloned().chain(bundle).chain(program);
        Some(Self {
            read: system
                .chain(declared.filter(|path| !is_writable(path, write)))
                .chain([input.to_owned()])
                .collect(),
            // Interpreters list a program's folder to find modules. Files outside of the bundle
            // stay closed, because they are not archived either.
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

/// Returns true when `path` lies in a folder that is open for writing.
///
/// Such a path gets no rule of its own: the rule for the folder covers it, and a rule for the path
/// would follow a link that the converter may have put there in an earlier run.
fn is_writable(path: &Path, write: &[PathBuf]) -> bool {
    write.iter().filter(|folder| *folder != path).any(|folder| {
        path.starts_with(folder)
            || folder.canonicalize().is_ok_and(|folder| {
                let mut above = path.ancestors().skip(1);
                above.any(|above| above.canonicalize().is_ok_and(|above| above == folder))
            })
    })
}
