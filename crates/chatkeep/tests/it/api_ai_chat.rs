//! The dialect of the AI SDK: `/ai/chat`.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::provider::{ARGUMENTS, Call, call_id, said};
use crate::sse::{Event, Events, events};
use crate::talk::{Chat, Talk};

/// A chat as a front end knows it: by a name that it made up.
const NAME: &str = "Xy7-made-up";

fn user(id: &str, text: &str) -> Value {
    json!({ "id": id, "role": "user", "parts": [{ "type": "text", "text": text }] })
}

/// A request that sends the last of these messages.
fn submitting(messages: &[Value]) -> Value {
    json!({ "id": NAME, "messages": messages, "trigger": "submit-message" })
}

fn post(client: &Client, body: &Value) -> RequestBuilder {
    client.request("POST", "/ai/chat").json(body)
}

/// The chunks of a stream, which must have come to its end.
fn chunks(stream: &[Event]) -> Vec<Value> {
    let (done, chunks) = stream.split_last().unwrap();
    assert_eq!(done.data, "[DONE]");
    let is_bare = |event: &Event| event.id.is_empty() && event.kind == "message";
    assert!(stream.iter().all(is_bare), "{stream:?}");
    chunks.iter().map(Event::json).collect()
}

async fn answered(client: &Client, body: &Value) -> Vec<Value> {
    let answer = send(post(client, body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-vercel-ai-ui-message-stream"), "v1");
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    chunks(&events(&answer.text))
}

/// What a front end calls the message that these chunks make.
fn name(chunks: &[Value]) -> String {
    chunks[0]["messageId"].as_str().unwrap().into()
}

fn text(chunks: &[Value]) -> String {
    let deltas = chunks.iter().filter(|chunk| chunk["type"] == "text-delta");
    deltas
        .map(|chunk| chunk["delta"].as_str().unwrap())
        .collect()
}

fn kinds(chunks: &[Value]) -> Vec<&str> {
    let kinds = chunks.iter().map(|chunk| chunk["type"].as_str().unwrap());
    let mut kinds: Vec<&str> = kinds.collect();
    kinds.dedup();
    kinds
}

/// A message that a front end has put together of such chunks; that it has is all that counts.
fn assistant(id: &str) -> Value {
    json!({ "id": id, "role": "assistant", "parts": [] })
}

async fn listed(client: &Client, query: &str) -> Vec<Value> {
    let listed = client
        .get(&format!("/ai/chat/{NAME}/messages{query}"))
        .await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.body.as_array().unwrap().clone()
}

fn texts(messages: &[Value]) -> Vec<String> {
    let text = |message: &Value| {
        let parts = message["parts"].as_array().unwrap().iter();
        let texts = parts.filter(|part| part["type"] == "text");
        texts.map(|part| part["text"].as_str().unwrap()).collect()
    };
    messages.iter().map(text).collect()
}

async fn resumed(client: &Client) -> Answer {
    client.get(&format!("/ai/chat/{NAME}/stream")).await
}

/// The chat as the v1 dialect has it.
async fn in_v1(talk: &Talk) -> Chat {
    let chats = talk.ada.get("/api/v1/chat").await;
    let id = chats.body["data"]["chats"][0]["id"]
        .as_str()
        .unwrap()
        .into();
    let client = talk.ada.clone();
    Chat { client, id }
}

#[tokio::test]
async fn a_name_makes_a_chat_and_only_the_last_message_is_taken() {
    let talk = Talk::start();
    let first = answered(&talk.ada, &submitting(&[user("1", "tokens=3 reasoning=2")])).await;
    let expected = [
        "start",
        "start-step",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "message-metadata",
        "finish",
    ];
    assert_eq!(kinds(&first), expected);
    assert_eq!(text(&first), said(0, 3));
    assert_eq!(first[0]["messageMetadata"]["model"], "scripted");

    let stale = [
        user("x", "never said"),
        assistant("nobody"),
        user("2", "tokens=1"),
    ];
    let second = answered(&talk.ada, &submitting(&stale)).await;
    let told = &talk.provider.calls()[1].body["messages"];
    let roles = told.as_array().unwrap().iter().map(|one| &one["role"]);
    assert_eq!(roles.collect::<Vec<_>>(), ["user", "assistant", "user"]);
    assert_eq!(told[0]["content"], "tokens=3 reasoning=2");

    let messages = listed(&talk.ada, "").await;
    let expected = ["tokens=3 reasoning=2", &said(0, 3), "tokens=1", &said(1, 1)];
    assert_eq!(texts(&messages), expected);
    assert_eq!(messages[1]["id"], *name(&first));
    assert_eq!(messages[3]["id"], *name(&second));
    let kinds: Vec<&Value> = messages[1]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| &part["type"])
        .collect();
    assert_eq!(kinds, ["step-start", "reasoning", "text"]);

    // The CUID of the chat is a name of it, too; and others can't see it by either.
    let chat = in_v1(&talk).await;
    let by_cuid = talk
        .ada
        .get(&format!("/ai/chat/{}/messages", chat.id))
        .await;
    assert_eq!(by_cuid.body, json!(messages));
    let bob = talk.server.user("bob@example.com");
    for id in [NAME, &chat.id] {
        let refused = bob.get(&format!("/ai/chat/{id}/messages")).await;
        assert_eq!((refused.status, &*refused.text), (404, "not found"));
    }
    let own = answered(&bob, &submitting(&[user("1", "tokens=1")])).await;
    assert_ne!(name(&own), name(&first));
    assert_eq!(listed(&talk.ada, "").await, messages);
}

#[tokio::test]
async fn an_edit_and_another_answer_are_branches() {
    let talk = Talk::start();
    let one = answered(&talk.ada, &submitting(&[user("1", "tokens=1")])).await;
    let mut known = vec![
        user("1", "tokens=1"),
        assistant(&name(&one)),
        user("2", "tokens=2"),
    ];
    let two = answered(&talk.ada, &submitting(&known)).await;

    // Another answer to the last message, of which the front end has its own name alone.
    let mut again = submitting(&known);
    again["trigger"] = json!("regenerate-message");
    again["messageId"] = json!(name(&two));
    let three = answered(&talk.ada, &again).await;
    again.as_object_mut().unwrap().remove("messageId");
    let four = answered(&talk.ada, &again).await;
    let expected = ["tokens=1".into(), said(0, 1), "tokens=2".into(), said(3, 2)];
    assert_eq!(texts(&listed(&talk.ada, "").await), expected);
    assert_ne!(name(&three), name(&four));

    // An edit of that message, and then of the first one.
    known[2] = user("2", "tokens=3");
    let mut edit = submitting(&known);
    edit["messageId"] = json!("2");
    answered(&talk.ada, &edit).await;
    let expected = ["tokens=1".into(), said(0, 1), "tokens=3".into(), said(4, 3)];
    let messages = listed(&talk.ada, "").await;
    assert_eq!(texts(&messages), expected);
    let mut edit = submitting(&[user("1", "tokens=4")]);
    edit["messageId"] = messages[0]["id"].clone();
    answered(&talk.ada, &edit).await;
    let expected = ["tokens=4".into(), said(5, 4)];
    assert_eq!(texts(&listed(&talk.ada, "").await), expected);

    // What is no longer on the path can't be followed.
    let mut edit = submitting(&known);
    edit["messageId"] = json!("2");
    let refused = send(post(&talk.ada, &edit)).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .text
            .starts_with("messages[1].id is no message of the chat's active path")
    );
    assert_eq!(in_v1(&talk).await.tree().await.len(), 10);
}

