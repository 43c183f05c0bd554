use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chat::contracts::StoreError;
use rusqlite::Connection;

use super::open::connect;
use super::writer::failure;

/// Idle connections that are kept.
const KEPT: usize = 16;

/// Connections that only read.
///
/// A read runs on the thread that asks: it touches a few pages, most of them in memory, and
/// handing it to another thread costs more than it does (docs/decisions/0003-reads-in-place.md).
/// There are never more connections in use than threads that ask, so none waits for another.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::default(),
        }
    }

    /// Reads something, from the state after the last commit.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let db = match idle {
            Some(db) => db,
            None => self.open().map_err(failure)?,
        };
        let found = work(&db).map_err(failure)?;
        // A connection whose read failed is not used again.
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(db);
        }
        Ok(found)
    }

    /// As [`Readers::read`], on a thread of its own: for what reads more than a few pages.
    pub(super) async fn read_apart<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.clone();
        let reading = tokio::task::spawn_blocking(move || readers.read(work));
        let read = reading.await;
        read.map_err(|error| StoreError::Internal(Box::new(error)))?
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let db = connect(&self.path)?;
        db.pragma_update(None, "query_only", true)?;
        Ok(db)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chat::contracts::Store;
    use chat::types::Timestamp;

    use super::super::Sqlite;

    struct Unobserved;

    impl crate::CommitObserver for Unobserved {
        fn committed(&self, _: usize, _: std::time::Duration) {}
    }

    #[tokio::test]
    async fn a_read_does_not_wait_for_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let observer = std::sync::Arc::new(Unobserved);
        let options = crate::Options::new(crate::Purpose::Serve, Timestamp(1), observer);
        let store = Sqlite::open(folder.path(), options).unwrap();
        let (go, held) = std::sync::mpsc::channel::<()>();
        store.writer.try_write(move |_| {
            let _ = held.recv();
            Ok(())
        });
        assert!(!store.has_accounts().await.unwrap());
        drop(go);
    }
}
