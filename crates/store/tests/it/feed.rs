use std::collections::BTreeMap;

use chat::contracts::{
    Append, Begun, Change, Changed, Changes, Claim, Claimed, Finished, Fresh, NewReply, Prompt,
    Stopped, Store,
};
use chat::limits::{DELETIONS_KEPT, EVENTS_READ, LEASE};
use chat::types::{
    Cuid, Message, MessageView, NewSession, Parent, Reply, Session, SessionChange, Timestamp,
};

use crate::samples::{
    Dice, account, append, append_texts, begin, change, claim, claim_of, claim_work, cuid, cursor,
    delete, find, finish, key, message, messages, move_head, new_finish, new_message, new_reply,
    new_session, numbered, reply, session, text, title, tokens, write,
};

/// What has changed behind a cursor, which must be one that is still good.
async fn behind(store: &dyn Store, owner: &Cuid, after: i64) -> Vec<Fresh> {
    match store.changes(owner, Some(after)).await.unwrap() {
        Changes::These(changes) => changes,
        Changes::Reset(last) => panic!("a reset to {last}"),
    }
}

async fn resets(store: &dyn Store, owner: &Cuid, after: i64) -> bool {
    let changes = store.changes(owner, Some(after)).await.unwrap();
    match changes {
        Changes::Reset(last) => {
            assert_eq!(last, cursor(store, owner).await);
            true
        }
        Changes::These(_) => false,
    }
}

/// What has changed for the owner of a session since the last look, by kind; each as the store
/// has it now.
struct Looker<'a> {
    store: &'a dyn Store,
    session: Session,
    after: i64,
}

impl Looker<'_> {
    async fn look(&mut self) -> String {
        let mut kinds = Vec::new();
        for fresh in behind(self.store, &self.session.owner, self.after).await {
            assert!(fresh.number > self.after);
            self.after = fresh.number;
            kinds.push(match fresh.change {
                Change::Session(session) => {
                    assert_eq!(session, find(self.store, &session).await);
                    "session"
                }
                Change::Message(new) => {
                    let now = message(self.store, &self.session, &new.id).await;
                    assert_eq!(new, now);
                    "message"
                }
                Change::Reply(new) => {
                    assert_eq!(new, reply(self.store, &self.session, &new.id).await);
                    "reply"
                }
                Change::Deleted(_) => "deleted",
            });
        }
        kinds.sort_unstable();
        kinds.join(" ")
    }
}

pub async fn a_first_look_gives_only_the_cursor(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let nothing = store.changes(&ada, None).await.unwrap();
    assert_eq!(nothing, Changes::Reset(0));
    assert_eq!(behind(store, &ada, 0).await, []);
    let made = session(store, &ada, "one", 1).await;
    let last = cursor(store, &ada).await;
    assert!(last > 0);
    assert_eq!(behind(store, &ada, last).await, []);
    let change = Change::Session(made);
    let number = last;
    assert_eq!(behind(store, &ada, 0).await, [Fresh { number, change }]);
}

pub async fn every_change_of_a_session_is_told(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let mut looker = Looker {
        store,
        session: made.clone(),
        after: 0,
    };
    assert_eq!(looker.look().await, "session");
    assert_eq!(looker.look().await, "");
    let renamed = SessionChange {
        title: Some(title("two")),
        ..SessionChange::default()
    };
    change(store, &made, renamed, 2).await;
    assert_eq!(looker.look().await, "session");
    let messages = append_texts(store, &made, &["a", "b"], 3).await;
    assert_eq!(looker.look().await, "message message session");
    move_head(store, &made, &messages[0].id, 4).await;
    assert_eq!(looker.look().await, "session");
    let last = looker.after;
    delete(store, &made, 5).await;
    let fresh = behind(store, &ada, last).await;
    assert_eq!(fresh.len(), 1);
    assert_eq!(fresh[0].change, Change::Deleted(made.id.clone()));
    // Whoever comes from further behind hears of nothing that was in it.
    assert_eq!(behind(store, &ada, 0).await, fresh);
}

pub async fn a_new_name_is_told_and_a_refused_one_is_not(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let new = NewSession {
        named: false,
        ..new_session(&ada, "New Chat", 1)
    };
    let session = store.create_session(new, None).await.unwrap();
    let after = cursor(store, &ada).await;
    let mut looker = Looker {
        store,
        session,
        after,
    };
    for expected in ["session", ""] {
        let number = looker.session.number;
        let named = store.name_session(ada.clone(), number, title("Tea"), Timestamp(2));
        assert_eq!(named.await.unwrap(), expected == "session");
        assert_eq!(looker.look().await, expected);
    }
}

