//! The storage contract, kept twice: on SQLite for one process, in one file in a data folder, and
//! on PostgreSQL for as many as there are. What both decide, and how both keep it, stands beside
//! them and not in them.

mod appending;
mod copy;
mod database;
mod migrations;
mod open_error;
mod options;
mod postgres;
mod rows;
mod rules;
mod saved;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use chat::contracts::Store;
use chat::types::Timestamp;
use rustls::RootCertStore;

pub use copy::{CopiedTable, CopyError, Progress, copy};
pub use database::{Database, InvalidDatabase};
pub use open_error::OpenError;
pub use postgres::{Address, InvalidAddress, Notify, TlsError};

/// The database's file in the data folder.
pub const DATABASE_FILE: &str = "chatkeep.db";
/// Connections that a node has to PostgreSQL, unless somebody says otherwise.
pub const CONNECTIONS: usize = 16;

/// Opens the store: makes the data folder if it is missing, and brings an older database up to
/// date. (Of an older SQLite a copy is made beside it before.)
///
/// Errors: see [`OpenError`].
pub async fn open(database: &Database, options: Options) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match database {
        Database::Folder(folder) => Arc::new(sqlite::Sqlite::open(folder, options)?),
        Database::Postgres(address) => Arc::new(postgres::Postgres::open(address, options).await?),
    })
}

/// How the store is opened.
pub struct Options {
    /// What for.
    pub purpose: Purpose,
    /// Now.
    pub now: Timestamp,
    /// Who is told of commits.
    pub observer: Arc<dyn CommitObserver>,
    /// Whom a PostgreSQL's certificate may be signed by.
    pub roots: RootCertStore,
    /// Connections to PostgreSQL at most.
    pub connections: usize,
    /// Whose clock leases go by on PostgreSQL.
    pub lease_clock: LeaseClock,
}

impl Options {
    /// With no roots, [`CONNECTIONS`], and the database's own clock.
    pub fn new(purpose: Purpose, now: Timestamp, observer: Arc<dyn CommitObserver>) -> Self {
        Self {
            purpose,
            now,
            observer,
            roots: RootCertStore::empty(),
            connections: CONNECTIONS,
            lease_clock: LeaseClock::Database,
        }
    }
}

/// What the store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To serve from it; of a data folder, one process at a time.
    Serve,
    /// To do one thing with it, perhaps beside a process that serves.
    Command,
}

/// Whose clock says whether a lease is over, and a node alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseClock {
    /// The database's, which is the same for all nodes.
    Database,
    /// Whatever a call says that it is now; for tests.
    Arguments,
}

/// Told of each commit; for metrics.
pub trait CommitObserver: Send + Sync {
    /// `operations` were committed together in `took`.
    fn committed(&self, operations: usize, took: Duration);
}
