//! Where the bus is, as the settings say it.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use crate::{Error, limits};

/// The prefix of whoever names none.
const DEFAULT_PREFIX: &str = "chatkeep";

/// What a URL says. It has no `Debug`, since it holds a password.
pub(crate) struct Address {
    /// Where to connect: any of them. None holds the password, since they get logged.
    pub(crate) servers: Vec<ServerAddr>,
    /// User and password.
    pub(crate) credentials: Option<(String, String)>,
    /// Whether a connection without TLS is refused.
    pub(crate) tls: bool,
    /// The first token of every subject.
    pub(crate) prefix: String,
}

impl Address {
    /// Reads `nats://[user:password@]host[:port][,…][/PREFIX]`, or the same with `tls://`. What a
    /// user or a password has of `/`, `@`, `:` and `%` stands there percent-encoded.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").ok_or(Error::Scheme)?;
        if !matches!(scheme, "nats" | "tls") {
            return Err(Error::Scheme);
        }
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(read_credentials(credentials)?), hosts),
            None => (None, authority),
        };
        let servers = hosts.split(',').map(|host| read_server(scheme, host));
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            credentials,
            tls: scheme == "tls",
            prefix: read_prefix(prefix)?,
        })
    }
}

fn read_credentials(text: &str) -> Result<(String, String), Error> {
    let (user, password) = text.split_once(':').ok_or(Error::Credentials)?;
    let read = |text| match percent_decode_str(text).decode_utf8() {
        Ok(text) if !text.is_empty() => Ok(text.into_owned()),
        _ => Err(Error::Credentials),
    };
    Ok((read(user)?, read(password)?))
}

fn read_server(scheme: &str, host: &str) -> Result<ServerAddr, Error> {
    // What is no host may be the end of a password with a / in it: the reason is not passed on.
    let server: ServerAddr = format!("{scheme}://{host}")
        .parse()
        .map_err(|_| Error::Server)?;
    if server.host().is_empty() || host.contains(['?', '#']) {
        return Err(Error::Server);
    }
    Ok(server)
}

fn read_prefix(text: &str) -> Result<String, Error> {
    if text.is_empty() {
        return Ok(DEFAULT_PREFIX.to_owned());
    }
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.len() > limits::PREFIX_CHARS || !text.bytes().all(is_token) {
        return Err(Error::Prefix);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_servers_user_password_and_prefix() {
        let address = Address::parse("tls://me:p%40s%2Fs@one:1234,two,[::1]:7/our-2_prefix");
        let address = address.ok().unwrap();
        let servers = address.servers.iter();
        let servers: Vec<_> = servers
            .map(|server| (server.host(), server.port()))
            .collect();
        assert_eq!(servers, [("one", 1234), ("two", 4222), ("::1", 7)]);
        let credentials = ("me".to_owned(), "p@s/s".to_owned());
        assert_eq!(address.credentials, Some(credentials));
        assert!(address.tls);
        assert_eq!(address.prefix, "our-2_prefix");
    }

    #[test]
    fn a_url_may_name_a_server_alone() {
        for url in ["nats://localhost:4222", "nats://localhost:4222/"] {
            let address = Address::parse(url).ok().unwrap();
            assert_eq!(address.servers.len(), 1);
            assert!(address.credentials.is_none() && !address.tls);
            assert_eq!(address.prefix, "chatkeep");
        }
    }

    #[test]
    fn the_servers_that_get_logged_hold_no_password() {
        let address = Address::parse("nats://me:secret@one,two").ok().unwrap();
        assert!(!format!("{:?}", address.servers).contains("secret"));
    }
}
