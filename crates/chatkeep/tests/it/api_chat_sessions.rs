//! Seed 000's dialect, statement by statement.

use serde_json::json;

use crate::client::send;
use crate::server::Server;

#[tokio::test]
async fn a_session_is_created_found_updated_and_removed() {
    let server = Server::start();
    let ada = server.user("ada@example.com");

    let created = ada
        .post("/api/chat_sessions", json!({ "title": "new chat" }))
        .await;
    assert_eq!(created.status, 201);
    let at = created.body["data"]["created_at"].as_str().unwrap();
    assert_eq!(
        created.body,
        json!({ "data": { "id": 1, "title": "new chat", "is_active": "true", "created_at": at } })
    );
    assert_eq!((at.len(), &at[19..20], &at[23..]), (24, ".", "Z"), "{at}");
    assert_eq!(created.header("location"), "/api/chat_sessions/1");

    let found = ada.get("/api/chat_sessions/1").await;
    assert_eq!((found.status, &found.body), (200, &created.body));

    let updated = ada
        .put(
            "/api/chat_sessions/1",
            json!({ "title": "new chat updated" }),
        )
        .await;
    assert_eq!(updated.status, 200);
    assert_eq!(
        updated.body,
        json!({ "data":
            { "id": 1, "title": "new chat updated", "is_active": "true", "created_at": at } })
    );

    let removed = ada.delete("/api/chat_sessions/1").await;
    assert_eq!(
        (removed.status, removed.body),
        (200, json!({ "data": true }))
    );
    assert_eq!(ada.get("/api/chat_sessions/1").await.status, 404);
    let next = ada
        .post("/api/chat_sessions", json!({ "title": "next" }))
        .await;
    assert_eq!(next.body["data"]["id"], 2);
}

#[tokio::test]
async fn the_two_misspelled_paths_do_the_same() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, cuid) = ada.session("one").await;
    let updated = ada
        .put(&format!("/api/contacts/{cuid}"), json!({ "title": "two" }))
        .await;
    assert_eq!(
        (updated.status, &updated.body["data"]["title"]),
        (200, &json!("two"))
    );
    let removed = ada.delete(&format!("/api/chat_session/{number}")).await;
    assert_eq!(
        (removed.status, removed.body),
        (200, json!({ "data": true }))
    );
}

#[tokio::test]
async fn a_session_is_switched_off_and_on_with_strings() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, _) = ada.session("one").await;
    let path = format!("/api/chat_sessions/{number}");
    for (word, status) in [("false", "deactivated"), ("true", "active")] {
        let updated = ada
            .put(&path, json!({ "title": "one", "is_active": word }))
            .await;
        assert_eq!(updated.body["data"]["is_active"], word);
        let shown = ada.get(&format!("/api/v1/chat/{number}")).await;
        assert_eq!(shown.body["data"]["status"], status);
    }
    for wrong in [json!(true), json!("yes"), json!(null)] {
        let refused = ada
            .put(&path, json!({ "title": "one", "is_active": wrong }))
            .await;
        assert_eq!(
            (refused.status, &refused.body["errors"]),
            (400, &json!("Bad Request"))
        );
        assert_eq!(refused.body["details"][0]["field"], "is_active");
    }
}

#[tokio::test]
async fn a_title_that_is_missing_blank_too_long_or_no_string_is_a_bad_request() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    ada.session("one").await;
    let wrong = [
        json!({}),
        json!({ "title": "" }),
        json!({ "title": " \t\n" }),
        json!({ "title": "x".repeat(201) }),
        json!({ "title": "a\0b" }),
        json!({ "title": 5 }),
        json!({ "title": null }),
        json!({ "title": ["x"] }),
    ];
    for body in wrong {
        for (method, path) in [
            ("POST", "/api/chat_sessions"),
            ("PUT", "/api/chat_sessions/1"),
        ] {
            let refused = send(ada.request(method, path).json(&body)).await;
            assert_eq!(
                (refused.status, &refused.body["errors"]),
                (400, &json!("Bad Request"))
            );
            assert_eq!(refused.body["details"][0]["field"], "title", "{body}");
        }
    }
    let longest = ada
        .post("/api/chat_sessions", json!({ "title": "ü".repeat(200) }))
        .await;
    assert_eq!(longest.status, 201);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_a_bad_request() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for body in [
        "",
        "{",
        "title=x",
        "[]",
        "\"x\"",
        "null",
        "{\"title\":\"x\"} more",
        "\u{7f}",
    ] {
        let refused = send(ada.request("POST", "/api/chat_sessions").body(body)).await;
        assert_eq!(
            (refused.status, &refused.body["errors"]),
            (400, &json!("Bad Request"))
        );
        assert!(refused.body["details"][0]["message"].is_string(), "{body}");
    }
    let extra = json!({ "title": "x", "unknown": { "field": 1 } });
    assert_eq!(ada.post("/api/chat_sessions", extra).await.status, 201);
}

