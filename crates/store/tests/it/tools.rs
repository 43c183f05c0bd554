//! Calls of tools, their outputs, and parts that are removed.

use chat::contracts::{
    Append, Appended, Begun, Changes, Finish, Kept, NewReply, Prompt, Store, StoreError,
};
use chat::types::{
    Cuid, Event, FinishReason, Message, MessageRole, MessageView, NewMessage, NumberedEvent, Once,
    Parent, Part, ReplyStatus, Session, Timestamp, ToolCall, ToolOutput,
};

use crate::reply_samples::{answering, assert_read_on, lease, thought, wish};
use crate::samples::{
    account, append, append_texts, begin, call, claim_of, claim_work, cuid, cursor, ending, events,
    find, finish, key, look, message, messages, new_finish, new_message, new_reply, numbered, once,
    says, session, text, write,
};

fn calls(ids: &[&str]) -> NewMessage {
    let calls = ids.iter().map(|id| {
        Part::ToolCall(ToolCall {
            id: (*id).into(),
            name: "look_up".into(),
            arguments: "{}".into(),
        })
    });
    NewMessage {
        role: MessageRole::Assistant,
        content: calls.collect(),
        ..new_message("")
    }
}

fn outputs(ids: &[&str]) -> NewMessage {
    let outputs = ids.iter().map(|id| {
        Part::ToolOutput(ToolOutput {
            call: (*id).into(),
            output: String::new(),
        })
    });
    NewMessage {
        role: MessageRole::Tool,
        content: outputs.collect(),
        ..new_message("")
    }
}

fn behind(parent: &Cuid, new: NewMessage) -> NewMessage {
    NewMessage {
        parent: Parent::Message(parent.clone()),
        ..new
    }
}

async fn try_append(
    store: &dyn Store,
    session: &Session,
    new: Vec<NewMessage>,
    once: Option<Once>,
) -> Result<Appended, StoreError> {
    let owner = session.owner.clone();
    let appended = store.append_messages(owner, key(session), new, Timestamp(3), once);
    appended.await
}

pub async fn tools_parts_and_roles_come_back(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let output = Part::ToolOutput(ToolOutput {
        call: "a\"".into(),
        output: "{\"\u{1F9EF}\":\u{7F}}".into(),
    });
    let brought = NewMessage {
        content: vec![output],
        ..outputs(&[])
    };
    let new = vec![calls(&["a\"", "b"]), brought];
    let contents: Vec<_> = new.iter().map(|new| new.content.clone()).collect();
    let mut appended = append(store, &made, new, 2).await;
    assert_eq!(appended[1].role, MessageRole::Tool);
    for (message, content) in appended.iter().zip(contents) {
        assert_eq!(message.content, content);
    }
    appended.reverse();
    assert_eq!(
        messages(store, &made, MessageView::Path, 100).await,
        appended
    );
}

pub async fn an_output_follows_a_message_that_makes_its_call(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    // Among those that come together, with tools' messages in between.
    let new = vec![
        calls(&["a", "b", "c"]),
        outputs(&["a"]),
        outputs(&["c", "b"]),
    ];
    let first = append(store, &made, new, 2).await;
    // Behind tools' messages that were there, or beside them.
    for (parent, ids) in [(0, ["c"]), (1, ["b"])] {
        let beside = behind(&first[parent].id, outputs(&ids));
        append(store, &made, vec![beside], 3).await;
    }
    append(store, &made, vec![outputs(&["c"])], 4).await;
}

