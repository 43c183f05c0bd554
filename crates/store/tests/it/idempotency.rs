use chat::contracts::{Admission, Changed, Deleted, Registered, Store, StoreError, TokenMade};
use chat::limits::{IDEMPOTENCY_KEPT, TRIES_KEPT};
use chat::types::{
    Cuid, NewToken, Once, Precondition, SessionChange, SessionKey, Timestamp, TokenKind, Tries,
};

use crate::samples::{
    account, new_account, new_message, new_session, new_token, once, session, title,
};

async fn rename(store: &dyn Store, owner: &Cuid, number: i64, to: &str, key: Once) -> Changed {
    let change = SessionChange {
        title: Some(title(to)),
        ..SessionChange::default()
    };
    let session = SessionKey::Number(number);
    let (now, any) = (Timestamp(2), Precondition::None);
    let changed = store.change_session(owner.clone(), session, change, any, now, Some(key));
    changed.await.unwrap()
}

async fn delete(store: &dyn Store, owner: &Cuid, number: i64, key: Once) -> Deleted {
    let session = SessionKey::Number(number);
    let (now, any) = (Timestamp(2), Precondition::None);
    let deleted = store.delete_session(owner.clone(), session, any, now, Some(key));
    deleted.await.unwrap()
}

pub async fn a_repeated_creation_gives_the_same_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let create = async || {
        let new = new_session(&ada, "one", 1);
        store.create_session(new, Some(once("k", 1))).await.unwrap()
    };
    let first = create().await;
    assert_eq!(create().await, first);
    assert_eq!(
        session(store, &ada, "two", 1).await.number,
        first.number + 1
    );
}

pub async fn a_repeated_change_gives_the_first_outcome(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let first = rename(store, &ada, made.number, "two", once("k", 1)).await;
    rename(store, &ada, made.number, "three", once("other", 2)).await;
    assert_eq!(
        rename(store, &ada, made.number, "two", once("k", 1)).await,
        first
    );
    let key = SessionKey::Number(made.number);
    let now = store.session(&ada, &key).await.unwrap().unwrap();
    assert_eq!(now.title.as_str(), "three");
}

pub async fn a_repeated_deletion_succeeds_again(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    for _ in 0..2 {
        assert_eq!(
            delete(store, &ada, made.number, once("k", 1)).await,
            Deleted::Done
        );
    }
    assert_eq!(
        delete(store, &ada, made.number, once("other", 1)).await,
        Deleted::Missing
    );
}

pub async fn what_was_answered_about_a_deleted_session_is_forgotten(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let create = async || {
        let new = new_session(&ada, "one", 1);
        store.create_session(new, Some(once("k", 1))).await
    };
    let made = create().await.unwrap();
    rename(store, &ada, made.number, "two", once("r", 1)).await;
    assert_eq!(
        delete(store, &ada, made.number, once("d", 1)).await,
        Deleted::Done
    );
    assert!(matches!(create().await, Err(StoreError::Gone)));
    assert_eq!(
        delete(store, &ada, made.number, once("d", 1)).await,
        Deleted::Done
    );
}

pub async fn a_key_with_another_request_is_refused(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let create = async |request| {
        let new = new_session(&ada, "one", 1);
        store.create_session(new, Some(once("k", request))).await
    };
    create(1).await.unwrap();
    assert!(matches!(create(2).await, Err(StoreError::KeyReused)));
}

pub async fn a_key_of_another_owner_is_another_key(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    for (owner, request) in [(&ada, 1), (&bob, 2)] {
        let new = new_session(owner, "one", 1);
        let made = store.create_session(new, Some(once("k", request)));
        assert_eq!(made.await.unwrap().owner, *owner);
    }
}

pub async fn a_key_is_forgotten_after_a_day(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let end = Timestamp(1).after(IDEMPOTENCY_KEPT);
    let mut numbers = Vec::new();
    for at in [1, end.0 - 1, end.0] {
        let new = new_session(&ada, "one", at);
        let made = store.create_session(new, Some(once("k", 1)));
        numbers.push(made.await.unwrap().number);
    }
    assert_eq!(numbers, [1, 1, 2]);
}

pub async fn what_changed_nothing_is_not_remembered(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    assert_eq!(
        rename(store, &ada, 1, "two", once("k", 1)).await,
        Changed::Missing
    );
    let made = session(store, &ada, "one", 1).await;
    let changed = rename(store, &ada, made.number, "two", once("k", 1)).await;
    assert!(matches!(changed, Changed::Done(_)));
}

pub async fn a_repeated_registration_finds_the_account(store: &dyn Store) {
    let register = async |key| {
        let new = new_account("a@x");
        let made = store.create_account(new, Admission::FirstOnly, Some(key));
        made.await
    };
    let Registered::Made(first) = register(once("k", 1)).await.unwrap() else {
        panic!("nobody was there before");
    };
    let again = register(once("k", 1)).await.unwrap();
    assert!(matches!(again, Registered::Again(known) if known.account == first));
    assert!(matches!(
        register(once("k", 2)).await,
        Err(StoreError::KeyReused)
    ));
    let other = register(once("other", 1)).await.unwrap();
    assert!(matches!(other, Registered::Closed));
}

