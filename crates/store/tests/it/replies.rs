use chat::contracts::{
    Append, Begun, Changes, Claim, Claimed, Finish, Finished, Kept, NewReply, Prompt, Stopped,
    Store, StoreError,
};
use chat::limits::{EVENTS_READ, LEASE, REPLIES_QUEUED, REPLY_ATTEMPTS};
use chat::types::{
    Cuid, Delta, Ending, Event, FinishReason, Message, MessageRole, MessageView, NewMessage,
    NumberedEvent, Once, Parent, Part, Reply, ReplyError, ReplyErrorKind, ReplyStatus, Session,
    SessionKey, Timestamp, WhenBusy,
};

use crate::samples::{
    account, append, append_texts, begin, claim, claim_of, claim_work, cuid, cursor, delete,
    ending, events, find, finish, key, look, message, messages, model, move_head, new_finish,
    new_message, new_reply, numbered, once, reply, says, session, text, tokens, write,
};

/// How long a lease holds, in milliseconds.
fn lease() -> i64 {
    Timestamp(0).after(LEASE).0
}

async fn wish(store: &dyn Store, new: NewReply) -> Begun {
    store.begin_reply(new, None).await.unwrap()
}

async fn wish_once(store: &dyn Store, new: NewReply, once: Once) -> Result<Begun, StoreError> {
    store.begin_reply(new, Some(once)).await
}

fn when_busy(session: &Session, when_busy: WhenBusy, at: i64) -> NewReply {
    NewReply {
        when_busy,
        ..new_reply(session, "and?", at)
    }
}

fn answering(session: &Session, prompt: &Cuid) -> NewReply {
    NewReply {
        prompt: Prompt::Existing(prompt.clone()),
        ..new_reply(session, "", 3)
    }
}

async fn stop(store: &dyn Store, session: &Session, reply: &Cuid, at: i64) -> Option<Stopped> {
    let owner = session.owner.clone();
    let stopped = store.stop_reply(owner, key(session), reply.clone(), Timestamp(at));
    stopped.await.unwrap()
}

async fn open(store: &dyn Store, session: &Session) -> Vec<Reply> {
    let open = store.open_replies(&session.owner, &key(session)).await;
    open.unwrap().unwrap()
}

async fn open_ids(store: &dyn Store, session: &Session) -> Vec<Cuid> {
    let open = open(store, session).await.into_iter();
    open.map(|reply| reply.id).collect()
}

async fn stranded(store: &dyn Store, at: i64, most: u32) -> Vec<i64> {
    let found = store.stranded(Timestamp(at), most).await.unwrap();
    let mut numbers: Vec<_> = found.into_iter().map(|(_, number)| number).collect();
    numbers.sort_unstable();
    numbers
}

/// Renews a lease and appends nothing.
async fn renew(store: &dyn Store, claim: &Claim, at: i64) -> Kept {
    let append = Append {
        claim: claim.clone(),
        events: numbered(0, Vec::new()),
        renew: true,
    };
    let kept = store.append_events(vec![append], Timestamp(at)).await;
    kept.unwrap()[0]
}

/// The events without what was accepted.
fn behind_acceptance(events: &[NumberedEvent]) -> Vec<Event> {
    assert!(matches!(events[0].event, Event::Accepted { .. }));
    let events = events[1..].iter();
    events.map(|event| event.event.clone()).collect()
}

fn started(attempt: u32) -> Event {
    let model = model();
    Event::Started { attempt, model }
}

fn delta(of: &str) -> Event {
    Event::Delta(text(of))
}

fn thought(text: &str) -> Delta {
    Delta::Reasoning(text.into())
}

fn stopped(reason: FinishReason) -> Event {
    Event::Finished(ending(ReplyStatus::Stopped, reason))
}

fn done() -> Event {
    Event::Finished(ending(ReplyStatus::Done, FinishReason::Stop))
}

/// Whatever number a reader has got to, it reads on as one does who saw everything happen.
async fn assert_read_on(store: &dyn Store, owner: &Cuid, reply: &Cuid, seen: &[NumberedEvent]) {
    for (number, event) in (0..).zip(seen) {
        assert_eq!(event.number, number);
    }
    for (from, rest) in (0..).zip((0..=seen.len()).map(|at| &seen[at..])) {
        assert_eq!(events(store, owner, reply, from).await, rest);
    }
}

