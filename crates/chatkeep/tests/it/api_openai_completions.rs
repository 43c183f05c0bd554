//! Chat completions: what most tools that take a base URL speak.

use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::provider::{ARGUMENTS, call_id, said};
use crate::sse::{Event, Events};
use crate::talk::{Talk, text};

fn asking(prompt: &str) -> Value {
    json!({ "model": "scripted", "messages": [{ "role": "user", "content": prompt }] })
}

async fn ask(client: &Client, body: Value) -> Answer {
    client.post("/v1/chat/completions", body).await
}

async fn stream(client: &Client, mut body: Value) -> Vec<Event> {
    body["stream"] = json!(true);
    let request = client.request("POST", "/v1/chat/completions").json(&body);
    Events::open(request).await.rest().await
}

/// The message that chunks make, as a client puts it together, and why it ended.
fn message(chunks: &[Event]) -> (Value, Value) {
    let (mut whole, mut finish) = (json!({}), Value::Null);
    for chunk in chunks.iter().filter(|chunk| chunk.data != "[DONE]") {
        let chunk = chunk.json();
        assert_eq!(chunk["object"], "chat.completion.chunk", "{chunk}");
        let Some(choice) = chunk["choices"].get(0) else {
            continue;
        };
        let delta = choice["delta"].as_object().unwrap();
        for (name, value) in delta {
            match value {
                Value::String(text) => join(&mut whole[name], text),
                Value::Array(calls) => take(&mut whole["tool_calls"], &calls[0]),
                other => panic!("what is {other}"),
            }
        }
        if !choice["finish_reason"].is_null() {
            assert!(finish.is_null());
            finish = choice["finish_reason"].clone();
        }
    }
    (whole, finish)
}

fn join(text: &mut Value, more: &str) {
    *text = json!(format!("{}{more}", text.as_str().unwrap_or_default()));
}

fn take(calls: &mut Value, piece: &Value) {
    if calls.is_null() {
        *calls = json!([]);
    }
    let calls = calls.as_array_mut().unwrap();
    let at = piece["index"].as_u64().unwrap() as usize;
    if at == calls.len() {
        let mut call = piece.clone();
        call.as_object_mut().unwrap().remove("index");
        calls.push(call);
    } else {
        assert_eq!(at + 1, calls.len(), "one call after the other");
        join(
            &mut calls[at]["function"]["arguments"],
            piece["function"]["arguments"].as_str().unwrap(),
        );
    }
}

#[tokio::test]
async fn a_completion_has_the_whole_answer_and_nothing_is_kept() {
    let talk = Talk::start();
    let mut body = asking("reasoning=1 tokens=2");
    body["messages"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({ "role": "developer", "content": "Be brief." }));
    for (field, value) in [
        ("temperature", json!(0.5)),
        ("max_completion_tokens", json!(77)),
        ("stop", json!(["END"])),
        ("seed", json!(7)),
        ("presence_penalty", json!(0.5)),
        ("response_format", json!({ "type": "json_object" })),
        ("n", json!(1)),
        ("user", json!("somebody")),
        ("made_up", json!({ "by": "somebody" })),
    ] {
        body[field] = value;
    }
    let answer = ask(&talk.ada, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = &answer.body;
    assert_eq!(
        (&answer["object"], &answer["model"]),
        (&json!("chat.completion"), &json!("scripted"))
    );
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-c"));
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["content"], said(0, 2));
    assert_eq!(choice["message"]["reasoning_content"], "r0.0 ");
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(choice["message"].get("tool_calls"), None);
    let usage = &answer["usage"];
    let sum =
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);

    let sent = &talk.provider.calls()[0].body;
    assert_eq!(sent["messages"].as_array().unwrap().len(), 2);
    for (field, value) in [
        ("temperature", json!(0.5)),
        ("stop", json!(["END"])),
        ("seed", json!(7)),
    ] {
        assert_eq!(sent[field], value);
    }
    assert_eq!(sent["response_format"], json!({ "type": "json_object" }));
    assert_eq!(sent.get("made_up"), None);
    assert_eq!(
        talk.ada.get("/v1/conversations").await.body["data"],
        json!([])
    );
    let cut = ask(&talk.ada, asking("tokens=1 finish=length")).await;
    assert_eq!(cut.body["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_stream_makes_the_same_message_as_the_whole_answer() {
    let talk = Talk::start();
    for store in [false, true] {
        let mut body = asking("reasoning=2 tokens=3 calls=2");
        body["tools"] =
            json!([{ "type": "function", "function": { "name": "look", "parameters": {} } }]);
        body["tool_choice"] = json!({ "type": "function", "function": { "name": "look" } });
        body["stream_options"] = json!({ "include_usage": true });
        body["store"] = json!(store);
        let number = talk.provider.calls().len();
        let chunks = stream(&talk.ada, body.clone()).await;
        let (streamed, finish) = message(&chunks);
        assert_eq!(finish, "tool_calls");
        assert_eq!(streamed["content"], said(number, 3));
        let calls = streamed["tool_calls"].as_array().unwrap();
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[1]["id"], call_id(number, 1));
        assert_eq!(
            calls[1]["function"],
            json!({ "name": "look", "arguments": ARGUMENTS })
        );
        assert_eq!(chunks.last().unwrap().data, "[DONE]");
        let cost = chunks[chunks.len() - 2].json();
        assert_eq!(
            (&cost["choices"], &cost["usage"]["total_tokens"].is_u64()),
            (&json!([]), &true)
        );
        assert_eq!(
            chunks[0].json()["choices"][0]["delta"],
            json!({ "role": "assistant", "content": "" })
        );
        assert_eq!(chunks[0].json()["usage"], Value::Null);

        let whole = ask(&talk.ada, body).await.body["choices"][0].clone();
        assert_eq!(whole["finish_reason"], "tool_calls");
        // Each answer begins with the number of its call.
        let unnumbered = |value: &Value, number: usize| -> Value {
            let text = value.to_string().replace(&format!("{number}."), "N.");
            serde_json::from_str(&text.replace(&format!("call_{number}"), "call_N")).unwrap()
        };
        for field in ["content", "reasoning_content", "tool_calls"] {
            let again = &whole["message"][field];
            assert_eq!(
                unnumbered(&streamed[field], number),
                unnumbered(again, number + 1),
                "{field}"
            );
        }
    }
    let chunks = stream(&talk.ada, asking("tokens=1")).await;
    assert!(chunks.iter().all(|chunk| !chunk.data.contains("usage")));
}

