//! A server that was frozen past its lease writes nothing more of what it was writing.

use std::time::Duration;

use serde_json::json;

use crate::provider::{said, said_by};
use crate::sse::text_of;
use crate::talk::{Talk, text};

const REPLIES: usize = 3;
/// Longer than the lease.
const FROZEN: Duration = Duration::from_millis(11_500);

#[tokio::test]
async fn what_a_frozen_server_was_writing_is_not_mixed_into_the_next_attempt() {
    let talk = Talk::start();
    let mut replies = Vec::new();
    for number in 0..REPLIES {
        let prompt = format!("tokens=40 every_ms=10 stall_after=20 {number}");
        let chat = talk.chat().await;
        let mut events = chat.stream(json!({ "prompt": prompt })).await;
        let mut seen = Vec::new();
        while text_of(&seen) != said(number, 20) {
            seen.push(events.next().await.unwrap());
        }
        replies.push((chat, prompt, events, seen));
    }
    talk.server.signal("STOP");
    // The rest of each answer, with its end, waits in the server's sockets meanwhile.
    talk.provider.release();
    // How long it is frozen is the test's input.
    tokio::time::sleep(FROZEN).await;
    assert!(talk.provider.calls().iter().all(|call| call.done));
    talk.server.signal("CONT");
    let mut zombies = 0;
    for (chat, prompt, mut events, mut seen) in replies {
        // What comes first after the thaw is that the first attempt is void.
        let before = seen.len();
        for expected in ["reset", "started"] {
            seen.push(events.next().await.unwrap());
            assert_eq!(seen.last().unwrap().kind, expected, "{seen:?}");
            assert_eq!(seen.last().unwrap().json()["attempt"], 2);
        }
        let again = |call: &crate::provider::Call| call.number >= REPLIES && call.tokens >= 20;
        let call = talk.provider.call(&prompt, again).await.number;
        talk.provider.release();
        seen.extend(events.rest().await);
        zombies += seen[before..]
            .iter()
            .filter(|event| event.kind == "delta")
            .map(|event| event.json()["text"].as_str().unwrap().to_owned())
            .filter(|delta| said_by_call(delta) != Some(call))
            .count();
        assert_eq!(text_of(&seen), said(call, 40));
        let reply = chat.reply(&crate::talk::id(&seen[0].json()["reply"])).await;
        assert_eq!(reply["status"], "done");
        let stored = text(&chat.message_of(&reply).await);
        assert_eq!(said_by(&stored), Some((call, 40)));
        assert_eq!(
            chat.watch(&crate::talk::id(&reply)).await.rest().await,
            seen
        );
    }
    println!("frozen replies={REPLIES} zombie_writes={zombies}");
    assert_eq!(zombies, 0);
    assert_eq!(talk.provider.calls().len(), 2 * REPLIES);
}

/// The call that a delta is from, if it is from one alone.
fn said_by_call(delta: &str) -> Option<usize> {
    let call = |token: &str| token.strip_prefix('c')?.split_once('.')?.0.parse().ok();
    let calls: Vec<Option<usize>> = delta.split_whitespace().map(call).collect();
    calls
        .iter()
        .all(|call| *call == calls[0])
        .then_some(calls[0])?
}

#[tokio::test]
async fn a_reply_whose_model_is_silent_for_longer_than_the_lease_stays_with_its_writer() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let prompt = "tokens=4 stall_after=2";
    let reply = chat.ask(prompt).await;
    talk.provider.call(prompt, |call| call.tokens == 2).await;
    // How long the model is silent is the test's input.
    tokio::time::sleep(FROZEN).await;
    talk.provider.release();
    let reply = chat.ended(&reply).await;
    assert_eq!(
        (&reply["status"], &reply["attempt"]),
        (&json!("done"), &json!(1))
    );
    assert_eq!(text(&chat.message_of(&reply).await), said(0, 4));
    assert_eq!(talk.provider.calls().len(), 1);
}
