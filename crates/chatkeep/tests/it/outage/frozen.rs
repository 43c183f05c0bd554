//! A node whose connections to the database are there, and bring nothing any more.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::line::Line;
use super::load::{BOUND, Nodes, Tries, follow, gap, lost, metric, until, write};
use crate::database::{fresh, psql};
use crate::talk::id;

const REPLIES: usize = 12;
const FROZEN: Duration = Duration::from_secs(30);
/// Longer than a lease, and finding that one is over.
const TAKEN_OVER: Duration = Duration::from_secs(16);
/// How long a transaction of somebody who says nothing any more is borne, and some more.
const BORNE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_from_the_database_holds_up_nobody_and_writes_nothing_later() {
    let database = fresh();
    let (user, rest) = database.split_once('@').unwrap();
    let (place, name) = rest.split_once('/').unwrap();
    let line = Line::to(place);
    let through = format!("{user}@{}/{name}", line.place());
    // The frozen one is the first.
    let nodes = Nodes::start([&*through, &database, &database].map(|url| (url, String::new())));
    let mut watchers = JoinSet::new();
    let mut prompts = Vec::new();
    for number in 0..REPLIES {
        let prompt = format!("tokens=40 every_ms=10 stall_after=20 {number}");
        let chat = nodes.chat().await;
        let begun = chat.at(0).begin(json!({ "prompt": prompt })).await;
        nodes.provider.call(&prompt, |call| call.tokens == 20).await;
        prompts.push(prompt.clone());
        watchers.spawn(follow(chat.without(0), prompt, id(&begun), number));
    }
    let (stop, enough) = watch::channel(false);
    let (mut here, mut elsewhere) = (JoinSet::new(), JoinSet::new());
    for _ in 0..3 {
        here.spawn(write(nodes.chat().await.only(0), enough.clone()));
        elsewhere.spawn(write(nodes.chat().await.without(0), enough.clone()));
    }
    // So that the cut finds them at work.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut held = 0;
    while held == 0 {
        line.mend();
        line.freeze_before_a_commit().await;
        held = psql(&database, HELD).parse().unwrap();
    }
    let cut = Instant::now();
    let thaw = cut + FROZEN;
    // The frozen node gets the rest of each answer, and can't keep it.
    nodes.provider.release();
    for prompt in &prompts {
        nodes.provider.call(prompt, |call| call.done).await;
    }
    let asked_again = async {
        for prompt in &prompts {
            nodes.provider.call(prompt, |call| call.tokens == 20).await;
        }
    };
    let asked_again = timeout_at(thaw.into(), asked_again).await;
    asked_again.expect("nobody takes the replies over");
    let taken_over = cut.elapsed();
    nodes.provider.release();
    let followed = watchers.join_all().await;
    let frozen = &nodes.clients[0];
    let mut visits = Tries::default();
    for path in ["/readyz", "/api/v1/chat", "/api/v1/events"] {
        let answer = visits.once(frozen.request("GET", path)).await;
        assert!(answer.is_none(), "{answer:?} without a database");
    }
    let running = metric(frozen, "chatkeep_replies_running ").await;
    let before = psql(&database, REPLIES_AS_THEY_ARE);
    // How long it is frozen is the test's input.
    tokio::time::sleep_until(thaw.into()).await;
    line.mend();
    let given_up = async || metric(frozen, "chatkeep_replies_running ").await == "0";
    until("the node gives up what others have", given_up).await;
    let ready = async || frozen.get("/readyz").await.status == 200;
    until("the node is ready again", ready).await;
    let after = psql(&database, REPLIES_AS_THEY_ARE);
    let zombies = before.lines().zip(after.lines());
    let zombies = zombies.filter(|(before, after)| before != after).count();
    stop.send_replace(true);
    let (here, elsewhere) = (here.join_all().await, elsewhere.join_all().await);

    let blocked = gap(&elsewhere);
    for one in here.iter().chain(&elsewhere) {
        visits.add(&one.tries);
    }
    let lost = lost(&here).await + lost(&elsewhere).await;
    let outcome = nodes.outcome(&followed).await;
    let events = followed.iter().flat_map(|one| &one.seen);
    let takeovers = events.filter(|(event, _)| event.kind == "reset").count();
    println!(
        "frozen_connection seconds={} replies={REPLIES} done={} takeovers={takeovers} \
         taken_over_ms={} zombie_writes_accepted={zombies} locks_held={held} blocked_ms_max={} \
         refused_503={} longest_ms={} lost={lost} gaps={} repeats={}",
        FROZEN.as_secs(),
        outcome.done,
        taken_over.as_millis(),
        blocked.as_millis(),
        visits.refused,
        visits.longest.as_millis(),
        outcome.gaps,
        outcome.repeats
    );
    assert_eq!((lost, zombies, outcome.gaps, outcome.repeats), (0, 0, 0, 0));
    assert_eq!((outcome.done, takeovers), (REPLIES, REPLIES));
    assert_eq!(outcome.attempts, outcome.calls);
    assert_eq!(before.lines().count(), REPLIES);
    // It had not given up before, so it has tried.
    assert_eq!(running, REPLIES.to_string());
    assert!(taken_over < TAKEN_OVER, "{taken_over:?}");
    assert!(blocked < BORNE, "{blocked:?}");
    assert!(visits.longest < BOUND, "{:?}", visits.longest);
}

/// How many connections hold locks of a transaction that waits for its node.
const HELD: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND state = 'idle in transaction' AND backend_xid IS NOT NULL";

/// A line for all that there is of a reply.
const REPLIES_AS_THEY_ARE: &str = "SELECT md5(reply::text || message::text ||
      (SELECT string_agg(event::text, '' ORDER BY event.number) FROM reply_event AS event
       WHERE event.owner = reply.owner AND event.session = reply.session
         AND event.message = reply.message))
    FROM reply JOIN message ON message.owner = reply.owner AND message.id = reply.message_id
    ORDER BY reply.id";
