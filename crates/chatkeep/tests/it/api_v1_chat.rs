//! Seed 004's dialect, and what has grown from it.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::server::Server;

#[tokio::test]
async fn a_created_chat_has_exactly_the_fields_of_the_seed() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = ada
        .post(
            "/api/v1/chat",
            json!({ "name": "My File Chat", "type": "file" }),
        )
        .await;
    assert_eq!(made.status, 201);
    let data = &made.body["data"];
    assert_eq!(
        made.body,
        json!({
            "success": true,
            "statusCode": 201,
            "message": "Chat created successfully",
            "data": {
                "id": data["id"],
                "userId": data["userId"],
                "chatName": "My File Chat",
                "systemMessage": "",
                "createdAt": data["createdAt"],
                "updatedAt": data["createdAt"],
                "status": "active",
                "type": "file",
            },
        })
    );
    let me = ada.get("/api/v1/auth/me").await;
    assert_eq!(data["userId"], me.body["data"]["id"]);
    let id = data["id"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("/api/v1/chat/{id}"));
    for cuid in [id, data["userId"].as_str().unwrap()] {
        let base36 = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
        assert!(
            cuid.len() == 25 && cuid.starts_with('c') && cuid.chars().all(base36),
            "{cuid}"
        );
    }
}

#[tokio::test]
async fn a_chat_without_a_name_is_called_new_chat() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = ada.post("/api/v1/chat", json!({ "type": "text" })).await;
    assert_eq!(made.body["data"]["chatName"], "New Chat");
}

#[tokio::test]
async fn a_wrong_field_is_named_in_the_message() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, _) = ada.session("one").await;
    let path = format!("/api/v1/chat/{number}");
    for (body, field) in [
        (json!({}), "type"),
        (json!({ "type": "video" }), "type"),
        (json!({ "type": 1 }), "type"),
        (json!({ "type": "text", "name": 5 }), "name"),
        (json!({ "type": "text", "name": "" }), "name"),
        (json!({ "type": "text", "name": null }), "name"),
        (json!([]), "body"),
    ] {
        named(&ada.post("/api/v1/chat", body).await, field);
    }
    for (body, field) in [
        (json!({ "name": " " }), "name"),
        (json!({ "systemMessage": 1 }), "systemMessage"),
        (
            json!({ "systemMessage": "x".repeat(32_769) }),
            "systemMessage",
        ),
        (json!({ "status": "gone" }), "status"),
    ] {
        named(&ada.patch(&path, body).await, field);
    }
    for (query, field) in [
        ("status=x", "status"),
        ("type=x", "type"),
        ("limit=0", "limit"),
        ("cursor=.", "cursor"),
    ] {
        named(&ada.get(&format!("/api/v1/chat?{query}")).await, field);
    }
    named(&ada.get("/api/v1/chat/x").await, "id");
}

fn named(answer: &Answer, field: &str) {
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("{field} ")), "{message}");
    let expected = json!({ "success": false, "statusCode": 400, "message": message });
    assert_eq!((answer.status, &answer.body), (400, &expected));
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, cuid) = ada.session("one").await;
    let before = ada.get(&format!("/api/v1/chat/{cuid}")).await.body["data"].clone();
    let path = format!("/api/v1/chat/{number}");
    for (body, field) in [
        (json!({ "name": "two" }), "chatName"),
        (
            json!({ "systemMessage": "You are a pirate." }),
            "systemMessage",
        ),
        (json!({ "systemMessage": "" }), "systemMessage"),
        (json!({ "status": "deactivated" }), "status"),
    ] {
        let changed = ada.patch(&path, body.clone()).await;
        assert_eq!(
            (changed.status, &changed.body["message"]),
            (200, &json!("Chat updated successfully"))
        );
        assert_eq!(
            &changed.body["data"][field],
            body.as_object().unwrap().values().next().unwrap()
        );
        assert_eq!(changed.body["data"]["createdAt"], before["createdAt"]);
    }
    let after = ada.get(&path).await.body["data"].clone();
    assert_eq!(
        (&after["chatName"], &after["status"]),
        (&json!("two"), &json!("deactivated"))
    );
    assert_eq!(
        (&after["id"], &after["type"]),
        (&before["id"], &json!("text"))
    );
}

#[tokio::test]
async fn a_deleted_chat_is_gone_in_both_dialects() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, cuid) = ada.session("one").await;
    let deleted = ada.delete(&format!("/api/v1/chat/{cuid}")).await;
    let expected =
        json!({ "success": true, "statusCode": 200, "message": "Chat deleted successfully" });
    assert_eq!((deleted.status, deleted.body), (200, expected));
    for path in [
        format!("/api/v1/chat/{number}"),
        format!("/api/chat_sessions/{cuid}"),
    ] {
        assert_eq!(ada.get(&path).await.status, 404);
    }
}

#[tokio::test]
async fn what_one_dialect_makes_the_other_shows() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = ada
        .post("/api/v1/chat", json!({ "name": "both", "type": "file" }))
        .await;
    let id = made.body["data"]["id"].as_str().unwrap();
    let shown = ada.get(&format!("/api/chat_sessions/{id}")).await;
    assert_eq!(
        (
            &shown.body["data"]["title"],
            &shown.body["data"]["created_at"]
        ),
        (&json!("both"), &made.body["data"]["createdAt"])
    );
    assert_eq!(shown.header("etag"), made.header("etag"));
}

