//! What every request of this server goes out through.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// How long a connection is kept that nobody uses; shorter than what servers keep theirs.
const IDLE_KEPT: Duration = Duration::from_secs(50);
/// Connections to one provider that are kept while nobody uses them.
const IDLE_CONNECTIONS: usize = 32;
/// What this server calls itself towards others.
const USER_AGENT: &str = concat!("chatkeep/", env!("CARGO_PKG_VERSION"));

/// The one way out of this server over HTTP: nothing else in it makes a request.
///
/// It speaks HTTP/1.1, since an answer has a connection to itself anyhow and dropping the one then
/// closes the other. It follows no redirect, since that would carry a prompt and maybe a key to
/// somewhere nobody configured. It ignores the proxies of the environment, since where prompts go
/// is for the settings alone to say. It unpacks nothing, so that what is read is as long as what
/// was sent.
///
/// It trusts [`trusted_roots`].
#[derive(Clone)]
pub struct Client {
    tls: ClientConfig,
}

/// Why the way out could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS could not be set up")]
pub struct ClientError(#[from] rustls::Error);

/// Whom this server trusts over TLS: Mozilla's roots, which are part of the program, and those of
/// the machine. The first make it work where there are none, the second let somebody add a company's
/// own. (Where the machine has its roots is the one thing that `SSL_CERT_FILE` and `SSL_CERT_DIR` may
/// still say.)
pub fn trusted_roots() -> RootCertStore {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

impl Client {
    /// Reads the machine's roots, once. A machine without any is fine, and so are roots among them
    /// that can't be read.
    ///
    /// Errors: the cryptography that was built in does not fit to the TLS that was built in.
    pub fn new() -> Result<Self, ClientError> {
        let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted_roots())
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls })
    }

    /// A pool of connections, for one provider: the time to connect belongs to a pool, and no two
    /// providers share a connection anyhow. The roots are shared.
    pub(crate) fn pool(&self, connect: Duration) -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .http1_only()
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(USER_AGENT)
            .connect_timeout(connect)
            .pool_idle_timeout(IDLE_KEPT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_can_be_made_with_the_tls_that_is_built_in() {
        let client = Client::new().unwrap();
        client.pool(Duration::from_secs(1)).unwrap();
    }
}
