use std::io::Write;

use serde_json::{Value, json};

use crate::client::send;
use crate::server::Server;

#[tokio::test]
async fn health_and_readiness_are_told() {
    let server = Server::start();
    for path in ["/healthz", "/readyz"] {
        let answer = server.stranger().get(path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "ok\n"));
    }
}

#[tokio::test]
async fn a_server_whose_database_is_damaged_is_not_ready() {
    let server = Server::start_in_a_folder();
    // A commit by another process: the server has to read what it knew again from the files.
    server.user("ada@example.com");
    let data = server.folder.path().join("data");
    for name in ["chatkeep.db", "chatkeep.db-wal"] {
        let path = data.join(name);
        let length = std::fs::metadata(&path).unwrap().len();
        let noise = vec![0xa5; usize::try_from(length).unwrap()];
        let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all(&noise).unwrap();
    }
    let answer = server.stranger().get("/readyz").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let message = "the server can't use its database at the moment";
    assert_eq!(answer.body["message"], message);
    assert_eq!(server.stranger().get("/healthz").await.status, 200);
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_commits() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    ada.session("one").await;
    ada.get("/api/v1/chat/1").await;
    ada.get("/api/v1/chat/nothing").await;
    let page = ada.get("/metrics").await;
    assert!(
        page.header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let value = |name: &str| -> u64 {
        let line = page.text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name} is missing"))
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let route = r#"method="GET",route="/api/v1/chat/{id}""#;
    // The session was also looked at when it was made.
    assert_eq!(
        value(&format!(
            "chatkeep_http_requests_total{{{route},status=\"200\"}}"
        )),
        2
    );
    assert_eq!(
        value(&format!(
            "chatkeep_http_requests_total{{{route},status=\"400\"}}"
        )),
        1
    );
    assert_eq!(
        value(&format!("chatkeep_http_request_seconds_count{{{route}}}")),
        3
    );
    assert!(value("chatkeep_commit_operations_count") >= 1);
    assert!(value("chatkeep_commit_seconds_count") >= 1);
    assert_eq!(value("chatkeep_write_queue_operations"), 0);
    assert!(page.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn every_answer_carries_a_request_id_the_clients_own_if_it_is_fit_for_a_log() {
    let server = Server::start();
    let nobody = server.stranger();
    let mut ids = Vec::new();
    for path in ["/healthz", "/api/v1/chat", "/nothing", "/api/chat_sessions"] {
        ids.push(nobody.get(path).await.header("x-request-id").to_owned());
    }
    assert!(ids.iter().all(|id| id.len() == 16), "{ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let long = "x".repeat(65);
    for (sent, kept) in [
        ("mine-1", true),
        ("with space", false),
        (long.as_str(), false),
    ] {
        let answer = send(
            nobody
                .request("GET", "/healthz")
                .header("X-Request-Id", sent),
        )
        .await;
        assert_eq!(answer.header("x-request-id") == sent, kept, "{sent}");
    }
}

#[tokio::test]
async fn answers_are_compressed_where_the_client_asks() {
    let server = Server::start();
    let nobody = server.stranger();
    let plain = nobody.get("/openapi.json").await;
    assert_eq!(plain.header("content-encoding"), "");
    let request = nobody
        .request("GET", "/openapi.json")
        .header("Accept-Encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = response.bytes().await.unwrap();
    assert!(bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() * 4 < plain.text.len());
}

#[tokio::test]
async fn other_origins_are_let_in_only_where_the_operator_names_them() {
    let ask = async |server: &Server, origin: &str| {
        let request = server.stranger().request("OPTIONS", "/api/v1/chat");
        let request = request.header("Origin", origin);
        // What the SDKs send beside their own is of no account here.
        let headers = "idempotency-key,x-stainless-lang";
        let request = request.header("Access-Control-Request-Headers", headers);
        send(request.header("Access-Control-Request-Method", "POST")).await
    };
    let closed = Server::start();
    let answer = ask(&closed, "https://app.example.com").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (405, "")
    );

    let origins = "https://app.example.com,https://b.example.com";
    let open = Server::start_with(&[("CHATKEEP_CORS_ORIGINS", origins)]);
    let answer = ask(&open, "https://app.example.com").await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("x-request-id"), "");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    // A page may also read why it was refused.
    let request = open.stranger().request("GET", "/api/v1/chat");
    let refused = send(request.header("Origin", "https://app.example.com")).await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "idempotency-key,x-stainless-lang"
    );
    let answer = ask(&open, "https://evil.example.com").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn the_log_has_a_line_per_request_and_nothing_private() {
    let settings = [
        ("CHATKEEP_LOG_LEVEL", "trace"),
        ("CHATKEEP_LOG_FORMAT", "json"),
    ];
    let server = Server::start_with(&settings);
    let nobody = server.stranger();
    let (email, password) = ("canary-mail@example.com", "canary-password");
    let account = json!({ "email": email, "password": password });
    nobody.post("/api/v1/auth/register", account.clone()).await;
    let signed_in = nobody.post("/api/v1/auth/login", account).await;
    let token = signed_in.body["data"]["token"].as_str().unwrap();
    let ada = nobody.with_token(token);
    let request = ada
        .request("POST", "/api/v1/chat")
        .header("X-Request-Id", "find-me");
    send(request.json(&json!({ "type": "text", "name": "canary-title" }))).await;
    ada.post("/api/v1/chat", json!({ "type": "canary-kind" }))
        .await;
    let (stopped, log) = server.stop();
    assert!(stopped.clean);
    for secret in ["canary-", &token[32..]] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let line = lines
        .iter()
        .find(|line| line["fields"]["request_id"] == "find-me")
        .unwrap();
    let fields = &line["fields"];
    assert_eq!(
        (&fields["method"], &fields["status"]),
        (&json!("POST"), &json!(201))
    );
    assert_eq!(fields["route"], "/api/v1/chat");
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere() {
    let server = Server::start();
    let nobody = server.stranger();
    for path in ["/docs", "/docs/docs.js", "/docs/copy.js", "/docs/style.css"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'")
        );
        assert!(!answer.text.contains("https://"), "{path}");
    }
}

#[tokio::test]
async fn the_one_time_link_works_until_there_is_an_account() {
    let server = Server::start();
    let line = server
        .announced
        .iter()
        .find(|line| line.contains("/setup/"))
        .unwrap();
    let path = &line[line.find("/setup/").unwrap()..];
    let nobody = server.stranger();
    let page = nobody.get(path).await;
    assert_eq!((page.status, page.text), (200, nobody.get("/").await.text));
    assert_eq!(
        nobody
            .get("/setup/00000000000000000000000000000000")
            .await
            .status,
        404
    );
    server.user("ada@example.com");
    assert_eq!(nobody.get(path).await.status, 404);
}
