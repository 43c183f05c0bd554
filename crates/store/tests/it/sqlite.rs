//! What only the store on SQLite does.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat::contracts::{Begun, Changes, Claimed, Kept, NewReply, Store};
use chat::limits::IDEMPOTENCY_KEPT;
use chat::types::{Cuid, SessionKey, Span, Timestamp};
use futures_util::FutureExt;
use store::{CommitObserver, Database, Options, Purpose};
use tempfile::TempDir;

use crate::reply_samples::wish;
use crate::samples::{
    account, append_texts, begin, claim, claim_of, claim_work, events, find, key, new_reply,
    new_session, once, options, session, title, write,
};

#[derive(Default)]
struct Batches(Mutex<Vec<usize>>);

impl CommitObserver for Batches {
    fn committed(&self, operations: usize, _: Duration) {
        self.0.lock().unwrap().push(operations);
    }
}

pub async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(folder.path(), Purpose::Serve).await.unwrap(), folder)
}

pub async fn open(folder: &Path, purpose: Purpose) -> Result<Arc<dyn Store>, String> {
    observed(folder, purpose, Arc::default()).await
}

async fn observed(
    folder: &Path,
    purpose: Purpose,
    batches: Arc<Batches>,
) -> Result<Arc<dyn Store>, String> {
    let database = Database::Folder(folder.to_owned());
    let opened = store::open(&database, Options::new(purpose, Timestamp(1), batches));
    opened.await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart_and_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Purpose::Serve).await.unwrap();
    let ada = account(&*store, "a@x").await.id;
    let made = session(&*store, &ada, "one", 1).await;
    drop(store);
    let store = open(folder.path(), Purpose::Serve).await.unwrap();
    let found = store.session(&ada, &SessionKey::Number(1)).await.unwrap();
    assert_eq!(found, Some(made));
    assert_eq!(session(&*store, &ada, "two", 2).await.number, 2);
}

#[tokio::test]
async fn a_second_server_is_refused_and_a_command_is_not() {
    let (store, folder) = fresh().await;
    let error = open(folder.path(), Purpose::Serve).await.err().unwrap();
    assert!(error.contains("another chatkeep serves from"), "{error}");
    let beside = open(folder.path(), Purpose::Command).await.unwrap();
    let ada = account(&*beside, "a@x").await.id;
    assert!(store.has_accounts().await.unwrap());
    assert_eq!(session(&*store, &ada, "one", 1).await.number, 1);
}

#[tokio::test]
async fn what_waits_is_committed_together() {
    let folder = tempfile::tempdir().unwrap();
    let batches = Arc::new(Batches::default());
    let store = observed(folder.path(), Purpose::Serve, batches.clone())
        .await
        .unwrap();
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
    let (store, folder) = fresh().await;
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join(store::DATABASE_FILE)).unwrap();
    let record = "INSERT INTO migration (number, checksum, applied_at) VALUES (42, '', 0)";
    db.execute(record, []).unwrap();
    drop(db);
    let error = open(folder.path(), Purpose::Serve).await.err().unwrap();
    assert!(error.contains("has number 42"), "{error}");
}

#[tokio::test]
async fn a_migration_that_was_edited_is_noticed() {
    let (store, folder) = fresh().await;
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join(store::DATABASE_FILE)).unwrap();
    db.execute("UPDATE migration SET checksum = 'other'", [])
        .unwrap();
    drop(db);
    let error = open(folder.path(), Purpose::Serve).await.err().unwrap();
    assert!(error.contains("migration 1 "), "{error}");
}

#[tokio::test]
async fn a_server_that_starts_takes_over_what_the_last_one_was_writing() {
    let (store, folder) = fresh().await;
    let ada = account(&*store, "a@x").await.id;
    let made = session(&*store, &ada, "one", 1).await;
    let new = NewReply {
        options: options(),
        ..new_reply(&made, "first", 2)
    };
    let Begun::Done { reply: begun, .. } = wish(&*store, new).await else {
        panic!("it was refused");
    };
    let held = claim_of(&made, &claim_work(&*store, &made, 3).await);
    assert_eq!(write(&*store, &held, 2, &["half"], 4).await, Kept::Yes);
    // A command beside the server takes nothing from it.
    let beside = open(folder.path(), Purpose::Command).await.unwrap();
    assert_eq!(beside.stranded(Timestamp(5), 10).await.unwrap(), []);
    assert_eq!(claim(&*beside, &made, 5).await, Claimed::Nothing);
    drop((store, beside));

    let store = open(folder.path(), Purpose::Serve).await.unwrap();
    let stranded = store.stranded(Timestamp(5), 10).await.unwrap();
    assert_eq!(stranded, [(ada.clone(), made.number)]);
    let work = claim_work(&*store, &made, 5).await;
    assert_eq!(write(&*store, &held, 5, &["more"], 5).await, Kept::Fenced);
    assert_eq!((&work.reply.id, work.reply.attempt), (&begun.id, 2));
    assert_eq!(work.reply.options, options());
    let numbers = events(&*store, &ada, &begun.id, 0).await;
    assert!(numbers.iter().map(|event| event.number).eq(0..5));
}