pub async fn every_change_of_a_reply_is_told(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let mut looker = Looker {
        store,
        session: made.clone(),
        after: cursor(store, &ada).await,
    };
    begin(store, &made, "first", 2).await;
    assert_eq!(looker.look().await, "message message reply session");
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    assert_eq!(looker.look().await, "message reply");
    // What a model writes is told to those who watch the reply.
    write(store, &held, 2, &["a", "b"], 4).await;
    assert_eq!(looker.look().await, "");
    finish(store, new_finish(&held, 5)).await;
    assert_eq!(looker.look().await, "message reply");

    let waiting = begin(store, &made, "second", 6).await;
    looker.look().await;
    let (owner, id) = (ada.clone(), waiting.id);
    let stopped = store.stop_reply(owner, key(&made), id, Timestamp(7)).await;
    assert!(matches!(stopped.unwrap(), Some(Stopped::Ended(_))));
    assert_eq!(looker.look().await, "message reply");

    let broken_off = begin(store, &made, "third", 8).await;
    looker.look().await;
    let mut at = Timestamp(9);
    for expected in ["started", "started again", "ended"] {
        claim(store, &made, at.0).await;
        assert_eq!(looker.look().await, "message reply", "{expected}");
        at = at.after(LEASE);
    }
    assert!(reply(store, &made, &broken_off.id).await.status.is_end());
}

pub async fn what_is_refused_is_not_told(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let before = cursor(store, &ada).await;
    assert_eq!(
        move_head(store, &made, &cuid(), 4).await,
        Changed::NoSuchMessage
    );
    let never = Claim { attempt: 2, ..held };
    let fenced = store.finish_reply(new_finish(&never, 4)).await;
    assert_eq!(fenced.unwrap(), Finished::Fenced);
    let unknown = NewReply {
        prompt: Prompt::Existing(cuid()),
        ..new_reply(&made, "", 4)
    };
    let refused = store.begin_reply(unknown, None).await.unwrap();
    assert_eq!(refused, Begun::NoSuchPrompt);
    assert_eq!(claim(store, &made, 4).await, Claimed::Nothing);
    assert_eq!(behind(store, &ada, before).await, []);
}

pub async fn what_has_changed_twice_is_told_once_as_it_is(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let one = session(store, &ada, "one", 1).await;
    let two = session(store, &ada, "two", 1).await;
    let mut after = 0;
    for turn in ["first", "second", "third"] {
        let renamed = SessionChange {
            title: Some(title(turn)),
            ..SessionChange::default()
        };
        change(store, &one, renamed, 2).await;
        let told: Vec<_> = behind(store, &ada, 0).await;
        let told: Vec<_> = told.into_iter().map(|fresh| fresh.change).collect();
        let now = find(store, &one).await;
        assert_eq!(now.title.as_str(), turn);
        assert_eq!(
            told,
            [Change::Session(two.clone()), Change::Session(now.clone())]
        );
        let told = behind(store, &ada, after).await.pop().unwrap();
        assert_eq!(told.change, Change::Session(now));
        after = told.number;
    }
}

pub async fn a_cursor_that_was_never_given_is_reset(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    for made in [false, true] {
        if made {
            session(store, &ada, "one", 1).await;
        }
        let last = cursor(store, &ada).await;
        for after in [last + 1, i64::MAX, -1, i64::MIN] {
            assert!(resets(store, &ada, after).await, "{after}");
        }
        assert!(!resets(store, &ada, last).await);
    }
}

pub async fn a_cursor_before_a_forgotten_deletion_is_reset(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    session(store, &bob, "his", 1).await;
    let mut cursors = Vec::new();
    for at in [10, 20] {
        let made = session(store, &ada, "one", 1).await;
        cursors.push(cursor(store, &ada).await);
        delete(store, &made, at).await;
        cursors.push(cursor(store, &ada).await);
    }
    let kept = session(store, &ada, "kept", 1).await;
    let after = |at| Timestamp(at).after(DELETIONS_KEPT);
    assert_eq!(store.sweep(Timestamp(after(10).0 - 1)).await.unwrap(), 0);
    assert!(!resets(store, &ada, 0).await);
    assert_eq!(store.sweep(after(10)).await.unwrap(), 1);
    // Before the first deletion; behind it; before the second one; behind that.
    let mut reset = Vec::new();
    for after in &cursors {
        reset.push(resets(store, &ada, *after).await);
    }
    assert_eq!(reset, [true, false, false, false]);
    assert!(resets(store, &ada, 0).await);
    let told = behind(store, &ada, cursors[1]).await;
    assert!(matches!(told[0].change, Change::Deleted(_)));
    assert_eq!(told[1].change, Change::Session(kept.clone()));
    assert_eq!(store.sweep(after(1_000)).await.unwrap(), 1);
    assert!(resets(store, &ada, cursors[2]).await);
    let told = behind(store, &ada, cursors[3]).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].change, Change::Session(kept));
    // What is forgotten of one owner is nothing to another.
    assert!(!resets(store, &bob, 0).await);
    assert_eq!(store.sweep(after(1_000)).await.unwrap(), 0);
}

