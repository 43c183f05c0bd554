//! From one database into another, whichever they are.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat::contracts::{Appended, Claimed, Kept, NewReply, Store};
use chat::types::{
    Account, ExternalId, MessageView, NewSession, Node, PageSize, ReplyStatus, Session,
    SessionFilter, Span, Timestamp, TokenKind, TokenUsage,
};
use rustls::RootCertStore;
use store::{
    CommitObserver, CopiedTable, CopyError, Database, LeaseClock, OpenError, Options, Progress,
    Purpose,
};
use tempfile::TempDir;

use crate::postgres;
use crate::reply_samples::{lease, stop, thought, wish, wish_once};
use crate::samples::{
    account, append, append_texts, begin, call, claim, claim_of, claim_work, cuid, cursor, delete,
    disable, events, finish, key, messages, metadata, model, move_head, new_finish, new_message,
    new_reply, new_session, new_token, once, options, says, session, text, write,
};

struct Unobserved;

impl CommitObserver for Unobserved {
    fn committed(&self, _: usize, _: Duration) {}
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Sqlite,
    /// In the cluster of this variable.
    Postgres(&'static str),
}

const KINDS: [Kind; 3] = [
    Kind::Sqlite,
    Kind::Postgres(postgres::OLDEST),
    Kind::Postgres(postgres::NEWEST),
];

/// A database of a test, and its folder if it is in one.
struct Place(Database, Option<TempDir>);

impl Place {
    async fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                Self(Database::Folder(folder.path().to_owned()), Some(folder))
            }
            Kind::Postgres(cluster) => {
                let (_, database) = postgres::fresh(cluster).await;
                Self(Database::parse(&database.url()).unwrap(), None)
            }
        }
    }

    async fn filled(kind: Kind) -> (Self, Filled) {
        let place = Self::empty(kind).await;
        let filled = fill(&*place.serve().await.unwrap()).await;
        (place, filled)
    }

    async fn serve(&self) -> Result<Arc<dyn Store>, OpenError> {
        let options = Options {
            lease_clock: LeaseClock::Arguments,
            ..Options::new(Purpose::Serve, Timestamp(1), Arc::new(Unobserved))
        };
        store::open(&self.0, options).await
    }

    /// Opens it without taking it over, so that nothing in it changes.
    async fn look(&self) -> Arc<dyn Store> {
        let options = Options::new(Purpose::Command, Timestamp(1), Arc::new(Unobserved));
        store::open(&self.0, options).await.unwrap()
    }

    /// Runs statements, past the store.
    async fn run(&self, statements: &str) {
        match &self.0 {
            Database::Folder(folder) => {
                let db = rusqlite::Connection::open(folder.join(store::DATABASE_FILE)).unwrap();
                db.execute_batch(statements).unwrap();
            }
            Database::Postgres(address) => {
                postgres::execute(&address.to_string(), statements).await;
            }
        }
    }
}

async fn copy(from: &Place, to: &Place) -> Result<Vec<CopiedTable>, CopyError> {
    copy_until(from, to, |_| false).await
}

/// Copies, until something that is reported is the last thing.
async fn copy_until(
    from: &Place,
    to: &Place,
    mut last: impl FnMut(Progress<'_>) -> bool,
) -> Result<Vec<CopiedTable>, CopyError> {
    let report = |progress: Progress<'_>| {
        if last(progress) {
            Err(io::Error::other("enough"))
        } else {
            Ok(())
        }
    };
    store::copy(
        &from.0,
        &to.0,
        Timestamp(9),
        &RootCertStore::empty(),
        report,
    )
    .await
}

/// What is asked for again in the copy.
struct Filled {
    ada: Account,
    /// Made under the key `session`.
    made: Session,
    /// Has a reply that runs.
    running: Session,
}

