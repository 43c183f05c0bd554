use chat::contracts::{Changed, Deleted, Store};
use chat::types::{
    Cuid, NewSession, PageSize, Precondition, Session, SessionChange, SessionFilter, SessionKey,
    SessionKind, SessionPosition, SessionStatus, SystemMessage, Timestamp,
};

use crate::samples::{account, model, new_session, session, title};

async fn find(store: &dyn Store, owner: &Cuid, number: i64) -> Option<Session> {
    let key = SessionKey::Number(number);
    store.session(owner, &key).await.unwrap()
}

async fn rename(store: &dyn Store, owner: &Cuid, number: i64, to: &str, at: i64) -> Changed {
    let change = SessionChange {
        title: Some(title(to)),
        ..SessionChange::default()
    };
    let key = SessionKey::Number(number);
    let changed = store.change_session(
        owner.clone(),
        key,
        change,
        Precondition::None,
        Timestamp(at),
        None,
    );
    changed.await.unwrap()
}

async fn delete(store: &dyn Store, owner: &Cuid, number: i64) -> Deleted {
    let key = SessionKey::Number(number);
    let deleted = store.delete_session(owner.clone(), key, Precondition::None, Timestamp(9), None);
    deleted.await.unwrap()
}

async fn titles(
    store: &dyn Store,
    owner: &Cuid,
    filter: SessionFilter,
    after: Option<SessionPosition>,
    size: u32,
) -> (Vec<String>, Option<SessionPosition>) {
    let size = PageSize::new(size).unwrap();
    let page = store.sessions(owner, filter, after, size).await.unwrap();
    let titles = page.items.iter().map(|one| one.title.to_string());
    (titles.collect(), page.next)
}

pub async fn numbers_count_up_from_one_and_are_never_reused(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    assert_eq!(session(store, &ada, "one", 1).await.number, 1);
    assert_eq!(session(store, &bob, "two", 2).await.number, 2);
    assert_eq!(delete(store, &bob, 2).await, Deleted::Done);
    assert_eq!(session(store, &ada, "three", 3).await.number, 3);
}

pub async fn a_session_is_found_by_number_and_by_cuid(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let new = new_session(&ada, "one", 5);
    let made = store.create_session(new.clone(), None).await.unwrap();
    assert_eq!(made.id, new.id);
    assert_eq!((made.status, made.version), (SessionStatus::Active, 1));
    assert_eq!(
        (made.created_at, made.updated_at),
        (Timestamp(5), Timestamp(5))
    );
    assert_eq!(made.system_message.as_str(), "");
    assert_eq!((made.named, &made.model, &made.head), (true, &None, &None));
    for key in [SessionKey::Number(made.number), SessionKey::Cuid(new.id)] {
        let found = store.session(&ada, &key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&made));
    }
}

pub async fn nobody_elses_session_is_found_changed_or_deleted(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "hers", 1).await;
    assert_eq!(find(store, &bob, made.number).await, None);
    let by_cuid = SessionKey::Cuid(made.id.clone());
    assert_eq!(store.session(&bob, &by_cuid).await.unwrap(), None);
    assert_eq!(
        rename(store, &bob, made.number, "his", 2).await,
        Changed::Missing
    );
    assert_eq!(delete(store, &bob, made.number).await, Deleted::Missing);
    assert_eq!(
        titles(store, &bob, SessionFilter::default(), None, 10)
            .await
            .0,
        [""; 0]
    );
    assert_eq!(find(store, &ada, made.number).await, Some(made));
}

