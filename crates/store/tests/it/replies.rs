use chat::contracts::{
    Begun, Claimed, Finish, Interrupted, Kept, NewReply, Prompt, Stopped, Store, StoreError,
};
use chat::limits::REPLIES_QUEUED;
use chat::types::{
    Event, FinishReason, Message, MessageRole, MessageView, NewMessage, NumberedEvent, Parent,
    Reply, ReplyOptions, ReplyStatus, Timestamp, WhenBusy,
};

use crate::reply_samples::{
    answering, done, lease, open, open_ids, stop, stopped, when_busy, wish, wish_once,
};
use crate::samples::{
    account, append, append_texts, begin, claim, claim_of, claim_work, cuid, delete, ending,
    events, find, finish, look, message, messages, model, new_finish, new_message, new_reply, once,
    reply, says, session, text, write,
};

pub async fn a_reply_is_accepted_with_its_prompt_and_an_empty_message(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let before = append_texts(store, &made, &["a"], 2).await;
    let new = new_reply(&made, "Why?", 3);
    let Prompt::New(prompts) = &new.prompt else {
        panic!("it is a new one");
    };
    let prompt_id = prompts[0].id.clone();
    let expected = Reply {
        id: new.id.clone(),
        session: made.id.clone(),
        prompt: prompt_id.clone(),
        message: new.message.clone(),
        status: ReplyStatus::Queued,
        attempt: 0,
        model: model(),
        options: ReplyOptions::default(),
        hidden: false,
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
        reply: None,
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
        reply: Some(new.id.clone()),
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
            prompt: Prompt::New(vec![NewMessage {
                parent,
                ..new_message("Why?")
            }]),
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
            prompt: Prompt::New(vec![NewMessage {
                parent: Parent::Message(parent.clone()),
                ..new_message("Why?")
            }]),
            ..new_reply(&made, "", 3)
        };
        let refused = wish_once(store, new, once("k", 1)).await;
        assert_eq!(refused.unwrap(), Begun::NoSuchParent(0));
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
    let work = claim_work(store, &made, 4).await;
    assert_eq!(work.reply.id, first.id);
    let third = wish(store, when_busy(&made, WhenBusy::Interrupt, 5)).await;
    let Begun::Done { interrupted, .. } = third else {
        panic!("{third:?}");
    };
    let expected = Interrupted {
        reply: first.id.clone(),
        ended: None,
    };
    assert_eq!(interrupted, Some(expected));
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
    assert_eq!(open(store, &made).await.len(), 1);
}

pub async fn an_interruption_ends_the_reply_that_was_about_to_run(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let first = begin(store, &made, "first", 2).await;
    let second = begin(store, &made, "second", 3).await;
    let third = wish(store, when_busy(&made, WhenBusy::Interrupt, 4)).await;
    let Begun::Done {
        interrupted, reply, ..
    } = third
    else {
        panic!("{third:?}");
    };
    let Some(Interrupted { reply: id, ended }) = interrupted else {
        panic!("{interrupted:?}");
    };
    assert_eq!(id, first.id);
    assert_eq!(ended.unwrap()[0].event, stopped(FinishReason::Interrupted));
    // Those behind it keep their turn.
    assert_eq!(open_ids(store, &made).await, [second.id, reply.id]);
}

pub async fn without_a_model_only_what_was_accepted_before_is_found(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let new = new_reply(&made, "first", 2);
    let begun = wish_once(store, new.clone(), once("k", 1)).await.unwrap();
    let modelless = NewReply {
        model: None,
        ..new_reply(&made, "first", 3)
    };
    let again = wish_once(store, modelless.clone(), once("k", 1)).await;
    assert_eq!(again.unwrap(), begun);
    assert_eq!(wish(store, modelless).await, Begun::NoModel);
    assert_eq!(open(store, &made).await.len(), 1);
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
    assert_eq!(write(store, &held, 2, &["more"], 6).await, Kept::ToStop);
    let end = Finish {
        ending: ending(ReplyStatus::Stopped, FinishReason::Stopped),
        ..new_finish(&held, 7)
    };
    let last = finish(store, end).await;
    assert_eq!(last[0].event, stopped(FinishReason::Stopped));
    let message = message(store, &made, &begun.message).await;
    assert_eq!(message.text(), "more");
}
