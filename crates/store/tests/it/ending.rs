//! What becomes of a reply that ends.

use chat::contracts::{Append, Begun, Claimed, Finish, Finished, Kept, Store};
use chat::limits::EVENTS_READ;
use chat::types::{
    Delta, Ending, Event, FinishReason, Message, Part, Reply, ReplyError, ReplyErrorKind,
    ReplyStatus, SessionKey, Timestamp,
};

use crate::reply_samples::{
    assert_read_on, delta, done, lease, open, renew, stop, stranded, thought, wish,
};
use crate::samples::{
    account, begin, claim, claim_of, claim_work, delete, events, find, finish, key, message,
    new_finish, new_reply, numbered, reply, session, text, tokens, write,
};

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

pub async fn a_finished_reply_becomes_its_message(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let before = message(store, &made, &begun.message).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let session_before = find(store, &made).await;
    let pieces = vec![
        thought("Hm"),
        thought("…"),
        text("A\u{1F9EF}"),
        text("\u{1}é"),
    ];
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
            Part::Text("A\u{1F9EF}\u{1}én".into()),
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
