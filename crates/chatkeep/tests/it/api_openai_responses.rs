//! Responses, as OpenAI's SDKs ask for them.

use serde_json::{Value, json};

use crate::client::{Answer, Client, send};
use crate::provider::{call_id, said};
use crate::sse::{Event, Events};
use crate::talk::{Chat, Talk, id, text};

async fn try_create(client: &Client, body: Value) -> Answer {
    client.post("/v1/responses", body).await
}

async fn create(client: &Client, body: Value) -> Value {
    let made = try_create(client, body).await;
    assert_eq!(made.status, 200, "{made:?}");
    made.body
}

async fn find(client: &Client, response: &str) -> Value {
    let found = client.get(&format!("/v1/responses/{response}")).await;
    assert_eq!(found.status, 200, "{found:?}");
    found.body
}

/// The response once it has ended.
async fn ended(client: &Client, response: &str) -> Value {
    watch(client, response, "").await.rest().await;
    find(client, response).await
}

async fn watch(client: &Client, response: &str, query: &str) -> Events {
    let path = format!("/v1/responses/{response}?stream=true{query}");
    Events::open(client.request("GET", &path)).await
}

async fn stream(client: &Client, mut body: Value) -> Events {
    body["stream"] = json!(true);
    Events::open(client.request("POST", "/v1/responses").json(&body)).await
}

/// What a response says.
fn says(response: &Value) -> String {
    let output = response["output"].as_array().unwrap().iter();
    let content = output.flat_map(|item| item["content"].as_array().into_iter().flatten());
    content
        .filter(|part| part["type"] == "output_text")
        .map(|part| part["text"].as_str().unwrap())
        .collect()
}

/// The v1 dialect's chat of a response.
fn chat_of(client: &Client, response: &Value) -> Chat {
    let id = id(&response["conversation"])
        .strip_prefix("conv_")
        .unwrap()
        .to_owned();
    let client = client.clone();
    Chat { client, id }
}

fn tool() -> Value {
    json!({
        "type": "function",
        "name": "look_up",
        "description": "Looks something up",
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } } },
        "strict": true,
    })
}

