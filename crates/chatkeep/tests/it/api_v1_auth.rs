use serde_json::json;

use crate::client::{Client, send};
use crate::server::Server;
use crate::sse::Events;

const PASSWORD: &str = "correct horse battery";

async fn sign_in(client: &Client, email: &str, password: &str) -> crate::client::Answer {
    client
        .post(
            "/api/v1/auth/login",
            json!({ "email": email, "password": password }),
        )
        .await
}

async fn register(client: &Client, email: &str) -> crate::client::Answer {
    let body = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
    client.post("/api/v1/auth/register", body).await
}

#[tokio::test]
async fn the_first_account_is_the_administrator_and_then_registration_is_closed() {
    let server = Server::start();
    let nobody = server.stranger();
    let made = register(&nobody, " Ada@Example.com").await;
    assert_eq!(made.status, 201);
    let user = &made.body["data"]["user"];
    assert_eq!(
        *user,
        json!({ "id": user["id"], "email": "ada@example.com", "name": "Ada", "role": "admin",
            "createdAt": user["createdAt"] })
    );
    for email in ["bob@example.com", "ada@example.com"] {
        let refused = register(&nobody, email).await;
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (403, &json!("registration is closed"))
        );
    }
}

#[tokio::test]
async fn registration_stays_open_where_the_operator_says_so() {
    let server = Server::start_with(&[("CHATKEEP_REGISTRATION", "open")]);
    let nobody = server.stranger();
    assert_eq!(
        register(&nobody, "ada@example.com").await.body["data"]["user"]["role"],
        "admin"
    );
    assert_eq!(
        register(&nobody, "bob@example.com").await.body["data"]["user"]["role"],
        "user"
    );
    assert_eq!(register(&nobody, "BOB@example.com").await.status, 409);
}

#[tokio::test]
async fn a_wrong_registration_names_the_field() {
    let server = Server::start();
    let nobody = server.stranger();
    for (body, field) in [
        (json!({ "password": PASSWORD }), "email"),
        (json!({ "email": "nobody", "password": PASSWORD }), "email"),
        (json!({ "email": "a b@c", "password": PASSWORD }), "email"),
        (json!({ "email": "a@b", "password": "short 7" }), "password"),
        (
            json!({ "email": "a@b", "password": "x".repeat(129) }),
            "password",
        ),
        (
            json!({ "email": "a@b", "password": PASSWORD, "name": "" }),
            "name",
        ),
    ] {
        let refused = nobody.post("/api/v1/auth/register", body).await;
        assert_eq!(refused.status, 400);
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{field} ")), "{message}");
    }
}

