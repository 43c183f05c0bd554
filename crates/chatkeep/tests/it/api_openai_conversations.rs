//! Conversations and their items, as OpenAI's SDKs speak about them.

use serde_json::{Value, json};

use crate::client::{Client, send};
use crate::server::Server;
use crate::talk::{Chat, Talk, id, text};

const MISSING: &str = "clqb6q2rl0003v3k8b2g8n5xd";

async fn conversation(client: &Client, body: Value) -> Value {
    let made = client.post("/v1/conversations", body).await;
    assert_eq!(made.status, 200, "{made:?}");
    made.body
}

/// The v1 dialect's chat of a conversation.
fn chat(client: &Client, conversation: &Value) -> Chat {
    let id = id(conversation).strip_prefix("conv_").unwrap().to_owned();
    let client = client.clone();
    Chat { client, id }
}

/// All items, page by page as an SDK reads them.
async fn listed(client: &Client, path: &str, query: &str) -> Vec<Value> {
    let (mut items, mut after): (Vec<Value>, _) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}?{query}{after}")).await;
        assert_eq!(
            (page.status, &page.body["object"]),
            (200, &json!("list")),
            "{page:?}"
        );
        let data = page.body["data"].as_array().unwrap();
        let ends = [data.first(), data.last()]
            .map(|item| item.map_or(json!(""), |item| item["id"].clone()));
        assert_eq!(
            [&page.body["first_id"], &page.body["last_id"]],
            [&ends[0], &ends[1]]
        );
        items.extend(data.iter().cloned());
        if page.body["has_more"] == false {
            return items;
        }
        after = format!("&after={}", page.body["last_id"].as_str().unwrap());
    }
}

/// Items of every kind, some of which are one message of ours.
fn items() -> Value {
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "look", "arguments": "{}" });
    let output =
        |id: &str| json!({ "type": "function_call_output", "call_id": id, "output": "42" });
    json!([
        { "role": "developer", "content": "Be brief." },
        { "role": "user", "content": [{ "type": "input_text", "text": "a" }, { "type": "input_text", "text": "b" }] },
        { "role": "assistant", "content": "Let me see." },
        call("1"),
        call("2"),
        output("2"),
        output("1"),
        { "role": "assistant", "content": [{ "type": "output_text", "text": "42, twice." }] },
    ])
}

#[tokio::test]
async fn a_conversation_is_a_chat_session() {
    let talk = Talk::start();
    let made = conversation(
        &talk.ada,
        json!({ "metadata": { "topic": "x" }, "items": items() }),
    )
    .await;
    assert_eq!(made["object"], "conversation");
    assert_eq!(
        (&made["metadata"], &made["title"]),
        (&json!({ "topic": "x" }), &Value::Null)
    );
    let path = format!("/v1/conversations/{}", id(&made));
    assert_eq!(
        talk.ada.get(&path).await.body["created_at"],
        made["created_at"]
    );

    let chat = chat(&talk.ada, &made);
    let messages = chat.messages().await;
    let roles: Vec<&Value> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "assistant"]);
    assert_eq!(text(&messages[4]), "42, twice.");
    chat.change(json!({ "name": "Numbers" })).await;
    assert_eq!(talk.ada.get(&path).await.body["title"], "Numbers");

    let (_, other) = talk.ada.session("another").await;
    let list = talk.ada.get("/v1/conversations").await;
    let names: Vec<&Value> = list.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["title"])
        .collect();
    assert_eq!(names, ["another", "Numbers"]);
    assert_eq!(list.body["first_id"], format!("conv_{other}"));

    let gone = talk.ada.delete(&path).await;
    let expected = json!({ "id": made["id"], "object": "conversation.deleted", "deleted": true });
    assert_eq!((gone.status, &gone.body), (200, &expected));
    assert_eq!(talk.ada.get(&path).await.status, 404);
    assert_eq!(talk.ada.get(&chat.path("")).await.status, 404);
}

