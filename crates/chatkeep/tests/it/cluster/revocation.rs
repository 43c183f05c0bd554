//! A token that is revoked, or an account that is disabled, ends its streams at every node.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::{Cluster, middle_and_most};
use crate::client::Client;
use crate::sse::{Event, Events};
use crate::talk::{Chat, id};

/// Streams of each kind: of the token that is revoked, of the account that is disabled, and of others.
const STREAMS: usize = 34;
/// How long a stream may live on.
const SOON: Duration = Duration::from_secs(5);
const PROMPT: &str = "tokens=6 stall_after=3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_ends_the_streams_at_all_nodes() {
    revoke("auto").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bus_a_revocation_ends_the_streams_at_all_nodes_just_as_well() {
    revoke("none").await;
}

async fn revoke(bus: &str) {
    let cluster = Cluster::with(3, &format!("bus = \"{bus}\""));
    let bob = cluster.nodes[1].user("bob@example.com");
    let body = json!({ "name": "phone" });
    let made = cluster.ada.post("/api/v1/auth/tokens", body).await.body;
    let phone = cluster
        .ada
        .with_token(made["data"]["token"].as_str().unwrap());
    let revoked = open(&cluster, &phone).await;
    let disabled = open(&cluster, &bob).await;
    let mut others = open(&cluster, &cluster.ada).await;

    // Each is read before, so that the time of its end is when that came.
    let token = format!("/api/v1/auth/tokens/{}", id(&made["data"]));
    let ends = end_of(revoked);
    let withdrawn = Instant::now();
    assert_eq!(cluster.ada(0).delete(&token).await.status, 200);
    let mut times = ends.await_all(withdrawn).await;
    let ends = end_of(disabled);
    cluster.nodes[2].run(&["user", "disable", "bob@example.com"], "");
    let withdrawn = Instant::now();
    times.extend(ends.await_all(withdrawn).await);

    let late = times.iter().filter(|time| **time > SOON).count();
    let (middle, most) = middle_and_most(times.iter().copied());
    println!(
        "revocation bus={bus} streams={} alive_after_5s={late} ms p50={middle:.0} max={most:.0}",
        times.len() + others.len()
    );
    assert_eq!((late, times.len()), (0, 2 * STREAMS));
    // Those of others go on.
    cluster.provider.release();
    let last = Chat::new(&cluster.ada).await;
    for stream in &mut others {
        loop {
            let event = stream.next().await.expect("another one's stream has ended");
            if event.kind == "finished" || is_of(&event, &last) {
                break;
            }
        }
    }
}

fn is_of(event: &Event, chat: &Chat) -> bool {
    event.kind == "chat" && id(&event.json()) == chat.id
}

/// Opens streams at all nodes in turn: of replies and of changes.
async fn open(cluster: &Cluster, who: &Client) -> Vec<Events> {
    let chat = Chat::new(&cluster.asks(who, 0)).await;
    let reply = chat.ask(PROMPT).await;
    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let client = cluster.asks(who, number % 3);
        let (mut stream, kind) = if number % 2 == 0 {
            (chat.by(&client).watch(&reply).await, "delta")
        } else {
            let request = client.request("GET", "/api/v1/events");
            (Events::open(request).await, "reset")
        };
        stream.next_of(kind).await;
        streams.push(stream);
    }
    streams
}

/// Streams that are read until they end.
struct Ends(JoinSet<Instant>);

fn end_of(streams: Vec<Events>) -> Ends {
    let mut ends = JoinSet::new();
    for mut stream in streams {
        ends.spawn(async move {
            stream.rest().await;
            Instant::now()
        });
    }
    Ends(ends)
}

impl Ends {
    /// How long after that each has ended; much longer than it may, if it has not.
    async fn await_all(self, withdrawn: Instant) -> Vec<Duration> {
        let ends = tokio::time::timeout(2 * SOON, self.0.join_all()).await;
        let ends = ends.expect("streams live on");
        let times = ends.into_iter();
        times
            .map(|end| end.saturating_duration_since(withdrawn))
            .collect()
    }
}
