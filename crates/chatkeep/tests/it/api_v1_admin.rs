//! What administrators do: accounts, providers, usage and nodes of all.

use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::provider::{Provider, said};
use crate::server::Server;
use crate::sse::Events;
use crate::talk::{Chat, Talk};

const ACCOUNTS: &str = "/api/v1/admin/accounts";
const PASSWORD: &str = "correct horse battery";

fn new_account(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD })
}

async fn sign_in(client: &Client, email: &str) -> Answer {
    client.post("/api/v1/auth/login", new_account(email)).await
}

fn path_of(account: &Value) -> String {
    format!("{ACCOUNTS}/{}", account["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_account_that_an_administrator_makes_can_sign_in_and_be_shut_out() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let made = ada.post(ACCOUNTS, new_account("Bob@example.com")).await;
    assert_eq!(made.status, 201, "{made:?}");
    let bob = &made.body["data"];
    assert_eq!(
        *bob,
        json!({
            "id": bob["id"],
            "email": "bob@example.com",
            "name": null,
            "role": "user",
            "createdAt": bob["createdAt"],
            "disabledAt": null,
        })
    );
    let taken = ada.post(ACCOUNTS, new_account("bob@example.com")).await;
    assert_eq!(taken.status, 409);
    let signed = sign_in(&ada, "bob@example.com").await;
    assert_eq!(signed.status, 200, "{signed:?}");
    let his = ada.with_token(signed.body["data"]["token"].as_str().unwrap());
    assert_eq!(his.get(ACCOUNTS).await.status, 403);

    let promoted = ada.patch(&path_of(bob), json!({ "role": "admin" })).await;
    assert_eq!(
        (promoted.status, &promoted.body["data"]["role"]),
        (200, &json!("admin"))
    );
    assert_eq!(his.get(ACCOUNTS).await.status, 200);
    let disabled = ada.patch(&path_of(bob), json!({ "disabled": true })).await;
    let since = &disabled.body["data"]["disabledAt"];
    assert!(since.is_string() && disabled.body["data"]["role"] == "admin");
    assert_eq!(his.get(ACCOUNTS).await.status, 401);
    assert_eq!(sign_in(&ada, "bob@example.com").await.status, 401);
    let again = ada.patch(&path_of(bob), json!({ "disabled": true })).await;
    assert_eq!(again.body["data"]["disabledAt"], *since);
    let back = json!({ "disabled": false, "role": "user" });
    let enabled = ada.patch(&path_of(bob), back).await;
    assert_eq!(enabled.body["data"], *bob);
    assert_eq!(his.get("/api/v1/auth/me").await.status, 200);
}

#[tokio::test]
async fn the_streams_of_an_account_that_is_disabled_end() {
    let talk = Talk::start();
    let bob = talk.server.user("bob@example.com");
    let chat = Chat::new(&bob).await;
    let reply = chat.ask("tokens=3 stall_after=1").await;
    let mut events = chat.watch(&reply).await;
    let mut feed = Events::open(bob.request("GET", "/api/v1/events")).await;
    feed.next_of("reset").await;
    let accounts = talk.ada.get(ACCOUNTS).await.body["data"]["accounts"].clone();
    let bobs = path_of(&accounts[1]);
    let disabled = talk.ada.patch(&bobs, json!({ "disabled": true })).await;
    assert_eq!(disabled.body["data"]["email"], "bob@example.com");
    assert_eq!(bob.get("/api/v1/auth/me").await.status, 401);
    while feed.next().await.is_some() {}
    while let Some(event) = events.next().await {
        assert_ne!(event.kind, "finished");
    }
    talk.provider.release();
}

#[tokio::test]
async fn administrators_leave_their_own_accounts_as_they_are() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let me = ada.get("/api/v1/auth/me").await.body["data"].clone();
    for change in [
        json!({ "role": "user" }),
        json!({ "disabled": true }),
        json!({}),
    ] {
        let refused = ada.patch(&path_of(&me), change).await;
        let expected = "administrators can't change their own account's role, nor disable it";
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (409, &json!(expected))
        );
    }
    assert_eq!(ada.get(ACCOUNTS).await.status, 200);
}

#[tokio::test]
async fn who_is_no_administrator_is_refused_whatever_the_request_says() {
    let server = Server::start();
    server.user("ada@example.com");
    let bob = server.user("bob@example.com");
    for request in [
        bob.request("POST", ACCOUNTS).body("nonsense"),
        bob.request("PATCH", &format!("{ACCOUNTS}/x"))
            .json(&json!({})),
        bob.request("GET", "/api/v1/admin/usage?from=x"),
        bob.request("POST", "/api/v1/admin/providers/test")
            .json(&json!({ "model": 1 })),
    ] {
        let refused = send(request).await;
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (403, &json!("only for administrators"))
        );
    }
}