#[tokio::test]
async fn a_title_comes_from_its_field_or_from_the_metadata() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = conversation(&ada, json!({ "metadata": { "title": "One", "k": "v" } })).await;
    assert_eq!(
        (&made["title"], &made["metadata"]["title"]),
        (&json!("One"), &json!("One"))
    );
    let path = format!("/v1/conversations/{}", id(&made));
    let changed = ada
        .post(&path, json!({ "metadata": { "k": "w" }, "title": "Two" }))
        .await;
    assert_eq!(
        (&changed.body["title"], &changed.body["metadata"]),
        (&json!("Two"), &json!({ "k": "w" }))
    );
    let changed = ada
        .post(&path, json!({ "metadata": { "title": "Three" } }))
        .await;
    assert_eq!(changed.body["title"], "Three");
    let changed = ada.post(&path, json!({ "metadata": null })).await;
    assert_eq!(
        (&changed.body["title"], &changed.body["metadata"]),
        (&json!("Three"), &json!({}))
    );
    let many: Value = (0..17)
        .map(|number| (number.to_string(), json!("")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (body, message, param) in [
        (json!({}), "metadata is required", "metadata"),
        (json!({ "title": " " }), "title is blank", "title"),
        (
            json!({ "metadata": { "title": "" } }),
            "metadata.title is blank",
            "metadata.title",
        ),
        (
            json!({ "metadata": many }),
            "metadata has more than 16 pairs",
            "metadata",
        ),
    ] {
        let refused = ada.post(&path, body).await;
        let error = json!({ "error": {
            "message": message, "type": "invalid_request_error", "param": param, "code": null,
        } });
        assert_eq!((refused.status, &refused.body), (400, &error));
    }
}

#[tokio::test]
async fn items_are_listed_from_both_ends_page_by_page() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = conversation(&ada, json!({ "items": items() })).await;
    let path = format!("/v1/conversations/{}/items", id(&made));
    let expected: Vec<String> = items()
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap_or("message").to_owned())
        .collect();
    let whole = listed(&ada, &path, "order=asc").await;
    let kinds: Vec<&str> = whole
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, expected);
    assert_eq!(
        whole[1]["content"][1],
        json!({ "type": "input_text", "text": "b" })
    );
    assert_eq!(whole[2]["content"][0]["annotations"], json!([]));
    for item in &whole {
        assert_eq!(item["status"], "completed");
        let found = ada.get(&format!("{path}/{}", id(item))).await;
        assert_eq!((found.status, &found.body), (200, item));
    }
    for limit in 1..10 {
        let oldest_first = listed(&ada, &path, &format!("order=asc&limit={limit}")).await;
        assert_eq!(oldest_first, whole, "{limit}");
        let mut newest_first = listed(&ada, &path, &format!("limit={limit}&include[]=x")).await;
        newest_first.reverse();
        assert_eq!(newest_first, whole, "{limit}");
    }
    for (query, param) in [
        ("limit=0", "limit"),
        ("order=up", "order"),
        ("after=x", "after"),
        (&format!("order=asc&after=msg_{MISSING}"), "after"),
        (&format!("after=msg_{MISSING}"), "after"),
        (&format!("after={}_9", id(&whole[0])), "after"),
    ] {
        let refused = ada.get(&format!("{path}?{query}")).await;
        assert_eq!(
            (refused.status, &refused.body["error"]["param"]),
            (400, &json!(param))
        );
    }
}

#[tokio::test]
async fn items_are_appended_in_the_order_of_the_request() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = conversation(&ada, json!({})).await;
    let path = format!("/v1/conversations/{}/items", id(&made));
    let empty = ada.get(&path).await;
    let nothing =
        json!({ "object": "list", "data": [], "first_id": "", "last_id": "", "has_more": false });
    assert_eq!(empty.body, nothing);
    let appended = ada.post(&path, json!({ "items": items() })).await;
    assert_eq!(appended.status, 200, "{appended:?}");
    assert_eq!(
        appended.body["data"],
        json!(listed(&ada, &path, "order=asc").await)
    );

    let output = json!({ "type": "function_call_output", "call_id": "9", "output": "x" });
    let refused = ada.post(&path, json!({ "items": [output] })).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["param"]),
        (400, &json!("items[0].call_id"))
    );
    let refused = ada
        .post("/v1/conversations", json!({ "items": [output] }))
        .await;
    assert_eq!(
        (refused.status, &refused.body["error"]["param"]),
        (400, &json!("items[0].call_id"))
    );
    let many = vec![json!({ "role": "user", "content": "x" }); 21];
    let refused = ada.post(&path, json!({ "items": many })).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["param"]),
        (400, &json!("items"))
    );
}

