//! A database that is killed, and another one that follows it and takes its place.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::load::{Nodes, Tries, ask_and_follow, gap, lost, write};
use super::postgres::Postgres;
use crate::database::psql;

const NODES: usize = 3;
const WRITERS: usize = 6;
const REPLIES: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_follow_to_the_database_that_takes_the_place_of_a_dead_one() {
    let mut primary = Postgres::start();
    let standby = primary.standby().await;
    primary.fresh();
    let both = format!("{},{}", primary.place(), standby.place());
    let both = format!("postgres://chatkeep@{both}/chatkeep?target_session_attrs=read-write");
    let nodes = Nodes::start((0..NODES).map(|_| (&*both, String::new())));
    let (stop, enough) = watch::channel(false);
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(nodes.chat().await, enough.clone()));
    }
    let mut watchers = JoinSet::new();
    for number in 0..REPLIES {
        let prompt = format!("tokens=100 every_ms=100 {number}");
        watchers.spawn(ask_and_follow(nodes.chat().await, prompt, number));
    }
    // How long it lives is the test's input.
    tokio::time::sleep(Duration::from_secs(3)).await;
    primary.kill();
    let killed = Instant::now();
    // Somebody, or something, has to decide that it does not come back.
    tokio::time::sleep(Duration::from_secs(2)).await;
    standby.promote();
    let promoted = Instant::now();
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.send_replace(true);
    let written = writers.join_all().await;
    let (followed, tries): (Vec<_>, Vec<_>) = watchers.join_all().await.into_iter().unzip();

    let mut all = Tries::default();
    for tries in tries.iter().chain(written.iter().map(|one| &one.tries)) {
        all.add(tries);
    }
    let times = || written.iter().flat_map(|one| &one.acked).map(|(_, at)| *at);
    let [before, after] = [
        times().filter(|at| *at < killed).count(),
        times().filter(|at| *at > promoted).count(),
    ];
    let gap = gap(&written);
    // There is no other database that this could come from.
    let lost = lost(&written).await;
    let outcome = nodes.outcome(&followed).await;
    println!(
        "failover acked={} lost={lost} gap_s={:.1} refused_503={} longest_ms={} replies={} done={} \
         attempts={} gaps={} repeats={}",
        before + after,
        gap.as_secs_f64(),
        all.refused,
        all.longest.as_millis(),
        followed.len(),
        outcome.done,
        outcome.attempts,
        outcome.gaps,
        outcome.repeats
    );
    assert_eq!((lost, outcome.gaps, outcome.repeats), (0, 0, 0));
    assert_eq!(outcome.done, REPLIES);
    assert!(before > 10 && after > 10, "too little happened");
    assert_eq!(
        psql(&standby.url("chatkeep"), "SELECT pg_is_in_recovery()"),
        "f"
    );
}
