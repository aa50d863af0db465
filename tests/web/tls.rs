//! A page with a certificate: handshakes, what plain HTTP gets there, and cookies.
//!
//! The certificate beside this file is for `127.0.0.1`, ends in 2126, and is used by tests alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// The most time that an answer may take, on any machine.
const PATIENCE: Duration = Duration::from_mins(1);
const CERTIFICATE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/web/certificate/certificate.pem"
);
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/web/certificate/key.pem");
const OTHER_KEY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/web/certificate/other-key.pem"
);

struct Served {
    child: Child,
    address: SocketAddr,
    token: String,
    login: String,
    _folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn annals(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    command
        .args(args)
        .current_dir(folder)
        .env_remove("ANNALS_STORE")
        .env_remove("ANNALS_CONFIG")
        .env("XDG_DATA_HOME", folder.join("data"));
    command
}

fn store() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = annals(folder.path(), &["init", "store"]).status();
    assert!(made.expect("runs").success());
    folder
}

/// The command that serves the store with a certificate and a key.
fn serve(folder: &Path, key: &str) -> Command {
    let mut command = annals(
        folder,
        &["-s", "store", "--json", "serve", "--listen", "127.0.0.1:0"],
    );
    command.args(["--tls-certificate", CERTIFICATE, "--tls-key", key]);
    command
}

impl Served {
    fn start() -> Self {
        let folder = store();
        let mut child = serve(folder.path(), KEY)
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let told: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let text = |name: &str| told[name].as_str().expect("text").to_owned();
        let url = text("url");
        let address = url.strip_prefix("https://").expect("an https address");
        Self {
            child,
            address: address.trim_end_matches('/').parse().expect("an address"),
            token: text("token"),
            login: text("login"),
            _folder: folder,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    /// Sends bytes over TLS, and returns what comes until the server closes.
    fn ask(&self, bytes: &str) -> String {
        let mut trusted = RootCertStore::empty();
        let own = CertificateDer::from_pem_file(CERTIFICATE).expect("a certificate");
        trusted.add(own).expect("trusted");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let name = ServerName::from(self.address.ip());
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let mut stream = StreamOwned::new(connection, self.connect());
        stream.write_all(bytes.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[test]
fn a_client_that_trusts_the_certificate_is_answered_and_plain_http_is_not() {
    let served = Served::start();
    let head = format!("Host: {}\r\nConnection: close\r\n", served.address);
    let token = format!("Authorization: Bearer {}\r\n", served.token);
    let answer = served.ask(&format!(
        "GET /api/v1/find?q=x HTTP/1.1\r\n{head}{token}\r\n"
    ));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let unknown = served.ask(&format!("GET / HTTP/1.1\r\n{head}\r\n"));
    assert!(!unknown.starts_with("HTTP/1.1 200"), "{unknown}");

    // Whoever speaks plain HTTP learns nothing, and the next client is answered.
    let mut plain = served.connect();
    let _ = plain.write_all(format!("GET / HTTP/1.1\r\n{head}{token}\r\n").as_bytes());
    let mut told = Vec::new();
    let _ = plain.read_to_end(&mut told);
    assert!(
        !String::from_utf8_lossy(&told).contains("HTTP/1.1"),
        "{told:?}"
    );
    let health = served.ask(&format!("GET /healthz HTTP/1.1\r\n{head}\r\n"));
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}

/// A client that begins a handshake and goes away, or says nothing, keeps nobody else waiting.
#[test]
fn handshakes_that_do_not_end_keep_no_other_client_waiting() {
    let served = Served::start();
    let silent: Vec<TcpStream> = (0..40).map(|_| served.connect()).collect();
    for mut stream in (0..40).map(|_| served.connect()) {
        // The beginning of a ClientHello.
        let _ = stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    }
    let head = format!("Host: {}\r\nConnection: close\r\n", served.address);
    let health = served.ask(&format!("GET /healthz HTTP/1.1\r\n{head}\r\n"));
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    drop(silent);
}

#[test]
fn the_session_of_a_page_with_a_certificate_is_sent_over_tls_alone() {
    let served = Served::start();
    assert!(served.login.starts_with("https://"), "{}", served.login);
    let key = served.login.split_once('#').expect("a key").1;
    let body = format!("{{\"key\":\"{key}\"}}");
    let answer = served.ask(&format!(
        "POST /login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         annals-request: 1\r\nContent-Length: {}\r\n\r\n{body}",
        served.address,
        body.len()
    ));
    let cookie = answer
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("set-cookie: "));
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie: {answer}"));
    for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_by_name() {
    let folder = store();
    let refused = serve(folder.path(), OTHER_KEY).output().expect("ran");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("certificate.pem"), "{told}");
}