/// The first schema, as it was shipped.
const FIRST_SCHEMA: &str =
    include_str!("../../migrations/sqlite/0001_accounts_tokens_sessions.sql");

/// A folder with a database of the first schema, and a session of each of those titles.
async fn first_schema(owner: &Cuid, titles: &[&str]) -> TempDir {
    let (store, newest) = fresh().await;
    drop(store);
    let newest = rusqlite::Connection::open(newest.path().join(store::DATABASE_FILE)).unwrap();
    let record = "SELECT checksum FROM migration WHERE number = 1";
    let checksum: String = newest.query_row(record, [], |row| row.get(0)).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join(store::DATABASE_FILE)).unwrap();
    db.execute_batch(
        "CREATE TABLE migration (number INTEGER NOT NULL PRIMARY KEY, checksum TEXT NOT NULL,
           applied_at INTEGER NOT NULL) STRICT",
    )
    .unwrap();
    db.execute_batch(FIRST_SCHEMA).unwrap();
    db.execute("INSERT INTO migration VALUES (1, ?1, 1)", [checksum])
        .unwrap();
    db.execute(
        "INSERT INTO account (id, email, role, created_at) VALUES (?1, 'a@x', 'admin', 1)",
        [owner.as_str()],
    )
    .unwrap();
    for (number, title) in (1..).zip(titles) {
        db.execute(
            "INSERT INTO session VALUES (?1, ?2, ?3, ?4, 'text', 'active', 'Be kind.', 3, 1, 2)",
            (owner.as_str(), number, format!("cold0000{number}"), title),
        )
        .unwrap();
    }
    db.execute("UPDATE id_block SET next = ?1", [titles.len() + 1])
        .unwrap();
    // What a retry of the creation of the first session is answered.
    let outcome = format!(
        r#"{{"number":1,"id":"cold00001","owner":"{owner}","title":"{}","kind":"text",
            "status":"active","system_message":"","version":1,"created_at":1,"updated_at":1}}"#,
        titles[0]
    );
    db.execute(
        "INSERT INTO idempotency VALUES (?1, 'k', ?2, ?3, 1, ?4)",
        (
            owner.as_str(),
            [1_u8; 32],
            outcome,
            Timestamp(1).after(IDEMPOTENCY_KEPT).0,
        ),
    )
    .unwrap();
    folder
}

#[tokio::test]
async fn sessions_of_the_first_schema_are_kept_and_those_without_a_name_get_one() {
    let ada = crate::samples::cuid();
    let folder = first_schema(&ada, &["Tea", "New Chat", "New Chat 2"]).await;
    let store = open(folder.path(), Purpose::Serve).await.unwrap();
    let mut old = Vec::new();
    for (number, name, named) in [
        (1, "Tea", true),
        (2, "New Chat", false),
        (3, "New Chat 2", true),
    ] {
        let key = SessionKey::Number(number);
        let found = store.session(&ada, &key).await.unwrap().unwrap();
        assert_eq!((found.title.as_str(), found.named), (name, named));
        assert_eq!((found.version, found.updated_at), (3, Timestamp(2)));
        assert_eq!(found.system_message.as_str(), "Be kind.");
        assert_eq!((&found.model, &found.head), (&None, &None));
        assert_eq!(found.external_id, None);
        assert!(found.metadata.pairs().is_empty());
        let renamed = store.name_session(ada.clone(), number, title("A name"), Timestamp(5));
        assert_eq!(renamed.await.unwrap(), !named);
        old.push(found);
    }
    // They are of use as any other: what happens in them is told behind the cursor of now.
    let Changes::Reset(last) = store.changes(&ada, None).await.unwrap() else {
        panic!("it is a first look");
    };
    append_texts(&*store, &old[0], &["a"], 6).await;
    begin(&*store, &old[0], "b", 7).await;
    let changes = store.changes(&ada, Some(last)).await.unwrap();
    assert!(matches!(changes, Changes::These(changes) if changes.len() == 5));
    assert_eq!(session(&*store, &ada, "new", 8).await.number, 4);
    let copy = format!("{}.before-2", store::DATABASE_FILE);
    assert!(folder.path().join(copy).exists());
}

#[tokio::test]
async fn a_retry_from_before_the_second_schema_is_answered() {
    let ada = crate::samples::cuid();
    let folder = first_schema(&ada, &["Tea"]).await;
    let store = open(folder.path(), Purpose::Serve).await.unwrap();
    let new = new_session(&ada, "Tea", 5);
    let again = store.create_session(new, Some(once("k", 1))).await.unwrap();
    assert_eq!((again.number, again.id.as_str()), (1, "cold00001"));
    // The answer is what was said then, and the session is as it has become.
    let now = find(&*store, &again).await;
    assert_eq!((again.version, now.version), (1, 3));
    assert_eq!(
        store.session(&ada, &key(&again)).await.unwrap().as_ref(),
        Some(&now)
    );
}

#[tokio::test]
async fn a_report_about_all_keeps_no_thread_from_serving() {
    let (store, _folder) = fresh().await;
    let span = Span {
        from: Timestamp(0),
        to: Timestamp(1),
    };
    let mut report = store.usage_of_all(span);
    assert!(report.as_mut().now_or_never().is_none());
    assert_eq!(report.await.unwrap(), []);
}
