//! A send with a key is one message and one reply, however often it is tried.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, send};
use crate::provider::{Provider, said_by};
use crate::proxy::Proxy;
use crate::sse::Events;
use crate::talk::{Chat, Talk, id, text};

const CLIENTS: u64 = 32;
const SENDS: usize = 4;
const KILLS: usize = 4;
const TOKENS: usize = 20;

/// A send that was answered in the end.
struct Sent {
    key: String,
    prompt: String,
    reply: String,
    attempts: usize,
}

/// Many clients, each with a chat of its own, that send again what was not answered whole.
pub(crate) struct Storm(JoinSet<(Chat, Vec<Sent>)>);

/// What a storm came to, all of it counted.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) sends: usize,
    pub(crate) tries: usize,
    pub(crate) messages: usize,
    pub(crate) replies: usize,
    pub(crate) calls: usize,
    pub(crate) attempts: usize,
}

impl Storm {
    /// Each try goes one of these ways, which may break.
    pub(crate) async fn begin(client: &Client, ways: &[Client], seed: u64) -> Self {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let chat = Chat::new(client).await;
            let ways = ways.iter().map(|way| chat.by(way)).collect();
            let random = StdRng::seed_from_u64(seed ^ (number + 1));
            clients.spawn(send_all(ways, format!("client-{number}"), random));
        }
        Self(clients)
    }

    /// Waits for its end, and looks by this client at what is there then.
    pub(crate) async fn end(self, client: &Client, provider: &Provider) -> Outcome {
        let mut all = Outcome::default();
        for (chat, sent) in self.0.join_all().await {
            let chat = chat.by(client);
            for one in &sent {
                let reply = chat.ended(&one.reply).await;
                let calls = provider.calls_for(&one.prompt).len();
                let attempt = reply["attempt"].as_u64().unwrap() as usize;
                // A kill can come between the note that a model will be asked and the call.
                assert!(calls <= attempt, "{calls} calls for {reply}");
                let said = text(&chat.message_of(&reply).await);
                if reply["status"] == "done" {
                    assert!(calls == attempt || attempt > 1, "{calls} calls for {reply}");
                    assert_eq!(said_by(&said).unwrap().1, TOKENS);
                } else {
                    assert_eq!(reply["error"]["kind"], "interrupted", "{reply}");
                }
                all.calls += calls;
                all.attempts += attempt;
                all.tries += one.attempts;
                let other = chat.client.request("POST", &chat.path("/replies"));
                let other = other.header("Idempotency-Key", &one.key);
                let other = send(other.json(&json!({ "prompt": "something else" }))).await;
                assert_eq!(other.status, 422, "{other:?}");
            }
            let tree = chat.tree().await;
            let of = |role| tree.iter().filter(move |one| one["role"] == role);
            let mut texts: Vec<String> = of("user").map(text).collect();
            texts.sort();
            let mut prompts: Vec<&str> = sent.iter().map(|one| one.prompt.as_str()).collect();
            prompts.sort_unstable();
            assert_eq!(texts, prompts);
            all.sends += sent.len();
            all.messages += texts.len();
            all.replies += of("assistant").count();
        }
        assert_eq!(all.sends, CLIENTS as usize * SENDS);
        assert_eq!((all.messages, all.replies), (all.sends, all.sends));
        assert_eq!(provider.calls().len(), all.calls);
        assert!(all.calls <= all.attempts);
        assert!(all.tries > 2 * all.sends, "too little happened");
        all
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            sends,
            tries,
            messages,
            replies,
            calls,
            attempts,
        } = self;
        write!(
            to,
            "sends={sends} attempts={tries} messages={messages} replies={replies} \
             provider_calls={calls} reply_attempts={attempts}"
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_with_a_key_happens_once_however_often_it_is_tried() {
    let seed = 0x5e4d_0001;
    let mut random = StdRng::seed_from_u64(seed);
    let mut talk = Talk::start();
    let proxy = Proxy::to(&talk.server);
    let ways = [talk.ada.through(&proxy.base())];
    let storm = Storm::begin(&talk.ada, &ways, seed).await;
    for _ in 0..KILLS {
        // The moment of the kill is the test's input.
        tokio::time::sleep(Duration::from_millis(random.random_range(150..700))).await;
        talk = talk.kill_and_start_again();
        proxy.aim(&talk.server);
    }
    let outcome = storm.end(&talk.ada, &talk.provider).await;
    println!("exactly_once {outcome} kills={KILLS}");
    assert!(outcome.attempts > outcome.sends, "too little happened");
}

async fn send_all(ways: Vec<Chat>, name: String, mut random: StdRng) -> (Chat, Vec<Sent>) {
    let mut sent = Vec::new();
    for number in 0..SENDS {
        let key = format!("{name}-{number}");
        let prompt = format!("tokens={TOKENS} every_ms=12 {key}");
        let mut body = json!({ "prompt": prompt });
        if random.random() {
            body["stream"] = json!(true);
        }
        let cuts = random.random_range(0..5);
        let (mut reply, mut attempts) = (None::<String>, 0);
        let reply = loop {
            attempts += 1;
            let cut = match random.random_range(0..4) {
                _ if attempts > cuts => String::new(),
                0 => "before".into(),
                1 => "forwarded".into(),
                2 => "answered".into(),
                _ => random.random_range(1..1_500).to_string(),
            };
            let way = ways.choose(&mut random).unwrap();
            let (known, whole) = try_once(way, &key, &body, &cut).await;
            if let (Some(known), Some(before)) = (&known, &reply) {
                assert_eq!(known, before, "{key} is two replies");
            }
            reply = known.or(reply);
            if whole && let Some(reply) = reply {
                break reply;
            }
            // Nobody tries again at once.
            tokio::time::sleep(Duration::from_millis(random.random_range(1..20))).await;
        };
        sent.push(Sent {
            key,
            prompt,
            reply,
            attempts,
        });
    }
    (ways[0].clone(), sent)
}

/// One try: the reply, if it got to be known, and whether the answer came whole.
async fn try_once(chat: &Chat, key: &str, body: &Value, cut: &str) -> (Option<String>, bool) {
    let request = chat.client.request("POST", &chat.path("/replies"));
    let request = request.header("Idempotency-Key", key).header("X-Cut", cut);
    let request = request.json(body);
    if body["stream"] != true {
        return match crate::client::try_send(request).await {
            Ok(answer) => {
                assert_eq!(answer.status, 202, "{answer:?}");
                (Some(id(&answer.body["data"])), true)
            }
            Err(_) => (None, false),
        };
    }
    let Ok(mut events) = Events::try_open(request).await else {
        return (None, false);
    };
    let mut reply = None;
    let mut next = 0;
    while let Ok(Some(event)) = events.try_next().await {
        assert_eq!(event.number(), next, "a stream begins with event 0");
        next += 1;
        match event.kind.as_str() {
            "accepted" => reply = Some(id(&event.json()["reply"])),
            "finished" => return (reply, true),
            _ => {}
        }
    }
    (reply, false)
}
