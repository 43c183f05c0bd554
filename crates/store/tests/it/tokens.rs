use chat::contracts::{Store, TokenMade};
use chat::limits::TOKENS_PER_KIND;
use chat::types::{Name, NewToken, Timestamp, TokenKind};

use crate::samples::{account, new_token};

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
    // Writes are done in their order: when this one is, the other is too.
    store.set_disabled(ada.id, None).await.unwrap();
    let found = store.token(&new.id).await.unwrap().unwrap();
    assert_eq!(found.token.last_used_at, Some(Timestamp(8)));
}