pub async fn a_change_touches_only_what_it_names(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let mut expected = made.clone();
    let changes = [
        SessionChange {
            title: Some(title("two")),
            ..SessionChange::default()
        },
        SessionChange {
            system_message: Some(SystemMessage::parse("Be kind.").unwrap()),
            ..SessionChange::default()
        },
        SessionChange {
            status: Some(SessionStatus::Deactivated),
            ..SessionChange::default()
        },
        SessionChange {
            model: Some(Some(model())),
            ..SessionChange::default()
        },
        SessionChange::default(),
        SessionChange {
            model: Some(None),
            ..SessionChange::default()
        },
    ];
    for (change, at) in changes.into_iter().zip(2..) {
        expected.title = change.title.clone().unwrap_or(expected.title);
        expected.system_message = change
            .system_message
            .clone()
            .unwrap_or(expected.system_message);
        expected.status = change.status.unwrap_or(expected.status);
        expected.model = change.model.clone().unwrap_or(expected.model);
        expected.version += 1;
        expected.updated_at = Timestamp(at);
        let key = SessionKey::Cuid(made.id.clone());
        let changed = store.change_session(
            ada.clone(),
            key,
            change,
            Precondition::None,
            Timestamp(at),
            None,
        );
        assert_eq!(changed.await.unwrap(), Changed::Done(expected.clone()));
        assert_eq!(find(store, &ada, made.number).await, Some(expected.clone()));
    }
}

pub async fn a_stale_precondition_changes_nothing(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let key = SessionKey::Number(made.number);
    let now = Timestamp(2);
    for versions in [vec![], vec![2], vec![0, 7]] {
        let stale = Precondition::VersionIn(versions);
        let change = SessionChange {
            title: Some(title("two")),
            ..SessionChange::default()
        };
        let changed =
            store.change_session(ada.clone(), key.clone(), change, stale.clone(), now, None);
        assert_eq!(changed.await.unwrap(), Changed::Stale);
        let deleted = store.delete_session(ada.clone(), key.clone(), stale, now, None);
        assert_eq!(deleted.await.unwrap(), Deleted::Stale);
    }
    assert_eq!(find(store, &ada, made.number).await, Some(made));
    let fresh = Precondition::VersionIn(vec![9, 1]);
    let deleted = store.delete_session(ada, key, fresh, now, None);
    assert_eq!(deleted.await.unwrap(), Deleted::Done);
}

pub async fn the_list_runs_from_the_newest_change_to_the_oldest(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    for (text, at) in [("one", 1), ("two", 2), ("three", 2)] {
        session(store, &ada, text, at).await;
    }
    rename(store, &ada, 1, "one again", 3).await;
    let (listed, next) = titles(store, &ada, SessionFilter::default(), None, 3).await;
    assert_eq!(listed, ["one again", "three", "two"]);
    assert_eq!(next, None);
}

pub async fn pages_meet_without_gap_or_repeat_while_sessions_are_added(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    for number in 1..=7 {
        session(store, &ada, &number.to_string(), number / 3).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (listed, next) = titles(store, &ada, SessionFilter::default(), after, 2).await;
        seen.extend(listed);
        session(store, &ada, "new", 100).await;
        if next.is_none() {
            break;
        }
        after = next;
    }
    assert_eq!(seen, ["7", "6", "5", "4", "3", "2", "1"]);
}

pub async fn filters_show_only_what_they_name(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    for (text, kind) in [("text", SessionKind::Text), ("file", SessionKind::File)] {
        let new = NewSession {
            kind,
            ..new_session(&ada, text, 1)
        };
        let made = store.create_session(new, None).await.unwrap();
        let new = NewSession {
            kind,
            ..new_session(&ada, &format!("old {text}"), 0)
        };
        let old = store.create_session(new, None).await.unwrap();
        assert!(made.kind == kind && old.kind == kind);
        let off = SessionChange {
            status: Some(SessionStatus::Deactivated),
            ..SessionChange::default()
        };
        let key = SessionKey::Number(old.number);
        let changed = store.change_session(
            ada.clone(),
            key,
            off,
            Precondition::None,
            Timestamp(0),
            None,
        );
        assert!(matches!(changed.await.unwrap(), Changed::Done(_)));
    }
    let (text, file) = (Some(SessionKind::Text), Some(SessionKind::File));
    let (on, off) = (
        Some(SessionStatus::Active),
        Some(SessionStatus::Deactivated),
    );
    for (status, kind, expected) in [
        (None, None, &["file", "text", "old file", "old text"][..]),
        (on, None, &["file", "text"]),
        (off, None, &["old file", "old text"]),
        (None, text, &["text", "old text"]),
        (off, file, &["old file"]),
    ] {
        let filter = SessionFilter { status, kind };
        assert_eq!(titles(store, &ada, filter, None, 10).await.0, expected);
    }
}

