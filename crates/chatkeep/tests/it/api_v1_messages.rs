//! Messages: branches, the head, what a model is told of them, titles and usage.

use serde_json::{Value, json};

use crate::provider::said;
use crate::sse::Events;
use crate::talk::{Chat, Talk, id, text};

fn ids(messages: &[Value]) -> Vec<String> {
    messages.iter().map(id).collect()
}

async fn head(chat: &Chat) -> Value {
    let shown = chat.client.get(&chat.path("")).await;
    shown.body["data"]["head"].clone()
}

#[tokio::test]
async fn a_prompt_that_is_answered_again_gets_a_sibling_and_an_edit_a_branch() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    chat.answered("tokens=1 first").await;
    let first = chat.messages().await;
    let second = chat.answered("tokens=2 second").await;
    let before = chat.messages().await;

    let again = json!({ "parentId": second["promptMessageId"] });
    let again = id(&chat.begin(again).await);
    let again = chat.ended(&again).await;
    let path = chat.messages().await;
    assert_eq!(ids(&path)[..3], ids(&before)[..3]);
    assert_eq!(path[3]["id"], again["messageId"]);
    assert_eq!(path[3]["parentId"], before[3]["parentId"]);
    assert_eq!(text(&path[3]), said(2, 2));
    // It was told what the first one was told.
    let calls = talk.provider.calls();
    assert_eq!(calls[2].body["messages"], calls[1].body["messages"]);

    let edit = json!({ "prompt": "tokens=1 edited", "parentId": first[1]["id"] });
    chat.ended(&id(&chat.begin(edit).await)).await;
    let edited = chat.messages().await;
    assert_eq!(ids(&edited)[..2], ids(&first));
    assert_eq!(edited[2]["parentId"], first[1]["id"]);
    assert_eq!(text(&edited[2]), "tokens=1 edited");
    let told = talk.provider.calls()[3].body["messages"].clone();
    assert_eq!(told.as_array().unwrap().len(), 3);

    let root = json!({ "prompt": "tokens=1 root", "parentId": null });
    chat.ended(&id(&chat.begin(root).await)).await;
    let fresh = chat.messages().await;
    assert_eq!((fresh.len(), &fresh[0]["parentId"]), (2, &json!(null)));

    assert_eq!(head(&chat).await, fresh[1]["id"]);
    chat.change(json!({ "head": before[3]["id"] })).await;
    assert_eq!(chat.messages().await, before);
    let tree = chat.tree().await;
    assert_eq!(tree.len(), 9);
    assert_eq!(tree[..4], before);
    let unknown = json!({ "prompt": "hello", "parentId": chat.id });
    for refused in [
        chat.try_begin(unknown).await,
        chat.try_begin(json!({ "parentId": before[3]["id"] })).await,
        talk.ada
            .patch(&chat.path(""), json!({ "head": chat.id }))
            .await,
    ] {
        assert_eq!(refused.status, 400, "{refused:?}");
        let message = refused.body["message"].as_str().unwrap();
        assert!(
            message.starts_with("parentId ") || message.starts_with("head "),
            "{message}"
        );
    }
    assert_eq!(chat.tree().await.len(), 9);
}

#[tokio::test]
async fn a_chat_tells_its_branches_and_its_path_leads_through_any_of_them() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let branches = async || {
        let told = chat.client.get(&chat.path("/branches")).await;
        assert_eq!(told.status, 200, "{told:?}");
        told.body["data"]["branches"].clone()
    };
    chat.answered("tokens=1 first").await;
    assert_eq!(branches().await, json!([]));
    let second = chat.answered("tokens=1 second").await;
    let old = chat.messages().await;
    let again = json!({ "parentId": second["promptMessageId"] });
    let again = chat.ended(&id(&chat.begin(again).await)).await;
    let edit = json!({ "prompt": "tokens=1 edited", "parentId": old[1]["id"] });
    let edited = chat.ended(&id(&chat.begin(edit).await)).await;
    let told = branches().await;
    assert_eq!(
        told,
        json!([
            { "parentId": old[1]["id"], "messageIds": [old[2]["id"], edited["promptMessageId"]] },
            { "parentId": old[2]["id"], "messageIds": [old[3]["id"], again["messageId"]] },
        ])
    );
    for (branch, end) in [
        (&old[2], &again["messageId"]),
        (&old[3], &old[3]["id"]),
        (&old[0], &edited["messageId"]),
    ] {
        chat.change(json!({ "branch": branch["id"] })).await;
        assert_eq!(head(&chat).await, *end);
    }
    let other = talk.chat().await;
    let stranger = other.answered("tokens=1 x").await;
    for (change, message) in [
        (
            json!({ "branch": stranger["messageId"] }),
            "branch is no message of this chat",
        ),
        (
            json!({ "branch": chat.id }),
            "branch is no message of this chat",
        ),
        (json!({ "branch": "x" }), "branch is not a CUID"),
        (
            json!({ "branch": old[0]["id"], "head": old[0]["id"] }),
            "branch can't stand beside head",
        ),
    ] {
        let refused = talk.ada.patch(&chat.path(""), change).await;
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (400, &json!(message))
        );
    }
    assert_eq!(head(&chat).await, edited["messageId"]);
}

