//! A bus that is down for a while: news come late, and none is missed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::line::Line;
use super::load::{Followed, Nodes, follow, metric, until};
use super::postgres::free_port;
use crate::database::{fresh, server};
use crate::talk::id;

const REPLIES: usize = 8;
const DOWN: Duration = Duration::from_secs(10);
/// A node looks once a second for what it can't hear; and some more, for a busy machine.
const LATE: Duration = Duration::from_millis(2_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_notifications_do_not_come_watchers_elsewhere_see_everything_a_little_later() {
    let database = fresh();
    let (user, rest) = database.split_once('@').unwrap();
    let (place, name) = rest.split_once('/').unwrap();
    let line = Line::to(place);
    let bus = format!("bus = \"{user}@{}/{name}\"", line.place());
    let nodes = Nodes::start([&database, &database].map(|url| (&**url, bus.clone())));
    watch_while_down("notify", &nodes, async |is_down| {
        if is_down { line.cut() } else { line.mend() }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nats_is_down_watchers_elsewhere_see_everything_a_little_later() {
    let database = fresh();
    let mut nats = Nats::start();
    let bus = format!("bus = \"nats://127.0.0.1:{}\"", nats.port);
    let nodes = Nodes::start([&database, &database].map(|url| (&**url, bus.clone())));
    watch_while_down("nats", &nodes, async |is_down| {
        if is_down {
            nats.kill();
        } else {
            nats.start_again();
        }
    })
    .await;
}

async fn watch_while_down(name: &str, nodes: &Nodes, mut set_down: impl AsyncFnMut(bool)) {
    let up = async |expected: &str| {
        let all = async || {
            let [one, two] = [0, 1].map(|at| metric(&nodes.clients[at], "chatkeep_bus_up "));
            one.await == expected && two.await == expected
        };
        until(&format!("bus_up {expected}"), all).await;
    };
    up("1").await;
    let (mut here, mut there) = (JoinSet::new(), JoinSet::new());
    for number in 0..REPLIES {
        let prompt = format!("tokens=160 every_ms=100 {number}");
        let chat = nodes.chat().await;
        let reply = id(&chat.at(0).begin(json!({ "prompt": prompt })).await);
        let watched = |node| follow(chat.only(node), prompt.clone(), reply.clone(), 0);
        here.spawn(watched(0));
        there.spawn(watched(1));
    }
    // How long it is up, and how long it is down, is the test's input.
    tokio::time::sleep(Duration::from_secs(2)).await;
    set_down(true).await;
    let down = Instant::now();
    up("0").await;
    tokio::time::sleep_until((down + DOWN).into()).await;
    set_down(false).await;
    up("1").await;
    let up_again = Instant::now();
    let (here, there) = (here.join_all().await, there.join_all().await);

    let [mut before, mut meanwhile, mut after] = [const { Vec::new() }; 3];
    for (here, there) in pairs(&here, &there) {
        assert_eq!(here.events(), there.events());
        for ((_, first), (_, second)) in here.seen.iter().zip(&there.seen) {
            let late = second.saturating_duration_since(*first);
            match *first {
                at if at < down => before.push(late),
                at if at < up_again => meanwhile.push(late),
                _ => after.push(late),
            }
        }
    }
    let outcome = nodes.outcome(&there).await;
    let [before, meanwhile, after] = [before, meanwhile, after].map(|mut late| {
        late.sort_unstable();
        (late[late.len() / 2], late[late.len() - 1])
    });
    println!(
        "bus_down bus={name} seconds={} replies={REPLIES} done={} gaps={} repeats={} \
         late_ms_max={} late_ms_p50={} before_p50={} after_p50={} up_after_ms={}",
        DOWN.as_secs(),
        outcome.done,
        outcome.gaps,
        outcome.repeats,
        meanwhile.1.as_millis(),
        meanwhile.0.as_millis(),
        before.0.as_millis(),
        after.0.as_millis(),
        (up_again - (down + DOWN)).as_millis()
    );
    assert_eq!((outcome.gaps, outcome.repeats), (0, 0));
    assert_eq!((outcome.done, outcome.attempts), (REPLIES, REPLIES));
    assert!(meanwhile.1 < LATE, "{:?}", meanwhile.1);
    // Else it was not the bus that told.
    assert!(before.0 < meanwhile.0 && after.0 < meanwhile.0);
    assert!(there.iter().all(|one| one.breaks == 0));
}

fn pairs<'a>(
    here: &'a [Followed],
    there: &'a [Followed],
) -> impl Iterator<Item = (&'a Followed, &'a Followed)> {
    here.iter().map(|one| {
        let other = there.iter().find(|other| other.reply == one.reply);
        (one, other.unwrap())
    })
}

/// A NATS server of a test's own; killed when it is dropped.
struct Nats {
    port: u16,
    process: Child,
}

impl Nats {
    fn start() -> Self {
        // Whether it got the port shows in whether the bus comes up.
        let port = free_port();
        Self {
            port,
            process: Self::run(port),
        }
    }

    fn run(port: u16) -> Child {
        Command::new(server("CHATKEEP_TEST_NATS_SERVER"))
            .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.process = Self::run(self.port);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
