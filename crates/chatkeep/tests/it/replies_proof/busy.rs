//! A kill between two replies of a chat, in every state of them: each ends, and their order holds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::provider::said_by;
use crate::talk::{Chat, Talk, id, text};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// The second one has just been accepted, or refused.
    Queued,
    /// The second one is being written.
    Running,
    /// The first one has just been said to its end.
    Finishing,
}

#[tokio::test]
async fn each_accepted_reply_ends_in_its_turn_whenever_the_server_is_killed() {
    let mut talk = Talk::start();
    let (mut cases, mut ended) = (0, 0);
    for mode in ["queue", "reject", "interrupt"] {
        for moment in [Moment::Queued, Moment::Running, Moment::Finishing] {
            for round in 0..2 {
                let name = format!("{mode}-{moment:?}-{round}");
                let chat = talk.chat().await;
                let accepted = begin(&talk, &chat, mode, moment, &name).await;
                talk = talk.kill_and_start_again();
                let chat = chat.by(&talk.ada);
                while !chat.open().await.is_empty() {
                    talk.provider.release();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                check(&talk, &chat, &accepted, mode, moment).await;
                cases += 1;
                ended += accepted.len();
            }
        }
    }
    println!("busy_kill cases={cases} replies={ended} open=0 out_of_order=0");
}

/// Begins two replies and waits until that moment; gives those that were accepted.
async fn begin(talk: &Talk, chat: &Chat, mode: &str, moment: Moment, name: &str) -> Vec<Value> {
    let prompt = |place: &str| format!("tokens=4 stall_after=2 {name}-{place}");
    let first = chat.begin(json!({ "prompt": prompt("first") })).await;
    let stalled = async |place| {
        let prompt = prompt(place);
        let call = talk.provider.call(&prompt, |call| call.tokens == 2);
        call.await.number
    };
    let first_call = stalled("first").await;
    let mut accepted = vec![first];
    let second = json!({ "prompt": prompt("second"), "whenBusy": mode });
    let answer = chat.try_begin(second.clone()).await;
    if mode == "reject" {
        assert_eq!(answer.status, 409);
    } else {
        assert_eq!(answer.status, 202);
        accepted.push(answer.body["data"].clone());
    }
    match moment {
        Moment::Queued => {}
        Moment::Finishing => talk.provider.release(),
        Moment::Running => {
            talk.provider.release();
            if mode == "reject" {
                chat.ended(&id(&accepted[0])).await;
                accepted.push(chat.begin(second).await);
            }
            assert!(stalled("second").await > first_call);
        }
    }
    accepted
}

async fn check(talk: &Talk, chat: &Chat, accepted: &[Value], mode: &str, moment: Moment) {
    let mut before = String::new();
    let mut last_call = None;
    for (place, one) in accepted.iter().enumerate() {
        let reply = chat.reply(&id(one)).await;
        let message = chat.message_of(&reply).await;
        let said = text(&message);
        let finished = reply["finishedAt"].as_str().unwrap().to_owned();
        assert!(before <= finished, "{mode} {moment:?}: out of order");
        before = finished;
        if place == 0 && mode == "interrupt" {
            // Its end may have come before the interruption.
            let reason = message["finishReason"].as_str().unwrap();
            assert!(["interrupted", "stop"].contains(&reason), "{message}");
            assert!(said.is_empty() || said_by(&said).is_some(), "{said}");
        } else {
            assert_eq!(reply["status"], "done", "{mode} {moment:?}: {reply}");
            let (call, tokens) = said_by(&said).unwrap();
            assert_eq!(tokens, 4);
            assert!(Some(call) > last_call, "{mode} {moment:?}: out of order");
            last_call = Some(call);
            if place == 1 {
                // It knows how the first one ended.
                let told = &talk.provider.calls()[call].body["messages"];
                let first = text(&chat.messages().await[1]);
                let known = told[1]["content"].as_str().unwrap();
                assert!(first.is_empty() || known == first, "{told}");
            }
        }
        assert!(reply["attempt"].as_u64().unwrap() <= 2);
    }
    assert_eq!(chat.tree().await.len(), 2 * accepted.len());
}
