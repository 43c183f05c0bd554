use std::collections::HashMap;

use chat::contracts::{Changed, Store};
use chat::types::{Branch, Cuid, Head, NewMessage, Parent, Session, SessionChange};

use crate::samples::{
    Dice, account, append, append_texts, change, cuid, find, key, new_message, session,
};

async fn branches(store: &dyn Store, session: &Session) -> Vec<Branch> {
    let found = store.branches(&session.owner, &key(session)).await.unwrap();
    found.unwrap()
}

/// Appends a message that follows that one, or nothing.
async fn after(store: &dyn Store, session: &Session, parent: Option<&Cuid>) -> Cuid {
    let parent = parent.map_or(Parent::Root, |id| Parent::Message(id.clone()));
    let new = NewMessage {
        parent,
        ..new_message("x")
    };
    append(store, session, vec![new], 2).await[0].id.clone()
}

async fn lead_through(store: &dyn Store, session: &Session, message: &Cuid) -> Changed {
    let through = SessionChange {
        head: Some(Head::Behind(message.clone())),
        ..SessionChange::default()
    };
    change(store, session, through, 3).await
}

pub async fn only_messages_with_others_beside_them_are_branches(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    assert_eq!(branches(store, &made).await, []);
    let trunk = append_texts(store, &made, &["a", "b", "c"], 2).await;
    assert_eq!(branches(store, &made).await, []);
    let beside_c = after(store, &made, Some(&trunk[1].id)).await;
    let root = after(store, &made, None).await;
    let last = after(store, &made, Some(&trunk[1].id)).await;
    after(store, &made, Some(&root)).await;
    let of = |parent: Option<&Cuid>, messages: &[&Cuid]| Branch {
        parent: parent.cloned(),
        messages: messages.iter().map(|id| (*id).clone()).collect(),
    };
    let expected = [
        of(None, &[&trunk[0].id, &root]),
        of(Some(&trunk[1].id), &[&trunk[2].id, &beside_c, &last]),
    ];
    assert_eq!(branches(store, &made).await, expected);
    let other = session(store, &ada, "other", 1).await;
    assert_eq!(branches(store, &other).await, []);
    let bob = account(store, "b@x").await.id;
    assert_eq!(store.branches(&bob, &key(&made)).await.unwrap(), None);
}

pub async fn a_path_that_leads_through_a_message_ends_at_the_newest_behind_it(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let mut dice = Dice(5);
    // What each message leads to, itself among them; a later one is a newer one.
    let mut behind: HashMap<Cuid, Cuid> = HashMap::new();
    let mut parents: HashMap<Cuid, Option<Cuid>> = HashMap::new();
    let mut all: Vec<Cuid> = Vec::new();
    for _ in 0..60 {
        let parent = dice.pick(&all).filter(|_| dice.below(9) > 0);
        let new = after(store, &made, parent.as_ref()).await;
        let mut above = Some(new.clone());
        parents.insert(new.clone(), parent);
        while let Some(id) = above {
            let parent = parents[&id].clone();
            behind.insert(id, new.clone());
            above = parent;
        }
        all.push(new);
    }
    for message in &all {
        let version = find(store, &made).await.version;
        let Changed::Done(changed) = lead_through(store, &made, message).await else {
            panic!("it was refused");
        };
        assert_eq!(changed.head.as_ref(), Some(&behind[message]));
        assert_eq!(changed.version, version + 1);
        assert_eq!(find(store, &made).await, changed);
    }
}

pub async fn a_path_leads_through_no_message_of_another_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    append_texts(store, &made, &["a"], 2).await;
    let before = find(store, &made).await;
    let mut unknown = vec![cuid()];
    for owner in [&ada, &bob] {
        let other = session(store, owner, "other", 1).await;
        unknown.push(append_texts(store, &other, &["x"], 2).await[0].id.clone());
    }
    for message in unknown {
        let refused = lead_through(store, &made, &message).await;
        assert_eq!(refused, Changed::NoSuchMessage);
    }
    assert_eq!(find(store, &made).await, before);
}
