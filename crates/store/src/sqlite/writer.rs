use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chat::contracts::StoreError;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use crate::CommitObserver;

/// Operations that may wait for the writer; further ones wait for a place.
const QUEUE: usize = 4_096;
/// Operations that are committed together at most.
const BATCH_OPERATIONS: usize = 256;
/// How long a batch takes in further operations.
const BATCH_TIME: Duration = Duration::from_millis(2);

/// The one thread that writes.
///
/// It takes whatever waits into one transaction and commits it with one flush of the disk; while
/// the disk is busy the next batch gathers. An operation is answered after its commit, and one
/// that fails is rolled back alone.
pub(super) struct Writer {
    /// `None` only while it is being dropped.
    queue: Option<mpsc::Sender<Box<dyn Operation>>>,
    thread: Option<JoinHandle<()>>,
    /// Set when the disk has failed. What such a disk holds is unknown until the database is
    /// opened anew, so nothing more is written.
    broken: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(db: Connection, observer: Arc<dyn CommitObserver>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let broken = Arc::new(AtomicBool::new(false));
        let state = Loop {
            db,
            waiting,
            observer,
            broken: broken.clone(),
        };
        Self {
            queue: Some(queue),
            thread: Some(thread::spawn(move || state.run())),
            broken,
        }
    }

    /// Whether writes are still taken.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            Err(stopped())
        } else {
            Ok(())
        }
    }

    /// Runs `work` in a transaction and waits until that is on disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (operation, answered) = queued(work);
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(operation).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Leaves `work` to be done if there is room for it, and waits for nothing.
    pub(super) fn try_write(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static,
    ) {
        if let Some(queue) = &self.queue {
            let _ = queue.try_send(queued(work).0);
        }
    }

    /// How many operations are in the queue.
    pub(super) fn waiting(&self) -> usize {
        let queue = self.queue.as_ref();
        queue.map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // What was queued is still committed.
            let _ = thread.join();
        }
    }
}

/// Something that waits to be written.
trait Operation: Send {
    /// Does it, and tells whether it may stay.
    fn run(&mut self, db: &Connection) -> bool;
    /// Hands over the result, unless the commit went wrong.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

type Answered<T> = oneshot::Receiver<Result<T, StoreError>>;

fn queued<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> (Box<dyn Operation>, Answered<T>) {
    let (answer, answered) = oneshot::channel();
    let work = Work {
        todo: Some(work),
        result: Err(stopped()),
        answer,
    };
    (Box::new(work), answered)
}

struct Work<T, F> {
    todo: Option<F>,
    result: Result<T, StoreError>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, StoreError> + Send> Operation for Work<T, F> {
    fn run(&mut self, db: &Connection) -> bool {
        if let Some(work) = self.todo.take() {
            self.result = catch_unwind(AssertUnwindSafe(|| work(db)))
                .unwrap_or_else(|_| Err(StoreError::Internal("a write panicked".into())));
        }
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, commit: Result<(), StoreError>) {
        // Nobody listens any more if the client went away; the change is made all the same.
        let _ = self.answer.send(commit.and(self.result));
    }
}

struct Loop {
    db: Connection,
    waiting: mpsc::Receiver<Box<dyn Operation>>,
    observer: Arc<dyn CommitObserver>,
    broken: Arc<AtomicBool>,
}

impl Loop {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_OPERATIONS);
        while let Some(first) = self.waiting.blocking_recv() {
            let started = Instant::now();
            let commit = self.commit(first, &mut batch, started);
            if commit.is_ok() {
                self.observer.committed(batch.len(), started.elapsed());
            }
            if let Err(error) = &commit {
                tracing::error!(%error, operations = batch.len(), "a commit failed");
                // Ends what is left of the transaction; fails if SQLite has ended it already.
                let _ = self.db.execute_batch("ROLLBACK");
                if disk_failed(error) {
                    self.broken.store(true, Ordering::Relaxed);
                }
            }
            for operation in batch.drain(..) {
                operation.answer(match &commit {
                    Ok(()) => Ok(()),
                    Err(error) => Err(describe(error)),
                });
            }
        }
    }

