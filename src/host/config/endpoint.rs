//! Describes where reports are sent: the address for messages, and the address with its secrets.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::convert::{MASK, MissingSecret, Secrets, expand};
use crate::entry::Meta;

/// Headers whose values are no secret.
const OPEN_HEADERS: [&str; 3] = ["accept", "content-type", "user-agent"];
/// Secrets shorter than this are not masked in messages, because they match too much other text.
const SECRET_BYTES_MIN: usize = 4;

/// Where reports are sent, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Submit {
    /// How long one submission may take.
    pub timeout: Duration,
    /// How the server is told that a report corrects an earlier one.
    pub relation: Relation,
    pub(in crate::host) url: String,
    pub(in crate::host) headers: Meta,
    /// The folder that `${file:PATH}` is relative to.
    pub(in crate::host) dir: PathBuf,
}

/// How a server is told that a report corrects an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Relation {
    /// The header `Annals-Corrects` has the name that the server gave the earlier report.
    #[default]
    Header,
    /// It is not told.
    None,
}

/// An address and its headers with all secrets filled in. Only the server may see it.
pub(in crate::host) struct Revealed {
    pub(in crate::host) url: String,
    pub(in crate::host) headers: Vec<(String, String)>,
    /// Secrets to mask in every message.
    pub(in crate::host) secrets: Secrets,
}

impl Submit {
    /// Returns the address for messages and records: without user, query and fragment, and with
    /// `${...}` unexpanded.
    pub fn endpoint(&self) -> String {
        bare(&self.url)
    }

    /// Returns true when the endpoint is on this machine.
    pub(in crate::host) fn stays_here(&self) -> bool {
        let endpoint = self.endpoint();
        let rest = endpoint
            .split_once("://")
            .map_or(&*endpoint, |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let address = host.parse::<std::net::IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    /// Returns true when the address or the headers may hold secrets, and are sent unencrypted to
    /// another machine.
    pub(super) fn tells_secrets(&self) -> bool {
        let open = |name: &String| OPEN_HEADERS.contains(&&*name.to_ascii_lowercase());
        let parts = Parts::of(&self.url);
        let some = parts.user.is_some() || parts.query.is_some() || !self.headers.keys().all(open);
        some && self.url.starts_with("http:") && !self.stays_here()
    }

    /// Returns the address and headers with each `${...}` replaced by its current value.
    pub(in crate::host) fn reveal(&self) -> Result<Revealed, MissingSecret> {
        let mut secrets = Vec::new();
        let mut placeholders = |template: &str| -> Result<(), MissingSecret> {
            for placeholder in template.split("${").skip(1) {
                let end = placeholder.find('}').ok_or(MissingSecret::Unclosed)?;
                secrets.push(expand(&format!("${{{}}}", &placeholder[..end]), &self.dir)?);
            }
            Ok(())
        };
        placeholders(&self.url)?;
        for template in self.headers.values() {
            placeholders(template)?;
        }
        let url = expand(&self.url, &self.dir)?;
        let parts = Parts::of(&url);
        secrets.extend(parts.user.map(str::to_owned));
        secrets.extend(
            parts
                .user
                .and_then(|user| Some(user.split_once(':')?.1.to_owned())),
        );
        secrets.extend(parts.query.map(str::to_owned));
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, template) in &self.headers {
            let value = expand(template, &self.dir)?;
            if !OPEN_HEADERS.contains(&&*name.to_ascii_lowercase()) {
                // In a value of several words, the first one is a scheme such as `Basic`, and no
                // secret.
                secrets.extend(value.split_whitespace().skip(1).map(str::to_owned));
                secrets.push(value.clone());
            }
            headers.push((name.clone(), value));
        }
        secrets.retain(|secret| secret.len() >= SECRET_BYTES_MIN);
        Ok(Revealed {
            url,
            headers,
            secrets: Secrets::new(secrets),
        })
    }
}

impl fmt::Debug for Submit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit")
            .field("url", &masked(&self.url))
            .field("timeout", &self.timeout)
            .field("headers", &self.headers.keys())
            .finish_non_exhaustive()
    }
}

/// Returns a URL without user, query and fragment.
pub(in crate::host) fn bare(url: &str) -> String {
    let parts = Parts::of(url);
    format!("{}{}", parts.scheme, parts.place)
}

/// Returns a URL with user and query masked, for showing the configuration.
pub(super) fn masked(url: &str) -> String {
    let parts = Parts::of(url);
    let user = parts.user.map_or_else(String::new, |_| format!("{MASK}@"));
    let query = parts.query.map_or_else(String::new, |_| format!("?{MASK}"));
    format!("{}{user}{}{query}", parts.scheme, parts.place)
}

