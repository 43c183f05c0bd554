use std::time::Duration;

use chat::contracts::{Store, TokenMade};
use chat::limits::TOKENS_PER_KIND;
use chat::types::{Name, NewToken, Timestamp, TokenKind};

use crate::samples::{account, disable, new_token};

pub async fn a_token_is_found_with_its_account(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let new = NewToken {
        name: Some(Name::parse("laptop").unwrap()),
        expires_at: Some(Timestamp(99)),
        ..new_token(&ada.id, TokenKind::Personal)
    };
    let made = store.create_token(new.clone(), None).await.unwrap();
    let found = store.token(&new.id).await.unwrap().unwrap();
    assert!(matches!(made, TokenMade::Made { token, .. } if token == found.token));
    assert_eq!((found.hash, found.account), (new.hash, ada.clone()));
    assert_eq!(store.tokens(&ada.id).await.unwrap(), [found.token]);
}

pub async fn a_token_is_revoked_by_its_owner_only(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let bob = account(store, "b@x").await;
    let new = new_token(&ada.id, TokenKind::Personal);
    let (id, now) = (new.id.clone(), Timestamp(2));
    store.create_token(new, None).await.unwrap();
    let revoke = async |owner: &chat::types::Cuid| {
        let revoked = store.revoke_token(owner.clone(), id.clone(), now, None);
        revoked.await.unwrap()
    };
    assert!(!revoke(&bob.id).await);
    assert!(store.token(&id).await.unwrap().is_some());
    assert!(revoke(&ada.id).await);
    assert!(store.token(&id).await.unwrap().is_none());
    assert!(!revoke(&ada.id).await);
}

pub async fn a_sign_in_beyond_the_limit_replaces_the_oldest(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let mut ids = Vec::new();
    for _ in 0..=TOKENS_PER_KIND {
        let new = new_token(&ada.id, TokenKind::SignIn);
        ids.push(new.id.clone());
        store.create_token(new, None).await.unwrap();
    }
    assert!(store.token(&ids[0]).await.unwrap().is_none());
    assert!(store.token(&ids[1]).await.unwrap().is_some());
    assert_eq!(
        store.tokens(&ada.id).await.unwrap().len(),
        TOKENS_PER_KIND as usize
    );
}

pub async fn a_personal_token_beyond_the_limit_is_refused(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    for count in 0..=TOKENS_PER_KIND {
        let made = store.create_token(new_token(&ada.id, TokenKind::Personal), None);
        let refused = matches!(made.await.unwrap(), TokenMade::TooMany);
        assert_eq!(refused, count == TOKENS_PER_KIND);
    }
}

pub async fn only_tokens_that_let_somebody_in_are_good(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let bob = account(store, "b@x").await;
    let mut ids = Vec::new();
    for (owner, expires_at) in [
        (&ada, None),
        (&ada, Some(Timestamp(10))),
        (&ada, Some(Timestamp(11))),
        (&ada, None),
        (&bob, None),
    ] {
        let new = NewToken {
            expires_at,
            ..new_token(&owner.id, TokenKind::Personal)
        };
        ids.push(new.id.clone());
        store.create_token(new, None).await.unwrap();
    }
    let good = async |now| {
        let asked = [&ids[..], &[crate::samples::cuid()]].concat();
        let good = store.good_tokens(&asked, Timestamp(now)).await.unwrap();
        let place = |id| ids.iter().position(|one| one == id).unwrap();
        let mut places: Vec<_> = good.iter().map(place).collect();
        places.sort_unstable();
        places
    };
    assert_eq!(good(9).await, [0, 1, 2, 3, 4]);
    // From its moment on, an expired token is refused.
    assert_eq!(good(10).await, [0, 2, 3, 4]);
    let revoked = store.revoke_token(ada.id, ids[3].clone(), Timestamp(9), None);
    assert!(revoked.await.unwrap());
    assert_eq!(good(9).await, [0, 1, 2, 4]);
    for (disabled, expected) in [(true, &[0, 1, 2][..]), (false, &[0, 1, 2, 4])] {
        disable(store, &bob.id, disabled, 5).await;
        assert_eq!(good(9).await, expected);
    }
    assert_eq!(store.good_tokens(&[], Timestamp(9)).await.unwrap(), []);
}

pub async fn tokens_past_their_time_are_swept(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    for expires_at in [None, Some(Timestamp(10)), Some(Timestamp(11))] {
        let new = NewToken {
            expires_at,
            ..new_token(&ada.id, TokenKind::SignIn)
        };
        store.create_token(new, None).await.unwrap();
    }
    assert_eq!(store.sweep(Timestamp(10)).await.unwrap(), 1);
    assert_eq!(store.tokens(&ada.id).await.unwrap().len(), 2);
}

pub async fn the_last_use_is_noted(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let new = new_token(&ada.id, TokenKind::Personal);
    store.create_token(new.clone(), None).await.unwrap();
    store.touch_token(ada.id.clone(), new.id.clone(), Timestamp(8));
    // Some time soon.
    let noted = async {
        loop {
            let found = store.token(&new.id).await.unwrap().unwrap();
            if found.token.last_used_at.is_some() {
                return found.token.last_used_at;
            }
            tokio::task::yield_now().await;
        }
    };
    let noted = tokio::time::timeout(Duration::from_secs(10), noted).await;
    assert_eq!(noted.unwrap(), Some(Timestamp(8)));
}
