//! The OpenAPI document is held against the server itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::every_route::{MISSING, assert_example, document, is_of_a_dialect};
use crate::server::Server;
use crate::sse::{Events, events};

/// Every operation, in an order in which its examples can be true one after the other.
const TOUR: &[(&str, &str)] = &[
    ("get", "/api/v1/auth/setup"),
    ("post", "/api/v1/auth/register"),
    ("post", "/api/v1/auth/login"),
    ("get", "/api/v1/auth/me"),
    ("patch", "/api/v1/auth/me"),
    ("post", "/api/v1/auth/password"),
    ("post", "/api/v1/auth/tokens"),
    ("get", "/api/v1/auth/tokens"),
    ("delete", "/api/v1/auth/tokens/{id}"),
    ("post", "/api/v1/chat"),
    ("get", "/api/v1/chat/{id}"),
    ("get", "/api/v1/chat"),
    ("patch", "/api/v1/chat/{id}"),
    ("post", "/api/v1/chat/{id}/messages"),
    ("get", "/api/v1/chat/{id}/messages"),
    ("get", "/api/v1/chat/{id}/branches"),
    ("post", "/api/v1/chat/{id}/replies"),
    ("get", "/api/v1/chat/{id}/replies"),
    ("post", "/api/v1/chat/{id}/replies/{rid}/stop"),
    ("get", "/api/v1/chat/{id}/replies/{rid}"),
    ("get", "/api/v1/chat/{id}/replies/{rid}/events"),
    ("get", "/api/v1/events"),
    ("get", "/api/v1/models"),
    ("get", "/api/v1/usage"),
    ("post", "/api/v1/message/logged-in"),
    ("post", "/api/v1/message/guest"),
    ("delete", "/api/v1/chat/{id}"),
    ("post", "/api/chat_sessions"),
    ("get", "/api/chat_sessions"),
    ("get", "/api/chat_sessions/{id}"),
    ("put", "/api/chat_sessions/{id}"),
    ("put", "/api/contacts/{id}"),
    ("delete", "/api/chat_sessions/{id}"),
    ("delete", "/api/chat_session/{id}"),
    ("get", "/v1/models"),
    ("get", "/v1/models/{id}"),
    ("post", "/v1/conversations"),
    ("get", "/v1/conversations/{id}"),
    ("post", "/v1/conversations/{id}"),
    ("get", "/v1/conversations"),
    ("get", "/v1/conversations/{id}/items"),
    ("post", "/v1/conversations/{id}/items"),
    ("get", "/v1/conversations/{id}/items/{rid}"),
    ("delete", "/v1/conversations/{id}/items/{rid}"),
    ("delete", "/v1/conversations/{id}"),
    ("post", "/v1/responses"),
    ("get", "/v1/responses/{id}"),
    ("get", "/v1/responses/{id}/input_items"),
    ("post", "/v1/responses/{id}/cancel"),
    ("delete", "/v1/responses/{id}"),
    ("post", "/v1/chat/completions"),
    ("post", "/ai/chat"),
    ("get", "/ai/chat/{id}/stream"),
    ("get", "/ai/chat/{id}/messages"),
    ("post", "/ai/chat/{id}/stop"),
    ("post", "/api/v1/admin/accounts"),
    ("get", "/api/v1/admin/accounts"),
    ("patch", "/api/v1/admin/accounts/{id}"),
    ("get", "/api/v1/admin/providers"),
    ("post", "/api/v1/admin/providers/test"),
    ("get", "/api/v1/admin/usage"),
    ("get", "/api/v1/admin/nodes"),
    ("post", "/api/v1/auth/logout"),
];

/// The two after whose deletion another session is needed.
const NEEDS_ANOTHER: (&str, &str) = ("delete", "/api/chat_session/{id}");