pub async fn a_call_has_one_output_on_a_path(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let new = vec![calls(&["a", "b", "c"]), outputs(&["a"]), outputs(&["b"])];
    let there = append(store, &made, new, 2).await;
    let before = look(store, &made).await;
    let caller = &there[0].id;
    for (at, new) in [
        // It has one right above, further above, or among those that come together.
        (0, vec![outputs(&["b"])]),
        (0, vec![outputs(&["a"])]),
        (1, vec![outputs(&["c"]), outputs(&["c"])]),
        (1, vec![behind(caller, outputs(&["c"])), outputs(&["c"])]),
        (1, vec![outputs(&["c"]), outputs(&["a"])]),
        (2, vec![calls(&["a"]), outputs(&["a"]), outputs(&["a"])]),
        (0, vec![outputs(&["c", "c"])]),
        (0, vec![outputs(&["c", "a"])]),
    ] {
        let refused = try_append(store, &made, new.clone(), None).await;
        assert_eq!(refused.unwrap(), Appended::NoSuchCall(at));
        let reply = NewReply {
            prompt: Prompt::New(new),
            ..new_reply(&made, "", 3)
        };
        assert_eq!(wish(store, reply).await, Begun::NoSuchCall(at));
    }
    assert_eq!(look(store, &made).await, before);
    // Another message's call of that name, or another path, has nothing to do with it.
    let new = vec![outputs(&["c"]), calls(&["a"]), outputs(&["a"])];
    append(store, &made, new, 4).await;
    let beside = vec![behind(caller, outputs(&["c"])), outputs(&["b", "a"])];
    append(store, &made, beside, 5).await;
}

pub async fn an_output_of_no_call_is_refused_and_nothing_is_written(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let other = session(store, &ada, "two", 1).await;
    let new = vec![calls(&["a"]), outputs(&["a"]), new_message("well?")];
    let there = append(store, &made, new, 2).await;
    append(store, &other, vec![calls(&["a"])], 2).await;
    let before = look(store, &made).await;
    let root = NewMessage {
        parent: Parent::Root,
        ..outputs(&["a"])
    };
    let caller = &there[0].id;
    for (at, new) in [
        // A person's message is in between, whoever appended it.
        (0, vec![outputs(&["a"])]),
        (1, vec![new_message("x"), outputs(&["a"])]),
        (2, vec![calls(&["b"]), new_message("x"), outputs(&["b"])]),
        (0, vec![root]),
        // One of several is of no call, or of one that is made further above.
        (0, vec![behind(caller, outputs(&["a", "b"]))]),
        (0, vec![behind(&there[1].id, outputs(&["b"]))]),
        (
            2,
            vec![
                behind(caller, outputs(&["a"])),
                calls(&["b"]),
                outputs(&["a"]),
            ],
        ),
    ] {
        for once in [None, Some(once("k", 1))] {
            let refused = try_append(store, &made, new.clone(), once).await;
            assert_eq!(refused.unwrap(), Appended::NoSuchCall(at));
        }
        let reply = NewReply {
            prompt: Prompt::New(new),
            ..new_reply(&made, "", 3)
        };
        assert_eq!(wish(store, reply).await, Begun::NoSuchCall(at));
    }
    assert_eq!(look(store, &made).await, before);
}

pub async fn a_retry_of_outputs_is_answered_whatever_has_become_of_their_call(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let caller = append(store, &made, vec![calls(&["a"])], 2).await;
    let new = vec![behind(&caller[0].id, outputs(&["a"]))];
    let first = try_append(store, &made, new.clone(), Some(once("k", 1))).await;
    let gone = store.remove_parts(ada, key(&made), caller[0].id.clone(), 0..1);
    assert_eq!(gone.await.unwrap().unwrap().content, [Part::Removed]);
    let again = try_append(store, &made, new.clone(), Some(once("k", 1))).await;
    assert_eq!(again.unwrap(), first.unwrap());
    let anew = try_append(store, &made, new, None).await;
    assert_eq!(anew.unwrap(), Appended::NoSuchCall(0));
}

/// A reply that has ended with two calls, and all of its events.
async fn calling(store: &dyn Store, made: &Session) -> (Message, Vec<NumberedEvent>) {
    let begun = begin(store, made, "first", 2).await;
    let held = claim_of(made, &claim_work(store, made, 3).await);
    let mut deltas = vec![thought("hm"), text("Let me "), text("see.")];
    deltas.extend(call("a", "look_up", &["{\"q\"", ":\u{1F9EF}", "}"]));
    let written = Append {
        claim: held.clone(),
        events: numbered(2, deltas),
        renew: false,
    };
    let kept = store.append_events(vec![written.clone()], Timestamp(4));
    assert_eq!(kept.await.unwrap(), [Kept::Yes]);
    // What may have been committed is tried again.
    let kept = store.append_events(vec![written], Timestamp(4)).await;
    assert_eq!(kept.unwrap(), [Kept::Yes]);
    let mut seen = events(store, &made.owner, &begun.id, 0).await;
    let end = Finish {
        deltas: call("b", "look_up", &[]),
        ending: ending(ReplyStatus::Done, FinishReason::ToolCalls),
        ..new_finish(&held, 5)
    };
    seen.extend(finish(store, end).await);
    assert_eq!(seen.len(), 11);
    assert_read_on(store, &made.owner, &begun.id, &seen).await;
    (message(store, made, &begun.message).await, seen)
}