#[tokio::test]
async fn an_item_that_was_deleted_is_gone_for_everybody() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = conversation(&ada, json!({ "items": items() })).await;
    let path = format!("/v1/conversations/{}/items", id(&made));
    let mut whole = listed(&ada, &path, "order=asc").await;
    let first_call = whole.remove(3);
    let gone = ada.delete(&format!("{path}/{}", id(&first_call))).await;
    assert_eq!((gone.status, &gone.body["id"]), (200, &made["id"]));
    assert_eq!(listed(&ada, &path, "order=asc").await, whole);
    for method in ["GET", "DELETE"] {
        let again = send(ada.request(method, &format!("{path}/{}", id(&first_call)))).await;
        assert_eq!(again.status, 404, "{method}");
    }
    let message = &chat(&ada, &made).messages().await[2];
    assert_eq!(message["content"][1], json!({ "type": "removed" }));
    let user = whole.remove(1);
    ada.delete(&format!("{path}/{}", id(&user))).await;
    assert_eq!(listed(&ada, &path, "order=asc").await, whole);
    assert_eq!(text(&chat(&ada, &made).messages().await[1]), "");
}

#[tokio::test]
async fn a_malformed_name_is_not_found_as_a_foreign_one() {
    let server = Server::start();
    let (ada, bob) = (
        server.user("ada@example.com"),
        server.user("bob@example.com"),
    );
    let made = conversation(&ada, json!({ "items": items() })).await;
    let path = format!("/v1/conversations/{}", id(&made));
    let item = id(&listed(&ada, &format!("{path}/items"), "").await[0]);
    let missing = bob.get(&format!("/v1/conversations/conv_{MISSING}")).await;
    assert_eq!(missing.status, 404);
    for path in [
        path.clone(),
        path.replace("conv_", ""),
        format!("{path}x"),
        "/v1/conversations/x".into(),
        format!("{path}/items"),
        format!("{path}/items/{item}"),
        format!("/v1/conversations/conv_{MISSING}/items/{item}"),
        format!("/v1/responses/resp_{MISSING}"),
        "/v1/responses/x".into(),
    ] {
        let refused = bob.get(&path).await;
        assert_eq!(
            (refused.status, &refused.text),
            (404, &missing.text),
            "{path}"
        );
    }
    for name in [
        "x",
        "msg_x",
        &format!("{item}_1"),
        &item.replace("msg_", "fc_"),
    ] {
        let refused = ada.get(&format!("{path}/items/{name}")).await;
        assert_eq!(
            (refused.status, &refused.text),
            (404, &missing.text),
            "{name}"
        );
    }
}

#[tokio::test]
async fn conversations_are_listed_page_by_page() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, id(&conversation(&ada, json!({})).await));
    }
    for limit in 1..7 {
        let pages = listed(
            &ada,
            "/v1/conversations",
            &format!("limit={limit}&order=desc"),
        )
        .await;
        assert_eq!(pages.iter().map(id).collect::<Vec<_>>(), made);
    }
    // One that is changed between two pages stays where it is.
    let change = json!({ "title": "changed" });
    ada.post(&format!("/v1/conversations/{}", made[3]), change)
        .await;
    let rest = format!("after={}", made[1]);
    let rest = listed(&ada, "/v1/conversations", &rest).await;
    assert_eq!(rest.iter().map(id).collect::<Vec<_>>(), made[2..]);
    let gone = made.remove(0);
    ada.delete(&format!("/v1/conversations/{gone}")).await;
    for (query, param) in [
        ("order=asc", "order"),
        ("after=conv_x", "after"),
        (&format!("after={gone}"), "after"),
        ("limit=101", "limit"),
    ] {
        let refused = ada.get(&format!("/v1/conversations?{query}")).await;
        assert_eq!(
            (refused.status, &refused.body["error"]["param"]),
            (400, &json!(param))
        );
    }
}

