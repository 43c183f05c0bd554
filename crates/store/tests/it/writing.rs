//! Claiming, appending, ending.

use chat::contracts::{Append, Begun, Claim, Claimed, Finish, Finished, Kept, Stopped, Store};
use chat::limits::{EVENTS_READ, REPLY_ATTEMPTS};
use chat::types::{
    Delta, Ending, Event, FinishReason, Message, MessageView, Part, Reply, ReplyError,
    ReplyErrorKind, ReplyStatus, SessionKey, Timestamp, WhenBusy,
};

use crate::reply_samples::{
    assert_read_on, behind_acceptance, delta, done, lease, open, renew, started, stop, stopped,
    stranded, thought, when_busy, wish, wish_once,
};
use crate::samples::{
    account, begin, claim, claim_of, claim_work, delete, events, find, finish, key, look, message,
    messages, new_finish, new_reply, numbered, once, reply, says, session, text, tokens, write,
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

pub async fn only_the_newest_attempt_writes(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let first = claim_of(&made, &claim_work(store, &made, 3).await);
    assert_eq!(write(store, &first, 2, &["a"], 4).await, Kept::Yes);
    let second = claim_of(&made, &claim_work(store, &made, 3 + lease()).await);
    let now = 4 + lease();
    let ahead = Claim {
        attempt: 3,
        ..second.clone()
    };
    let never = Claim {
        attempt: 0,
        ..second.clone()
    };
    for other in [&first, &ahead, &never] {
        assert_eq!(write(store, other, 5, &["b"], now).await, Kept::Fenced);
        assert_eq!(renew(store, other, now).await, Kept::Fenced);
        let end = store.finish_reply(new_finish(other, now));
        assert_eq!(end.await.unwrap(), Finished::Fenced);
    }
    assert_eq!(write(store, &second, 5, &["c"], now).await, Kept::Yes);
    let all = events(store, &ada, &begun.id, 4).await;
    let all: Vec<_> = all.into_iter().map(|one| one.event).collect();
    assert_eq!(all, [started(2), delta("c")]);
}

pub async fn nothing_is_written_after_the_lease(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let until = 3 + lease();
    assert_eq!(write(store, &held, 2, &["a"], until - 1).await, Kept::Yes);
    for at in [until, until + 1] {
        assert_eq!(write(store, &held, 3, &["b"], at).await, Kept::Fenced);
        assert_eq!(renew(store, &held, at).await, Kept::Fenced);
        let end = store.finish_reply(new_finish(&held, at));
        assert_eq!(end.await.unwrap(), Finished::Fenced);
    }
    assert_eq!(events(store, &ada, &begun.id, 0).await.len(), 3);
    assert_eq!(
        reply(store, &made, &begun.id).await.status,
        ReplyStatus::Running
    );
}

pub async fn a_renewed_lease_holds_longer(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    assert_eq!(renew(store, &held, 1_000).await, Kept::Yes);
    // One with something to append renews it too, and one that does not ask for it does not.
    let more = Append {
        claim: held.clone(),
        events: numbered(2, vec![text("a")]),
        renew: true,
    };
    let kept = store.append_events(vec![more], Timestamp(2_000)).await;
    assert_eq!(kept.unwrap(), [Kept::Yes]);
    assert_eq!(write(store, &held, 3, &["b"], 3_000).await, Kept::Yes);
    let until = 2_000 + lease();
    assert_eq!(claim(store, &made, until - 1).await, Claimed::Nothing);
    assert_eq!(stranded(store, until - 1, 10).await, [0; 0]);
    assert_eq!(stranded(store, until, 10).await, [made.number]);
    assert_eq!(claim_work(store, &made, until).await.reply.attempt, 2);
}

pub async fn nothing_is_written_after_the_end(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    // Nor before it has begun.
    let early = Claim {
        owner: ada.clone(),
        reply: begun.id.clone(),
        attempt: 0,
    };
    assert_eq!(write(store, &early, 1, &["a"], 2).await, Kept::Fenced);
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    finish(store, new_finish(&held, 4)).await;
    let before = look(store, &made).await;
    assert_eq!(write(store, &held, 3, &["b"], 5).await, Kept::Fenced);
    assert_eq!(renew(store, &held, 5).await, Kept::Fenced);
    let end = store.finish_reply(new_finish(&held, 5)).await;
    assert_eq!(end.unwrap(), Finished::Fenced);
    assert_eq!(
        stop(store, &made, &begun.id, 5).await,
        Some(Stopped::Before)
    );
    assert_eq!(claim(store, &made, 5 + 2 * lease()).await, Claimed::Nothing);
    assert_eq!(look(store, &made).await, before);
    let all = events(store, &ada, &begun.id, 0).await;
    assert_eq!(behind_acceptance(&all), [started(1), done()]);
}

pub async fn replies_of_a_deleted_session_are_gone(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let ended = begin(store, &made, "first", 2).await;
    let work = claim_work(store, &made, 3).await;
    let end = Finish {
        deltas: vec![text("a")],
        ..new_finish(&claim_of(&made, &work), 4)
    };
    finish(store, end).await;
    let running = begin(store, &made, "second", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    write(store, &held, 2, &["a"], 4).await;
    let queued = begin(store, &made, "third", 2).await;
    delete(store, &made, 5).await;
    for gone in [&ended, &running, &queued] {
        let read = store.events(&ada, &gone.id, 0).await;
        assert_eq!(read.unwrap(), None);
        for session in [key(&made), SessionKey::Cuid(made.id.clone())] {
            let found = store.reply(&ada, &session, &gone.id).await;
            assert_eq!(found.unwrap(), None);
        }
        assert_eq!(stop(store, &made, &gone.id, 6).await, None);
    }
    assert_eq!(write(store, &held, 3, &["b"], 6).await, Kept::Fenced);
    assert_eq!(renew(store, &held, 6).await, Kept::Fenced);
    let end = store.finish_reply(new_finish(&held, 6)).await;
    assert_eq!(end.unwrap(), Finished::Fenced);
    assert_eq!(store.open_replies(&ada, &key(&made)).await.unwrap(), None);
    assert_eq!(claim(store, &made, 6 + lease()).await, Claimed::Nothing);
    assert_eq!(stranded(store, 6 + lease(), 10).await, [0; 0]);
    let late = wish(store, new_reply(&made, "fourth", 7)).await;
    assert_eq!(late, Begun::Missing);
}

pub async fn a_fenced_append_does_not_spoil_the_others(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let mut held = Vec::new();
    for text in ["one", "two", "three"] {
        let made = session(store, &ada, text, 1).await;
        begin(store, &made, "first", 2).await;
        held.push(claim_of(&made, &claim_work(store, &made, 3).await));
    }
    held[1].attempt = 7;
    let appends = held.iter().map(|claim| Append {
        claim: claim.clone(),
        events: numbered(2, vec![text("a"), thought("b")]),
        renew: false,
    });
    let kept = store.append_events(appends.collect(), Timestamp(4)).await;
    assert_eq!(kept.unwrap(), [Kept::Yes, Kept::Fenced, Kept::Yes]);
    for (claim, length) in held.iter().zip([4, 2, 4]) {
        let all = events(store, &ada, &claim.reply, 0).await;
        assert_eq!(all.len(), length);
    }
    assert_eq!(store.append_events(vec![], Timestamp(5)).await.unwrap(), []);
}

pub async fn an_append_with_a_number_that_is_taken_does_not_spoil_the_others(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let mut held = Vec::new();
    for text in ["one", "two"] {
        let made = session(store, &ada, text, 1).await;
        begin(store, &made, "first", 2).await;
        held.push(claim_of(&made, &claim_work(store, &made, 3).await));
    }
    assert_eq!(write(store, &held[0], 2, &["a"], 4).await, Kept::Yes);
    let appends = held.iter().map(|claim| Append {
        claim: claim.clone(),
        events: numbered(2, vec![text("b")]),
        renew: false,
    });
    let kept = store.append_events(appends.collect(), Timestamp(5)).await;
    let kept = kept.map(|kept| kept[1]);
    assert!(matches!(kept, Ok(Kept::Yes)), "{kept:?}");
    for (claim, piece) in held.iter().zip(["a", "b"]) {
        let all = events(store, &ada, &claim.reply, 2).await;
        let all: Vec<_> = all.into_iter().map(|one| one.event).collect();
        assert_eq!(all, [delta(piece)]);
    }
}

pub async fn a_reply_is_appended_to_twice_in_one_go(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let appends = [(2, "a"), (3, "b")].map(|(from, piece)| Append {
        claim: held.clone(),
        events: numbered(from, vec![text(piece)]),
        renew: true,
    });
    let kept = store.append_events(appends.into(), Timestamp(4)).await;
    assert_eq!(kept.unwrap(), [Kept::Yes, Kept::Yes]);
    let all = behind_acceptance(&events(store, &ada, &begun.id, 0).await);
    assert_eq!(all, [started(1), delta("a"), delta("b")]);
}

pub async fn a_finished_reply_becomes_its_message(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let before = message(store, &made, &begun.message).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let session_before = find(store, &made).await;
    let pieces = vec![thought("Hm"), thought("…"), text("A\u{1F9EF}"), text("\0é")];
    let written = Append {
        claim: held.clone(),
        events: numbered(2, pieces.clone()),
        renew: false,
    };
    let kept = store.append_events(vec![written], Timestamp(4)).await;
    assert_eq!(kept.unwrap(), [Kept::Yes]);
    let mut seen = events(store, &ada, &begun.id, 0).await;
    assert_eq!(seen.len(), 6);
    let end = Finish {
        deltas: vec![text("n"), thought("?"), text("d.")],
        usage: Some(tokens(12, 34)),
        left_out: 5,
        ..new_finish(&held, 9)
    };
    let last = finish(store, end).await;
    let told: Vec<_> = last.iter().map(|one| one.event.clone()).collect();
    let usage = Event::Usage(tokens(12, 34));
    let question = Event::Delta(thought("?"));
    assert_eq!(told, [delta("n"), question, delta("d."), usage, done()]);
    seen.extend(last);
    assert_read_on(store, &ada, &begun.id, &seen).await;

    let expected = Message {
        content: vec![
            Part::Reasoning("Hm…".into()),
            Part::Text("A\u{1F9EF}\0én".into()),
            Part::Reasoning("?".into()),
            Part::Text("d.".into()),
        ],
        usage: Some(tokens(12, 34)),
        finish_reason: Some(FinishReason::Stop),
        status: ReplyStatus::Done,
        ..before
    };
    assert_eq!(message(store, &made, &begun.message).await, expected);
    let expected = Reply {
        status: ReplyStatus::Done,
        attempt: 1,
        usage: Some(tokens(12, 34)),
        left_out: 5,
        finished_at: Some(Timestamp(9)),
        ..begun
    };
    assert_eq!(reply(store, &made, &expected.id).await, expected);
    assert_eq!(open(store, &made).await, []);
    // The session itself is the same: its path ended there before.
    assert_eq!(find(store, &made).await, session_before);
}

pub async fn a_failed_reply_keeps_its_error_and_its_text(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    for retry_after in [None, Some(std::time::Duration::from_millis(1_500))] {
        let begun = begin(store, &made, "first", 2).await;
        let held = claim_of(&made, &claim_work(store, &made, 3).await);
        let error = ReplyError {
            kind: ReplyErrorKind::RateLimit,
            message: "too much \"at once\"".into(),
            retry_after,
        };
        let end = Finish {
            deltas: vec![text("half")],
            ending: Ending {
                status: ReplyStatus::Failed,
                reason: FinishReason::Error,
                error: Some(error.clone()),
            },
            ..new_finish(&held, 4)
        };
        let last = finish(store, end.clone()).await;
        assert_eq!(last[1].event, Event::Finished(end.ending));
        assert_eq!(events(store, &ada, &begun.id, 2).await, last);
        let found = reply(store, &made, &begun.id).await;
        assert_eq!((found.error, found.usage), (Some(error), None));
        assert_eq!(found.status, ReplyStatus::Failed);
        let message = message(store, &made, &begun.message).await;
        assert_eq!((message.text().as_str(), message.usage), ("half", None));
        assert_eq!(message.status, ReplyStatus::Failed);
    }
}

pub async fn a_reply_without_a_word_is_an_empty_message(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let mut seen = events(store, &ada, &begun.id, 0).await;
    seen.extend(finish(store, new_finish(&held, 4)).await);
    assert_eq!(message(store, &made, &begun.message).await.content, []);
    assert_read_on(store, &ada, &begun.id, &seen).await;
}

pub async fn events_read_the_same_before_and_after_the_end(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let first = claim_of(&made, &claim_work(store, &made, 3).await);
    write(store, &first, 2, &["void", " text"], 4).await;
    let second = claim_of(&made, &claim_work(store, &made, 3 + lease()).await);
    for (from, pieces) in [(6, vec![thought("a"), thought("b")]), (8, vec![text("c")])] {
        let more = Append {
            claim: second.clone(),
            events: numbered(from, pieces),
            renew: true,
        };
        let kept = store.append_events(vec![more], Timestamp(4 + lease()));
        assert_eq!(kept.await.unwrap(), [Kept::Yes]);
    }
    let mut seen = events(store, &ada, &begun.id, 0).await;
    assert_eq!(seen.len(), 9);
    assert_read_on(store, &ada, &begun.id, &seen).await;
    let end = Finish {
        deltas: vec![text("d"), text("e")],
        usage: Some(tokens(1, 2)),
        ..new_finish(&second, 5 + lease())
    };
    seen.extend(finish(store, end).await);
    assert_eq!(seen.len(), 13);
    assert_read_on(store, &ada, &begun.id, &seen).await;
    let message = message(store, &made, &begun.message).await;
    let parts = [Part::Reasoning("ab".into()), Part::Text("cde".into())];
    assert_eq!(message.content, parts);
}

pub async fn many_events_are_read_in_pieces(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let pieces: Vec<_> = (0..600).map(|count| text(&format!("{count} "))).collect();
    let whole: String = pieces.iter().map(Delta::as_str).collect();
    let more = Append {
        claim: held.clone(),
        events: numbered(2, pieces),
        renew: false,
    };
    let kept = store.append_events(vec![more], Timestamp(4)).await;
    assert_eq!(kept.unwrap(), [Kept::Yes]);
    let at_least = EVENTS_READ as usize;
    for from in [0, 1, 200] {
        let read = store.events(&ada, &begun.id, from).await.unwrap().unwrap();
        assert!(read.len() >= at_least, "{} from {from}", read.len());
        assert!(
            read.iter()
                .map(|one| one.number)
                .eq((from..).take(read.len()))
        );
    }
    let mut seen = events(store, &ada, &begun.id, 0).await;
    assert_eq!(seen.len(), 602);
    seen.extend(finish(store, new_finish(&held, 5)).await);
    assert_eq!(events(store, &ada, &begun.id, 0).await, seen);
    for (from, rest) in [(0, &seen[..]), (300, &seen[300..]), (602, &seen[602..])] {
        let read = store.events(&ada, &begun.id, from).await.unwrap().unwrap();
        assert!(read.len() >= at_least.min(rest.len()));
        assert_eq!(read, rest[..read.len()]);
    }
    assert_eq!(message(store, &made, &begun.message).await.text(), whole);
    let beyond = store.events(&ada, &begun.id, 10_000).await;
    assert_eq!(beyond.unwrap(), Some(vec![]));
}