pub async fn a_repeated_token_comes_with_its_sealed_secret(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let create = async |sealed: Vec<u8>| {
        let new = NewToken {
            sealed: Some(sealed),
            ..new_token(&ada, TokenKind::Personal)
        };
        match store.create_token(new, Some(once("k", 1))).await.unwrap() {
            TokenMade::Made { token, sealed } => (token, sealed),
            TokenMade::TooMany => panic!("there is room"),
        }
    };
    let first = create(vec![1, 2]).await;
    assert_eq!(first.1, Some(vec![1, 2]));
    assert_eq!(create(vec![3]).await, first);

    let revoke = async |key| {
        let revoked = store.revoke_token(ada.clone(), first.0.id.clone(), Timestamp(2), Some(key));
        revoked.await.unwrap()
    };
    assert!(revoke(once("r", 1)).await);
    assert!(revoke(once("r", 1)).await);
    assert!(!revoke(once("other", 1)).await);
}

pub async fn keys_past_their_time_are_swept(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let new = new_session(&ada, "one", 1);
    store.create_session(new, Some(once("k", 1))).await.unwrap();
    let end = Timestamp(1).after(IDEMPOTENCY_KEPT);
    assert_eq!(store.sweep(Timestamp(end.0 - 1)).await.unwrap(), 0);
    assert_eq!(store.sweep(end).await.unwrap(), 1);
}

/// A wish of a client that counts its tries and asks for the first time.
fn first_try(key: &str, request: u8) -> Once {
    Once {
        tries: Tries::First,
        ..once(key, request)
    }
}

pub async fn a_first_try_takes_no_account_of_what_was_done_before(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let create = async |once| {
        let new = new_session(&ada, "one", 1);
        store.create_session(new, Some(once)).await
    };
    let before = create(once("k", 1)).await.unwrap();
    // Neither the same request nor another one finds it, and each takes its place.
    for request in [1, 2] {
        let made = create(first_try("k", request)).await.unwrap();
        assert_ne!(made.id, before.id);
        assert_eq!(create(once("k", request)).await.unwrap(), made);
    }
    assert!(matches!(
        create(once("k", 1)).await,
        Err(StoreError::KeyReused)
    ));
    for title in ["two", "three"] {
        let changed = rename(store, &ada, before.number, title, first_try("k", 3)).await;
        assert!(matches!(changed, Changed::Done(session) if session.title.as_str() == title));
    }
    let made = session(store, &ada, "gone", 2).await;
    assert_eq!(
        delete(store, &ada, made.number, first_try("k", 4)).await,
        Deleted::Done
    );
    assert_eq!(
        delete(store, &ada, made.number, once("k", 4)).await,
        Deleted::Done
    );
    assert_eq!(
        delete(store, &ada, made.number, first_try("k", 4)).await,
        Deleted::Missing
    );
    let append = async |once| {
        let (now, new) = (Timestamp(3), vec![new_message("a")]);
        let session = SessionKey::Number(before.number);
        let appended = store.append_messages(ada.clone(), session, new, now, Some(once));
        appended.await.unwrap()
    };
    let appended = append(first_try("k", 5)).await;
    assert_ne!(append(first_try("k", 5)).await, appended);
    let token = new_token(&ada, TokenKind::Personal);
    let made = store.create_token(token, Some(first_try("k", 6))).await;
    assert!(matches!(made.unwrap(), TokenMade::Made { .. }));
}

pub async fn what_a_counted_try_did_is_forgotten_sooner(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let create = async |tries, at| {
        let once = Once {
            tries,
            ..once("k", 1)
        };
        let new = new_session(&ada, "one", at);
        let made = store.create_session(new, Some(once)).await;
        made.unwrap().number
    };
    let mut at = 1;
    for tries in [Tries::First, Tries::Later] {
        let end = Timestamp(at).after(TRIES_KEPT).0;
        let first = create(tries, at).await;
        assert_eq!(create(Tries::Later, end - 1).await, first);
        at = end;
    }
    assert_eq!(store.sweep(Timestamp(at - 1)).await.unwrap(), 0);
    assert_eq!(store.sweep(Timestamp(at)).await.unwrap(), 1);
}

pub async fn a_first_try_that_does_nothing_leaves_what_is_there(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let first = rename(store, &ada, made.number, "two", once("k", 1)).await;
    let missing = rename(store, &ada, made.number + 1, "x", first_try("k", 2)).await;
    assert_eq!(missing, Changed::Missing);
    let again = rename(store, &ada, made.number, "two", once("k", 1)).await;
    assert_eq!(again, first);
}