pub async fn a_reply_that_calls_tools_is_read_the_same_before_and_after_its_end(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let (message, _) = calling(store, &made).await;
    let called = |id: &str, arguments: &str| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: "look_up".into(),
            arguments: arguments.into(),
        })
    };
    let content = [
        Part::Reasoning("hm".into()),
        Part::Text("Let me see.".into()),
        called("a", "{\"q\":\u{1F9EF}}"),
        called("b", ""),
    ];
    assert_eq!(message.content, content);
    assert_eq!(message.finish_reason, Some(FinishReason::ToolCalls));
}

pub async fn only_the_calls_of_the_last_attempt_are_made(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let mut at = 3;
    for (from, id) in [(2, "a"), (6, "b")] {
        let held = claim_of(&made, &claim_work(store, &made, at).await);
        let written = Append {
            claim: held.clone(),
            events: numbered(from, call(id, "look_up", &["{}"])),
            renew: false,
        };
        let kept = store.append_events(vec![written], Timestamp(at)).await;
        assert_eq!(kept.unwrap(), [Kept::Yes]);
        at += lease();
        if id == "b" {
            finish(store, new_finish(&held, at)).await;
        }
    }
    let message = message(store, &made, &begun.message).await;
    let ids: Vec<_> = message.tool_calls().map(|call| call.id.as_str()).collect();
    assert_eq!(ids, ["b"]);
    let all = events(store, &ada, &begun.id, 0).await;
    assert!(all.iter().map(|one| one.number).eq(0..9));
}

pub async fn the_outputs_of_a_replys_calls_are_answered_by_another_reply(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let (caller, _) = calling(store, &made).await;
    let new = NewReply {
        prompt: Prompt::New(vec![outputs(&["a"]), outputs(&["b"])]),
        ..new_reply(&made, "", 6)
    };
    let Begun::Done { reply, .. } = wish(store, new).await else {
        panic!("it was refused");
    };
    let path = messages(store, &made, MessageView::Path, 100).await;
    let roles: Vec<_> = path.iter().map(|one| one.role).collect();
    assert_eq!(
        roles[..4],
        [
            MessageRole::Assistant,
            MessageRole::Tool,
            MessageRole::Tool,
            MessageRole::Assistant
        ]
    );
    assert_eq!((&path[1].id, &path[0].id), (&reply.prompt, &reply.message));
    assert_eq!(path[3].id, caller.id);
    // The outputs may be there already, too.
    let begun = wish(store, answering(&made, &path[2].id)).await;
    assert!(matches!(begun, Begun::Done { reply, .. } if reply.prompt == path[2].id));
    let refused = wish(store, answering(&made, &caller.id)).await;
    assert_eq!(refused, Begun::NoSuchPrompt);
}

pub async fn a_message_is_found_in_its_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let other = session(store, &ada, "two", 1).await;
    let there = append_texts(store, &made, &["a", "b"], 2).await;
    let find = async |owner: &Cuid, session: &Session, id: &Cuid| {
        store.message(owner, &key(session), id).await.unwrap()
    };
    assert_eq!(
        find(&ada, &made, &there[0].id).await,
        Some(there[0].clone())
    );
    assert_eq!(find(&ada, &other, &there[0].id).await, None);
    assert_eq!(find(&bob, &made, &there[0].id).await, None);
    assert_eq!(find(&ada, &made, &cuid()).await, None);
}

