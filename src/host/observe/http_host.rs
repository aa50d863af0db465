//! Checks the `Host` line of a request, so that foreign web pages cannot read from a host through a
//! browser.
//!
//! A web page can make its own name point to an address of this machine (DNS rebinding). The
//! browser then sends the page's name in `Host`, which is none that this host has.

use std::net::{IpAddr, Ipv6Addr};

use crate::archive::host_name;

/// The judgement of a request's `Host` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Verdict {
    /// An address, a name of this machine, or one that the configuration lists.
    Ours,
    /// Another name.
    Foreign,
    /// No `Host` line, several, or one that is not valid.
    Malformed,
}

/// Checks the head of a request; `names` are those that the configuration lists.
pub(in crate::host) fn check(head: &[u8], names: &[String]) -> Verdict {
    let Ok(head) = std::str::from_utf8(head) else {
        return Verdict::Malformed;
    };
    let mut lines = head.split("\r\n");
    let request = lines.next().unwrap_or_default();
    let mut hosts = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim());
    match (hosts.next(), hosts.next()) {
        // A client of the old protocol is no browser.
        (None, _) if request.ends_with(" HTTP/1.0") => Verdict::Ours,
        (Some(host), None) => of_host(host, names),
        _ => Verdict::Malformed,
    }
}

fn of_host(host: &str, names: &[String]) -> Verdict {
    // Any port is accepted, because a forwarded port has another number here.
    let Some((name, _)) = split_host(host) else {
        return Verdict::Malformed;
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    // An address cannot be made to point to another machine, as a name can.
    let is_ours = name.parse::<IpAddr>().is_ok()
        || is("localhost")
        || is(&host_name())
        || names.iter().any(|listed| is(listed));
    if is_ours {
        Verdict::Ours
    } else {
        Verdict::Foreign
    }
}

/// Returns the name and the port in `name:port`, `name`, `[address]:port` or `[address]`.
pub(crate) fn split_host(host: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            let port = match rest {
                "" => None,
                _ => Some(rest.strip_prefix(':')?),
            };
            (address, port)
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    match port {
        None => Some((name, None)),
        // `parse` would take a sign as well.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((name, Some(digits.parse().ok()?)))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A foreign web page must not read the metrics of a host through a browser in the plant.
    #[test]
    fn a_request_under_anothers_name_is_not_answered() {
        let names = ["Plant-7.example".to_owned()];
        let of = |lines: &str| check(format!("GET /healthz {lines}\r\n\r\n").as_bytes(), &names);
        for (lines, verdict) in [
            ("HTTP/1.1\r\nHost: 127.0.0.1:9797", Verdict::Ours),
            ("HTTP/1.1\r\nhost:localhost:9797", Verdict::Ours),
            ("HTTP/1.1\r\nHost: [::1]:9797", Verdict::Ours),
            ("HTTP/1.1\r\nHost: plant-7.EXAMPLE.:9797", Verdict::Ours),
            ("HTTP/1.1\r\nHost: 10.0.0.7", Verdict::Ours),
            ("HTTP/1.0", Verdict::Ours),
            ("HTTP/1.1\r\nHost: evil.example:9797", Verdict::Foreign),
            ("HTTP/1.0\r\nHost: evil.example", Verdict::Foreign),
            ("HTTP/1.1\r\nHost: localhost.evil.example", Verdict::Foreign),
            ("HTTP/1.1\r\nHost: 127.0.0.1.evil.example", Verdict::Foreign),
            ("HTTP/1.1\r\nHost: localhost:8080", Verdict::Ours),
            ("HTTP/1.1", Verdict::Malformed),
            ("HTTP/1.1\r\nHost:", Verdict::Malformed),
            (
                "HTTP/1.1\r\nHost: localhost\r\nHost: evil.example",
                Verdict::Malformed,
            ),
            ("HTTP/1.1\r\nHost: [::1", Verdict::Malformed),
            ("HTTP/1.1\r\nHost: localhost:port", Verdict::Malformed),
            ("HTTP/1.1\r\nHost: a b", Verdict::Malformed),
        ] {
            assert_eq!(of(lines), verdict, "{lines:?}");
        }
    }
}
