//! A database that is away for a minute.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::load::{BOUND, Everywhere, Nodes, Tries, follow, lost, until, write};
use super::postgres::Postgres;
use crate::client::send;
use crate::talk::id;

const NODES: usize = 3;
const AWAY: Duration = Duration::from_mins(1);
/// Replies whose models write all the time, and those whose models come to their end meanwhile.
const LONG: usize = 8;
const SHORT: usize = 4;
/// People who ask the nodes for other things.
const VISITORS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_for_a_minute_costs_no_reply_and_makes_no_request_hang() {
    let mut postgres = Postgres::start();
    let database = postgres.fresh();
    let nodes = Nodes::start((0..NODES).map(|_| (&*database, String::new())));
    let mut watchers = JoinSet::new();
    for number in 0..LONG + SHORT {
        // The first ones are written for longer than the database is away.
        let tokens = if number < LONG { 126 } else { 40 };
        let prompt = format!("tokens={tokens} every_ms=500 {number}");
        let chat = nodes.chat().await;
        let begun = chat.at(number).begin(json!({ "prompt": prompt })).await;
        nodes.provider.call(&prompt, |call| call.tokens > 0).await;
        watchers.spawn(follow(chat, prompt, id(&begun), number + 1));
    }
    let (stop, enough) = watch::channel(false);
    let mut writers = JoinSet::new();
    for _ in 0..4 {
        writers.spawn(write(nodes.chat().await, enough.clone()));
    }
    let chat = nodes.chat().await;
    // So that something is acknowledged before.
    tokio::time::sleep(Duration::from_secs(1)).await;
    postgres.stop();
    let back = Instant::now() + AWAY;
    let mut visitors = JoinSet::new();
    for number in 0..VISITORS {
        visitors.spawn(visit(chat.clone(), number, back - BOUND));
    }
    let mut visits = Tries::default();
    for one in visitors.join_all().await {
        visits.add(&one);
    }
    // How long it is away is the test's input.
    tokio::time::sleep_until(back).await;
    postgres.start_again();
    for client in &nodes.clients {
        let ready = async || client.get("/readyz").await.status == 200;
        until("each node is ready again", ready).await;
    }
    stop.send_replace(true);
    let written = writers.join_all().await;
    let followed = watchers.join_all().await;

    let mut all = visits.clone();
    for one in &written {
        all.add(&one.tries);
    }
    let acked: usize = written.iter().map(|one| one.acked.len()).sum();
    let lost = lost(&written).await;
    let outcome = nodes.outcome(&followed).await;
    println!(
        "database_away seconds={} requests={} refused_503={} longest_ms={} acked={acked} \
         lost={lost} replies={} done={} attempts={} calls={} gaps={} repeats={}",
        AWAY.as_secs(),
        all.requests,
        all.refused,
        all.longest.as_millis(),
        followed.len(),
        outcome.done,
        outcome.attempts,
        outcome.calls,
        outcome.gaps,
        outcome.repeats
    );
    assert_eq!((lost, outcome.gaps, outcome.repeats), (0, 0, 0));
    assert!(all.longest < BOUND, "{:?}", all.longest);
    assert_eq!(visits.requests, visits.refused);
    assert!(visits.requests > 50 && acked > 10, "too little happened");
    // Each goes on where it was: a minute does not cost a model's answer.
    let replies = LONG + SHORT;
    assert_eq!(
        (outcome.done, outcome.attempts, outcome.calls),
        (replies, replies, replies)
    );
    // What was refused was not done.
    assert!(chat.at(0).tree().await.is_empty());
}

/// Asks a node for this and that; it can do nothing, and says so.
async fn visit(chat: Everywhere, node: usize, until: Instant) -> Tries {
    let mut tries = Tries::default();
    let chat = chat.at(node);
    let client = &chat.client;
    loop {
        let begin = json!({ "prompt": "not now" });
        for request in [
            client.request("GET", "/readyz"),
            client.request("GET", "/api/v1/chat"),
            client.request("GET", &chat.path("/messages")),
            client.request("POST", &chat.path("/replies")).json(&begin),
            client.request("GET", "/api/v1/events"),
            client.request("GET", "/api/chat_sessions"),
        ] {
            if Instant::now() > until {
                return tries;
            }
            let answer = tries.once(request).await;
            assert!(answer.is_none(), "{answer:?} without a database");
            let health = send(client.request("GET", "/healthz")).await;
            assert_eq!(health.status, 200);
        }
    }
}
