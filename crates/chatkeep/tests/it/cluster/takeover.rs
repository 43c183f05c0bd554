//! What a dead or a frozen node was writing, another one writes; and the frozen one, when it wakes up,
//! writes nothing any more.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Cluster, middle_and_most, until};
use crate::client::Client;
use crate::database::psql;
use crate::provider::{Provider, said};
use crate::sse::{Event, Events, text_of};
use crate::talk::{Chat, text};

const REPLIES: usize = 60;
const TOKENS: usize = 40;
const STALLED: usize = 20;
/// Four leases.
const FROZEN: Duration = Duration::from_secs(40);

/// A reply that somebody watches.
#[derive(Clone)]
struct Watched {
    chat: Chat,
    prompt: String,
    reply: String,
    /// The nodes that it is begun on and watched at.
    nodes: [usize; 2],
    seen: Arc<Mutex<Vec<Event>>>,
    /// When a second attempt was seen to begin.
    reset: Arc<Mutex<Option<Instant>>>,
}

impl Watched {
    async fn begin(cluster: &Cluster, prompt: String, nodes: [usize; 2]) -> Self {
        let chat = Chat::new(&cluster.ada(nodes[0])).await;
        let reply = chat.ask(&prompt).await;
        Self {
            chat,
            prompt,
            reply,
            nodes,
            seen: Arc::default(),
            reset: Arc::default(),
        }
    }

    /// Reads the stream up to its end; when it breaks off, from the next of these.
    async fn watch(self, ways: Vec<Client>) {
        for way in ways.iter().cycle() {
            let mut request = way.request("GET", &self.chat.events(&self.reply));
            if let Some(last) = self.seen.lock().unwrap().last() {
                request = request.header("Last-Event-ID", &last.id);
            }
            let Ok(mut events) = Events::try_open(request).await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            while let Ok(Some(event)) = events.try_next().await {
                if event.kind == "reset" {
                    *self.reset.lock().unwrap() = Some(Instant::now());
                }
                let is_end = event.kind == "finished";
                self.seen.lock().unwrap().push(event);
                if is_end {
                    return;
                }
            }
        }
    }

    fn has_seen(&self, tokens: usize) -> bool {
        let said = text_of(&self.seen.lock().unwrap());
        said.split_terminator(' ').count() == tokens
    }
}

/// Tokens of a text that another call has said than the last one with this prompt.
fn foreign(provider: &Provider, prompt: &str, text: &str) -> usize {
    let last = provider.calls_for(prompt).last().unwrap().number;
    let own = format!("c{last}.");
    let tokens = text.split_terminator(' ');
    tokens.filter(|token| !token.starts_with(&own)).count()
}

