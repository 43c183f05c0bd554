use std::io;
use std::path::PathBuf;

use crate::postgres::{TlsError, describe};
use crate::sqlite::SQLITE_AT_LEAST;

/// Why the store could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The SQLite in this program is too old to be trusted.
    OldSqlite,
    /// The data folder or a file in it can't be made or opened.
    Folder(PathBuf, io::Error),
    /// Another process serves from this folder.
    InUse(PathBuf),
    /// The database is older than this program, and a running server holds it.
    NeedsMigration(PathBuf),
    /// A newer program made the database.
    TooNew {
        /// The newest migration of the database.
        database: u32,
        /// The newest migration that this program knows.
        program: u32,
    },
    /// A migration has another text than the one that the database went through.
    MigrationChanged(u32),
    /// It is the target of a copy that has not ended.
    UnfinishedCopy,
    /// The folder is on a file system that SQLite's write-ahead log does not work on.
    NoWal,
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// TLS could not be set up.
    Tls(TlsError),
    /// PostgreSQL refused, or can't be reached.
    Postgres(String),
}

impl std::error::Error for OpenError {}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OldSqlite => write!(
                f,
                "this program was built with SQLite {}, and needs {} or newer",
                rusqlite::version(),
                SQLITE_AT_LEAST.1
            ),
            Self::Folder(path, error) => write!(f, "{}: {error}", path.display()),
            Self::InUse(folder) => write!(
                f,
                "another chatkeep serves from {}; stop it, or name another folder with --data-dir",
                folder.display()
            ),
            Self::NeedsMigration(folder) => write!(
                f,
                "the database in {} is from an older version, and a running server holds it; \
                 stop that server first",
                folder.display()
            ),
            Self::TooNew { database, program } => write!(
                f,
                "the database is from a newer version of chatkeep: its schema has number \
                 {database}, this program knows up to {program}"
            ),
            Self::MigrationChanged(number) => write!(
                f,
                "migration {number} of the database is not the one that this program knows"
            ),
            Self::UnfinishedCopy => write!(
                f,
                "the database holds a copy that has not ended: run the same `chatkeep copy` again"
            ),
            Self::NoWal => write!(
                f,
                "the data folder's file system can't keep a write-ahead log; is it on a network?"
            ),
            Self::Sqlite(error) => write!(f, "the database can't be opened: {error}"),
            Self::Tls(error) => error.fmt(f),
            Self::Postgres(why) => write!(f, "the database can't be opened: {why}"),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<TlsError> for OpenError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<tokio_postgres::Error> for OpenError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(describe(&error))
    }
}
