//! Replies: begin, watch, wait; and what they leave behind.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::client::send;
use crate::provider::said;
use crate::sse::{Event, Events, events, text_of};
use crate::talk::{Talk, id, text};

#[tokio::test]
async fn a_reply_streams_to_its_end_and_is_a_message_then() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=20 every_ms=5";
    let events = chat.stream(json!({ "prompt": prompt })).await.rest().await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let deltas = kinds.len() - 4;
    let expected = [
        &["accepted", "started"][..],
        &vec!["delta"; deltas],
        &["usage", "finished"],
    ];
    assert_eq!(kinds, expected.concat());
    let numbers: Vec<i64> = events.iter().map(Event::number).collect();
    assert_eq!(numbers, (0..numbers.len() as i64).collect::<Vec<_>>());
    assert!(deltas > 1, "all came at once");
    assert_eq!(text_of(&events), said(0, 20));
    assert_eq!(
        events[1].json(),
        json!({ "attempt": 1, "model": "scripted" })
    );
    let usage = json!({ "inputTokens": 10, "outputTokens": 20 });
    assert_eq!(events[deltas + 2].json(), usage);
    let end = json!({ "status": "done", "reason": "stop" });
    assert_eq!(events[deltas + 3].json(), end);

    let accepted = events[0].json();
    let messages = chat.messages().await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0], accepted["message"]);
    assert_eq!(text(&messages[0]), prompt);
    let answer = &messages[1];
    assert_eq!(
        *answer,
        json!({
            "id": accepted["reply"]["messageId"],
            "chatId": chat.id,
            "parentId": messages[0]["id"],
            "role": "assistant",
            "content": [{ "type": "text", "text": said(0, 20) }],
            "model": "scripted",
            "usage": usage,
            "status": "done",
            "replyId": accepted["reply"]["id"],
            "finishReason": "stop",
            "createdAt": answer["createdAt"],
        })
    );
    let reply = chat.reply(&id(&accepted["reply"])).await;
    assert_eq!(
        (&reply["status"], &reply["attempt"]),
        (&json!("done"), &json!(1))
    );
    assert_eq!(reply["usage"], usage);
    assert!(chat.open().await.is_empty());
}

#[tokio::test]
async fn the_end_of_a_reply_can_be_waited_for() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let path = chat.path("/replies?wait=30");
    let ended = talk
        .ada
        .post(&path, json!({ "prompt": "tokens=3 every_ms=20" }));
    let ended = ended.await;
    assert_eq!(ended.status, 200, "{ended:?}");
    assert_eq!(ended.body["data"]["status"], "done");

    // Who does not wait long enough gets it as it is by then.
    let path = chat.path("/replies?wait=1");
    let body = json!({ "prompt": "tokens=3 stall_after=1" });
    let running = talk.ada.post(&path, body).await;
    assert_eq!(running.status, 202, "{running:?}");
    assert_eq!(running.body["data"]["status"], "running");

    for wait in ["0", "61", "-1", "x", ""] {
        let path = chat.path(&format!("/replies?wait={wait}"));
        let refused = talk.ada.post(&path, json!({ "prompt": "hello" })).await;
        assert_eq!(refused.status, 400, "{wait}");
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.starts_with("wait "), "{message}");
    }
    assert_eq!(chat.messages().await.len(), 4);
}

#[tokio::test]
async fn an_accepted_reply_is_found_where_the_answer_says() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let accepted = chat.try_begin(json!({ "prompt": "tokens=4 stall_after=2" }));
    let accepted = accepted.await;
    assert_eq!(accepted.status, 202);
    let reply = &accepted.body["data"];
    assert_eq!(
        (&reply["status"], &reply["attempt"]),
        (&json!("queued"), &json!(0))
    );
    let path = accepted.header("location").to_owned();
    assert_eq!(path, chat.path(&format!("/replies/{}", id(reply))));
    let started = chat.watch(&id(reply)).await.next_of("started").await;
    assert_eq!(started.number(), 1);
    let prompt = "tokens=4 stall_after=2";
    talk.provider.call(prompt, |call| call.tokens == 2).await;
    let found = talk.ada.get(&path).await;
    assert_eq!(found.body["data"]["status"], "running");
    assert_eq!(chat.open().await, [found.body["data"].clone()]);
    talk.provider.release();
    assert_eq!(chat.ended(&id(reply)).await["status"], "done");
    assert!(chat.open().await.is_empty());
}

