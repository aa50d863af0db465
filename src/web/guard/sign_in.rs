//! Who is signed in: the token of programs, one-time keys of login links, sessions of browsers.
//!
//! Secrets are kept and compared as hashes, which takes the same time for each wrong guess.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use blake3::Hash;

use crate::time::Stopwatch;
use crate::web::visitor::cookie;
use crate::{Error, ErrorKind, Result};

/// How long a login link can be used.
const KEY_LIFE: Duration = Duration::from_mins(15);
/// Most login links that can be used at a time. A further one replaces the oldest.
const KEYS_MAX: usize = 16;
/// How long a session lasts that nobody uses.
const SESSION_IDLE: Duration = Duration::from_hours(12);
/// How long a session lasts at most.
const SESSION_LIFE: Duration = Duration::from_hours(7 * 24);
/// Most sessions at a time. A further one replaces the one that was used least lately.
const SESSIONS_MAX: usize = 256;

/// The shortest token that a file may hold.
const SECRET_BYTES_MIN: usize = 32;

/// A random text of 256 bits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::new(ErrorKind::Io, format!("no random bytes: {error}")))?;
        Ok(Self(Hash::from(bytes).to_hex().to_string()))
    }

    /// Reads the secret of a file, which only its owner may read. A missing file is made.
    pub(crate) fn of_file(file: &Path) -> Result<Self> {
        match read_private(file) {
            Ok(text) => {
                let text = text.trim();
                if text.len() < SECRET_BYTES_MIN || !text.bytes().all(|b| b.is_ascii_graphic()) {
                    let said = format!(
                        "{}: a token is at least {SECRET_BYTES_MIN} letters and digits",
                        file.display()
                    );
                    return Err(Error::new(ErrorKind::Invalid, said)
                        .hint("remove the file, and a new one is made"));
                }
                Ok(Self(text.to_owned()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = Self::random()?;
                write_private(file, secret.as_str())
                    .map_err(|error| Error::io("write", file.display().to_string(), error))?;
                Ok(secret)
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let said = format!("{}: others may read this token", file.display());
                Err(Error::new(ErrorKind::Refused, said)
                    .hint("remove the file, and a new one is made; or chmod 600"))
            }
            Err(error) => Err(Error::io("read", file.display().to_string(), error)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a file; fails with `PermissionDenied` when others may read it, too.
fn read_private(file: &Path) -> io::Result<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
    }
    fs::read_to_string(file)
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut made = options.open(file)?;
    made.write_all(format!("{text}\n").as_bytes())?;
    made.sync_all()
}

/// What a request showed to be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Proof {
    /// The token, which no foreign page can make a browser send.
    Token,
    /// A cookie, which browsers send by themselves.
    Cookie,
}

/// Who is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Admitted {
    pub(in crate::web) account: String,
    pub(in crate::web) proof: Proof,
}

struct Session {
    account: String,
    since: Stopwatch,
    used: Stopwatch,
}

struct Key {
    account: String,
    since: Stopwatch,
}

/// The secrets that let somebody in.
pub(in crate::web) struct SignIn {
    token: Hash,
    /// The account that the token stands for.
    account: String,
    cookie_name: String,
    keys: Mutex<HashMap<Hash, Key>>,
    sessions: Mutex<HashMap<Hash, Session>>,
}

impl SignIn {
    pub(in crate::web) fn new(token: &Secret, account: String, cookie_name: String) -> Self {
        Self {
            token: hash(token.as_str()),
            account,
            cookie_name,
            keys: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    pub(in crate::web) fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// Returns a key that signs `account` in once.
    pub(in crate::web) fn new_key(&self, account: String) -> Result<Secret> {
        let secret = Secret::random()?;
        let mut keys = lock(&self.keys);
        keys.retain(|_, key| key.since.elapsed() < KEY_LIFE);
        if keys.len() >= KEYS_MAX {
            let oldest = keys.iter().max_by_key(|(_, key)| key.since.elapsed());
            if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                keys.remove(&oldest);
            }
        }
        let since = Stopwatch::start();
        keys.insert(hash(secret.as_str()), Key { account, since });
        Ok(secret)
    }

    /// Uses a key up, and returns the secret of a new session for it.
    pub(in crate::web) fn sign_in(&self, key: &str) -> Result<Option<Secret>> {
        let used = lock(&self.keys).remove(&hash(key));
        let Some(key) = used.filter(|key| key.since.elapsed() < KEY_LIFE) else {
            return Ok(None);
        };
        let secret = Secret::random()?;
        let mut sessions = lock(&self.sessions);
        sessions.retain(|_, session| session.is_alive());
        if sessions.len() >= SESSIONS_MAX {
            let least = sessions
                .iter()
                .max_by_key(|(_, session)| session.used.elapsed());
            if let Some(least) = least.map(|(hash, _)| *hash) {
                sessions.remove(&least);
            }
        }
        let session = Session {
            account: key.account,
            since: Stopwatch::start(),
            used: Stopwatch::start(),
        };
        sessions.insert(hash(secret.as_str()), session);
        Ok(Some(secret))
    }

    /// Ends the session of a request.
    pub(in crate::web) fn sign_out(&self, headers: &HeaderMap) {
        if let Some(secret) = cookie(headers, &self.cookie_name) {
            lock(&self.sessions).remove(&hash(secret));
        }
    }

    /// Returns who sent a request, if the request proves it.
    pub(in crate::web) fn who(&self, headers: &HeaderMap) -> Option<Admitted> {
        if let Some(line) = headers.get(AUTHORIZATION) {
            // Whoever shows a token means it: a wrong one is not made good by a cookie.
            let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
            let is_token =
                scheme.eq_ignore_ascii_case("bearer") && hash(token.trim()) == self.token;
            return is_token.then(|| Admitted {
                account: self.account.clone(),
                proof: Proof::Token,
            });
        }
        let secret = cookie(headers, &self.cookie_name)?;
        let mut sessions = lock(&self.sessions);
        let session = sessions.get_mut(&hash(secret))?;
        if !session.is_alive() {
            return None;
        }
        session.used = Stopwatch::start();
        Some(Admitted {
            account: session.account.clone(),
            proof: Proof::Cookie,
        })
    }
}

impl Session {
    fn is_alive(&self) -> bool {
        self.since.elapsed() < SESSION_LIFE && self.used.elapsed() < SESSION_IDLE
    }
}

fn hash(secret: &str) -> Hash {
    blake3::hash(secret.as_bytes())
}

/// Locks a map, even after a panic: none is ever half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