/// Something of everything: more than a page of messages, branches, deletions, replies that have ended in each way, wait
/// and run.
async fn fill(store: &dyn Store) -> Filled {
    let ada = account(store, "ada@x").await;
    let bob = account(store, "bob@x").await.id;
    disable(store, &bob, true, 4).await;
    for owner in [&ada.id, &bob] {
        for kind in [TokenKind::SignIn, TokenKind::Personal] {
            store
                .create_token(new_token(owner, kind), None)
                .await
                .unwrap();
        }
    }
    let new = NewSession {
        external_id: ExternalId::parse("her \u{1f375}").ok(),
        metadata: metadata("k", "v"),
        ..new_session(&ada.id, "made \u{1f375}", 2)
    };
    let made = store.create_session(new, Some(once("session", 1)));
    let made = made.await.unwrap();
    let first = append_texts(store, &made, &["a", "b"], 3).await;
    for place in 0..50 {
        append_texts(store, &made, &[&format!("{place}: \u{1f375}'\"\\")], 4).await;
    }
    move_head(store, &made, &first[0].id, 5).await;
    let appended = store.append_messages(
        ada.id.clone(),
        key(&made),
        vec![new_message("another branch")],
        Timestamp(6),
        Some(once("append", 2)),
    );
    assert!(matches!(appended.await.unwrap(), Appended::Done(_)));
    let gone = session(store, &bob, "gone", 2).await;
    append_texts(store, &gone, &["a"], 3).await;
    delete(store, &gone, 4).await;
    let usage = TokenUsage {
        input_tokens: 3,
        output_tokens: 4,
    };
    let noted = store.note_usage(
        ada.id.clone(),
        Some(made.number),
        cuid(),
        model(),
        usage,
        Timestamp(7),
    );
    noted.await.unwrap();

    let running = session(store, &ada.id, "running", 8).await;
    let new = new_reply(&running, "first", 8);
    wish_once(store, new, once("reply", 3)).await.unwrap();
    let ended = claim_of(&running, &claim_work(store, &running, 9).await);
    assert_eq!(
        write(store, &ended, 2, &["some", " words"], 9).await,
        Kept::Yes
    );
    let mut end = new_finish(&ended, 10);
    end.deltas = vec![thought("hm"), text(" and more")];
    end.deltas.extend(call("c", "look_up", &["{\"q\"", ":1}"]));
    end.usage = Some(usage);
    finish(store, end).await;
    let hidden = NewReply {
        hidden: true,
        options: options(),
        ..new_reply(&running, "second", 11)
    };
    wish(store, hidden).await;
    for words in ["third", "fourth"] {
        begin(store, &running, words, 11).await;
    }
    let held = claim_of(&running, &claim_work(store, &running, 12).await);
    assert_eq!(write(store, &held, 2, &["half"], 12).await, Kept::Yes);
    let open = store.open_replies(&ada.id, &key(&running)).await.unwrap();
    stop(store, &running, &open.unwrap()[2].id, 13)
        .await
        .unwrap();
    Filled { ada, made, running }
}

/// Everything that the contract tells of everybody.
async fn contents(store: &dyn Store) -> Vec<String> {
    let all = PageSize::new(100).unwrap();
    let mut told = Vec::new();
    for account in store.accounts(None, all).await.unwrap().items {
        let id = &account.id;
        told.push(format!("{:?}", store.credentials(&account.email).await));
        for token in store.tokens(id).await.unwrap() {
            told.push(format!("{:?}", store.token(&token.id).await));
        }
        let span = Span {
            from: Timestamp(0),
            to: Timestamp(1_000),
        };
        told.push(format!("{:?}", store.usage(id, span).await));
        told.push(format!("{}", cursor(store, id).await));
        told.push(format!("{:?}", store.changes(id, Some(0)).await));
        let sessions = store
            .sessions(id, SessionFilter::default(), None, all)
            .await;
        for session in sessions.unwrap().items {
            told.push(format!("{session:?}"));
            for message in messages(store, &session, MessageView::Tree, 100).await {
                told.push(format!("{message:?}"));
                if let Some(reply) = &message.reply {
                    told.push(format!(
                        "{:?}",
                        store.reply(id, &key(&session), reply).await
                    ));
                    told.push(format!("{:?}", events(store, id, reply, 0).await));
                }
            }
            told.push(format!(
                "{:?}",
                messages(store, &session, MessageView::Path, 7).await
            ));
            told.push(format!(
                "{:?}",
                store.open_replies(id, &key(&session)).await
            ));
        }
    }
    told
}

async fn assert_holds(place: &Place, before: &[String]) {
    let now = contents(&*place.look().await).await;
    for (now, before) in now.iter().zip(before) {
        assert_eq!(now, before, "{}", place.0);
    }
    assert_eq!(now.len(), before.len());
}

#[tokio::test]
async fn there_and_back_and_everything_is_the_same() {
    let (first, _) = Place::filled(Kind::Sqlite).await;
    // What a server that starts does to leases is done before anything is compared.
    let before = contents(&*first.serve().await.unwrap()).await;
    assert!(before.len() > 80, "{}", before.len());

    let (mut from, mut sums) = (first, None);
    for kind in [KINDS[1], KINDS[2], KINDS[1], KINDS[0], KINDS[0]] {
        let to = Place::empty(kind).await;
        let copied = copy(&from, &to).await.unwrap();
        assert!(copied.iter().all(|table| table.rows > 0), "{copied:?}");
        let sums = sums.get_or_insert_with(|| copied.clone());
        assert_eq!(copied, *sums, "{kind:?}");
        assert_holds(&to, &before).await;
        from = to;
    }
}

