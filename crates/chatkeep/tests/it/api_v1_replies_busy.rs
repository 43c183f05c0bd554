//! More than one reply in a chat; replies that are stopped, and chats that are deleted under them.

use serde_json::{Value, json};

use crate::provider::said;
use crate::sse::text_of;
use crate::talk::{Talk, id, text};

/// Begins a reply that waits for its release after two tokens, and waits until it has said them.
async fn stalled(talk: &Talk, chat: &crate::talk::Chat, name: &str) -> String {
    let prompt = format!("tokens=4 stall_after=2 {name}");
    let reply = chat.ask(&prompt).await;
    talk.provider.call(&prompt, |call| call.tokens == 2).await;
    let mut events = chat.watch(&reply).await;
    let mut text = Vec::new();
    while text_of(&text).split_terminator(' ').count() < 2 {
        text.push(events.next_of("delta").await);
    }
    reply
}

fn statuses(replies: &[Value]) -> Vec<&str> {
    let statuses = replies.iter().map(|reply| reply["status"].as_str());
    statuses.map(Option::unwrap).collect()
}

#[tokio::test]
async fn a_prompt_that_rejects_a_busy_chat_leaves_nothing_behind() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let reject = json!({ "prompt": "tokens=1 second", "whenBusy": "reject" });
    let reply = stalled(&talk, &chat, "first").await;
    let refused = chat.try_begin(reject.clone()).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(chat.tree().await.len(), 2);
    talk.provider.release();
    chat.ended(&reply).await;
    chat.ended(&id(&chat.begin(reject).await)).await;
    let wrong = json!({ "prompt": "hello", "whenBusy": "wait" });
    let refused = chat.try_begin(wrong).await;
    assert_eq!(refused.status, 400);
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.starts_with("whenBusy "), "{message}");
    assert_eq!(talk.provider.calls().len(), 2);
}

#[tokio::test]
async fn queued_replies_are_written_one_after_the_other_each_knowing_the_one_before() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let mut replies = vec![stalled(&talk, &chat, "0").await];
    for name in 1..=3 {
        replies.push(chat.ask(&format!("tokens=2 {name}")).await);
    }
    let open = chat.open().await;
    assert_eq!(statuses(&open), ["running", "queued", "queued", "queued"]);
    assert_eq!(open.iter().map(id).collect::<Vec<_>>(), replies);
    talk.provider.release();
    for reply in &replies {
        assert_eq!(chat.ended(reply).await["status"], "done");
    }
    let calls = talk.provider.calls();
    assert_eq!(calls.len(), 4);
    for (at, call) in calls.iter().enumerate().skip(1) {
        let told = call.body["messages"].as_array().unwrap();
        assert_eq!(told.len(), 2 * at + 1);
        let tokens = if at == 1 { 4 } else { 2 };
        assert_eq!(told[2 * at - 1]["content"], said(at - 1, tokens));
    }
    let path = chat.messages().await;
    assert_eq!(path.len(), 8);
    assert_eq!(text(&path[7]), said(3, 2));
}

#[tokio::test]
async fn an_eleventh_waiting_reply_is_refused_and_one_that_waits_can_be_cancelled() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let running = stalled(&talk, &chat, "0").await;
    let mut waiting = Vec::new();
    for name in 1..=10 {
        waiting.push(chat.ask(&format!("tokens=1 {name}")).await);
    }
    for when_busy in ["queue", "interrupt"] {
        let body = json!({ "prompt": "tokens=1 11", "whenBusy": when_busy });
        let refused = chat.try_begin(body).await;
        assert_eq!(refused.status, 409, "{when_busy}: {refused:?}");
    }
    assert_eq!(chat.open().await.len(), 11);
    let mut watched = chat.watch(&waiting[4]).await;
    let cancelled = chat.stop(&waiting[4]).await;
    assert_eq!(
        (&cancelled["status"], &cancelled["attempt"]),
        (&json!("stopped"), &json!(0))
    );
    let events = watched.rest().await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["accepted", "finished"]);
    let end = json!({ "status": "stopped", "reason": "stopped" });
    assert_eq!(events[1].json(), end);
    // Now there is room for another one.
    let last = chat.ask("tokens=1 11").await;
    talk.provider.release();
    assert_eq!(chat.ended(&running).await["status"], "done");
    assert_eq!(chat.ended(&last).await["status"], "done");
    let prompts = talk.provider.calls().into_iter().map(|call| call.prompt);
    let asked: Vec<String> = prompts.skip(1).collect();
    let expected = (1..=11).filter(|name| *name != 5);
    let expected: Vec<String> = expected.map(|name| format!("tokens=1 {name}")).collect();
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_prompt_that_interrupts_keeps_the_part_that_is_there() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let first = stalled(&talk, &chat, "first").await;
    let mut watched = chat.watch(&first).await;
    let body = json!({ "prompt": "tokens=2 second", "whenBusy": "interrupt" });
    let second = id(&chat.begin(body).await);
    let events = watched.rest().await;
    let end = json!({ "status": "stopped", "reason": "interrupted" });
    assert_eq!(events.last().unwrap().json(), end);
    assert_eq!(text_of(&events), said(0, 2));
    assert_eq!(chat.ended(&second).await["status"], "done");
    let path = chat.messages().await;
    assert_eq!(path.iter().map(text).collect::<Vec<_>>()[1], said(0, 2));
    assert_eq!(path[1]["finishReason"], "interrupted");
    assert_eq!(path[3]["parentId"], path[2]["id"]);
    talk.provider
        .call("tokens=4 stall_after=2 first", |call| call.closed.is_some())
        .await;
    // What was said so far is what the next one is told.
    let told = &talk.provider.calls()[1].body["messages"];
    assert_eq!(told[1]["content"], said(0, 2));
}

