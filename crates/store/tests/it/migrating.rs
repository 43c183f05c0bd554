//! A database of the third schema, with something in it, is brought up to date.

use std::sync::Arc;

use chat::contracts::{Appended, Begun, Store};
use chat::types::{
    Branch, Cuid, Event, MessageRole, MessageView, Metadata, NewMessage, PageSize, Part,
    ReplyOptions, ReplyStatus, Search, Session, SessionFilter, SessionKey, Timestamp, ToolCall,
    ToolOutput,
};
use rusqlite::Connection;
use store::LeaseClock;

use crate::postgres;
use crate::reply_samples::{answering, wish};
use crate::samples::{claim_work, events, key, message, messages, new_message, reply, says};

macro_rules! schemas {
    ($database:literal) => {
        [
            include_str!(concat!(
                "../../migrations/",
                $database,
                "/0001_accounts_tokens_sessions.sql"
            )),
            include_str!(concat!(
                "../../migrations/",
                $database,
                "/0002_messages_replies.sql"
            )),
            include_str!(concat!("../../migrations/", $database, "/0003_nodes.sql")),
        ]
    };
}

/// A session with a reply that has ended, one that waits, and their prompt.
const ROWS: &str = r#"
    INSERT INTO account (id, email, role, created_at) VALUES ('cold0ada', 'a@x', 'admin', 1);
    INSERT INTO session (owner, number, id, title, kind, status, system_message, version, created_at,
      updated_at, head, changed)
    VALUES ('cold0ada', 1, 'cold0session', 'ÄRGER über İ', 'text', 'active', '', 3, 1, 2, 'cold0answer', 1);
    UPDATE id_block SET next = 2;
    INSERT INTO message (owner, session, seq, id, session_id, depth, parent, parent_id, role, content,
      model, input_tokens, output_tokens, finish_reason, reply, status, created_at, changed)
    VALUES
      ('cold0ada', 1, 1, 'cold0prompt', 'cold0session', 1, NULL, NULL, 'user',
       '[{"type":"text","text":"Why?"}]', NULL, NULL, NULL, NULL, NULL, 'done', 2, 2),
      ('cold0ada', 1, 2, 'cold0answer', 'cold0session', 2, 1, 'cold0prompt', 'assistant',
       '[{"type":"text","text":"So."}]', 'some-model', 3, 4, 'stop', 'cold0reply', 'done', 2, 3),
      ('cold0ada', 1, 3, 'cold0empty', 'cold0session', 2, 1, 'cold0prompt', 'assistant',
       '[]', 'some-model', NULL, NULL, NULL, 'cold0next', 'queued', 2, 4);
    INSERT INTO reply (owner, id, session, session_id, prompt, prompt_id, message, message_id, status,
      attempt, model, left_out, folded, created_at, changed)
    VALUES
      ('cold0ada', 'cold0reply', 1, 'cold0session', 1, 'cold0prompt', 2, 'cold0answer', 'done', 1,
       'some-model', 0, '[[2,[1,2]]]', 2, 5),
      ('cold0ada', 'cold0next', 1, 'cold0session', 1, 'cold0prompt', 3, 'cold0empty', 'queued', 0,
       'some-model', 0, NULL, 2, 6);
    INSERT INTO reply_event (owner, session, message, number, kind, data)
    VALUES
      ('cold0ada', 1, 2, 0, 'accepted', ''), ('cold0ada', 1, 2, 1, 'started', '1'),
      ('cold0ada', 1, 2, 4, 'finished', '{"status":"done","reason":"stop","error":null}'),
      ('cold0ada', 1, 3, 0, 'accepted', '');
    INSERT INTO feed (owner, last, swept) VALUES ('cold0ada', 6, 0);
"#;

/// The statements that make such a database; with what its migrations are known by.
fn third(schemas: [&str; 3], checksums: &[String]) -> String {
    let mut all = vec![
        "CREATE TABLE migration (number INTEGER NOT NULL PRIMARY KEY, checksum TEXT NOT NULL,
           applied_at BIGINT NOT NULL);"
            .to_owned(),
    ];
    let schemas = (1..).zip(schemas).zip(checksums);
    all.extend(schemas.map(|((number, schema), checksum)| {
        format!("{schema} INSERT INTO migration VALUES ({number}, '{checksum}', 1);")
    }));
    all.push(ROWS.to_owned());
    all.concat()
}

fn cuid(text: &str) -> Cuid {
    Cuid::parse(text).unwrap()
}

