//! What holds for every change: idempotency keys, preconditions, limits.

use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::server::Server;

async fn with_key(client: &Client, method: &str, path: &str, key: &str, body: &Value) -> Answer {
    let request = client.request(method, path).header("Idempotency-Key", key);
    send(if method == "DELETE" {
        request
    } else {
        request.json(body)
    })
    .await
}

async fn count(client: &Client) -> usize {
    let page = client.get("/api/v1/chat?limit=100").await;
    page.body["data"]["chats"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_retry_with_the_same_key_gets_the_first_answer_and_changes_nothing() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (one, _) = ada.session("one").await;
    let (two, _) = ada.session("two").await;
    let (three, _) = ada.session("three").await;
    let changes = [
        ("POST", "/api/v1/chat".into(), json!({ "type": "text" })),
        ("POST", "/api/chat_sessions".into(), json!({ "title": "x" })),
        (
            "PATCH",
            format!("/api/v1/chat/{one}"),
            json!({ "name": "once" }),
        ),
        (
            "PUT",
            format!("/api/chat_sessions/{one}"),
            json!({ "title": "once" }),
        ),
        (
            "PUT",
            format!("/api/contacts/{one}"),
            json!({ "title": "once" }),
        ),
        ("DELETE", format!("/api/v1/chat/{one}"), Value::Null),
        ("DELETE", format!("/api/chat_sessions/{two}"), Value::Null),
        ("DELETE", format!("/api/chat_session/{three}"), Value::Null),
    ];
    for (number, (method, path, body)) in changes.iter().enumerate() {
        let key = format!("key-{number}");
        let first = with_key(&ada, method, path, &key, body).await;
        assert!(first.status < 300, "{method} {path}: {first:?}");
        let sessions = count(&ada).await;
        let again = with_key(&ada, method, path, &key, body).await;
        assert_eq!(
            (again.status, &again.text),
            (first.status, &first.text),
            "{method} {path}"
        );
        for name in ["etag", "location"] {
            assert_eq!(again.header(name), first.header(name), "{method} {path}");
        }
        assert_eq!(count(&ada).await, sessions, "{method} {path}");
    }
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_is_refused() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, _) = ada.session("one").await;
    let body = json!({ "type": "text" });
    assert_eq!(
        with_key(&ada, "POST", "/api/v1/chat", "k", &body)
            .await
            .status,
        201
    );
    let chat = format!("/api/v1/chat/{number}");
    for (method, path, body) in [
        ("POST", "/api/v1/chat", json!({ "type": "file" })),
        ("PATCH", chat.as_str(), json!({ "name": "x" })),
        ("DELETE", chat.as_str(), Value::Null),
    ] {
        let refused = with_key(&ada, method, path, "k", &body).await;
        assert_eq!(
            (refused.status, &refused.body["statusCode"]),
            (422, &json!(422)),
            "{method}"
        );
    }
    let seed = with_key(
        &ada,
        "POST",
        "/api/chat_sessions",
        "k",
        &json!({ "title": "x" }),
    )
    .await;
    assert_eq!(
        (seed.status, &seed.body["errors"]),
        (422, &json!("Unprocessable Entity"))
    );
    assert_eq!(ada.get(&chat).await.body["data"]["chatName"], "one");

    let bob = server.user("bob@example.com");
    let other = json!({ "type": "file" });
    assert_eq!(
        with_key(&bob, "POST", "/api/v1/chat", "k", &other)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_key_survives_a_kill() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let body = json!({ "type": "text" });
    let first = with_key(&ada, "POST", "/api/v1/chat", "k", &body).await;
    let server = server.kill().start_again();
    let ada = server.stranger().with_token(ada.token.as_ref().unwrap());
    let again = with_key(&ada, "POST", "/api/v1/chat", "k", &body).await;
    assert_eq!((again.status, again.text), (201, first.text));
    assert_eq!(count(&ada).await, 1);
}

#[tokio::test]
async fn a_body_that_is_an_array_is_refused_by_every_change() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, _) = ada.session("one").await;
    for (method, path) in [
        ("POST", "/api/v1/auth/tokens".into()),
        ("POST", "/api/v1/auth/register".into()),
        ("POST", "/api/v1/auth/login".into()),
        ("POST", "/api/v1/chat".into()),
        ("PATCH", format!("/api/v1/chat/{number}")),
        ("POST", "/api/chat_sessions".into()),
        ("PUT", format!("/api/chat_sessions/{number}")),
    ] {
        for body in [json!([]), json!(["a@b", "long enough", "x"])] {
            let refused = send(ada.request(method, &path).json(&body)).await;
            assert_eq!(refused.status, 400, "{method} {path} {body}");
        }
    }
    let kept = ada.get("/api/v1/chat/1").await;
    assert_eq!(kept.header("etag"), "\"1\"");
}

