//! Finding replies: which are open, which nobody writes, and how far each is.

use chat::contracts::{Begun, Changes, Claim, Claimed, Finished, Kept, Store};
use chat::types::{Session, SessionKey, Timestamp};

use crate::reply_samples::{done, lease, open, open_ids, renew, stop, stranded, wish};
use crate::samples::{
    account, begin, claim, claim_of, claim_work, cuid, cursor, delete, events, finish, key, look,
    move_head, new_finish, new_reply, session, write,
};

pub async fn the_running_reply_comes_before_those_that_wait(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let other = session(store, &ada, "two", 1).await;
    assert_eq!(open(store, &made).await, []);
    let mut ids = Vec::new();
    for at in [4, 3, 2] {
        ids.push(begin(store, &made, "next", at).await.id);
        begin(store, &other, "elsewhere", at).await;
    }
    assert_eq!(open_ids(store, &made).await, ids);
    let work = claim_work(store, &made, 5).await;
    assert_eq!(work.reply.id, ids[0]);
    assert_eq!(open_ids(store, &made).await, ids);
    // A head that is moved back changes nothing about whose turn it is.
    move_head(store, &made, &work.reply.prompt, 6).await;
    ids.push(begin(store, &made, "last", 7).await.id);
    stop(store, &made, &ids.remove(1), 8).await;
    assert_eq!(open_ids(store, &made).await, ids);
    finish(store, new_finish(&claim_of(&made, &work), 9)).await;
    assert_eq!(open_ids(store, &made).await, ids[1..]);
}

pub async fn what_nobody_writes_is_found(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let mut made = Vec::new();
    for (owner, title) in [
        (&ada, "one"),
        (&ada, "two"),
        (&bob, "three"),
        (&bob, "four"),
    ] {
        made.push(session(store, owner, title, 1).await);
    }
    assert_eq!(stranded(store, 2, 10).await, [0; 0]);
    for session in &made[..3] {
        begin(store, session, "first", 2).await;
        begin(store, session, "second", 2).await;
    }
    let numbers: Vec<_> = made.iter().map(|session| session.number).collect();
    assert_eq!(stranded(store, 3, 10).await, numbers[..3]);
    let mut whose = store.stranded(Timestamp(3), 10).await.unwrap();
    whose.sort_unstable_by_key(|(_, number)| *number);
    let owners: Vec<_> = whose.into_iter().map(|(owner, _)| owner).collect();
    assert_eq!(owners, [&ada, &ada, &bob].map(Clone::clone));
    for most in [0, 1, 2] {
        let found = stranded(store, 3, most).await;
        assert_eq!(found.len(), most as usize);
    }
    // Those that wait behind a running one have to wait.
    let work = claim_work(store, &made[0], 10).await;
    claim_work(store, &made[1], 20).await;
    assert_eq!(stranded(store, 9 + lease(), 10).await, numbers[2..3]);
    assert_eq!(
        stranded(store, 10 + lease(), 10).await,
        [numbers[0], numbers[2]]
    );
    assert_eq!(stranded(store, 20 + lease(), 10).await, numbers[..3]);
    finish(store, new_finish(&claim_of(&made[0], &work), 30)).await;
    assert_eq!(stranded(store, 31, 10).await, [numbers[0], numbers[2]]);
}

pub async fn what_was_broken_off_comes_before_what_waits(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let mut made = Vec::new();
    for at in 0..6 {
        let owner = [&ada, &bob][at % 2];
        made.push(session(store, owner, "one", 1).await);
    }
    // The last ones begin first, and those that are taken are taken in yet another order.
    for (at, session) in (10..).zip(made.iter().rev()) {
        begin(store, session, "first", at).await;
    }
    for (turn, at) in [(1, 22), (4, 21), (2, 20)] {
        claim_work(store, &made[turn], at).await;
    }
    let of = |turn: usize| (made[turn].owner.clone(), made[turn].number);
    let all = [2, 4, 1, 5, 3, 0].map(of);
    for most in 0..=7 {
        let found = store.stranded(Timestamp(30 + lease()), most).await;
        assert_eq!(found.unwrap(), all[..all.len().min(most as usize)]);
    }
}

