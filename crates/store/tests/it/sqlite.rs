//! What only the store on SQLite does.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat::contracts::Store;
use chat::types::{SessionKey, Timestamp};
use store::{CommitObserver, Purpose};
use tempfile::TempDir;

use crate::samples::{account, new_session, session};

#[derive(Default)]
struct Batches(Mutex<Vec<usize>>);

impl CommitObserver for Batches {
    fn committed(&self, operations: usize, _: Duration) {
        self.0.lock().unwrap().push(operations);
    }
}

pub fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(folder.path(), Purpose::Serve).unwrap(), folder)
}

fn open(folder: &Path, purpose: Purpose) -> Result<Arc<dyn Store>, String> {
    store::open(folder, purpose, Timestamp(1), Arc::new(Batches::default()))
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart_and_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Purpose::Serve).unwrap();
    let ada = account(&*store, "a@x").await.id;
    let made = session(&*store, &ada, "one", 1).await;
    drop(store);
    let store = open(folder.path(), Purpose::Serve).unwrap();
    let found = store.session(&ada, &SessionKey::Number(1)).await.unwrap();
    assert_eq!(found, Some(made));
    assert_eq!(session(&*store, &ada, "two", 2).await.number, 2);
}

#[tokio::test]
async fn a_second_server_is_refused_and_a_command_is_not() {
    let (store, folder) = fresh();
    let error = open(folder.path(), Purpose::Serve).err().unwrap();
    assert!(error.contains("another chatkeep serves from"), "{error}");
    let beside = open(folder.path(), Purpose::Command).unwrap();
    let ada = account(&*beside, "a@x").await.id;
    assert!(store.has_accounts().await.unwrap());
    assert_eq!(session(&*store, &ada, "one", 1).await.number, 1);
}

#[tokio::test]
async fn what_waits_is_committed_together() {
    let folder = tempfile::tempdir().unwrap();
    let batches = Arc::new(Batches::default());
    let store = store::open(folder.path(), Purpose::Serve, Timestamp(1), batches.clone()).unwrap();
    let ada = account(&*store, "a@x").await.id;
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..600 {
        let (store, new) = (store.clone(), new_session(&ada, &number.to_string(), 1));
        writes.spawn(async move { store.create_session(new, None).await.unwrap() });
    }
    writes.join_all().await;
    drop(store);
    let batches = batches.0.lock().unwrap();
    assert_eq!(batches.iter().sum::<usize>(), 601);
    assert!(
        batches.iter().any(|operations| *operations > 1),
        "{batches:?}"
    );
    assert!(
        batches.iter().all(|operations| *operations <= 256),
        "{batches:?}"
    );
}

#[tokio::test]
async fn a_database_from_a_newer_version_is_refused_by_number() {
    let (store, folder) = fresh();
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join(store::DATABASE_FILE)).unwrap();
    let record = "INSERT INTO migration (number, checksum, applied_at) VALUES (42, '', 0)";
    db.execute(record, []).unwrap();
    drop(db);
    let error = open(folder.path(), Purpose::Serve).err().unwrap();
    assert!(error.contains("has number 42"), "{error}");
}

#[tokio::test]
async fn a_migration_that_was_edited_is_noticed() {
    let (store, folder) = fresh();
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join(store::DATABASE_FILE)).unwrap();
    db.execute("UPDATE migration SET checksum = 'other'", [])
        .unwrap();
    drop(db);
    let error = open(folder.path(), Purpose::Serve).err().unwrap();
    assert!(error.contains("migration 1 "), "{error}");
}
