use serde_json::{Value, json};

use super::*;
use crate::extract;

#[derive(Deserialize)]
struct Body {
    content: Content,
}

/// What somebody in that role says with this content, or the refusal.
fn read(role: MessageRole, content: &Value) -> Result<Vec<Part>, String> {
    let body = json!({ "content": content }).to_string();
    let body: Result<Body, Fault> = extract::parse(body.as_bytes());
    body.and_then(|body| body.content.parse(role, "content"))
        .map_err(|fault| fault.message())
}

#[test]
fn what_is_shown_of_a_message_can_be_said_again() {
    let call = ToolCall {
        id: "call_1".into(),
        name: "weather".into(),
        arguments: "{\"place\": \"Riga\"}".into(),
    };
    let output = ToolOutput {
        call: "call_1".into(),
        output: String::new(),
    };
    let said = |text: &str| Part::Text(text.into());
    for (role, parts) in [
        (MessageRole::System, vec![said("Be brief.")]),
        (
            MessageRole::User,
            vec![said("Is it cold"), said(" in Riga?")],
        ),
        (
            MessageRole::Assistant,
            vec![
                Part::Reasoning("I can't know".into()),
                said("I'll look."),
                Part::ToolCall(call),
            ],
        ),
        (MessageRole::Tool, vec![Part::ToolOutput(output)]),
    ] {
        let shown: Vec<_> = parts.iter().map(ShownPart::from).collect();
        assert_eq!(read(role, &json!(shown)), Ok(parts));
    }
}

#[test]
fn a_refusal_names_the_part_and_its_field() {
    use MessageRole::{Assistant, Tool, User};
    let call = |field: &str, value: Value| {
        let mut call = json!([{ "type": "tool_call", "id": "1", "name": "a", "arguments": "" }]);
        call[0][field] = value;
        call
    };
    let long = |length: usize| json!("x".repeat(length));
    let output = json!({ "type": "tool_output", "callId": "1", "output": "" });
    for (role, content, expected) in [
        (User, json!(""), "content is blank"),
        (User, json!([]), "content is empty"),
        (
            User,
            json!([{ "type": "text" }]),
            "content[0].text is required",
        ),
        (
            User,
            json!([{ "text": "x" }]),
            "content[0].type is required",
        ),
        (
            User,
            json!([{ "type": "text", "text": "x" }, { "type": "image_url" }]),
            "content[1].type must be one of: text, reasoning, tool_call, tool_output",
        ),
        (
            Assistant,
            json!([{ "type": "removed" }]),
            "content[0].type must be one of: text, reasoning, tool_call, tool_output",
        ),
        (
            User,
            json!([output]),
            "content[0] is not what a message of the role user holds",
        ),
        (
            User,
            call("id", json!("1")),
            "content[0] is not what a message of the role user holds",
        ),
        (
            Tool,
            json!("x"),
            "content is not what a message of the role tool holds",
        ),
        (
            Tool,
            json!([output, { "type": "text", "text": "x" }]),
            "content[1] is not what a message of the role tool holds",
        ),
        (
            Tool,
            json!([{ "type": "tool_output", "output": "" }]),
            "content[0].callId is required",
        ),
        (
            Tool,
            json!([{ "type": "tool_output", "callId": "1", "output": "\0" }]),
            "content[0].output holds a NUL character",
        ),
        (Assistant, call("id", json!(" ")), "content[0].id is blank"),
        (
            Assistant,
            call("id", long(257)),
            "content[0].id is longer than 256 characters",
        ),
        (
            Assistant,
            call("name", json!("a b")),
            "content[0].name has other characters than ASCII letters, digits, _ and -",
        ),
        (
            Assistant,
            call("arguments", long(262_145)),
            "content[0].arguments is longer than 262144 characters",
        ),
    ] {
        assert_eq!(read(role, &content), Err(expected.into()), "{content}");
    }
    let no_content = read(User, &json!(5)).unwrap_err();
    assert!(
        no_content.starts_with("content is not what it should be"),
        "{no_content}"
    );
}
