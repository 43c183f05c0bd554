//! One order for all: what is read at one node is what is read at every other, and what was written at
//! one can be read at once at every other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Cluster;
use crate::client::{Client, send};
use crate::proxy::Proxy;
use crate::replies_proof::change_feed;
use crate::talk::{Chat, id};

const CHATS: usize = 6;
const SENDERS: usize = 9;
const SENDS: usize = 20;
const PAIRS: usize = 2_000;
const WRITERS: u64 = 8;

/// The identifiers of a chat's messages, as a list told them.
type List = Vec<String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_shows_the_messages_in_one_order() {
    let cluster = Cluster::start(3);
    let mut chats = Vec::new();
    for _ in 0..CHATS {
        chats.push(Chat::new(&cluster.ada).await);
    }
    let over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for node in 0..3 {
        let chats: Vec<_> = chats
            .iter()
            .map(|chat| chat.by(&cluster.ada(node)))
            .collect();
        readers.spawn(read(chats, over.clone()));
    }
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let client = cluster.ada(sender % 3);
        let chats: Vec<_> = chats.iter().map(|chat| chat.by(&client)).collect();
        senders.spawn(append_and_ask(chats, sender));
    }
    let sent: usize = senders.join_all().await.iter().sum();
    over.store(true, Ordering::Relaxed);
    let lists = readers.join_all().await.concat();

    let mut last = BTreeMap::new();
    for chat in &chats {
        let mut lists = Vec::new();
        for node in 0..3 {
            lists.push(ids(&chat.by(&cluster.ada(node)).tree().await));
        }
        assert!(lists.iter().all(|list| *list == lists[0]), "{lists:?}");
        last.insert(chat.id.clone(), lists.remove(0));
    }
    let (mut conflicts, mut holes) = (0, 0);
    for (chat, list) in &lists {
        let last = &last[chat];
        let mut places = list.iter().map(|id| last.iter().position(|one| one == id));
        let places: Option<Vec<_>> = places.by_ref().collect();
        let places = places.expect("what was read is gone");
        conflicts += places.windows(2).filter(|two| two[0] >= two[1]).count();
        holes += places
            .iter()
            .max()
            .map_or(0, |most| most + 1 - places.len());
    }
    let messages: usize = last.values().map(Vec::len).sum();
    println!(
        "order sessions={CHATS} messages={messages} lists={} order_conflicts={conflicts} \
         holes={holes}",
        lists.len()
    );
    assert_eq!((conflicts, holes, messages), (0, 0, sent));
    assert!(lists.len() > 20 * CHATS, "too little was read");
}

fn ids(messages: &[Value]) -> List {
    messages.iter().map(id).collect()
}

/// Appends to the chats, and asks in them, in turn; gives how many messages that makes.
async fn append_and_ask(chats: Vec<Chat>, sender: usize) -> usize {
    let mut made = 0;
    for number in 0..SENDS {
        let chat = &chats[(sender + number) % CHATS];
        if number % 4 != 3 {
            let body = json!({ "role": "user", "content": format!("{sender}-{number}") });
            let appended = chat.client.post(&chat.path("/messages"), body).await;
            assert_eq!(appended.status, 201, "{appended:?}");
            made += 1;
            continue;
        }
        let prompt = format!("tokens=3 {sender}-{number}");
        let asked = chat.try_begin(json!({ "prompt": prompt })).await;
        match asked.status {
            202 => made += 2,
            // Enough of them wait already.
            status => assert_eq!(status, 409, "{asked:?}"),
        }
    }
    made
}

/// Lists the chats again and again; gives what the lists told.
async fn read(chats: Vec<Chat>, over: Arc<AtomicBool>) -> Vec<(String, List)> {
    let mut lists = Vec::new();
    while !over.load(Ordering::Relaxed) {
        for chat in &chats {
            lists.push((chat.id.clone(), ids(&chat.tree().await)));
        }
    }
    lists
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_at_one_node_is_read_at_once_at_another() {
    let cluster = Cluster::start(3);
    let nodes: Arc<[Client]> = (0..3).map(|node| cluster.ada(node)).collect();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let random = StdRng::seed_from_u64(0x5e4d_0402 ^ writer);
        writers.spawn(write_and_read(nodes.clone(), random));
    }
    let all = writers.join_all().await;
    let pairs: usize = all.iter().map(|(pairs, _)| pairs).sum();
    let stale: usize = all.iter().map(|(_, stale)| stale).sum();
    println!("read_your_writes pairs={pairs} stale={stale}");
    assert_eq!(stale, 0);
    assert!(pairs >= PAIRS, "{pairs}");
}

/// Writes at one node and reads at another; gives how often, and how often that was not there.
async fn write_and_read(nodes: Arc<[Client]>, mut random: StdRng) -> (usize, usize) {
    let (mut pairs, mut stale) = (0, 0);
    while pairs < PAIRS / WRITERS as usize {
        let mut pair = || {
            let at = random.random_range(0..3);
            (&nodes[at], &nodes[(at + random.random_range(1..3)) % 3])
        };
        let mut check = |is_there: bool| {
            pairs += 1;
            stale += usize::from(!is_there);
        };
        let (writer, reader) = pair();
        let chat = Chat::new(writer).await;
        check(reader.get(&chat.path("")).await.status == 200);

        let (writer, reader) = pair();
        chat.by(writer).change(json!({ "name": "renamed" })).await;
        let shown = reader.get(&chat.path("")).await;
        check(shown.body["data"]["chatName"] == "renamed");

        let (writer, reader) = pair();
        let body = json!({ "role": "user", "content": "hello" });
        let appended = writer.post(&chat.path("/messages"), body).await;
        assert_eq!(appended.status, 201, "{appended:?}");
        check(chat.by(reader).messages().await.len() == 1);

        let (writer, reader) = pair();
        let deleted = send(writer.request("DELETE", &chat.path(""))).await;
        assert_eq!(deleted.status, 200, "{deleted:?}");
        check(reader.get(&chat.path("")).await.status == 404);
    }
    (pairs, stale)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_at_one_node_knows_what_was_done_at_the_others() {
    let cluster = Cluster::start(3);
    let proxy = Proxy::to(&cluster.nodes[1]);
    let follower = cluster.ada.through(&proxy.base());
    let writers = [&cluster.ada(0), &cluster.ada(2)];
    let figures = change_feed::prove(0x5e4d_0403, follower, writers).await;
    println!("change_feed_3_nodes {figures}");
}
