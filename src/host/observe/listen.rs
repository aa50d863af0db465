//! Serves `/healthz` and `/metrics` over HTTP, for a supervisor and for Prometheus.
//!
//! Each request is read by its own thread, with limits on time and size. The number of threads is
//! limited: when all are busy with slow clients, the oldest connection is closed for the next one.
//! Clients are not authenticated, because the answers hold only numbers and names of folders.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::status::HostStatus;
use super::{http_host, metrics};
use crate::convert::Cancel;
use crate::host::panics::{caught, lock};
use crate::{Error, Result};

/// Maximum bytes of a request.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// How long reading a request, and sending an answer, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Maximum number of requests answered at a time; the next gets status 503.
const ANSWERING_MAX: usize = 8;
/// Maximum number of requests read at a time; the next one replaces the oldest.
const READING_MAX: usize = 32;
/// The pause before the next connection is accepted after an error, such as too few file handles.
/// Where nothing tells of connections, the time between two checks for one.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a status is reused, because querying the stores costs more than answering.
const FRESH: Duration = Duration::from_millis(500);

/// What a listener needs from the host it answers for.
pub(in crate::host) struct Asked<'a> {
    pub(in crate::host) status: &'a (dyn Fn() -> HostStatus + Sync),
    /// Returns the configured names that `Host` may contain, besides the host's own.
    pub(in crate::host) names: &'a (dyn Fn() -> Vec<String> + Sync),
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    latest: Mutex<Option<(Instant, HostStatus)>>,
    alarm: Alarm,
}

