//! Tools: a model calls them, their outputs continue the chat.

use serde_json::{Value, json};

use crate::provider::said;
use crate::sse::{Event, Events};
use crate::talk::{Chat, Talk, id};

/// A body of a new reply, with a tool that may be called.
fn with_tool(mut body: Value) -> Value {
    body["tools"] = json!([{ "name": "weather", "parameters": { "type": "object" } }]);
    body
}

/// Asks for calls; gives the reply as it ended, and the message that makes them.
async fn called(chat: &Chat, prompt: &str) -> (Value, Value) {
    let reply = chat.begin(with_tool(json!({ "prompt": prompt }))).await;
    let reply = chat.ended(&id(&reply)).await;
    let message = chat.message_of(&reply).await;
    (reply, message)
}

/// The identifiers of the calls that a message makes.
fn calls(message: &Value) -> Vec<&str> {
    let parts = message["content"].as_array().unwrap().iter();
    let calls = parts.filter(|part| part["type"] == "tool_call");
    calls.map(|call| call["id"].as_str().unwrap()).collect()
}

fn outputs(calls: &[&str], output: &str) -> Vec<Value> {
    let outputs = calls
        .iter()
        .map(|call| json!({ "callId": call, "output": output }));
    outputs.collect()
}

/// A message of a tool's with these outputs.
fn tool(outputs: &[Value]) -> Value {
    let parts = outputs.iter().cloned().map(|mut output| {
        output["type"] = json!("tool_output");
        output
    });
    json!({ "role": "tool", "content": parts.collect::<Value>() })
}

#[tokio::test]
async fn what_is_wanted_of_a_model_is_told_to_its_provider() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let body = json!({
        "prompt": "tokens=1",
        "instructions": "Be brief.",
        "temperature": 0.5,
        "topP": 0.25,
        "maxOutputTokens": 77,
        "tools": [{
            "name": "weather",
            "description": "Tells the weather",
            "parameters": { "type": "object", "properties": { "place": {} } },
            "strict": true,
        }],
        "toolChoice": { "name": "weather" },
    });
    chat.ended(&id(&chat.begin(body.clone()).await)).await;
    let told = &talk.provider.calls()[0].body;
    let tools = json!([{ "type": "function", "function": body["tools"][0] }]);
    assert_eq!(told["tools"], tools);
    let choice = json!({ "type": "function", "function": { "name": "weather" } });
    assert_eq!(told["tool_choice"], choice);
    let numbers = [&told["temperature"], &told["top_p"], &told["max_tokens"]];
    assert_eq!(numbers, [&json!(0.5), &json!(0.25), &json!(77)]);
    let system = json!({ "role": "system", "content": "Be brief." });
    assert_eq!(told["messages"][0], system);

    // All that is for this reply alone.
    chat.answered("tokens=1").await;
    let told = &talk.provider.calls()[1].body;
    assert_eq!(
        (&told["tools"], &told["temperature"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(told["messages"][0]["role"], "user");
}

#[tokio::test]
async fn a_call_gets_its_output_and_then_the_model_answers() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let (reply, asked) = called(&chat, "reasoning=1 tokens=2 calls=2").await;
    assert_eq!(
        (&reply["status"], &asked["finishReason"]),
        (&json!("done"), &json!("tool_calls"))
    );
    let parts = asked["content"].as_array().unwrap();
    let kinds: Vec<&Value> = parts.iter().map(|part| &part["type"]).collect();
    assert_eq!(kinds, ["reasoning", "text", "tool_call", "tool_call"]);

    let ids = calls(&asked);
    let brought = outputs(&ids, "tokens=3");
    let reply = chat
        .begin(with_tool(json!({ "toolOutputs": brought })))
        .await;
    let reply = chat.ended(&id(&reply)).await;
    let path = chat.messages().await;
    assert_eq!((path.len(), &path[1]), (4, &asked));
    assert_eq!(path[2]["id"], reply["promptMessageId"]);
    assert_eq!(
        (&path[2]["role"], &path[2]["parentId"]),
        (&json!("tool"), &asked["id"])
    );
    assert_eq!(path[2]["content"], tool(&brought)["content"]);
    assert_eq!(
        path[3]["content"],
        json!([{ "type": "text", "text": said(1, 3) }])
    );
    let told = talk.provider.calls()[1].body["messages"].clone();
    for (at, call) in parts[2..].iter().enumerate() {
        let function = json!({ "name": call["name"], "arguments": call["arguments"] });
        let call = json!({ "id": call["id"], "type": "function", "function": function });
        assert_eq!(told[1]["tool_calls"][at], call);
        let output = json!({ "role": "tool", "tool_call_id": ids[at], "content": "tokens=3" });
        assert_eq!(told[at + 2], output);
    }

    // The same one by one, as messages.
    let mut first = tool(&brought[..1]);
    first["parentId"] = asked["id"].clone();
    let both = json!({ "messages": [first, tool(&brought[1..])] });
    let appended = talk.ada.post(&chat.path("/messages"), both).await;
    assert_eq!(appended.status, 201, "{appended:?}");
    let last = appended.body["data"]["messages"][1]["id"].clone();
    let reply = chat.begin(with_tool(json!({ "parentId": last }))).await;
    let reply = chat.ended(&id(&reply)).await;
    assert_eq!(
        (&reply["status"], &reply["promptMessageId"]),
        (&json!("done"), &last)
    );
    assert_eq!(talk.provider.calls()[2].body["messages"], told);
    assert_eq!(chat.messages().await.len(), 5);
}

#[tokio::test]
async fn an_output_of_a_call_that_nobody_made_is_refused() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let (_, asked) = called(&chat, "tokens=0 calls=1").await;
    let before = chat.tree().await;
    let ids = calls(&asked);
    let (good, wrong) = (outputs(&ids, ""), outputs(&["nobody"], "x"));
    let reason = "has a callId that is no call of the message that it follows";
    for (path, body, field) in [
        ("/messages", tool(&wrong), "content"),
        (
            "/messages",
            json!({ "messages": [tool(&good), tool(&wrong)] }),
            "messages[1].content",
        ),
        ("/replies", json!({ "toolOutputs": wrong }), "toolOutputs"),
        (
            "/replies",
            json!({ "toolOutputs": good, "parentId": before[0]["id"] }),
            "toolOutputs",
        ),
        (
            "/replies",
            json!({ "toolOutputs": good, "parentId": null }),
            "toolOutputs",
        ),
    ] {
        let refused = talk.ada.post(&chat.path(path), body.clone()).await;
        let message = refused.body["message"].as_str().unwrap();
        assert_eq!(
            (refused.status, message),
            (400, &*format!("{field} {reason}")),
            "{body}"
        );
    }
    assert_eq!(chat.tree().await, before);
}

