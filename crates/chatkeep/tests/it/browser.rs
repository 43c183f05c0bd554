//! Signing in from a browser: the cookie, who may use it, and what every answer tells a browser.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::every_route::{MISSING, document, is_of_a_dialect};
use crate::server::Server;
use crate::sse::Events;

const PASSWORD: &str = "correct horse battery";
const HOME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const OVER_TLS: (&str, &str) = ("X-Forwarded-Proto", "https");

/// A server with Ada's account.
fn start() -> Server {
    let server = Server::start();
    let create = ["user", "create", "ada@example.com", "--password-stdin"];
    server.run(&create, PASSWORD);
    server
}

async fn login(server: &Server, cookie: bool, headers: &[(&str, &str)]) -> Answer {
    let body = json!({
        "email": "ada@example.com", "password": PASSWORD, "name": "Firefox on Linux", "cookie": cookie,
    });
    let request = server.stranger().request("POST", "/api/v1/auth/login");
    send(with(request.json(&body), headers)).await
}

fn with(request: RequestBuilder, headers: &[(&str, &str)]) -> RequestBuilder {
    let headers = headers.iter();
    headers.fold(request, |request, (name, value)| {
        request.header(*name, *value)
    })
}

/// Somebody whose token is in a cookie.
struct Browser {
    client: Client,
    cookie: String,
}

impl Browser {
    async fn sign_in(server: &Server) -> Self {
        let signed_in = login(server, true, &[HOME]).await;
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap();
        Self {
            client: server.stranger(),
            cookie: cookie.into(),
        }
    }

    fn token(&self) -> &str {
        self.cookie.split_once('=').unwrap().1
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.client.request(method, path);
        request.header("Cookie", &self.cookie)
    }

    async fn get(&self, path: &str) -> Answer {
        send(self.request("GET", path)).await
    }

    /// A change from the server's own page.
    async fn change(&self, method: &str, path: &str, body: Value) -> Answer {
        send(with(self.request(method, path), &[HOME]).json(&body)).await
    }
}

