//! A session that is driven in turn by all dialects reads the same in each.

use serde_json::{Value, json};

use crate::client::{Client, send};
use crate::talk::{Chat, Talk, text};

/// Who spoke, and what.
type Said = Vec<(String, String)>;

#[tokio::test]
async fn a_session_driven_by_every_dialect_reads_the_same_in_each() {
    let talk = Talk::start();
    let ada = &talk.ada;
    let (number, id) = ada.session("Begun by a number").await;
    let chat = Chat {
        client: ada.clone(),
        id: id.clone(),
    };
    let conversation = format!("conv_{id}");
    reads_the_same(ada, &chat, &number, "Begun by a number").await;

    chat.answered("tokens=2 by v1").await;
    assert_eq!(
        reads_the_same(ada, &chat, &number, "Begun by a number")
            .await
            .len(),
        2
    );

    let body = json!({ "model": "scripted", "input": "tokens=3 by a response", "conversation": conversation });
    let answered = ada.post("/v1/responses", body).await;
    assert_eq!(answered.status, 200, "{answered:?}");
    assert_eq!(
        reads_the_same(ada, &chat, &number, "Begun by a number")
            .await
            .len(),
        4
    );

    let items = json!([
        { "role": "user", "content": "By an item" },
        { "role": "assistant", "content": [{ "type": "output_text", "text": "By another item" }] },
    ]);
    let added = ada
        .post(
            &format!("/v1/conversations/{conversation}/items"),
            json!({ "items": items }),
        )
        .await;
    assert_eq!(added.status, 200, "{added:?}");
    let renamed = ada
        .put(
            &format!("/api/chat_sessions/{number}"),
            json!({ "title": "Renamed by a number" }),
        )
        .await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    assert_eq!(
        reads_the_same(ada, &chat, &number, "Renamed by a number")
            .await
            .len(),
        6
    );

    let parts = json!([{ "type": "text", "text": "tokens=4 by the AI SDK" }]);
    let message = json!({ "id": "1", "role": "user", "parts": parts });
    let body = json!({ "id": id, "messages": [message], "trigger": "submit-message" });
    let answered = ada.post("/ai/chat", body).await;
    assert_eq!(answered.status, 200, "{answered:?}");
    let path = format!("/v1/conversations/{conversation}");
    let change = json!({ "title": "By OpenAI", "metadata": {} });
    let titled = ada.post(&path, change).await;
    assert_eq!(titled.status, 200, "{titled:?}");
    let said = reads_the_same(ada, &chat, &number, "By OpenAI").await;
    assert_eq!(said.len(), 8);

    // What a model reads is all of it, whoever said it.
    chat.answered("tokens=1 at last").await;
    let calls = talk.provider.calls();
    let read = calls.last().unwrap().body["messages"]
        .as_array()
        .unwrap()
        .clone();
    let read: Vec<&str> = read
        .iter()
        .map(|turn| turn["content"].as_str().unwrap())
        .collect();
    let expected: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(read, [expected, vec!["tokens=1 at last"]].concat());

    let removed = ada
        .delete(&format!("/v1/conversations/{conversation}"))
        .await;
    assert_eq!(removed.status, 200, "{removed:?}");
    for path in [
        chat.path(""),
        format!("/api/chat_sessions/{number}"),
        format!("/ai/chat/{id}/messages"),
    ] {
        assert_eq!(ada.get(&path).await.status, 404, "{path}");
    }
}

/// That every dialect lists the session once, under this title, and has the same messages; gives them.
async fn reads_the_same(ada: &Client, chat: &Chat, number: &str, title: &str) -> Said {
    let found = ada.get(&format!("/api/chat_sessions/{number}")).await;
    assert_eq!(found.body["data"]["title"], title);
    let found = ada.get(&chat.path("")).await;
    assert_eq!(found.body["data"]["chatName"], title);
    let conversation = format!("/v1/conversations/conv_{}", chat.id);
    let found = ada.get(&conversation).await;
    assert_eq!(found.body["title"], title);
    let listed = ada.get("/v1/conversations").await;
    assert_eq!(listed.body["data"], json!([found.body]));

    let messages = chat.messages().await;
    let said: Said = messages.iter().map(|one| (role(one), text(one))).collect();
    let items = ada
        .get(&format!("{conversation}/items?order=asc&limit=100"))
        .await;
    assert_eq!(said, texts(&items.body["data"], "content"));
    let messages = send(ada.request("GET", &format!("/ai/chat/{}/messages", chat.id))).await;
    assert_eq!(said, texts(&messages.body, "parts"));
    said
}

fn role(message: &Value) -> String {
    message["role"].as_str().unwrap().into()
}

/// What messages say whose parts are in that field.
fn texts(messages: &Value, parts: &str) -> Said {
    let messages = messages.as_array().unwrap().iter();
    let text = |message: &Value| {
        let parts = message[parts].as_array().unwrap().iter();
        parts.filter_map(|part| part["text"].as_str()).collect()
    };
    messages
        .map(|message| (role(message), text(message)))
        .collect()
}
