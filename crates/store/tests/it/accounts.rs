use chat::contracts::{AccountChanged, Admission, Registered, Store};
use chat::types::{
    Account, AccountChange, Cuid, Email, Name, PageSize, Role, Timestamp, TokenKind,
};

use crate::samples::{account, cuid, disable, new_account, new_token};

pub async fn the_first_account_becomes_the_administrator(store: &dyn Store) {
    assert!(!store.has_accounts().await.unwrap());
    assert_eq!(account(store, "a@example.com").await.role, Role::Admin);
    assert_eq!(account(store, "b@example.com").await.role, Role::User);
    assert!(store.has_accounts().await.unwrap());
}

pub async fn only_the_first_account_is_free_when_registration_is_closed(store: &dyn Store) {
    for (email, free) in [
        ("a@example.com", true),
        ("b@example.com", false),
        ("a@example.com", false),
    ] {
        let made = store.create_account(new_account(email), Admission::FirstOnly, None);
        match made.await.unwrap() {
            Registered::Made(_) => assert!(free, "{email}"),
            Registered::Closed => assert!(!free, "{email}"),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn an_email_address_is_taken_once(store: &dyn Store) {
    account(store, "a@example.com").await;
    let again = store.create_account(new_account("a@example.com"), Admission::Anybody, None);
    assert!(matches!(again.await.unwrap(), Registered::EmailTaken));
}

pub async fn accounts_are_listed_by_email_in_pages(store: &dyn Store) {
    for email in ["c@x", "a@x", "b@x"] {
        account(store, email).await;
    }
    let size = PageSize::new(2).unwrap();
    let first = store.accounts(None, size).await.unwrap();
    let emails: Vec<_> = first.items.iter().map(|one| one.email.as_str()).collect();
    assert_eq!(emails, ["a@x", "b@x"]);
    let second = store.accounts(first.next.as_ref(), size).await.unwrap();
    assert_eq!(second.items[0].email.as_str(), "c@x");
    assert_eq!((second.items.len(), second.next), (1, None));
}

pub async fn a_disabled_account_says_so_with_its_tokens(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let token = new_token(&ada.id, TokenKind::Personal);
    store.create_token(token.clone(), None).await.unwrap();
    let five = Some(Timestamp(5));
    for (disabled, now, since) in [(true, 5, five), (true, 6, five), (false, 7, None)] {
        let changed = disable(store, &ada.id, disabled, now).await;
        assert_eq!((changed.disabled_at, changed.role), (since, ada.role));
        let found = store.token(&token.id).await.unwrap().unwrap();
        assert_eq!(found.account, changed);
    }
}

pub async fn a_changed_role_leaves_the_rest_of_the_account(store: &dyn Store) {
    account(store, "a@x").await;
    let bob = account(store, "b@x").await;
    for role in [Role::Admin, Role::User] {
        let change = AccountChange {
            role: Some(role),
            ..AccountChange::default()
        };
        let expected = Account {
            role,
            ..bob.clone()
        };
        let changed = store.change_account(None, bob.id.clone(), change, Timestamp(5));
        let done = AccountChanged::Done(expected.clone());
        assert_eq!(changed.await.unwrap(), done);
        let known = store.credentials(&bob.email).await.unwrap().unwrap();
        assert_eq!(known.account, expected);
    }
    let nobody = store.change_account(None, cuid(), AccountChange::default(), Timestamp(5));
    assert_eq!(nobody.await.unwrap(), AccountChanged::Missing);
}

pub async fn of_two_who_shut_each_other_out_one_stays(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let bob = account(store, "b@x").await;
    let role = |role| AccountChange {
        role: Some(role),
        disabled: Some(false),
    };
    let out = AccountChange {
        disabled: Some(true),
        ..role(Role::User)
    };
    let change = async |admin: Option<&Cuid>, id: &Cuid, change| {
        let changed = store.change_account(admin.cloned(), id.clone(), change, Timestamp(5));
        changed.await.unwrap()
    };
    for change_of_one in [role(Role::User), out] {
        for id in [&ada.id, &bob.id] {
            change(None, id, role(Role::Admin)).await;
        }
        let (adas, bobs) = tokio::join!(
            change(Some(&ada.id), &bob.id, change_of_one),
            change(Some(&bob.id), &ada.id, change_of_one)
        );
        let is_done = |changed: &AccountChanged| matches!(changed, AccountChanged::Done(_));
        assert_ne!(is_done(&adas), is_done(&bobs), "{adas:?} {bobs:?}");
        let refused = if is_done(&adas) { bobs } else { adas };
        assert_eq!(refused, AccountChanged::NotAdmin);
    }
}

pub async fn a_replaced_password_ends_the_sign_ins(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    for kind in [TokenKind::SignIn, TokenKind::Personal] {
        let token = new_token(&ada.id, kind);
        store.create_token(token, None).await.unwrap();
    }
    let changed = store.set_password(ada.id.clone(), "other".into(), None);
    assert!(changed.await.unwrap());
    let left = store.tokens(&ada.id).await.unwrap();
    assert_eq!((left.len(), left[0].kind), (1, TokenKind::Personal));
    assert_eq!(hash(store, "a@x").await, "other");
    let nobody = store.set_password(crate::samples::cuid(), "other".into(), None);
    assert!(!nobody.await.unwrap());
}

async fn hash(store: &dyn Store, email: &str) -> String {
    let email = Email::parse(email).unwrap();
    let known = store.credentials(&email).await.unwrap().unwrap();
    known.password_hash.unwrap()
}

async fn sign_in(store: &dyn Store, owner: &Cuid) -> Cuid {
    let token = new_token(owner, TokenKind::SignIn);
    let id = token.id.clone();
    store.create_token(token, None).await.unwrap();
    id
}

pub async fn the_sign_in_that_replaces_the_password_goes_on(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let bob = account(store, "b@x").await;
    let (this, that) = (sign_in(store, &ada.id).await, sign_in(store, &ada.id).await);
    let bobs = sign_in(store, &bob.id).await;
    let changed = store.set_password(ada.id.clone(), "other".into(), Some(this.clone()));
    assert!(changed.await.unwrap());
    assert_eq!(hash(store, "a@x").await, "other");
    assert_eq!(hash(store, "b@x").await, "hash");
    for (id, is_there) in [(this, true), (that, false), (bobs, true)] {
        assert_eq!(store.token(&id).await.unwrap().is_some(), is_there);
    }
}

pub async fn a_password_is_replaced_by_no_sign_in_that_has_ended(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let bob = account(store, "b@x").await;
    let (ended, other) = (sign_in(store, &ada.id).await, sign_in(store, &ada.id).await);
    let revoked = store.revoke_token(ada.id.clone(), ended.clone(), Timestamp(2), None);
    assert!(revoked.await.unwrap());
    for token in [ended, sign_in(store, &bob.id).await] {
        let changed = store.set_password(ada.id.clone(), "other".into(), Some(token));
        assert!(!changed.await.unwrap());
    }
    assert_eq!(hash(store, "a@x").await, "hash");
    assert!(store.token(&other).await.unwrap().is_some());
}

pub async fn a_name_is_replaced_and_taken_away(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    account(store, "b@x").await;
    for name in [Some(Name::parse("Ada").unwrap()), None] {
        assert!(store.set_name(ada.id.clone(), name.clone()).await.unwrap());
        let all = store.accounts(None, PageSize::default()).await.unwrap();
        let names: Vec<_> = all.items.iter().map(|one| one.name.clone()).collect();
        assert_eq!(names, [name, None]);
    }
    let nobody = crate::samples::cuid();
    assert!(!store.set_name(nobody, None).await.unwrap());
}
