//! A send with a key is one message and one reply, whichever nodes it is tried at.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Cluster;
use crate::proxy::Proxy;
use crate::replies_proof::once::Storm;

const KILLS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_with_a_key_happens_once_however_many_nodes_it_is_tried_at() {
    let seed = 0x5e4d_0401;
    let mut random = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::start(3);
    let proxies: Vec<_> = cluster.nodes.iter().map(Proxy::to).collect();
    let ways: Vec<_> = proxies
        .iter()
        .map(|proxy| cluster.ada.through(&proxy.base()))
        .collect();
    let storm = Storm::begin(&cluster.ada, &ways, seed).await;
    for _ in 0..KILLS {
        // The moment of the kill is the test's input.
        tokio::time::sleep(Duration::from_millis(random.random_range(150..900))).await;
        let node = random.random_range(0..3);
        cluster.kill_and_start_again(node);
        proxies[node].aim(&cluster.nodes[node]);
    }
    let outcome = storm.end(&cluster.ada(0), &cluster.provider).await;
    println!("exactly_once_3_nodes {outcome} kills={KILLS}");
    assert!(outcome.attempts > outcome.sends, "too little happened");
}
