use chat::contracts::{Changed, Deleted, Store};
use chat::types::{
    Cuid, ExternalId, Metadata, NewSession, PageSize, Precondition, Session, SessionChange,
    SessionFilter, SessionKey, SessionKind, SessionPosition, SessionStatus, SystemMessage,
    Timestamp,
};

use crate::samples::{account, cursor, metadata, model, new_session, once, session, title};

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
        SessionChange {
            metadata: Some(metadata("k", "v\"")),
            ..SessionChange::default()
        },
        SessionChange::default(),
        SessionChange {
            metadata: Some(Metadata::default()),
            ..SessionChange::default()
        },
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
        expected.metadata = change.metadata.clone().unwrap_or(expected.metadata);
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

pub async fn sessions_are_listed_by_when_they_were_made(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let mut made = Vec::new();
    for at in 1..=5 {
        made.push(session(store, &ada, "hers", at).await.number);
        session(store, &bob, "his", at).await;
    }
    made.reverse();
    // A change moves nothing.
    rename(store, &ada, made[4], "new", 9).await;
    let list = async |after, size| {
        let size = PageSize::new(size).unwrap();
        let page = store.sessions_made(&ada, after, size).await.unwrap();
        let numbers = page.items.iter().map(|one| one.number);
        (numbers.collect::<Vec<_>>(), page.next)
    };
    assert_eq!(list(None, 5).await, (made.clone(), None));
    assert_eq!(list(None, 2).await, (made[..2].to_vec(), Some(made[1])));
    // The one that a page ended with may be gone.
    assert_eq!(delete(store, &ada, made[1]).await, Deleted::Done);
    assert_eq!(
        list(Some(made[1]), 2).await,
        (made[2..4].to_vec(), Some(made[3]))
    );
    assert_eq!(list(Some(made[3]), 2).await, (vec![made[4]], None));
    assert_eq!(list(Some(made[4]), 2).await, (Vec::new(), None));
}

pub async fn a_session_is_made_with_a_system_message(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let new = NewSession {
        system_message: SystemMessage::parse("Be kind.").unwrap(),
        ..new_session(&ada, "one", 1)
    };
    let made = store.create_session(new.clone(), None).await.unwrap();
    assert_eq!(made.system_message, new.system_message);
    assert_eq!(find(store, &ada, made.number).await, Some(made));
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
        let filter = SessionFilter {
            status,
            kind,
            title: None,
        };
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

fn called(owner: &Cuid, id: &str) -> NewSession {
    NewSession {
        external_id: Some(ExternalId::parse(id).unwrap()),
        metadata: metadata("k", id),
        ..new_session(owner, id, 1)
    }
}

async fn find_called(store: &dyn Store, owner: &Cuid, id: &str) -> Option<Session> {
    let id = ExternalId::parse(id).unwrap();
    store.session_called(owner, &id).await.unwrap()
}

pub async fn a_session_is_found_by_what_its_client_calls_it(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    session(store, &ada, "without", 1).await;
    for owner in [&ada, &bob] {
        for id in ["x", "X", "\u{1F9EF}"] {
            assert_eq!(find_called(store, owner, id).await, None);
            let new = called(owner, id);
            let made = store.create_session(new.clone(), None).await.unwrap();
            assert_eq!((&made.id, &made.metadata), (&new.id, &new.metadata));
            assert_eq!(made.external_id, new.external_id);
            assert_eq!(find(store, owner, made.number).await.as_ref(), Some(&made));
            assert_eq!(find_called(store, owner, id).await, Some(made));
        }
    }
    assert_eq!(find_called(store, &ada, "y").await, None);
}

pub async fn who_makes_a_session_of_a_name_that_is_taken_gets_the_one_that_has_it(
    store: &dyn Store,
) {
    let ada = account(store, "a@x").await.id;
    let made = store.create_session(called(&ada, "x"), None).await.unwrap();
    rename(store, &ada, made.number, "changed", 2).await;
    let now = find(store, &ada, made.number).await.unwrap();
    let last = cursor(store, &ada).await;
    for once in [None, Some(once("k", 1)), Some(once("k", 1))] {
        let again = store.create_session(called(&ada, "x"), once).await;
        assert_eq!(again.unwrap(), now);
    }
    assert_eq!(cursor(store, &ada).await, last);
    // Nothing was done, so the key is of use for another request.
    let other = store.create_session(called(&ada, "y"), Some(once("k", 2)));
    assert_eq!(other.await.unwrap().number, made.number + 1);
}

pub async fn a_name_is_free_again_when_its_session_is_gone(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = store.create_session(called(&ada, "x"), None).await.unwrap();
    delete(store, &ada, made.number).await;
    assert_eq!(find_called(store, &ada, "x").await, None);
    let anew = store.create_session(called(&ada, "x"), None).await.unwrap();
    assert_eq!(anew.number, made.number + 1);
}
