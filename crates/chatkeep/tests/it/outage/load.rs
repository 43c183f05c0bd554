//! What people do with nodes while something is gone: they write, ask and watch, and try again.

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::json;
use tokio::sync::watch;

use crate::client::{Answer, Client, try_send};
use crate::provider::{Provider, said_by};
use crate::server::Server;
use crate::sse::{Event, Events, text_of};
use crate::talk::{Chat, id, text};

/// How long a node may take to answer, whatever it lacks.
pub const BOUND: Duration = Duration::from_secs(10);
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(3);

/// Nodes over one database, whose models are a script's, and somebody who uses them.
pub struct Nodes {
    pub provider: Provider,
    /// The same person at each node.
    pub clients: Vec<Client>,
    _servers: Vec<Server>,
}

impl Nodes {
    /// Starts a node for each of these URLs of the database, with these settings.
    pub fn start<'a>(each: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let provider = Provider::start();
        let servers: Vec<_> = each
            .into_iter()
            .map(|(database, settings)| {
                let file = provider.settings(&format!("titles = false\n{settings}"));
                Server::start_on_with_file(database, &file)
            })
            .collect();
        let ada = servers[0].user("ada@example.com").token.unwrap();
        let clients = servers.iter();
        let clients = clients.map(|server| server.stranger().with_token(&ada));
        Self {
            clients: clients.collect(),
            provider,
            _servers: servers,
        }
    }

    /// Makes a chat.
    pub async fn chat(&self) -> Everywhere {
        let chat = Chat::new(&self.clients[0]).await;
        let everywhere = self.clients.iter().map(|client| chat.by(client));
        Everywhere(everywhere.collect())
    }

    /// What each reply has come to.
    pub async fn outcome(&self, followed: &[Followed]) -> Outcome {
        let mut outcome = Outcome::default();
        for one in followed {
            let chat = one.chat.at(0);
            let reply = chat.reply(&one.reply).await;
            let events = one.events();
            for pair in events.windows(2) {
                let step = pair[1].number() - pair[0].number();
                outcome.gaps += usize::from(step > 1);
                outcome.repeats += usize::from(step < 1);
            }
            let again = chat.watch(&one.reply).await.rest().await;
            assert_eq!(events, again, "what was shown is not what is there");
            let stored = text(&chat.message_of(&reply).await);
            assert_eq!(stored, text_of(&events));
            assert!(stored.is_empty() || said_by(&stored).is_some(), "{stored}");
            match reply["status"].as_str().unwrap() {
                "done" => outcome.done += 1,
                other => {
                    assert_eq!(
                        (other, &reply["error"]["kind"]),
                        ("failed", &json!("interrupted"))
                    );
                    outcome.failed += 1;
                }
            }
            let attempts = reply["attempt"].as_u64().unwrap() as usize;
            let calls = self.provider.calls_for(&one.prompt).len();
            assert!(calls <= attempts, "{calls} calls for {reply}");
            outcome.attempts += attempts;
            outcome.calls += calls;
        }
        outcome
    }
}

/// What replies have come to, together.
#[derive(Debug, Default)]
pub struct Outcome {
    pub done: usize,
    pub failed: usize,
    pub attempts: usize,
    pub calls: usize,
    pub gaps: usize,
    pub repeats: usize,
}

/// A chat at each of several nodes.
#[derive(Clone)]
pub struct Everywhere(Vec<Chat>);

impl Everywhere {
    pub fn at(&self, node: usize) -> &Chat {
        &self.0[node % self.0.len()]
    }

    /// The same chat without one of the nodes.
    pub fn without(&self, node: usize) -> Self {
        let mut others = self.clone();
        others.0.remove(node);
        others
    }

    /// The same chat at one node alone.
    pub fn only(&self, node: usize) -> Self {
        Self(vec![self.at(node).clone()])
    }
}

/// What became of the requests of somebody who tries again.
#[derive(Clone, Debug, Default)]
pub struct Tries {
    pub requests: usize,
    /// Answered with 503.
    pub refused: usize,
    /// How long the one took that took longest.
    pub longest: Duration,
}

impl Tries {
    pub fn add(&mut self, others: &Self) {
        self.requests += others.requests;
        self.refused += others.refused;
        self.longest = self.longest.max(others.longest);
    }

    /// Sends a request once; `None` if the node can't answer it now.
    pub async fn once(&mut self, request: RequestBuilder) -> Option<Answer> {
        let begun = Instant::now();
        // The nodes are there all the time: one that breaks off is wrong, and so is one that hangs.
        let answer = try_send(request.timeout(2 * BOUND)).await;
        let answer = answer.unwrap_or_else(|error| panic!("no answer: {error:?}"));
        self.requests += 1;
        self.longest = self.longest.max(begun.elapsed());
        if answer.status != 503 {
            return Some(answer);
        }
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!(wait >= 1);
        self.refused += 1;
        None
    }

