//! Sends one report in one HTTP request: bounded in time and memory, without redirects,
//! cancellable.

use std::fmt::Write as _;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::answer::{Answer, Trouble, With};
use crate::convert::Cancel;
use crate::host::config::endpoint::{Revealed, Submit};

/// Maximum bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Time between two checks whether a running request was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a cancelled request may still be answered. An answer that is recorded saves a second
/// request.
const GRACE: Duration = Duration::from_secs(2);
/// A connection that was idle for longer may have been closed by the server.
const IDLE_MAX: Duration = Duration::from_secs(3);

/// The HTTP client for one endpoint.
pub(in crate::host) struct Client {
    agent: ureq::Agent,
}

/// A report to send.
pub(in crate::host) struct Parcel {
    pub(in crate::host) to: Revealed,
    /// The idempotency key by which the server recognizes a report that is sent again.
    pub(in crate::host) key: String,
    /// The name that the server gave an earlier report which this one corrects.
    pub(in crate::host) corrects: Option<String>,
    pub(in crate::host) report: Vec<u8>,
}

impl Client {
    pub(in crate::host) fn new(submit: &Submit) -> Self {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(submit.timeout))
            .user_agent(concat!("annals/", env!("CARGO_PKG_VERSION")))
            .max_idle_age(IDLE_MAX);
        // A proxy from the environment would lead away from this machine.
        if submit.stays_here() {
            config = config.proxy(None);
        }
        if submit.url.starts_with("https:") {
            config = config.tls_config(trust());
        }
        Self {
            agent: config.build().new_agent(),
        }
    }

    /// Sends a report and waits for the answer. Returns `None` when cancelled.
    pub(in crate::host) fn send(
        &self,
        parcel: Parcel,
        cancel: &Cancel,
    ) -> Option<Result<Answer, Trouble>> {
        let (tell, told) = bounded(1);
        let agent = self.agent.clone();
        // On a separate thread, because only that can abandon a request that hangs. The thread ends
        // at the request's timeout.
        let begun = std::thread::Builder::new().spawn(move || {
            // The receiver is gone when the request was cancelled.
            let _ = tell.send(exchange(&agent, &parcel));
        });
        if let Err(error) = begun {
            let why = format!("no request can be begun: {error}");
            return Some(Err(Trouble::new(With::Server, why)));
        }
        let mut grace = GRACE;
        loop {
            match told.recv_timeout(LOOK_EVERY) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Disconnected) => {
                    return Some(Err(Trouble::new(
                        With::Report,
                        "the request ended without a result",
                    )));
                }
                Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => {
                    grace = grace.checked_sub(LOOK_EVERY)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// A small request whose answer is bytes.
pub(super) struct Query<'a> {
    pub(super) url: &'a str,
    pub(super) content_type: &'a str,
    pub(super) body: &'a [u8],
    pub(super) answer_bytes_max: u64,
    pub(super) within: Duration,
}

impl Query<'_> {
    /// Sends it and waits for the answer: the HTTP status and the bytes, or what went wrong.
    pub(super) fn send(&self) -> Result<(u16, Vec<u8>), String> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(self.within))
            .user_agent(concat!("annals/", env!("CARGO_PKG_VERSION")));
        if self.url.starts_with("https:") {
            config = config.tls_config(trust());
        }
        let agent = config.build().new_agent();
        let request = agent
            .post(self.url)
            .header("Content-Type", self.content_type);
        let mut response = request.send(self.body).map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        let body = response.body_mut().as_reader();
        let read = body.take(self.answer_bytes_max).read_to_end(&mut answer);
        read.map_err(|error| format!("the answer broke off: {error}"))?;
        Ok((response.status().as_u16(), answer))
    }
}

