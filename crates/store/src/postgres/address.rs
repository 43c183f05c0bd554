use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long connecting may take over all hosts, unless the URL says otherwise.
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// How long a host may answer nothing at all, before its connections are given up.
const SILENCE: Duration = Duration::from_secs(10);

/// Where a PostgreSQL is, and how it is spoken to.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Box<Config>,
    /// A file with further certificates that are trusted.
    pub(super) root: Option<PathBuf>,
    /// Whether statements are prepared.
    pub(super) prepares: bool,
}

/// The text is no address of a PostgreSQL; reads on after its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It can't be read at all. The text itself is not told, since it may hold a password.
    #[error("is not like postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require")]
    Unreadable,
    /// It has a parameter that is not known.
    #[error("has a parameter that is not known, or that has a wrong value: {0}")]
    Parameter(String),
}

impl Address {
    /// Reads a URL as PostgreSQL's own programs do, with some parameters of ours: `sslmode` is
    /// `disable`, `prefer` or `require`, where `verify-ca` and `verify-full` are `require`, since a
    /// certificate is always verified; `sslrootcert` is a file with certificates that are trusted
    /// besides those of the machine; `prepare_statements=false` is for a PgBouncer in transaction
    /// mode that knows no prepared statements.
    ///
    /// Several hosts may be named, parted by commas: the one that takes writes is used.
    pub fn parse(url: &str) -> Result<Self, InvalidAddress> {
        let (start, parameters) = url.split_once('?').unwrap_or((url, ""));
        if parameters.contains('@') {
            // They have begun in the middle of a password.
            return Err(InvalidAddress::Unreadable);
        }
        let mut config: Config = start.parse().map_err(|_| InvalidAddress::Unreadable)?;
        // Of several hosts those that are gone are tried first, and all within the time of a call.
        let time = CONNECT_TIME / config.get_hosts().len().max(1) as u32;
        config.connect_timeout(time);
        let (mut root, mut prepares) = (None, true);
        for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
            let wrong = || InvalidAddress::Parameter(name.to_string());
            match (&*name, &*value) {
                ("sslrootcert", path) => root = Some(PathBuf::from(path)),
                ("prepare_statements", "true") => prepares = true,
                ("prepare_statements", "false") => prepares = false,
                ("sslmode", "disable") => drop(config.ssl_mode(SslMode::Disable)),
                ("sslmode", "prefer") => drop(config.ssl_mode(SslMode::Prefer)),
                ("sslmode", "require" | "verify-ca" | "verify-full") => {
                    config.ssl_mode(SslMode::Require);
                }
                ("host", path) => drop(config.host(path)),
                ("port", port) => drop(config.port(port.parse().map_err(|_| wrong())?)),
                ("user", user) => drop(config.user(user)),
                ("password", password) => drop(config.password(password)),
                ("dbname", name) => drop(config.dbname(name)),
                ("application_name", name) => drop(config.application_name(name)),
                ("connect_timeout", seconds) => {
                    let seconds = seconds.parse().map_err(|_| wrong())?;
                    config.connect_timeout(Duration::from_secs(seconds));
                }
                // Where there are several hosts, it is always the one that takes writes.
                ("target_session_attrs", "any" | "primary" | "read-write") => {}
                _ => return Err(wrong()),
            }
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .tcp_user_timeout(SILENCE)
            .keepalives(true)
            .keepalives_idle(SILENCE / 2)
            .keepalives_interval(SILENCE / 5)
            .keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("chatkeep");
        }
        Ok(Self {
            config: Box::new(config),
            root,
            prepares,
        })
    }
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
            if let Some(port) = ports.get(at).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_never_shows_its_password() {
        let address = Address::parse("postgres://me:secret@one:5433,two/chat?sslmode=verify-full");
        let address = address.unwrap();
        assert_eq!(address.to_string(), "postgres://me@one:5433,two:5432/chat");
        assert!(!format!("{address:?}").contains("secret"));
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        let odd = Address::parse("postgres://me:sec?ret=x@one/chat").unwrap_err();
        assert_eq!(odd, InvalidAddress::Unreadable);
    }

    #[test]
    fn parameters_of_ours_are_read_and_unknown_ones_refused() {
        let address = Address::parse(
            "postgresql://h/db?sslrootcert=%2Fetc%2Froot.pem&prepare_statements=false\
             &target_session_attrs=read-write",
        );
        let address = address.unwrap();
        assert_eq!(address.root, Some("/etc/root.pem".into()));
        assert!(!address.prepares);
        for wrong in [
            "sslmode=maybe",
            "prepare_statements=1",
            "target_session_attrs=standby",
            "options=-csearch_path%3Dx",
        ] {
            let refused = Address::parse(&format!("postgres://h/db?{wrong}")).unwrap_err();
            assert!(matches!(refused, InvalidAddress::Parameter(_)), "{wrong}");
        }
    }
}
