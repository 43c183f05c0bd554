//! openai-python and openai-node.

use std::collections::BTreeMap;

use serde_json::json;

use super::{chats, run};
use crate::provider::Provider;
use crate::proxy::Proxy;
use crate::sse::Events;
use crate::talk::{Chat, Talk, text};

#[tokio::test(flavor = "multi_thread")]
async fn conversations_are_had_from_python_and_node() {
    let talk = Talk::start();
    for script in [
        "openai_python/conversations.py",
        "openai_node/conversations.mjs",
    ] {
        let figures = run(&talk, &talk.server.base, script, &[]);
        assert!(figures["items"].as_u64().unwrap() > 0);
        assert!(figures["listed"].as_u64().unwrap() >= 7);
    }
    assert_eq!(talk.provider.calls().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_are_had_from_python_and_node() {
    for script in ["openai_python/responses.py", "openai_node/responses.mjs"] {
        let talk = Talk::start();
        let figures = run(&talk, &talk.server.base, script, &[]);
        assert_eq!(talk.provider.calls().len() as u64, figures["calls"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_are_had_from_python_and_node() {
    for script in [
        "openai_python/completions.py",
        "openai_node/completions.mjs",
    ] {
        let talk = Talk::start();
        let figures = run(&talk, &talk.server.base, script, &[]);
        assert_eq!(talk.provider.calls().len() as u64, figures["calls"]);
        let kept = chats(&talk.ada).await;
        assert_eq!(kept.len() as u64, figures["kept"]);
        for chat in kept {
            let id = chat["id"].as_str().unwrap().to_owned();
            let client = talk.ada.clone();
            let messages = Chat { client, id }.messages().await;
            let (answer, before) = messages.split_last().unwrap();
            let prompt = text(before.last().unwrap());
            let tokens = text(answer).split_terminator(' ').count();
            assert_eq!(prompt, format!("tokens={tokens} kept"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_of_the_right_class_in_python_and_node() {
    let talk = Talk::start();
    for script in ["openai_python/errors.py", "openai_node/errors.mjs"] {
        run(&talk, &talk.server.base, script, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_tries_again_by_itself_happens_once() {
    for script in ["openai_python/retries.py", "openai_node/retries.mjs"] {
        let talk = Talk::start();
        let proxy = Proxy::to(&talk.server);
        let figures = run(&talk, &proxy.base(), script, &[]);
        let count = |name: &str| figures[name].as_u64().unwrap() as usize;
        let calls = calls_by_prompt(&talk.provider);
        assert!(calls.values().all(|calls| *calls == 1), "{calls:?}");
        assert_eq!(calls.len(), count("turns") + count("completions"));
        // Half of the completions are kept.
        let sessions = count("conversations") + count("completions") / 2;
        assert_eq!(chats(&talk.ada).await.len(), sessions);
    }
}

fn calls_by_prompt(provider: &Provider) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for call in provider.calls() {
        *calls.entry(call.prompt).or_default() += 1;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_was_written_twice_is_read_by_the_helpers() {
    let talk = Talk::start();
    let prompt = "tokens=6 reasoning=2 calls=1 stall_after=3 stalls=1";
    let tools =
        json!([{ "type": "function", "name": "weather", "parameters": { "type": "object" } }]);
    let body = json!({ "model": "scripted", "input": prompt, "tools": tools, "background": true });
    let begun = talk.ada.post("/v1/responses", body).await;
    let id = begun.body["id"].as_str().unwrap().to_owned();
    let watched = talk
        .ada
        .request("GET", &format!("/v1/responses/{id}?stream=true"));
    let mut watched = Events::open(watched).await;
    watched.next_of("response.output_text.delta").await;
    let talk = talk.kill_and_start_again();
    let rest = talk
        .ada
        .request("GET", &format!("/v1/responses/{id}?stream=true"));
    Events::open(rest).await.next_of("response.completed").await;
    for script in ["openai_python/attempts.py", "openai_node/attempts.mjs"] {
        run(&talk, &talk.server.base, script, &[&id]);
    }
    assert_eq!(talk.provider.calls_for(prompt).len(), 2);
}
