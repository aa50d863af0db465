//! Attacks on a really started `annals serve`, byte by byte over its socket. A server on loopback
//! is reached by every page that a browser on the machine shows, so loopback is no boundary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The most time that an answer may take, on any machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Routes of every sort: open, a page, data, a stream, and none at all.
const ROUTES: [&str; 8] = [
    "/healthz",
    "/login",
    "/",
    "/api/v1/entries/1",
    "/api/v1/stream",
    "/api/v1/events",
    "/openapi.json",
    "/no-such-route",
];

struct Served {
    child: Child,
    address: SocketAddr,
    token: String,
    login: String,
    folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn annals(folder: &tempfile::TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    command
        .args(args)
        .current_dir(folder.path())
        .env_remove("ANNALS_STORE")
        .env_remove("ANNALS_CONFIG")
        .env("XDG_DATA_HOME", folder.path().join("data"));
    command
}

impl Served {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let done = |args: &[&str]| {
            let output = annals(&folder, args).output().expect("runs");
            assert!(output.status.success(), "{args:?}: {output:?}");
        };
        done(&["init", "store"]);
        std::fs::write(folder.path().join("a.html"), "<script>alert(1)</script>").expect("written");
        done(&["-s", "store", "archive", "a.html", "-c", "ICT"]);
        let mut child = annals(
            &folder,
            &["-s", "store", "--json", "serve", "--listen", "127.0.0.1:0"],
        )
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
        let stdout = child.stdout.take().expect("a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let told: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let text = |name: &str| told[name].as_str().expect("text").to_owned();
        let url = text("url");
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        Self {
            child,
            address: address.parse().expect("an address"),
            token: text("token"),
            login: text("login"),
            folder,
        }
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sends bytes, and returns what comes until the server closes or has answered.
    fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        // The server may have refused before it read all.
        let _ = stream.write_all(bytes.as_ref());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks as a program that shows the token, with further header lines.
    fn ask(&self, method: &str, path: &str, lines: &str) -> String {
        self.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{lines}\r\n",
            self.address, self.token
        ))
    }

    /// Asks without any secret.
    fn ask_unknown(&self, method: &str, path: &str, lines: &str) -> String {
        self.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}\r\n",
            self.address
        ))
    }

    /// Signs in with a login link, and returns the cookie.
    fn sign_in(&self, link: &str) -> Option<String> {
        let key = link.split_once('#').expect("a key").1;
        let body = format!("{{\"key\":\"{key}\"}}");
        let answer = self.ask_unknown_post("/login", "annals-request: 1\r\n", &body);
        let line = answer
            .lines()
            .find(|line| line.starts_with("set-cookie: "))?;
        let pair = line.trim_start_matches("set-cookie: ").split(';').next();
        pair.map(str::to_owned)
    }

    fn ask_unknown_post(&self, path: &str, lines: &str, body: &str) -> String {
        self.send(format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{lines}\r\n{body}",
            self.address,
            body.len()
        ))
    }
}

fn code(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or(0)
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// A foreign page points its own name to 127.0.0.1. The browser then sends requests of the same
/// origin, with no `Origin` and with `Sec-Fetch-Site: same-origin`; only `Host` is foreign.
#[test]
fn a_foreign_host_is_refused_on_every_route() {
    let served = Served::start();
    let port = served.port();
    let other = port.wrapping_add(1).max(1);
    let mut cases = 0;
    for path in ROUTES {
        for host in [
            format!("evil.example:{port}"),
            format!("127.0.0.1.evil.example:{port}"),
            format!("localhost.evil.example:{port}"),
            format!("localhost.:{port}"),
            format!("127.0.0.2:{port}"),
            format!("127.0.0.1:{other}"),
            format!("0x7f000001:{port}"),
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
        ] {
            let answer = served.send(format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\nAuthorization: Bearer {}\r\n\r\n",
                served.token
            ));
            assert_eq!(code(&answer), 403, "{path} {host}: {answer}");
            assert!(answer.contains(&format!("Host: {host}")), "{answer}");
            assert!(answer.contains("listen_names"), "{answer}");
            assert!(answer.contains("--name"), "{answer}");
            cases += 1;
        }
        for head in [
            format!("GET {path} HTTP/1.1\r\n"),
            format!("GET {path} HTTP/1.0\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost:\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost: [::1\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost: [localhost]:{port}\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost: localhost:+{port}\r\n"),
        ] {
            let answer = served.send(format!(
                "{head}Connection: close\r\nAuthorization: Bearer {}\r\n\r\n",
                served.token
            ));
            assert_eq!(code(&answer), 400, "{head}: {answer}");
            cases += 1;
        }
        // The server that the request line names counts, too.
        let answer = served.send(format!(
            "GET http://evil.example:{port}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            served.token
        ));
        assert_eq!(code(&answer), 403, "{path}: {answer}");
    }
    assert_eq!(cases, ROUTES.len() * 17);
}

