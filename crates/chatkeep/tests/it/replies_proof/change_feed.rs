//! Whoever follows the changes knows what the lists tell, however often the connection breaks.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::proxy::Proxy;
use crate::sse::{Event, Events};
use crate::talk::{Chat, Talk, id};

const OPERATIONS: usize = 150;
/// The name of the last chat that is made.
const LAST: &str = "the last one";

/// What is known of an account, each thing by its identifier.
#[derive(Default, PartialEq, Debug)]
struct State {
    chats: BTreeMap<String, Value>,
    messages: BTreeMap<String, Value>,
    replies: BTreeMap<String, Value>,
}

impl State {
    fn take(&mut self, event: &Event) {
        let data = event.json();
        match event.kind.as_str() {
            "reset" => *self = Self::default(),
            "chat" => drop(self.chats.insert(id(&data), data)),
            "message" => drop(self.messages.insert(id(&data), data)),
            "reply" => drop(self.replies.insert(id(&data), data)),
            "deleted" => {
                let chat = &data["chatId"];
                self.chats.retain(|_, one| one["id"] != *chat);
                self.messages.retain(|_, one| one["chatId"] != *chat);
                self.replies.retain(|_, one| one["chatId"] != *chat);
            }
            other => panic!("{other} is no change"),
        }
    }

    /// What the server's lists tell. Of replies there is no list, so it is asked for each.
    async fn listed(client: &Client, replies: impl Iterator<Item = &Value>) -> Self {
        let mut state = Self::default();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/chat?limit=100{cursor}");
            let page = client.get(&path).await.body["data"].clone();
            for chat in page["chats"].as_array().unwrap() {
                let client = client.clone();
                let chat = Chat {
                    client,
                    id: id(chat),
                };
                let shown = chat.client.get(&chat.path("")).await;
                state.take_in_full(&chat, &shown.body["data"]).await;
            }
            let Some(next) = page["nextCursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        for reply in replies {
            let chat = Chat {
                client: client.clone(),
                id: reply["chatId"].as_str().unwrap().into(),
            };
            let found = chat.reply(&id(reply)).await;
            state.replies.insert(id(&found), found);
        }
        state
    }

    async fn take_in_full(&mut self, chat: &Chat, shown: &Value) {
        self.chats.insert(chat.id.clone(), shown.clone());
        for message in chat.tree().await {
            self.messages.insert(id(&message), message);
        }
    }