pub async fn the_last_event_of_each_reply_is_known(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    assert_eq!(store.reply_positions(&[]).await.unwrap(), []);
    let mut asked = Vec::new();
    for (owner, title) in [
        (&ada, "waits"),
        (&ada, "runs"),
        (&bob, "ended"),
        (&bob, "gone"),
    ] {
        let made = session(store, owner, title, 1).await;
        let begun = begin(store, &made, "first", 2).await;
        asked.push((owner.clone(), begun.id));
        if title == "waits" {
            continue;
        }
        let held = claim_of(&made, &claim_work(store, &made, 3).await);
        write(store, &held, 2, &["a", "b"], 4).await;
        match title {
            "ended" => drop(finish(store, new_finish(&held, 5)).await),
            "gone" => delete(store, &made, 5).await,
            _ => {}
        }
    }
    // Nobody finds another one's.
    asked.push((ada.clone(), asked[2].1.clone()));
    asked.push((ada, cuid()));
    let mut known = Vec::new();
    for (at, last) in [(0, 0), (1, 3), (2, 4)] {
        let (owner, id) = asked[at].clone();
        let all = events(store, &owner, &id, 0).await;
        assert_eq!(all.last().unwrap().number, last);
        known.push((owner, id, last));
    }
    let mut found = store.reply_positions(&asked).await.unwrap();
    found.sort_unstable_by_key(|(_, _, last)| *last);
    assert_eq!(found, known);
}

pub async fn nobody_elses_replies_are_found(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let hers = session(store, &ada, "hers", 1).await;
    let beside = session(store, &ada, "beside", 1).await;
    let running = begin(store, &hers, "first", 2).await;
    let held = claim_of(&hers, &claim_work(store, &hers, 3).await);
    let queued = begin(store, &hers, "second", 2).await;
    let before = look(store, &hers).await;
    let as_bob = Session {
        owner: bob.clone(),
        ..hers.clone()
    };
    let by_cuid = SessionKey::Cuid(hers.id.clone());
    for id in [&running.id, &queued.id] {
        for key in [key(&hers), by_cuid.clone()] {
            assert_eq!(store.reply(&bob, &key, id).await.unwrap(), None);
            assert!(store.reply(&ada, &key, id).await.unwrap().is_some());
        }
        for key in [key(&beside), SessionKey::Cuid(beside.id.clone())] {
            assert_eq!(store.reply(&ada, &key, id).await.unwrap(), None);
        }
        assert_eq!(store.events(&bob, id, 0).await.unwrap(), None);
        assert_eq!(stop(store, &as_bob, id, 4).await, None);
        assert_eq!(stop(store, &beside, id, 4).await, None);
    }
    let open = store.open_replies(&bob, &by_cuid).await;
    assert_eq!(open.unwrap(), None);
    assert_eq!(
        wish(store, new_reply(&as_bob, "his", 4)).await,
        Begun::Missing
    );
    assert_eq!(claim(store, &as_bob, 4 + lease()).await, Claimed::Nothing);
    let his = Claim {
        owner: bob.clone(),
        ..held.clone()
    };
    assert_eq!(write(store, &his, 2, &["his"], 4).await, Kept::Fenced);
    assert_eq!(renew(store, &his, 4).await, Kept::Fenced);
    let end = store.finish_reply(new_finish(&his, 4)).await;
    assert_eq!(end.unwrap(), Finished::Fenced);
    let changes = store.changes(&bob, Some(0)).await.unwrap();
    assert_eq!(changes, Changes::These(vec![]));
    assert_eq!(cursor(store, &bob).await, 0);
    assert_eq!(look(store, &hers).await, before);
    // And hers goes on.
    assert_eq!(write(store, &held, 2, &["hers"], 5).await, Kept::Yes);
    let last = finish(store, new_finish(&held, 6)).await;
    assert_eq!(last[0].event, done());
}
