//! The feed of changes.

use serde_json::json;

use crate::client::{Client, send};
use crate::sse::{Event, Events};
use crate::talk::{Chat, Talk, id};

async fn feed(client: &Client, after: Option<&str>) -> Events {
    let request = client.request("GET", "/api/v1/events");
    Events::open(match after {
        Some(after) => request.header("Last-Event-ID", after),
        None => request,
    })
    .await
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

#[tokio::test]
async fn what_one_device_does_another_hears_of_in_order() {
    let talk = Talk::start();
    let mut feed = feed(&talk.ada, None).await;
    let reset = feed.next().await.unwrap();
    assert_eq!((reset.kind.as_str(), reset.data.as_str()), ("reset", "{}"));
    let chat = talk.chat().await;
    let made = feed.next().await.unwrap();
    assert_eq!(
        (made.kind.as_str(), id(&made.json())),
        ("chat", chat.id.clone())
    );
    assert!(made.number() > reset.number());
    let reply = chat.answered("tokens=2").await;
    let mut last = made.number();
    let done = loop {
        let event = feed.next().await.unwrap();
        assert!(event.number() > last);
        last = event.number();
        let message = event.json();
        if message["role"] == "assistant" && message["status"] == "done" {
            break event;
        }
    };
    assert_eq!(done.json(), chat.message_of(&reply).await);
    let end = talk.ada.delete(&chat.path("")).await;
    assert_eq!(end.status, 200);
    let deleted = feed.next_of("deleted").await;
    assert_eq!(deleted.json(), json!({ "chatId": chat.id }));
}

#[tokio::test]
async fn a_feed_goes_on_behind_its_cursor_and_begins_anew_behind_one_that_is_none() {
    let talk = Talk::start();
    let cursor = feed(&talk.ada, None).await.next().await.unwrap().id;
    let chat = talk.chat().await;
    let other = talk.chat().await;
    talk.ada.delete(&other.path("")).await;
    chat.change(json!({ "name": "Renamed" })).await;
    // What has changed twice is told once, as it is now; what is gone is told as gone.
    let mut events = feed(&talk.ada, Some(&cursor)).await;
    let missed = [events.next().await.unwrap(), events.next().await.unwrap()];
    assert_eq!(kinds(&missed), ["deleted", "chat"]);
    assert_eq!(missed[1].json()["chatName"], "Renamed");
    let by_parameter = talk
        .ada
        .request("GET", &format!("/api/v1/events?after={cursor}"));
    let mut events = Events::open(by_parameter).await;
    assert_eq!(
        [events.next().await.unwrap(), events.next().await.unwrap()],
        missed
    );

    let future = (missed[1].number() + 1_000).to_string();
    let reset = feed(&talk.ada, Some(&future)).await.next().await.unwrap();
    assert_eq!(
        (reset.kind.as_str(), reset.id.as_str()),
        ("reset", missed[1].id.as_str())
    );
}

#[tokio::test]
async fn nobody_hears_of_what_somebody_else_does() {
    let talk = Talk::start();
    let bob = talk.server.user("bob@example.com");
    let mut feed = feed(&bob, None).await;
    feed.next_of("reset").await;
    let chat = talk.chat().await;
    chat.answered("tokens=2").await;
    let own = Chat::new(&bob).await;
    let first = feed.next().await.unwrap();
    assert_eq!(id(&first.json()), own.id);
}

#[tokio::test]
async fn a_revoked_token_ends_the_streams_that_it_opened() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=4 stall_after=2";
    let reply = chat.ask(prompt).await;
    talk.provider.call(prompt, |call| call.tokens == 2).await;
    let signed_in = talk.server.token("ada@example.com", &[]);
    let mut changes = feed(&signed_in, None).await;
    let mut events = chat.by(&signed_in).watch(&reply).await;
    changes.next_of("reset").await;
    events.next_of("delta").await;
    let out = send(signed_in.request("POST", "/api/v1/auth/logout")).await;
    assert_eq!(out.status, 200, "{out:?}");
    // They end while the reply goes on, within seconds.
    events.rest().await;
    changes.rest().await;
    assert_eq!(chat.reply(&reply).await["status"], "running");
    talk.provider.release();
    assert_eq!(chat.ended(&reply).await["status"], "done");
}
