use chat::contracts::Store;

use crate::samples::account;

pub async fn a_store_that_works_says_so(store: &dyn Store) {
    store.check().await.unwrap();
    assert_eq!(store.writes_waiting(), 0);
    account(store, "a@x").await;
    store.check().await.unwrap();
    assert_eq!(store.writes_waiting(), 0);
}

pub async fn a_store_says_what_it_is(store: &dyn Store) {
    assert!(["sqlite", "postgresql"].contains(&store.database()));
}