pub async fn a_reply_is_accepted_with_its_prompt_and_an_empty_message(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let before = append_texts(store, &made, &["a"], 2).await;
    let new = new_reply(&made, "Why?", 3);
    let Prompt::New { id: prompt_id, .. } = new.prompt.clone() else {
        panic!("it is a new one");
    };
    let expected = Reply {
        id: new.id.clone(),
        session: made.id.clone(),
        prompt: prompt_id.clone(),
        message: new.message.clone(),
        status: ReplyStatus::Queued,
        attempt: 0,
        model: model(),
        usage: None,
        left_out: 0,
        error: None,
        created_at: Timestamp(3),
        finished_at: None,
    };
    let begun = Begun::Done {
        reply: expected.clone(),
        session: made.number,
        interrupted: None,
    };
    assert_eq!(wish(store, new.clone()).await, begun);
    let prompt = Message {
        id: prompt_id,
        session: made.id.clone(),
        seq: 2,
        depth: 2,
        parent: Some(before[0].id.clone()),
        role: MessageRole::User,
        content: says("Why?"),
        model: None,
        usage: None,
        finish_reason: None,
        status: ReplyStatus::Done,
        created_at: Timestamp(3),
    };
    let placeholder = Message {
        id: new.message,
        seq: 3,
        depth: 3,
        parent: Some(prompt.id.clone()),
        role: MessageRole::Assistant,
        content: Vec::new(),
        model: Some(model()),
        status: ReplyStatus::Queued,
        ..prompt.clone()
    };
    let path = messages(store, &made, MessageView::Path, 100).await;
    assert_eq!(path, [&placeholder, &prompt, &before[0]].map(Clone::clone));
    let now = find(store, &made).await;
    assert_eq!(now.head.as_ref(), Some(&placeholder.id));
    assert_eq!((now.version, now.updated_at), (3, Timestamp(3)));
    assert_eq!(reply(store, &made, &new.id).await, expected);
    assert_eq!(open(store, &made).await, std::slice::from_ref(&expected));
    let accepted = Event::Accepted {
        reply: Box::new(expected),
        prompt: Box::new(prompt),
    };
    let first = NumberedEvent {
        number: 0,
        event: accepted,
    };
    assert_eq!(events(store, &ada, &new.id, 0).await, [first]);
}

pub async fn a_prompt_follows_what_it_names(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let trunk = append_texts(store, &made, &["a", "b"], 2).await;
    for (parent, expected) in [
        (Parent::Message(trunk[0].id.clone()), Some(&trunk[0].id)),
        (Parent::Root, None),
    ] {
        let new = NewReply {
            prompt: Prompt::New {
                id: cuid(),
                parent,
                content: says("Why?"),
            },
            ..new_reply(&made, "", 3)
        };
        let Begun::Done { reply, .. } = wish(store, new).await else {
            panic!("it was refused");
        };
        let prompt = message(store, &made, &reply.prompt).await;
        assert_eq!(prompt.parent.as_ref(), expected);
    }
}

pub async fn a_reply_can_answer_a_message_that_is_there(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let prompts = append_texts(store, &made, &["a", "b"], 2).await;
    for seq in [3, 4] {
        let begun = wish(store, answering(&made, &prompts[0].id)).await;
        let Begun::Done { reply, .. } = begun else {
            panic!("{begun:?}");
        };
        assert_eq!(reply.prompt, prompts[0].id);
        let head = messages(store, &made, MessageView::Path, 100).await;
        assert_eq!((&head[0].id, head[0].seq), (&reply.message, seq));
        assert_eq!(head[1], prompts[0]);
        let first = events(store, &ada, &reply.id, 0).await;
        let Event::Accepted { prompt, .. } = &first[0].event else {
            panic!("{first:?}");
        };
        assert_eq!(**prompt, prompts[0]);
    }
    let work = claim_work(store, &made, 4).await;
    assert_eq!(work.prompt_seq, 1);
}