/// How much of a reply, as these read it, was written by somebody who no longer had it.
async fn zombie_writes(provider: &Provider, prompt: &str, reply: &str, by: &[Chat]) -> usize {
    let mut found = 0;
    for chat in by {
        let events = chat.watch(reply).await.rest().await;
        let message = text(&chat.message_of(&chat.reply(reply).await).await);
        for text in [text_of(&events), message] {
            found = found.max(foreign(provider, prompt, &text));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_and_a_frozen_node_were_writing_is_written_by_another_one() {
    let mut cluster = Cluster::start(3);
    let (dead, frozen, alive) = (0, 1, 2);
    let (mut replies, mut watchers) = (Vec::new(), JoinSet::new());
    for number in 0..REPLIES {
        let writer = number % 3;
        let watcher = (writer + 1 + number / 6 % 2) % 3;
        // Half of those that are written once more are at their end when the frozen node wakes up,
        // half are in the middle.
        let stalls = 1 + number % 2;
        let prompt =
            format!("tokens={TOKENS} every_ms=5 stall_after={STALLED} stalls={stalls} {number}");
        let one = Watched::begin(&cluster, prompt, [writer, watcher]).await;
        // Whose node is dead goes to one that is not.
        let ways = vec![cluster.ada(watcher), cluster.ada(alive)];
        watchers.spawn(one.clone().watch(ways));
        replies.push(one);
    }
    until("all stall", async || {
        replies.iter().all(|one| one.has_seen(STALLED))
    })
    .await;

    let cut = Instant::now();
    cluster.nodes[frozen].signal("STOP");
    cluster.kill(dead);
    let [woken, alive] = [&cluster.nodes[0], &cluster.nodes[1]].map(|node| {
        let token = cluster.ada.token.as_deref().unwrap();
        node.stranger().with_token(token)
    });
    // The rest of each answer, with its end, waits in the frozen node's sockets meanwhile.
    cluster.provider.release();
    // How long it is frozen is the test's input.
    tokio::time::sleep_until((cut + FROZEN).into()).await;
    let left = |one: &&Watched| cluster.provider.calls_for(&one.prompt).len() == 2;
    let halfway = replies.iter().filter(left).filter(|one| {
        let calls = cluster.provider.calls_for(&one.prompt);
        one.nodes[0] == frozen && calls[0].done && !calls[1].done
    });
    let halfway = halfway.count();
    cluster.nodes[0].signal("CONT");
    until("the woken node has given up", async || {
        let page = woken.get("/metrics").await.text;
        page.contains("chatkeep_replies_running 0\n")
    })
    .await;
    cluster.provider.release();
    watchers.join_all().await;

    let [mut done, mut takeovers, mut zombies, mut gaps, mut repeats] = [0; 5];
    let mut times = Vec::new();
    for one in &replies {
        let by = [one.chat.by(&woken), one.chat.by(&alive)];
        let reply = by[1].reply(&one.reply).await;
        let seen = one.seen.lock().unwrap().clone();
        for (event, place) in seen.iter().zip(0..) {
            gaps += usize::from(event.number() > place);
            repeats += usize::from(event.number() < place);
        }
        done += usize::from(reply["status"] == "done");
        zombies += zombie_writes(&cluster.provider, &one.prompt, &one.reply, &by).await;
        for chat in &by {
            assert_eq!(chat.watch(&one.reply).await.rest().await, seen);
        }
        let calls = cluster.provider.calls_for(&one.prompt);
        assert_eq!(reply["attempt"], calls.len(), "{reply}");
        assert_eq!(text_of(&seen), said(calls.last().unwrap().number, TOKENS));
        assert_eq!(text_of(&seen), text(&by[0].message_of(&reply).await));
        takeovers += calls.len() - 1;
        let reset = *one.reset.lock().unwrap();
        assert_eq!(reset.is_some(), calls.len() == 2);
        if one.nodes[1] != frozen {
            times.extend(reset.map(|reset| reset - cut));
        }
    }
    let (middle, most) = middle_and_most(times);
    println!(
        "takeover replies={REPLIES} done={done} takeovers={takeovers} \
         zombie_writes_accepted={zombies} repeats={repeats} gaps={gaps} \
         takeover_p50_ms={middle:.0} max={most:.0} woken_in_the_middle={halfway}"
    );
    assert_eq!((done, zombies, repeats, gaps), (REPLIES, 0, 0, 0));
    assert!(
        takeovers > REPLIES / 2 && halfway > 5,
        "too little happened"
    );
}

/// The control: what the proof above counts is there to be counted once nothing fences.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_fence_a_frozen_node_would_write_on() {
    let cluster = Cluster::start(2);
    let mut replies = Vec::new();
    for number in 0..4 {
        let prompt = format!("tokens={TOKENS} stall_after={STALLED} {number}");
        replies.push(Watched::begin(&cluster, prompt, [0, 1]).await);
    }
    let stalled = async |calls: usize| {
        until("all stall", async || {
            replies.iter().all(|one| {
                let calls_for = cluster.provider.calls_for(&one.prompt);
                calls_for.len() == calls && calls_for[calls - 1].tokens == STALLED
            })
        })
        .await;
    };
    stalled(1).await;
    cluster.nodes[0].signal("STOP");
    cluster.provider.release();
    stalled(2).await;
    // As if no claim had come after the frozen node's: neither its number nor what it wrote is there.
    psql(
        &cluster.database,
        "UPDATE reply SET attempt = 1; DELETE FROM reply_event AS event USING reply_event AS begun
         WHERE begun.kind = 'reset' AND event.owner = begun.owner AND event.session = begun.session
           AND event.message = begun.message AND event.number >= begun.number",
    );
    cluster.nodes[0].signal("CONT");
    let (mut zombies, other) = (0, cluster.ada(1));
    for one in &replies {
        let chat = one.chat.by(&other);
        chat.ended(&one.reply).await;
        zombies += zombie_writes(&cluster.provider, &one.prompt, &one.reply, &[chat]).await;
    }
    println!("takeover_without_fence replies=4 zombie_writes_accepted={zombies}");
    assert!(zombies > 0, "the check sees nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_has_lost_its_reply_leaves_its_provider_at_once() {
    let cluster = Cluster::start(2);
    let prompt = "tokens=100000 every_ms=20";
    let one = Watched::begin(&cluster, prompt.into(), [0, 1]).await;
    let first = cluster.provider.call(prompt, |call| call.tokens > 5).await;
    cluster.nodes[0].signal("STOP");
    let chat = one.chat.by(&cluster.ada(1));
    chat.watch(&one.reply).await.next_of("reset").await;
    let woken = Instant::now();
    cluster.nodes[0].signal("CONT");
    let left = |call: &crate::provider::Call| call.number == first.number && call.closed.is_some();
    let left = tokio::time::timeout(FROZEN, cluster.provider.call(prompt, left)).await;
    let left = left.expect("it goes on");
    let time = left.closed.unwrap() - woken;
    println!("fenced upstream_closed_ms={}", time.as_millis());
    // It finds out with what it writes next, and a model that writes is not waited for.
    assert!(time < Duration::from_secs(2), "{time:?}");
    let stopped = chat.stop(&one.reply).await;
    assert_eq!(
        (&stopped["status"], &stopped["attempt"]),
        (&"stopped".into(), &2.into())
    );
}
