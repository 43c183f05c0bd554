//! Replies whose provider fails.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::provider::{SECRET, said};
use crate::talk::{Chat, Talk, id, text};

/// The answers that tell of a reply: its stream, itself, its message. None holds a word of what
/// its provider wrote.
async fn told(chat: &Chat, reply: &str) -> (Value, Value, Value) {
    let events = chat.client.get(&chat.events(reply)).await;
    let path = chat.path(&format!("/replies/{reply}"));
    let shown = chat.client.get(&path).await;
    let messages = chat.client.get(&chat.path("/messages")).await;
    let open: [&Answer; 3] = [&events, &shown, &messages];
    for answer in open {
        assert!(!answer.text.contains(SECRET), "{answer:?}");
    }
    let last = crate::sse::events(&events.text).pop().unwrap();
    assert_eq!(last.kind, "finished");
    let message = chat.message_of(&shown.body["data"]).await;
    (last.json(), shown.body["data"].clone(), message)
}

#[tokio::test]
async fn what_a_provider_refuses_is_told_by_its_kind_and_in_words_of_ours() {
    let talk = Talk::start();
    for (prompt, kind, retry_after, calls) in [
        ("status=401", "auth", json!(null), 1),
        ("status=403", "auth", json!(null), 1),
        ("status=404", "model", json!(null), 1),
        ("status=429 retry_after=60", "rate_limit", json!(60), 1),
        (
            "status=400 code=context_length_exceeded",
            "context_too_long",
            json!(null),
            1,
        ),
        (
            "status=400 code=content_filter",
            "content_filter",
            json!(null),
            1,
        ),
        ("status=418", "provider", json!(null), 1),
        ("status=500", "provider", json!(null), 3),
        ("cut_after_bytes=1", "network", json!(null), 3),
    ] {
        let chat = talk.chat().await;
        let reply = chat.ask(prompt).await;
        chat.ended(&reply).await;
        let (end, reply, message) = told(&chat, &reply).await;
        assert_eq!(
            (&end["status"], &end["reason"]),
            (&json!("failed"), &json!("error"))
        );
        let error = &end["error"];
        assert_eq!(
            (&error["kind"], &error["retryAfter"]),
            (&json!(kind), &retry_after),
            "{prompt}"
        );
        assert_eq!(reply["error"], *error, "{prompt}");
        assert_eq!(
            (&reply["status"], &message["status"]),
            (&json!("failed"), &json!("failed"))
        );
        assert_eq!(
            (&message["content"], &message["finishReason"]),
            (&json!([]), &json!("error"))
        );
        assert_eq!(talk.provider.calls_for(prompt).len(), calls, "{prompt}");
    }
}

#[tokio::test]
async fn a_provider_is_asked_again_before_the_first_word() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    for (prompt, calls) in [
        ("tokens=3 status=500 times=1", 2),
        ("tokens=3 status=503 times=2", 3),
        ("tokens=3 status=429 retry_after=1 times=1", 2),
    ] {
        let reply = chat.answered(prompt).await;
        // Whoever watches sees one attempt.
        assert_eq!(
            (&reply["status"], &reply["attempt"]),
            (&json!("done"), &json!(1)),
            "{prompt}"
        );
        let asked = talk.provider.calls_for(prompt);
        assert_eq!(asked.len(), calls, "{prompt}");
        let last = asked.last().unwrap().number;
        assert_eq!(text(&chat.message_of(&reply).await), said(last, 3));
    }
}

#[tokio::test]
async fn a_provider_is_not_asked_again_once_it_has_said_something() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=50 cut_after_bytes=400";
    let reply = chat.ask(prompt).await;
    chat.ended(&reply).await;
    let (end, _, message) = told(&chat, &reply).await;
    assert_eq!(end["error"]["kind"], "network");
    assert_eq!(talk.provider.calls().len(), 1);
    let (call, tokens) = crate::provider::said_by(&text(&message)).unwrap();
    assert!(call == 0 && (1..50).contains(&tokens), "{message}");

    // The same for an answer that the provider itself ends in a fault.
    let prompt = "tokens=3 finish=content_filter";
    let reply = chat.ask(prompt).await;
    chat.ended(&reply).await;
    let (end, _, message) = told(&chat, &reply).await;
    assert_eq!(end["error"]["kind"], "content_filter");
    assert_eq!(text(&message), said(1, 3));
    assert_eq!(talk.provider.calls().len(), 2);
}

#[tokio::test]
async fn a_failed_reply_holds_up_none_that_waits_and_can_be_asked_for_again() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=2 status=401 times=1";
    let failed = chat.begin(json!({ "prompt": prompt })).await;
    let next = chat.ask("tokens=1 next").await;
    assert_eq!(chat.ended(&next).await["status"], "done");
    assert_eq!(chat.ended(&id(&failed)).await["status"], "failed");
    let again = json!({ "parentId": failed["promptMessageId"] });
    let again = id(&chat.begin(again).await);
    assert_eq!(chat.ended(&again).await["status"], "done");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_a_network_fault() {
    let provider = crate::provider::Provider::start();
    let file = provider.settings("titles = false");
    drop(provider);
    let server = crate::server::Server::start_with_file(&file);
    let chat = Chat::new(&server.user("ada@example.com")).await;
    let reply = chat.answered("hello").await;
    assert_eq!(reply["error"]["kind"], "network", "{reply}");
}