#[tokio::test]
async fn a_message_that_never_arrived_is_sent_by_asking_for_another_answer() {
    let talk = Talk::start();
    let mut again = submitting(&[user("1", "tokens=1")]);
    again["trigger"] = json!("regenerate-message");
    let one = answered(&talk.ada, &again).await;
    again["messages"] = json!([
        user("1", "tokens=1"),
        assistant(&name(&one)),
        user("2", "tokens=2")
    ]);
    answered(&talk.ada, &again).await;
    answered(&talk.ada, &again).await;
    let expected = ["tokens=1".into(), said(0, 1), "tokens=2".into(), said(2, 2)];
    assert_eq!(texts(&listed(&talk.ada, "").await), expected);
}

/// A request with a tool, whose last message is an answer that brings its output.
fn bringing(id: &str, call: &str, output: &Value) -> Value {
    let part = json!({
        "type": "tool-weather",
        "toolCallId": call,
        "state": "output-available",
        "input": {},
        "output": output,
    });
    let message =
        json!({ "id": id, "role": "assistant", "parts": [{ "type": "step-start" }, part] });
    let mut body = submitting(&[message]);
    body["messageId"] = json!(id);
    with_tool(body)
}

fn with_tool(mut body: Value) -> Value {
    body["tools"] = json!([{ "name": "weather", "parameters": { "type": "object" } }]);
    body
}