pub async fn many_changes_are_told_in_pieces(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    for _ in 0..6 {
        let new = (0..100).map(|_| new_message("a")).collect();
        append(store, &made, new, 2).await;
    }
    let (mut after, mut lengths, mut told) = (0, Vec::new(), Vec::new());
    loop {
        let fresh = behind(store, &ada, after).await;
        let Some(last) = fresh.last() else { break };
        assert!(fresh.is_sorted_by(|one, next| one.number < next.number));
        assert!(fresh[0].number > after);
        after = last.number;
        lengths.push(fresh.len());
        told.extend(fresh.into_iter().map(|fresh| fresh.change));
    }
    let piece = EVENTS_READ as usize;
    assert_eq!(lengths, [piece, piece, 601 - 2 * piece]);
    assert_eq!(after, cursor(store, &ada).await);
    let mut expected = messages(store, &made, MessageView::Tree, 100).await;
    expected.reverse();
    assert!(
        told[..600]
            == expected
                .into_iter()
                .map(Change::Message)
                .collect::<Vec<_>>()
    );
    assert_eq!(told[600], Change::Session(find(store, &made).await));
}

pub async fn owners_have_feeds_of_their_own(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let hers = session(store, &ada, "hers", 1).await;
    assert_eq!(cursor(store, &bob).await, 0);
    let his = session(store, &bob, "his", 1).await;
    append_texts(store, &hers, &["a"], 2).await;
    begin(store, &hers, "first", 3).await;
    delete(store, &hers, 4).await;
    let told = behind(store, &bob, 0).await;
    let change = Change::Session(his);
    assert_eq!(told, [Fresh { number: 1, change }]);
    let told = behind(store, &ada, 0).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].change, Change::Deleted(hers.id));
}

pub async fn the_cursor_of_each_owner_is_known(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let eve = account(store, "e@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    append_texts(store, &made, &["a"], 2).await;
    session(store, &bob, "two", 3).await;
    assert_eq!(store.feed_positions(&[]).await.unwrap(), []);
    // Who has nothing, and who is nobody, is left out.
    let asked = [eve, bob.clone(), cuid(), ada.clone()];
    let mut found = store.feed_positions(&asked).await.unwrap();
    found.sort_unstable();
    let mut expected = Vec::new();
    for owner in [&ada, &bob] {
        expected.push((owner.clone(), cursor(store, owner).await));
    }
    assert_eq!(found, expected);
    // It moves with what is deleted, too.
    delete(store, &made, 4).await;
    let moved = store.feed_positions(&asked[2..]).await.unwrap();
    assert!(moved[0].1 > expected[0].1, "{moved:?}");
    assert_eq!(moved, [(ada.clone(), cursor(store, &ada).await)]);
}

/// What a device knows that follows the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Device {
    after: i64,
    sessions: BTreeMap<Cuid, Session>,
    messages: BTreeMap<Cuid, Message>,
    replies: BTreeMap<Cuid, Reply>,
}

impl Device {
    async fn follow(&mut self, store: &dyn Store, owner: &Cuid) {
        loop {
            let fresh = behind(store, owner, self.after).await;
            if fresh.is_empty() {
                return;
            }
            for Fresh { number, change } in fresh {
                assert!(number > self.after);
                self.after = number;
                match change {
                    Change::Session(new) => drop(self.sessions.insert(new.id.clone(), new)),
                    Change::Message(new) => drop(self.messages.insert(new.id.clone(), new)),
                    Change::Reply(new) => drop(self.replies.insert(new.id.clone(), new)),
                    Change::Deleted(id) => {
                        self.sessions.remove(&id);
                        self.messages.retain(|_, one| one.session != id);
                        self.replies.retain(|_, one| one.session != id);
                    }
                }
            }
        }
    }