#[tokio::test]
async fn accounts_are_listed_by_email_address_in_pages() {
    let server = Server::start();
    let ada = server.user("m@example.com");
    for email in ["z@example.com", "ä+b@example.com", "a@example.com"] {
        assert_eq!(ada.post(ACCOUNTS, new_account(email)).await.status, 201);
    }
    let (mut emails, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("{ACCOUNTS}?limit=1{cursor}")).await;
        let data = &page.body["data"];
        assert_eq!(data["accounts"].as_array().unwrap().len(), 1);
        emails.push(data["accounts"][0]["email"].as_str().unwrap().to_owned());
        let Some(next) = data["nextCursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    let expected = [
        "a@example.com",
        "m@example.com",
        "z@example.com",
        "ä+b@example.com",
    ];
    assert_eq!(emails, expected);
    let refused = ada.get(&format!("{ACCOUNTS}?cursor=AAAA")).await;
    assert_eq!(
        (refused.status, &refused.body["message"]),
        (400, &json!("cursor is not a cursor that this server made"))
    );
}

#[tokio::test]
async fn a_wrong_field_of_an_account_is_named() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for (body, field) in [
        (json!({ "email": "bob", "password": PASSWORD }), "email "),
        (json!({ "email": "b@x", "password": "short" }), "password "),
        (json!({ "email": "b@x" }), "password "),
        (
            json!({ "email": "b@x", "password": PASSWORD, "name": " " }),
            "name ",
        ),
        (
            json!({ "email": "b@x", "password": PASSWORD, "role": "king" }),
            "role ",
        ),
    ] {
        let refused = ada.post(ACCOUNTS, body).await;
        let message = refused.body["message"].as_str().unwrap();
        assert!(
            refused.status == 400 && message.starts_with(field),
            "{message}"
        );
    }
    let missing = format!("{ACCOUNTS}/clqb6q2rl0003v3k8b2g8n5xd");
    assert_eq!(ada.patch(&missing, json!({})).await.status, 404);
}

#[tokio::test]
async fn an_account_that_is_made_twice_with_a_key_is_made_once() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let create = async |body: Value| {
        let request = ada.request("POST", ACCOUNTS).header("Idempotency-Key", "k");
        send(request.json(&body)).await
    };
    let made = create(new_account("bob@example.com")).await;
    assert_eq!(made.status, 201);
    let again = create(new_account("bob@example.com")).await;
    assert_eq!((again.status, &again.body), (201, &made.body));
    let mut other = new_account("bob@example.com");
    other["role"] = json!("admin");
    assert_eq!(create(other.clone()).await.status, 422);
    other["role"] = json!("user");
    other["password"] = json!("another password");
    assert_eq!(create(other).await.status, 422);
}

#[tokio::test]
async fn providers_are_shown_without_their_keys_and_their_models_are_tested() {
    let provider = Provider::start();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "sk-very-secret").unwrap();
    let away = format!(
        "[[provider]]\nname = \"away\"\nkind = \"anthropic\"\nretries = 0\n\
         base_url = \"http://127.0.0.1:1/there\"\nkey_file = \"{}\"\n\
         models = [{{ name = \"far\", window = 9000, max_output_tokens = 100 }}]\n",
        key.display()
    );
    let settings = provider.settings("titles = false");
    let server = Server::start_with_file(&format!("{settings}{away}"));
    let ada = server.user("ada@example.com");
    let shown = ada.get("/api/v1/admin/providers").await;
    assert!(!shown.text.contains("very-secret"));
    let providers = shown.body["data"]["providers"].as_array().unwrap();
    let model = json!({
        "id": "far", "contextWindow": 9000, "maxOutputTokens": 100, "isDefault": false,
    });
    let away = json!({
        "name": "away", "kind": "anthropic", "url": "http://127.0.0.1:1/there", "models": [model],
    });
    assert_eq!(*providers.last().unwrap(), away);
    assert_eq!(providers[0]["kind"], "openai-compatible");
    let first = &providers[0]["models"][0];
    assert_eq!(first["isDefault"], true);

    let test = async |model: &Value| {
        let body = json!({ "model": model });
        ada.post("/api/v1/admin/providers/test", body).await
    };
    let good = test(&first["id"]).await.body["data"].clone();
    assert_eq!((&good["ok"], good["ms"].is_u64()), (&json!(true), true));
    assert_eq!(good["text"], said(0, 5));
    assert_eq!(provider.calls()[0].body["max_tokens"], 64);
    let bad = test(&json!("far")).await.body["data"].clone();
    assert_eq!(
        (&bad["ok"], &bad["error"]["kind"]),
        (&json!(false), &json!("network"))
    );
    assert!(bad["error"]["message"].is_string() && bad.get("text").is_none());
    let unknown = test(&json!("nobody")).await;
    assert_eq!(
        (unknown.status, &unknown.body["message"]),
        (400, &json!("model is none of this server's models"))
    );
    // What the test has cost is in the sum of the one who made it.
    let usage = ada.get("/api/v1/usage").await.body["data"]["total"].clone();
    assert_eq!(usage["answers"], 1);
}

