//! What the tests of replies share.

use chat::contracts::{Append, Begun, Claim, Kept, NewReply, Prompt, Stopped, Store, StoreError};
use chat::limits::LEASE;
use chat::types::{
    Cuid, Delta, Event, FinishReason, NumberedEvent, Once, Reply, ReplyStatus, Session, Timestamp,
    WhenBusy,
};

use crate::samples::{ending, events, key, model, new_reply, numbered, text};

/// How long a lease holds, in milliseconds.
pub fn lease() -> i64 {
    Timestamp(0).after(LEASE).0
}

pub async fn wish(store: &dyn Store, new: NewReply) -> Begun {
    store.begin_reply(new, None).await.unwrap()
}

pub async fn wish_once(store: &dyn Store, new: NewReply, once: Once) -> Result<Begun, StoreError> {
    store.begin_reply(new, Some(once)).await
}

pub fn when_busy(session: &Session, when_busy: WhenBusy, at: i64) -> NewReply {
    NewReply {
        when_busy,
        ..new_reply(session, "and?", at)
    }
}

pub fn answering(session: &Session, prompt: &Cuid) -> NewReply {
    NewReply {
        prompt: Prompt::Existing(prompt.clone()),
        ..new_reply(session, "", 3)
    }
}

pub async fn stop(store: &dyn Store, session: &Session, reply: &Cuid, at: i64) -> Option<Stopped> {
    let owner = session.owner.clone();
    let stopped = store.stop_reply(owner, key(session), reply.clone(), Timestamp(at));
    stopped.await.unwrap()
}

pub async fn open(store: &dyn Store, session: &Session) -> Vec<Reply> {
    let open = store.open_replies(&session.owner, &key(session)).await;
    open.unwrap().unwrap()
}

pub async fn open_ids(store: &dyn Store, session: &Session) -> Vec<Cuid> {
    let open = open(store, session).await.into_iter();
    open.map(|reply| reply.id).collect()
}

pub async fn stranded(store: &dyn Store, at: i64, most: u32) -> Vec<i64> {
    let found = store.stranded(Timestamp(at), most).await.unwrap();
    let mut numbers: Vec<_> = found.into_iter().map(|(_, number)| number).collect();
    numbers.sort_unstable();
    numbers
}

/// Renews a lease and appends nothing.
pub async fn renew(store: &dyn Store, claim: &Claim, at: i64) -> Kept {
    let append = Append {
        claim: claim.clone(),
        events: numbered(0, Vec::new()),
        renew: true,
    };
    let kept = store.append_events(vec![append], Timestamp(at)).await;
    kept.unwrap()[0]
}

/// The events without what was accepted.
pub fn behind_acceptance(events: &[NumberedEvent]) -> Vec<Event> {
    assert!(matches!(events[0].event, Event::Accepted { .. }));
    let events = events[1..].iter();
    events.map(|event| event.event.clone()).collect()
}

pub fn started(attempt: u32) -> Event {
    let model = model();
    Event::Started { attempt, model }
}

pub fn delta(of: &str) -> Event {
    Event::Delta(text(of))
}

pub fn thought(text: &str) -> Delta {
    Delta::Reasoning(text.into())
}

pub fn stopped(reason: FinishReason) -> Event {
    Event::Finished(ending(ReplyStatus::Stopped, reason))
}

pub fn done() -> Event {
    Event::Finished(ending(ReplyStatus::Done, FinishReason::Stop))
}

/// Whatever number a reader has got to, it reads on as one does who saw everything happen.
pub async fn assert_read_on(store: &dyn Store, owner: &Cuid, reply: &Cuid, seen: &[NumberedEvent]) {
    for (number, event) in (0..).zip(seen) {
        assert_eq!(event.number, number);
    }
    for (from, rest) in (0..).zip((0..=seen.len()).map(|at| &seen[at..])) {
        assert_eq!(events(store, owner, reply, from).await, rest);
    }
}
