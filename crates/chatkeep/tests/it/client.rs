use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// Somebody who calls the API.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    pub token: Option<String>,
}

impl Client {
    pub fn new(base: &str, token: Option<&str>) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: base.into(),
            token: token.map(Into::into),
        }
    }

    /// The same address, asked with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    /// The same caller by another way, with a connection for each request.
    pub fn through(&self, base: &str) -> Self {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0);
        Self {
            http: http.build().unwrap(),
            base: base.into(),
            token: self.token.clone(),
        }
    }

    /// A request with the token in the way that the path's dialect has it.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) if path.starts_with("/api/") && !path.starts_with("/api/v1") => {
                request.header("Authorization", token)
            }
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request("GET", path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request("DELETE", path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request("POST", path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        send(self.request("PUT", path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        send(self.request("PATCH", path).json(&body)).await
    }

    /// Makes a session; gives its number and its CUID.
    pub async fn session(&self, title: &str) -> (String, String) {
        let made = self
            .post("/api/chat_sessions", serde_json::json!({ "title": title }))
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        let number = made.body["data"]["id"].to_string();
        let shown = self.get(&format!("/api/v1/chat/{number}")).await;
        (number, shown.body["data"]["id"].as_str().unwrap().into())
    }
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    pub text: String,
    /// Null if it is no JSON.
    pub body: Value,
}

impl Answer {
    /// A header's value; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    try_send(request).await.unwrap()
}

pub async fn try_send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = whole(response).await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer {
        status,
        headers,
        text,
        body,
    })
}

/// The body; of a feed of changes, which has no end, what it begins with.
async fn whole(mut response: reqwest::Response) -> reqwest::Result<String> {
    let endless = response.url().path() == "/api/v1/events";
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if endless && response.status().is_success() && bytes.ends_with(b"\n\n") {
            break;
        }
    }
    Ok(String::from_utf8(bytes).unwrap())
}
