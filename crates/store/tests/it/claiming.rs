//! Whose turn it is, and who gets it.

use chat::contracts::{Claimed, Kept, Store};
use chat::limits::REPLY_ATTEMPTS;
use chat::types::{
    Ending, Event, FinishReason, MessageView, Reply, ReplyErrorKind, ReplyStatus, Timestamp,
    WhenBusy,
};

use crate::reply_samples::{
    assert_read_on, behind_acceptance, delta, lease, open, started, stop, stopped, when_busy, wish,
    wish_once,
};
use crate::samples::{
    account, begin, claim, claim_of, claim_work, events, find, finish, message, messages,
    new_finish, new_reply, numbered, once, reply, says, session, text, write,
};

pub async fn a_claim_takes_the_one_that_has_waited_longest(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    assert_eq!(claim(store, &made, 2).await, Claimed::Nothing);
    let mut waiting = Vec::new();
    for at in [5, 3, 3] {
        waiting.push(begin(store, &made, "next", at).await);
    }
    for (turn, next) in (0..).zip(&waiting) {
        let at = 10 + turn;
        let work = claim_work(store, &made, at).await;
        let expected = Reply {
            status: ReplyStatus::Running,
            attempt: 1,
            ..next.clone()
        };
        assert_eq!(work.reply, expected);
        assert_eq!(reply(store, &made, &next.id).await, expected);
        assert_eq!(work.session, find(store, &made).await);
        assert_eq!(work.prompt_seq, 1 + 2 * turn);
        assert_eq!(work.events.len(), 1);
        assert_eq!(
            (work.events[0].number, &work.events[0].event),
            (1, &started(1))
        );
        let message = message(store, &made, &next.message).await;
        assert_eq!(message.status, ReplyStatus::Running);
        assert_eq!(message.content, []);
        // Nobody else gets one while this one is written.
        assert_eq!(
            claim(store, &made, at + lease() - 1).await,
            Claimed::Nothing
        );
        finish(store, new_finish(&claim_of(&made, &work), at)).await;
    }
    assert_eq!(claim(store, &made, 20).await, Claimed::Nothing);
}

pub async fn one_of_many_claims_gets_the_reply(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    begin(store, &made, "first", 2).await;
    begin(store, &made, "second", 2).await;
    let try_it = || claim(store, &made, 3);
    let claimed = tokio::join!(try_it(), try_it(), try_it(), try_it());
    let claimed = [claimed.0, claimed.1, claimed.2, claimed.3];
    let work = claimed.iter().filter(|one| **one != Claimed::Nothing);
    assert_eq!(work.count(), 1);
}

pub async fn one_wish_that_comes_many_times_at_once_begins_one_reply(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let ask = || wish_once(store, new_reply(&made, "first", 2), once("k", 1));
    let begun = tokio::join!(ask(), ask(), ask());
    let begun = [begun.0, begun.1, begun.2].map(Result::unwrap);
    assert!(begun.iter().all(|one| *one == begun[0]));
    assert_eq!(open(store, &made).await.len(), 1);
    let tree = messages(store, &made, MessageView::Tree, 100).await;
    assert_eq!(tree.len(), 2);
}

pub async fn a_session_that_is_not_there_has_nothing_to_claim(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    begin(store, &made, "first", 2).await;
    for (owner, number) in [(&bob, made.number), (&ada, made.number + 1)] {
        let claimed = store.claim_reply(owner.clone(), number, Timestamp(3));
        assert_eq!(claimed.await.unwrap(), Claimed::Nothing);
    }
    assert_eq!(open(store, &made).await[0].status, ReplyStatus::Queued);
}