#[tokio::test]
async fn a_sign_in_gives_a_token_that_a_sign_out_revokes() {
    let server = Server::start();
    let nobody = server.stranger();
    let made = register(&nobody, "ada@example.com").await;
    let signed_in = sign_in(&nobody, "ADA@example.com", PASSWORD).await;
    assert_eq!(signed_in.status, 200);
    assert_eq!(signed_in.body["data"]["user"], made.body["data"]["user"]);
    let token = signed_in.body["data"]["token"].as_str().unwrap();
    let ada = nobody.with_token(token);
    let me = ada.get("/api/v1/auth/me").await;
    assert_eq!(
        (me.status, &me.body["data"]),
        (200, &made.body["data"]["user"])
    );
    assert_eq!(ada.post("/api/v1/auth/logout", json!({})).await.status, 200);
    assert_eq!(ada.get("/api/v1/auth/me").await.status, 401);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_look_alike() {
    let server = Server::start();
    let nobody = server.stranger();
    register(&nobody, "ada@example.com").await;
    server.run(&["user", "create", "tokens-only@example.com"], "");
    server.run(
        &["user", "create", "gone@example.com", "--password-stdin"],
        PASSWORD,
    );
    server.run(&["user", "disable", "gone@example.com"], "");
    for (email, password) in [
        ("ada@example.com", "wrong horse battery"),
        ("ada@example.com", ""),
        ("nobody@example.com", PASSWORD),
        ("tokens-only@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
    ] {
        let refused = sign_in(&nobody, email, password).await;
        let expected = r#"{"success":false,"statusCode":401,"message":"the e-mail address or the password is wrong"}"#;
        assert_eq!(
            (refused.status, refused.text.as_str()),
            (401, expected),
            "{email}"
        );
    }
}

#[tokio::test]
async fn too_many_failures_lock_an_account_for_a_moment_and_no_other() {
    let server = Server::start();
    let nobody = server.stranger();
    register(&nobody, "ada@example.com").await;
    server.run(
        &["user", "create", "bob@example.com", "--password-stdin"],
        PASSWORD,
    );
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let refused = sign_in(&nobody, "ada@example.com", "wrong horse").await;
        statuses.push(refused.status);
        if refused.status == 429 {
            assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
            assert_eq!(refused.body["message"], "too many failed sign-ins");
            break;
        }
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(statuses.len() > 10, "{statuses:?}");
    assert_eq!(
        sign_in(&nobody, "ada@example.com", PASSWORD).await.status,
        429
    );
    assert_eq!(
        sign_in(&nobody, "bob@example.com", PASSWORD).await.status,
        200
    );
}

#[tokio::test]
async fn guesses_at_one_time_lock_an_account_like_guesses_one_by_one() {
    let server = Server::start();
    let nobody = server.stranger();
    register(&nobody, "ada@example.com").await;
    let mut guesses = tokio::task::JoinSet::new();
    for guess in 0..40 {
        let nobody = nobody.clone();
        guesses.spawn(async move {
            let guess = format!("wrong horse {guess}");
            sign_in(&nobody, "ada@example.com", &guess).await.status
        });
    }
    // These answers come while the guesses wait for their hashes.
    for _ in 0..5 {
        nobody.get("/healthz").await;
    }
    let right = sign_in(&nobody, "ada@example.com", PASSWORD).await;
    assert_eq!(right.status, 429, "the fortieth guess came through");
    guesses.join_all().await;
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let body = json!({ "name": "laptop", "expiresAt": "2199-01-01T00:00:00Z" });
    let made = ada.post("/api/v1/auth/tokens", body).await;
    assert_eq!(made.status, 201);
    let (id, text) = (
        &made.body["data"]["id"],
        made.body["data"]["token"].as_str().unwrap(),
    );
    let id = id.as_str().unwrap();
    assert_eq!(made.body["data"]["expiresAt"], "2199-01-01T00:00:00.000Z");
    assert!(
        text.starts_with(&format!("ck_pat_{id}")) && text.len() == 7 + 25 + 43 + 6,
        "{text}"
    );

    let laptop = ada.with_token(text);
    assert_eq!(laptop.get("/api/v1/chat").await.status, 200);
    // No answer waits for the note of that use; but writes are done in their order.
    ada.session("a later write").await;
    let listed = ada.get("/api/v1/auth/tokens").await;
    let tokens = listed.body["data"]["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    assert_eq!(
        (&tokens[0]["id"], &tokens[0]["name"]),
        (&json!(id), &json!("laptop"))
    );
    assert!(tokens[0]["lastUsedAt"].is_string());
    assert!(!listed.text.contains(text));

    let path = format!("/api/v1/auth/tokens/{id}");
    assert_eq!(ada.delete(&path).await.status, 200);
    assert_eq!(laptop.get("/api/v1/chat").await.status, 401);
    assert_eq!(ada.delete(&path).await.status, 404);
    for (body, field) in [
        (json!({ "name": 1 }), "name"),
        (json!({ "expiresAt": "tomorrow" }), "expiresAt"),
        (json!({ "expiresAt": "2024-01-01T00:00:00Z" }), "expiresAt"),
    ] {
        let refused = ada.post("/api/v1/auth/tokens", body).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body["message"].as_str().unwrap().starts_with(field));
    }
}

#[tokio::test]
async fn a_retried_token_request_gives_the_same_token_and_the_database_does_not_hold_it() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let ask = async |client: &Client| {
        let request = client
            .request("POST", "/api/v1/auth/tokens")
            .json(&json!({ "name": "ci" }));
        send(request.header("Idempotency-Key", "make-it-once")).await
    };
    let first = ask(&ada).await;
    let again = ask(&ada).await;
    assert_eq!((first.status, &first.text), (201, &again.text));
    // Only the token that asked can be given the secret again.
    let other = server.token("ada@example.com", &[]);
    assert_eq!(ask(&other).await.status, 422);
    let text = first.body["data"]["token"].as_str().unwrap();
    assert_eq!(
        ada.with_token(text).get("/api/v1/auth/me").await.status,
        200
    );
    let listed = ada.get("/api/v1/auth/tokens").await;
    assert_eq!(listed.body["data"]["tokens"].as_array().unwrap().len(), 3);

    let secrets = [
        text[32..75].to_owned(),
        ada.token.clone().unwrap()[32..75].to_owned(),
    ];
    let (stopped, _) = server.stop();
    let stored = stopped.stored();
    for secret in &secrets {
        let mut windows = stored.windows(secret.len());
        let held = windows.any(|window| window == secret.as_bytes());
        assert!(!held, "a secret is in the database");
    }
}