#[tokio::test]
async fn every_example_is_what_the_server_answers() {
    let server = Server::start_with(&[("CHATKEEP_GUESTS", "true")]);
    let document = document(&server).await;
    let all: BTreeSet<(&str, &str)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, _)| is_of_a_dialect(path))
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| (method.as_str(), path.as_str()))
        })
        .collect();
    assert_eq!(
        all,
        TOUR.iter().copied().collect(),
        "the tour goes to every operation"
    );

    let mut client = server.stranger();
    let (mut id, mut reply) = (String::new(), String::new());
    let mut compared = 0;
    for &(method, path) in TOUR {
        let operation = &document["paths"][path][method];
        let mut body = example(&operation["requestBody"]).clone();
        if let Some(chat) = body.get_mut("chatId") {
            *chat = json!(id);
        }
        let body = &body;
        if (method, path) == NEEDS_ANOTHER {
            id = client.session("another").await.0;
        } else if path == "/v1/models/{id}" {
            id = "demo".into();
        }
        let mut known = path.replace("{rid}", &reply);
        compared += errors(&client, method, &known, operation, body, &id).await;

        if path == "/ai/chat/{id}/stream" {
            // The answer goes on without anybody who reads it, and there is something to watch.
            let asked = example(&document["paths"]["/ai/chat"]["post"]["requestBody"]);
            Events::open(client.request("POST", "/ai/chat").json(asked)).await;
        } else if path == "/ai/chat/{id}/messages" {
            known = format!("{known}?before={reply}");
        } else if path == "/api/v1/admin/usage" {
            known = format!("{known}?from=2024-01-01T00:00:00Z&to=2024-01-02T00:00:00Z");
        }
        let answer = settled(&client, method, &known.replace("{id}", &id), body).await;
        let (status, expected) = success(operation);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        if status == 204 {
            assert_eq!(answer.text, "", "{method} {path}");
        } else if expected.is_null() {
            let stream = &operation["responses"]["200"]["content"]["text/event-stream"];
            let begins = stream["example"].as_str().unwrap();
            assert_eq!(answer.header("content-type"), "text/event-stream");
            assert_eq!(beginning(&answer.text), beginning(begins), "{path}");
        } else {
            assert_eq!(
                without_chance(&answer.body),
                without_chance(expected),
                "{method} {path}"
            );
        }
        compared += 1;
        for header in operation["responses"][status.to_string()]["headers"]
            .as_object()
            .unwrap()
            .keys()
        {
            assert_ne!(answer.header(header), "", "{method} {path}: {header}");
        }

        let data = if path.starts_with("/api/") {
            &answer.body["data"]
        } else {
            &answer.body
        };
        if path.ends_with("/login") {
            client = client.with_token(data["token"].as_str().unwrap());
            use_a_key_up(&client).await;
        } else if path.ends_with("/register") {
            let closed = call(&client, method, path, body).await;
            let expected = example(&operation["responses"]["403"]);
            assert_eq!((closed.status, &closed.body), (403, expected));
            compared += 1;
        } else if path.ends_with("/replies") && method == "post" {
            reply = data["id"].as_str().unwrap().into();
        } else if (method, path) == ("post", "/v1/conversations/{id}/items") {
            reply = data["last_id"].as_str().unwrap().into();
        } else if path == "/ai/chat" {
            id = body["id"].as_str().unwrap().into();
            let start = events(&answer.text)[0].json();
            reply = start["messageId"].as_str().unwrap().into();
        } else if method == "post" && data.get("id").is_some() && !path.ends_with("/stop") {
            id = data["id"]
                .as_str()
                .map_or_else(|| data["id"].to_string(), Into::into);
        }
    }
    compared += locked_out(&client, &document["paths"]["/api/v1/auth/login"]["post"]).await;
    println!("operations={} examples_compared={compared}", TOUR.len());
}

/// A reply that was just accepted is queued for a moment.
async fn settled(client: &Client, method: &str, path: &str, body: &Value) -> Answer {
    loop {
        let answer = call(client, method, path, body).await;
        if answer.body["data"]["replies"][0]["status"] != "queued" {
            return answer;
        }
    }
}

