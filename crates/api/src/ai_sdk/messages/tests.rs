use serde_json::json;

use super::super::samples::{call, message, output as brought};
use super::*;

fn shown(turn: &[Message]) -> Value {
    serde_json::to_value(UiMessage::of(turn).unwrap()).unwrap()
}

#[test]
fn an_answer_with_all_its_steps_is_one_message() {
    let turn = [
        message(
            2,
            MessageRole::Assistant,
            vec![
                Part::Reasoning("Hm.".into()),
                call("one", r#"{"city":"Oslo"}"#),
                call("two", "Oslo"),
            ],
        ),
        message(
            3,
            MessageRole::Tool,
            vec![brought("one", r#"{"rain":true}"#)],
        ),
        message(4, MessageRole::Assistant, vec![Part::Text("Rain.".into())]),
    ];
    let expected = json!({
        "id": turn[0].id.as_str(),
        "role": "assistant",
        "metadata": {
            "createdAt": "1970-01-01T00:00:00.000Z",
            "model": "demo",
            "finishReason": "stop",
        },
        "parts": [
            { "type": "step-start" },
            { "type": "reasoning", "text": "Hm.", "state": "done" },
            {
                "type": "tool-weather",
                "state": "output-available",
                "toolCallId": "one",
                "input": { "city": "Oslo" },
                "output": { "rain": true },
            },
            {
                "type": "tool-weather",
                "state": "input-available",
                "toolCallId": "two",
                "input": "Oslo",
            },
            { "type": "step-start" },
            { "type": "text", "text": "Rain.", "state": "done" },
        ],
    });
    assert_eq!(shown(&turn), expected);
}

#[test]
fn a_call_that_was_cut_off_is_not_offered_to_be_run() {
    let mut cut = message(2, MessageRole::Assistant, vec![call("one", r#"{"ci"#)]);
    cut.finish_reason = Some(FinishReason::Stopped);
    let part = &shown(&[cut])["parts"][1];
    assert_eq!(part["state"], "input-streaming");
    assert_eq!(part.get("input"), None);
}

#[test]
fn what_was_removed_leaves_no_trace() {
    let content = vec![Part::Removed, Part::Text("Hello".into())];
    let parts = &shown(&[message(1, MessageRole::User, content)])["parts"];
    assert_eq!(
        *parts,
        json!([{ "type": "text", "text": "Hello", "state": "done" }])
    );
}

#[test]
fn a_tool_that_is_called_with_nothing_is_called_with_no_arguments() {
    assert_eq!(input(" "), json!({}));
    assert_eq!(output(""), json!(""));
}

#[test]
fn an_output_belongs_to_the_step_before_it_whatever_identifiers_others_use() {
    let step = |seq, calls| message(seq, MessageRole::Assistant, calls);
    let tool = |seq, call| message(seq, MessageRole::Tool, vec![brought(call, "1")]);
    let turn = [
        step(2, vec![call("same", "{}"), call("other", "{}")]),
        tool(3, "other"),
        step(4, vec![call("same", "{}")]),
        tool(5, "same"),
    ];
    let parts = &shown(&turn)["parts"];
    assert_eq!(parts[1].get("output"), None);
    assert_eq!(parts[4]["output"], 1);
}
