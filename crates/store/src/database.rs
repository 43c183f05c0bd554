use std::fmt;
use std::path::PathBuf;

use crate::postgres::{Address, InvalidAddress};

/// Where the data is.
#[derive(Clone, Debug)]
pub enum Database {
    /// In a folder, on SQLite.
    Folder(PathBuf),
    /// In a PostgreSQL.
    Postgres(Address),
}

/// The text names no database; reads on after its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabase {
    /// It begins with something else.
    #[error("begins neither with sqlite: nor with postgres://")]
    Kind,
    /// It names no folder.
    #[error("names no folder behind sqlite:")]
    NoFolder,
    /// It begins like an address of a PostgreSQL.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
}

impl Database {
    /// Reads `sqlite:FOLDER`, `postgres://…` or `postgresql://…`.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabase> {
        match text.strip_prefix("sqlite:") {
            Some("") => Err(InvalidDatabase::NoFolder),
            Some(folder) => Ok(Self::Folder(folder.into())),
            None if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                Ok(Self::Postgres(Address::parse(text)?))
            }
            None => Err(InvalidDatabase::Kind),
        }
    }
}

/// As it is written, without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "sqlite:{}", folder.display()),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}