#[tokio::test]
async fn a_response_is_a_reply_in_a_conversation() {
    let talk = Talk::start();
    let body = json!({
        "model": "other",
        "input": "tokens=3",
        "instructions": "Be brief.",
        "metadata": { "k": "v" },
        "temperature": 0.5,
        "top_p": 0.25,
        "max_output_tokens": 99,
        "reasoning": { "effort": "low", "summary": "auto" },
        "text": { "format": { "type": "json_schema", "name": "n", "schema": { "type": "object" }, "strict": true } },
        "truncation": "disabled",
        "include": ["reasoning.encrypted_content"],
        "made_up": 5,
    });
    let response = create(&talk.ada, body).await;
    assert_eq!(
        (&response["object"], &response["status"]),
        (&json!("response"), &json!("completed"))
    );
    assert_eq!(says(&response), said(0, 3));
    assert_eq!(response["model"], "other");
    assert_eq!(response["instructions"], "Be brief.");
    assert_eq!(response["metadata"], json!({ "k": "v" }));
    assert_eq!(
        (&response["temperature"], &response["top_p"]),
        (&json!(0.5), &json!(0.25))
    );
    assert_eq!(response["reasoning"]["effort"], "low");
    assert_eq!(response["truncation"], "auto", "whatever was asked");
    assert_eq!(
        response["text"]["format"]["schema"],
        json!({ "type": "object" })
    );
    assert!(response["usage"]["total_tokens"].as_u64().unwrap() > 0);
    for field in ["error", "incomplete_details", "previous_response_id"] {
        assert_eq!(response.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(find(&talk.ada, &id(&response)).await, response);

    let sent = &talk.provider.calls()[0].body;
    assert_eq!(sent["messages"][0]["content"], "Be brief.");
    assert_eq!(
        (&sent["temperature"], &sent["top_p"]),
        (&json!(0.5), &json!(0.25))
    );
    assert_eq!(sent["reasoning_effort"], "low");
    assert_eq!(sent["response_format"]["json_schema"]["name"], "n");

    let messages = chat_of(&talk.ada, &response).messages().await;
    let said_in: Vec<String> = messages.iter().map(text).collect();
    assert_eq!(said_in, ["tokens=3".to_owned(), said(0, 3)]);
    assert_eq!(
        format!("resp_{}", messages[1]["replyId"].as_str().unwrap()),
        id(&response)
    );
}

#[tokio::test]
async fn a_response_follows_another_one_or_what_its_conversation_ends_with() {
    let talk = Talk::start();
    let one = create(
        &talk.ada,
        json!({ "input": "tokens=1", "instructions": "Be brief." }),
    )
    .await;
    let two = create(
        &talk.ada,
        json!({ "input": "tokens=2", "previous_response_id": one["id"] }),
    )
    .await;
    assert_eq!(
        (&two["previous_response_id"], &two["conversation"]),
        (&one["id"], &one["conversation"])
    );
    assert_eq!(two["instructions"], Value::Null);
    let sent = talk.provider.calls()[1].body["messages"].clone();
    let roles: Vec<&Value> = sent
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["role"])
        .collect();
    assert_eq!(
        roles,
        ["user", "assistant", "user"],
        "instructions do not carry over"
    );

    // Behind the first one again: a branch.
    let three = create(
        &talk.ada,
        json!({ "input": "tokens=3", "previous_response_id": one["id"] }),
    )
    .await;
    assert_eq!(three["conversation"], one["conversation"]);
    let sent = talk.provider.calls()[2].body["messages"].clone();
    assert_eq!(sent.as_array().unwrap().len(), 3);
    assert_eq!(chat_of(&talk.ada, &one).tree().await.len(), 6);

    for name in [
        one["conversation"]["id"].clone(),
        one["conversation"].clone(),
    ] {
        let next = create(
            &talk.ada,
            json!({ "input": "tokens=4", "conversation": name }),
        )
        .await;
        assert_eq!(next["conversation"], one["conversation"]);
        assert_eq!(find(&talk.ada, &id(&next)).await, next);
    }
    assert_eq!(chat_of(&talk.ada, &one).messages().await.len(), 8);

    let input = json!([
        { "role": "user", "content": "before" },
        { "role": "assistant", "content": "yes?" },
        { "role": "user", "content": "tokens=5" },
    ]);
    let many = create(
        &talk.ada,
        json!({ "input": input, "previous_response_id": three["id"] }),
    )
    .await;
    assert_eq!(many["previous_response_id"], three["id"]);
    let path = format!("/v1/responses/{}/input_items", id(&many));
    let items = talk.ada.get(&format!("{path}?order=asc")).await.body["data"].clone();
    let texts: Vec<&Value> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["content"][0]["text"])
        .collect();
    assert_eq!(texts, ["before", "yes?", "tokens=5"]);
    let last = talk.ada.get(&format!("{path}?limit=1")).await.body;
    assert_eq!(
        (&last["data"], &last["has_more"]),
        (&json!([items[2]]), &json!(true))
    );
}

#[tokio::test]
async fn a_response_finds_the_one_before_it_however_much_was_said_between() {
    let talk = Talk::start();
    let one = create(&talk.ada, json!({ "input": "tokens=1" })).await;
    let mut input = vec![json!({ "role": "user", "content": "more" }); 30];
    input.push(json!({ "role": "user", "content": "tokens=2" }));
    let body = json!({ "input": input, "conversation": one["conversation"] });
    let two = create(&talk.ada, body).await;
    assert_eq!(two["previous_response_id"], one["id"]);
    assert_eq!(find(&talk.ada, &id(&two)).await, two);
}

#[tokio::test]
async fn a_conversation_that_a_request_makes_is_named_by_what_its_user_says() {
    let talk = Talk::with("");
    let input = json!([
        { "role": "user", "content": "before" },
        { "role": "user", "content": "tokens=2" },
        { "role": "developer", "content": "Be brief." },
    ]);
    let response = create(&talk.ada, json!({ "input": input })).await;
    let path = format!("/v1/conversations/{}", id(&response["conversation"]));
    assert_eq!(talk.ada.get(&path).await.body["title"], "tokens=2");
    let messages = json!([{ "role": "user", "content": "tokens=1" }]);
    let body = json!({ "messages": messages, "store": true });
    let kept = talk.ada.post("/v1/chat/completions", body).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    let list = talk.ada.get("/v1/conversations").await;
    assert_eq!(list.body["data"][0]["title"], "tokens=1");
    assert_eq!(
        talk.provider.calls().len(),
        2,
        "no model was asked for a title"
    );
}