#[tokio::test]
async fn a_retried_registration_gives_the_first_answer_to_who_knows_the_password() {
    let server = Server::start();
    let nobody = server.stranger();
    let ask = async |password: &str, key: &str| {
        let body = json!({ "email": "ada@example.com", "password": password });
        let request = nobody.request("POST", "/api/v1/auth/register").json(&body);
        send(request.header("Idempotency-Key", key)).await
    };
    let first = ask(PASSWORD, "k").await;
    assert_eq!(
        (first.status, &first.text),
        (201, &ask(PASSWORD, "k").await.text)
    );
    assert_eq!(ask("another password", "k").await.status, 422);
    assert_eq!(ask(PASSWORD, "other").await.status, 403);
}

#[tokio::test]
async fn a_page_learns_whether_anybody_may_register() {
    for (setting, word) in [("first", "first"), ("open", "open")] {
        let server = Server::start_with(&[("CHATKEEP_REGISTRATION", setting)]);
        let nobody = server.stranger();
        for is_new in [true, false] {
            let setup = nobody.get("/api/v1/auth/setup").await;
            let expected = json!({ "isNew": is_new, "registration": word });
            assert_eq!((setup.status, &setup.body["data"]), (200, &expected));
            register(&nobody, "ada@example.com").await;
        }
    }
}

#[tokio::test]
async fn a_name_is_changed_and_taken_away() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    for name in [json!("Ada L."), json!(null)] {
        let changed = ada.patch("/api/v1/auth/me", json!({ "name": name })).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(changed.body["data"]["name"], name);
        let me = ada.get("/api/v1/auth/me").await;
        assert_eq!(me.body["data"], changed.body["data"]);
    }
    for body in [
        json!({}),
        json!({ "name": " " }),
        json!({ "name": "x".repeat(101) }),
        json!({ "name": 1 }),
    ] {
        let refused = ada.patch("/api/v1/auth/me", body).await;
        assert_eq!(refused.status, 400);
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.starts_with("name "), "{message}");
    }
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sign_ins() {
    let server = Server::start();
    let nobody = server.stranger();
    register(&nobody, "ada@example.com").await;
    let device = async |password: &str| {
        let signed_in = sign_in(&nobody, "ada@example.com", password).await;
        let token = signed_in.body["data"]["token"].as_str();
        nobody.with_token(token.unwrap_or_default())
    };
    let (this, that) = (device(PASSWORD).await, device(PASSWORD).await);
    let program = server.token("ada@example.com", &[]);
    let change = async |client: &Client, current: &str, password: &str| {
        let body = json!({ "current": current, "password": password });
        client.post("/api/v1/auth/password", body).await
    };
    let status = async |client: &Client| client.get("/api/v1/auth/me").await.status;

    for (current, password, field) in [
        ("wrong horse", "another horse", "current"),
        ("", "another horse", "current"),
        (PASSWORD, "short 7", "password"),
    ] {
        let refused = change(&this, current, password).await;
        assert_eq!(refused.status, 400);
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{field} ")), "{message}");
    }
    assert_eq!(status(&that).await, 200);

    let mut feed = Events::open(that.request("GET", "/api/v1/events")).await;
    assert_eq!(feed.next().await.unwrap().kind, "reset");
    assert_eq!(change(&this, PASSWORD, "another horse").await.status, 200);
    assert_eq!(feed.rest().await, []);
    assert_eq!((status(&this).await, status(&that).await), (200, 401));
    assert_eq!(status(&program).await, 200);
    assert_eq!(status(&device(PASSWORD).await).await, 401);
    assert_eq!(status(&device("another horse").await).await, 200);
}

#[tokio::test]
async fn a_wrong_current_password_counts_as_a_failed_sign_in() {
    let server = Server::start();
    let nobody = server.stranger();
    register(&nobody, "ada@example.com").await;
    let ada = server.token("ada@example.com", &[]);
    let mut guesses = 0;
    loop {
        let body = json!({ "current": "wrong horse", "password": "another horse" });
        let refused = ada.post("/api/v1/auth/password", body).await;
        if refused.status == 429 {
            assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
            break;
        }
        assert_eq!(refused.status, 400);
        guesses += 1;
        assert!(guesses < 30, "nobody is locked out");
    }
    let locked = sign_in(&nobody, "ada@example.com", PASSWORD).await;
    assert_eq!(locked.status, 429);
}
