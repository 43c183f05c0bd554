use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chat::types::{Cuid, Email, Name};
use clap::{Parser, Subcommand};
use jiff::SignedDuration;

/// The server that keeps chat sessions.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Settings also come from chatkeep.toml and from CHATKEEP_* \
variables; `chatkeep config show` tells which."
)]
pub struct Cli {
    /// The folder that the database is in [default: ./chatkeep-data]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// A PostgreSQL database that nodes share, instead of the folder: postgres://USER@HOST/NAME
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API
    Serve {
        /// Where to listen [default: 127.0.0.1:8642]
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        /// How nodes tell one another what is new: auto, none, nats://HOST, or postgres://… for a
        /// direct way to a database behind a pooler [default: auto]
        #[arg(long, value_name = "URL")]
        bus: Option<String>,
    },
    /// List the nodes that share the database
    Nodes,
    /// Copy everything from one database into another, empty one; goes on where it was cut off
    Copy {
        /// sqlite:FOLDER or postgres://…; no server may be running on it
        // Not parsed here: what is wrong would be printed, and may hold a password.
        #[arg(long, value_name = "URL")]
        from: String,
        /// sqlite:FOLDER or postgres://…
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Make and manage accounts
    #[command(subcommand)]
    User(User),
    /// Make and revoke tokens
    #[command(subcommand)]
    Token(Token),
    /// Look at the settings
    #[command(subcommand)]
    Config(Config),
}

#[derive(Debug, Subcommand)]
pub enum User {
    /// Make an account; the first one becomes the administrator
    Create {
        #[arg(value_parser = Email::parse)]
        email: Email,
        /// What the person is called
        #[arg(long, value_parser = Name::parse)]
        name: Option<Name>,
        /// Make it an administrator
        #[arg(long)]
        admin: bool,
        /// Read a password, one line, from standard input; without one only tokens let it in
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all accounts
    List,
    /// Disable an account: from that moment it can't sign in, and its tokens are refused
    Disable {
        #[arg(value_parser = Email::parse)]
        email: Email,
    },
    /// Enable a disabled account again
    Enable {
        #[arg(value_parser = Email::parse)]
        email: Email,
    },
    /// Replace an account's password by one line from standard input
    Password {
        #[arg(value_parser = Email::parse)]
        email: Email,
    },
}

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it, and nothing else, on standard output
    Create {
        #[arg(value_parser = Email::parse)]
        email: Email,
        /// What the token is called
        #[arg(long, value_parser = Name::parse)]
        name: Option<Name>,
        /// For how long it is good, such as 12h or 30d; without it, for ever
        #[arg(long, value_name = "SPAN", value_parser = span)]
        expires: Option<Duration>,
    },
    /// List an account's tokens
    List {
        #[arg(value_parser = Email::parse)]
        email: Email,
    },
    /// Revoke a token: from that moment it is refused
    Revoke {
        #[arg(value_parser = Cuid::parse)]
        id: Cuid,
    },
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show every setting, its value and where it came from
    Show,
}

/// Reads a span such as `30d`; a day is 24 hours.
pub fn span(text: &str) -> Result<Duration, String> {
    let span: jiff::Span = text
        .parse()
        .map_err(|_| "is not a span of time such as 12h or 30d".to_owned())?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .ok()
        .filter(SignedDuration::is_positive)
        .and_then(|span| span.try_into().ok())
        .ok_or_else(|| "must be longer than nothing, in weeks, days, hours or less".to_owned())
}