pub async fn a_prompt_has_to_be_a_persons_message_of_the_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let mut unfit = vec![cuid()];
    for role in [MessageRole::System, MessageRole::Assistant] {
        let new = NewMessage {
            role,
            ..new_message("a")
        };
        unfit.push(append(store, &made, vec![new], 2).await[0].id.clone());
    }
    for owner in [&ada, &bob] {
        let other = session(store, owner, "other", 1).await;
        unfit.push(append_texts(store, &other, &["x"], 2).await[0].id.clone());
    }
    let before = look(store, &made).await;
    for prompt in &unfit {
        let refused = wish(store, answering(&made, prompt)).await;
        assert_eq!(refused, Begun::NoSuchPrompt);
    }
    // What there is of a person's in another session is nothing to follow either.
    for parent in [&unfit[0], &unfit[3], &unfit[4]] {
        let new = NewReply {
            prompt: Prompt::New {
                id: cuid(),
                parent: Parent::Message(parent.clone()),
                content: says("Why?"),
            },
            ..new_reply(&made, "", 3)
        };
        let refused = wish_once(store, new, once("k", 1)).await;
        assert_eq!(refused.unwrap(), Begun::NoSuchParent);
    }
    assert_eq!(look(store, &made).await, before);
}

pub async fn a_session_that_replies_rejects_if_it_is_asked_to(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let free = wish(store, when_busy(&made, WhenBusy::Reject, 2)).await;
    assert!(matches!(free, Begun::Done { .. }));
    let other = session(store, &ada, "two", 1).await;
    for running in [false, true] {
        if running {
            claim_work(store, &made, 3).await;
        }
        let before = look(store, &made).await;
        let new = when_busy(&made, WhenBusy::Reject, 4);
        let refused = wish_once(store, new, once("k", u8::from(running))).await;
        assert_eq!(refused.unwrap(), Begun::Busy);
        assert_eq!(look(store, &made).await, before);
    }
    let beside = wish(store, when_busy(&other, WhenBusy::Reject, 4)).await;
    assert!(matches!(beside, Begun::Done { .. }));
}

pub async fn so_many_replies_wait_and_no_more(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let first = begin(store, &made, "first", 2).await;
    claim_work(store, &made, 3).await;
    for _ in 0..REPLIES_QUEUED {
        begin(store, &made, "next", 4).await;
    }
    let before = look(store, &made).await;
    assert_eq!(before.2.len(), REPLIES_QUEUED + 1);
    for choice in [WhenBusy::Queue, WhenBusy::Interrupt] {
        let refused = wish(store, when_busy(&made, choice, 5)).await;
        assert_eq!(refused, Begun::QueueFull);
    }
    assert_eq!(look(store, &made).await, before);
    // Nor was the running one told to end.
    let Claimed::Work(work) = claim(store, &made, 3 + lease()).await else {
        panic!("it was to go on");
    };
    assert_eq!(work.reply.id, first.id);
    assert_eq!(
        stop(store, &made, &before.2[3].id, 6 + lease())
            .await
            .map(|stopped| matches!(stopped, Stopped::Ended(_))),
        Some(true)
    );
    begin(store, &made, "there is room", 7 + lease()).await;
}

pub async fn an_interruption_ends_the_running_reply(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let first = begin(store, &made, "first", 2).await;
    // One that only waits is not interrupted.
    let second = wish(store, when_busy(&made, WhenBusy::Interrupt, 3)).await;
    assert!(matches!(
        second,
        Begun::Done {
            interrupted: None,
            ..
        }
    ));
    let work = claim_work(store, &made, 4).await;
    assert_eq!(work.reply.id, first.id);
    let third = wish(store, when_busy(&made, WhenBusy::Interrupt, 5)).await;
    let Begun::Done { interrupted, .. } = third else {
        panic!("{third:?}");
    };
    assert_eq!(interrupted.as_ref(), Some(&first.id));
    // A wish to stop it that comes later does not change why it ends.
    let asked = stop(store, &made, &first.id, 6).await;
    assert_eq!(asked, Some(Stopped::Asked(made.number)));
    let end = Finish {
        deltas: vec![text("so far")],
        ending: ending(ReplyStatus::Stopped, FinishReason::Stopped),
        ..new_finish(&claim_of(&made, &work), 7)
    };
    let last = finish(store, end).await;
    assert_eq!(last[1].event, stopped(FinishReason::Interrupted));
    let message = message(store, &made, &first.message).await;
    assert_eq!(message.finish_reason, Some(FinishReason::Interrupted));
    assert_eq!(message.text(), "so far");
    assert_eq!(open(store, &made).await.len(), 2);
}