#[tokio::test]
async fn a_retry_after_the_deletion_neither_shows_nor_makes_the_session_again() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = json!({ "type": "text", "name": "canary-name" });
    let made = with_key(&ada, "POST", "/api/v1/chat", "k", &made).await;
    let id = made.body["data"]["id"].as_str().unwrap();
    let path = format!("/api/v1/chat/{id}");
    let message = json!({ "systemMessage": "canary-message" });
    with_key(&ada, "PATCH", &path, "m", &message).await;
    assert_eq!(
        with_key(&ada, "DELETE", &path, "d", &Value::Null)
            .await
            .status,
        200
    );
    let again = json!({ "type": "text", "name": "canary-name" });
    assert_eq!(
        with_key(&ada, "POST", "/api/v1/chat", "k", &again)
            .await
            .status,
        409
    );
    assert_eq!(count(&ada).await, 0);
}

#[tokio::test]
async fn of_many_at_once_with_one_key_one_makes_the_change() {
    let server = Server::start();
    let nobody = server.stranger();
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let nobody = nobody.clone();
        tries.spawn(async move {
            let body = json!({ "email": "ada@example.com", "password": "correct horse" });
            with_key(&nobody, "POST", "/api/v1/auth/register", "k", &body).await
        });
    }
    let answers = tries.join_all().await;
    let made: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .collect();
    let running = answers.iter().filter(|answer| answer.status == 409).count();
    assert!(!made.is_empty(), "{answers:?}");
    // A hash takes so long that the others come while it runs.
    assert_eq!(made.len() + running, 8, "{answers:?}");
    assert!(running > 0, "{answers:?}");
    assert!(made.iter().all(|answer| answer.text == made[0].text));
    assert_eq!(server.run(&["user", "list"], "").lines().count(), 1);
}

#[tokio::test]
async fn a_key_must_be_short_and_visible() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for key in ["", "with space", &"x".repeat(256)] {
        let refused = with_key(
            &ada,
            "POST",
            "/api/v1/chat",
            key,
            &json!({ "type": "text" }),
        )
        .await;
        assert_eq!(refused.status, 400, "{key}");
        assert!(
            refused.body["message"]
                .as_str()
                .unwrap()
                .starts_with("Idempotency-Key ")
        );
    }
}

#[tokio::test]
async fn a_change_with_a_stale_entity_tag_is_refused() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let (number, _) = ada.session("one").await;
    let paths = [
        format!("/api/v1/chat/{number}"),
        format!("/api/chat_sessions/{number}"),
    ];
    let body = json!({ "name": "two", "title": "two" });
    let first = ada.get(&paths[0]).await.header("etag").to_owned();
    assert_eq!(ada.get(&paths[1]).await.header("etag"), first);
    let changed = send(
        ada.request("PATCH", &paths[0])
            .header("If-Match", &first)
            .json(&body),
    )
    .await;
    assert_eq!(changed.status, 200);
    let second = changed.header("etag").to_owned();
    assert_ne!(first, second);
    assert_eq!(ada.get(&paths[0]).await.header("etag"), second);

    let weak = format!("W/{second}");
    for (method, path) in [("PATCH", 0), ("DELETE", 0), ("PUT", 1), ("DELETE", 1)] {
        for stale in [first.as_str(), weak.as_str(), "\"02\"", "\"x\"", "nonsense"] {
            let request = ada.request(method, &paths[path]).header("If-Match", stale);
            let refused = send(request.json(&body)).await;
            assert_eq!(refused.status, 412, "{method} {stale}");
        }
    }
    assert_eq!(ada.get(&paths[0]).await.header("etag"), second);
    for fresh in [format!("\"77\", {second}"), "*".into()] {
        let request = ada.request("PUT", &paths[1]).header("If-Match", fresh);
        assert_eq!(send(request.json(&body)).await.status, 200);
    }
    let missing = ada
        .request("DELETE", "/api/v1/chat/999")
        .header("If-Match", "\"1\"");
    assert_eq!(send(missing).await.status, 404);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_in_the_dialects_own_shape() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let large = json!({ "type": "text", "title": "x".repeat(1 << 20) });
    let v1 = ada.post("/api/v1/chat", large.clone()).await;
    assert_eq!((v1.status, &v1.body["statusCode"]), (413, &json!(413)));
    let seed = ada.post("/api/chat_sessions", large.clone()).await;
    assert_eq!(
        (seed.status, &seed.body["errors"]),
        (413, &json!("Payload Too Large"))
    );
    // Without a length in front, too.
    let chunks = chunked(vec![vec![b' '; 1 << 19]; 3]);
    let refused = send(ada.request("POST", "/api/v1/chat").body(chunks)).await;
    assert_eq!(refused.status, 413);
    assert_eq!(count(&ada).await, 0);
}

/// A body that is sent in chunks.
fn chunked(chunks: Vec<Vec<u8>>) -> reqwest::Body {
    let mut chunks = chunks.into_iter();
    let stream = futures_util::stream::poll_fn(move |_| {
        std::task::Poll::Ready(chunks.next().map(Ok::<_, std::io::Error>))
    });
    reqwest::Body::wrap_stream(stream)
}
