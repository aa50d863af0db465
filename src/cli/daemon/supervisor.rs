//! Reports the state of the host to systemd, as sd_notify(3) describes: lines of text to the socket
//! named in the environment.
//!
//! Errors of that socket never stop the host, because a host works without supervision as well.

#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
#[cfg(unix)]
use std::sync::Arc;
use std::time::Duration;

/// The service manager that started the host, if there is one.
#[derive(Clone)]
pub(crate) struct Supervisor {
    #[cfg(unix)]
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// Returns the service manager named in the environment.
    pub(crate) fn of_process() -> Self {
        let usec = std::env::var("WATCHDOG_USEC")
            .ok()
            .and_then(|text| text.parse().ok());
        let pid = std::env::var("WATCHDOG_PID").ok();
        let ours = pid.is_none_or(|pid| pid == std::process::id().to_string());
        Self {
            #[cfg(unix)]
            socket: std::env::var_os("NOTIFY_SOCKET")
                .and_then(|name| connect(&name).ok())
                .map(Arc::new),
            watchdog: usec
                .filter(|usec| ours && *usec > 0)
                .map(Duration::from_micros),
        }
    }

    /// Returns the interval of watchdog messages: half the time after which systemd restarts the
    /// host.
    pub(crate) fn beat(&self) -> Option<Duration> {
        self.watchdog.map(|time| time / 2)
    }

    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    pub(crate) fn reloading(&self) {
        self.tell("RELOADING=1");
    }

    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    #[cfg(unix)]
    fn tell(&self, what: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(what.as_bytes());
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "there is nobody to tell on this system")]
    fn tell(&self, _what: &str) {}
}

/// Connects to the socket `name`. A leading `@` marks a Linux abstract socket, which is no file.
#[cfg(unix)]
fn connect(name: &std::ffi::OsStr) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A supervisor that stopped reading must not block the host.
    socket.set_nonblocking(true)?;
    match name.as_encoded_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(abstract_name) => {
            use std::os::linux::net::SocketAddrExt as _;
            use std::os::unix::net::SocketAddr;
            socket.connect_addr(&SocketAddr::from_abstract_name(abstract_name)?)?;
        }
        _ => socket.connect(name)?,
    }
    Ok(socket)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_hears_through_a_file_and_through_a_name_that_is_none() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::SocketAddr;
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("notify");
        let by_file = UnixDatagram::bind(&path).expect("bound");
        let name = format!("annals-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let by_name = UnixDatagram::bind_addr(&address).expect("bound");
        for (heard, name) in [
            (by_file, path.into_os_string()),
            (by_name, format!("@{name}").into()),
        ] {
            let supervisor = Supervisor {
                socket: connect(&name).ok().map(Arc::new),
                watchdog: None,
            };
            supervisor.ready("watching 1 folder");
            let mut line = [0; 100];
            let length = heard.recv(&mut line).expect("told");
            assert_eq!(&line[..length], b"READY=1\nSTATUS=watching 1 folder");
        }
    }
}
