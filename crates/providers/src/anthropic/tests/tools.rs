//! Tools, on the way there and back.

use chat::types::{Part, Tool, ToolCall, ToolChoice, ToolName, ToolOutput};
use proptest::prelude::*;

use super::*;

fn offered(name: &str) -> Tool {
    Tool {
        name: ToolName::parse(name).unwrap(),
        description: None,
        parameters: None,
        strict: None,
    }
}

fn calling(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    })
}

fn output(call: &str, output: &str) -> Part {
    Part::ToolOutput(ToolOutput {
        call: call.to_owned(),
        output: output.to_owned(),
    })
}

fn turn(role: MessageRole, content: Vec<Part>) -> Turn {
    Turn { role, content }
}

/// A person asks, a tool is called and answers.
fn with_tools() -> Question {
    question(vec![
        Turn::saying(User, "Weather?"),
        turn(
            Assistant,
            vec![
                Part::Text("I'll look.".to_owned()),
                calling("functions.weather:0", "weather", r#"{"city":"Rome"}"#),
                calling("b", "now", "[1]"),
            ],
        ),
        turn(
            MessageRole::Tool,
            vec![output("functions.weather:0", "sunny")],
        ),
        turn(MessageRole::Tool, vec![output("b", "")]),
        Turn::saying(User, "Well?"),
    ])
}

fn begins(index: u64, id: &str, name: &str) -> Value {
    json!({"type": "content_block_start", "index": index,
        "content_block": {"type": "tool_use", "id": id, "name": name, "input": {}}})
}

fn goes_on(index: u64, json: &str) -> Value {
    json!({"type": "content_block_delta", "index": index,
        "delta": {"type": "input_json_delta", "partial_json": json}})
}

fn stops(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}}),
        json!({"type": "message_stop"}),
    ]
}

fn pieces(heard: &mut Heard) -> Vec<Piece> {
    std::iter::from_fn(|| heard.next()).collect()
}

fn call(id: &str, name: &str) -> Piece {
    Piece::Delta(Written::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
    })
}

fn arguments(text: &str) -> Piece {
    Piece::Delta(Written::Arguments(text.to_owned()))
}

#[test]
fn calls_are_the_models_and_their_outputs_a_persons() {
    let expected = json!([
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [
            {"type": "text", "text": "I'll look."},
            {"type": "tool_use", "id": "functions_weather_0", "name": "weather",
                "input": {"city": "Rome"}},
            {"type": "tool_use", "id": "b", "name": "now", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "functions_weather_0", "content": "sunny"},
            {"type": "tool_result", "tool_use_id": "b"},
            {"type": "text", "text": "Well?"},
        ]},
    ]);
    assert_eq!(asked(&with_tools())["messages"], expected);
}

#[test]
fn tools_are_offered_with_a_schema_that_is_always_one_of_an_object() {
    let mut question = question(vec![Turn::saying(User, "Hi")]);
    question.options.tools = vec![
        Tool {
            description: Some("Tells the weather.".to_owned()),
            parameters: Some(r#"{"properties":{"city":{}}}"#.to_owned()),
            strict: Some(true),
            ..offered("weather")
        },
        offered("now"),
    ];
    let expected = json!([
        {"name": "weather", "description": "Tells the weather.",
            "input_schema": {"type": "object", "properties": {"city": {}}}},
        {"name": "now", "input_schema": {"type": "object"}},
    ]);
    let body = asked(&question);
    assert_eq!(body["tools"], expected);
    assert_eq!(body.get("tool_choice"), None);
}

#[test]
fn tools_that_were_called_before_are_named_and_not_to_be_called_again() {
    let body = asked(&with_tools());
    let expected = json!([
        {"name": "now", "input_schema": {"type": "object"}},
        {"name": "weather", "input_schema": {"type": "object"}},
    ]);
    assert_eq!(body["tools"], expected);
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
    let without = asked(&question(vec![Turn::saying(User, "Hi")]));
    assert_eq!(
        (without.get("tools"), without.get("tool_choice")),
        (None, None)
    );
}

#[test]
fn whether_tools_are_called_has_names_of_the_apis_own() {
    let now = || ToolChoice::Tool(ToolName::parse("now").unwrap());
    let one = "disable_parallel_tool_use";
    for (choice, parallel, expected) in [
        (None, None, Value::Null),
        (None, Some(true), Value::Null),
        (None, Some(false), json!({"type": "auto", one: true})),
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (
            Some(ToolChoice::Required),
            Some(false),
            json!({"type": "any", one: true}),
        ),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (
            Some(now()),
            Some(true),
            json!({"type": "tool", "name": "now"}),
        ),
    ] {
        let mut question = question(vec![Turn::saying(User, "Hi")]);
        question.options.tool_choice = choice;
        question.options.parallel_tool_calls = parallel;
        assert_eq!(asked(&question).get("tool_choice"), None, "without tools");
        question.options.tools = vec![offered("now")];
        assert_eq!(asked(&question)["tool_choice"], expected);
    }
}

#[test]
fn calls_are_heard_one_after_the_other() {
    let mut events = vec![
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": "I'll look."}}),
        begins(1, "toolu_1", "weather"),
        goes_on(1, ""),
        goes_on(1, "{\"city\":"),
        goes_on(1, "\"Rome\"}"),
        json!({"type": "content_block_stop", "index": 1}),
        begins(2, "toolu_2", "now"),
        json!({"type": "content_block_stop", "index": 2}),
    ];
    events.extend(stops("tool_use"));
    let mut heard = hear(&events);
    let expected = [
        Piece::Delta(Written::Text("I'll look.".to_owned())),
        call("toolu_1", "weather"),
        arguments("{\"city\":"),
        arguments("\"Rome\"}"),
        call("toolu_2", "now"),
        arguments("{}"),
    ];
    assert_eq!(pieces(&mut heard), expected);
    assert_eq!(heard.take_end(), Some(Ok(EndOfAnswer::ToolCalls)));
}

#[test]
fn a_call_that_is_cut_off_is_no_call_to_answer() {
    let mut events = vec![begins(0, "toolu_1", "now")];
    events.extend(stops("max_tokens"));
    let mut heard = hear(&events);
    assert_eq!(pieces(&mut heard), [call("toolu_1", "now")]);
    assert_eq!(heard.take_end(), Some(Ok(EndOfAnswer::Length)));
}

#[test]
fn arguments_of_no_call_are_no_answer() {
    let mut heard = hear(&[
        begins(0, "a", "now"),
        begins(1, "b", "now"),
        goes_on(0, "{"),
    ]);
    assert_eq!(heard.take_end(), Some(Err(faults::unreadable())));
    assert_eq!(
        hear(&[goes_on(0, "{")]).take_early_fault(),
        Some(faults::unreadable())
    );
}

proptest! {
    #[test]
    fn any_split_of_the_arguments_gives_the_same_call(
        parts in prop::collection::vec("[a-zä😀\"{}: \0]{0,6}", 0..8),
    ) {
        let mut events = vec![begins(0, "a", "now")];
        events.extend(parts.iter().map(|part| goes_on(0, part)));
        events.extend(stops("tool_use"));
        let mut heard = pieces(&mut hear(&events)).into_iter();
        prop_assert_eq!(heard.next(), Some(call("a", "now")));
        let text: String = heard
            .map(|piece| match piece {
                Piece::Delta(Written::Arguments(text)) if !text.is_empty() => text,
                other => panic!("{other:?}"),
            })
            .collect();
        let whole = parts.concat().replace('\0', "");
        prop_assert_eq!(text, if whole.is_empty() { "{}".to_owned() } else { whole });
    }
}
