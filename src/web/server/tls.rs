//! Certificates for those who look from another machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Error, ErrorKind, Result};

/// The files that make a server reachable from other machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate and those between it and the authority, as PEM.
    pub(crate) certificate: PathBuf,
    /// Its secret key, as PEM.
    pub(crate) key: PathBuf,
}

/// A certificate with its key, ready for handshakes.
#[derive(Clone)]
pub(super) struct Tls(pub(super) TlsAcceptor);

impl Tls {
    /// Reads the files of a certificate and its key.
    pub(super) fn read(files: &TlsFiles) -> Result<Self> {
        let wrong = |file: &Path, why: String| {
            Error::new(ErrorKind::Invalid, format!("{}: {why}", file.display())).hint(
                "give a certificate chain and its key as PEM, the machine's own certificate first",
            )
        };
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(&files.certificate, error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong(
                &files.certificate,
                "there is no certificate in it".into(),
            ));
        }
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| wrong(&files.key, error.to_string()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| wrong(&files.certificate, error.to_string()))?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}
