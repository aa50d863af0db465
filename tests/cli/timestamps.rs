//! A customer asks when a log was signed, and does not trust the clock of the plant. A time-stamp
//! server made with OpenSSL answers here, as one on the network would.

#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What the server does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Stamp,
    /// The answer to the first request, again and again.
    Replay,
    NotFound,
    Nonsense,
}

struct Plant {
    dir: tempfile::TempDir,
}

/// The settings of `openssl ts`, which reads nothing else.
const TSA: &str = "\
[tsa]
default_tsa = one
[one]
dir = .
serial = serial
crypto_device = builtin
signer_cert = server.pem
signer_key = server.key
certs = ca.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[server]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
basicConstraints = CA:FALSE
";

impl Plant {
    /// Makes a plant with a time-stamp server; `None` where OpenSSL is missing.
    fn new() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: time stamps: no openssl");
            return None;
        }
        let plant = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        for folder in ["home", "tsa"] {
            fs::create_dir(plant.path(folder)).expect("made");
        }
        fs::write(plant.path("a.csv"), "SN1").expect("written");
        fs::write(plant.path("tsa/tsa.cnf"), TSA).expect("written");
        fs::write(plant.path("tsa/serial"), "01\n").expect("written");
        let key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ];
        let authority = ["req", "-x509", "-subj", "/CN=authority", "-days", "30"];
        let out = ["-keyout", "ca.key", "-out", "ca.pem"];
        plant.openssl(&[&authority[..], &key, &out].concat());
        let out = ["-keyout", "server.key", "-out", "server.csr"];
        plant.openssl(&[&["req", "-subj", "/CN=server"][..], &key, &out].concat());
        plant.openssl(&[
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-days",
            "20",
            "-extfile",
            "tsa.cnf",
            "-extensions",
            "server",
            "-set_serial",
            "7",
            "-out",
            "server.pem",
        ]);
        plant.annals(&["init", "store"], 0);
        plant.annals(&["archive", "a.csv", "-c", "ICT"], 0);
        Some(plant)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn openssl(&self, args: &[&str]) {
        let run = openssl(&self.path("tsa"), args);
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "openssl {args:?}: {told}");
    }

    /// Runs the program, which must end with this exit code. Returns stdout and stderr.
    fn annals(&self, args: &[&str], exit: i32) -> (String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_annals"))
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("ANNALS_STORE", "store")
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {told}");
        (String::from_utf8(output.stdout).expect("UTF-8"), told)
    }

    /// Starts the server. Returns its address.
    fn serve(&self, answer: Answer) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let dir = self.path("tsa");
        std::thread::spawn(move || {
            let mut first = None;
            for stream in listener.incoming() {
                reply(stream.expect("a connection"), &dir, answer, &mut first);
            }
        });
        format!("http://user:secret@{address}/tsr?key=secret")
    }

    /// Returns a file with the newest stamp, and one with the note that it is over.
    fn newest_stamp(&self) -> (PathBuf, PathBuf) {
        let events = |kind: &str| {
            let (lines, _) = self.annals(&["events", "--type", kind], 0);
            let lines = lines.lines().map(serde_json::from_str);
            let lines: Result<Vec<serde_json::Value>, _> = lines.collect();
            lines.expect("JSON")
        };
        let stamps = events("checkpoint.timestamped");
        let stamp = &stamps.last().expect("a stamp")["data"];
        let number = stamp["checkpoint"].to_string();
        let signed = events("checkpoint.signed");
        let signed = signed.iter().find(|event| event["id"] == *number);
        let note = signed.expect("the checkpoint")["data"]["note"].clone();
        let (token_file, note_file) = (self.path("token"), self.path("note"));
        fs::write(&note_file, note.as_str().expect("a text")).expect("written");
        fs::write(
            self.path("base64"),
            stamp["token"].as_str().expect("a text"),
        )
        .expect("written");
        let decoded = openssl(&self.path(""), &["base64", "-d", "-A", "-in", "base64"]);
        fs::write(&token_file, decoded.stdout).expect("written");
        (token_file, note_file)
    }
}

fn openssl(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("openssl");
    let command = command.args(args).current_dir(dir).stdin(Stdio::null());
    command.output().expect("runs")
}

