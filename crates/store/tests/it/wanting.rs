//! What is wanted of a reply beyond its prompt: a session of its own, options, to be hidden.

use chat::contracts::{Begun, Change, Changes, InSession, NewReply, Prompt, Store};
use chat::limits::{REPLIES_QUEUED, RETRY_AWAITED};
use chat::types::{
    Cuid, Event, ExternalId, MessageRole, MessageView, NewMessage, NewSession, Once, PageSize,
    Parent, Part, Reply, ReplyOptions, Session, SessionFilter, SessionKey, SystemMessage,
    Timestamp, ToolOutput, Tries, WhenBusy,
};

use store::LeaseClock;

use crate::postgres;
use crate::reply_samples::{when_busy, wish, wish_once};
use crate::samples::{
    account, begin, claim_of, claim_work, cuid, cursor, delete, events, find, finish, messages,
    metadata, new_finish, new_message, new_reply, new_session, once, options, reply, session,
};

/// A reply in a session that is made with it.
fn in_new(session: NewSession, text: &str, at: i64) -> NewReply {
    NewReply {
        id: cuid(),
        owner: session.owner.clone(),
        session: InSession::New(Box::new(session)),
        prompt: Prompt::New(vec![new_message(text)]),
        message: cuid(),
        model: Some(crate::samples::model()),
        when_busy: WhenBusy::Queue,
        options: ReplyOptions::default(),
        hidden: false,
        created_at: Timestamp(at),
    }
}

fn called(owner: &Cuid, id: &str) -> NewSession {
    NewSession {
        external_id: ExternalId::parse(id).ok(),
        ..new_session(owner, "new", 2)
    }
}

async fn sessions(store: &dyn Store, owner: &Cuid) -> Vec<Session> {
    let (all, size) = (SessionFilter::default(), PageSize::new(100).unwrap());
    store.sessions(owner, all, None, size).await.unwrap().items
}

async fn find_reply(store: &dyn Store, owner: &Cuid, id: &Cuid) -> Option<(Reply, i64)> {
    store.find_reply(owner, id).await.unwrap()
}

pub async fn a_reply_makes_its_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let before = session(store, &ada, "one", 1).await;
    let new = NewSession {
        metadata: metadata("k", "v"),
        named: false,
        system_message: SystemMessage::parse("Be brief.").unwrap(),
        ..called(&ada, "hers")
    };
    let system = NewMessage {
        role: MessageRole::System,
        ..new_message("Be kind.")
    };
    let wished = NewReply {
        prompt: Prompt::New(vec![system, new_message("Why?")]),
        ..in_new(new.clone(), "", 2)
    };
    let Begun::Done {
        reply,
        session: number,
        interrupted: None,
    } = wish(store, wished).await
    else {
        panic!("it was refused");
    };
    assert_eq!(number, before.number + 1);
    let made = store.session_called(&ada, &new.external_id.unwrap()).await;
    let made = made.unwrap().unwrap();
    assert_eq!((&made.id, made.number), (&new.id, number));
    assert_eq!((&made.metadata, made.named), (&new.metadata, false));
    assert_eq!(made.system_message, new.system_message);
    assert_eq!(made.head.as_ref(), Some(&reply.message));
    assert_eq!(reply.session, made.id);
    let path = messages(store, &made, MessageView::Path, 100).await;
    let texts: Vec<_> = path.iter().map(|one| (one.seq, one.text())).collect();
    let expected = [(3, ""), (2, "Why?"), (1, "Be kind.")];
    assert_eq!(texts, expected.map(|(seq, text)| (seq, text.to_owned())));
    assert_eq!((&path[0].id, &path[1].id), (&reply.message, &reply.prompt));
    // All of it is told.
    let Changes::These(changes) = store.changes(&ada, Some(1)).await.unwrap() else {
        panic!("the cursor is known");
    };
    let told =
        |wanted: fn(&Change) -> bool| changes.iter().filter(|one| wanted(&one.change)).count();
    assert_eq!(told(|change| matches!(change, Change::Session(_))), 1);
    assert_eq!(told(|change| matches!(change, Change::Message(_))), 3);
    assert_eq!(told(|change| matches!(change, Change::Reply(_))), 1);
    let last = changes.iter().map(|one| one.number).max();
    assert_eq!(last, Some(cursor(store, &ada).await));
    let work = claim_work(store, &made, 3).await;
    assert_eq!((work.reply.id, work.prompt_seq), (reply.id, 2));
    assert_eq!(session(store, &ada, "three", 4).await.number, number + 1);
}

