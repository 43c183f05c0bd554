//! A reply is stopped, or made to make place, or deleted at another node than the one that writes it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Cluster;
use crate::talk::{Chat, id, text};

/// How soon a writer hears of it over the bus. That takes milliseconds; the rest is a busy machine's.
const HEARD: Duration = Duration::from_secs(1);
/// How soon it finds out from the reply's row: when it renews its lease, every 3 s.
const FOUND: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_can_be_stopped_at_any_node() {
    stop("auto", HEARD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bus_a_reply_can_be_stopped_at_any_node_just_as_well() {
    stop("none", FOUND).await;
}

/// Ends the reply of a model that has fallen silent, in all ways there are, each at another node.
async fn stop(bus: &str, soon: Duration) {
    let cluster = Cluster::with(3, &format!("bus = \"{bus}\""));
    let mut times = Vec::new();
    for way in ["stop", "interrupt", "delete"] {
        let prompt = format!("tokens=8 stall_after=4 {way}");
        let chat = Chat::new(&cluster.ada(0)).await;
        let reply = chat.ask(&prompt).await;
        let [mut near, mut far] = [
            chat.watch(&reply).await,
            chat.by(&cluster.ada(2)).watch(&reply).await,
        ];
        for events in [&mut near, &mut far] {
            let mut tokens = 0;
            while tokens < 4 {
                let said = events.next_of("delta").await.json();
                tokens += said["text"].as_str().unwrap().split_terminator(' ').count();
            }
        }
        let other = chat.by(&cluster.ada(1));
        let asked = Instant::now();
        match way {
            "stop" => {
                assert_eq!(other.stop(&reply).await["status"], "stopped");
            }
            "interrupt" => {
                let next = json!({ "prompt": "tokens=1", "whenBusy": "interrupt" });
                let next = id(&other.begin(next).await);
                assert_eq!(other.ended(&next).await["status"], "done");
            }
            _ => assert_eq!(other.client.delete(&other.path("")).await.status, 200),
        }
        let left = cluster.provider.call(&prompt, |call| call.closed.is_some());
        let left = tokio::time::timeout(3 * FOUND, left).await;
        let left = left.expect("it goes on");
        times.push((way, left.closed.unwrap().saturating_duration_since(asked)));
        let ends = [near.rest().await, far.rest().await];
        assert!(
            asked.elapsed() < FOUND + Duration::from_secs(2),
            "{bus} {way}"
        );
        if way == "delete" {
            let missing = chat.client.get(&chat.events(&reply)).await;
            assert_eq!(missing.status, 404);
            continue;
        }
        for events in ends {
            assert_eq!(events.last().unwrap().kind, "finished");
            assert_eq!(events.last().unwrap().json()["status"], "stopped");
        }
        let stopped = chat.reply(&reply).await;
        let said = crate::provider::said(left.number, 4);
        assert_eq!(text(&chat.message_of(&stopped).await), said);
    }
    let shown: Vec<_> = times
        .iter()
        .map(|(way, time)| format!("{way}={}", time.as_millis()))
        .collect();
    println!(
        "stop_elsewhere bus={bus} upstream_closed_ms {}",
        shown.join(" ")
    );
    assert!(times.iter().all(|(_, time)| *time < soon), "{times:?}");
}
