//! The names that the page may be asked for under. Nothing else is answered.
//!
//! A foreign web page can make its own name point to an address of this machine (DNS rebinding).
//! The browser then takes this server for the page's own: origins agree, cookies apart nothing is
//! foreign. Only `Host` still says the page's name.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};

use crate::archive::host_name;
use crate::host::split_host;

/// The allowed names.
#[derive(Debug, Clone)]
pub(in crate::web) struct Names {
    listening: SocketAddr,
    /// Each with a port, or for our port and the usual one.
    listed: Vec<String>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) enum Foreign {
    /// No `Host`, several, or one that is not valid.
    Malformed(String),
    /// Another name, or another port.
    Named(String),
}

impl Names {
    pub(in crate::web) fn new(listening: SocketAddr, listed: Vec<String>) -> Self {
        Self { listening, listed }
    }

    /// Checks the name that a request asks for. A request line that names a server names an allowed
    /// one, too.
    ///
    /// `more` are listed names that may change while the server runs.
    pub(in crate::web) fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        more: &[String],
    ) -> Result<(), Foreign> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host,
            (None, _) => return Err(Foreign::Malformed("there is none".to_owned())),
            (Some(_), Some(_)) => return Err(Foreign::Malformed("there are several".to_owned())),
        };
        let host = host
            .to_str()
            .map_err(|_| Foreign::Malformed("it is not text".to_owned()))?;
        self.check_one(host, more)?;
        match uri.authority() {
            Some(authority) => self.check_one(authority.as_str(), more),
            None => Ok(()),
        }
    }

    fn check_one(&self, host: &str, more: &[String]) -> Result<(), Foreign> {
        let (name, port) =
            split_host(host).ok_or_else(|| Foreign::Malformed(format!("it is {host:?}")))?;
        if self.is_listed(name, port, more) || (self.is_own_port(port) && self.is_own(name)) {
            Ok(())
        } else {
            Err(Foreign::Named(host.to_owned()))
        }
    }

    /// Returns true for our port. Browsers leave the usual ports out.
    fn is_own_port(&self, port: Option<u16>) -> bool {
        match port {
            Some(port) => port == self.listening.port(),
            None => matches!(self.listening.port(), 80 | 443),
        }
    }

    /// Returns true for the names that need no configuration.
    fn is_own(&self, name: &str) -> bool {
        let ip = self.listening.ip();
        if ip.is_loopback() {
            return name.eq_ignore_ascii_case("localhost")
                || name
                    .parse::<IpAddr>()
                    .is_ok_and(|asked| asked == ip || is_usual_loopback(asked));
        }
        // An address cannot be made to point to another machine, as a name can.
        let is_address = |asked: IpAddr| ip.is_unspecified() || asked == ip;
        name.parse::<IpAddr>().is_ok_and(is_address) || name.eq_ignore_ascii_case(&host_name())
    }

    /// Returns true for a name that the configuration or a flag lists: with its port, or without
    /// one for our port and the usual one, which a proxy in front has.
    fn is_listed(&self, name: &str, port: Option<u16>, more: &[String]) -> bool {
        self.listed.iter().chain(more).any(|listed| {
            let Some((listed, wanted)) = split_host(listed) else {
                return false;
            };
            let is_port = match wanted {
                Some(_) => port == wanted,
                None => port.is_none() || self.is_own_port(port),
            };
            is_port && listed.eq_ignore_ascii_case(name)
        })
    }
}

fn is_usual_loopback(address: IpAddr) -> bool {
    address == IpAddr::from([127, 0, 0, 1]) || address == IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])
}