#[tokio::test]
async fn models_are_those_of_the_server() {
    let talk = Talk::start();
    let list = talk.ada.get("/v1/models").await;
    let model =
        |name: &str| json!({ "id": name, "object": "model", "created": 0, "owned_by": "scripted" });
    let expected = json!({
        "object": "list",
        "data": [model("scripted"), model("other"), model("small")],
    });
    assert_eq!((list.status, &list.body), (200, &expected));
    assert_eq!(talk.ada.get("/v1/models/other").await.body, model("other"));
    let missing = talk.ada.get("/v1/models/nobody").await;
    assert_eq!(
        (missing.status, &missing.body["error"]["code"]),
        (404, &json!("model_not_found"))
    );
    let stranger = talk.server.stranger().get("/v1/models").await;
    assert_eq!(
        (stranger.status, &stranger.body["error"]["code"]),
        (401, &json!("invalid_api_key"))
    );
    let unknown = talk.ada.get("/v1/nothing").await;
    assert_eq!(
        (unknown.status, &unknown.body["error"]["type"]),
        (404, &json!("invalid_request_error"))
    );
    let wrong = talk.ada.delete("/v1/models").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET,HEAD"));
    assert!(wrong.body["error"]["message"].is_string());
}

#[tokio::test]
async fn a_retry_that_an_sdk_counts_appends_nothing_twice() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = conversation(&ada, json!({})).await;
    let path = format!("/v1/conversations/{}/items", id(&made));
    let append = async |count: &str, text: &str| {
        let body = json!({ "items": [{ "role": "user", "content": text }] });
        let request = ada.request("POST", &path).json(&body);
        let made = send(request.header("x-stainless-retry-count", count)).await;
        assert_eq!(made.status, 200, "{made:?}");
        made.body["first_id"].clone()
    };
    let first = append("0", "hello").await;
    assert_eq!(append("1", "hello").await, first);
    assert_eq!(append("2", "hello").await, first);
    assert_eq!(listed(&ada, &path, "").await.len(), 1);
    let other = append("0", "hello").await;
    assert_ne!(other, first, "the same once more is meant");
    assert_eq!(append("1", "hello").await, other);
    // What was never done is done by the retry.
    assert_ne!(append("1", "late").await, other);
    assert_eq!(listed(&ada, &path, "").await.len(), 3);

    let alike = futures_util::future::join_all((0..8).map(|_| append("0", "beside"))).await;
    let alike: std::collections::BTreeSet<_> = alike.iter().map(Value::to_string).collect();
    assert_eq!(
        alike.len(),
        8,
        "those that run beside each other are not one"
    );
}

#[tokio::test]
async fn a_conversation_is_made_once_by_its_key_and_never_by_a_count() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let make = async |count: &str, key: Option<&str>| {
        let request = ada.request("POST", "/v1/conversations").json(&json!({}));
        let mut request = request.header("x-stainless-retry-count", count);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let made = send(request).await;
        assert_eq!(made.status, 200, "{made:?}");
        id(&made.body)
    };
    // The retry may be another end user's, whose first try never arrived.
    let first = make("0", None).await;
    assert_ne!(make("1", None).await, first);
    let keyed = make("0", Some("a")).await;
    assert_eq!(make("1", Some("a")).await, keyed);
    assert_ne!(make("0", Some("b")).await, keyed);
}

#[tokio::test]
async fn items_that_are_deleted_while_they_are_listed_hide_none() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for order in ["asc", "desc"] {
        for limit in 1..4 {
            let made = conversation(&ada, json!({ "items": items() })).await;
            let path = format!("/v1/conversations/{}/items", id(&made));
            let whole = listed(&ada, &path, &format!("order={order}")).await;
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let query = format!("order={order}&limit={limit}{after}");
                let page = ada.get(&format!("{path}?{query}")).await;
                assert_eq!(page.status, 200, "{query} {page:?}");
                for item in page.body["data"].as_array().unwrap() {
                    let gone = ada.delete(&format!("{path}/{}", id(item))).await;
                    assert_eq!(gone.status, 200, "{gone:?}");
                    seen.push(item.clone());
                }
                if page.body["has_more"] == false {
                    break;
                }
                after = format!("&after={}", page.body["last_id"].as_str().unwrap());
            }
            assert_eq!(seen, whole, "{order} {limit}");
            assert_eq!(listed(&ada, &path, "").await, Vec::<Value>::new());
        }
    }
}