#[test]
fn the_names_of_this_server_are_answered() {
    let served = Served::start_with(&["--name", "plant-7.example", "--name", "forwarded:9000"]);
    let port = served.port();
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
        format!("plant-7.example:{port}"),
        "Plant-7.example".to_owned(),
        "forwarded:9000".to_owned(),
    ] {
        let answer = served.send(format!(
            "GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(code(&answer), 200, "{host}: {answer}");
    }
    let answer = served.send(format!(
        "GET http://localhost:{port}/healthz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    ));
    assert_eq!(code(&answer), 200, "{answer}");
    let answer =
        served.send("GET /healthz HTTP/1.1\r\nHost: forwarded\r\nConnection: close\r\n\r\n");
    assert_eq!(code(&answer), 403, "{answer}");
}

#[test]
fn nothing_but_health_and_the_login_page_is_told_to_a_stranger() {
    let served = Served::start();
    for path in ROUTES {
        for lines in [
            "",
            "Authorization: Bearer 00000000\r\n",
            "Authorization: Bearer \r\n",
            "Authorization: Basic YTpi\r\n",
            "Cookie: annals-session=1\r\n",
        ] {
            // Wrong tokens are slow, so not each is tried with each method.
            let is_token = lines.starts_with("Authorization");
            let methods = &["GET", "HEAD", "POST", "PUT", "DELETE"][..if is_token { 1 } else { 5 }];
            for method in methods {
                let is_open = matches!(path, "/healthz" | "/login") && *method != "POST";
                let lines = format!("{lines}annals-request: 1\r\nContent-Length: 0\r\n");
                let answer = served.ask_unknown(method, path, &lines);
                if is_open {
                    assert!(
                        matches!(code(&answer), 200 | 405),
                        "{method} {path}: {answer}"
                    );
                } else if path == "/healthz" || path == "/login" {
                    assert!(code(&answer) >= 400, "{method} {path}: {answer}");
                } else {
                    assert_eq!(code(&answer), 401, "{method} {path} {lines}: {answer}");
                    assert_eq!(header(&answer, "www-authenticate"), Some("Bearer"));
                }
            }
        }
    }
    let page = served.ask_unknown("GET", "/entries?q=SN1", "Accept: text/html\r\n");
    assert_eq!(code(&page), 303);
    assert_eq!(
        header(&page, "location"),
        Some("/login?to=%2Fentries%3Fq%3DSN1")
    );
    // The token does not stand in addresses.
    let path = format!("/api/v1/events?token={}", served.token);
    assert_eq!(code(&served.ask_unknown("GET", &path, "")), 401);
    assert_eq!(code(&served.ask("GET", "/api/v1/events", "")), 200);
}

/// A page on another port of the machine is of the same site: `SameSite=Strict` does not stop it.
#[test]
fn a_change_that_another_page_caused_is_refused() {
    let served = Served::start();
    let port = served.port();
    let cookie = served.sign_in(&served.login).expect("signed in");
    let post = |lines: &str| {
        let cookie = format!("Cookie: {cookie}\r\nContent-Length: 0\r\n");
        code(&served.ask_unknown("POST", "/logout", &format!("{cookie}{lines}")))
    };
    for lines in [
        String::new(),
        "Annals-Request: 1\r\nSec-Fetch-Site: cross-site\r\n".to_owned(),
        "Annals-Request: 1\r\nSec-Fetch-Site: same-site\r\n".to_owned(),
        "Annals-Request: 1\r\nOrigin: null\r\n".to_owned(),
        "Annals-Request: 1\r\nOrigin: http://evil.example\r\n".to_owned(),
        format!(
            "Annals-Request: 1\r\nOrigin: http://127.0.0.1:{}\r\n",
            port ^ 1
        ),
        format!("Annals-Request: 1\r\nOrigin: http://localhost:{port}\r\n"),
        "Annals-Request: 1\r\nContent-Type: text/plain\r\n".to_owned(),
        "Annals-Request: 1\r\nContent-Type: multipart/form-data; boundary=x\r\n".to_owned(),
        "Content-Type: application/x-www-form-urlencoded\r\n".to_owned(),
    ] {
        assert_eq!(post(&lines), 403, "{lines}");
    }
    // What another page loads from here, such as an image, it does not get either.
    let get = |lines: &str| {
        let lines = format!("Cookie: {cookie}\r\n{lines}");
        code(&served.ask_unknown("GET", "/api/v1/events", &lines))
    };
    assert_eq!(
        get("Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n"),
        403
    );
    assert_eq!(
        get("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"),
        200
    );
    assert_eq!(get(""), 200);
    let own = format!(
        "Annals-Request: 1\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://127.0.0.1:{port}\r\n"
    );
    assert_eq!(post(&own), 204);
    assert_eq!(get(""), 401, "signed out");
}

#[test]
fn nobody_is_given_leave_to_ask_from_another_origin() {
    let served = Served::start();
    let lines = "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: annals-request\r\nAccess-Control-Request-Private-Network: true\r\n";
    for path in ROUTES {
        for method in ["OPTIONS", "GET", "TRACE", "CONNECT", "PATCH", "BREW"] {
            // A stream would go on.
            if path == "/api/v1/stream" && method == "GET" {
                continue;
            }
            let answer = served.ask(method, path, lines);
            let head = answer
                .split("\r\n\r\n")
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            assert!(
                !head.contains("access-control-"),
                "{method} {path}: {answer}"
            );
            if method != "GET" {
                assert!(code(&answer) >= 400, "{method} {path}: {answer}");
            }
        }
    }
}

#[test]
fn every_answer_forbids_frames_sniffing_and_scripts_of_others() {
    let served = Served::start();
    for path in ROUTES.iter().filter(|path| **path != "/api/v1/stream") {
        for answer in [
            served.ask("GET", path, ""),
            served.ask_unknown("GET", path, ""),
            served.ask("OPTIONS", path, ""),
        ] {
            let policy = header(&answer, "content-security-policy").unwrap_or_default();
            assert!(policy.starts_with("default-src 'none'"), "{path}: {answer}");
            assert!(
                policy.contains("frame-ancestors 'none'"),
                "{path}: {answer}"
            );
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cache-control", "no-store"),
                ("cross-origin-resource-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(header(&answer, name), Some(value), "{path}: {answer}");
            }
        }
    }
    let page = served.ask("GET", "/", "Accept: text/html\r\n");
    for forbidden in ["<style", "style=", "onclick=", "javascript:", "hx-on"] {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
}

#[test]
fn a_login_link_works_once_and_another_can_be_had() {
    let served = Served::start();
    let cookie = served.sign_in(&served.login).expect("signed in");
    assert!(
        cookie.starts_with(&format!("annals-session-{}=", served.port())),
        "{cookie}"
    );
    assert_eq!(served.sign_in(&served.login), None, "used up");
    let again = annals(&served.folder, &["-s", "store", "--json", "serve"]).output();
    let again = again.expect("ran");
    assert!(again.status.success(), "{again:?}");
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(told["token"], served.token.as_str());
    let link = told["login"].as_str().expect("a link");
    assert_ne!(link, served.login);
    assert!(served.sign_in(link).is_some());
    let forged = format!(
        "{}login#{}",
        told["url"].as_str().expect("text"),
        "0".repeat(64)
    );
    assert_eq!(served.sign_in(&forged), None);
    // Whoever was not let in is in the log, without what they tried.
    let wrong = "Authorization: Bearer wrong-token\r\n";
    assert_eq!(code(&served.ask_unknown("GET", "/", wrong)), 401);
    let events = served.ask("GET", "/api/v1/events?type=accessed", "");
    assert_eq!(events.matches("\"sign_in\"").count(), 3, "{events}");
    assert_eq!(events.matches("127.0.0.1").count(), 3, "{events}");
    assert!(!events.contains("wrong-token"), "{events}");
}

#[test]
fn a_malformed_request_is_refused_and_its_connection_closed() {
    let served = Served::start();
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n",
        served.address, served.token
    );
    let smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for (rest, codes) in [
        (
            format!("Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde{smuggled}"),
            &[400][..],
        ),
        (
            format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n{smuggled}"),
            &[400, 415, 422],
        ),
        (format!("Content-Length: -1\r\n\r\n{smuggled}"), &[400]),
        (
            "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nzz\r\n".to_owned(),
            &[400],
        ),
        ("X: a\r\n folded\r\n\r\n".to_owned(), &[400]),
        ("X\0: a\r\n\r\n".to_owned(), &[400]),
        (format!("X: {}\r\n\r\n", "x".repeat(20 << 10)), &[431]),
        (format!("{}\r\n", "X: a\r\n".repeat(120)), &[431]),
        (
            format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                3 << 20,
                " ".repeat(3 << 20)
            ),
            &[413],
        ),
    ] {
        let answer = served.send(format!("{head}Connection: close\r\n{rest}"));
        let shown: String = rest.chars().take(60).collect();
        assert!(codes.contains(&code(&answer)), "{shown:?}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{shown:?}: {answer}"
        );
    }
    for path in [
        "/../etc/passwd",
        "/%2e%2e%2fetc/passwd",
        "/assets/%2e%2e/%2e%2e",
        "/assets/x/..%2f..%2fCargo.toml",
        "/api/v1/entries/..%2f1",
        "/api/v1/entries/1%00",
        "/api/v1/entries/\\",
        "/api/v1/entries/99999999999999999999999",
    ] {
        let answer = served.ask("GET", path, "");
        assert!(matches!(code(&answer), 400 | 404), "{path}: {answer}");
        assert!(!answer.contains("/tmp"), "{path}: {answer}");
    }
    assert_eq!(code(&served.ask_unknown("GET", "/healthz", "")), 200);
}

/// Anybody on the machine can connect. A thousand who say nothing must not keep others out.
#[test]
fn silent_clients_give_way_to_those_who_ask() {
    let served = Served::start();
    let silent: Vec<TcpStream> = (0..700)
        .filter_map(|number| {
            let mut stream = TcpStream::connect(served.address).ok()?;
            if number % 2 == 0 {
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: ");
            }
            Some(stream)
        })
        .collect();
    assert!(silent.len() > 500, "{}", silent.len());
    assert_eq!(code(&served.ask_unknown("GET", "/healthz", "")), 200);
    assert_eq!(code(&served.ask("GET", "/api/v1/events", "")), 200);
}

#[test]
fn another_address_needs_a_certificate_and_the_refusal_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(
        annals(&folder, &["init", "store"])
            .status()
            .expect("runs")
            .success()
    );
    let refused = annals(&folder, &["-s", "store", "serve", "--listen", "0.0.0.0:0"]).output();
    let refused = refused.expect("ran");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(5), "{told}");
    for word in [
        "--tls-certificate",
        "--tls-key",
        "tls_certificate",
        "127.0.0.1",
    ] {
        assert!(told.contains(word), "{told}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_a_way_out() {
    let served = Served::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(
        annals(&folder, &["init", "store"])
            .status()
            .expect("runs")
            .success()
    );
    let address = served.address.to_string();
    let refused = annals(&folder, &["-s", "store", "serve", "--listen", &address]).output();
    let told = String::from_utf8_lossy(&refused.expect("ran").stderr).into_owned();
    assert!(
        told.contains(&address) && told.contains("--listen 127.0.0.1:0"),
        "{told}"
    );
}

/// Reads a stream until it has so many events, and returns their numbers.
fn heard(served: &Served, path: &str, lines: &str, count: usize) -> Vec<u64> {
    let mut stream = TcpStream::connect(served.address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{lines}\r\n",
        served.address, served.token
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut numbers = Vec::new();
    for line in BufReader::new(stream).lines() {
        if let Some(number) = line.expect("a line").strip_prefix("id: ") {
            numbers.push(number.parse().expect("a number"));
            if numbers.len() == count {
                break;
            }
        }
    }
    numbers
}

/// A page that lost its connection for an hour must show each event, and none twice.
#[test]
fn a_stream_goes_on_exactly_where_it_broke() {
    let served = Served::start();
    let archive = |name: &str| {
        std::fs::write(served.folder.path().join(name), name).expect("written");
        let args = ["-s", "store", "archive", name, "-c", "ICT"];
        let output = annals(&served.folder, &args).output().expect("ran");
        assert!(output.status.success(), "{output:?}");
    };
    let all = heard(&served, "/api/v1/stream?from=1", "", 2);
    assert_eq!(all, [1, 2]);
    let last = format!("Last-Event-ID: {}\r\n", all[1]);
    let heard = std::thread::scope(|scope| {
        let hearing = scope.spawn(|| heard(&served, "/api/v1/stream?from=1", &last, 2));
        archive("b.csv");
        archive("c.csv");
        hearing.join().expect("no panic")
    });
    assert_eq!(heard, [all[1] + 1, all[1] + 2]);
    let lines = served.ask("GET", "/api/v1/events?type=archived", "");
    assert_eq!(lines.matches("annals.archived.v1").count(), 3, "{lines}");
}

/// Servers were known to hang for as long as somebody had a stream open.
#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_end_does_not_wait_for_open_streams() {
    let mut served = Served::start();
    let mut stream = TcpStream::connect(served.address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let request = format!(
        "GET /api/v1/stream HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        served.address, served.token
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut first = [0; 1024];
    assert!(stream.read(&mut first).expect("an answer") > 0);
    let pid = served.child.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.expect("runs").success());
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the stream ends");
    let ended = String::from_utf8_lossy(&rest).into_owned();
    assert!(ended.ends_with("0\r\n\r\n"), "not cut off: {ended:?}");
    assert_eq!(served.child.wait().expect("ended").code(), Some(143));
}

#[test]
fn files_of_the_store_are_not_served() {
    let served = Served::start();
    let inside: Vec<PathBuf> = std::fs::read_dir(served.folder.path().join("store"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(!inside.is_empty());
    for file in inside {
        let name = file
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        for path in [format!("/{name}"), format!("/assets/x/{name}")] {
            assert_eq!(code(&served.ask("GET", &path, "")), 404, "{path}");
        }
    }
}