#[tokio::test]
async fn messages_come_in_pages_on_the_path_and_in_the_tree() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let messages: Vec<Value> = (0..7)
        .map(|at| json!({ "role": "user", "content": format!("{at}") }))
        .collect();
    let appended = json!({ "messages": messages });
    let appended = talk.ada.post(&chat.path("/messages"), appended).await;
    assert_eq!(appended.status, 201, "{appended:?}");
    for view in ["", "&tree=true"] {
        let (mut texts, mut cursor, mut sizes) = (Vec::new(), String::new(), Vec::new());
        loop {
            let path = chat.path(&format!("/messages?limit=3{view}{cursor}"));
            let page = talk.ada.get(&path).await.body["data"].clone();
            let messages = page["messages"].as_array().unwrap();
            sizes.push(messages.len());
            texts.extend(messages.iter().map(text));
            let Some(next) = page["nextCursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(sizes, [3, 3, 1]);
        assert_eq!(texts, ["6", "5", "4", "3", "2", "1", "0"]);
    }
}

#[tokio::test]
async fn a_model_is_told_the_system_message_and_as_many_of_the_newest_turns_as_fit() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    chat.change(json!({ "systemMessage": "Be brief.", "model": "small" }))
        .await;
    let old: Vec<Value> = (0..40)
        .map(|at| {
            let role = if at % 2 == 0 { "user" } else { "assistant" };
            json!({ "role": role, "content": format!("{at} {}", "word ".repeat(20)) })
        })
        .collect();
    let path = chat.path("/messages");
    let appended = talk.ada.post(&path, json!({ "messages": old })).await;
    assert_eq!(appended.status, 201);
    let reply = chat.answered("tokens=2 newest").await;
    let body = talk.provider.calls()[0].body.clone();
    let told = body["messages"].as_array().unwrap();
    assert_eq!(told[0], json!({ "role": "system", "content": "Be brief." }));
    assert_eq!(told.last().unwrap()["content"], "tokens=2 newest");
    assert_eq!(
        (&body["model"], &body["max_tokens"]),
        (&json!("small"), &json!(100))
    );
    let turns = told.len() - 2;
    let newest: Vec<&Value> = old[40 - turns..].iter().collect();
    assert_eq!(told[1..=turns].iter().collect::<Vec<_>>(), newest);
    // 300 tokens are for what is told; such a turn has 20 to 44 of them.
    assert!((4..=13).contains(&turns), "{turns}");
    assert_eq!(reply["leftOut"], 40 - turns);
    assert_eq!(reply["status"], "done");

    let bytes = "too much ".repeat(300);
    let reply = chat.answered(&bytes).await;
    assert_eq!(reply["error"]["kind"], "context_too_long");
    assert_eq!(talk.provider.calls().len(), 1);
}

#[tokio::test]
async fn a_chat_without_a_name_is_given_one_and_a_named_one_keeps_it() {
    let talk = Talk::with("titles = true");
    let mut feed = Events::open(talk.ada.request("GET", "/api/v1/events")).await;
    feed.next_of("reset").await;
    let named = talk.chat().await;
    named.change(json!({ "name": "Mine" })).await;
    named.answered("tokens=1 named").await;
    let chat = talk.chat().await;
    chat.answered("tokens=1 prompt").await;
    let name = loop {
        let change = feed.next_of("chat").await.json();
        if change["id"] == chat.id.as_str() && change["chatName"] != "New Chat" {
            break change["chatName"].clone();
        }
    };
    let calls = talk.provider.calls();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert_eq!(name, said(2, 5).trim_end());
    let told = calls[2].body["messages"].as_array().unwrap();
    assert_eq!(told[1]["content"], "tokens=1 prompt");
    assert_eq!(told[2]["content"], said(1, 1));
    let shown = talk.ada.get(&named.path("")).await;
    assert_eq!(shown.body["data"]["chatName"], "Mine");
    // It has one now.
    chat.answered("tokens=1 more").await;
    assert_eq!(talk.provider.calls().len(), 4);
    // What it cost is reported, and it is no message.
    let usage = talk.ada.get("/api/v1/usage").await.body["data"]["total"].clone();
    assert_eq!(usage["answers"], 4);
    assert_eq!(chat.tree().await.len(), 4);
}