#[tokio::test]
async fn a_replay_is_the_live_stream_to_the_byte_from_any_moment_on() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=60 every_ms=5 reasoning=3";
    let body = json!({ "prompt": prompt, "stream": true });
    let live = talk.ada.request("POST", &chat.path("/replies")).json(&body);
    let live = tokio::spawn(send(live));
    talk.provider.call(prompt, |call| call.tokens > 20).await;
    let path = chat.events(&id(&chat.open().await[0]));
    let joined = talk.ada.get(&path).await.text;
    let live = live.await.unwrap();
    assert_eq!(live.status, 200);
    assert_eq!(live.header("content-type"), "text/event-stream");
    assert_eq!(joined, live.text);
    assert_eq!(talk.ada.get(&path).await.text, live.text);
    assert_eq!(text_of(&events(&live.text)), said(0, 60));
    let talk = talk.kill_and_start_again();
    assert_eq!(talk.ada.get(&path).await.text, live.text);
}

#[tokio::test]
async fn a_stream_goes_on_behind_any_event() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=60 every_ms=8 reasoning=3";
    let reply = chat.ask(prompt).await;
    let whole = chat.watch(&reply).await.rest().await;
    assert!(whole.len() > 8, "{whole:?}");
    let path = chat.events(&reply);
    for (at, event) in whole.iter().enumerate() {
        let rest = &whole[at + 1..];
        let by_header = talk.ada.request("GET", &path);
        let by_header = by_header.header("Last-Event-ID", &event.id);
        assert_eq!(events(&send(by_header).await.text), rest);
        let by_parameter = format!("{path}?after={}", event.id);
        assert_eq!(events(&talk.ada.get(&by_parameter).await.text), rest);
        // A browser sends both: what it was opened with, and where it has got to since.
        let both = talk.ada.request("GET", &format!("{path}?after=0"));
        let both = both.header("Last-Event-ID", &event.id);
        assert_eq!(events(&send(both).await.text), rest);
    }
    let last = whole.last().unwrap().number();
    for behind in [last, last + 1, last + 1_000, i64::MAX] {
        let rest = talk.ada.get(&format!("{path}?after={behind}")).await;
        assert_eq!((rest.status, rest.text.as_str()), (200, ""), "{behind}");
    }
}

#[tokio::test]
async fn a_stream_that_is_watched_from_beyond_its_end_ends_with_the_reply() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=4 stall_after=2";
    let reply = chat.ask(prompt).await;
    talk.provider.call(prompt, |call| call.tokens == 2).await;
    let mut beyond = chat.watch_after(&reply, 1_000).await;
    talk.provider.release();
    chat.ended(&reply).await;
    let end = timeout(Duration::from_secs(20), beyond.next()).await;
    assert_eq!(end, Ok(None));
}

#[tokio::test]
async fn a_cursor_that_is_no_number_is_named() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let reply = id(&chat.answered("tokens=2").await);
    for path in [chat.events(&reply), "/api/v1/events".into()] {
        for garbage in ["x", "-1", "1.5", " 1", "99999999999999999999"] {
            let with_header = talk.ada.request("GET", &path);
            let refused = send(with_header.header("Last-Event-ID", garbage)).await;
            if garbage != " 1" {
                assert_eq!(refused.status, 400, "{path} {garbage}");
                let message = refused.body["message"].as_str().unwrap();
                assert!(message.starts_with("Last-Event-ID "), "{message}");
            }
            let refused = talk.ada.get(&format!("{path}?after={garbage}")).await;
            assert_eq!(refused.status, 400, "{path} {garbage}");
            let message = refused.body["message"].as_str().unwrap();
            assert!(message.starts_with("after "), "{message}");
        }
    }
}

#[tokio::test]
async fn a_reply_goes_on_when_nobody_watches_any_more() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=30 stall_after=10";
    let mut watched = chat.stream(json!({ "prompt": prompt })).await;
    let reply = id(&watched.next().await.unwrap().json()["reply"]);
    watched.next_of("delta").await;
    talk.provider.call(prompt, |call| call.tokens == 10).await;
    drop(watched);
    talk.provider.release();
    let ended = chat.ended(&reply).await;
    assert_eq!(ended["status"], "done");
    assert_eq!(text(&chat.message_of(&ended).await), said(0, 30));
    assert_eq!(talk.provider.calls().len(), 1);
}