#[tokio::test]
async fn an_answer_goes_on_with_the_output_of_a_tool_and_stays_one_message() {
    let talk = Talk::start();
    let asked = with_tool(submitting(&[user("1", "tokens=1 calls=1")]));
    let first = answered(&talk.ada, &asked).await;
    let call = call_id(0, 0);
    let available = first
        .iter()
        .find(|chunk| chunk["type"] == "tool-input-available");
    let expected = json!({
        "type": "tool-input-available",
        "toolCallId": call,
        "toolName": "weather",
        "input": serde_json::from_str::<Value>(ARGUMENTS).unwrap(),
    });
    assert_eq!(available, Some(&expected));
    let deltas = first
        .iter()
        .filter_map(|chunk| chunk["inputTextDelta"].as_str());
    assert_eq!(deltas.collect::<String>(), ARGUMENTS);

    let prompt = "tokens=2 stall_after=1";
    let output = json!(prompt);
    let brought = bringing(&name(&first), &call, &output);
    let mut stream = Events::open(post(&talk.ada, &brought)).await;
    talk.provider.call(prompt, |call| call.tokens == 1).await;

    // Who has lost the answer may ask again, or resume it from the first step on.
    let mut again = Events::open(post(&talk.ada, &brought)).await;
    let mut whole = Events::open(talk.ada.request("GET", &format!("/ai/chat/{NAME}/stream"))).await;
    assert_eq!(texts(&listed(&talk.ada, "").await), ["tokens=1 calls=1"]);
    talk.provider.release();
    let second = chunks(&stream.rest().await);
    assert_eq!(chunks(&again.rest().await), second);
    assert_eq!(talk.provider.calls().len(), 2);
    assert_eq!(name(&second), name(&first));
    assert!(kinds(&second).iter().all(|kind| !kind.starts_with("tool-")));

    let whole = chunks(&whole.rest().await);
    let output_chunk =
        json!({ "type": "tool-output-available", "toolCallId": call, "output": output });
    assert!(whole.contains(&output_chunk));
    assert!(
        whole
            .iter()
            .all(|chunk| chunk["type"] != "tool-input-available")
    );
    assert_eq!(
        whole
            .iter()
            .filter(|chunk| chunk["type"] == "start")
            .count(),
        1
    );
    assert!(whole.ends_with(&second[1..]));

    let messages = listed(&talk.ada, "").await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1]["id"], *name(&first));
    let parts = messages[1]["parts"].as_array().unwrap();
    let kinds: Vec<&Value> = parts.iter().map(|part| &part["type"]).collect();
    assert_eq!(
        kinds,
        ["step-start", "text", "tool-weather", "step-start", "text"]
    );
    assert_eq!(parts[2]["state"], "output-available");
    assert_eq!(parts[2]["output"], output);

    // Another answer is one to the person, not to the tool; an edit behind it follows the last step.
    let mut edit = submitting(&[
        user("1", ""),
        assistant(&name(&first)),
        user("2", "tokens=1"),
    ]);
    edit["messageId"] = json!("2");
    answered(&talk.ada, &edit).await;
    let told = talk.provider.calls()[2].body["messages"]
        .as_array()
        .unwrap()
        .clone();
    let roles: Vec<&Value> = told.iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user"]);
    let mut again = submitting(&[user("1", "")]);
    again["trigger"] = json!("regenerate-message");
    again["messageId"] = json!(name(&first));
    answered(&talk.ada, &again).await;
    assert_eq!(
        talk.provider.calls()[3].body["messages"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn outputs_that_belong_to_nothing_are_refused() {
    let talk = Talk::start();
    let refused = send(post(&talk.ada, &bringing("a", "b", &json!(1)))).await;
    assert_eq!((refused.status, &*refused.text), (404, "not found"));
    let asked = with_tool(submitting(&[user("1", "tokens=1 calls=1")]));
    let first = name(&answered(&talk.ada, &asked).await);
    let place = "messages[0]";
    let cases = [
        (
            bringing("a", "b", &json!(1)),
            format!(
                "{place}.id is not the last message of the chat, which may have changed since it was read"
            ),
        ),
        (
            bringing(&first, "b", &json!(1)),
            format!("{place}.parts[1].toolCallId is no call of the chat's last message"),
        ),
        (
            submitting(&[assistant(&first)]),
            format!("{place}.parts have no output of a tool in their last step"),
        ),
    ];
    for (body, expected) in cases {
        let refused = send(post(&talk.ada, &body)).await;
        assert_eq!((refused.status, refused.text), (400, expected));
    }
}

#[tokio::test]
async fn a_stream_that_was_cut_resumes_from_its_first_chunk() {
    let talk = Talk::start();
    let nothing = resumed(&talk.ada).await;
    assert_eq!(
        (nothing.status, &*nothing.text),
        (204, ""),
        "a chat that was only made up"
    );

    let prompt = "tokens=4 reasoning=2 stall_after=3";
    let mut uncut = Events::open(post(&talk.ada, &submitting(&[user("1", prompt)]))).await;
    talk.provider.call(prompt, |call| call.tokens == 3).await;
    let path = format!("/ai/chat/{NAME}/stream");
    drop(Events::open(talk.ada.request("GET", &path)).await);
    let mut again = Events::open(talk.ada.request("GET", &path)).await;
    assert_eq!(texts(&listed(&talk.ada, "").await), [prompt]);
    let bob = talk.server.user("bob@example.com");
    let chat = in_v1(&talk).await;
    for id in [NAME, &chat.id] {
        let nothing = bob.get(&format!("/ai/chat/{id}/stream")).await;
        assert_eq!((nothing.status, &*nothing.text), (204, ""));
    }
    talk.provider.release();
    let uncut = uncut.rest().await;
    assert_eq!(again.rest().await, uncut);
    assert_eq!(text(&chunks(&uncut)), said(0, 4));
    assert_eq!(resumed(&talk.ada).await.status, 204);
    assert_eq!(talk.provider.calls().len(), 1);
}

#[tokio::test]
async fn after_a_crash_the_stream_breaks_and_resumes_with_the_new_attempt_alone() {
    let talk = Talk::start();
    let prompt = "tokens=4 stall_after=2";
    let mut cut = Events::open(post(&talk.ada, &submitting(&[user("1", prompt)]))).await;
    let mut seen = Vec::new();
    while text(&seen).split_whitespace().count() < 2 {
        seen.push(cut.next().await.unwrap().json());
    }
    let talk = talk.kill_and_start_again();
    let broken = loop {
        match cut.try_next().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(broken.is_err(), "{broken:?}");
    let again = |call: &Call| call.number == 1 && call.tokens == 2;
    talk.provider.call(prompt, again).await;
    let path = format!("/ai/chat/{NAME}/stream");
    let mut resumed = Events::open(talk.ada.request("GET", &path)).await;
    talk.provider.release();
    let chunks = chunks(&resumed.rest().await);
    assert_eq!(name(&chunks), name(&seen));
    let is_reset = |chunk: &Value| chunk["type"] == "data-reset";
    assert!(!chunks.iter().any(is_reset), "{chunks:?}");
    assert_eq!(text(&chunks), said(1, 4));
    assert_eq!(texts(&listed(&talk.ada, "").await), [prompt, &said(1, 4)]);
}

#[tokio::test]
async fn a_stream_that_may_not_go_on_breaks_and_does_not_seem_whole() {
    let talk = Talk::start();
    let prompt = "tokens=4 stall_after=2";
    let mut stream = Events::open(post(&talk.ada, &submitting(&[user("1", prompt)]))).await;
    talk.provider.call(prompt, |call| call.tokens == 2).await;
    let out = talk.ada.post("/api/v1/auth/logout", json!({})).await;
    assert_eq!(out.status, 200, "{out:?}");
    let broken = loop {
        match stream.try_next().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(broken.is_err(), "{broken:?}");
}

#[tokio::test]
async fn a_stop_ends_what_runs_and_what_waits() {
    let talk = Talk::start();
    let prompt = "tokens=4 stall_after=2";
    let mut running = Events::open(post(&talk.ada, &submitting(&[user("1", prompt)]))).await;
    talk.provider.call(prompt, |call| call.tokens == 2).await;
    let mut waiting = Events::open(post(&talk.ada, &submitting(&[user("2", "tokens=1")]))).await;
    let mut rejecting = submitting(&[user("3", "tokens=1")]);
    rejecting["whenBusy"] = json!("reject");
    let refused = send(post(&talk.ada, &rejecting)).await;
    assert_eq!(
        (refused.status, &*refused.text),
        (409, "a reply is being written in this chat")
    );
    assert_eq!(
        texts(&listed(&talk.ada, "").await),
        [prompt],
        "what comes behind is not shown yet"
    );

    let stop = format!("/ai/chat/{NAME}/stop");
    let bob = talk.server.user("bob@example.com");
    assert_eq!(send(bob.request("POST", &stop)).await.status, 404);
    let stopped = send(talk.ada.request("POST", &stop)).await;
    assert_eq!((stopped.status, &*stopped.text), (204, ""));
    for stream in [&mut running, &mut waiting] {
        let chunks = chunks(&stream.rest().await);
        assert_eq!(chunks.last().unwrap()["type"], "abort");
    }
    assert_eq!(talk.provider.calls().len(), 1);
    assert_eq!(resumed(&talk.ada).await.status, 204);
    assert_eq!(listed(&talk.ada, "").await.len(), 4);
}

#[tokio::test]
async fn a_failure_is_said_in_the_stream_and_a_refusal_in_plain_text() {
    let talk = Talk::start();
    let failed = answered(&talk.ada, &submitting(&[user("1", "status=401")])).await;
    let last = failed.last().unwrap();
    assert_eq!(last["type"], "error");
    assert!(last["errorText"].as_str().unwrap().len() > 5, "{last}");

    let mut unknown = submitting(&[user("2", "tokens=1")]);
    unknown["model"] = json!("nobody");
    let file = json!({ "role": "user", "parts": [{ "type": "file", "url": "data:,", "mediaType": "text/plain" }] });
    let cases = [
        (unknown, "model is none of this server's models"),
        (submitting(&[]), "messages is empty"),
        (
            submitting(&[file]),
            "messages[0].parts[0] is a file, and files are not taken",
        ),
        (
            submitting(&[json!({ "role": "system" })]),
            "messages[0].role must be one of: user, assistant",
        ),
        (json!({ "id": " ", "messages": [] }), "id is blank"),
        (json!({ "messages": [] }), "id is required"),
    ];
    for (body, expected) in cases {
        let refused = send(post(&talk.ada, &body)).await;
        assert_eq!((refused.status, &*refused.text), (400, expected));
        assert_eq!(refused.header("content-type"), "text/plain; charset=utf-8");
    }
    let stranger = send(post(&talk.server.stranger(), &submitting(&[]))).await;
    assert_eq!(stranger.status, 401);
    assert_eq!(
        stranger.text,
        "the token is missing, unknown, expired or revoked"
    );
    let nowhere = talk.ada.get("/ai/nowhere").await;
    assert_eq!(
        (nowhere.status, &*nowhere.text),
        (404, "there is nothing at this path")
    );
}

#[tokio::test]
async fn a_retry_under_one_key_is_one_message() {
    let talk = Talk::start();
    let body = submitting(&[user("1", "tokens=2")]);
    let one = send(post(&talk.ada, &body).header("Idempotency-Key", "k")).await;
    let other = send(post(&talk.ada, &body).header("Idempotency-Key", "k")).await;
    assert_eq!((one.status, &one.text), (200, &other.text));
    assert_eq!(talk.provider.calls().len(), 1);
    assert_eq!(listed(&talk.ada, "").await.len(), 2);
}

#[tokio::test]
async fn a_long_conversation_is_taken_and_listed_in_pages() {
    let talk = Talk::start();
    let said = user("old", &"x".repeat(1 << 20));
    let long = [said.clone(), said.clone(), user("1", "tokens=1")];
    answered(&talk.ada, &submitting(&long)).await;
    let too_long: Vec<Value> = std::iter::repeat_n(said, 9).collect();
    let refused = send(post(&talk.ada, &submitting(&too_long))).await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.text, "the body is larger than 8388608 bytes");
    answered(&talk.ada, &submitting(&[user("2", "tokens=2")])).await;

    let all = listed(&talk.ada, "").await;
    assert_eq!(all.len(), 4);
    let newest = listed(&talk.ada, "?limit=3").await;
    assert_eq!(newest, all[1..]);
    let before = newest[0]["id"].as_str().unwrap();
    assert_eq!(
        listed(&talk.ada, &format!("?before={before}")).await,
        all[..1]
    );
    let first = all[0]["id"].as_str().unwrap();
    assert_eq!(
        listed(&talk.ada, &format!("?before={first}")).await,
        [] as [Value; 0]
    );
    let path = format!("/ai/chat/{NAME}/messages?before=clqb6q2rl0003v3k8b2g8n5xd");
    let refused = talk.ada.get(&path).await;
    assert_eq!(
        (refused.status, &*refused.text),
        (400, "before is no message of this chat")
    );
}