#[tokio::test]
async fn a_stream_with_calls_that_is_cut_at_any_event_goes_on_behind_it() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let body = with_tool(json!({ "prompt": "reasoning=2 tokens=2 calls=2 every_ms=40" }));
    let live = chat.stream(body).await.rest().await;
    let reply = live[0].json()["reply"].clone();
    let message = chat.message_of(&reply).await;
    assert_eq!(written(&live), message["content"]);
    assert_eq!(live.last().unwrap().json()["reason"], "tool_calls");

    let talk = talk.kill_and_start_again();
    let chat = chat.by(&talk.ada);
    let reply = id(&reply);
    for at in 0..live.len() {
        let mut watch = chat.watch(&reply).await;
        let mut seen = Vec::new();
        for _ in 0..=at {
            seen.push(watch.next().await.unwrap());
        }
        drop(watch);
        let last = seen.last().unwrap().number();
        seen.extend(chat.watch_after(&reply, last).await.rest().await);
        assert_eq!(seen, live);
    }
}

/// The parts that the deltas of a stream make, as docs/streaming.md says.
fn written(events: &[Event]) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    for event in events.iter().filter(|event| event.kind == "delta") {
        let delta = event.json();
        if let Some(call) = delta.get("toolCall") {
            let (id, name) = (&call["id"], &call["name"]);
            parts.push(json!({ "type": "tool_call", "id": id, "name": name, "arguments": "" }));
            continue;
        }
        let (kind, text) = delta.as_object().unwrap().iter().next().unwrap();
        let (kind, field) = match kind.as_str() {
            "arguments" => ("tool_call", "arguments"),
            kind => (kind, "text"),
        };
        if parts.last().is_none_or(|part| part["type"] != kind) {
            parts.push(json!({ "type": kind, "text": "" }));
        }
        let part = parts.last_mut().unwrap();
        part[field] = json!(part[field].as_str().unwrap().to_owned() + text.as_str().unwrap());
    }
    Value::Array(parts)
}

#[tokio::test]
async fn a_model_is_never_told_a_call_without_its_output() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    chat.change(json!({ "model": "small" })).await;
    let mut left_out = 0;
    for turn in 0..12 {
        let filler = "word ".repeat(3 + turn * 5 % 17);
        let (_, asked) = called(&chat, &format!("tokens=1 calls=2 {turn} {filler}")).await;
        let ids = calls(&asked);
        let output = format!("tokens=1 {filler}");
        // Each third turn is not answered.
        if turn % 3 < 2 {
            let brought = outputs(&ids, &output);
            let reply = chat
                .begin(with_tool(json!({ "toolOutputs": brought })))
                .await;
            left_out += chat.ended(&id(&reply)).await["leftOut"].as_u64().unwrap();
        }
    }
    for call in talk.provider.calls() {
        assert_paired(call.body["messages"].as_array().unwrap());
    }
    assert!(left_out > 20, "{left_out}");
}

/// Whether each call has its output right behind, and each output its call before it.
fn assert_paired(told: &[Value]) {
    let mut open: Vec<&Value> = Vec::new();
    for message in told {
        if message["role"] == "tool" {
            let call = &message["tool_call_id"];
            let at = open.iter().position(|open| *open == call);
            open.remove(at.unwrap_or_else(|| panic!("{call} was not made: {told:?}")));
            continue;
        }
        assert!(open.is_empty(), "{open:?} have no output: {told:?}");
        let calls = message["tool_calls"].as_array();
        open.extend(calls.into_iter().flatten().map(|call| &call["id"]));
    }
    assert!(open.is_empty(), "{open:?} have no output: {told:?}");
}

#[tokio::test]
async fn other_devices_hear_of_calls_and_outputs() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let mut feed = Events::open(talk.ada.request("GET", "/api/v1/events")).await;
    feed.next_of("reset").await;
    let (_, asked) = called(&chat, "tokens=0 calls=1").await;
    let shown = loop {
        let message = feed.next_of("message").await.json();
        if message["role"] == "assistant" && message["status"] == "done" {
            break message;
        }
    };
    assert_eq!(shown, asked);
    let brought = tool(&outputs(&calls(&asked), "warm"));
    let appended = talk.ada.post(&chat.path("/messages"), brought).await;
    let appended = &appended.body["data"]["messages"][0];
    assert_eq!(
        (&appended["role"], &appended["content"][0]["output"]),
        (&json!("tool"), &json!("warm"))
    );
    assert_eq!(feed.next_of("message").await.json(), *appended);
}