    /// What the store has, read anew; `begun` are all replies that there may be.
    async fn read(store: &dyn Store, sessions: &[Session], begun: &[Reply]) -> Self {
        let mut read = Self::default();
        for session in sessions {
            let now = find(store, session).await;
            read.sessions.insert(now.id.clone(), now);
            for one in messages(store, session, MessageView::Tree, 100).await {
                read.messages.insert(one.id.clone(), one);
            }
            for one in begun.iter().filter(|one| one.session == session.id) {
                let now = reply(store, session, &one.id).await;
                read.replies.insert(now.id.clone(), now);
            }
        }
        read
    }
}

/// Somebody who does this and that.
struct Actor<'a> {
    store: &'a dyn Store,
    owner: Cuid,
    dice: Dice,
    now: i64,
    sessions: Vec<Session>,
    begun: Vec<Reply>,
    claims: Vec<Claim>,
}

impl Actor<'_> {
    async fn act(&mut self) {
        let (store, now) = (self.store, self.now);
        let Some(made) = self.dice.pick(&self.sessions) else {
            self.sessions
                .push(session(store, &self.owner, "one", now).await);
            return;
        };
        match self.dice.below(20) {
            0 => self
                .sessions
                .push(session(store, &self.owner, "one", now).await),
            1 => {
                delete(store, &made, now).await;
                self.sessions.retain(|one| one.id != made.id);
            }
            2..=4 => {
                let mut new = vec![new_message("a"), new_message("b")];
                if self.dice.below(2) == 0 {
                    new[1].parent = Parent::Root;
                }
                append(store, &made, new, now).await;
            }
            5..=8 => {
                let begun = store.begin_reply(new_reply(&made, "why?", now), None);
                if let Begun::Done { reply, .. } = begun.await.unwrap() {
                    self.begun.push(reply);
                }
            }
            9..=12 => {
                if let Claimed::Work(work) = claim(store, &made, now).await {
                    self.claims.push(claim_of(&made, &work));
                }
            }
            13..=15 => {
                if let Some(held) = self.claims.pop() {
                    let mut end = new_finish(&held, now);
                    end.deltas = vec![text("because")];
                    end.usage = Some(tokens(1, 2));
                    store.finish_reply(end).await.unwrap();
                }
            }
            16 => {
                if let Some(one) = self.dice.pick(&self.begun) {
                    let stopped =
                        store.stop_reply(made.owner.clone(), key(&made), one.id, Timestamp(now));
                    stopped.await.unwrap();
                }
            }
            17 => {
                let tree = messages(store, &made, MessageView::Tree, 100).await;
                if let Some(one) = self.dice.pick(&tree) {
                    move_head(store, &made, &one.id, now).await;
                }
            }
            18 => {
                if let Some(held) = self.claims.last() {
                    let renewal = Append {
                        claim: held.clone(),
                        events: numbered(0, Vec::new()),
                        renew: true,
                    };
                    let kept = store.append_events(vec![renewal], Timestamp(now));
                    kept.await.unwrap();
                }
            }
            _ => self.now += 6_000,
        }
    }
}

pub async fn a_device_that_follows_knows_what_the_store_has(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let mut actor = Actor {
        store,
        owner: ada.clone(),
        dice: Dice(11),
        now: 10,
        sessions: Vec::new(),
        begun: Vec::new(),
        claims: Vec::new(),
    };
    // Some look often and some seldom, and a few begin with what others knew at some time.
    let mut devices = vec![Device::default(); 4];
    let mut left_behind = Vec::new();
    for step in 1..=400_usize {
        actor.act().await;
        let truth = Device::read(store, &actor.sessions, &actor.begun).await;
        for (turn, device) in devices.iter_mut().enumerate() {
            if step % [1, 3, 17, 150][turn] == 0 {
                device.follow(store, &ada).await;
                let after = device.after;
                assert_eq!(
                    *device,
                    Device {
                        after,
                        ..truth.clone()
                    }
                );
            }
        }
        if step % 50 == 0 {
            left_behind.push(devices[0].clone());
        }
    }
    left_behind.push(Device::default());
    let truth = Device::read(store, &actor.sessions, &actor.begun).await;
    assert!(!truth.replies.is_empty() && actor.begun.len() > truth.replies.len());
    for mut device in left_behind {
        device.follow(store, &ada).await;
        let after = device.after;
        assert_eq!(
            device,
            Device {
                after,
                ..truth.clone()
            }
        );
    }
}
