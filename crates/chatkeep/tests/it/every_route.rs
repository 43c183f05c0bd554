//! Who may do what, over every route that the OpenAPI document has, so that a new one can't be
//! forgotten here.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::server::Server;
use crate::sse::Events;

/// In everything of the victim's that a stranger must never see.
const CANARY: &str = "canary7f3a9";
/// A CUID that nothing has.
pub const MISSING: &str = "clqb6q2rl0003v3k8b2g8n5xd";
/// The first model answers fast; the other one takes longer than any test.
const MODELS: &str = r#"
[[provider]]
name = "fast"
kind = "demo"
models = ["demo"]
words_per_second = 1000

[[provider]]
name = "slow"
kind = "demo"
models = ["slow"]
words = 1000
words_per_second = 1
"#;

/// Somebody whose things others try to get at.
struct Victim {
    /// For a path's `{id}`: a session's number and CUID, and the CUIDs of the account and of a token.
    number: String,
    cuid: String,
    account: String,
    token: String,
    /// For a path's `{rid}`.
    reply: String,
    message: String,
    /// For a path's `{id}` too: the CUID of a chat whose answer is being written, and its name.
    chat: [String; 2],
    /// That answer.
    answer: String,
    /// No byte of these is for others.
    secrets: Vec<String>,
}

async fn victim(server: &Server) -> Victim {
    let email = format!("{CANARY}@example.com");
    let client = server.user(&email);
    let (number, cuid) = client.session(&format!("title {CANARY}")).await;
    let message = json!({ "systemMessage": format!("message {CANARY}") });
    client.patch(&format!("/api/v1/chat/{cuid}"), message).await;
    let made = client
        .post("/api/v1/auth/tokens", json!({ "name": CANARY }))
        .await;
    let token = made.body["data"]["id"].as_str().unwrap().to_owned();
    let me = client.get("/api/v1/auth/me").await.body["data"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/chat/{cuid}/replies?wait=30");
    let prompt = json!({ "prompt": format!("prompt {CANARY}") });
    let made = client.post(&path, prompt).await;
    assert_eq!(made.status, 200, "{made:?}");
    let field = |name: &str| made.body["data"][name].as_str().unwrap().to_owned();
    let (reply, message) = (field("id"), field("messageId"));
    let name = format!("{CANARY}-chat");
    let mut asked = asking(&name, &format!("prompt {CANARY}"));
    asked["model"] = json!("slow");
    let request = client.request("POST", "/ai/chat").json(&asked);
    let answer = writing(request).await;
    let chats = client.get("/api/v1/chat").await.body["data"]["chats"].clone();
    let mut chats = chats.as_array().unwrap().iter();
    let chat = chats.find(|chat| chat["id"] != *cuid).unwrap();
    let chat = [chat["id"].as_str().unwrap().to_owned(), name];
    let secrets = vec![
        CANARY.into(),
        cuid.clone(),
        token.clone(),
        me.clone(),
        reply.clone(),
        message.clone(),
        chat[0].clone(),
        answer.clone(),
    ];
    Victim {
        number,
        cuid,
        account: me,
        token,
        reply,
        message,
        chat,
        answer,
        secrets,
    }
}

/// What a front end sends that has said that in a chat.
fn asking(chat: &str, text: &str) -> Value {
    let part = json!({ "type": "text", "text": text });
    json!({ "id": chat, "messages": [{ "role": "user", "parts": [part] }] })
}

/// The name of the answer that a stream of the AI SDK's begins with.
async fn writing(request: RequestBuilder) -> String {
    let start = Events::open(request).await.next().await.unwrap().json();
    start["messageId"].as_str().unwrap().into()
}

/// Holds what the victim has against what it was.
async fn untouched(server: &Server, victim: &Victim) {
    let mine = server.token(&format!("{CANARY}@example.com"), &[]);
    let kept = mine.get(&format!("/api/v1/chat/{}", victim.number)).await;
    assert_eq!(kept.body["data"]["chatName"], format!("title {CANARY}"));
    let kept = mine.get("/api/v1/auth/tokens").await;
    assert!(kept.text.contains(&victim.token));
    for id in &victim.chat {
        let kept = mine.get(&format!("/ai/chat/{id}/messages")).await;
        assert_eq!(kept.body.as_array().unwrap().len(), 1, "{kept:?}");
        assert!(kept.text.contains(CANARY));
        let request = mine.request("GET", &format!("/ai/chat/{id}/stream"));
        assert_eq!(writing(request).await, victim.answer);
    }
}

/// One operation of the document, and how to call it.
struct Operation {
    method: String,
    path: String,
    description: Value,
}

impl Operation {
    /// Whether it names something that belongs to somebody.
    fn has_id(&self) -> bool {
        self.path.contains("{id}") || self.body()["chatId"].is_string()
    }

    fn body(&self) -> &Value {
        &self.description["requestBody"]["content"]["application/json"]["example"]
    }

    /// Whether it is for administrators alone.
    fn is_for_admins(&self) -> bool {
        self.path.starts_with("/api/v1/admin/")
    }

    fn needs_token(&self) -> bool {
        self.description.get("security").is_some()
    }

    /// What the victim's things are called in the path.
    fn ids(&self, victim: &Victim) -> Vec<String> {
        let Victim {
            number,
            cuid,
            account,
            token,
            reply,
            chat,
            ..
        } = victim;
        if !self.has_id() {
            vec!["-".into()]
        } else if self.is_for_admins() {
            vec![account.clone()]
        } else if self.path.starts_with("/api/v1/auth/tokens/") {
            vec![token.clone()]
        } else if self.path.starts_with("/v1/conversations/") {
            vec![format!("conv_{cuid}")]
        } else if self.path.starts_with("/v1/responses/") {
            vec![format!("resp_{reply}")]
        } else if self.path.starts_with("/ai/chat/") {
            chat.to_vec()
        } else {
            vec![number.clone(), cuid.clone()]
        }
    }

    async fn call(&self, client: &Client, id: &str, victim: &Victim) -> Answer {
        let within = if self.path.contains("/items/") {
            format!("msg_{}", victim.message)
        } else {
            victim.reply.clone()
        };
        let path = self.path.replace("{id}", id).replace("{rid}", &within);
        let request = client.request(&self.method, &path);
        let mut body = self.body().clone();
        if let Some(chat) = body.get_mut("chatId") {
            *chat = json!(id);
        }
        send(if body.is_null() {
            request
        } else {
            request.json(&body)
        })
        .await
    }

    /// The document's own words about an answer with that status.
    fn response(&self, status: u16) -> &Value {
        &self.description["responses"][status.to_string()]
    }
}

/// Holds an answer against the example of its kind that the document has.
pub fn assert_example(answer: &Answer, response: &Value, name: &str) {
    let kind = answer.header("content-type").split(';').next().unwrap();
    let said = match (kind, answer.text.as_str()) {
        ("application/json", _) => answer.body.clone(),
        (_, "") => Value::Null,
        (_, text) => json!(text),
    };
    assert_eq!(said, response["content"][kind]["example"], "{name}");
}

pub async fn document(server: &Server) -> Value {
    let answer = server.stranger().get("/openapi.json").await;
    assert_eq!(
        (answer.status, &answer.body["openapi"]),
        (200, &json!("3.1.0"))
    );
    answer.body
}

/// Whether a dialect is spoken there: else it is for an operator's tools.
pub fn is_of_a_dialect(path: &str) -> bool {
    ["/api/", "/v1/", "/ai/"]
        .iter()
        .any(|dialect| path.starts_with(dialect))
}

async fn operations(server: &Server) -> Vec<Operation> {
    let document = document(server).await;
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .filter(|(path, _)| is_of_a_dialect(path))
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(|(method, description)| Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                description: description.clone(),
            })
        })
        .collect()
}

