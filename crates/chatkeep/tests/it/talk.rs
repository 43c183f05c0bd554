//! What tests about replies do again and again.

use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::provider::Provider;
use crate::server::Server;
use crate::sse::Events;

/// A server whose models are a script's, and somebody who uses it.
pub struct Talk {
    pub server: Server,
    pub provider: Provider,
    pub ada: Client,
}

impl Talk {
    pub fn start() -> Self {
        Self::with("titles = false")
    }

    /// With these settings besides the provider.
    pub fn with(settings: &str) -> Self {
        let provider = Provider::start();
        let server = Server::start_with_file(&provider.settings(settings));
        let ada = server.user("ada@example.com");
        Self {
            server,
            provider,
            ada,
        }
    }

    pub async fn chat(&self) -> Chat {
        Chat::new(&self.ada).await
    }

    /// Kills the server and starts it again.
    #[must_use]
    pub fn kill_and_start_again(self) -> Self {
        let server = self.server.kill().start_again();
        let token = self.ada.token.unwrap();
        Self {
            ada: server.stranger().with_token(&token),
            server,
            provider: self.provider,
        }
    }
}

/// A chat, as somebody uses it.
#[derive(Clone)]
pub struct Chat {
    pub client: Client,
    pub id: String,
}

impl Chat {
    pub async fn new(client: &Client) -> Self {
        let made = client.post("/api/v1/chat", json!({ "type": "text" })).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.body["data"]["id"].as_str().unwrap().into();
        let client = client.clone();
        Self { client, id }
    }

    /// The same chat, used by another client.
    pub fn by(&self, client: &Client) -> Self {
        let (client, id) = (client.clone(), self.id.clone());
        Self { client, id }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/chat/{}{rest}", self.id)
    }

    /// Changes the chat.
    pub async fn change(&self, change: Value) {
        let changed = self.client.patch(&self.path(""), change).await;
        assert_eq!(changed.status, 200, "{changed:?}");
    }

    pub async fn try_begin(&self, body: Value) -> Answer {
        self.client.post(&self.path("/replies"), body).await
    }

    /// Begins a reply, which must be accepted; gives it.
    pub async fn begin(&self, body: Value) -> Value {
        let accepted = self.try_begin(body).await;
        assert_eq!(accepted.status, 202, "{accepted:?}");
        accepted.body["data"].clone()
    }

    /// Begins a reply to a prompt; gives its identifier.
    pub async fn ask(&self, prompt: &str) -> String {
        id(&self.begin(json!({ "prompt": prompt })).await)
    }

    /// Begins a reply to a prompt and waits for its end; gives it as it is then.
    pub async fn answered(&self, prompt: &str) -> Value {
        let reply = self.ask(prompt).await;
        self.ended(&reply).await
    }

    /// Begins a reply that is streamed.
    pub async fn stream(&self, mut body: Value) -> Events {
        body["stream"] = json!(true);
        let request = self.client.request("POST", &self.path("/replies"));
        Events::open(request.json(&body)).await
    }

    /// The path of a reply's events.
    pub fn events(&self, reply: &str) -> String {
        self.path(&format!("/replies/{reply}/events"))
    }

    /// Watches a reply from its first event on.
    pub async fn watch(&self, reply: &str) -> Events {
        Events::open(self.client.request("GET", &self.events(reply))).await
    }

    /// Watches a reply from behind that event.
    pub async fn watch_after(&self, reply: &str, event: i64) -> Events {
        let request = self.client.request("GET", &self.events(reply));
        Events::open(request.header("Last-Event-ID", event)).await
    }

    pub async fn reply(&self, reply: &str) -> Value {
        let path = self.path(&format!("/replies/{reply}"));
        let found = self.client.get(&path).await;
        assert_eq!(found.status, 200, "{found:?}");
        found.body["data"].clone()
    }

    /// The reply once it has ended.
    pub async fn ended(&self, reply: &str) -> Value {
        self.watch(reply).await.next_of("finished").await;
        self.reply(reply).await
    }

    pub async fn stop(&self, reply: &str) -> Value {
        let path = self.path(&format!("/replies/{reply}/stop"));
        let stopped = send(self.client.request("POST", &path)).await;
        assert_eq!(stopped.status, 200, "{stopped:?}");
        stopped.body["data"].clone()
    }

    /// The replies that have not ended.
    pub async fn open(&self) -> Vec<Value> {
        let open = self.client.get(&self.path("/replies")).await;
        open.body["data"]["replies"].as_array().unwrap().clone()
    }

    /// The messages of the active path, the oldest first.
    pub async fn messages(&self) -> Vec<Value> {
        self.pages("").await
    }

    /// The messages of all branches, the oldest first.
    pub async fn tree(&self) -> Vec<Value> {
        self.pages("&tree=true").await
    }

    async fn pages(&self, query: &str) -> Vec<Value> {
        let (mut messages, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = self.path(&format!("/messages?limit=100{query}{cursor}"));
            let page = self.client.get(&path).await;
            assert_eq!(page.status, 200, "{page:?}");
            let data = &page.body["data"];
            messages.extend(data["messages"].as_array().unwrap().clone());
            let Some(next) = data["nextCursor"].as_str() else {
                messages.reverse();
                return messages;
            };
            cursor = format!("&cursor={next}");
        }
    }

    /// The message that a reply has become.
    pub async fn message_of(&self, reply: &Value) -> Value {
        let tree = self.tree().await;
        let found = tree.iter().find(|one| one["id"] == reply["messageId"]);
        found.unwrap().clone()
    }
}

pub fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().into()
}

/// What a message says, without the reasoning.
pub fn text(message: &Value) -> String {
    let parts = message["content"].as_array().unwrap().iter();
    parts
        .filter(|part| part["type"] == "text")
        .map(|part| part["text"].as_str().unwrap())
        .collect()
}
