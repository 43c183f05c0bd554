//! A database that is restarted under load, and breaks off all that is under way each time.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::load::{Nodes, Tries, ask_and_follow, lost, write};
use super::postgres::Postgres;

const NODES: usize = 3;
const RESTARTS: usize = 3;
const WRITERS: usize = 6;
/// Replies that are written all the time.
const LONG: usize = 20;
/// People who ask again and again.
const TALKERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_restarted_under_load_loses_nothing_that_was_acknowledged() {
    let mut postgres = Postgres::start();
    let database = postgres.fresh();
    let nodes = Nodes::start((0..NODES).map(|_| (&*database, String::new())));
    let (stop, enough) = watch::channel(false);
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(nodes.chat().await, enough.clone()));
    }
    let mut watchers = JoinSet::new();
    for number in 0..LONG {
        let prompt = format!("tokens=140 every_ms=100 long-{number}");
        watchers.spawn(ask_and_follow(nodes.chat().await, prompt, number));
    }
    let mut talkers = JoinSet::new();
    for number in 0..TALKERS {
        let (chat, enough) = (nodes.chat().await, enough.clone());
        talkers.spawn(async move {
            let mut replies = Vec::new();
            while !*enough.borrow() {
                let prompt = format!("tokens=5 every_ms=10 {number}-{}", replies.len());
                replies.push(ask_and_follow(chat.clone(), prompt, replies.len()).await);
            }
            replies
        });
    }
    for _ in 0..RESTARTS {
        // How long it runs, and how long it is gone, is the test's input.
        tokio::time::sleep(Duration::from_secs(3)).await;
        postgres.stop();
        tokio::time::sleep(Duration::from_millis(500)).await;
        postgres.start_again();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.send_replace(true);
    let written = writers.join_all().await;
    let mut replies = watchers.join_all().await;
    replies.extend(talkers.join_all().await.into_iter().flatten());
    let (followed, tries): (Vec<_>, Vec<_>) = replies.into_iter().unzip();

    let acked = followed.len() + written.iter().map(|one| one.acked.len()).sum::<usize>();
    let mut all = Tries::default();
    for tries in tries.iter().chain(written.iter().map(|one| &one.tries)) {
        all.add(tries);
    }
    let lost = lost(&written).await;
    let outcome = nodes.outcome(&followed).await;
    let breaks: usize = followed.iter().map(|one| one.breaks).sum();
    println!(
        "database_restart restarts={RESTARTS} acked={acked} lost={lost} refused_503={} \
         longest_ms={} replies={} done={} failed={} attempts={} gaps={} repeats={} breaks={breaks}",
        all.refused,
        all.longest.as_millis(),
        followed.len(),
        outcome.done,
        outcome.failed,
        outcome.attempts,
        outcome.gaps,
        outcome.repeats
    );
    assert_eq!((lost, outcome.gaps, outcome.repeats), (0, 0, 0));
    assert_eq!(outcome.done + outcome.failed, followed.len());
    // What was being written goes on; only a claim can break off with nobody knowing of it.
    assert!(outcome.failed <= RESTARTS * TALKERS);
    assert!(
        acked > 100 && followed.len() > LONG + TALKERS,
        "too little happened"
    );
}