pub async fn a_deleted_session_is_gone(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    assert_eq!(delete(store, &ada, made.number).await, Deleted::Done);
    assert_eq!(find(store, &ada, made.number).await, None);
    assert_eq!(delete(store, &ada, made.number).await, Deleted::Missing);
    assert_eq!(
        rename(store, &ada, made.number, "two", 2).await,
        Changed::Missing
    );
    assert_eq!(
        titles(store, &ada, SessionFilter::default(), None, 10)
            .await
            .0,
        [""; 0]
    );
}

pub async fn the_longest_texts_come_back_as_they_were(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let longest = "\u{1F9EF}".repeat(chat::limits::TITLE_CHARS);
    let made = session(store, &ada, &longest, 1).await;
    let message = SystemMessage::parse(&"é".repeat(chat::limits::SYSTEM_MESSAGE_CHARS)).unwrap();
    let change = SessionChange {
        system_message: Some(message.clone()),
        ..SessionChange::default()
    };
    let key = SessionKey::Number(made.number);
    let changed = store.change_session(
        ada.clone(),
        key,
        change,
        Precondition::None,
        Timestamp(2),
        None,
    );
    changed.await.unwrap();
    let found = find(store, &ada, made.number).await.unwrap();
    assert_eq!(found.title.as_str(), longest);
    assert_eq!(found.system_message, message);
}

async fn unnamed(store: &dyn Store, owner: &Cuid) -> Session {
    let new = NewSession {
        named: false,
        ..new_session(owner, "New Chat", 1)
    };
    store.create_session(new, None).await.unwrap()
}

async fn name(store: &dyn Store, owner: &Cuid, number: i64, to: &str, at: i64) -> bool {
    let named = store.name_session(owner.clone(), number, title(to), Timestamp(at));
    named.await.unwrap()
}

pub async fn a_session_without_a_name_is_named_once(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = unnamed(store, &ada).await;
    assert!(!made.named);
    assert!(name(store, &ada, made.number, "Tea", 5).await);
    let expected = Session {
        title: title("Tea"),
        named: true,
        version: 2,
        updated_at: Timestamp(5),
        ..made.clone()
    };
    assert_eq!(find(store, &ada, made.number).await, Some(expected.clone()));
    assert!(!name(store, &ada, made.number, "Coffee", 6).await);
    assert_eq!(find(store, &ada, made.number).await, Some(expected));
}

pub async fn a_title_that_somebody_gave_stays(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let named = session(store, &ada, "one", 1).await;
    assert!(!name(store, &ada, named.number, "Tea", 5).await);
    assert_eq!(find(store, &ada, named.number).await, Some(named));

    let made = unnamed(store, &ada).await;
    let changed = rename(store, &ada, made.number, "two", 2).await;
    let Changed::Done(changed) = changed else {
        panic!("{changed:?}");
    };
    assert!(changed.named);
    assert!(!name(store, &ada, made.number, "Tea", 5).await);
    assert_eq!(find(store, &ada, made.number).await, Some(changed));
}

pub async fn another_change_leaves_a_session_without_a_name(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = unnamed(store, &ada).await;
    let change = SessionChange {
        status: Some(SessionStatus::Deactivated),
        ..SessionChange::default()
    };
    let key = SessionKey::Number(made.number);
    let any = Precondition::None;
    let changed = store.change_session(ada.clone(), key, change, any, Timestamp(2), None);
    assert!(matches!(changed.await.unwrap(), Changed::Done(session) if !session.named));
    assert!(name(store, &ada, made.number, "Tea", 5).await);
}

pub async fn nobody_elses_session_is_named(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = unnamed(store, &ada).await;
    assert!(!name(store, &bob, made.number, "his", 5).await);
    assert!(!name(store, &ada, made.number + 1, "nothing", 5).await);
    assert_eq!(find(store, &ada, made.number).await, Some(made.clone()));
    assert_eq!(delete(store, &ada, made.number).await, Deleted::Done);
    assert!(!name(store, &ada, made.number, "gone", 5).await);
}