#[tokio::test]
async fn nobody_gets_at_anything_of_anybody_else() {
    let server = Server::start_with_file(MODELS);
    let victim = victim(&server).await;
    let stranger = server.stranger();

    let expired = server.user("expired@example.com");
    let expired = expired.with_token(
        server
            .token("expired@example.com", &["--expires", "1ms"])
            .token
            .as_ref()
            .unwrap(),
    );
    let revoked = server.user("revoked@example.com");
    let id = &revoked.token.as_ref().unwrap()[7..32];
    server.run(&["token", "revoke", id], "");
    let disabled = server.user("disabled@example.com");
    server.run(&["user", "disable", "disabled@example.com"], "");
    let unknown = revoked
        .token
        .as_ref()
        .unwrap()
        .replace("ck_pat_", "ck_ses_");
    let live = server.token(&format!("{CANARY}@example.com"), &[]);
    let forged = forged(live.token.as_ref().unwrap());
    let shut_out = [
        ("no token", stranger.clone()),
        ("an empty token", stranger.with_token("")),
        ("nonsense", stranger.with_token("nonsense")),
        ("a wrong checksum", stranger.with_token(&unknown)),
        ("a guessed secret", stranger.with_token(&forged)),
        ("an expired token", expired),
        ("a revoked token", revoked),
        ("a disabled account", disabled),
    ];
    // With the password that an example changes.
    let create = ["user", "create", "other@example.com", "--password-stdin"];
    server.run(&create, "correct horse battery");
    let other = server.token("other@example.com", &[]);

    let (mut routes, mut probes) = (0, 0);
    for operation in operations(&server).await {
        routes += 1;
        for id in operation.ids(&victim) {
            let id = id.as_str();
            let name = format!("{} {} {id}", operation.method, operation.path);
            for (who, client) in &shut_out {
                if operation.needs_token() {
                    let refused = operation.call(client, id, &victim).await;
                    assert_eq!(refused.status, 401, "{name} with {who}");
                    let name = format!("{name} with {who}");
                    assert_example(&refused, operation.response(401), &name);
                    clean(&refused, &victim, &name);
                    probes += 1;
                }
            }
            // Each time with a token of its own, since one of the routes revokes it.
            let made = other.post("/api/v1/auth/tokens", json!({})).await;
            let client = other.with_token(made.body["data"]["token"].as_str().unwrap());
            let answer = operation.call(&client, id, &victim).await;
            clean(&answer, &victim, &name);
            probes += 1;
            if operation.is_for_admins() {
                assert_eq!(answer.status, 403, "{name}");
                assert_example(&answer, operation.response(403), &name);
            } else if operation.has_id() {
                let missing = match id.split_once('_') {
                    Some((prefix, _)) => format!("{prefix}_{MISSING}"),
                    None if id.starts_with('c') => MISSING.into(),
                    None => "987".into(),
                };
                let missing = operation.call(&other, &missing, &victim).await;
                // A chat that is only made up is no mistake where the document has no 404.
                let nothing = if operation.response(404).is_null() {
                    204
                } else {
                    404
                };
                assert_eq!(
                    (answer.status, missing.status, &answer.text),
                    (nothing, nothing, &missing.text),
                    "{name}"
                );
            } else if operation.needs_token() {
                assert!(answer.status < 300, "{name}: {}", answer.text);
            }
        }
    }
    println!("routes={routes} probes={probes} leaks=0");
    assert!(
        routes >= 60 && probes > 560,
        "routes={routes} probes={probes}"
    );
    untouched(&server, &victim).await;
}

