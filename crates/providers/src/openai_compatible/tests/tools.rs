//! Tools, on the way there and back.

use chat::types::{Part, Tool as Offered, ToolCall, ToolName, ToolOutput};
use proptest::prelude::*;

use super::*;

fn offered(name: &str) -> Offered {
    Offered {
        name: ToolName::parse(name).unwrap(),
        description: None,
        parameters: None,
        strict: None,
    }
}

fn call(id: &str, name: &str) -> Piece {
    Piece::Delta(Delta::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
    })
}

fn arguments(text: &str) -> Piece {
    Piece::Delta(Delta::Arguments(text.to_owned()))
}

/// A chunk with these pieces of calls.
fn chunk(calls: Value) -> String {
    json!({"choices": [{"delta": {"tool_calls": calls}}]}).to_string()
}

fn hear_calls(calls: impl IntoIterator<Item = Value>) -> Heard {
    let chunks: Vec<String> = calls.into_iter().map(chunk).collect();
    let mut chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    chunks.push("[DONE]");
    hear(&chunks)
}

#[test]
fn tools_are_offered_with_what_is_known_of_them() {
    let mut question = question("m");
    question.options.tools = vec![
        Offered {
            description: Some("Tells the weather.".to_owned()),
            parameters: Some(r#"{"type":"object","properties":{"city":{}}}"#.to_owned()),
            strict: Some(true),
            ..offered("weather")
        },
        offered("now"),
    ];
    question.options.parallel_tool_calls = Some(false);
    let parameters = json!({"type": "object", "properties": {"city": {}}});
    let expected = json!([
        {"type": "function", "function": {"name": "weather", "description": "Tells the weather.",
            "parameters": parameters, "strict": true}},
        {"type": "function", "function": {"name": "now"}},
    ]);
    let body = asked(&question, true);
    assert_eq!(body["tools"], expected);
    assert_eq!(body["parallel_tool_calls"], false);
    assert_eq!(body.get("tool_choice"), None);
}

#[test]
fn whether_tools_are_called_is_said_where_there_are_any() {
    let now = ToolName::parse("now").unwrap();
    for (choice, expected) in [
        (ToolChoice::Auto, json!("auto")),
        (ToolChoice::None, json!("none")),
        (ToolChoice::Required, json!("required")),
        (
            ToolChoice::Tool(now),
            json!({"type": "function", "function": {"name": "now"}}),
        ),
    ] {
        let mut question = question("m");
        question.options.tool_choice = Some(choice);
        question.options.parallel_tool_calls = Some(true);
        let body = asked(&question, true);
        assert_eq!(
            (body.get("tool_choice"), body.get("parallel_tool_calls")),
            (None, None)
        );
        question.options.tools = vec![offered("now")];
        assert_eq!(asked(&question, true)["tool_choice"], expected);
    }
}

#[test]
fn calls_are_told_with_their_message_and_outputs_one_by_one() {
    let call = |id: &str| {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "now".to_owned(),
            arguments: "{}".to_owned(),
        })
    };
    let output = |call: &str, output: &str| {
        Part::ToolOutput(ToolOutput {
            call: call.to_owned(),
            output: output.to_owned(),
        })
    };
    let turn = |role, content| Turn { role, content };
    let mut question = question("m");
    question.messages = vec![
        turn(MessageRole::Assistant, vec![call("a"), call("b")]),
        turn(MessageRole::Tool, vec![output("a", "12"), output("b", "")]),
        turn(
            MessageRole::Assistant,
            vec![Part::Text("Again.".to_owned()), call("c")],
        ),
        turn(MessageRole::Tool, vec![output("c", "13")]),
    ];
    let call = |id: &str| {
        let function = json!({"name": "now", "arguments": "{}"});
        json!({"id": id, "type": "function", "function": function})
    };
    let expected = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "content": "12", "tool_call_id": "a"},
        {"role": "tool", "content": "", "tool_call_id": "b"},
        {"role": "assistant", "content": "Again.", "tool_calls": [call("c")]},
        {"role": "tool", "content": "13", "tool_call_id": "c"},
    ]);
    assert_eq!(asked(&question, false)["messages"], expected);
}