#[tokio::test]
async fn an_id_that_is_neither_number_nor_cuid_is_a_bad_request() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for id in [
        "-1",
        "1.5",
        "abc",
        "C1234567",
        "c123",
        "1e3",
        "%20",
        "%00",
        "clq%C3%BC23456",
        "%FF",
    ] {
        let path = format!("/api/chat_sessions/{id}");
        for refused in [
            ada.get(&path).await,
            ada.put(&path, json!({ "title": "x" })).await,
            ada.delete(&path).await,
        ] {
            assert_eq!(
                (refused.status, &refused.body["errors"]),
                (400, &json!("Bad Request"))
            );
            assert_eq!(refused.body["details"][0]["field"], "id", "{id}");
        }
    }
}

#[tokio::test]
async fn a_missing_session_is_not_found() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let mut answers = Vec::new();
    for id in [
        "0",
        "7",
        "99999999999999999999999",
        "clqb6q2rl0003v3k8b2g8n5xd",
    ] {
        let path = format!("/api/chat_sessions/{id}");
        answers.push(ada.get(&path).await);
        answers.push(ada.put(&path, json!({ "title": "x" })).await);
        answers.push(ada.delete(&path).await);
    }
    for answer in answers {
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (404, r#"{"errors":"Not Found"}"#)
        );
    }
}

#[tokio::test]
async fn the_token_may_come_bare_or_as_a_bearer() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let token = ada.token.clone().unwrap();
    let forms = [
        token.clone(),
        format!("Bearer {token}"),
        format!("bearer  {token}"),
    ];
    for path in ["/api/chat_sessions", "/api/v1/chat"] {
        for form in &forms {
            let request = server.stranger().request("GET", path);
            let answer = send(request.header("Authorization", form)).await;
            assert_eq!(answer.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn without_a_token_nothing_else_is_judged() {
    let server = Server::start();
    let nobody = server.stranger();
    let path = "/api/chat_sessions/not-an-id";
    for answer in [
        nobody.get(path).await,
        send(nobody.request("PUT", path).body("not json")).await,
        send(
            nobody
                .request("POST", "/api/chat_sessions")
                .body("x".repeat(2 << 20)),
        )
        .await,
    ] {
        assert_eq!(
            (answer.status, &answer.body["errors"]),
            (401, &json!("Unauthorized"))
        );
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
}

#[tokio::test]
async fn the_list_is_paged_from_the_newest_change() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for title in ["one", "two", "three"] {
        ada.session(title).await;
    }
    let first = ada.get("/api/chat_sessions?limit=2").await;
    assert_eq!(first.status, 200);
    let titles = |answer: &crate::client::Answer| -> Vec<String> {
        let data = answer.body["data"].as_array().unwrap();
        data.iter()
            .map(|one| one["title"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(titles(&first), ["three", "two"]);
    assert_eq!(first.body["paging"]["limit"], 2);
    let cursor = first.body["paging"]["next_cursor"].as_str().unwrap();
    let second = ada
        .get(&format!("/api/chat_sessions?limit=2&cursor={cursor}"))
        .await;
    assert_eq!(titles(&second), ["one"]);
    assert_eq!(second.body["paging"]["next_cursor"], json!(null));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("limit=1&limit=2", "limit"),
    ] {
        let refused = ada.get(&format!("/api/chat_sessions?{query}")).await;
        assert_eq!(
            (refused.status, &refused.body["errors"]),
            (400, &json!("Bad Request"))
        );
        assert_eq!(refused.body["details"][0]["field"], field, "{query}");
    }
}