/// What was there is there, and of use as if it were new.
async fn use_it(store: &dyn Store) {
    let ada = cuid("cold0ada");
    let made = store.session(&ada, &SessionKey::Number(1)).await.unwrap();
    let made: Session = made.unwrap();
    assert_eq!(
        (&made.external_id, &made.metadata),
        (&None, &Metadata::default())
    );
    assert_eq!(made.head, Some(cuid("cold0answer")));
    let beside = Branch {
        parent: Some(cuid("cold0prompt")),
        messages: vec![cuid("cold0answer"), cuid("cold0empty")],
    };
    let branches = store.branches(&ada, &key(&made)).await.unwrap();
    assert_eq!(branches, Some(vec![beside]));
    let search = SessionFilter {
        title: Some(Search::parse("ärger ÜBER i\u{307}").unwrap()),
        ..SessionFilter::default()
    };
    let found = store.sessions(&ada, search, None, PageSize::default());
    assert_eq!(found.await.unwrap().items, std::slice::from_ref(&made));
    let path = messages(store, &made, MessageView::Path, 10).await;
    let [answer, prompt] = &path[..] else {
        panic!("{path:?}");
    };
    assert_eq!((&prompt.content, prompt.seq), (&says("Why?"), 1));
    assert_eq!((&answer.content, answer.seq), (&says("So."), 2));
    assert_eq!(answer.parent.as_ref(), Some(&prompt.id));
    assert_eq!(answer.usage.unwrap().output_tokens, 4);
    let ended = reply(store, &made, &cuid("cold0reply")).await;
    assert_eq!(
        (&ended.options, ended.hidden),
        (&ReplyOptions::default(), false)
    );
    assert_eq!(ended.status, ReplyStatus::Done);
    let all = events(store, &ada, &ended.id, 0).await;
    assert!(all.iter().map(|one| one.number).eq(0..5));
    assert!(matches!(&all[4].event, Event::Finished(_)));
    assert_eq!(
        claim_work(store, &made, 3).await.reply.id,
        cuid("cold0next")
    );

    let call = Part::ToolCall(ToolCall {
        id: "c".into(),
        name: "look_up".into(),
        arguments: "{}".into(),
    });
    let output = Part::ToolOutput(ToolOutput {
        call: "c".into(),
        output: "x".into(),
    });
    let new = vec![
        NewMessage {
            role: MessageRole::Assistant,
            content: vec![call],
            ..new_message("")
        },
        NewMessage {
            role: MessageRole::Tool,
            content: vec![output],
            ..new_message("")
        },
    ];
    let appended = store.append_messages(ada, key(&made), new, Timestamp(4), None);
    let Appended::Done(appended) = appended.await.unwrap() else {
        panic!("it was refused");
    };
    assert_eq!((appended[1].seq, appended[1].depth), (5, 4));
    assert_eq!(message(store, &made, &appended[1].id).await, appended[1]);
    let begun = wish(store, answering(&made, &appended[1].id)).await;
    assert!(matches!(begun, Begun::Done { .. }));
}

/// Each table and index with how it is made, as far as SQLite tells: its kind, columns, keys and what
/// it refers to.
fn shapes(db: &Connection) -> Vec<String> {
    let select = "
        SELECT t.name || ' ' || t.wr || t.strict FROM pragma_table_list AS t
        UNION ALL
        SELECT t.name || ' ' || c.name || ' ' || c.type || c.\"notnull\" || c.pk
        FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c
        UNION ALL
        SELECT t.name || ' ' || i.name || ' ' || i.\"unique\" || i.origin || i.partial || c.seqno || c.name
        FROM pragma_table_list AS t JOIN pragma_index_list(t.name) AS i
          JOIN pragma_index_info(i.name) AS c
        UNION ALL
        SELECT t.name || ' ' || f.\"from\" || f.\"table\" || f.\"to\"
        FROM pragma_table_list AS t JOIN pragma_foreign_key_list(t.name) AS f";
    let mut select = db.prepare(select).unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test]
async fn what_sqlite_held_is_kept_in_tables_of_the_same_shapes() {
    let (store, newest) = crate::sqlite::fresh().await;
    drop(store);
    let newest = Connection::open(newest.path().join(store::DATABASE_FILE)).unwrap();
    let mut checksums = newest
        .prepare("SELECT checksum FROM migration ORDER BY number")
        .unwrap();
    let checksums = checksums.query_map([], |row| row.get(0)).unwrap();
    let checksums: Vec<_> = checksums.map(Result::unwrap).collect();

    let folder = tempfile::tempdir().unwrap();
    let db = Connection::open(folder.path().join(store::DATABASE_FILE)).unwrap();
    db.execute_batch(&third(schemas!("sqlite"), &checksums))
        .unwrap();
    let before = shapes(&db);
    assert!(before.len() > 100, "{before:?}");
    let store = crate::sqlite::open(folder.path(), store::Purpose::Serve).await;
    use_it(&*store.unwrap()).await;
    let now = shapes(&db);
    let lost: Vec<_> = before.iter().filter(|one| !now.contains(one)).collect();
    assert_eq!(lost, [""; 0]);
    let check = |pragma| db.query_row(pragma, [], |row| row.get::<_, String>(0));
    assert_eq!(check("PRAGMA integrity_check").unwrap(), "ok");
    let rest: Vec<_> = now.iter().filter(|one| one.contains("before")).collect();
    assert_eq!(rest, [""; 0]);
    let copy = format!("{}.before-4", store::DATABASE_FILE);
    assert!(folder.path().join(copy).exists());
}

#[tokio::test]
async fn what_postgres_held_is_kept() {
    for cluster in [postgres::OLDEST, postgres::NEWEST] {
        let (store, newest) = postgres::fresh(cluster).await;
        drop(store);
        let checksums = "SELECT checksum FROM migration ORDER BY number";
        let checksums = postgres::texts(&newest.url(), checksums).await;
        newest.delete().await;
        let database = postgres::unmigrated(cluster).await;
        let third = third(schemas!("postgres"), &checksums);
        postgres::execute(&database.url(), &third).await;
        let store: Arc<dyn Store> = postgres::open(&database.url(), LeaseClock::Arguments).await;
        use_it(&*store).await;
        database.delete().await;
    }
}