#[tokio::test]
async fn a_call_of_a_function_is_an_item_that_its_output_follows() {
    let talk = Talk::start();
    let prompt = "reasoning=1 tokens=1 calls=2";
    let asked = create(
        &talk.ada,
        json!({
            "input": prompt,
            "tools": [tool()],
            "tool_choice": { "type": "function", "name": "look_up" },
            "parallel_tool_calls": true,
        }),
    )
    .await;
    assert_eq!(asked["status"], "completed");
    assert_eq!(asked["tools"], json!([tool()]));
    assert_eq!(
        asked["tool_choice"],
        json!({ "type": "function", "name": "look_up" })
    );
    let output = asked["output"].as_array().unwrap();
    let kinds: Vec<&Value> = output.iter().map(|item| &item["type"]).collect();
    assert_eq!(
        kinds,
        ["reasoning", "message", "function_call", "function_call"]
    );
    assert_eq!(output[2]["call_id"], call_id(0, 0));
    let sent = &talk.provider.calls()[0].body;
    assert_eq!(
        sent["tools"][0]["function"]["parameters"],
        tool()["parameters"]
    );
    assert_eq!(sent["tool_choice"]["function"]["name"], "look_up");

    let outputs = |of: &[usize]| -> Value {
        of.iter()
            .map(|call| json!({ "type": "function_call_output", "call_id": call_id(0, *call), "output": "tokens=2" }))
            .collect()
    };
    let body = json!({ "input": outputs(&[0, 1]), "previous_response_id": asked["id"] });
    let answered = create(&talk.ada, body).await;
    assert_eq!(says(&answered), said(1, 2));
    let sent = talk.provider.calls()[1].body["messages"].clone();
    let roles: Vec<&Value> = sent
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["role"])
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool"]);
    let items = talk
        .ada
        .get(&format!("/v1/responses/{}/input_items", id(&answered)))
        .await;
    assert_eq!(items.body["data"][0]["type"], "function_call_output");

    let wrong = json!({ "type": "function_call_output", "call_id": "nobody", "output": "x" });
    let refused = try_create(
        &talk.ada,
        json!({ "input": [wrong], "previous_response_id": asked["id"] }),
    )
    .await;
    assert_eq!(
        (refused.status, &refused.body["error"]["param"]),
        (400, &json!("input[0].call_id"))
    );
}

#[tokio::test]
async fn a_stream_that_is_taken_up_anywhere_equals_the_uncut_one() {
    let talk = Talk::start();
    let prompt = "reasoning=2 tokens=3 calls=2 every_ms=5";
    let mut live = stream(&talk.ada, json!({ "input": prompt, "tools": [tool()] })).await;
    let mut uncut: Vec<Event> = vec![live.next().await.unwrap()];
    let response = id(&uncut[0].json()["response"]);
    let early = watch(&talk.ada, &response, "&starting_after=1").await;
    uncut.extend(live.rest().await);
    for (number, event) in uncut.iter().enumerate() {
        let data = event.json();
        assert_eq!(
            (&data["type"], &data["sequence_number"]),
            (&json!(event.kind), &json!(number))
        );
    }
    assert_eq!(uncut[0].kind, "response.created");
    assert_eq!(uncut.last().unwrap().kind, "response.completed");
    let mut early = early;
    assert_eq!(early.rest().await, uncut[2..]);
    for after in 0..uncut.len() {
        let query = format!("&starting_after={after}");
        let rest = watch(&talk.ada, &response, &query).await.rest().await;
        assert_eq!(rest, uncut[after + 1..], "{after}");
    }
    assert_eq!(watch(&talk.ada, &response, "").await.rest().await, uncut);
    assert_eq!(
        watch(&talk.ada, &response, "&starting_after=999")
            .await
            .rest()
            .await,
        []
    );
    let end = uncut.last().unwrap().json()["response"].clone();
    let mut kept = find(&talk.ada, &response).await;
    kept["completed_at"] = Value::Null;
    assert_eq!(
        end, kept,
        "but for the time of its end, which no event tells"
    );
    println!("frames={}", uncut.len());
}