/// How a stream begins: with chunks of these types, or else with these two lines but for numbers.
fn beginning(stream: &str) -> Vec<&str> {
    let chunks = stream.split("data: {\"type\":\"").skip(1).take(4);
    let types = chunks.map(|chunk| chunk.split('"').next().unwrap());
    let lines = stream.lines().take(2);
    let lines = lines.map(|line| line.trim_end_matches(|c: char| c.is_ascii_digit()));
    if stream.starts_with("data: {\"type\"") {
        types.collect()
    } else {
        lines.collect()
    }
}

const USED_KEY: &str = "used-before";

/// Uses a key for a request that no other one is like.
async fn use_a_key_up(client: &Client) {
    let token = client.post("/api/v1/auth/tokens", json!({})).await;
    let id = token.body["data"]["id"].as_str().unwrap();
    let request = client.request("DELETE", &format!("/api/v1/auth/tokens/{id}"));
    let used = send(request.header("Idempotency-Key", USED_KEY)).await;
    assert_eq!(used.status, 200);
}

/// Fails to sign in until that is refused; leaves the account locked.
async fn locked_out(client: &Client, login: &Value) -> usize {
    let wrong = json!({ "email": "ada@example.com", "password": "wrong horse" });
    for _ in 0..30 {
        let refused = client.post("/api/v1/auth/login", wrong.clone()).await;
        if refused.status == 429 {
            assert_eq!(&refused.body, example(&login["responses"]["429"]));
            return 1;
        }
    }
    panic!("nobody is locked out");
}

/// Provokes each error that can be provoked from outside, and compares it with its example.
async fn errors(
    client: &Client,
    method: &str,
    path: &str,
    operation: &Value,
    body: &Value,
    id: &str,
) -> usize {
    let responses = operation["responses"].as_object().unwrap();
    let known = path.replace("{id}", id);
    let mut compared = 0;
    for (status, response) in responses {
        let stranger = client.with_token("");
        let is_openai = path.starts_with("/v1/");
        let is_ai_sdk = path.starts_with("/ai/");
        let answer = match (status.as_str(), path.contains("{id}")) {
            ("400", true) if is_openai && method == "get" => {
                let wrong = wrong_query(operation);
                call(client, method, &format!("{known}?{wrong}"), body).await
            }
            ("400", true) if is_openai => {
                let request = client.request(&method.to_uppercase(), &known);
                send(if body.is_null() {
                    request.header("Idempotency-Key", "")
                } else {
                    request
                })
                .await
            }
            ("400", true) => {
                // There a chat may be called almost anything.
                let malformed = if is_ai_sdk { "%20" } else { "x" };
                call(client, method, &path.replace("{id}", malformed), body).await
            }
            ("400", false) if method == "get" => {
                let wrong = wrong_query(operation);
                call(client, method, &format!("{path}?{wrong}"), body).await
            }
            ("400", false) => send(client.request(&method.to_uppercase(), path)).await,
            ("401", _) if path.ends_with("/login") => {
                let wrong = json!({ "email": body["email"], "password": "wrong horse" });
                call(client, method, path, &wrong).await
            }
            ("401", _) => call(&stranger, method, &known, body).await,
            ("404", _) => {
                let mut body = body.clone();
                if let Some(chat) = body.get_mut("chatId") {
                    *chat = json!(MISSING);
                } else if path == "/v1/responses" {
                    body["conversation"] = json!(MISSING);
                } else if path == "/v1/chat/completions" {
                    body["model"] = json!(MISSING);
                } else if path == "/ai/chat" {
                    // What a user says makes a chat; an answer that goes on needs one.
                    body["messages"][0]["role"] = json!("assistant");
                }
                call(client, method, &path.replace("{id}", MISSING), &body).await
            }
            // No error: what is missing has nothing to show there.
            ("204", _) if method == "get" => {
                call(client, method, &path.replace("{id}", MISSING), body).await
            }
            ("412", _) => {
                let request = client.request(&method.to_uppercase(), &known);
                send(request.header("If-Match", "\"999\"").json(body)).await
            }
            // A new account's keys are known per e-mail address, and this one has used none; an answer
            // that is not kept knows its own alone.
            ("422", _)
                if !["/register", "/accounts", "/completions"]
                    .iter()
                    .any(|one| path.ends_with(one)) =>
            {
                let request = client.request(&method.to_uppercase(), &known);
                let request = request.header("Idempotency-Key", USED_KEY);
                send(if body.is_null() {
                    request
                } else {
                    request.json(body)
                })
                .await
            }
            ("413", _) => {
                let is_long = is_openai || is_ai_sdk;
                let bytes = if is_long { 8 << 20 } else { 1 << 20 };
                call(client, method, &known, &json!("x".repeat(bytes))).await
            }
            _ => continue,
        };
        assert_eq!(
            answer.status.to_string(),
            *status,
            "{method} {path}: {}",
            answer.text
        );
        assert_example(&answer, response, &format!("{method} {path}"));
        compared += 1;
    }
    compared
}

