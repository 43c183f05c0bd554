use serde_json::{Value, json};

use super::*;

fn drafts(items: Value) -> Result<Vec<String>, String> {
    let items: Vec<NewItem> = serde_json::from_value(items).map_err(|error| error.to_string())?;
    let drafts = Drafts::read(&items, "input", 20).map_err(|fault| fault.message())?;
    Ok(drafts.messages.iter().map(written_down).collect())
}

fn written_down(message: &MessageDraft) -> String {
    let parts = message.content.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::ToolCall(call) => format!("{}({}) = {}", call.name, call.arguments, call.id),
        Part::ToolOutput(output) => format!("{}: {}", output.call, output.output),
        Part::Reasoning(_) | Part::Removed => panic!("nobody says that"),
    });
    let parts: Vec<_> = parts.collect();
    format!("{} {}", message.role.as_str(), parts.join(" | "))
}

fn call(id: &str) -> Value {
    json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{}" })
}

fn output(id: &str) -> Value {
    json!({ "type": "function_call_output", "call_id": id, "output": "42" })
}

#[test]
fn calls_and_outputs_become_the_messages_that_the_product_knows() {
    let items = json!([
        { "role": "developer", "content": "Be brief." },
        { "role": "user", "content": [{ "type": "input_text", "text": "a" }, { "type": "input_text", "text": "b" }] },
        { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x" },
        { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Let me", "annotations": [] }] },
        call("1"),
        { "role": "assistant", "content": "and" },
        call("2"),
        output("2"),
        { "type": "function_call_output", "call_id": "1", "output": [{ "type": "input_text", "text": "4" }, { "type": "input_text", "text": "3" }] },
        { "role": "assistant", "content": "done" },
        { "role": "assistant", "content": "" },
        { "role": "assistant", "content": [{ "type": "refusal", "refusal": "no" }] },
        call("3"),
        output("3"),
    ]);
    assert_eq!(
        drafts(items).unwrap(),
        [
            "system Be brief.",
            "user a | b",
            "assistant Let me | f({}) = 1 | and | f({}) = 2",
            "tool 2: 42 | 1: 43",
            "assistant done",
            "assistant no | f({}) = 3",
            "tool 3: 42",
        ]
    );
}

#[test]
fn what_is_wrong_with_an_item_is_told_with_its_place() {
    let image = json!({ "type": "input_image", "image_url": "https://example.com/a.png" });
    for (item, expected) in [
        (json!({ "role": "user" }), "input[0].content is required"),
        (json!({ "content": "x" }), "input[0].role is required"),
        (
            json!({ "role": "tool", "content": "x" }),
            "input[0].role must be one of: user,",
        ),
        (
            json!({ "role": "user", "content": " " }),
            "input[0].content is blank",
        ),
        (
            json!({ "role": "user", "content": "\0" }),
            "input[0].content holds a NUL",
        ),
        (
            json!({ "role": "user", "content": [image] }),
            "input[0].content[0].type input_image is not",
        ),
        (
            json!({ "role": "user", "content": [{ "type": "input_text" }] }),
            "input[0].content[0].text is required",
        ),
        (
            json!({ "type": "function_call" }),
            "input[0].call_id is required",
        ),
        (
            json!({ "type": "function_call", "call_id": "1", "name": "f" }),
            "input[0].arguments is required",
        ),
        (
            json!({ "type": "function_call_output", "call_id": " ", "output": "x" }),
            "input[0].call_id is blank",
        ),
        (
            json!({ "type": "item_reference", "id": "msg_1" }),
            "input[0].type item_reference is not",
        ),
        (
            json!({ "type": "web_search_call" }),
            "input[0].type must be one of: message,",
        ),
    ] {
        let refused = drafts(json!([item])).unwrap_err();
        assert!(refused.starts_with(expected), "{refused}");
    }
    let many = vec![json!({ "role": "user", "content": "x" }); 21];
    assert_eq!(
        drafts(json!(many)).unwrap_err(),
        "input has more than 20 items"
    );
}

#[test]
fn an_output_needs_its_call_where_nothing_came_before() {
    let own = |items: Value| {
        let items: Vec<NewItem> = serde_json::from_value(items).unwrap();
        let drafts = Drafts::read(&items, "items", 20).unwrap();
        drafts
            .on_their_own()
            .map(|_| ())
            .map_err(|fault| fault.message())
    };
    assert_eq!(own(json!([call("1"), output("1")])), Ok(()));
    let refused = "items[1].call_id is no call of what comes before";
    assert_eq!(own(json!([call("1"), output("2")])), Err(refused.into()));
    let user = json!({ "role": "user", "content": "x" });
    let refused = "items[2].call_id is no call of what comes before";
    assert_eq!(
        own(json!([call("1"), user, output("1")])),
        Err(refused.into())
    );
}
