//! The owner's socket: where it is, and which users may be on the other side.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The socket's name in the store's folder.
pub(super) const SOCKET_FILE: &str = "OWNER";

/// Most bytes of a socket address's path that every known system accepts.
const ADDRESS_BYTES_MAX: usize = 100;

/// Calls `work` with a path to the socket that fits a socket address.
///
/// A path that is too long is replaced by one through an open handle of the folder, where the
/// system has paths for handles. The current folder of the process does not change.
fn at<T>(dir: &Path, work: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = dir.join(SOCKET_FILE);
    if path.as_os_str().len() <= ADDRESS_BYTES_MAX {
        return work(&path);
    }
    let folder = File::open(dir)?;
    let by_handle = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    work(&by_handle.join(SOCKET_FILE))
}

/// Creates the socket.
///
/// The caller holds the store's lock. So an existing socket was left by a dead owner, and is
/// replaced.
pub(super) fn listen(dir: &Path) -> io::Result<UnixListener> {
    let path = dir.join(SOCKET_FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = at(dir, |path| UnixListener::bind(path))?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

pub(super) fn connect(dir: &Path) -> io::Result<UnixStream> {
    at(dir, |path| UnixStream::connect(path))
}

pub(super) fn remove(dir: &Path) {
    // When removing fails, the next owner replaces the socket.
    let _ = fs::remove_file(dir.join(SOCKET_FILE));
}

/// The process at the other end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) pid: u32,
}

/// Returns the process at the other end, where the system reports it.
///
/// On other systems, the permissions of the socket file decide who can connect.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn peer(stream: &UnixStream) -> io::Result<Option<Peer>> {
    let credentials = rustix::net::sockopt::socket_peercred(stream)?;
    Ok(Some(Peer {
        uid: credentials.uid.as_raw(),
        pid: credentials.pid.as_raw_pid().unsigned_abs(),
    }))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "it can fail where the system is asked"
)]
pub(super) fn peer(_: &UnixStream) -> io::Result<Option<Peer>> {
    Ok(None)
}

/// Returns true for a descendant of this process, as far as the system reports parents. This
/// process itself does not count.
pub(super) fn is_descendant(pid: u32) -> bool {
    // The bound ends the loop when a hostile process changes the chain of parents meanwhile.
    const GENERATIONS: usize = 1000;
    let own = std::process::id();
    let mut parents = std::iter::successors(Some(pid), |pid| parent_of(*pid)).skip(1);
    pid != own && parents.by_ref().take(GENERATIONS).any(|pid| pid == own)
}

/// Returns the parent of a process.
///
/// Returns `None` for the first process, and where the system does not report parents.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The process name stands in parentheses and may contain parentheses.
    let after_name = stat.get(stat.rfind(')')? + 1..)?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// Returns true for the owner's user and for root.
///
/// Both could open the store themselves, so the socket gives nobody a further right.
pub(super) fn may_use(uid: Option<u32>, own: u32) -> bool {
    uid.is_none_or(|uid| uid == own || uid == 0)
}

/// Returns true for this user, for root, and for the user that the folder belongs to.
///
/// Each of them could write the store directly.
pub(super) fn may_answer(uid: Option<u32>, owner: Option<u32>) -> bool {
    let own = rustix::process::geteuid().as_raw();
    uid.is_none_or(|uid| uid == own || uid == 0 || Some(uid) == owner)
}

/// Returns the user that the store's folder belongs to.
pub(super) fn owner_of(dir: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(fs::metadata(dir).ok()?.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owners_user_and_root_may_use_the_socket() {
        for (uid, own, may) in [(7, 7, true), (0, 7, true), (8, 7, false), (7, 0, false)] {
            assert_eq!(may_use(Some(uid), own), may, "{uid} of {own}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_descendant_is_known_also_where_it_is_a_grandchild() {
        use std::io::{BufRead, BufReader};
        let mut child = std::process::Command::new("sh")
            .args([
                "-c",
                "sh -c 'echo $$; exec sleep 60' & read -r line; kill $!; wait",
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("told");
        let grandchild = line.trim().parse().expect("a number");
        assert!(is_descendant(child.id()) && is_descendant(grandchild));
        assert!(!is_descendant(std::process::id()) && !is_descendant(1));
        drop(child.stdin.take());
        child.wait().expect("ended");
    }

    /// A socket address holds about a hundred bytes, and real paths may be longer.
    #[test]
    fn a_long_path_reaches_the_socket_and_a_dead_one_is_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut long = dir.path().to_owned();
        for _ in 0..3 {
            long.push("x".repeat(100));
        }
        fs::create_dir_all(&long).expect("made");
        for folder in [dir.path(), &long] {
            if !Path::new("/proc/self/fd").exists() && folder == long {
                continue;
            }
            drop(listen(folder).expect("listens"));
            let error = connect(folder).expect_err("nobody listens");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            let listener = listen(folder).expect("listens again");
            connect(folder).expect("connects");
            let (stream, _) = listener.accept().expect("accepts");
            if let Some(peer) = peer(&stream).expect("known") {
                assert_eq!(peer.uid, rustix::process::getuid().as_raw());
                assert_eq!(peer.pid, std::process::id());
            }
            let mode = fs::metadata(folder.join(SOCKET_FILE)).expect("there");
            assert_eq!(mode.permissions().mode() & 0o777, 0o600);
            remove(folder);
            let error = connect(folder).expect_err("no socket");
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }
}