#[tokio::test]
async fn what_is_said_in_a_chat_by_the_name_of_anothers_is_said_in_ones_own() {
    let server = Server::start_with_file(MODELS);
    let victim = victim(&server).await;
    let other = server.user("other@example.com");
    for id in &victim.chat {
        for trigger in ["submit-message", "regenerate-message"] {
            let mut asked = asking(id, "mine");
            asked["trigger"] = json!(trigger);
            asked["messageId"] = json!(victim.answer);
            let answer = other.post("/ai/chat", asked).await;
            assert_eq!(answer.status, 200, "{trigger} {id}: {answer:?}");
            clean(&answer, &victim, trigger);
        }
        let mine = other.get(&format!("/ai/chat/{id}/messages")).await;
        assert_eq!(mine.body.as_array().unwrap().len(), 2, "{mine:?}");
        clean(&mine, &victim, id);
    }
    untouched(&server, &victim).await;
}

/// The token with another secret and the checksum that belongs to it.
fn forged(token: &str) -> String {
    let secret = "0".repeat(43);
    let text = format!("{}{secret}", &token[..32]);
    let mut checksum = crc32fast::hash(text.as_bytes());
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut ending = [0; 6];
    for place in ending.iter_mut().rev() {
        *place = digits[checksum as usize % 62];
        checksum /= 62;
    }
    format!("{text}{}", std::str::from_utf8(&ending).unwrap())
}

fn clean(answer: &Answer, victim: &Victim, name: &str) {
    for secret in &victim.secrets {
        assert!(
            !answer.text.contains(secret),
            "{name} leaks {secret}: {}",
            answer.text
        );
    }
    assert!(answer.status < 500, "{name}: {}", answer.text);
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{name}");
}

#[tokio::test]
async fn revoking_and_disabling_count_at_once_and_enabling_again_too() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let status = async || ada.get("/api/v1/chat").await.status;
    assert_eq!(status().await, 200);
    server.run(&["user", "disable", "ada@example.com"], "");
    assert_eq!(status().await, 401);
    server.run(&["user", "enable", "ada@example.com"], "");
    assert_eq!(status().await, 200);
    server.run(
        &["token", "revoke", &ada.token.as_ref().unwrap()[7..32]],
        "",
    );
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_the_dialects_shape() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for path in [
        "/api",
        "/api/nothing",
        "/api/chat_sessions/1/2",
        "/api/contacts",
    ] {
        let answer = ada.get(path).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (404, r#"{"errors":"Not Found"}"#)
        );
    }
    for path in ["/api/v1", "/api/v1/nothing", "/nothing"] {
        let answer = ada.get(path).await;
        assert_eq!(
            (answer.status, &answer.body["statusCode"]),
            (404, &json!(404)),
            "{path}"
        );
        assert_eq!(answer.body["success"], false);
    }
    for (method, path, allow) in [
        ("DELETE", "/api/chat_sessions", "GET,HEAD,POST"),
        ("PATCH", "/api/chat_sessions/1", "GET,HEAD,PUT,DELETE"),
        ("GET", "/api/contacts/1", "PUT"),
        ("PUT", "/api/v1/chat", "GET,HEAD,POST"),
        ("POST", "/api/v1/chat/1", "GET,HEAD,PATCH,DELETE"),
        ("GET", "/api/v1/auth/login", "POST"),
        ("TRACE", "/api/v1/chat", "GET,HEAD,POST"),
    ] {
        let answer = send(ada.request(method, path)).await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, allow),
            "{method} {path}"
        );
        let shape = if path.starts_with("/api/v1") {
            "message"
        } else {
            "errors"
        };
        assert!(
            answer.body[shape].is_string(),
            "{method} {path}: {}",
            answer.text
        );
    }
}