pub async fn a_reply_finds_the_session_that_its_client_calls_so(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = store.create_session(called(&ada, "x"), None).await.unwrap();
    for _ in 0..2 {
        let begun = wish(store, in_new(called(&ada, "x"), "a", 3)).await;
        assert!(matches!(begun, Begun::Done { session, .. } if session == made.number));
    }
    assert_eq!(
        messages(store, &made, MessageView::Path, 100).await.len(),
        4
    );
    assert_eq!(sessions(store, &ada).await.len(), 1);
    let begun = wish(store, in_new(called(&bob, "x"), "a", 3)).await;
    assert!(matches!(begun, Begun::Done { session, .. } if session == made.number + 1));
    assert_eq!(sessions(store, &bob).await.len(), 1);
}

pub async fn a_refused_reply_leaves_no_session_behind(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let other = session(store, &ada, "one", 1).await;
    let prompt = begin(store, &other, "first", 2).await.prompt;
    let (last, there) = (cursor(store, &ada).await, sessions(store, &ada).await);
    let behind = NewMessage {
        parent: Parent::Message(prompt.clone()),
        ..new_message("a")
    };
    let output = NewMessage {
        role: MessageRole::Tool,
        content: vec![Part::ToolOutput(ToolOutput {
            call: "c".into(),
            output: "o".into(),
        })],
        ..new_message("")
    };
    let fresh = || in_new(called(&ada, "x"), "a", 3);
    for (new, expected) in [
        (
            NewReply {
                model: None,
                ..fresh()
            },
            Begun::NoModel,
        ),
        (
            NewReply {
                prompt: Prompt::Existing(prompt),
                ..fresh()
            },
            Begun::NoSuchPrompt,
        ),
        (
            NewReply {
                prompt: Prompt::New(vec![]),
                ..fresh()
            },
            Begun::NoSuchPrompt,
        ),
        (
            NewReply {
                prompt: Prompt::New(vec![new_message("a"), behind]),
                ..fresh()
            },
            Begun::NoSuchParent(1),
        ),
        (
            NewReply {
                prompt: Prompt::New(vec![output]),
                ..fresh()
            },
            Begun::NoSuchCall(0),
        ),
    ] {
        assert_eq!(wish(store, new.clone()).await, expected);
        let refused = wish_once(store, new, once("k", 1)).await;
        assert_eq!(refused.unwrap(), expected);
    }
    assert_eq!(cursor(store, &ada).await, last);
    assert_eq!(sessions(store, &ada).await, there);
    // Nor was a number used up, or the name, or the key.
    let begun = wish_once(store, fresh(), once("k", 2)).await.unwrap();
    assert!(matches!(begun, Begun::Done { session, .. } if session == other.number + 1));
}

pub async fn a_session_that_is_there_may_be_busy(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = store.create_session(called(&ada, "x"), None).await.unwrap();
    begin(store, &made, "first", 2).await;
    let rejecting = NewReply {
        when_busy: WhenBusy::Reject,
        ..in_new(called(&ada, "x"), "a", 3)
    };
    assert_eq!(wish(store, rejecting).await, Begun::Busy);
    for _ in 1..REPLIES_QUEUED {
        begin(store, &made, "next", 2).await;
    }
    let (last, before) = (cursor(store, &ada).await, find(store, &made).await);
    let full = wish(store, in_new(called(&ada, "x"), "a", 3)).await;
    assert_eq!(full, Begun::QueueFull);
    assert_eq!(cursor(store, &ada).await, last);
    assert_eq!(sessions(store, &ada).await, [before]);
}

pub async fn a_repeated_wish_makes_one_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let ask = |once| wish_once(store, in_new(new_session(&ada, "new", 2), "a", 3), once);
    let first = ask(once("k", 1)).await.unwrap();
    assert_eq!(ask(once("k", 1)).await.unwrap(), first);
    let made = &sessions(store, &ada).await[..];
    assert_eq!(made.len(), 1);
    // A client that counts its tries begins anew, and its next try finds that.
    let anew = Once {
        tries: Tries::First,
        ..once("k", 2)
    };
    let second = ask(anew).await.unwrap();
    assert_ne!(second, first);
    assert_eq!(ask(once("k", 2)).await.unwrap(), second);
    assert_eq!(sessions(store, &ada).await.len(), 2);
    delete(store, &made[0], 5).await;
    assert_eq!(ask(once("k", 2)).await.unwrap(), second);
}

pub async fn a_later_try_finds_a_reply_until_it_has_ended_for_a_while(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let ask = async |tries, at| {
        let once = Once {
            tries,
            ..once("k", 1)
        };
        match wish_once(store, new_reply(&made, "Why?", at), once).await {
            Ok(Begun::Done { reply, .. }) => reply.id,
            other => panic!("{other:?}"),
        }
    };
    let end = async |at| {
        let work = claim_work(store, &made, at).await;
        finish(store, new_finish(&claim_of(&made, &work), at)).await;
    };
    let first = ask(Tries::First, 2).await;
    let long = Timestamp(2).after(RETRY_AWAITED).0 + 5;
    // One that has not ended is found however long it takes.
    assert_eq!(ask(Tries::Later, long).await, first);
    end(long).await;
    let last = Timestamp(long).after(RETRY_AWAITED).0;
    assert_eq!(ask(Tries::Later, last).await, first);
    // A key of a client's own making holds.
    assert_eq!(ask(Tries::Keyed, last + 1).await, first);
    let second = ask(Tries::Later, last + 1).await;
    assert_ne!(second, first);
    // The new one is what is found from now on.
    assert_eq!(ask(Tries::Later, last + 2).await, second);
    assert_eq!(ask(Tries::Keyed, last + 2).await, second);
    end(last + 3).await;
    assert_eq!(ask(Tries::Later, last + 3).await, second);
}

