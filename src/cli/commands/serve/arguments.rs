//! The flags of `annals serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where the page is served unless something else is said.
const DEFAULT_ADDRESS: &str = "127.0.0.1:7878";

/// Serve the web page and the HTTP API, until Ctrl-C
///
/// Prints a link that signs a browser in once, and the token that programs send. Other verbs go on
/// working on the store meanwhile. Where a host that serves the page has the store open, this only
/// prints a new link to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals serve --open
  annals serve --listen 127.0.0.1:0 --json
  annals serve --listen 0.0.0.0:7878 --tls-certificate cert.pem --tls-key key.pem --name plant-7.example

Programs send the token: curl -H \"Authorization: Bearer TOKEN\" http://127.0.0.1:7878/api/v1/entries/1")]
pub(crate) struct Args {
    /// The address and port; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_ADDRESS)]
    pub(super) listen: SocketAddr,
    /// Open the page in the browser
    #[arg(long)]
    pub(super) open: bool,
    /// Certificate chain as PEM, without which only this machine is answered
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_certificate: Option<PathBuf>,
    /// Key of the certificate as PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(super) tls_key: Option<PathBuf>,
    /// A name, or name and port, that browsers ask for, such as that of a proxy; may be repeated
    #[arg(long = "name", value_name = "HOST")]
    pub(super) names: Vec<String>,
}

impl Args {
    /// Returns true when anything is stated about how the page is served.
    pub(super) fn asks_for_more_than_a_link(&self) -> bool {
        let elsewhere = self.listen.to_string() != DEFAULT_ADDRESS;
        elsewhere || self.tls_certificate.is_some() || !self.names.is_empty()
    }
}