/// A query with a parameter of the operation's that is not what it should be.
fn wrong_query(operation: &Value) -> &'static str {
    let parameters = operation["parameters"].as_array().unwrap();
    let has = |name| parameters.iter().any(|one| one["name"] == name);
    if has("limit") {
        "limit=0"
    } else if has("after") {
        "after=x"
    } else if has("starting_after") {
        "starting_after=1"
    } else {
        "from=x"
    }
}

async fn call(client: &Client, method: &str, path: &str, body: &Value) -> Answer {
    let request = client.request(&method.to_uppercase(), path);
    send(if body.is_null() {
        request
    } else {
        request.json(body)
    })
    .await
}

fn example(content: &Value) -> &Value {
    &content["content"]["application/json"]["example"]
}

fn success(operation: &Value) -> (u16, &Value) {
    let responses = operation["responses"].as_object().unwrap();
    let (status, response) = responses
        .iter()
        .find(|(status, _)| status.starts_with('2'))
        .unwrap();
    (status.parse().unwrap(), example(response))
}

/// The value with everything that time or chance decides replaced by its kind.
fn without_chance(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("id", Value::Number(_)) => (name.clone(), json!("a number")),
                ("response", _) => (name.clone(), json!("an answer")),
                ("text" | "content", Value::String(text)) if is_answer(text) => {
                    (name.clone(), json!("an answer"))
                }
                ("ms" | "silentSeconds" | "replies" | "watchers", Value::Number(_)) => {
                    (name.clone(), json!("a number"))
                }
                ("name", Value::String(node)) if node.contains(':') => {
                    (name.clone(), json!("a node"))
                }
                ("database" | "hearsOthers", _) => (name.clone(), json!("what it runs over")),
                ("usage", Value::Object(_)) => (name.clone(), json!("tokens")),
                ("created" | "created_at" | "updated_at" | "completed_at", Value::Number(_)) => {
                    (name.clone(), json!("a time"))
                }
                _ => (name.clone(), without_chance(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(without_chance).collect(),
        Value::String(text) => json!(kind(text).unwrap_or(text)),
        other => other.clone(),
    }
}

/// Whether that is what the demo says, or stands for it.
fn is_answer(text: &str) -> bool {
    text.starts_with("This is the demo model.") || text == "A monad is …"
}

fn kind(text: &str) -> Option<&'static str> {
    let bare = text.split_once(['_', '-']).map(|(_, rest)| rest);
    if bare.is_some_and(|bare| kind(bare) == Some("a CUID")) {
        return Some("a CUID with a prefix");
    }
    let base36 = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
    if text.starts_with("ck_") && text.len() == 81 {
        Some("a token")
    } else if text.len() == 25 && text.starts_with('c') && text.chars().all(base36) {
        Some("a CUID")
    } else if text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T' {
        Some("a time")
    } else {
        None
    }
}
