use chat::types::Parent;
use serde_json::{Value, json};

use super::*;
use crate::extract;

/// The reply that this body asks for, or the refusal.
fn read(body: &Value) -> Result<ReplyDraft, String> {
    let reply: Result<NewReply, Fault> = extract::parse(body.to_string().as_bytes());
    reply
        .and_then(|reply| reply.parse(SessionKey::Number(1)))
        .map_err(|fault| fault.message())
}

#[test]
fn a_prompt_comes_with_all_that_is_wanted_of_the_model() {
    let draft = read(&json!({
        "prompt": "Is it cold in Riga?",
        "instructions": "Be brief.",
        "temperature": 2,
        "topP": 0.5,
        "maxOutputTokens": 1,
        "tools": [
            {
                "name": "weather",
                "description": "Tells the weather",
                "parameters": { "type": "object", "properties": { "place": {}, "day": {} } },
                "strict": true,
            },
            { "name": "time", "parameters": null },
        ],
        "toolChoice": { "name": "weather" },
    }));
    let options = draft.unwrap().options;
    assert_eq!(options.instructions, SystemMessage::parse("Be brief.").ok());
    let model = options.model;
    assert_eq!(
        (model.temperature, model.top_p, model.max_output_tokens),
        (Some(2.0), Some(0.5), Some(1))
    );
    let schema = r#"{"type":"object","properties":{"place":{},"day":{}}}"#;
    assert_eq!(model.tools[0].parameters.as_deref(), Some(schema));
    assert_eq!(
        model.tools[0].description.as_deref(),
        Some("Tells the weather")
    );
    assert_eq!(model.tools[0].strict, Some(true));
    assert_eq!(
        (model.tools[1].parameters.as_ref(), model.tools[1].strict),
        (None, None)
    );
    assert_eq!(
        model.tool_choice,
        Some(ToolChoice::Tool(model.tools[0].name.clone()))
    );
    for (word, choice) in [
        ("auto", ToolChoice::Auto),
        ("none", ToolChoice::None),
        ("required", ToolChoice::Required),
    ] {
        let body = json!({ "prompt": "x", "tools": [{ "name": "a" }], "toolChoice": word });
        assert_eq!(read(&body).unwrap().options.model.tool_choice, Some(choice));
    }
}

#[test]
fn outputs_are_a_prompt_of_the_tools() {
    let outputs = json!([
        { "callId": "1", "output": "-3 °C" },
        { "callId": "2", "output": "" },
    ]);
    let PromptDraft::New(messages) = read(&json!({ "toolOutputs": outputs })).unwrap().prompt
    else {
        panic!("the outputs are new");
    };
    let [message] = &messages[..] else {
        panic!("they are one message: {messages:?}");
    };
    assert_eq!(
        (&message.parent, message.role),
        (&Parent::Head, MessageRole::Tool)
    );
    let outputs: Vec<_> = message.content.iter().map(Part::as_str).collect();
    assert_eq!(outputs, ["-3 °C", ""]);
}

#[test]
fn a_refusal_names_the_field() {
    let with = |field: &str, value: Value| {
        let mut body = json!({ "prompt": "x" });
        body[field] = value;
        body
    };
    let named = |names: Vec<&str>| {
        let tools = names.iter().map(|name| json!({ "name": name }));
        with("tools", tools.collect())
    };
    let many: Vec<Value> = (0..129)
        .map(|at| json!({ "name": format!("t{at}") }))
        .collect();
    let mut choosing = named(vec!["a"]);
    choosing["toolChoice"] = json!({ "name": "b" });
    for (body, expected) in [
        (json!({}), "prompt is required"),
        (json!({ "parentId": null }), "prompt is required"),
        (
            with("toolOutputs", json!([])),
            "toolOutputs can't stand beside prompt",
        ),
        (json!({ "toolOutputs": [] }), "toolOutputs is empty"),
        (
            json!({ "toolOutputs": [{ "callId": "1" }] }),
            "toolOutputs[0].output is required",
        ),
        (
            json!({ "toolOutputs": [{ "callId": "", "output": "x" }] }),
            "toolOutputs[0].callId is blank",
        ),
        (
            with("temperature", json!(2.1)),
            "temperature must be 0 to 2",
        ),
        (with("topP", json!(-1)), "topP must be 0 to 1"),
        (
            with("maxOutputTokens", json!(0)),
            "maxOutputTokens must be 1 to 4294967295",
        ),
        (
            with("instructions", json!("\0")),
            "instructions holds a NUL character",
        ),
        (with("tools", json!(many)), "tools has more than 128 items"),
        (named(vec!["a", "a"]), "tools[1].name is there twice"),
        (named(vec!["a", ""]), "tools[1].name is blank"),
        (with("tools", json!([{}])), "tools[0].name is required"),
        (
            with("tools", json!([{ "name": "a", "description": "\0" }])),
            "tools[0].description holds a NUL character",
        ),
        (choosing, "toolChoice names none of the tools"),
        (
            with("toolChoice", json!("required")),
            "toolChoice needs tools",
        ),
        (
            with("toolChoice", json!({ "name": "a b" })),
            "toolChoice.name has other characters than ASCII letters, digits, _ and -",
        ),
    ] {
        assert_eq!(read(&body).unwrap_err(), expected, "{body}");
    }
    for (body, field) in [
        (with("toolChoice", json!("perhaps")), "toolChoice "),
        (
            with("tools", json!([{ "name": "a", "parameters": "{}" }])),
            "tools[0].parameters ",
        ),
    ] {
        let refused = read(&body).unwrap_err();
        assert!(refused.starts_with(field), "{refused}");
    }
}