#[tokio::test]
async fn a_browser_keeps_its_token_where_no_script_sees_it() {
    let server = start();
    let signed_in = login(&server, true, &[HOME]).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    assert_eq!(signed_in.body["data"]["user"]["email"], "ada@example.com");
    assert!(!signed_in.text.contains("ck_ses_"), "{signed_in:?}");
    let cookie = signed_in.header("set-cookie");
    let (token, attributes) = cookie.split_once("; ").unwrap();
    assert!(token.starts_with("chatkeep=ck_ses_"), "{cookie}");
    assert_eq!(
        attributes,
        "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    );

    let signed_in = login(&server, true, &[HOME, OVER_TLS]).await;
    let cookie = signed_in.header("set-cookie");
    let (token, attributes) = cookie.split_once("; ").unwrap();
    assert!(token.starts_with("__Host-chatkeep=ck_ses_"), "{cookie}");
    assert_eq!(
        attributes,
        "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"
    );

    let signed_in = login(&server, false, &[]).await;
    assert_eq!(signed_in.header("set-cookie"), "");
    assert_eq!(signed_in.header("cache-control"), "no-store");
    assert!(signed_in.text.contains("ck_ses_"), "{signed_in:?}");
}

#[tokio::test]
async fn the_cookie_stands_for_the_token() {
    let server = start();
    let browser = Browser::sign_in(&server).await;
    assert_eq!(browser.get("/api/v1/auth/me").await.status, 200);
    let listed = browser.get("/api/v1/auth/tokens").await;
    let current = &listed.body["data"]["tokens"][0];
    assert_eq!(
        (&current["kind"], &current["name"], &current["isCurrent"]),
        (&json!("sign-in"), &json!("Firefox on Linux"), &json!(true))
    );

    let me = async |cookie: &str| {
        let request = server.stranger().request("GET", "/api/v1/auth/me");
        send(request.header("Cookie", cookie)).await.status
    };
    let token = browser.token();
    for good in [
        format!("other=1; chatkeep={token}; more=a=b"),
        format!("chatkeep={token};other"),
    ] {
        assert_eq!(me(&good).await, 200, "{good}");
    }
    for bad in [
        String::new(),
        "chatkeep=".into(),
        format!("Chatkeep={token}"),
        format!("xchatkeep={token}"),
        format!("chatkeep=\"{token}\""),
        format!("__Host-chatkeep={token}"),
    ] {
        assert_eq!(me(&bad).await, 401, "{bad}");
    }
    // Over TLS one counts that nobody else can have set, and no other.
    for (cookie, status) in [
        (format!("chatkeep=nonsense; __Host-chatkeep={token}"), 200),
        (format!("chatkeep={token}"), 401),
    ] {
        let request = server.stranger().request("GET", "/api/v1/auth/me");
        let request = with(request, &[OVER_TLS]).header("Cookie", &cookie);
        assert_eq!(send(request).await.status, status, "{cookie}");
    }
    // What else is on this host may have set a cookie of bytes that are no text.
    let odd = [b"other=\xff; chatkeep=", token.as_bytes()].concat();
    let request = server.stranger().request("GET", "/api/v1/auth/me");
    assert_eq!(send(request.header("Cookie", odd)).await.status, 200);
    // Over HTTP/2 a browser may send each one by itself.
    let request = browser.client.request("GET", "/api/v1/auth/me");
    let request = request.header("Cookie", "other=1");
    let request = request.header("Cookie", &browser.cookie);
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test]
async fn a_request_with_the_header_ignores_the_cookie() {
    let server = start();
    let browser = Browser::sign_in(&server).await;
    let bob = server.user("bob@example.com");
    let request = bob.request("GET", "/api/v1/auth/me");
    let me = send(request.header("Cookie", &browser.cookie)).await;
    assert_eq!(me.body["data"]["email"], "bob@example.com");
    for header in ["", "Bearer", "Bearer nonsense"] {
        let request = browser.request("GET", "/api/v1/auth/me");
        let refused = send(request.header("Authorization", header)).await;
        assert_eq!(refused.status, 401, "{header:?}");
    }
}

#[tokio::test]
async fn only_the_servers_own_page_changes_anything_with_a_cookie() {
    let server = start();
    let browser = Browser::sign_in(&server).await;
    let bearer = server.stranger().with_token(browser.token());
    let tls = server.base.replace("http:", "https:");
    let (own, other) = (server.base.as_str(), "http://evil.example.com");
    let longer = format!("{own}.evil.example.com");
    let cases: [(&[(&str, &str)], bool); 13] = [
        (&[("Sec-Fetch-Site", "same-origin")], true),
        (&[("Sec-Fetch-Site", "none")], true),
        (&[("Sec-Fetch-Site", "same-site")], false),
        (&[("Sec-Fetch-Site", "cross-site")], false),
        (&[("Sec-Fetch-Site", "")], false),
        (
            &[("Sec-Fetch-Site", "same-origin"), ("Origin", other)],
            true,
        ),
        (&[("Sec-Fetch-Site", "cross-site"), ("Origin", own)], false),
        (&[("Origin", own)], true),
        (&[("Origin", &tls)], true),
        (&[("Origin", other)], false),
        (&[("Origin", &longer)], false),
        (&[("Origin", "null")], false),
        (&[], false),
    ];
    let (me, tokens) = ("/api/v1/auth/me", format!("/api/v1/auth/tokens/{MISSING}"));
    let mut checked = 0;
    for (headers, is_own) in cases {
        for (method, path, done) in [
            ("GET", me, 200),
            ("HEAD", me, 200),
            ("PATCH", me, 200),
            ("DELETE", &tokens, 404),
            ("POST", "/api/v1/chat", 400),
            ("PUT", "/api/chat_sessions/987", 404),
        ] {
            let ask = async |request: RequestBuilder| {
                let body = json!({ "name": "Ada", "title": "x" });
                send(with(request, headers).json(&body)).await.status
            };
            let expected = match method {
                "GET" | "HEAD" => done,
                _ if is_own => done,
                _ => 403,
            };
            let by_cookie = ask(browser.request(method, path)).await;
            assert_eq!(by_cookie, expected, "{method} {headers:?}");
            let by_header = ask(bearer.request(method, path)).await;
            assert_eq!(by_header, done, "{method} {headers:?}");
            let both = bearer
                .request(method, path)
                .header("Cookie", &browser.cookie);
            assert_eq!(ask(both).await, done, "{method} {headers:?}");
            checked += 3;
        }
        // Nor does another page sign anybody in.
        let expected = if is_own { 200 } else { 403 };
        assert_eq!(
            login(&server, true, headers).await.status,
            expected,
            "{headers:?}"
        );
        assert_eq!(
            login(&server, false, headers).await.status,
            200,
            "{headers:?}"
        );
    }
    println!("matrix={checked}");
}

#[tokio::test]
async fn no_route_of_any_dialect_is_changed_by_another_page() {
    let server = start();
    let browser = Browser::sign_in(&server).await;
    let mut refused = 0;
    for (path, methods) in document(&server).await["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().iter();
        let with_token = methods.filter(|(_, operation)| operation.get("security").is_some());
        for (method, _) in with_token.filter(|_| is_of_a_dialect(path)) {
            let known = path.replace("{id}", MISSING).replace("{rid}", MISSING);
            let request = browser.request(&method.to_uppercase(), &known);
            let answer = send(request.header("Sec-Fetch-Site", "cross-site")).await;
            if method == "get" {
                assert!(![401, 403].contains(&answer.status), "{path}: {answer:?}");
            } else {
                assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
                let said = "a request with a cookie must come from this server's own page";
                let is_bare = path.starts_with("/api/") && !path.starts_with("/api/v1/");
                assert!(
                    is_bare || answer.text.contains(said),
                    "{method} {path}: {answer:?}"
                );
                refused += 1;
            }
        }
    }
    println!("refused={refused}");
    assert!(refused > 25, "{refused}");
    // Not even those that asked for nothing have ended the sign-in.
    assert_eq!(browser.get("/api/v1/auth/me").await.status, 200);
}

#[tokio::test]
async fn a_sign_out_ends_the_sign_in_and_clears_the_cookie() {
    let server = start();
    let browser = Browser::sign_in(&server).await;
    let signed_out = browser
        .change("POST", "/api/v1/auth/logout", json!({}))
        .await;
    assert_eq!(signed_out.status, 200);
    assert_eq!(
        signed_out.header("set-cookie"),
        "chatkeep=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    );
    assert_eq!(browser.get("/api/v1/auth/me").await.status, 401);

    let ada = server.token("ada@example.com", &[]);
    let request = ada.request("POST", "/api/v1/auth/logout");
    let signed_out = send(with(request, &[OVER_TLS])).await;
    assert_eq!(
        signed_out.header("set-cookie"),
        "__Host-chatkeep=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    );
}

#[tokio::test]
async fn streams_take_the_cookie_and_end_with_its_sign_in() {
    let server = start();
    let browser = Browser::sign_in(&server).await;
    let mut feed = Events::open(browser.request("GET", "/api/v1/events")).await;
    assert_eq!(feed.next().await.unwrap().kind, "reset");
    let made = browser
        .change("POST", "/api/v1/chat", json!({ "type": "text" }))
        .await;
    assert_eq!(feed.next().await.unwrap().kind, "chat");
    let chat = made.body["data"]["id"].as_str().unwrap();
    let path = format!("/api/v1/chat/{chat}/replies");
    let begun = browser
        .change("POST", &path, json!({ "prompt": "Hello" }))
        .await;
    let reply = begun.body["data"]["id"].as_str().unwrap();
    let path = format!("{path}/{reply}/events");
    let mut events = Events::open(browser.request("GET", &path)).await;
    assert_eq!(events.next().await.unwrap().kind, "accepted");

    let own = format!("/api/v1/auth/tokens/{}", &browser.token()[7..32]);
    assert_eq!(browser.change("DELETE", &own, json!({})).await.status, 200);
    while feed.next().await.is_some() {}
    let refused = browser.get("/api/v1/events").await;
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn no_page_from_elsewhere_makes_the_first_account() {
    let server = Server::start();
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    let register = async |headers: &[(&str, &str)]| {
        let request = server.stranger().request("POST", "/api/v1/auth/register");
        send(with(request.json(&body), headers)).await.status
    };
    for elsewhere in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "http://example.com"),
    ] {
        assert_eq!(register(&[elsewhere]).await, 403, "{elsewhere:?}");
    }
    assert_eq!(register(&[HOME]).await, 201);
}

#[tokio::test]
async fn another_origin_that_may_call_the_api_may_not_use_the_cookie() {
    let app = "https://app.example.com";
    let server = Server::start_with(&[("CHATKEEP_CORS_ORIGINS", app)]);
    let request = server.stranger().request("GET", "/api/v1/auth/me");
    let answer = send(request.header("Origin", app)).await;
    assert_eq!(answer.header("access-control-allow-origin"), app);
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn what_a_cookie_opens_is_kept_by_nobody_on_its_way() {
    let server = start();
    let browser = Browser::sign_in(&server).await;
    for path in [
        "/api/v1/auth/me",
        "/api/v1/chat",
        "/api/v1/chat/987",
        "/api/chat_sessions",
        "/v1/models",
        "/nothing",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn every_answer_tells_a_browser_not_to_guess_and_not_to_tell() {
    let server = start();
    let browser = Browser::sign_in(&server).await;
    let told = |answer: &Answer, name: &str| {
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{name}");
    };
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/c/anything"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/nothing"),
        ("GET", "/assets/nothing.js"),
        ("GET", "/setup/nothing"),
        ("DELETE", "/docs"),
        ("OPTIONS", "/api/v1/chat"),
        ("GET", "/api/v1/chat"),
        ("GET", "/api/v1/events"),
        ("GET", "/api/chat_sessions/987"),
        ("POST", "/v1/responses"),
        ("POST", "/ai/chat"),
    ] {
        let answer = send(browser.request(method, path)).await;
        told(&answer, path);
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
        for scheme in ["https", "HTTPS, http"] {
            let request = browser.request(method, path);
            let request = request.header("X-Forwarded-Proto", scheme);
            let answer = send(request).await;
            told(&answer, path);
            let hsts = answer.header("strict-transport-security");
            assert_eq!(hsts, "max-age=63072000", "{path}");
        }
    }
}