#[tokio::test]
async fn the_usage_report_sums_what_providers_said() {
    let talk = Talk::start();
    let (one, two) = (talk.chat().await, talk.chat().await);
    one.answered("tokens=3").await;
    one.answered("tokens=4 reasoning=2").await;
    two.answered("tokens=5").await;
    two.answered("status=401").await;
    let sum = |answers: u32, heard: u32, said: u32| json!({ "answers": answers, "inputTokens": heard, "outputTokens": said });
    let of_chat = |chat: &Chat, mut sum: Value| {
        sum["chatId"] = json!(chat.id);
        sum
    };
    let report = async || talk.ada.get("/api/v1/usage").await.body["data"].clone();
    let usage = report().await;
    assert_eq!(usage["total"], sum(3, 10 + 30 + 10, 14));
    let chats = [of_chat(&two, sum(1, 10, 5)), of_chat(&one, sum(2, 40, 9))];
    assert_eq!(usage["chats"], json!(chats));
    // What is deleted has cost as much as before.
    talk.ada.delete(&one.path("")).await;
    let usage = report().await;
    assert_eq!(usage["total"], sum(3, 50, 14));
    assert_eq!(usage["chats"], json!(chats[..1]));
    let bob = talk.server.user("bob@example.com");
    let usage = bob.get("/api/v1/usage").await.body["data"].clone();
    assert_eq!(
        (&usage["total"], &usage["chats"]),
        (&sum(0, 0, 0), &json!([]))
    );
    let future = talk
        .ada
        .get("/api/v1/usage?from=2999-01-01T00:00:00Z")
        .await;
    assert_eq!(future.body["data"]["total"], sum(0, 0, 0));
}

#[tokio::test]
async fn a_refusal_names_the_place_that_is_at_fault() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let other = talk.chat().await;
    let elsewhere = json!({ "role": "user", "content": "elsewhere" });
    let foreign = talk.ada.post(&other.path("/messages"), elsewhere).await;
    let foreign = id(&foreign.body["data"]["messages"][0]);
    let user = |rest: Value| {
        let mut message = json!({ "role": "user", "content": "x" });
        message
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        message
    };
    let fine = user(json!({}));
    for (body, expected) in [
        (json!({}), "role is required"),
        (json!({ "role": "user" }), "content is required"),
        (
            user(json!({ "role": "robot" })),
            "role must be one of: system, user, assistant, tool",
        ),
        (user(json!({ "content": " " })), "content is blank"),
        (user(json!({ "content": [] })), "content is empty"),
        (
            user(json!({ "content": [{ "type": "image_url", "image_url": { "url": "u" } }] })),
            "content[0].type must be one of: text, reasoning, tool_call, tool_output",
        ),
        (
            user(json!({ "content": [{ "type": "text" }] })),
            "content[0].text is required",
        ),
        (user(json!({ "parentId": "x" })), "parentId is not a CUID"),
        (
            user(json!({ "parentId": foreign })),
            "parentId is no message of this chat",
        ),
        (
            json!({ "messages": [fine, user(json!({ "parentId": foreign }))] }),
            "messages[1].parentId is no message of this chat",
        ),
        (
            json!({ "messages": [fine, { "role": "user", "content": "" }] }),
            "messages[1].content is blank",
        ),
        (json!({ "messages": [] }), "messages must be 1 to 100"),
        (
            json!({ "messages": vec![&fine; 101] }),
            "messages must be 1 to 100",
        ),
        (
            json!({ "messages": [fine], "role": "user" }),
            "role can't stand beside messages",
        ),
    ] {
        let refused = chat
            .client
            .post(&chat.path("/messages"), body.clone())
            .await;
        let message = refused.body["message"].as_str().unwrap();
        assert_eq!((refused.status, message), (400, expected), "{body}");
    }
    assert!(chat.tree().await.is_empty());
    let refused = talk
        .ada
        .get("/api/v1/usage?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z")
        .await;
    assert_eq!(refused.body["message"], "to lies before from");
}