impl Listener {
    /// Listens on an address.
    ///
    /// # Errors
    /// When the address is in use, or does not belong to this machine.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        let bound = TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        let listener = bound.map_err(|error| {
            Error::io("listen on", address.to_string(), error)
                .hint("choose another `listen` in [host], or leave it out")
        })?;
        Ok(Self {
            alarm: Alarm::new()
                .map_err(|error| Error::io("listen on", address.to_string(), error))?,
            socket: listener,
            latest: Mutex::default(),
        })
    }

    /// Returns the address, with the actual port where port 0 was requested.
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// Wakes [`Self::answer`] after it was cancelled.
    pub(in crate::host) fn wake(&self) {
        self.alarm.ring();
    }

    /// Answers requests until cancelled and woken.
    pub(in crate::host) fn answer(&self, host: &Asked<'_>, over: &Cancel) {
        let reading = Reading::default();
        let answering = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for number in 0_u64.. {
                if over.is_cancelled() {
                    return;
                }
                let stream = match self.socket.accept() {
                    Ok((stream, _)) => stream,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.alarm.wait(&self.socket, over);
                        continue;
                    }
                    // The process is out of handles, which passes.
                    Err(_) => {
                        over.sleep(PAUSE);
                        continue;
                    }
                };
                if reading.begin(number, &stream).is_err() {
                    continue;
                }
                let (reading, answering) = (&reading, &answering);
                scope.spawn(move || {
                    let head = stream.set_nonblocking(false);
                    let head = head.and_then(|()| read_head(&stream));
                    reading.end(number);
                    let is_busy = answering.fetch_add(1, Ordering::Relaxed) >= ANSWERING_MAX;
                    // Errors of the connection are the client's concern. A panic over one request
                    // is reported by the panic hook.
                    let _ = caught(|| {
                        Ok(match head {
                            _ if is_busy => send(&stream, 503, "text/plain", "busy\n", Body::Sent),
                            Ok(head) => self.converse(host, &stream, head),
                            Err(error) => Err(error),
                        })
                    });
                    answering.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
    }

    fn converse(
        &self,
        host: &Asked<'_>,
        stream: &TcpStream,
        head: Option<Vec<u8>>,
    ) -> io::Result<()> {
        let text = |code, text| send(stream, code, "text/plain", text, Body::Sent);
        let Some(head) = head else {
            return text(400, "this is no request\n");
        };
        match http_host::check(&head, &(host.names)()) {
            http_host::Verdict::Ours => {}
            http_host::Verdict::Malformed => {
                return text(400, "a request names one Host\n");
            }
            http_host::Verdict::Foreign => {
                return text(
                    421,
                    "this host is not called so: use its address, or add the name to listen_names in [host]\n",
                );
            }
        }
        let mut words = head.split(|byte| *byte == b' ');
        let body = match words.next() {
            Some(b"GET") => Body::Sent,
            Some(b"HEAD") => Body::Withheld,
            _ => return send(stream, 405, "text/plain", "only GET\n", Body::Sent),
        };
        let target = words.next().unwrap_or_default();
        let path = target.split(|byte| *byte == b'?').next();
        match path {
            Some(b"/healthz") => {
                let status = self.status(host);
                let code = if status.reasons.is_empty() { 200 } else { 503 };
                let text = health(&status);
                send(stream, code, "application/json", &text, body)
            }
            Some(b"/metrics") => {
                let text = metrics::text(&self.status(host));
                send(stream, 200, metrics::CONTENT_TYPE, &text, body)
            }
            _ => send(
                stream,
                404,
                "text/plain",
                "there are /healthz and /metrics\n",
                body,
            ),
        }
    }

    /// Returns the host's status, which may be a moment old.
    fn status(&self, host: &Asked<'_>) -> HostStatus {
        let mut latest = lock(&self.latest);
        match &*latest {
            Some((at, status)) if at.elapsed() < FRESH => status.clone(),
            _ => {
                let status = (host.status)();
                *latest = Some((Instant::now(), status.clone()));
                status
            }
        }
    }
}

/// Waits for a connection, and can be woken while it does.
#[cfg(unix)]
#[derive(Debug)]
struct Alarm(
    std::os::unix::net::UnixStream,
    std::os::unix::net::UnixStream,
);

#[cfg(unix)]
impl Alarm {
    fn new() -> io::Result<Self> {
        let (rung, ring) = std::os::unix::net::UnixStream::pair()?;
        Ok(Self(rung, ring))
    }

    fn ring(&self) {
        // Fails only if nothing was ever read, and then it is rung already.
        let _ = (&self.1).write(b"!");
    }

    fn wait(&self, listener: &TcpListener, over: &Cancel) {
        use rustix::event::{PollFd, PollFlags, poll};
        let mut ends = [
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(&self.0, PollFlags::IN),
        ];
        // An error means that the kernel is out of memory, or that a signal came.
        if poll(&mut ends, None).is_err() {
            over.sleep(PAUSE);
        }
    }
}

/// Stands in on systems where a wait for a connection cannot be interrupted.
#[cfg(not(unix))]
#[derive(Debug)]
struct Alarm;

#[cfg(not(unix))]
impl Alarm {
    #[expect(clippy::unnecessary_wraps, reason = "it may fail on other systems")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    fn ring(&self) {}

    fn wait(&self, _: &TcpListener, over: &Cancel) {
        over.sleep(PAUSE);
    }
}

/// Connections whose requests are being read, the oldest first.
#[derive(Default)]
struct Reading(Mutex<VecDeque<(u64, TcpStream)>>);

impl Reading {
    /// Adds a connection. If there are too many, the oldest is closed, and its thread ends.
    fn begin(&self, number: u64, stream: &TcpStream) -> io::Result<()> {
        let stream = stream.try_clone()?;
        let mut reading = lock(&self.0);
        if reading.len() >= READING_MAX
            && let Some((_, oldest)) = reading.pop_front()
        {
            // Fails only if the connection has closed by itself.
            let _ = oldest.shutdown(Shutdown::Both);
        }
        reading.push_back((number, stream));
        Ok(())
    }

    fn end(&self, number: u64) {
        lock(&self.0).retain(|(of, _)| *of != number);
    }
}

/// Whether the answer has a body: not for HEAD.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Sent,
    Withheld,
}

/// Returns the answer for `/healthz`, such as `{"status":"ok","reasons":[]}`.
fn health(status: &HostStatus) -> String {
    let word = if status.reasons.is_empty() {
        "ok"
    } else {
        "unwell"
    };
    format!(
        "{}\n",
        serde_json::json!({ "status": word, "state": status.state, "reasons": status.reasons })
    )
}

/// Returns the request up to its empty line; `None` when the limits are reached before it.
fn read_head(mut stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let until = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut piece = [0; 1 << 10];
    while head.len() < REQUEST_BYTES_MAX {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(read) => head.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(None),
        }
        if head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn send(
    mut stream: &TcpStream,
    code: u16,
    content_type: &str,
    text: &str,
    body: Body,
) -> io::Result<()> {
    let reason = match code {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        421 => "Misdirected Request",
        _ => "Service Unavailable",
    };
    let mut answer = format!(
        "HTTP/1.1 {code} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n",
        text.len()
    );
    if code == 405 {
        answer += "Allow: GET, HEAD\r\n";
    }
    answer += "\r\n";
    if body == Body::Sent {
        // Writing into a `String` cannot fail.
        let _ = answer.write_str(text);
    }
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(answer.as_bytes())
}