    fn differences(&self, other: &Self) -> Vec<String> {
        let maps = [
            (&self.chats, &other.chats),
            (&self.messages, &other.messages),
            (&self.replies, &other.replies),
        ];
        let mut differences = Vec::new();
        for (mine, others) in maps {
            let ids = mine.keys().chain(others.keys());
            let differing = ids.filter(|id| mine.get(*id) != others.get(*id));
            differences.extend(differing.map(|id| {
                format!(
                    "{id}: followed {:?}, listed {:?}",
                    mine.get(id),
                    others.get(id)
                )
            }));
        }
        differences
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_cut_off_again_and_again_knows_what_the_lists_tell() {
    let talk = Talk::start();
    let bob = talk.server.user("bob@example.com");
    let mut others = Events::open(bob.request("GET", "/api/v1/events")).await;
    others.next_of("reset").await;
    let proxy = Proxy::to(&talk.server);
    let follower = talk.ada.through(&proxy.base());
    let figures = prove(0x5e4d_0005, follower, [&talk.ada, &talk.ada]).await;
    let own = Chat::new(&bob).await;
    assert_eq!(id(&others.next().await.unwrap().json()), own.id);
    println!("change_feed {figures} others=0");
}

/// Lets two clients do this and that while another one follows, whose way breaks; proves that it
/// knows in the end what the lists tell, and gives the figures.
pub(crate) async fn prove(seed: u64, follower: Client, writers: [&Client; 2]) -> String {
    let follower = tokio::spawn(follow(follower, StdRng::seed_from_u64(seed)));
    let mut clients = JoinSet::new();
    for (client, number) in writers.into_iter().zip(1..) {
        let random = StdRng::seed_from_u64(seed ^ number);
        clients.spawn(operate(client.clone(), random));
    }
    let [writer, _] = writers;
    for chat in clients.join_all().await.concat() {
        // Those that were deleted have none.
        let path = chat.path("/replies");
        loop {
            let open = writer.get(&path).await;
            if open.status == 404 || open.body["data"]["replies"] == json!([]) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let last = Chat::new(writer).await;
    last.change(json!({ "name": LAST })).await;
    let (state, changes, reconnects) = follower.await.unwrap();
    let listed = State::listed(writer, state.replies.values()).await;
    let differences = state.differences(&listed);
    assert_eq!(differences, Vec::<String>::new());
    // Every answer that is kept is one of the replies that it was told of.
    let answers = state
        .messages
        .values()
        .filter(|one| !one["model"].is_null());
    assert_eq!(answers.count(), state.replies.len());
    assert!(
        reconnects > 20 && changes > OPERATIONS,
        "too little happened"
    );
    format!(
        "operations={} changes={changes} reconnects={reconnects} chats={} messages={} replies={} \
         differences={}",
        2 * OPERATIONS,
        state.chats.len(),
        state.messages.len(),
        state.replies.len(),
        differences.len()
    )
}

/// Follows the changes up to the last one; gives what it knows then, and how it came to it.
async fn follow(client: Client, mut random: StdRng) -> (State, usize, usize) {
    let (mut state, mut cursor, mut changes) = (State::default(), None::<i64>, 0);
    for reconnects in 0.. {
        let mut request = client.request("GET", "/api/v1/events");
        request = request.header("X-Cut", random.random_range(300..6_000));
        if let Some(cursor) = cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        let Ok(mut events) = Events::try_open(request).await else {
            continue;
        };
        while let Ok(Some(event)) = events.try_next().await {
            let number = event.number();
            assert!(
                cursor.is_none_or(|cursor| cursor < number),
                "{number} came twice"
            );
            assert_eq!(cursor.is_none(), event.kind == "reset");
            cursor = Some(number);
            state.take(&event);
            changes += 1;
            if event.kind == "chat" && event.json()["chatName"] == LAST {
                return (state, changes, reconnects);
            }
        }
    }
    unreachable!("it goes on until the last change has come");
}

/// Does this and that; gives the chats that it has made.
async fn operate(client: Client, mut random: StdRng) -> Vec<Chat> {
    let mut all = vec![Chat::new(&client).await];
    let mut chats = all.clone();
    let mut replies = Vec::new();
    for number in 0..OPERATIONS {
        let chat = chats.choose(&mut random).cloned();
        match (random.random_range(0..20), chat) {
            (0..3, _) | (_, None) => {
                let chat = Chat::new(&client).await;
                all.push(chat.clone());
                chats.push(chat);
            }
            (3..6, Some(chat)) => {
                let name = format!("name {number}");
                chat.change(json!({ "name": name })).await;
            }
            (6, Some(chat)) => {
                let deleted = client.delete(&chat.path("")).await;
                assert_eq!(deleted.status, 200);
                chats.retain(|one| one.id != chat.id);
                replies.retain(|(of, _): &(Chat, String)| of.id != chat.id);
            }
            (7..10, Some(chat)) => {
                let body = json!({ "role": "user", "content": format!("message {number}") });
                let appended = client.post(&chat.path("/messages"), body).await;
                assert_eq!(appended.status, 201, "{appended:?}");
            }
            (10..16, Some(chat)) => {
                let modes = ["queue", "reject", "interrupt"];
                let prompt = format!("tokens=10 every_ms=10 {number}");
                let mode = modes.choose(&mut random);
                let answer = chat.try_begin(json!({ "prompt": prompt, "whenBusy": mode }));
                let answer = answer.await;
                match answer.status {
                    202 => replies.push((chat, id(&answer.body["data"]))),
                    status => assert_eq!(status, 409, "{answer:?}"),
                }
            }
            (_, Some(_)) => {
                if let Some((chat, reply)) = replies.pop() {
                    chat.stop(&reply).await;
                }
            }
        }
    }
    all
}
