//! A question and its whole answer in one request, with an account and without.

use serde_json::{Value, json};

use crate::client::send;
use crate::provider::{SECRET, said};
use crate::sse::{Event, Events};
use crate::talk::{Talk, text};

/// What the pieces of a stream say; the last of it must be `[DONE]`.
fn response(events: &[Event]) -> String {
    let (done, pieces) = events.split_last().unwrap();
    assert_eq!(done.data, "[DONE]");
    let piece = |event: &Event| event.json()["response"].as_str().unwrap().to_owned();
    pieces.iter().map(piece).collect()
}

#[tokio::test]
async fn a_question_in_a_chat_is_answered_in_one_request_and_kept() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let question = |prompt: &str| json!({ "prompt": prompt, "chatId": chat.id });
    let path = "/api/v1/message/logged-in";
    let answer = talk.ada.post(path, question("tokens=3 reasoning=2")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["data"], json!({ "response": said(0, 3) }));

    let mut body = question("tokens=20 every_ms=5");
    body["stream"] = json!(true);
    let stream = talk.ada.request("POST", path).json(&body);
    let events = Events::open(stream).await.rest().await;
    assert!(events.len() > 3, "{events:?}");
    assert_eq!(response(&events), said(1, 20));
    let texts: Vec<String> = chat.messages().await.iter().map(text).collect();
    assert_eq!(texts[1], said(0, 3));
    assert_eq!(texts[3], said(1, 20));

    // The other dialect shows numbers, and they name the same chats.
    for name in [json!(1), json!("1")] {
        let numbered = json!({ "prompt": "tokens=1", "chatId": name });
        assert_eq!(talk.ada.post(path, numbered).await.status, 200);
    }
    for (name, message) in [
        (json!(1.5), "chatId is neither a number nor a CUID"),
        (json!(-1), "chatId is neither a number nor a CUID"),
        (json!("x"), "chatId is neither a number nor a CUID"),
    ] {
        let strange = json!({ "prompt": "tokens=1", "chatId": name });
        let refused = talk.ada.post(path, strange).await;
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (400, &json!(message))
        );
    }

    let failed = talk
        .ada
        .post(path, question("status=429 retry_after=60"))
        .await;
    assert_eq!(failed.status, 502);
    assert!(failed.header("retry-after").parse::<u64>().unwrap() >= 60);
    let mut body = question("tokens=9 cut_after_bytes=200");
    body["stream"] = json!(true);
    let stream = talk.ada.request("POST", path).json(&body);
    let events = Events::open(stream).await.rest().await;
    let [.., error, done] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(done.data, "[DONE]");
    assert!(error.json()["error"].is_string(), "{error:?}");
    assert!(!format!("{events:?}{failed:?}").contains(SECRET));
}

#[tokio::test]
async fn a_retried_question_is_asked_once() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let body = json!({ "prompt": "tokens=3", "chatId": chat.id });
    let ask = || {
        let request = talk.ada.request("POST", "/api/v1/message/logged-in");
        send(request.header("Idempotency-Key", "once").json(&body))
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status, &first.text), (200, &second.text));
    assert_eq!(talk.provider.calls().len(), 1);
    assert_eq!(chat.messages().await.len(), 2);
}

#[tokio::test]
async fn guests_are_refused_unless_they_are_let_in() {
    let talk = Talk::start();
    let body = json!({ "prompt": "tokens=2" });
    let guest = talk.server.stranger();
    let refused = guest.post("/api/v1/message/guest", body).await;
    assert_eq!(refused.status, 403);
    assert!(talk.provider.calls().is_empty());
}

#[tokio::test]
async fn guests_are_answered_nothing_of_it_is_kept_and_too_many_are_refused() {
    let talk = Talk::with("titles = true\nguests = true");
    let guest = talk.server.stranger();
    let ask = async |body: Value| guest.post("/api/v1/message/guest", body).await;
    let answer = ask(json!({ "prompt": "tokens=3 reasoning=1" })).await;
    assert_eq!(answer.body["data"], json!({ "response": said(0, 3) }));
    let body = json!({ "prompt": "tokens=4", "stream": true });
    let stream = guest.request("POST", "/api/v1/message/guest").json(&body);
    let events = Events::open(stream).await.rest().await;
    assert_eq!(response(&events), said(1, 4));
    let failed = ask(json!({ "prompt": "status=401" })).await;
    assert_eq!(failed.status, 502);
    assert!(!failed.text.contains(SECRET));

    let prompt = "tokens=4 stall_after=2";
    let body = json!({ "prompt": prompt, "stream": true });
    let stream = guest.request("POST", "/api/v1/message/guest").json(&body);
    let stream = Events::open(stream).await;
    talk.provider.call(prompt, |call| call.tokens == 2).await;
    drop(stream);
    talk.provider
        .call(prompt, |call| call.closed.is_some())
        .await;

    let list = talk.ada.get("/api/v1/chat").await;
    assert_eq!(list.body["data"]["chats"], json!([]));
    let usage = talk.ada.get("/api/v1/usage").await;
    assert_eq!(usage.body["data"]["total"]["answers"], 0);

    let mut asked = 4;
    let refused = loop {
        let answer = ask(json!({ "prompt": "tokens=1" })).await;
        if answer.status != 200 {
            break answer;
        }
        asked += 1;
        assert!(asked < 30, "nobody is refused");
    };
    assert_eq!(refused.status, 429);
    assert!(asked >= 10, "{asked}");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
}