#[test]
fn calls_are_heard_one_after_the_other() {
    let mut heard = hear_calls([
        json!([{"index": 0, "id": "a", "type": "function",
            "function": {"name": "weather", "arguments": ""}}]),
        json!([{"index": 0, "function": {"arguments": "{\"city\":"}}]),
        json!([{"index": 0, "id": null, "function": {"name": null, "arguments": "\"Rome\"}"}}]),
        json!([{"index": 1, "id": "b\u{0}", "function": {"name": "n\u{0}ow", "arguments": "{}\u{0}"}}]),
    ]);
    let expected = [
        call("a", "weather"),
        arguments("{\"city\":"),
        arguments("\"Rome\"}"),
        call("b", "now"),
        arguments("{}"),
    ];
    assert!(heard.has_begun());
    assert_eq!(pieces(&mut heard), expected);
    assert_eq!(heard.take_end(), Some(Ok(EndOfAnswer::ToolCalls)));
}

#[test]
fn servers_that_do_not_count_their_calls_are_understood() {
    let function = |arguments: Value| json!({"name": "now", "arguments": arguments});
    let ways = [
        // All in one chunk, or each in its own; with one index for all, or none; with ids, or without.
        vec![json!([
            {"index": 0, "id": "call_1", "function": function(json!("{\"a\":1}"))},
            {"index": 0, "id": "call_2", "function": function(json!("{}"))},
        ])],
        vec![
            json!([{"id": "call_1", "function": function(json!({"a": 1}))}]),
            json!([{"id": "call_2", "function": function(json!({}))}]),
        ],
        vec![json!([
            {"index": 0, "id": "", "function": function(json!({"a": 1}))},
            {"index": 0, "id": "", "function": function(json!(null))},
        ])],
        vec![
            json!([{"index": 0, "function": function(json!("{\"a\":1}"))}]),
            json!([{"index": 1, "id": " ", "function": function(json!(""))}]),
        ],
        // With a new id in every piece, or with id and name in every piece.
        vec![
            json!([{"index": 0, "id": "call_1", "function": {"name": "now"}}]),
            json!([{"index": 0, "id": "x", "function": {"name": "", "arguments": "{\"a\":1}"}}]),
            json!([{"index": 1, "id": "call_2", "function": {"name": "now"}}]),
            json!([{"index": 1, "id": "call_2", "function": function(json!("{}"))}]),
        ],
        // With one id for all.
        vec![
            json!([{"index": 0, "id": "call_1", "function": function(json!("{\"a\":1}"))}]),
            json!([{"index": 1, "id": "call_1", "function": function(json!("{}"))}]),
        ],
    ];
    let expected = [
        call("call_1", "now"),
        arguments("{\"a\":1}"),
        call("call_2", "now"),
        arguments("{}"),
    ];
    for way in ways {
        let mut heard = hear_calls(way.clone());
        assert_eq!(pieces(&mut heard), expected, "{way:?}");
        assert_eq!(
            heard.take_end(),
            Some(Ok(EndOfAnswer::ToolCalls)),
            "{way:?}"
        );
    }
}

#[test]
fn a_whole_answer_has_whole_calls() {
    let body = json!({"choices": [{"finish_reason": "stop", "message": {"content": null,
    "function_call": {"name": "old", "arguments": "{}"},
    "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "now", "arguments": "{}"}},
        {"id": "a", "type": "function", "function": {"name": "now", "arguments": {"b": 1}}},
    ]}}]});
    let mut heard = Heard::default();
    OpenAiCompatible.whole(body.to_string().as_bytes(), &mut heard);
    let expected = [
        call("a", "now"),
        arguments("{}"),
        call("call_2", "now"),
        arguments("{\"b\":1}"),
    ];
    assert_eq!(pieces(&mut heard), expected);
    assert_eq!(heard.take_end(), Some(Ok(EndOfAnswer::ToolCalls)));
}

