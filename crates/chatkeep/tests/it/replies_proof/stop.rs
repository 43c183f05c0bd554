//! How soon a provider is left when a reply is stopped.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::task::JoinSet;

use crate::provider::said_by;
use crate::sse::text_of;
use crate::talk::{Talk, text};

const STOPS: u64 = 100;
const AT_ONCE: u64 = 4;
/// Far more than it takes: the provider would go on for minutes.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_reply_leaves_its_provider_and_keeps_what_was_shown() {
    let seed = 0x5e4d_0004;
    let talk = std::sync::Arc::new(Talk::start());
    let mut times = Vec::new();
    for round in 0..STOPS / AT_ONCE {
        let mut stops = JoinSet::new();
        for place in 0..AT_ONCE {
            let number = round * AT_ONCE + place;
            stops.spawn(stop(talk.clone(), number, seed ^ number));
        }
        times.extend(stops.join_all().await);
    }
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!(
        "stop stops={} upstream_closed_ms p50={:.1} p99={:.1} max={:.1}",
        times.len(),
        at(50),
        at(99),
        at(100)
    );
    assert!(times.iter().all(|time| *time < SOON), "{times:?}");
}

/// Stops one reply; gives the time from the request to the closed connection.
async fn stop(talk: std::sync::Arc<Talk>, number: u64, seed: u64) -> Duration {
    let after = StdRng::seed_from_u64(seed).random_range(0..25);
    let chat = talk.chat().await;
    let prompt = format!("tokens=100000 every_ms=5 {number}");
    let mut events = chat.stream(json!({ "prompt": prompt })).await;
    let accepted = events.next_of("accepted").await.json();
    talk.provider
        .call(&prompt, |call| call.tokens >= after)
        .await;
    let asked = Instant::now();
    let stopped = chat.stop(&crate::talk::id(&accepted["reply"])).await;
    assert_eq!(stopped["status"], "stopped");
    let left = talk.provider.call(&prompt, |call| call.closed.is_some());
    let left = left.await;
    let rest = events.rest().await;
    let end = json!({ "status": "stopped", "reason": "stopped" });
    assert_eq!(rest.last().unwrap().json(), end);
    let said = text(&chat.message_of(&stopped).await);
    assert_eq!(said, text_of(&rest));
    if !said.is_empty() {
        assert_eq!(said_by(&said).unwrap().0, left.number);
    }
    left.closed.unwrap() - asked
}