/// Reads a request, lets OpenSSL answer it, and sends the answer.
fn reply(mut stream: TcpStream, dir: &Path, answer: Answer, first: &mut Option<Vec<u8>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    let body = loop {
        let head_end = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = head_end {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().expect("a number"));
            if request.len() >= end + 4 + length {
                assert!(
                    head.contains("content-type: application/timestamp-query"),
                    "{head}"
                );
                break request[end + 4..].to_vec();
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&piece[..read]),
        }
    };
    fs::write(dir.join("query"), body).expect("written");
    let args = [
        "ts",
        "-reply",
        "-config",
        "tsa.cnf",
        "-queryfile",
        "query",
        "-out",
        "reply",
    ];
    let run = openssl(dir, &args);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let stamped = fs::read(dir.join("reply")).expect("there");
    let (status, body) = match answer {
        Answer::Stamp => ("200 OK", stamped),
        Answer::Replay => ("200 OK", first.get_or_insert(stamped).clone()),
        Answer::NotFound => ("404 Not Found", b"no such page".to_vec()),
        Answer::Nonsense => ("200 OK", b"<html>log in here</html>".to_vec()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // The client may be gone.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
}

#[test]
fn a_stamp_over_a_checkpoint_is_on_record_and_holds_for_openssl() {
    let Some(plant) = Plant::new() else { return };
    let server = plant.serve(Answer::Stamp);
    let (note, told) = plant.annals(&["checkpoint", "--timestamp", &server], 0);
    assert!(note.starts_with("annals/"), "{note}");
    assert!(
        told.contains("stamped at 20") && told.contains("before 20"),
        "{told}"
    );
    let (lines, _) = plant.annals(&["events", "--type", "checkpoint.timestamped"], 0);
    assert!(
        !lines.contains("secret"),
        "no password is recorded: {lines}"
    );
    let (said, _) = plant.annals(&["verify"], 0);
    assert!(
        said.contains("says a time stamp of http://127.0.0.1"),
        "{said}"
    );
    let (token, note) = plant.newest_stamp();
    let (token, note) = (token.to_str().expect("text"), note.to_str().expect("text"));
    let check = [
        "ts",
        "-verify",
        "-token_in",
        "-in",
        token,
        "-data",
        note,
        "-CAfile",
        "ca.pem",
    ];
    plant.openssl(&check);
    // In thirty years its certificates have ended. At the time that it states, they had not.
    let later = "2700000000";
    let late = openssl(
        &plant.path("tsa"),
        &[&check[..], &["-attime", later]].concat(),
    );
    assert!(!late.status.success());
    fs::write(note, "another text").expect("written");
    assert!(!openssl(&plant.path("tsa"), &check).status.success());
    // A bundle has it, and says what it states.
    let (json, _) = plant.annals(&["checkpoint", "--timestamp", &server, "--json"], 0);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(json["timestamp"]["renew_before"].is_string(), "{json}");
    plant.annals(&["export", "whole"], 0);
    plant.annals(&["export", "part", "--status", "pending"], 0);
    let vkey = plant.annals(&["key", "show"], 0).0;
    let (_, told) = plant.annals(&["verify-export", "whole", "--vkey", vkey.trim()], 0);
    assert!(told.contains("says the time stamp in event"), "{told}");
    let (_, told) = plant.annals(&["verify-export", "part", "--vkey", vkey.trim()], 0);
    assert!(!told.contains("time stamp"), "{told}");
}

#[test]
fn what_is_no_stamp_over_this_checkpoint_is_not_recorded() {
    let Some(plant) = Plant::new() else { return };
    let replaying = plant.serve(Answer::Replay);
    plant.annals(&["checkpoint", "--timestamp", &replaying], 0);
    plant.annals(&["archive", "a.csv", "-c", "ICT"], 0);
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}/", closed.local_addr().expect("an address"));
    drop(closed);
    let not_found = plant.serve(Answer::NotFound);
    let nonsense = plant.serve(Answer::Nonsense);
    for (server, told_why) in [
        (replaying, "another text"),
        (not_found, "HTTP status 404"),
        (nonsense, "no time stamp of RFC 3161"),
        (nobody, "refused"),
    ] {
        let (_, told) = plant.annals(&["checkpoint", "--timestamp", &server], 1);
        assert!(told.contains(told_why), "{told}");
        assert!(
            told.contains("ask again later") && !told.contains("secret"),
            "{told}"
        );
    }
    plant.annals(&["checkpoint", "--timestamp", "tsa.example"], 2);
    let (lines, _) = plant.annals(&["events", "--type", "checkpoint.timestamped"], 0);
    assert_eq!(lines.lines().count(), 1);
    plant.annals(&["verify"], 0);
}