#[tokio::test]
async fn a_stopped_reply_keeps_what_was_streamed_and_its_provider_is_left_at_once() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let reply = stalled(&talk, &chat, "").await;
    let mut watched = chat.watch(&reply).await;
    let stopped = chat.stop(&reply).await;
    assert_eq!(stopped["status"], "stopped");
    let events = watched.rest().await;
    let end = json!({ "status": "stopped", "reason": "stopped" });
    assert_eq!(events.last().unwrap().json(), end);
    let message = chat.message_of(&stopped).await;
    assert_eq!(text(&message), text_of(&events));
    assert_eq!(text(&message), said(0, 2));
    assert_eq!(message["finishReason"], "stopped");
    let prompt = "tokens=4 stall_after=2 ";
    talk.provider
        .call(prompt, |call| call.closed.is_some())
        .await;
    // To stop it once more changes nothing, and nor does it for one that is done.
    assert_eq!(chat.stop(&reply).await, stopped);
    let done = chat.answered("tokens=2").await;
    assert_eq!(chat.stop(&id(&done)).await, done);
    assert_eq!(chat.reply(&id(&done)).await["status"], "done");
}

#[tokio::test]
async fn a_reply_that_is_stopped_before_its_first_word_says_nothing_to_the_next() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let reply = chat.ask("stall_after=0").await;
    talk.provider.call("stall_after=0", |_| true).await;
    let stopped = chat.stop(&reply).await;
    assert_eq!(stopped["status"], "stopped");
    assert_eq!(chat.message_of(&stopped).await["content"], json!([]));
    chat.answered("tokens=1").await;
    let told = talk.provider.calls()[1].body["messages"].clone();
    let prompt = |text| json!({ "role": "user", "content": text });
    assert_eq!(told, json!([prompt("stall_after=0"), prompt("tokens=1")]));
}

#[tokio::test]
async fn a_chat_that_is_deleted_ends_its_streams_and_leaves_the_provider() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let running = stalled(&talk, &chat, "").await;
    let queued = chat.ask("tokens=1 queued").await;
    let mut streams = [chat.watch(&running).await, chat.watch(&queued).await];
    assert_eq!(talk.ada.delete(&chat.path("")).await.status, 200);
    for stream in &mut streams {
        let rest = stream.rest().await;
        assert!(rest.iter().all(|event| event.kind != "finished"));
    }
    let prompt = "tokens=4 stall_after=2 ";
    talk.provider
        .call(prompt, |call| call.closed.is_some())
        .await;
    for path in [
        chat.path("/replies"),
        chat.path("/messages"),
        chat.path(&format!("/replies/{running}")),
        chat.events(&running),
    ] {
        assert_eq!(talk.ada.get(&path).await.status, 404, "{path}");
    }
    // Another chat is written as ever, and the one that waited never is.
    let other = talk.chat().await;
    assert_eq!(other.answered("tokens=1 other").await["status"], "done");
    assert!(talk.provider.calls_for("tokens=1 queued").is_empty());
}

#[tokio::test]
async fn chats_are_written_at_the_same_time() {
    let talk = Talk::start();
    let (one, two) = (talk.chat().await, talk.chat().await);
    let waiting = stalled(&talk, &one, "").await;
    assert_eq!(two.answered("tokens=3").await["status"], "done");
    talk.provider.release();
    assert_eq!(one.ended(&waiting).await["status"], "done");
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_lets_a_reply_end_and_begins_none() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let running = stalled(&talk, &chat, "").await;
    let queued = chat.ask("tokens=1 queued").await;
    let mut watched = chat.watch(&running).await;
    watched.next_of("delta").await;
    talk.server.signal("TERM");
    // Its watchers are sent away, and come back to the next one.
    let rest = watched.rest().await;
    assert!(rest.iter().all(|event| event.kind != "finished"));
    talk.provider.release();
    let (stopped, _) = talk.server.stop();
    assert!(stopped.clean);
    assert!(talk.provider.calls_for("tokens=1 queued").is_empty());
    let server = stopped.start_again();
    let ada = server
        .stranger()
        .with_token(talk.ada.token.as_ref().unwrap());
    let chat = chat.by(&ada);
    let reply = chat.ended(&running).await;
    assert_eq!(
        (&reply["status"], &reply["attempt"]),
        (&json!("done"), &json!(1))
    );
    assert_eq!(text(&chat.message_of(&reply).await), said(0, 4));
    assert_eq!(chat.ended(&queued).await["status"], "done");
}