pub async fn parts_that_are_removed_leave_their_places_and_the_numbers_of_events(
    store: &dyn Store,
) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let (before, seen) = calling(store, &made).await;
    let (session_before, last) = (find(store, &made).await, cursor(store, &ada).await);
    let remove = async |parts| {
        let id = before.id.clone();
        let removed = store.remove_parts(ada.clone(), key(&made), id, parts);
        removed.await.unwrap().unwrap()
    };
    let mut expected = before.clone();
    expected.content[1..3].fill(Part::Removed);
    assert_eq!(remove(1..3).await, expected);
    assert_eq!(message(store, &made, &before.id).await, expected);
    // Other devices are told, and that is all that has changed.
    let Changes::These(changes) = store.changes(&ada, Some(last)).await.unwrap() else {
        panic!("the cursor is known");
    };
    let told = chat::contracts::Fresh {
        number: last + 1,
        change: chat::contracts::Change::Message(expected.clone()),
    };
    assert_eq!(changes, [told]);
    assert_eq!(find(store, &made).await, session_before);
    // What is gone is not told any more, but under which numbers it was.
    let reply = before.reply.as_ref().unwrap();
    let gone: Vec<_> = seen
        .iter()
        .map(|one| match &one.event {
            Event::Delta(_) if (3..=8).contains(&one.number) => NumberedEvent {
                number: one.number,
                event: Event::Delta(text("")),
            },
            _ => one.clone(),
        })
        .collect();
    assert_read_on(store, &ada, reply, &gone).await;
    // Again, or where nothing is, it changes nothing.
    for parts in [1..3, 2..2, 4..100, 100..usize::MAX] {
        assert_eq!(remove(parts).await, expected);
    }
    assert_eq!(cursor(store, &ada).await, last + 1);
    expected.content[3] = Part::Removed;
    assert_eq!(remove(3..usize::MAX).await, expected);
}

pub async fn what_earlier_attempts_had_written_goes_with_parts_that_are_removed(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    // Another reply keeps what it has.
    let mut kept = Vec::new();
    for is_removed in [false, true] {
        let at = 2 + i64::from(is_removed) * 10 * lease();
        let begun = begin(store, &made, "first", at).await;
        let broken_off = claim_of(&made, &claim_work(store, &made, at).await);
        let mut deltas = vec![thought("hm"), text("Let me ")];
        deltas.extend(call("a", "look_up", &["{}"]));
        let written = Append {
            claim: broken_off,
            events: numbered(2, deltas),
            renew: false,
        };
        let appended = store.append_events(vec![written], Timestamp(at)).await;
        assert_eq!(appended.unwrap(), [Kept::Yes]);
        let held = claim_of(&made, &claim_work(store, &made, at + lease()).await);
        write(store, &held, 8, &["a", "b"], at + lease()).await;
        finish(store, new_finish(&held, at + lease())).await;
        let mut all = events(store, &ada, &begun.id, 0).await;
        if is_removed {
            let id = begun.message.clone();
            let removed = store.remove_parts(ada.clone(), key(&made), id, 0..1);
            assert_eq!(removed.await.unwrap().unwrap().content, [Part::Removed]);
            let blank = call("", "", &[""]);
            let blank = [vec![thought(""), text("")], blank, vec![text(""); 2]].concat();
            let deltas = all
                .iter_mut()
                .filter(|one| matches!(one.event, Event::Delta(_)));
            for (event, blank) in deltas.zip(blank) {
                event.event = Event::Delta(blank);
            }
        }
        kept.push((begun.id, all));
    }
    for (reply, all) in &kept {
        assert_read_on(store, &ada, reply, all).await;
    }
}

pub async fn parts_of_what_has_not_ended_or_is_somebody_elses_stay(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let other = session(store, &ada, "two", 1).await;
    let begun = begin(store, &made, "first", 2).await;
    let remove = async |owner: &Cuid, session: &Session, id: &Cuid| {
        let removed = store.remove_parts(owner.clone(), key(session), id.clone(), 0..9);
        removed.await.unwrap()
    };
    for running in [false, true] {
        if running {
            let held = claim_of(&made, &claim_work(store, &made, 3).await);
            write(store, &held, 2, &["a"], 4).await;
        }
        let before = look(store, &made).await;
        let open = message(store, &made, &begun.message).await;
        assert_eq!(remove(&ada, &made, &begun.message).await, Some(open));
        for (owner, session) in [(&bob, &made), (&ada, &other)] {
            assert_eq!(remove(owner, session, &begun.prompt).await, None);
        }
        assert_eq!(remove(&ada, &made, &cuid()).await, None);
        assert_eq!(look(store, &made).await, before);
    }
    assert_eq!(
        message(store, &made, &begun.prompt).await.content,
        says("first")
    );
}