#[tokio::test]
async fn what_a_model_thinks_is_kept_apart_from_what_it_says() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let mut stream = chat
        .stream(json!({ "prompt": "tokens=3 reasoning=2" }))
        .await;
    let events = stream.rest().await;
    let thought: String = events
        .iter()
        .filter(|event| event.kind == "delta")
        .filter_map(|event| event.json()["reasoning"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(
        (thought.as_str(), text_of(&events)),
        ("r0.0 r0.1 ", said(0, 3))
    );
    let content = json!([
        { "type": "reasoning", "text": "r0.0 r0.1 " },
        { "type": "text", "text": said(0, 3) },
    ]);
    assert_eq!(chat.messages().await[1]["content"], content);
    // It is nothing that a model is told afterwards.
    chat.answered("tokens=1 next").await;
    let told = &talk.provider.calls()[1].body["messages"];
    assert_eq!(
        told[1],
        json!({ "role": "assistant", "content": said(0, 3) })
    );
}

#[tokio::test]
async fn a_reply_that_reached_the_models_limit_says_so() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let reply = chat.answered("tokens=3 finish=length").await;
    assert_eq!(reply["status"], "done");
    let message = chat.message_of(&reply).await;
    assert_eq!(message["finishReason"], "length");
}

#[tokio::test]
async fn the_model_is_the_requests_or_the_chats_or_the_first_one() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let asked = async |body: Value| {
        let reply = chat.begin(body).await;
        chat.ended(&id(&reply)).await;
        let calls = talk.provider.calls();
        let called = calls.last().unwrap().body["model"].clone();
        assert_eq!(called, reply["model"]);
        called
    };
    assert_eq!(asked(json!({ "prompt": "1" })).await, "scripted");
    chat.change(json!({ "model": "other" })).await;
    assert_eq!(asked(json!({ "prompt": "2" })).await, "other");
    assert_eq!(
        asked(json!({ "prompt": "3", "model": "small" })).await,
        "small"
    );
    assert_eq!(asked(json!({ "prompt": "4" })).await, "other");
    chat.change(json!({ "model": null })).await;
    assert_eq!(asked(json!({ "prompt": "5" })).await, "scripted");

    let calls = talk.provider.calls().len();
    let unknown = chat
        .try_begin(json!({ "prompt": "6", "model": "none" }))
        .await;
    let patched = talk
        .ada
        .patch(&chat.path(""), json!({ "model": "none" }))
        .await;
    for refused in [unknown, patched] {
        assert_eq!(refused.status, 400);
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.starts_with("model "), "{message}");
    }
    assert_eq!(talk.provider.calls().len(), calls);
    assert_eq!(chat.messages().await.len(), 10);
}

#[tokio::test]
async fn a_retry_with_its_key_joins_the_reply_from_its_first_event() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=30 stall_after=10";
    let request = |body: Value| {
        let request = talk.ada.request("POST", &chat.path("/replies"));
        request.header("Idempotency-Key", "once").json(&body)
    };
    let body = json!({ "prompt": prompt, "stream": true });
    let mut first = Events::open(request(body.clone())).await;
    let begun = [first.next().await.unwrap(), first.next().await.unwrap()];
    drop(first);
    let mut joined = Events::open(request(body.clone())).await;
    talk.provider.call(prompt, |call| call.tokens == 10).await;
    talk.provider.release();
    let all = joined.rest().await;
    assert_eq!(all[..2], begun);
    assert_eq!(text_of(&all), said(0, 30));
    // And once more when it is long over.
    assert_eq!(Events::open(request(body)).await.rest().await, all);
    assert_eq!(chat.messages().await.len(), 2);
    assert_eq!(talk.provider.calls().len(), 1);
    let other = send(request(json!({ "prompt": "tokens=2" }))).await;
    assert_eq!(other.status, 422);
}

#[tokio::test]
async fn a_retry_for_a_chat_that_is_gone_is_a_conflict() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let request = || {
        let request = talk.ada.request("POST", &chat.path("/replies"));
        let request = request.header("Idempotency-Key", "once");
        request.json(&json!({ "prompt": "tokens=2" }))
    };
    assert_eq!(send(request()).await.status, 202);
    assert_eq!(talk.ada.delete(&chat.path("")).await.status, 200);
    assert_eq!(send(request()).await.status, 409);
}

#[tokio::test]
async fn nobody_sees_or_stops_the_replies_of_somebody_else() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=4 stall_after=2";
    let reply = chat.ask(prompt).await;
    talk.provider.call(prompt, |call| call.tokens == 2).await;
    let bob = talk.server.user("bob@example.com");
    let own = crate::talk::Chat::new(&bob).await;
    for chat in [&chat.by(&bob), &own] {
        let path = chat.path(&format!("/replies/{reply}"));
        assert_eq!(bob.get(&path).await.status, 404);
        assert_eq!(bob.get(&chat.events(&reply)).await.status, 404);
        let stop = bob.request("POST", &format!("{path}/stop"));
        assert_eq!(send(stop).await.status, 404);
    }
    assert_eq!(bob.get(&chat.path("/replies")).await.status, 404);
    talk.provider.release();
    assert_eq!(chat.ended(&reply).await["status"], "done");
}