fn exchange(agent: &ureq::Agent, parcel: &Parcel) -> Result<Answer, Trouble> {
    let mut request = agent
        .post(&parcel.to.url)
        .header("Idempotency-Key", &parcel.key);
    if let Some(report_id) = &parcel.corrects {
        request = request.header("Annals-Corrects", header_value(report_id));
    }
    let named = |name: &str| {
        let headers = &parcel.to.headers;
        headers
            .iter()
            .any(|(given, _)| given.eq_ignore_ascii_case(name))
    };
    if !named("Content-Type") {
        request = request.header("Content-Type", content_type(&parcel.report));
    }
    for (name, value) in &parcel.to.headers {
        request = request.header(name, value);
    }
    let told = |error: ureq::Error| {
        let text = parcel.to.secrets.mask(&error.to_string());
        Trouble::new(blame(&error), text)
    };
    let mut response = request.send(&parcel.report[..]).map_err(told)?;
    let text = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(parcel.to.secrets.mask(value))
    };
    let mut answer = Answer {
        status: response.status().as_u16(),
        retry_after: text("Retry-After"),
        location: text("Location"),
        content_type: text("Content-Type"),
        body: Vec::new(),
    };
    let mut body = response.body_mut().as_reader().take(ANSWER_BYTES_MAX);
    body.read_to_end(&mut answer.body).map_err(|error| {
        let text = parcel.to.secrets.mask(&error.to_string());
        Trouble::new(With::Report, format!("the answer broke off: {text}"))
    })?;
    let text = String::from_utf8_lossy(&answer.body);
    answer.body = parcel.to.secrets.mask(&text).into_bytes();
    Ok(answer)
}

/// Returns a text as the value of a header: what is no visible ASCII, and `%`, as `%` and two
/// hexadecimal digits for each byte.
fn header_value(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            value.push(char::from(byte));
        } else {
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// Returns the cause when no answer came.
fn blame(error: &ureq::Error) -> With {
    use std::io::ErrorKind;
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => With::Setup,
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Tls(_)
        | ureq::Error::TlsRequired
        | ureq::Error::Rustls(_)
        | ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => With::Server,
        ureq::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
            // The server does not speak TLS, or has no trusted certificate.
            | ErrorKind::InvalidData => With::Server,
            _ => With::Report,
        },
        _ => With::Report,
    }
}

/// Returns the TLS settings: the certificates that the machine trusts, including a plant's own
/// authority.
fn trust() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate<'static>> = found
        .certs
        .iter()
        .map(|root| Certificate::from_der(root).to_owned())
        .collect();
    TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// Returns the content type of a report.
fn content_type(report: &[u8]) -> &'static str {
    match report.trim_ascii_start().first() {
        Some(b'{' | b'[') => "application/json",
        Some(b'<') => "application/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_server_gave_fits_into_a_header() {
        assert_eq!(header_value("8f2c-R/9"), "8f2c-R/9");
        assert_eq!(header_value("50% ä\r\n"), "50%25%20%C3%A4%0D%0A");
    }

    #[test]
    fn a_server_whose_certificate_is_not_to_be_had_gets_no_report() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut begun = vec![0; 4096];
            let read = stream.read(&mut begun).expect("a hello");
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 no\r\n\r\n").expect("written");
            begun.truncate(read);
            begun
        });
        let text = format!(
            "[[converter]]\nname = \"T\"\ncommand = [\"x\", \"{{input}}\"]\n[converter.submit]\n\
             url = \"https://{address}/r\"\nheaders = {{ Authorization = \"Basic token-word\" }}\n"
        );
        let config = crate::host::Config::parse(&text, std::path::Path::new("host.toml"));
        let submit = config
            .expect("valid")
            .converters
            .remove(0)
            .submit
            .expect("given");
        let parcel = Parcel {
            to: submit.reveal().expect("no variables"),
            key: "k".into(),
            corrects: None,
            report: b"{}".to_vec(),
        };
        let sent = Client::new(&submit).send(parcel, &Cancel::default());
        let trouble = sent.expect("not given up").expect_err("no server");
        assert_eq!(trouble.with, With::Server, "{}", trouble.why);
        let heard = answering.join().expect("no panic");
        assert_eq!(heard.first(), Some(&0x16), "it was greeted in TLS");
        assert!(!heard.windows(10).any(|window| window == b"token-word"));
    }

    #[test]
    fn reports_are_told_apart_by_how_they_begin() {
        assert_eq!(content_type(b" {\"sn\":1}"), "application/json");
        assert_eq!(content_type(b"\n<Reports/>"), "application/xml");
        assert_eq!(content_type(b""), "application/octet-stream");
    }
}