#[tokio::test]
async fn a_second_attempt_goes_on_in_the_same_stream_under_other_names() {
    let talk = Talk::start();
    let prompt = "tokens=3 stall_after=2 stalls=1";
    let body = json!({ "input": prompt, "background": true });
    let response = id(&create(&talk.ada, body).await);
    let mut first = watch(&talk.ada, &response, "").await;
    for _ in 0..2 {
        first.next_of("response.output_text.delta").await;
    }
    let talk = talk.kill_and_start_again();
    let whole = watch(&talk.ada, &response, "").await.rest().await;
    let done: Vec<Value> = whole
        .iter()
        .filter(|event| event.kind == "response.output_item.done")
        .map(Event::json)
        .collect();
    let statuses: Vec<&Value> = done.iter().map(|done| &done["item"]["status"]).collect();
    assert_eq!(statuses, ["incomplete", "completed"]);
    assert_eq!(
        [&done[0]["output_index"], &done[1]["output_index"]],
        [&json!(0), &json!(1)]
    );
    let end = whole.last().unwrap().json()["response"].clone();
    assert_eq!(
        (&end["output"], says(&end)),
        (&json!([done[1]["item"]]), said(1, 3))
    );
    assert_eq!(end["output"], find(&talk.ada, &response).await["output"]);
    let item = format!(
        "/v1/conversations/{}/items/{}",
        id(&end["conversation"]),
        id(&done[1]["item"])
    );
    let found = talk.ada.get(&item).await;
    assert_eq!(
        (found.status, &found.body["content"]),
        (200, &done[1]["item"]["content"])
    );
    for after in 0..whole.len() {
        let query = format!("&starting_after={after}");
        assert_eq!(
            watch(&talk.ada, &response, &query).await.rest().await,
            whole[after + 1..]
        );
    }
}

