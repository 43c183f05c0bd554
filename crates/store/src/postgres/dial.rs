use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::{Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;

/// What drives a connection that was dialled.
pub(super) type Driver =
    Connection<Socket, <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream>;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates can't be read, or holds none.
    #[error("{0}: {1}")]
    Root(PathBuf, String),
    /// The cryptography that was built in does not fit to the TLS that was built in.
    #[error("TLS could not be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Makes one connection that belongs to nobody's pool.
pub(super) async fn dial(
    address: &Address,
    tls: MakeRustlsConnect,
) -> Result<(Client, Driver), tokio_postgres::Error> {
    address.config.connect(tls).await
}

/// TLS that trusts these roots and those that the address names.
pub(super) fn tls(address: &Address, roots: &RootCertStore) -> Result<MakeRustlsConnect, TlsError> {
    let mut roots = roots.clone();
    if let Some(path) = &address.root {
        let fault = |error: &dyn std::fmt::Display| TlsError::Root(path.clone(), error.to_string());
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fault(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| fault(&error))?;
            roots.add(certificate).map_err(|error| fault(&error))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
