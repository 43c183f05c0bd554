//! What a writer appends, and who may.

use chat::contracts::{Append, Claim, Claimed, Finish, Finished, Kept, Stopped, Store};
use chat::types::{FinishReason, ReplyStatus, Timestamp, WhenBusy};

use crate::reply_samples::{
    behind_acceptance, delta, done, lease, renew, started, stop, stopped, stranded, thought,
    when_busy, wish,
};
use crate::samples::{
    account, begin, claim, claim_of, claim_work, ending, events, finish, look, message, new_finish,
    numbered, session, text, write,
};

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

pub async fn a_writer_that_was_away_past_its_lease_goes_on(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let late = 3 + 2 * lease();
    assert_eq!(write(store, &held, 2, &["a"], late).await, Kept::Yes);
    // That alone does not renew the lease: the reply could still be taken.
    assert_eq!(stranded(store, late, 10).await, [made.number]);
    assert_eq!(renew(store, &held, late).await, Kept::Yes);
    assert_eq!(claim(store, &made, late).await, Claimed::Nothing);
    assert_eq!(stranded(store, late + lease() - 1, 10).await, [0; 0]);
    let end = Finish {
        deltas: vec![text("b")],
        ..new_finish(&held, late + 2 * lease())
    };
    finish(store, end).await;
    let all = behind_acceptance(&events(store, &ada, &begun.id, 0).await);
    assert_eq!(all, [started(1), delta("a"), delta("b"), done()]);
}

pub async fn a_writer_whose_reply_was_taken_meanwhile_writes_nothing(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    claim_work(store, &made, 3 + lease()).await;
    let before = look(store, &made).await;
    let now = 4 + lease();
    assert_eq!(write(store, &held, 4, &["a"], now).await, Kept::Fenced);
    assert_eq!(renew(store, &held, now).await, Kept::Fenced);
    // Not even a wish to write nothing is granted.
    assert_eq!(write(store, &held, 4, &[], now).await, Kept::Fenced);
    let end = store.finish_reply(new_finish(&held, now)).await;
    assert_eq!(end.unwrap(), Finished::Fenced);
    assert_eq!(look(store, &made).await, before);
    // Nor did it renew the lease of who has it now.
    assert_eq!(stranded(store, 3 + 2 * lease(), 10).await, [made.number]);
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
    for text in ["one", "two", "three"] {
        let made = session(store, &ada, text, 1).await;
        begin(store, &made, "first", 2).await;
        held.push(claim_of(&made, &claim_work(store, &made, 3).await));
    }
    assert_eq!(write(store, &held[0], 2, &["a"], 4).await, Kept::Yes);
    assert_eq!(write(store, &held[1], 2, &["b"], 4).await, Kept::Yes);
    // One has another text there, one has it as another kind, and one has nothing there.
    let pieces = [text("b"), thought("b"), text("b")];
    let appends = held.iter().zip(pieces).map(|(claim, piece)| Append {
        claim: claim.clone(),
        events: numbered(2, vec![piece]),
        renew: true,
    });
    let kept = store.append_events(appends.collect(), Timestamp(5)).await;
    assert_eq!(kept.unwrap(), [Kept::Fenced, Kept::Fenced, Kept::Yes]);
    for (claim, piece) in held.iter().zip(["a", "b", "b"]) {
        let all = events(store, &ada, &claim.reply, 2).await;
        let all: Vec<_> = all.into_iter().map(|one| one.event).collect();
        assert_eq!(all, [delta(piece)]);
    }
    // What was refused has renewed nothing.
    assert_eq!(stranded(store, 3 + lease(), 10).await.len(), 2);
}

pub async fn an_append_that_is_tried_again_is_kept_once(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    for (texts, at) in [
        (&["a", "b"][..], 4),
        (&["a", "b"], 5),
        (&["a"], 6),
        (&["a", "b", "c"], 7),
    ] {
        let kept = write(store, &held, 2, texts, at).await;
        assert_eq!(kept, Kept::Yes, "{texts:?}");
    }
    let all = behind_acceptance(&events(store, &ada, &begun.id, 0).await);
    assert_eq!(all, [started(1), delta("a"), delta("b"), delta("c")]);
    finish(store, new_finish(&held, 8)).await;
    let message = message(store, &made, &begun.message).await;
    assert_eq!(message.text(), "abc");
}

pub async fn a_writer_is_told_that_its_reply_is_to_end(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    for reason in [FinishReason::Stopped, FinishReason::Interrupted] {
        let made = session(store, &ada, "one", 1).await;
        let begun = begin(store, &made, "first", 2).await;
        let held = claim_of(&made, &claim_work(store, &made, 3).await);
        assert_eq!(write(store, &held, 2, &["a"], 4).await, Kept::Yes);
        if reason == FinishReason::Stopped {
            stop(store, &made, &begun.id, 5).await;
        } else {
            wish(store, when_busy(&made, WhenBusy::Interrupt, 5)).await;
        }
        // What it writes is still kept, as often as it is said.
        assert_eq!(write(store, &held, 3, &["b"], 6).await, Kept::ToStop);
        assert_eq!(write(store, &held, 3, &["b"], 7).await, Kept::ToStop);
        assert_eq!(renew(store, &held, 8).await, Kept::ToStop);
        assert_eq!(claim(store, &made, 7 + lease()).await, Claimed::Nothing);
        let end = Finish {
            ending: ending(ReplyStatus::Stopped, FinishReason::Stopped),
            ..new_finish(&held, 9)
        };
        let last = finish(store, end).await;
        assert_eq!(last[0].event, stopped(reason));
        assert_eq!(write(store, &held, 5, &["c"], 9).await, Kept::Fenced);
        let message = message(store, &made, &begun.message).await;
        assert_eq!(message.text(), "ab");
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
