use serde_json::json;

use super::*;

fn request(messages: Value) -> Request {
    serde_json::from_value(json!({ "id": "chat", "messages": messages, "unknown": 1 })).unwrap()
}

fn refusal<T>(result: Result<T, Fault>) -> String {
    result.err().unwrap().message()
}

fn answer(parts: Value) -> Message {
    serde_json::from_value(json!({ "id": "a", "role": "assistant", "parts": parts })).unwrap()
}

#[test]
fn of_a_conversation_only_the_last_message_is_kept_in_full() {
    let request = request(json!([
        { "id": "1", "role": "user", "parts": [{ "type": "text", "text": "One" }] },
        { "id": "2", "role": "user", "parts": [{ "type": "text", "text": "Two" }] },
    ]));
    assert!(request.messages[0].parts.is_empty());
    let texts = request.messages[1].texts("messages[1]").unwrap();
    assert_eq!(texts, [Part::Text("Two".into())]);
}

#[test]
fn a_message_is_its_texts_and_data_of_the_applications_own_is_passed_over() {
    let request = request(json!([{ "role": "user", "parts": [
        { "type": "data-place", "data": { "text": 5 } },
        { "type": "text", "text": "One" },
        { "type": "text", "text": "Two" },
    ] }]));
    let texts = request.messages[0].texts("messages[0]").unwrap();
    assert_eq!(texts.len(), 2);
}

#[test]
fn what_is_wrong_with_a_message_is_said_with_its_place() {
    let cases = [
        (json!([]), "messages[0].parts have no text"),
        (
            json!([{ "type": "text" }]),
            "messages[0].parts[0].text must be a text",
        ),
        (
            json!([{ "type": "text", "text": " " }]),
            "messages[0].parts[0].text is blank",
        ),
        (
            json!([{ "type": "file", "url": "data:," }]),
            "messages[0].parts[0] is a file, and files are not taken",
        ),
    ];
    for (parts, expected) in cases {
        let request = request(json!([{ "role": "user", "parts": parts }]));
        assert_eq!(refusal(request.messages[0].texts("messages[0]")), expected);
    }
}

#[test]
fn outputs_of_tools_are_those_of_the_last_step() {
    let message = answer(json!([
        { "type": "step-start" },
        { "type": "tool-a", "toolCallId": "0", "state": "output-available", "output": 0 },
        { "type": "step-start" },
        { "type": "tool-a", "toolCallId": "1", "state": "output-available", "output": { "b": 1 } },
        { "type": "tool-a", "toolCallId": "2", "state": "output-available", "output": "text" },
        { "type": "dynamic-tool", "toolCallId": "3", "state": "output-error", "errorText": "no" },
        { "type": "tool-a", "toolCallId": "4", "state": "output-available" },
        { "type": "tool-a", "toolCallId": "5", "state": "input-available" },
        { "type": "text", "text": "tool-" },
    ]));
    let outputs = message.outputs("messages[0]").unwrap().into_iter();
    let outputs = outputs.map(|(output, _)| (output.call, output.output));
    let expected = [("1", r#"{"b":1}"#), ("2", "text"), ("3", "no"), ("4", "")];
    let expected = expected.map(|(call, output)| (call.to_owned(), output.to_owned()));
    assert_eq!(outputs.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_wrong_with_an_output_is_said_with_its_place() {
    let part = |fields: Value| {
        let mut part = json!({ "type": "tool-a", "state": "output-available", "output": "1" });
        for (name, value) in fields.as_object().unwrap() {
            part[name] = value.clone();
        }
        refusal(answer(json!([part])).outputs("messages[0]"))
    };
    let place = "messages[0].parts[0]";
    assert_eq!(
        part(json!({})),
        format!("{place}.toolCallId must be a text")
    );
    assert_eq!(
        part(json!({ "toolCallId": " " })),
        format!("{place}.toolCallId is blank")
    );
    assert_eq!(
        part(json!({ "toolCallId": "1", "output": "\0" })),
        format!("{place}.output holds a NUL character")
    );
    assert_eq!(
        part(json!({ "toolCallId": "1", "state": "output-error" })),
        format!("{place}.errorText must be a text")
    );
}
