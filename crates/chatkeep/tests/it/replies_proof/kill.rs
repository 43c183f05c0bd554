//! A server that is killed while it writes loses nothing that it has shown, and ends every reply.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::task::JoinSet;

use crate::database::is_postgres;
use crate::provider::{said, said_by};
use crate::sse::{Event, Events, text_of};
use crate::talk::{Chat, Talk, id, text};

const ROUNDS: usize = 100;
const CHATS: usize = 4;
const TOKENS: usize = 16;
/// How long it may take until all replies have ended that the last kill has left.
const DEADLINE: Duration = Duration::from_secs(15);

/// A reply, and what was seen of it before its server was killed.
struct Seen {
    chat: Chat,
    reply: String,
    events: Vec<Event>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reply_ends_and_keeps_what_was_shown_however_often_the_server_is_killed() {
    let mut random = StdRng::seed_from_u64(0x5e4d_0003);
    let mut talk = Talk::start();
    let mut chats = Vec::new();
    for _ in 0..CHATS {
        chats.push(talk.chat().await);
    }
    let mut seen = Vec::new();
    for round in 0..ROUNDS {
        let mut watchers = JoinSet::new();
        for chat in &chats {
            let prompt = format!("tokens={TOKENS} every_ms=2 {round}");
            watchers.spawn(watch(chat.by(&talk.ada), prompt));
        }
        // The moment of the kill is the test's input.
        tokio::time::sleep(Duration::from_millis(random.random_range(5..200))).await;
        talk = talk.kill_and_start_again();
        seen.extend(watchers.join_all().await.into_iter().flatten());
    }
    let deadline = Instant::now() + DEADLINE;
    let mut open = 0;
    for chat in &chats {
        let chat = chat.by(&talk.ada);
        loop {
            let left = chat.open().await.len();
            if left == 0 {
                break;
            }
            if Instant::now() > deadline {
                open += left;
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(open, 0, "replies that have not ended by the deadline");
    let [mut done, mut failed, mut again] = [0; 3];
    for one in &seen {
        let chat = one.chat.by(&talk.ada);
        let reply = chat.reply(&one.reply).await;
        let events = chat.watch(&one.reply).await.rest().await;
        assert_eq!(
            events[..one.events.len()],
            one.events,
            "what was shown is lost"
        );
        let stored = text(&chat.message_of(&reply).await);
        assert_eq!(stored, text_of(&events));
        let (call, tokens) = said_by(&stored).unwrap_or_else(|| {
            assert_eq!(stored, "", "this is not what one call says");
            (0, 0)
        });
        if reply["status"] == "done" {
            done += 1;
            assert_eq!(stored, said(call, TOKENS));
        } else {
            failed += 1;
            assert_eq!(reply["error"]["kind"], "interrupted", "{reply}");
            assert!(tokens <= TOKENS);
        }
        again += usize::from(reply["attempt"] == 2);
    }
    println!(
        "kill9_replies rounds={ROUNDS} replies={} done={done} failed={failed} \
         second_attempts={again} open_after_deadline={open}",
        seen.len()
    );
    assert_eq!(open, 0);
    // In PostgreSQL a lease outlives its server, and a chat is busy for as long.
    let enough = if is_postgres() { 2 } else { ROUNDS / 4 };
    assert!(done > enough && again > enough, "too little happened");
}

/// Begins a reply, unless the chat is busy, and watches it for as long as the server lives.
async fn watch(chat: Chat, prompt: String) -> Option<Seen> {
    let request = chat.client.request("POST", &chat.path("/replies"));
    let body = json!({ "prompt": prompt, "stream": true, "whenBusy": "reject" });
    let response = request.json(&body).send().await.ok()?;
    if response.status() == 409 {
        return None;
    }
    assert_eq!(response.status(), 200);
    let mut stream = Events::of(response);
    let mut events = Vec::new();
    while let Ok(Some(event)) = stream.try_next().await {
        events.push(event);
    }
    let reply = id(&events.first()?.json()["reply"]);
    Some(Seen {
        chat,
        reply,
        events,
    })
}