pub async fn options_are_there_for_whoever_writes_the_reply(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let wished = NewReply {
        options: options(),
        hidden: true,
        ..new_reply(&made, "Why?", 2)
    };
    let Begun::Done { reply: begun, .. } = wish(store, wished).await else {
        panic!("it was refused");
    };
    assert_eq!((&begun.options, begun.hidden), (&options(), true));
    let plain = begin(store, &made, "second", 2).await;
    assert_eq!(
        (&plain.options, plain.hidden),
        (&ReplyOptions::default(), false)
    );
    let work = claim_work(store, &made, 3).await;
    assert_eq!(work.reply.options, options());
    finish(store, new_finish(&claim_of(&made, &work), 4)).await;
    let ended = reply(store, &made, &begun.id).await;
    assert_eq!((&ended.options, ended.hidden), (&options(), true));
    let all = events(store, &ada, &begun.id, 0).await;
    let Event::Accepted {
        reply: accepted, ..
    } = &all[0].event
    else {
        panic!("{all:?}");
    };
    assert_eq!(**accepted, begun);
    let work = claim_work(store, &made, 5).await;
    assert_eq!(work.reply.options, ReplyOptions::default());
}

pub async fn a_reply_is_found_by_its_identifier_alone(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let found = find_reply(store, &ada, &begun.id).await;
    assert_eq!(found, Some((begun.clone(), made.number)));
    assert_eq!(find_reply(store, &bob, &begun.id).await, None);
    assert_eq!(find_reply(store, &ada, &begun.message).await, None);
    delete(store, &made, 3).await;
    assert_eq!(find_reply(store, &ada, &begun.id).await, None);
}

pub async fn a_reply_is_hidden_once(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let last = cursor(store, &ada).await;
    let hide =
        async |owner: &Cuid, id: &Cuid| store.hide_reply(owner.clone(), id.clone()).await.unwrap();
    assert!(!hide(&bob, &begun.id).await);
    assert!(!hide(&ada, &begun.message).await);
    assert_eq!(reply(store, &made, &begun.id).await, begun);
    assert!(hide(&ada, &begun.id).await);
    let hidden = Reply {
        hidden: true,
        ..begun.clone()
    };
    let found = find_reply(store, &ada, &begun.id).await;
    assert_eq!(found, Some((hidden.clone(), made.number)));
    assert!(!hide(&ada, &begun.id).await);
    assert_eq!(cursor(store, &ada).await, last);
    // It is written as any other.
    let work = claim_work(store, &made, 3).await;
    assert_eq!(work.reply.id, begun.id);
    finish(store, new_finish(&claim_of(&made, &work), 4)).await;
    assert!(reply(store, &made, &begun.id).await.hidden);
    let key = SessionKey::Cuid(made.id.clone());
    let still = store.reply(&ada, &key, &begun.id).await.unwrap();
    assert!(still.is_some());
    let next = wish(store, when_busy(&made, WhenBusy::Reject, 5)).await;
    assert!(matches!(next, Begun::Done { .. }));
}

#[tokio::test]
async fn nodes_that_want_a_session_of_one_name_at_once_share_it_and_all_that_is_wanted() {
    let (one, database) = postgres::fresh(postgres::OLDEST).await;
    let two = postgres::open(&database.url(), LeaseClock::Arguments).await;
    let ada = account(&*one, "a@x").await.id;
    let wished = || NewReply {
        options: options(),
        ..in_new(called(&ada, "x"), "a", 2)
    };
    let create = |node| Store::create_session(node, called(&ada, "x"), None);
    let (first, second, third, fourth) = tokio::join!(
        wish(&*one, wished()),
        create(&*two),
        wish(&*two, wished()),
        create(&*one),
    );
    let made = second.unwrap();
    assert_eq!(fourth.unwrap().id, made.id);
    for begun in [first, third] {
        assert!(matches!(begun, Begun::Done { session, .. } if session == made.number));
    }
    assert_eq!(sessions(&*one, &ada).await.len(), 1);
    for node in [&two, &one] {
        let work = claim_work(&**node, &made, 3).await;
        assert_eq!(work.reply.options, options());
        finish(&**node, new_finish(&claim_of(&made, &work), 4)).await;
    }
    database.delete().await;
}