pub async fn one_that_was_to_be_interrupted_may_still_be_complete(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    begin(store, &made, "first", 2).await;
    let work = claim_work(store, &made, 3).await;
    wish(store, when_busy(&made, WhenBusy::Interrupt, 4)).await;
    let last = finish(store, new_finish(&claim_of(&made, &work), 5)).await;
    assert_eq!(last[0].event, done());
}

pub async fn a_repeated_wish_gives_the_same_reply_and_writes_nothing(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let ask = async |request| {
        let new = when_busy(&made, WhenBusy::Reject, 2);
        wish_once(store, new, once("k", request)).await
    };
    let first = ask(1).await.unwrap();
    let Begun::Done { reply: begun, .. } = &first else {
        panic!("{first:?}");
    };
    let before = look(store, &made).await;
    assert_eq!(ask(1).await.unwrap(), first);
    assert!(matches!(ask(2).await, Err(StoreError::KeyReused)));
    assert_eq!(look(store, &made).await, before);
    // Later it is the reply as it is then.
    let work = claim_work(store, &made, 3).await;
    finish(store, new_finish(&claim_of(&made, &work), 4)).await;
    let before = look(store, &made).await;
    let again = Begun::Done {
        reply: reply(store, &made, &begun.id).await,
        session: made.number,
        interrupted: None,
    };
    assert_eq!(ask(1).await.unwrap(), again);
    assert_eq!(look(store, &made).await, before);
    delete(store, &made, 5).await;
    assert!(matches!(ask(1).await, Err(StoreError::Gone)));
}

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

pub async fn a_stopped_reply_that_waits_ends_at_once(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let next = begin(store, &made, "second", 3).await;
    let Some(Stopped::Ended(last)) = stop(store, &made, &begun.id, 4).await else {
        panic!("it waited");
    };
    let last: Vec<_> = last
        .into_iter()
        .map(|one| (one.number, one.event))
        .collect();
    assert_eq!(last, [(1, stopped(FinishReason::Stopped))]);
    let expected = Reply {
        status: ReplyStatus::Stopped,
        finished_at: Some(Timestamp(4)),
        ..begun.clone()
    };
    assert_eq!(reply(store, &made, &begun.id).await, expected);
    let message = message(store, &made, &begun.message).await;
    assert_eq!(message.status, ReplyStatus::Stopped);
    assert_eq!(message.finish_reason, Some(FinishReason::Stopped));
    assert_eq!(message.content, []);
    assert_eq!(
        stop(store, &made, &begun.id, 5).await,
        Some(Stopped::Before)
    );
    assert_eq!(claim_work(store, &made, 6).await.reply.id, next.id);
}

pub async fn a_stopped_reply_that_runs_is_left_to_its_writer(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let held = claim_of(&made, &claim_work(store, &made, 3).await);
    let before = reply(store, &made, &begun.id).await;
    for at in [4, 5] {
        let asked = stop(store, &made, &begun.id, at).await;
        assert_eq!(asked, Some(Stopped::Asked(made.number)));
    }
    assert_eq!(reply(store, &made, &begun.id).await, before);
    assert_eq!(write(store, &held, 2, &["more"], 6).await, Kept::Yes);
    let end = Finish {
        ending: ending(ReplyStatus::Stopped, FinishReason::Stopped),
        ..new_finish(&held, 7)
    };
    let last = finish(store, end).await;
    assert_eq!(last[0].event, stopped(FinishReason::Stopped));
    let message = message(store, &made, &begun.message).await;
    assert_eq!(message.text(), "more");
}

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