#[tokio::test]
async fn a_response_in_the_background_is_polled_cancelled_and_forgotten() {
    let talk = Talk::start();
    let body = json!({ "input": "tokens=9 stall_after=2", "background": true });
    let response = create(&talk.ada, body).await;
    assert_eq!(
        (&response["status"], &response["background"]),
        (&json!("queued"), &json!(true))
    );
    assert_eq!(response["output"], json!([]));
    let name = id(&response);
    watch(&talk.ada, &name, "")
        .await
        .next_of("response.output_text.delta")
        .await;
    assert_eq!(find(&talk.ada, &name).await["status"], "in_progress");
    let path = format!("/v1/responses/{name}");
    let cancelled = send(talk.ada.request("POST", &format!("{path}/cancel"))).await;
    assert_eq!(
        (cancelled.status, &cancelled.body["status"]),
        (200, &json!("cancelled"))
    );
    assert_eq!(cancelled.body["output"][0]["status"], "incomplete");
    let last = watch(&talk.ada, &name, "")
        .await
        .rest()
        .await
        .pop()
        .unwrap();
    assert_eq!(
        (last.kind.as_str(), &last.json()["response"]["status"]),
        ("response.incomplete", &json!("cancelled"))
    );

    let gone = talk.ada.delete(&path).await;
    let expected = json!({ "id": name, "object": "response", "deleted": true });
    assert_eq!((gone.status, &gone.body), (200, &expected));
    for method in ["GET", "DELETE"] {
        assert_eq!(
            send(talk.ada.request(method, &path)).await.status,
            404,
            "{method}"
        );
    }
    assert_eq!(
        chat_of(&talk.ada, &response).messages().await.len(),
        2,
        "its items stay"
    );
    let refused = try_create(
        &talk.ada,
        json!({ "input": "x", "previous_response_id": name }),
    )
    .await;
    assert_eq!(refused.body["error"]["code"], "previous_response_not_found");
    let refused = try_create(
        &talk.ada,
        json!({ "input": "x", "background": true, "store": false }),
    )
    .await;
    assert_eq!(
        (refused.status, &refused.body["error"]["param"]),
        (400, &json!("background"))
    );
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_kept_by_nobody() {
    let talk = Talk::start();
    let unkept = create(&talk.ada, json!({ "input": "tokens=2", "store": false })).await;
    assert_eq!(
        (&unkept["status"], says(&unkept)),
        (&json!("completed"), said(0, 2))
    );
    assert_eq!(
        (&unkept["store"], &unkept["conversation"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(
        talk.ada
            .get(&format!("/v1/responses/{}", id(&unkept)))
            .await
            .status,
        404
    );
    assert_eq!(
        talk.ada.get("/v1/conversations").await.body["data"],
        json!([])
    );
    let frames = stream(&talk.ada, json!({ "input": "tokens=2", "store": false }))
        .await
        .rest()
        .await;
    assert_eq!(frames.last().unwrap().kind, "response.completed");

    let kept = create(&talk.ada, json!({ "input": "tokens=1" })).await;
    let body = json!({ "input": "tokens=3", "store": false, "previous_response_id": kept["id"] });
    let unkept = create(&talk.ada, body).await;
    assert_eq!(unkept["previous_response_id"], kept["id"]);
    assert_eq!(
        talk.provider.calls().last().unwrap().body["messages"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let chat = chat_of(&talk.ada, &kept);
    assert_eq!(chat.messages().await.len(), 2);

    // Within a conversation it is said there, but the response is not to be had.
    let body = json!({ "input": "tokens=4", "store": false, "conversation": kept["conversation"] });
    let hidden = create(&talk.ada, body).await;
    assert_eq!(
        (&hidden["store"], &hidden["conversation"]),
        (&json!(false), &kept["conversation"])
    );
    assert_eq!(
        talk.ada
            .get(&format!("/v1/responses/{}", id(&hidden)))
            .await
            .status,
        404
    );
    assert_eq!(chat.messages().await.len(), 4);
}

#[tokio::test]
async fn a_busy_conversation_does_what_the_request_wants() {
    let talk = Talk::start();
    let first = create(
        &talk.ada,
        json!({ "input": "tokens=2 stall_after=1", "background": true }),
    )
    .await;
    let within = |input: &str, when_busy: &str| {
        json!({
            "input": input, "conversation": first["conversation"], "when_busy": when_busy, "background": true,
        })
    };
    let refused = try_create(&talk.ada, within("x", "reject")).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body["error"]["code"], "conversation_locked");
    assert_eq!(refused.body["error"]["param"], "conversation");
    let queued = create(&talk.ada, within("tokens=1", "queue")).await;
    assert_eq!(queued["previous_response_id"], first["id"]);
    assert_eq!(find(&talk.ada, &id(&queued)).await["status"], "queued");
    talk.provider.release();
    assert_eq!(ended(&talk.ada, &id(&queued)).await["status"], "completed");

    let long = create(&talk.ada, within("tokens=5 stall_after=1", "queue")).await;
    watch(&talk.ada, &id(&long), "")
        .await
        .next_of("response.output_text.delta")
        .await;
    let next = create(&talk.ada, within("tokens=1", "interrupt")).await;
    assert_eq!(ended(&talk.ada, &id(&next)).await["status"], "completed");
    assert_eq!(find(&talk.ada, &id(&long)).await["status"], "cancelled");
    let refused = try_create(&talk.ada, within("x", "wait")).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["param"]),
        (400, &json!("when_busy"))
    );
}

#[tokio::test]
async fn what_goes_wrong_with_a_model_has_the_status_that_an_sdk_knows() {
    let talk = Talk::start();
    for (script, status, kind, code) in [
        (
            "status=429 retry_after=1",
            429,
            "rate_limit_error",
            "rate_limit_exceeded",
        ),
        (
            "status=400 code=context_length_exceeded",
            400,
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (
            "status=400 code=content_filter",
            400,
            "invalid_request_error",
            "content_filter",
        ),
        ("status=500", 502, "server_error", ""),
    ] {
        for store in [true, false] {
            let failed = try_create(&talk.ada, json!({ "input": script, "store": store })).await;
            let error = &failed.body["error"];
            assert_eq!(
                (failed.status, &error["type"]),
                (status, &json!(kind)),
                "{failed:?}"
            );
            assert_eq!(error["code"].as_str().unwrap_or_default(), code);
            assert_eq!(failed.header("x-should-retry"), "false");
            assert_ne!(failed.header("x-request-id"), "");
        }
    }
    let frames = stream(&talk.ada, json!({ "input": "status=429 tokens=0" }))
        .await
        .rest()
        .await;
    let last = frames.last().unwrap();
    assert_eq!(last.kind, "response.failed");
    assert_eq!(
        last.json()["response"]["error"]["code"],
        "rate_limit_exceeded"
    );
    let name = id(&last.json()["response"]);
    let failed = find(&talk.ada, &name).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("rate_limit_exceeded"))
    );

    let cut = create(&talk.ada, json!({ "input": "tokens=2 finish=length" })).await;
    assert_eq!(
        (&cut["status"], &cut["completed_at"]),
        (&json!("incomplete"), &Value::Null)
    );
    assert_eq!(
        cut["incomplete_details"],
        json!({ "reason": "max_output_tokens" })
    );
}

#[tokio::test]
async fn a_request_that_can_not_be_done_is_refused_with_its_field() {
    let talk = Talk::start();
    let conversation =
        create(&talk.ada, json!({ "input": "tokens=1" })).await["conversation"].clone();
    let long = "x".repeat(256 << 10);
    for (body, status, param) in [
        (json!({}), 400, json!("input")),
        (json!({ "input": "" }), 400, json!("input")),
        (json!({ "input": [] }), 400, json!("input")),
        (json!({ "input": 5 }), 400, json!("input")),
        (
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_image" }] }] }),
            400,
            json!("input[0].content[0].type"),
        ),
        (
            json!({ "input": [{ "type": "function_call", "call_id": 5 }] }),
            400,
            json!("input[0].call_id"),
        ),
        (
            json!({ "input": "x", "temperature": 3 }),
            400,
            json!("temperature"),
        ),
        (
            json!({ "input": "x", "tools": [{ "type": "web_search" }] }),
            400,
            json!("tools[0].type"),
        ),
        (
            json!({ "input": "x", "tools": [{ "type": "function" }] }),
            400,
            json!("tools[0].name"),
        ),
        (
            json!({ "input": "x", "tools": [{ "type": "function", "name": "a", "description": long }] }),
            400,
            json!("tools"),
        ),
        (
            json!({ "input": "x", "reasoning": { "effort": long } }),
            400,
            json!("reasoning.effort"),
        ),
        (
            json!({ "input": "x", "tool_choice": "required" }),
            400,
            json!("tool_choice"),
        ),
        (
            json!({ "input": "x", "prompt": { "id": "p" } }),
            400,
            json!("prompt"),
        ),
        (
            json!({ "input": "x", "model": "nobody" }),
            404,
            json!("model"),
        ),
        (
            json!({ "input": "x", "conversation": "conv_x" }),
            404,
            Value::Null,
        ),
        (
            json!({ "input": "x", "previous_response_id": "resp_x" }),
            400,
            json!("previous_response_id"),
        ),
        (
            json!({ "input": "x", "previous_response_id": "resp_clqb6q2rl0003v3k8b2g8n5xd" }),
            400,
            json!("previous_response_id"),
        ),
        (
            json!({ "input": "x", "previous_response_id": "resp_x", "conversation": conversation }),
            400,
            json!("conversation"),
        ),
    ] {
        let refused = try_create(&talk.ada, body.clone()).await;
        assert_eq!(
            (refused.status, &refused.body["error"]["param"]),
            (status, &param),
            "{body} {refused:?}"
        );
    }
    assert_eq!(talk.provider.calls().len(), 1);
}

#[tokio::test]
async fn a_retry_that_an_sdk_counts_joins_the_first_try() {
    let talk = Talk::start();
    let ask = |count: u32, body: Value| {
        let request = talk.ada.request("POST", "/v1/responses").json(&body);
        request.header("x-stainless-retry-count", count)
    };
    for store in [true, false] {
        let body = json!({ "input": format!("tokens=3 store={store}"), "store": store });
        let first = send(ask(0, body.clone())).await.body;
        let again = send(ask(1, body.clone())).await.body;
        assert_eq!(
            (&again["id"], says(&again)),
            (&first["id"], says(&first)),
            "store={store}"
        );
        let mut streamed = body.clone();
        streamed["stream"] = json!(true);
        let one = Events::open(ask(0, streamed.clone())).await.rest().await;
        let two = Events::open(ask(1, streamed)).await.rest().await;
        assert_eq!(one, two, "store={store}");
        let meant = send(ask(0, body)).await.body;
        assert_ne!(meant["id"], first["id"], "the same once more is meant");
    }
    assert_eq!(talk.provider.calls().len(), 6);
    assert_eq!(
        talk.ada.get("/v1/conversations").await.body["data"]
            .as_array()
            .unwrap()
            .len(),
        3
    );

    let lost = json!({ "input": "status=500 tokens=7" });
    assert_eq!(send(ask(0, lost.clone())).await.status, 502);
    let calls = talk.provider.calls().len();
    assert_eq!(send(ask(1, lost)).await.status, 502);
    assert_eq!(
        talk.provider.calls().len(),
        calls,
        "a retry of what failed asks nobody"
    );
}