#[tokio::test]
async fn the_outputs_of_calls_go_to_the_model() {
    let talk = Talk::start();
    let call = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "look", "arguments": "{}" } });
    let messages = json!([
        { "role": "user", "content": [{ "type": "text", "text": "What is it?" }] },
        { "role": "assistant", "content": null, "tool_calls": [call("1"), call("2")] },
        { "role": "tool", "tool_call_id": "1", "content": "41" },
        { "role": "tool", "tool_call_id": "2", "content": [{ "type": "text", "text": "tokens=2" }] },
    ]);
    let answer = ask(&talk.ada, json!({ "messages": messages })).await;
    assert_eq!(
        answer.body["choices"][0]["message"]["content"],
        said(0, 2),
        "{answer:?}"
    );
    let sent = talk.provider.calls()[0].body["messages"].clone();
    let roles: Vec<&Value> = sent
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["role"])
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool"]);
    assert_eq!(sent[1]["tool_calls"][1]["id"], "2");
    let alone = json!([{ "role": "tool", "tool_call_id": "1", "content": "41" }]);
    let refused = ask(&talk.ada, json!({ "messages": alone })).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["param"]),
        (400, &json!("messages[0].tool_call_id"))
    );
}

#[tokio::test]
async fn a_completion_that_is_stored_is_a_conversation() {
    let talk = Talk::start();
    let body = json!({
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "developer", "content": [{ "type": "text", "text": "Be" }, { "type": "text", "text": " kind." }] },
            { "role": "user", "content": "before" },
            { "role": "system", "content": "Be quick." },
            { "role": "assistant", "content": "yes?" },
            { "role": "user", "content": "tokens=2" },
        ],
        "store": true,
        "metadata": { "k": "v" },
    });
    let answer = ask(&talk.ada, body).await;
    assert_eq!(
        answer.body["choices"][0]["message"]["content"],
        said(0, 2),
        "{answer:?}"
    );
    let list = talk.ada.get("/v1/conversations").await.body;
    let conversation = &list["data"][0];
    assert_eq!(conversation["metadata"], json!({ "k": "v" }));
    let chat = conversation["id"]
        .as_str()
        .unwrap()
        .strip_prefix("conv_")
        .unwrap();
    let messages = talk.ada.get(&format!("/api/v1/chat/{chat}/messages")).await;
    let messages = messages.body["data"]["messages"]
        .as_array()
        .unwrap()
        .clone();
    let texts: Vec<String> = messages.iter().rev().map(text).collect();
    assert_eq!(
        texts,
        [
            "before",
            "Be quick.",
            "yes?",
            "tokens=2",
            said(0, 2).as_str()
        ]
    );
    // What was set up at first is never left out, however long the conversation grows.
    let session = talk.ada.get(&format!("/api/v1/chat/{chat}")).await;
    assert_eq!(
        session.body["data"]["systemMessage"],
        "Be brief.\n\nBe kind."
    );
    let reply = answer.body["id"]
        .as_str()
        .unwrap()
        .strip_prefix("chatcmpl-")
        .unwrap();
    assert_eq!(messages[0]["replyId"], reply);
    let response = talk.ada.get(&format!("/v1/responses/resp_{reply}")).await;
    assert_eq!(
        (response.status, &response.body["metadata"]),
        (200, &json!({ "k": "v" }))
    );
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_an_sdk_expects_it() {
    let talk = Talk::start();
    for store in [false, true] {
        let body = |script: &str| {
            let mut body = asking(script);
            body["store"] = json!(store);
            body
        };
        let failed = ask(&talk.ada, body("status=429")).await;
        assert_eq!(
            (failed.status, &failed.body["error"]["type"]),
            (429, &json!("rate_limit_error"))
        );
        assert_eq!(failed.header("x-should-retry"), "false");
        let chunks = stream(&talk.ada, body("tokens=3 cut_after_bytes=150")).await;
        let [.., error, done] = chunks.as_slice() else {
            panic!("{chunks:?}");
        };
        assert_eq!(error.json()["error"]["type"], "server_error");
        assert_eq!(done.data, "[DONE]");
        let filtered = ask(&talk.ada, body("tokens=2 finish=content_filter")).await;
        assert_eq!(
            filtered.body["choices"][0]["finish_reason"], "content_filter",
            "{filtered:?}"
        );
        let chunks = stream(&talk.ada, body("tokens=2 finish=content_filter")).await;
        assert_eq!(message(&chunks).1, "content_filter");
    }
    let set_up = json!([{ "role": "system", "content": "x".repeat(32_769) }, { "role": "user", "content": "tokens=1" }]);
    let long = "x".repeat(256 << 10);
    let image = json!([{ "type": "image_url", "image_url": { "url": "x" } }]);
    for (body, status, param) in [
        (json!({}), 400, "messages"),
        (json!({ "messages": [] }), 400, "messages"),
        (
            json!({ "messages": [{ "role": "user" }] }),
            400,
            "messages[0].content",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": "" }] }),
            400,
            "messages[0].content",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": image }] }),
            400,
            "messages[0].content[0].type",
        ),
        (
            json!({ "messages": [{ "role": "function", "content": "x" }] }),
            400,
            "messages[0].role",
        ),
        (
            json!({ "messages": [{ "role": 5 }] }),
            400,
            "messages[0].role",
        ),
        (
            json!({ "messages": set_up, "store": true }),
            400,
            "messages[0].content",
        ),
        (json!({ "stop": long }), 400, "stop"),
        (json!({ "n": 2 }), 400, "n"),
        (json!({ "logprobs": true }), 400, "logprobs"),
        (json!({ "functions": [] }), 400, "functions"),
        (
            json!({ "tools": [{ "type": "custom" }] }),
            400,
            "tools[0].type",
        ),
        (
            json!({ "tools": [{ "type": "function" }] }),
            400,
            "tools[0].function",
        ),
        (json!({ "presence_penalty": 3 }), 400, "presence_penalty"),
        (json!({ "max_tokens": 0 }), 400, "max_tokens"),
        (json!({ "model": "nobody" }), 404, "model"),
    ] {
        let mut whole = asking("tokens=1");
        for (field, value) in body.as_object().unwrap() {
            whole[field] = value.clone();
        }
        let body = if body == json!({}) { body } else { whole };
        let refused = ask(&talk.ada, body.clone()).await;
        assert_eq!(
            (refused.status, &refused.body["error"]["param"]),
            (status, &json!(param)),
            "{body} {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_joins_a_second_attempt_says_nothing_of_the_first() {
    let talk = Talk::start();
    let mut body = asking("tokens=3 stall_after=2 stalls=1");
    body["store"] = json!(true);
    body["stream"] = json!(true);
    let key = |client: &Client| {
        let request = client.request("POST", "/v1/chat/completions").json(&body);
        request.header("Idempotency-Key", "once")
    };
    let mut first = Events::open(key(&talk.ada)).await;
    let reply = first.next().await.unwrap().json()["id"].clone();
    while !first.next().await.unwrap().data.contains("c0.1") {}
    let talk = talk.kill_and_start_again();
    let reply = reply.as_str().unwrap().replace("chatcmpl-", "resp_");
    let response = format!("/v1/responses/{reply}?stream=true");
    let mut second = Events::open(talk.ada.request("GET", &response)).await;
    while !second.next().await.unwrap().data.contains("c1.") {}
    let chunks = Events::open(key(&talk.ada)).await.rest().await;
    let (whole, finish) = message(&chunks);
    assert_eq!(
        (&whole["content"], &finish),
        (&json!(said(1, 3)), &json!("stop"))
    );
    assert_eq!(chunks.last().unwrap().data, "[DONE]");
    assert_eq!(talk.provider.calls().len(), 2);
}

#[tokio::test]
async fn a_retry_that_an_sdk_counts_asks_the_model_once() {
    let talk = Talk::start();
    for (at, store) in [false, true].into_iter().enumerate() {
        let mut body = asking("tokens=2");
        body["store"] = json!(store);
        let ask = async |count: u32| {
            let request = talk.ada.request("POST", "/v1/chat/completions").json(&body);
            send(request.header("x-stainless-retry-count", count)).await
        };
        let first = ask(0).await;
        let again = ask(1).await;
        assert_eq!(
            (again.status, &again.text),
            (200, &first.text),
            "store={store}"
        );
        assert_eq!(talk.provider.calls().len(), at + 1);
    }
    assert_eq!(
        talk.ada.get("/v1/conversations").await.body["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
