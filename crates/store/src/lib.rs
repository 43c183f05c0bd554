//! The storage contract, kept on SQLite: one file in a data folder.

mod sqlite;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat::contracts::Store;
use chat::types::Timestamp;

pub use sqlite::OpenError;

/// The database's file in the data folder.
pub const DATABASE_FILE: &str = "chatkeep.db";

/// What the store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To serve from it: one process at a time.
    Serve,
    /// To do one thing with it, perhaps beside a process that serves.
    Command,
}

/// Told of each commit; for metrics.
pub trait CommitObserver: Send + Sync {
    /// `operations` were committed together in `took`.
    fn committed(&self, operations: usize, took: Duration);
}

/// Opens the store in a data folder, which is made if it is missing; brings an older database up
/// to date, after a copy of it was made beside it.
///
/// Errors: see [`OpenError`].
pub fn open(
    folder: &Path,
    purpose: Purpose,
    now: Timestamp,
    observer: Arc<dyn CommitObserver>,
) -> Result<Arc<dyn Store>, OpenError> {
    Ok(Arc::new(sqlite::Sqlite::open(
        folder, purpose, now, observer,
    )?))
}