pub async fn a_claim_after_a_lease_begins_a_new_attempt(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    begin(store, &made, "second", 2).await;
    let first = claim_of(&made, &claim_work(store, &made, 3).await);
    assert_eq!(
        write(store, &first, 2, &["half a", " word"], 4).await,
        Kept::Yes
    );
    let work = claim_work(store, &made, 3 + lease()).await;
    assert_eq!((&work.reply.id, work.reply.attempt), (&begun.id, 2));
    let fresh: Vec<_> = work
        .events
        .iter()
        .map(|one| (one.number, one.event.clone()))
        .collect();
    let reset = Event::Reset { attempt: 2 };
    assert_eq!(fresh, [(4, reset.clone()), (5, started(2))]);
    // What the first attempt wrote is still told to whoever reads it all.
    let all = events(store, &ada, &begun.id, 0).await;
    assert_eq!(
        behind_acceptance(&all),
        [
            started(1),
            delta("half a"),
            delta(" word"),
            reset,
            started(2)
        ]
    );
    let message = message(store, &made, &begun.message).await;
    assert_eq!(
        (message.status, message.content),
        (ReplyStatus::Running, vec![])
    );
    // The new lease holds as long as the first one did.
    let until = 3 + 2 * lease();
    assert_eq!(claim(store, &made, until - 1).await, Claimed::Nothing);
}

pub async fn a_reply_that_was_broken_off_too_often_fails_with_what_is_there(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let next = begin(store, &made, "second", 2).await;
    let (mut at, mut seen) = (3, events(store, &ada, &begun.id, 0).await);
    for attempt in 1..=REPLY_ATTEMPTS {
        let work = claim_work(store, &made, at).await;
        assert_eq!(work.reply.attempt, attempt);
        seen.extend(work.events.iter().cloned());
        let texts = [format!("of {attempt}: "), format!("only {attempt}")];
        let texts = texts.each_ref().map(String::as_str);
        let from = i64::try_from(seen.len()).unwrap();
        let kept = write(store, &claim_of(&made, &work), from, &texts, at).await;
        assert_eq!(kept, Kept::Yes);
        seen.extend(numbered(from, texts.map(text).into()).iter().cloned());
        at += lease();
    }
    let claimed = claim(store, &made, at).await;
    let Claimed::Ended { reply: id, events } = claimed else {
        panic!("{claimed:?}");
    };
    assert_eq!(id, begun.id);
    let Event::Finished(Ending {
        status: ReplyStatus::Failed,
        reason: FinishReason::Error,
        error: Some(error),
    }) = &events[0].event
    else {
        panic!("{events:?}");
    };
    assert_eq!((events.len(), error.kind), (1, ReplyErrorKind::Interrupted));
    seen.extend(events.iter().cloned());
    assert_read_on(store, &ada, &begun.id, &seen).await;
    let message = message(store, &made, &begun.message).await;
    assert_eq!(
        message.content,
        says(&format!("of {REPLY_ATTEMPTS}: only {REPLY_ATTEMPTS}"))
    );
    assert_eq!(message.status, ReplyStatus::Failed);
    let expected = Reply {
        status: ReplyStatus::Failed,
        attempt: REPLY_ATTEMPTS,
        error: Some(error.clone()),
        finished_at: Some(Timestamp(at)),
        ..begun
    };
    assert_eq!(reply(store, &made, &expected.id).await, expected);
    let work = claim_work(store, &made, at).await;
    assert_eq!((work.reply.id, work.reply.attempt), (next.id, 1));
}

pub async fn a_broken_off_reply_that_was_to_end_is_not_tried_again(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    for reason in [FinishReason::Stopped, FinishReason::Interrupted] {
        let made = session(store, &ada, "one", 1).await;
        let begun = begin(store, &made, "first", 2).await;
        let first = claim_of(&made, &claim_work(store, &made, 3).await);
        write(store, &first, 2, &["so far"], 4).await;
        if reason == FinishReason::Stopped {
            stop(store, &made, &begun.id, 5).await;
        } else {
            wish(store, when_busy(&made, WhenBusy::Interrupt, 5)).await;
        }
        // As long as the lease holds, its writer ends it.
        assert_eq!(claim(store, &made, 2 + lease()).await, Claimed::Nothing);
        let claimed = claim(store, &made, 3 + lease()).await;
        let Claimed::Ended { reply: id, events } = claimed else {
            panic!("{claimed:?}");
        };
        let last = [(3, stopped(reason))];
        let events: Vec<_> = events
            .into_iter()
            .map(|one| (one.number, one.event))
            .collect();
        assert_eq!((&id, &events[..]), (&begun.id, &last[..]));
        let message = message(store, &made, &begun.message).await;
        assert_eq!(message.content, says("so far"));
        assert_eq!(message.finish_reason, Some(reason));
    }
}