    /// Runs `first` and what waits behind it in one transaction; `batch` holds what was taken.
    fn commit(
        &mut self,
        first: Box<dyn Operation>,
        batch: &mut Vec<Box<dyn Operation>>,
        started: Instant,
    ) -> rusqlite::Result<()> {
        batch.push(first);
        if self.broken.load(Ordering::Relaxed) {
            return Err(broken());
        }
        self.execute("BEGIN IMMEDIATE")?;
        let mut next = 0;
        // What is first in a transaction is undone with it: a savepoint would copy each page that
        // the operation touches.
        let mut is_first = true;
        while let Some(operation) = batch.get_mut(next) {
            if !is_first {
                self.execute("SAVEPOINT operation")?;
            }
            let stays = operation.run(&self.db);
            if !is_first {
                if !stays {
                    self.execute("ROLLBACK TO operation")?;
                }
                self.execute("RELEASE operation")?;
            } else if stays {
                is_first = false;
            } else {
                self.execute("ROLLBACK")?;
                self.execute("BEGIN IMMEDIATE")?;
            }
            next += 1;
            if batch.len() < BATCH_OPERATIONS
                && started.elapsed() < BATCH_TIME
                && let Ok(operation) = self.waiting.try_recv()
            {
                batch.push(operation);
            }
        }
        self.execute("COMMIT")
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(drop)
    }
}

fn broken() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR),
        Some("the disk has failed before".into()),
    )
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".into())
}

fn disk_failed(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// What an error of SQLite means to the product.
fn describe(error: &rusqlite::Error) -> StoreError {
    let unavailable = disk_failed(error)
        || matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::ReadOnly)
        );
    if unavailable {
        StoreError::Unavailable(error.to_string())
    } else {
        StoreError::Internal(error.to_string().into())
    }
}

/// As [`describe`], for `map_err`.
pub(super) fn failure(error: rusqlite::Error) -> StoreError {
    describe(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Unobserved;

    impl CommitObserver for Unobserved {
        fn committed(&self, _: usize, _: Duration) {}
    }

    fn insert(db: &Connection, number: i64) -> Result<(), StoreError> {
        let rows = db.execute("INSERT INTO thing VALUES (?1)", [number]);
        rows.map(drop).map_err(failure)
    }

    fn writer(folder: &tempfile::TempDir) -> (Writer, Connection) {
        let path = folder.path().join("test.db");
        let db = super::super::open::connect(&path).unwrap();
        db.pragma_update(None, "journal_mode", "WAL").unwrap();
        db.execute_batch("CREATE TABLE thing (number INTEGER PRIMARY KEY) STRICT")
            .unwrap();
        let reader = super::super::open::connect(&path).unwrap();
        (Writer::start(db, Arc::new(Unobserved)), reader)
    }

    fn stored(db: &Connection) -> Vec<i64> {
        let mut all = db.prepare("SELECT number FROM thing ORDER BY 1").unwrap();
        let rows = all.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[tokio::test]
    async fn an_operation_that_fails_or_panics_is_rolled_back_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = writer(&folder);
        // The first one holds the writer until the others wait, so that they share a batch.
        let (go, held) = std::sync::mpsc::channel::<()>();
        let first = writer.write(move |db| {
            let _ = held.recv();
            insert(db, 1)
        });
        let second = writer.write(|db| insert(db, 2));
        let fails = writer.write(|db| {
            insert(db, 3)?;
            Err::<(), _>(StoreError::KeyReused)
        });
        let panics = writer.write(|db| {
            insert(db, 4)?;
            let nothing: Option<()> = None;
            nothing.ok_or("").unwrap();
            Ok(())
        });
        let last = writer.write(|db| insert(db, 5));
        let release = async { drop(go) };
        let (first, second, fails, panics, last, ()) =
            tokio::join!(first, second, fails, panics, last, release);
        assert!(first.is_ok() && second.is_ok() && last.is_ok());
        assert!(matches!(fails, Err(StoreError::KeyReused)));
        assert!(matches!(panics, Err(StoreError::Internal(_))));
        assert_eq!(stored(&reader), [1, 2, 5]);
    }

    #[tokio::test]
    async fn what_was_queued_is_committed_before_the_writer_stops() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = writer(&folder);
        let mut waiting = Box::pin(writer.write(|db| insert(db, 1)));
        // Polled once it is in the queue; its answer is never looked at.
        let _ = futures_poll(waiting.as_mut());
        drop(waiting);
        drop(writer);
        assert_eq!(stored(&reader), [1]);
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.poll(&mut context)
    }
}