    /// Sends a request to one node after the other, until one answers it.
    async fn insist(
        &mut self,
        from: usize,
        request: impl Fn(usize) -> RequestBuilder,
    ) -> (usize, Answer) {
        for node in from.. {
            if let Some(answer) = self.once(request(node)).await {
                return (node, answer);
            }
            // Nobody tries again at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        unreachable!("it goes on until there is an answer");
    }
}

/// What somebody has written.
pub struct Written {
    pub chat: Everywhere,
    /// What was acknowledged, and when.
    pub acked: Vec<(String, Instant)>,
    pub tries: Tries,
}

/// Writes one message after the other into a chat, each until it is acknowledged, until it is enough.
pub async fn write(chat: Everywhere, enough: watch::Receiver<bool>) -> Written {
    let (mut acked, mut tries) = (Vec::new(), Tries::default());
    let mut node = 0;
    for number in 0.. {
        if *enough.borrow() {
            break;
        }
        let message = format!("{number}");
        let body = json!({ "messages": [{ "role": "user", "content": message }] });
        let key = format!("{}-{number}", chat.at(0).id);
        let request = |node| {
            let chat = chat.at(node);
            let request = chat.client.request("POST", &chat.path("/messages"));
            request.header("Idempotency-Key", &key).json(&body)
        };
        let (at, answer) = tries.insist(node, request).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        acked.push((message, Instant::now()));
        node = at + 1;
        // Somebody who types is slower.
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Written { chat, acked, tries }
}

/// What of all that was acknowledged is not there, or is there more than once.
pub async fn lost(written: &[Written]) -> usize {
    let mut lost = 0;
    for one in written {
        let there = one.chat.at(0).tree().await;
        let there: Vec<String> = there.iter().map(text).collect();
        let acked: Vec<String> = one.acked.iter().map(|(text, _)| text.clone()).collect();
        lost += acked.iter().filter(|text| !there.contains(text)).count();
        assert_eq!(
            there, acked,
            "something is there twice, or not in its order"
        );
    }
    lost
}

/// The longest time in which nothing was acknowledged.
pub fn gap(written: &[Written]) -> Duration {
    let times = written.iter().flat_map(|one| &one.acked);
    let mut times: Vec<Instant> = times.map(|(_, at)| *at).collect();
    times.sort_unstable();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap()
}

/// A reply as somebody saw it who watched it to its end.
pub struct Followed {
    pub chat: Everywhere,
    pub prompt: String,
    pub reply: String,
    /// Each event, and when it came.
    pub seen: Vec<(Event, Instant)>,
    /// How often the stream broke off.
    pub breaks: usize,
}

impl Followed {
    pub fn events(&self) -> Vec<Event> {
        self.seen.iter().map(|(event, _)| event.clone()).collect()
    }
}

/// Asks with a key, until it is accepted, and watches the reply, at one node after the other.
pub async fn ask_and_follow(chat: Everywhere, prompt: String, from: usize) -> (Followed, Tries) {
    let mut tries = Tries::default();
    let (body, key) = (json!({ "prompt": prompt }), prompt.replace(' ', "-"));
    let request = |node| {
        let chat = chat.at(node);
        let request = chat.client.request("POST", &chat.path("/replies"));
        request.header("Idempotency-Key", &key).json(&body)
    };
    let (node, answer) = tries.insist(from, request).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let reply = id(&answer.body["data"]);
    (follow(chat, prompt, reply, node + 1).await, tries)
}

/// Watches a reply to its end, at one node after the other, each time from behind what was seen.
pub async fn follow(chat: Everywhere, prompt: String, reply: String, from: usize) -> Followed {
    let mut seen = Vec::<(Event, Instant)>::new();
    let following = async {
        for node in from.. {
            let chat = chat.at(node);
            let mut request = chat.client.request("GET", &chat.events(&reply));
            if let Some((last, _)) = seen.last() {
                request = request.header("Last-Event-ID", &last.id);
            }
            let response = request.send().await.unwrap();
            if response.status() == 503 {
                // Nobody tries again at once.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            assert_eq!(response.status(), 200);
            let mut events = Events::of(response);
            while let Ok(Some(event)) = events.try_next().await {
                let is_end = event.kind == "finished";
                seen.push((event, Instant::now()));
                if is_end {
                    return node - from;
                }
            }
        }
        unreachable!("it goes on until the end has come");
    };
    let followed = tokio::time::timeout(PATIENCE, following).await;
    let breaks = followed.unwrap_or_else(|_| panic!("{reply} does not end"));
    Followed {
        chat,
        prompt,
        reply,
        seen,
        breaks,
    }
}

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, looking).await;
    came.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The value of a figure of a node's metrics.
pub async fn metric(client: &Client, name: &str) -> String {
    let page = client.get("/metrics").await;
    let line = page.text.lines().find(|line| line.starts_with(name));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}