#[test]
fn what_a_call_is_known_by_is_not_what_an_earlier_one_was() {
    let mut question = question("m");
    let earlier = ToolCall {
        id: "a".to_owned(),
        name: "now".to_owned(),
        arguments: "{}".to_owned(),
    };
    question.messages.push(Turn {
        role: MessageRole::Assistant,
        content: vec![Part::ToolCall(earlier)],
    });
    for (id, expected) in [
        ("a", "call_2"),
        ("", "call_2"),
        ("b", "b"),
        (&"c".repeat(257), "call_2"),
    ] {
        let event = Event {
            name: String::new(),
            data: chunk(json!([{"index": 0, "id": id, "function": {"name": "now"}}])),
        };
        let mut heard = Heard::of(&question);
        OpenAiCompatible.event(&event, &mut heard);
        assert_eq!(pieces(&mut heard), [call(expected, "now")], "{id}");
    }
}

#[test]
fn pieces_of_a_call_that_is_over_or_has_not_begun_are_no_answer() {
    let first = json!([{"index": 0, "id": "a", "function": {"name": "now", "arguments": "{"}}]);
    let second = json!([{"index": 1, "id": "b", "function": {"name": "now", "arguments": "{"}}]);
    let more = json!([{"index": 0, "function": {"arguments": "}"}}]);
    let nameless = json!([{"index": 2, "id": "c", "function": {"arguments": "{}"}}]);
    let text = || r#"{"choices":[{"delta":{"content":"Well"}}]}"#.to_owned();
    for chunks in [
        vec![
            chunk(first.clone()),
            chunk(second.clone()),
            chunk(more.clone()),
        ],
        vec![chunk(first.clone()), text(), chunk(more.clone())],
        vec![chunk(second.clone()), chunk(first.clone())],
        vec![chunk(first.clone()), chunk(nameless.clone())],
        vec![chunk(nameless)],
        vec![chunk(more)],
    ] {
        let mut heard = hear(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(heard.is_closed(), "{chunks:?}");
        let fault = heard.take_end().unwrap().unwrap_err();
        assert_eq!(fault, faults::unreadable(), "{chunks:?}");
    }
}

#[test]
fn who_has_called_tools_waits_for_their_outputs_unless_it_was_cut_off() {
    let called = chunk(json!([{"index": 0, "id": "a", "function": {"name": "now"}}]));
    let end = |reason: &str, called: Option<&str>| {
        let chunk = json!({"choices": [{"delta": {}, "finish_reason": reason}]}).to_string();
        let chunks: Vec<&str> = called.into_iter().chain([&*chunk, "[DONE]"]).collect();
        let mut heard = hear(&chunks);
        (heard.take_end().unwrap(), pieces(&mut heard).len())
    };
    for reason in ["tool_calls", "stop", "function_call", "eos"] {
        assert_eq!(end(reason, Some(&called)), (Ok(EndOfAnswer::ToolCalls), 2));
        assert_eq!(end(reason, None), (Ok(EndOfAnswer::Complete), 0));
    }
    assert_eq!(end("length", Some(&called)), (Ok(EndOfAnswer::Length), 1));
    let (filtered, count) = end("content_filter", Some(&called));
    assert_eq!((filtered.is_err(), count), (true, 1));
}

proptest! {
    #[test]
    fn any_split_of_the_arguments_gives_the_same_call(
        parts in prop::collection::vec("[a-zä😀\"{}: \0]{0,6}", 0..8),
        repeats_name: bool,
    ) {
        let piece = |part: &String| {
            let mut function = json!({"arguments": part});
            if repeats_name {
                function["name"] = json!("now");
            }
            json!([{"index": 0, "id": "a", "function": function}])
        };
        let first = json!([{"index": 0, "id": "a", "function": {"name": "now", "arguments": ""}}]);
        let mut heard = hear_calls([first].into_iter().chain(parts.iter().map(piece)));
        let mut heard = pieces(&mut heard).into_iter();
        prop_assert_eq!(heard.next(), Some(call("a", "now")));
        let text: String = heard
            .map(|piece| match piece {
                Piece::Delta(Delta::Arguments(text)) if !text.is_empty() => text,
                other => panic!("{other:?}"),
            })
            .collect();
        let whole = parts.concat().replace('\0', "");
        prop_assert_eq!(text, if whole.is_empty() { "{}".to_owned() } else { whole });
    }
}
