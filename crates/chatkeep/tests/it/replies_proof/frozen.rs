//! A server that was frozen past its leases goes on with what it was writing, if nobody else has begun.
//! (With other nodes, somebody has: cluster/takeover.rs.)

use std::time::Duration;

use serde_json::json;

use crate::provider::{said, said_by};
use crate::sse::text_of;
use crate::talk::{Talk, text};

const REPLIES: usize = 3;
/// Longer than the lease.
const FROZEN: Duration = Duration::from_millis(11_500);

#[tokio::test]
async fn a_server_that_was_frozen_goes_on_with_what_it_was_writing() {
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
        replies.push((chat, events, seen));
    }
    talk.server.signal("STOP");
    // The rest of each answer, with its end, waits in the server's sockets meanwhile.
    talk.provider.release();
    // How long it is frozen is the test's input.
    tokio::time::sleep(FROZEN).await;
    assert!(talk.provider.calls().iter().all(|call| call.done));
    talk.server.signal("CONT");
    for (number, (chat, mut events, mut seen)) in replies.into_iter().enumerate() {
        seen.extend(events.rest().await);
        assert_eq!(text_of(&seen), said(number, 40));
        let reply = chat.reply(&crate::talk::id(&seen[0].json()["reply"])).await;
        assert_eq!(
            (&reply["status"], &reply["attempt"]),
            (&json!("done"), &json!(1))
        );
        let stored = text(&chat.message_of(&reply).await);
        assert_eq!(said_by(&stored), Some((number, 40)));
        assert_eq!(
            chat.watch(&crate::talk::id(&reply)).await.rest().await,
            seen
        );
    }
    println!(
        "frozen replies={REPLIES} calls={}",
        talk.provider.calls().len()
    );
    assert_eq!(talk.provider.calls().len(), REPLIES);
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
