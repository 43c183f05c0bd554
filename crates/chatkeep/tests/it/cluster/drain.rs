//! Nodes that come and go: each says so, one that is told to end hands over what it has not begun, and
//! ends what it has.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Cluster, until};
use crate::proxy::Proxy;
use crate::replies_proof::once::Storm;
use crate::server::Server;
use crate::talk::Chat;

/// The states of all nodes, as the command line shows them beside this one.
fn states(beside: &Server) -> Vec<String> {
    let listed = beside.run(&["nodes"], "");
    let states = listed.lines().map(|line| line.split(' ').nth(3).unwrap());
    states.map(Into::into).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_end_ends_its_replies_and_leaves_the_others_to_others() {
    let mut cluster = Cluster::start(3);
    let mut chats = Vec::new();
    for number in 0..6 {
        let chat = Chat::new(&cluster.ada(0)).await;
        let running = format!("tokens=4 stall_after=2 running {number}");
        let reply = chat.ask(&running).await;
        cluster
            .provider
            .call(&running, |call| call.tokens == 2)
            .await;
        let mut queued = Vec::new();
        for place in 0..2 {
            let prompt = format!("tokens=3 queued {number} {place}");
            queued.push((chat.ask(&prompt).await, prompt));
        }
        chats.push((chat.by(&cluster.ada(1)), reply, running, queued));
    }
    until("all nodes are seen", async || {
        states(&cluster.nodes[1]) == ["alive", "alive", "alive"]
    })
    .await;
    cluster.nodes[0].signal("TERM");
    until("it is seen to end", async || {
        let states = states(&cluster.nodes[1]);
        states.iter().any(|state| state == "draining")
    })
    .await;
    for (_, _, running, _) in &chats {
        // It has not been taken away from the node that ends.
        let calls = cluster.provider.calls_for(running);
        assert!(calls.len() == 1 && calls[0].closed.is_none(), "{calls:?}");
    }
    let released = Instant::now();
    cluster.provider.release();
    let mut waited = Duration::ZERO;
    for (chat, reply, running, queued) in &chats {
        let reply = chat.ended(reply).await;
        assert_eq!(
            (&reply["status"], &reply["attempt"]),
            (&json!("done"), &json!(1))
        );
        assert_eq!(cluster.provider.calls_for(running).len(), 1);
        for (reply, prompt) in queued {
            let reply = chat.ended(reply).await;
            assert_eq!(
                (&reply["status"], &reply["attempt"]),
                (&json!("done"), &json!(1))
            );
            assert_eq!(cluster.provider.calls_for(prompt).len(), 1);
        }
        waited = released.elapsed();
    }
    let (stopped, log) = cluster.nodes.remove(0).stop();
    assert!(stopped.clean, "{log}");
    assert_eq!(states(&cluster.nodes[0]), ["alive", "alive"]);
    println!(
        "drain running=6 queued=12 handed_over_ms={} attempts=18 calls={}",
        waited.as_millis(),
        cluster.provider.calls().len()
    );
    assert_eq!(cluster.provider.calls().len(), 18);
    // Well before a lease is over.
    assert!(waited < Duration::from_secs(5), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_seen_to_be_there_and_to_be_gone() {
    let mut cluster = Cluster::start(3);
    let nodes = async |cluster: &Cluster, count: usize| {
        let metric = format!("chatkeep_nodes {count}\n");
        until(&metric, async || {
            let last = cluster.nodes.last().unwrap().stranger();
            last.get("/metrics").await.text.contains(&metric)
        })
        .await;
    };
    nodes(&cluster, 3).await;
    assert_eq!(states(&cluster.nodes[0]), ["alive", "alive", "alive"]);
    cluster.kill(0);
    let killed = Instant::now();
    nodes(&cluster, 2).await;
    let noticed = killed.elapsed();
    assert_eq!(states(&cluster.nodes[0]), ["gone", "alive", "alive"]);
    // One that ends by itself is not waited for.
    let (stopped, _) = cluster.nodes.remove(0).stop();
    assert!(stopped.clean);
    assert_eq!(states(&cluster.nodes[0]), ["gone", "alive"]);
    println!("nodes alive=3 killed=1 noticed_ms={}", noticed.as_millis());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_can_be_restarted_one_after_the_other_under_load() {
    let seed = 0x5e4d_0404;
    let mut cluster = Cluster::start(3);
    let proxies: Vec<_> = cluster.nodes.iter().map(Proxy::to).collect();
    let ways: Vec<_> = proxies
        .iter()
        .map(|proxy| cluster.ada.through(&proxy.base()))
        .collect();
    let storm = Storm::begin(&cluster.ada, &ways, seed).await;
    let mut restarts = 0;
    for (node, proxy) in proxies.iter().enumerate() {
        let (stopped, log) = cluster.nodes.remove(node).stop();
        assert!(stopped.clean, "{log}");
        cluster.nodes.insert(node, stopped.start_again());
        proxy.aim(&cluster.nodes[node]);
        restarts += 1;
    }
    let outcome = storm.end(&cluster.ada(0), &cluster.provider).await;
    println!("rolling_restart {outcome} restarts={restarts}");
    // Whoever was told to end has ended what it had begun: nothing was written twice.
    assert_eq!(outcome.calls, outcome.sends);
    assert_eq!(outcome.attempts, outcome.sends);
}