#[tokio::test]
async fn large_rows_are_copied_a_few_at_a_time() {
    let (mut from, filled) = Place::filled(Kind::Sqlite).await;
    let store = from.serve().await.unwrap();
    for _ in 0..6 {
        let large = new_message(&"x".repeat(1 << 20));
        append(&*store, &filled.made, vec![large], 14).await;
    }
    drop(store);
    for kind in [KINDS[1], KINDS[0]] {
        let to = Place::empty(kind).await;
        let mut pages = Vec::new();
        let copied = copy_until(&from, &to, |progress| {
            if let Progress::Copied {
                table: "message",
                rows,
            } = progress
            {
                pages.push(rows);
            }
            false
        });
        copied.await.unwrap();
        // Twice as many each time, until four large ones are enough.
        assert_eq!(pages.len(), 4, "{kind:?}: {pages:?}");
        assert_eq!(pages[..2], [16, 48]);
        from = to;
    }
}

#[tokio::test]
async fn what_has_begun_before_a_copy_goes_on_behind_it() {
    let (source, filled) = Place::filled(Kind::Sqlite).await;
    let Filled { ada, made, running } = filled;
    for kind in KINDS {
        let target = Place::empty(kind).await;
        copy(&source, &target).await.unwrap();
        let store = target.serve().await.unwrap();
        // A retry finds what came of the first try.
        let again = new_session(&ada.id, "made \u{1f375}", 20);
        let again = store.create_session(again, Some(once("session", 1))).await;
        assert_eq!(again.unwrap(), made, "{kind:?}");
        let before = messages(&*store, &made, MessageView::Tree, 100).await;
        let again = store.append_messages(
            ada.id.clone(),
            key(&made),
            vec![new_message("another branch")],
            Timestamp(20),
            Some(once("append", 2)),
        );
        let Appended::Done(again) = again.await.unwrap() else {
            panic!("it is there");
        };
        assert_eq!(again[0].content, says("another branch"));
        assert_eq!(
            messages(&*store, &made, MessageView::Tree, 100).await,
            before
        );
        // A number is never used again, nor that of a session that is gone.
        let new = session(&*store, &ada.id, "new", 20).await;
        assert_eq!(new.number, running.number + 1, "{kind:?}");
        // What a killed server was writing is written on.
        let late = 20 + lease();
        let Claimed::Work(work) = claim(&*store, &running, late).await else {
            panic!("{kind:?}: nothing is stranded");
        };
        assert_eq!(
            (work.reply.status, work.reply.attempt),
            (ReplyStatus::Running, 2)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_meanwhile_is_not_copied() {
    for kind in KINDS {
        let (source, _) = Place::filled(kind).await;
        let before = contents(&*source.look().await).await;
        let target = Place::empty(Kind::Sqlite).await;
        let written = "UPDATE session SET title = 'other'";
        let copied = copy_until(&source, &target, |progress| {
            if matches!(
                progress,
                Progress::Copied {
                    table: "account",
                    ..
                }
            ) {
                let runtime = tokio::runtime::Handle::current();
                tokio::task::block_in_place(|| runtime.block_on(source.run(written)));
            }
            false
        });
        copied.await.unwrap();
        assert_holds(&target, &before).await;
        assert_ne!(contents(&*source.look().await).await, before, "{kind:?}");
    }
}

#[tokio::test]
async fn a_copy_that_was_cut_off_goes_on_where_it_was() {
    let (source, _) = Place::filled(Kind::Sqlite).await;
    let whole = copy(&source, &Place::empty(Kind::Sqlite).await)
        .await
        .unwrap();
    for kind in KINDS {
        let target = Place::empty(kind).await;
        let (mut cuts, mut rows) = (0, 0);
        let copied = loop {
            // Each run copies one page.
            let copied = copy_until(&source, &target, |progress| match progress {
                Progress::Copied { rows: page, .. } => {
                    rows += page;
                    true
                }
                Progress::Same(_) => false,
            });
            match copied.await {
                Ok(copied) => break copied,
                Err(CopyError::Report(_)) => cuts += 1,
                Err(other) => panic!("{kind:?}: {other}"),
            }
            if cuts > 1 {
                continue;
            }
            let refused = target.serve().await.err().unwrap();
            assert!(
                matches!(refused, OpenError::UnfinishedCopy),
                "{kind:?}: {refused}"
            );
            let onward = copy(&target, &Place::empty(Kind::Sqlite).await).await;
            assert!(
                matches!(onward, Err(CopyError::Unfinished(_))),
                "{kind:?}: {onward:?}"
            );
        };
        assert_eq!(copied, whole, "{kind:?}");
        assert_eq!(rows, whole.iter().map(|table| table.rows).sum::<u64>());
        // More than a run for each table: some stopped in the middle of one.
        assert!(cuts > whole.len() + 2, "{cuts}");
        assert!(target.serve().await.is_ok());
    }
}

#[tokio::test]
async fn a_copy_of_another_source_is_not_gone_on_with() {
    let (source, _) = Place::filled(Kind::Sqlite).await;
    let (other, _) = Place::filled(Kind::Sqlite).await;
    for kind in KINDS {
        let target = Place::empty(kind).await;
        copy_until(&source, &target, |_| true).await.unwrap_err();
        let refused = copy(&other, &target).await;
        assert!(
            matches!(refused, Err(CopyError::OtherSource(_))),
            "{refused:?}"
        );
        copy(&source, &target).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_empty_is_not_copied_to() {
    let (source, _) = Place::filled(Kind::Sqlite).await;
    for kind in KINDS {
        let (target, _) = Place::filled(kind).await;
        let before = contents(&*target.look().await).await;
        let refused = copy(&source, &target).await;
        assert!(
            matches!(refused, Err(CopyError::NotEmpty(_, "account"))),
            "{refused:?}"
        );
        assert_holds(&target, &before).await;
        // Nor is it one when it was copied to before.
        let target = Place::empty(kind).await;
        copy(&source, &target).await.unwrap();
        let refused = copy(&source, &target).await;
        assert!(
            matches!(refused, Err(CopyError::NotEmpty(..))),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn what_is_being_served_is_neither_copied_nor_copied_to() {
    let (idle, _) = Place::filled(Kind::Sqlite).await;
    for kind in KINDS {
        let (place, _) = Place::filled(kind).await;
        let options = Options::new(Purpose::Serve, Timestamp(1), Arc::new(Unobserved));
        let store = store::open(&place.0, options).await.unwrap();
        let node = Node {
            id: cuid(),
            name: "one".into(),
            version: "1".into(),
            started_at: Timestamp(1),
            replies: 0,
            draining: false,
        };
        store.note_node(node.clone(), Timestamp(1)).await.unwrap();
        for (from, to) in [(&place, &Place::empty(Kind::Sqlite).await), (&idle, &place)] {
            let refused = copy(from, to).await;
            assert!(
                matches!(refused, Err(CopyError::Served(_))),
                "{kind:?}: {refused:?}"
            );
        }
        store.forget_node(node.id).await.unwrap();
        drop(store);
        copy(&place, &Place::empty(Kind::Sqlite).await)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_row_that_is_not_the_same_is_noticed() {
    let changes = [
        (
            "token",
            "UPDATE token SET last_used_at = 77 WHERE kind = 'personal'",
        ),
        ("session", "UPDATE session SET model = ''"),
        ("message", "DELETE FROM message WHERE seq = 3"),
        ("reply_event", "UPDATE reply_event SET data = data || ' '"),
        ("id_block", "UPDATE id_block SET next = next - 1"),
    ];
    let (source, _) = Place::filled(Kind::Sqlite).await;
    for kind in KINDS {
        for (table, change) in changes {
            let target = Place::empty(kind).await;
            // All is copied, and nothing is compared yet.
            let same = |progress: Progress<'_>| matches!(progress, Progress::Same(_));
            copy_until(&source, &target, same).await.unwrap_err();
            target.run(change).await;
            let noticed = copy(&source, &target).await;
            let is_it = matches!(noticed, Err(CopyError::Different(name)) if name == table);
            assert!(is_it, "{kind:?}: {change}: {noticed:?}");
            assert!(target.serve().await.is_err());
        }
    }
}

#[tokio::test]
async fn a_folder_without_a_database_is_no_source() {
    let (empty, target) = (
        Place::empty(Kind::Sqlite).await,
        Place::empty(Kind::Sqlite).await,
    );
    let refused = copy(&empty, &target).await;
    assert!(
        matches!(refused, Err(CopyError::NoSource(_))),
        "{refused:?}"
    );
    assert!(empty.1.unwrap().path().read_dir().unwrap().next().is_none());
}