async fn names(client: &Client, query: &str) -> (Vec<String>, Value) {
    let page = client.get(&format!("/api/v1/chat?{query}")).await;
    assert_eq!(page.status, 200, "{query}: {}", page.text);
    let data = &page.body["data"];
    let chats = data["chats"].as_array().unwrap().iter();
    let names = chats
        .map(|one| one["chatName"].as_str().unwrap().into())
        .collect();
    (names, data["nextCursor"].clone())
}

#[tokio::test]
async fn the_list_shows_the_newest_change_first_and_filters() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for (name, kind) in [("a", "text"), ("b", "file"), ("c", "text")] {
        ada.post("/api/v1/chat", json!({ "name": name, "type": kind }))
            .await;
    }
    ada.patch("/api/v1/chat/1", json!({ "status": "deactivated" }))
        .await;
    assert_eq!(
        names(&ada, "").await,
        (vec!["a".into(), "c".into(), "b".into()], json!(null))
    );
    assert_eq!(names(&ada, "type=text").await.0, ["a", "c"]);
    assert_eq!(names(&ada, "status=active").await.0, ["c", "b"]);
    assert_eq!(names(&ada, "status=deactivated&type=file").await.0, [""; 0]);
}

#[tokio::test]
async fn pages_meet_while_chats_are_added() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for number in 1..=25 {
        ada.session(&number.to_string()).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (page, next) = names(&ada, &format!("limit=10{cursor}")).await;
        seen.extend(page);
        ada.session("new").await;
        let Some(next) = next.as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<String> = (1..=25).rev().map(|number| number.to_string()).collect();
    assert_eq!(seen, expected);
    assert_eq!(names(&ada, "").await.0.len(), 20);
    assert_eq!(names(&ada, "limit=100").await.0.len(), 28);
}

#[tokio::test]
async fn what_a_client_notes_with_a_chat_is_kept_until_it_notes_something_else() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, _) = ada.session("one").await;
    let path = format!("/api/v1/chat/{number}");
    let shown = ada.get(&path).await.body["data"].clone();
    assert_eq!(
        (&shown["metadata"], &shown["externalId"]),
        (&json!({}), &json!(null))
    );
    for metadata in [
        json!({ "topic": "trees", "empty": "" }),
        json!({ "a": "b" }),
    ] {
        let changed = ada.patch(&path, json!({ "metadata": metadata })).await;
        assert_eq!(changed.body["data"]["metadata"], metadata);
        ada.patch(&path, json!({ "name": "renamed" })).await;
        let shown = ada.get(&path).await;
        assert_eq!(shown.body["data"]["metadata"], metadata);
    }
    let many = (0..17).map(|at| (at.to_string(), json!(""))).collect();
    for (metadata, expected) in [
        (Value::Object(many), "metadata has more than 16 pairs"),
        (
            json!({ "": "x" }),
            "metadata has a key that is not 1 to 64 characters long",
        ),
        (
            json!({ "a": "x".repeat(513) }),
            "metadata has a value of more than 512 characters",
        ),
        (json!({ "a": "\0" }), "metadata holds a NUL character"),
    ] {
        let refused = ada.patch(&path, json!({ "metadata": metadata })).await;
        let message = refused.body["message"].as_str().unwrap();
        assert_eq!((refused.status, message), (400, expected));
    }
    let number = ada.patch(&path, json!({ "metadata": { "a": 1 } })).await;
    let message = number.body["message"].as_str().unwrap();
    assert!(message.starts_with("metadata.a is not"), "{message}");
}

#[tokio::test]
async fn chats_are_found_by_a_part_of_their_name_in_any_case() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let bob = server.user("bob@example.com");
    bob.session("Tee mit Bob").await;
    for name in [
        "Grüner Tee",
        "TEE & Zucker",
        "Kaffee",
        "100 % Straẞe",
        "a_b\\c 😀",
    ] {
        ada.session(name).await;
    }
    for (query, expected) in [
        ("q=tee", &["TEE & Zucker", "Grüner Tee"][..]),
        ("q=GRÜ", &["Grüner Tee"]),
        ("q=stra%C3%9Fe", &["100 % Straẞe"]),
        ("q=%25", &["100 % Straẞe"]),
        ("q=_", &["a_b\\c 😀"]),
        ("q=\\", &["a_b\\c 😀"]),
        ("q=😀", &["a_b\\c 😀"]),
        ("q=milk", &[]),
        ("q=tee&status=deactivated", &[]),
    ] {
        assert_eq!(names(&ada, query).await.0, expected, "{query}");
    }
    let (page, next) = names(&ada, "q=EE&limit=2").await;
    assert_eq!(page, ["Kaffee", "TEE & Zucker"]);
    ada.session("new tee").await;
    let next = next.as_str().unwrap();
    let (page, next) = names(&ada, &format!("q=EE&limit=2&cursor={next}")).await;
    assert_eq!((page, next), (vec!["Grüner Tee".to_owned()], Value::Null));
    let long = format!("q={}", "x".repeat(201));
    for (query, message) in [
        ("q=", "q is blank"),
        ("q=%20", "q is blank"),
        ("q=%00x", "q holds a NUL character"),
        (&*long, "q is longer than 200 characters"),
    ] {
        let refused = ada.get(&format!("/api/v1/chat?{query}")).await;
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (400, &json!(message))
        );
    }
}