#[tokio::test]
async fn the_usage_of_all_is_what_their_replies_cost() {
    let talk = Talk::start();
    let bob = talk.server.user("bob@example.com");
    talk.server.user("idle@example.com");
    let mut costs = Vec::new();
    for (client, prompts) in [
        (&talk.ada, &["tokens=2"][..]),
        (&bob, &["tokens=9", "tokens=30"]),
    ] {
        let chat = Chat::new(client).await;
        let (mut input, mut output) = (0, 0);
        for prompt in prompts {
            let usage = chat.answered(prompt).await["usage"].clone();
            input += usage["inputTokens"].as_u64().unwrap();
            output += usage["outputTokens"].as_u64().unwrap();
        }
        costs.insert(
            0,
            json!({ "answers": prompts.len(), "inputTokens": input, "outputTokens": output }),
        );
    }
    let report = async |query: &str| {
        let path = format!("/api/v1/admin/usage{query}");
        talk.ada.get(&path).await
    };
    let usage = report("").await.body["data"].clone();
    let days = usage["days"].as_array().unwrap();
    let accounts = usage["accounts"].as_array().unwrap();
    assert_eq!((days.len(), accounts.len()), (30, 2));
    for ((account, cost), email) in accounts.iter().zip(&costs).zip(["bob", "ada"]) {
        assert_eq!(account["email"], format!("{email}@example.com"));
        assert_eq!(account["name"], "Somebody");
        assert_eq!(account["total"], *cost);
        let sum = |name: &str| -> u64 {
            let days = account["days"].as_array().unwrap().iter();
            days.map(|day| day[name].as_u64().unwrap()).sum()
        };
        assert_eq!(sum("outputTokens"), cost["outputTokens"].as_u64().unwrap());
        assert!(days.contains(&account["days"][0]["day"]));
    }

    let old = report("?from=2024-02-28T12:00:00Z&to=2024-03-01T00:00:00Z").await;
    let expected = json!({ "days": ["2024-02-28", "2024-02-29"], "accounts": [] });
    assert_eq!(old.body["data"], expected);
    let year = "?from=2024-01-01T00:00:00Z&to=2025-01-01T00:00:00Z";
    let year = report(year).await.body["data"]["days"].clone();
    assert_eq!(year.as_array().unwrap().len(), 366);
    for (query, message) in [
        (
            "?from=x",
            "from is not a time in RFC 3339, such as 2030-01-01T00:00:00Z",
        ),
        (
            "?from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z",
            "to lies before from",
        ),
        (
            "?from=2024-01-01T00:00:00Z&to=2025-01-01T00:00:00.001Z",
            "from and to touch more than 366 days (UTC)",
        ),
    ] {
        let refused = report(query).await;
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (400, &json!(message))
        );
    }
}

#[tokio::test]
async fn nodes_and_health_are_told() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let _watching = Events::open(ada.request("GET", "/api/v1/events")).await;
    let nodes = async || ada.get("/api/v1/admin/nodes").await.body["data"].clone();
    let told = loop {
        // A node says that it is there when it has begun to write replies.
        let told = nodes().await;
        if told["nodes"] != json!([]) {
            break told;
        }
    };
    let node = &told["nodes"][0];
    assert_eq!(
        (&node["isAlive"], &node["isDraining"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(node["replies"], 0);
    assert!(node["name"].as_str().unwrap().contains(':'));
    let health = &told["health"];
    assert_eq!(
        (&health["databaseOk"], &health["watchers"]),
        (&json!(true), &json!(1))
    );
    let is_postgres = crate::database::is_postgres();
    let database = if is_postgres { "postgresql" } else { "sqlite" };
    assert_eq!(health["database"], database);
}
