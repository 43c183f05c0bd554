//! Whatever carries the news between nodes, a reply comes whole to who watches it at another node.

use std::time::{Duration, Instant};

use super::{Cluster, middle_and_most};
use crate::database;
use crate::provider::said_by;
use crate::sse::{Event, Events, text_of};
use crate::talk::Chat;

const TOKENS: usize = 60;
/// How often a node looks at the rows while nothing tells it, and some time for a busy machine.
const POLL: Duration = Duration::from_millis(1_000 + 1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_postgresqls_notify_a_reply_comes_whole_to_another_node() {
    watch_elsewhere("notify", "auto", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nats_a_reply_comes_whole_to_another_node() {
    // Other tests, and other runs, share the server.
    let prefix = format!("it_{}", std::process::id());
    let url = format!("{}/{prefix}", database::server("CHATKEEP_TEST_NATS"));
    watch_elsewhere("nats", &url, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bus_a_reply_comes_whole_to_another_node() {
    let most = watch_elsewhere("none", "none", false).await;
    assert!(most < POLL, "{most:?}");
}

/// Watches a reply at the node that writes it, and at another one; gives by how much an event came
/// later there at most.
async fn watch_elsewhere(name: &str, bus: &str, is_up: bool) -> Duration {
    let cluster = Cluster::with(2, &format!("bus = \"{bus}\""));
    for node in &cluster.nodes {
        let metric = format!("chatkeep_bus_up {}\n", u8::from(is_up));
        super::until(&metric, async || {
            node.stranger().get("/metrics").await.text.contains(&metric)
        })
        .await;
    }
    let chat = Chat::new(&cluster.ada(0)).await;
    let reply = chat.ask(&format!("tokens={TOKENS} every_ms=50")).await;
    let near = chat.watch(&reply).await;
    let far = chat.by(&cluster.ada(1)).watch(&reply).await;
    let [near, far] = [near, far].map(|events| tokio::spawn(timed(events)));
    let (near, far) = (near.await.unwrap(), far.await.unwrap());
    let (times, near): (Vec<_>, Vec<_>) = near.into_iter().unzip();
    let later = far.iter().zip(&times);
    let later = later.map(|((far, _), near)| far.saturating_duration_since(*near));
    let (middle, most) = middle_and_most(later.clone());
    let far: Vec<_> = far.iter().map(|(_, event)| event.clone()).collect();
    println!(
        "bus {name} events={} later_elsewhere_ms p50={middle:.1} max={most:.1}",
        far.len()
    );
    assert_eq!(far, near);
    assert_eq!(said_by(&text_of(&far)), Some((0, TOKENS)));
    later.max().unwrap()
}

/// All that is still to come, with when it came.
async fn timed(mut events: Events) -> Vec<(Instant, Event)> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push((Instant::now(), event));
    }
    all
}