struct Parts<'a> {
    /// The scheme with its `://`.
    scheme: &'a str,
    user: Option<&'a str>,
    place: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Splits a URL. Characters inside of a `${...}` separate nothing.
    fn of(url: &'a str) -> Self {
        let start = url.find("://").map_or(0, |at| at + 3);
        let (scheme, rest) = url.split_at(start);
        let mut inside = false;
        let (mut user, mut slash, mut end) = (None, None, rest.len());
        for (at, c) in rest.char_indices() {
            match c {
                '{' if rest[..at].ends_with('$') => inside = true,
                '}' => inside = false,
                _ if inside => {}
                '?' | '#' => {
                    end = at;
                    break;
                }
                '/' if slash.is_none() => slash = Some(at),
                '@' if slash.is_none() => user = Some(at),
                _ => {}
            }
        }
        Self {
            scheme,
            user: user.map(|at| &rest[..at]),
            place: &rest[user.map_or(0, |at| at + 1)..end],
            query: rest[end..].get(1..).filter(|query| !query.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submit(url: &str, headers: &[(&str, &str)], dir: PathBuf) -> Submit {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Submit {
            timeout: Duration::from_secs(1),
            relation: Relation::Header,
            url: url.to_owned(),
            headers: headers.iter().map(owned).collect(),
            dir,
        }
    }

    #[test]
    fn an_endpoint_is_told_without_what_may_be_secret() {
        for (url, endpoint, shown) in [
            ("http://x/api", "http://x/api", "http://x/api"),
            (
                "https://me:pw@x:1/a?k=s#f",
                "https://x:1/a",
                "https://***@x:1/a?***",
            ),
            ("http://a@b@x", "http://x", "http://***@x"),
            ("http://x?token", "http://x", "http://x?***"),
            ("http://x/a@b", "http://x/a@b", "http://x/a@b"),
            (
                "http://${file:a/b@c?d}@${HOST}/r",
                "http://${HOST}/r",
                "http://***@${HOST}/r",
            ),
        ] {
            assert_eq!(bare(url), endpoint);
            assert_eq!(masked(url), shown);
        }
    }

    #[test]
    fn only_this_machine_is_reached_without_a_proxy_and_told_secrets_in_clear() {
        for (url, here, tells) in [
            ("http://127.0.0.1:9000/api", true, false),
            ("http://localhost", true, false),
            ("http://[::1]:80/x", true, false),
            ("http://127.0.0.1.example/x", false, true),
            ("https://wats.example/127.0.0.1", false, false),
            ("http://wats.example/r", false, true),
        ] {
            let submit = submit(url, &[("Authorization", "x")], PathBuf::new());
            assert_eq!(submit.stays_here(), here, "{url}");
            assert_eq!(submit.tells_secrets(), tells, "{url}");
        }
        let open = submit("http://wats.example/r", &[("Accept", "x")], PathBuf::new());
        assert!(!open.tells_secrets());
        assert!(submit("http://a:b@wats.example", &[], PathBuf::new()).tells_secrets());
    }

    #[test]
    fn secrets_are_put_in_place_when_they_are_needed_and_known_by_every_part_of_them() {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::write(dir.path().join("token"), "dG9rZW4=\n").expect("written");
        let headers = [
            ("Authorization", "Basic ${file:token}"),
            ("Content-Type", "application/json"),
            ("X-Key", "literal-key"),
        ];
        let url = "http://me:pass@x/${file:token}?k=query";
        let submit = submit(url, &headers, dir.path().to_owned());
        let shown = format!("{submit:?} {}", submit.endpoint());
        assert!(
            !shown.contains("pass") && !shown.contains("literal-key"),
            "{shown}"
        );
        let revealed = submit.reveal().expect("there");
        assert_eq!(revealed.url, "http://me:pass@x/dG9rZW4=?k=query");
        assert_eq!(revealed.headers[0].1, "Basic dG9rZW4=");
        let said = "dG9rZW4= pass k=query literal-key application/json";
        assert_eq!(
            revealed.secrets.mask(said),
            "*** *** *** *** application/json"
        );

        std::fs::write(dir.path().join("token"), "renewed").expect("written");
        assert_eq!(
            submit.reveal().expect("there").headers[0].1,
            "Basic renewed"
        );
        std::fs::remove_file(dir.path().join("token")).expect("removed");
        assert!(matches!(submit.reveal(), Err(MissingSecret::File { .. })));
    }
}
